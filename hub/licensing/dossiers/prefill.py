"""What the city knows already: the face as the authoritative resource has it, beside what the applicant states.

Looking it up is `hub.licensing.dossiers.counter`'s; what is shown here is masked where the list masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.masks import apply as mask_value
from hub.licensing.planning import OUTCOMES, text_of
from hub.matching.comparing import comparison
from hub.matching.text import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.licensing.dossiers.counter import Known
    from licence.model import FaceField


@dataclass(frozen=True, slots=True)
class Line:
    """One field of the face: what is *known* (masked where the list masks), and how what was *stated* compares.

    *same*: "match", "mismatch", "unknown", or "" where nothing was stated.
    """

    field: str
    title: str
    title_en: str
    known: str
    same: str

    def plain(self) -> dict[str, str]:
        """As both doors show it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Changed:
    """One field of the face of a licence that is to be replaced: what it says, and what the next version would say.

    Both are masked where the list masks; *differs* is of what is under the masks.
    """

    field: str
    title: str
    title_en: str
    before: str
    after: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Prefilled:
    """The face that would be issued, and whether it could be: *outcome* is one of `hub.licensing.planning.OUTCOMES`.

    *changes*: of a renewal or change, beside the licence that it replaces.
    """

    kind: str
    outcome: str
    field: str
    lines: tuple[Line, ...]
    changes: tuple[Changed, ...] = ()

    @property
    def differs(self) -> tuple[str, ...]:
        """The fields of the face in which the applicant says otherwise."""
        return tuple(line.field for line in self.lines if line.same == Verdict.MISMATCH)

    def plain(self) -> dict[str, Any]:
        """As both doors show it."""
        en, zh = OUTCOMES[self.outcome]
        return {
            "kind": self.kind,
            "outcome": self.outcome,
            "outcome_zh": zh,
            "outcome_en": en,
            "field": self.field,
            "differs": list(self.differs),
            "face": [line.plain() for line in self.lines],
        }


def prefill(
    known: Known, stated: Mapping[str, str], *, mask_key: bytes, before: Mapping[str, Any] | None = None
) -> Prefilled:
    """The face by what is *known*, compared with what is *stated* (by name or title of a field).

    *before*: the claims of the licence that it replaces, if any.
    """
    lines = tuple(
        _line(known, face, stated.get(face.name) or stated.get(face.title), mask_key) for face in known.kind.face
    )
    changes = () if before is None else tuple(_changed(known, face, before, mask_key) for face in known.kind.face)
    return Prefilled(known.kind.code, known.planned.outcome, known.planned.field, lines, changes)


def _changed(known: Known, face: FaceField, before: Mapping[str, Any], mask_key: bytes) -> Changed:
    old, new = str(before.get(face.name) or ""), text_of(known.facts.get(face.field))
    shown, next_ = (_masked(known, face, value, mask_key) for value in (old, new))
    return Changed(face.name, face.title, face.title_en, shown, next_, differs=old != new)


def _masked(known: Known, face: FaceField, value: Any, mask_key: bytes) -> str:  # noqa: ANN401 - a value of a record
    field = next((f for f in known.resource.fields if f.name == face.field), None)
    shown = value if field is None else mask_value(field.mask, value, key=mask_key)
    return "" if shown is None else str(shown)


def _line(known: Known, face: FaceField, stated: str | None, mask_key: bytes) -> Line:
    field = next((f for f in known.resource.fields if f.name == face.field), None)
    value = known.facts.get(face.field)
    same = ""
    if stated is not None and stated.strip() and field is not None:
        same = comparison(field, value, stated).value
    return Line(face.name, face.title, face.title_en, _masked(known, face, value, mask_key), same)
