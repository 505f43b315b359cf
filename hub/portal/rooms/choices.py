"""How somebody wants the portal: its language, and the elder mode (长辈版: larger, plainer)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.errors import NotFoundError
from hub.portal.answering import ELDER, LANGUAGE, local_path
from hub.portal.doors import EVERYONE, Room
from hub.portal.visits import Go

if TYPE_CHECKING:
    from hub.portal.visits import Visit

ROOM = Room()


@ROOM.page("/language/{lang}", "", who=EVERYONE, json=False, settled=False)
def language(visit: Visit) -> Go:
    """Speak another language from here on."""
    lang = visit.path["lang"]
    if lang not in {"zh", "en"}:
        raise NotFoundError
    return Go(local_path(visit.query("next", most=2_000)), cookies={LANGUAGE: lang})


@ROOM.page("/elder/{choice}", "", who=EVERYONE, json=False, settled=False)
def elder(visit: Visit) -> Go:
    """Larger letters and targets, or as usual."""
    choice = visit.path["choice"]
    if choice not in {"on", "off"}:
        raise NotFoundError
    return Go(local_path(visit.query("next", most=2_000)), cookies={ELDER: "on" if choice == "on" else None})
