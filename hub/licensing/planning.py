"""Which rows of an authoritative resource become licences in a batch, and why the others do not: pure.

Reading the rows and knowing who holds a licence already is `hub.licensing.batches`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.licensing import glyphs
from licence import predicates
from licence.errors import FaceValueError, GlyphMissingError, IssueRefusedError
from licence.model import CHINA_TIME

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from licence.model import LicenceKind

OK, DUPLICATE = "ok", "duplicate"
EMPTY, OTHER_TYPE, OVER, UNTOLD = "field_empty", "value_of_other_type", "validity_over", "records_not_told_apart"
NOT_COMPUTED, NO_GLYPH = "predicate_not_computed", "glyph_missing"
# What may come of a row: English, Chinese.
OUTCOMES: Final[dict[str, tuple[str, str]]] = {
    OK: ("can be issued", "可签发"),
    DUPLICATE: ("has a licence in force", "已有有效证照"),
    EMPTY: ("a required field is empty", "必填项为空"),
    OTHER_TYPE: ("a value does not fit the type of its field", "值与证面项类型不符"),
    OVER: ("its validity would be over at once", "有效期已届满"),
    NOT_COMPUTED: ("a yes/no fact cannot be computed from the record", "是否类事实无法由记录得出"),
    NO_GLYPH: ("a character has no glyph in the font of the documents", "文书字库缺少所需字形"),
    UNTOLD: ("several records of one holder, which no key tells apart", "同一持证主体有多条记录，且无主键可区分"),
}
DIGEST_DIGITS: Final = 16
# Rows are about a kilobyte each; whoever wants all of them has them told one by one.
ROWS_TOLD: Final = 100_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """Row *number* (from 1, in the order of the resource's key) as a licence.

    *keys* are what the licence is about, *holder_hash* is the keyed hash of them, and *other_hash* that by which the
    same licence may have been asked for at the counter. *rival*: another row has the same keys.
    """

    number: int
    keys: Mapping[str, str]
    holder_hash: str
    other_hash: str
    facts: Mapping[str, Any]
    rival: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What comes of a row: *outcome* is one of `OUTCOMES`, *field* the one that it is about, if any."""

    candidate: Candidate
    outcome: str
    field: str = ""

    def plain(self) -> dict[str, Any]:
        """The row without personal data: its number and the digest of its keys, which only the hub can make."""
        return {
            "row": self.candidate.number,
            "key": self.candidate.holder_hash[:DIGEST_DIGITS],
            "outcome": self.outcome,
            "field": self.field,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What comes of every row of *snapshot*, read under *grant* and recorded as entry *log_index*.

    *rows* are those that get none, the first `ROWS_TOLD` of them; *counts* counts all, in the order of `OUTCOMES`.
    """

    kind: str
    grant: str
    snapshot: int
    log_index: int
    counts: Mapping[str, int]
    rows: tuple[Planned, ...]

    @property
    def total(self) -> int:
        """How many rows the snapshot has."""
        return sum(self.counts.values())


def plan_rows(
    kind: LicenceKind, candidates: Sequence[Candidate], holding: Collection[str], at: datetime
) -> tuple[Planned, ...]:
    """What comes of *candidates* at *at*; *holding* are the hashes of those who have a licence that holds."""
    return tuple(_planned(kind, one, holding, at) for one in candidates)


def _planned(kind: LicenceKind, one: Candidate, holding: Collection[str], at: datetime) -> Planned:
    if one.holder_hash in holding or one.other_hash in holding:
        return Planned(one, DUPLICATE)
    # The holder first: rows that name none are all alike.
    needed = (kind.holder_field, kind.holder_name_field, *(f.field for f in kind.face if f.required))
    empty = next((name for name in needed if not text_of(one.facts.get(name))), None)
    if empty is not None:
        return Planned(one, EMPTY, empty)
    if one.rival:
        return Planned(one, UNTOLD)
    outcome, field = _on_the_page(kind, one.facts, at)
    return Planned(one, outcome, field)


def _on_the_page(kind: LicenceKind, facts: Mapping[str, Any], at: datetime) -> tuple[str, str]:
    """Whether what is there can be sealed and shown: an outcome, and the field it is about."""
    field = ""
    try:
        for face in kind.face:
            field = face.field
            value = text_of(facts.get(field))
            if value:
                face.accept(value)
        ends = kind.ends_at(at, facts)
        field = ""
        last = None if ends is None else ends.astimezone(CHINA_TIME).date()
        predicates.state(kind, facts, at.astimezone(CHINA_TIME).date(), last)
        glyphs.require(kind, facts)
    except FaceValueError:
        return OTHER_TYPE, field
    except IssueRefusedError:
        return NOT_COMPUTED, ""
    except GlyphMissingError as missing:
        return NO_GLYPH, missing.finding_params["field"]
    return (OK, "") if ends is None or ends > at else (OVER, "")


def text_of(value: object) -> str:
    """As `licence.issue` puts a fact on the face."""
    if isinstance(value, bool):
        return "是" if value else "否"
    return "" if value is None else str(value).strip()
