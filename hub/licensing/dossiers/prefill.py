"""What the city knows already: the face as the authoritative resource has it, beside what the applicant states.

Looking it up is `hub.licensing.dossiers.counter`'s; what is shown here is masked where the list masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.masks import apply as mask_value
from hub.licensing.planning import OUTCOMES
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
class Prefilled:
    """The face that would be issued, and whether it could be: *outcome* is one of `hub.licensing.planning.OUTCOMES`."""

    kind: str
    outcome: str
    field: str
    lines: tuple[Line, ...]

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


def prefill(known: Known, stated: Mapping[str, str], *, mask_key: bytes) -> Prefilled:
    """The face by what is *known*, compared with what is *stated* (by name or title of a field)."""
    lines = tuple(
        _line(known, face, stated.get(face.name) or stated.get(face.title), mask_key) for face in known.kind.face
    )
    return Prefilled(known.kind.code, known.planned.outcome, known.planned.field, lines)


def _line(known: Known, face: FaceField, stated: str | None, mask_key: bytes) -> Line:
    field = next((f for f in known.resource.fields if f.name == face.field), None)
    value = known.facts.get(face.field)
    shown = value if field is None else mask_value(field.mask, value, key=mask_key)
    same = ""
    if stated is not None and stated.strip() and field is not None:
        same = comparison(field, value, stated).value
    return Line(face.name, face.title, face.title_en, "" if shown is None else str(shown), same)
