"""The register of pages: address, template, who may see it. Rooms hang their pages into it; tests walk it.

Who sees what on a page, and whether a step may be taken, is not said here but by the use cases.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from hub.people.duties import Duty
from hub.portal.forms import MAX_FORM_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.portal.sheets import Sheet
    from hub.portal.visits import Answer, Visit

    Act: TypeAlias = Callable[[Visit], Answer]

EVERYONE: Final[frozenset[Duty] | None] = None
"""The page is for anybody, signed in or not."""
SIGNED_IN: Final = frozenset(Duty)
"""The page is for whoever is signed in."""
TRIES: Final = frozenset({Duty.STAFF, Duty.REVIEWER, Duty.ENGINEER, Duty.OFFICE})
"""Who tries calls out; several pages lead there."""
SYSTEMS: Final = frozenset({*TRIES, Duty.AUDITOR})
"""Who sees client systems."""


@dataclass(frozen=True, slots=True)
class Door:
    """A page (GET) or a step (POST). *again*: the page that a refused form is shown on again.

    *csv*: the tables that the page may show, which it is at ``PATH.csv`` too; none where its heart is no table.

    Unless *settled* it is open to those who have yet to change a password or set up one-time codes. *tried*: it counts
    among what a stranger tries, as every step does.
    """

    method: str
    path: str
    act: Act
    template: str = ""
    who: frozenset[Duty] | None = SIGNED_IN
    again: Act | None = None
    max_bytes: int = MAX_FORM_BYTES
    json: bool = True
    settled: bool = True
    csv: tuple[Sheet, ...] = ()
    tried: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    """Pages that belong together."""

    doors: list[Door] = field(default_factory=list)

    def page(
        self,
        path: str,
        template: str,
        *,
        who: frozenset[Duty] | None = SIGNED_IN,
        json: bool = True,
        settled: bool = True,
        csv: tuple[Sheet, ...] = (),
        tried: bool = False,
    ) -> Callable[[Act], Act]:
        """Hang a page in; with *json* it is at ``PATH.json`` too, with *csv* at ``PATH.csv`` as a table."""

        def hang(act: Act) -> Act:
            door = Door("GET", path, act, template, who, json=json, settled=settled, csv=csv, tried=tried)
            self.doors.append(door)
            return act

        return hang

    def step(
        self,
        path: str,
        *,
        again: Act,
        template: str,
        who: frozenset[Duty] | None = SIGNED_IN,
        max_bytes: int = MAX_FORM_BYTES,
        settled: bool = True,
    ) -> Callable[[Act], Act]:
        """Hang a step in: it goes on to another page, or *again* is shown by *template* with what was wrong."""

        def hang(act: Act) -> Act:
            door = Door("POST", path, act, template, who, again=again, max_bytes=max_bytes, json=False, settled=settled)
            self.doors.append(door)
            return act

        return hang
