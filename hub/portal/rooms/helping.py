"""Help: what there is for whom, and where to read on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.people import Duty
from hub.people.duties import WORDS
from hub.portal.doors import EVERYONE, Room
from hub.portal.frame import SECTIONS

if TYPE_CHECKING:
    from hub.portal.visits import Visit

ROOM = Room()


@ROOM.page("/help", "help.html", who=EVERYONE)
def helping(visit: Visit) -> dict[str, Any]:
    """Which pages each duty is for."""
    return {
        "duties": [
            {
                "name": visit.words(WORDS[duty]),
                "pages": [
                    {"to": to, "name": visit.words(name)} for to, name, who in SECTIONS if who is None or duty in who
                ],
            }
            for duty in Duty
        ]
    }
