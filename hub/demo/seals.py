"""The licence-issuing seals of the demonstration: each asked for by one post of its department, approved by another.

What a seal is and who may use it is `hub.seals`'; here is only who takes each step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from hub.seals import Seals
from hub.seals.registering import SealOrder
from hub.seals.words import Sort
from licence.seals.register import Action, State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from hub.office import Office
    from licence.model import LicenceKind

ASKING_POST: Final = "seal-clerk"
APPROVING_POST: Final = "office-head"
KEEPING_POST: Final = "seal-keeper"
LINE: Final = "证照专用章"
GROUND: Final = "《国务院关于在线政务服务的若干规定》第九条"
AUTOMATIC_GROUND: Final = "本部门关于证照专用章自动用印的批复"
# For how long the seal is made, and for how long the hub may use it by itself.
TERM: Final = timedelta(days=1095)
AUTOMATIC_TERM: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Given:
    """The seal *code* that licences of *kinds* of *department* bear, and who asked for it; *new*: since just now."""

    department: str
    code: str
    name: str
    asked_by: str
    approved_by: str
    kinds: tuple[str, ...]
    new: bool


def give_seals(office: Office, kinds: Iterable[LicenceKind]) -> list[Given]:
    """A seal for each issuing department of *kinds*, which the hub may put on its licences.

    Each step is looked for before it is taken: what an earlier demonstration left half done is gone on with.
    """
    seals = Seals.over(office.settings, office.control, office.evidence)
    wanted: dict[str, list[LicenceKind]] = {}
    for kind in kinds:
        wanted.setdefault(kind.issuer, []).append(kind)
    return [_given(seals, department, named) for department, named in wanted.items()]


def _given(seals: Seals, department: str, kinds: list[LicenceKind]) -> Given:
    codes, now = sorted(kind.code for kind in kinds), seals.clock().replace(microsecond=0)
    row = _known(seals, department)
    new = row is None
    if row is None:
        name = seals.department(department).name
        keeper = f"{department}:{KEEPING_POST}"
        order = SealOrder(Sort.LICENCE, name, department, keeper, now, now + TERM, line=LINE)
        row = seals.request(order, by=f"{department}:{ASKING_POST}", ground=GROUND)
    if row["state"] == State.REQUESTED:
        row = seals.decide(row["code"], Action.APPROVE, by=f"{department}:{APPROVING_POST}", ground=GROUND)
    if not _covers(row, codes, now):
        row = seals.authorise(row["code"], codes, now + AUTOMATIC_TERM, by=row["custodian"], ground=AUTOMATIC_GROUND)
    asked, approved = row["history"][0]["by"], row["history"][1]["by"]
    return Given(department, row["code"], row["name"], asked, approved, tuple(codes), new)


def _known(seals: Seals, department: str) -> dict[str, Any] | None:
    states = (State.IN_USE, State.REQUESTED)
    rows = seals.find(department=department)
    return next((row for row in rows if row["sort"] == Sort.LICENCE and row["state"] in states), None)


def _covers(row: dict[str, Any], codes: list[str], now: datetime) -> bool:
    automatic = row["automatic"]
    return automatic is not None and automatic["kinds"] == codes and automatic["until"] > now.isoformat()
