"""The version of a catalogue of kinds, and what differs between two: added, removed, changed kinds and face fields.

Weights are those of the responsibility list (`catalog.changes`); whom a change hits is left to the caller.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from audit import canonical
from catalog.changes import Weight
from licence.findings import finding_text
from licence.model import FaceField, FieldType, LicenceKind, Renewal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BREAKING, NARROWING, WIDENING, NEUTRAL = Weight.BREAKING, Weight.NARROWING, Weight.WIDENING, Weight.NEUTRAL

# How an attribute is called in Chinese, and what its change means where no rule below says otherwise.
_KIND_WORDS: Final[dict[str, tuple[str, Weight]]] = {
    "name": ("证照名称", NEUTRAL),
    "name_en": ("英文名称", NEUTRAL),
    "category": ("类别", BREAKING),
    "authority": ("定义机构", NEUTRAL),
    "authority_code": ("定义机构代码", BREAKING),
    "authority_level": ("定义机构级别", NEUTRAL),
    "issuer": ("颁发机构", NEUTRAL),
    "issuing_levels": ("颁发机构级别", NEUTRAL),
    "matters": ("关联事项", NEUTRAL),
    "holder_type": ("持证主体代码类型", BREAKING),
    "holder_category": ("持证主体类别", BREAKING),
    "resource": ("数据来源", NEUTRAL),
    "holder_field": ("持证主体代码来源项", NEUTRAL),
    "holder_name_field": ("持证主体名称来源项", NEUTRAL),
    "template": ("模板", NEUTRAL),
    "seal": ("印章", NEUTRAL),
    "approvals": ("审批人数", NEUTRAL),
    "renewal": ("延续规则", NEUTRAL),
    "predicates": ("可证明事项", NEUTRAL),
}
_VALIDITY: Final = ("validity_days", "validity_years", "validity_until", "validity_field")
_FACE_WORDS: Final[dict[str, str]] = {
    "title": "名称",
    "title_en": "英文名称",
    "field": "来源项",
    "required": "必填",
    "type": "类型",
    "codes": "代码表",
}
# What can be read as the other: whoever reads the right one reads the left one, too.
_WIDER: Final = {
    (FieldType.INTEGER, FieldType.DECIMAL),
    *((t, FieldType.TEXT) for t in FieldType if t is not FieldType.TEXT),
}
_DAYS_OF_YEAR: Final = 365.25


@dataclass(frozen=True, slots=True)
class KindChange:
    """One change: *code* is its finding, *kind* the 21-character code, *field* a face field or ""."""

    code: str
    weight: Weight
    kind: str
    field: str = ""
    attribute: str = ""
    params: tuple[tuple[str, str], ...] = ()

    @property
    def breaking(self) -> bool:
        """Whether something that worked does not work any more."""
        return self.weight is BREAKING

    def text(self, lang: str) -> str:
        """The change as a sentence in *lang*."""
        params = dict(self.params)
        if lang != "zh" and self.attribute:
            params["attribute"] = self.attribute
        return finding_text(self.code, params, lang)


def version_of(kinds: Iterable[LicenceKind]) -> str:
    """``sha256:`` + hex SHA-256 over the canonical JSON (RFC 8785) of *kinds*, in the order of their codes.

    Attributes at their default are left out: an attribute that this program learns later changes no old version.
    """
    plain = [_plain(kind) for kind in sorted(kinds, key=lambda k: k.code)]
    return "sha256:" + hashlib.sha256(canonical.encode(plain)).hexdigest()


def diff(old: Sequence[LicenceKind], new: Sequence[LicenceKind]) -> tuple[KindChange, ...]:
    """What *new* changes in *old*, in the order of *old*, then what is new. The order of kinds means nothing."""
    return tuple(_changes(old, new))


def _plain(record: LicenceKind | FaceField | Renewal) -> dict[str, Any]:
    found = {}
    for f in fields(record):
        value = getattr(record, f.name)
        if value != f.default:
            found[f.name] = _value(value)
    return found


def _value(value: Any) -> Any:  # noqa: ANN401 - any attribute of the model
    if isinstance(value, FaceField | Renewal):
        return _plain(value)
    if isinstance(value, tuple):
        return [_value(v) for v in value]
    return value.isoformat() if isinstance(value, date) else value


def _changes(old: Sequence[LicenceKind], new: Sequence[LicenceKind]) -> Iterator[KindChange]:
    before, after = {k.code: k for k in old}, {k.code: k for k in new}
    renamed = {k.name: k.code for k in new if k.code not in before}
    recoded = {}
    for kind in old:
        if kind.code in after:
            yield from _kind(kind, after[kind.code])
        elif kind.name in renamed:
            recoded[renamed[kind.name]] = kind.code
            params = _params(kind=kind.name, old=kind.code, new=renamed[kind.name])
            yield KindChange("kind_recoded", BREAKING, kind.code, params=params)
            yield from _kind(kind, after[renamed[kind.name]])
        else:
            yield KindChange("kind_removed", BREAKING, kind.code, params=_params(kind=kind.name))
    for kind in new:
        if kind.code not in before and kind.code not in recoded:
            yield KindChange("kind_added", WIDENING, kind.code, params=_params(kind=kind.name))


def _kind(old: LicenceKind, new: LicenceKind) -> Iterator[KindChange]:
    for name, (word, weight) in _KIND_WORDS.items():
        a, b = getattr(old, name), getattr(new, name)
        if a != b:
            weight = _narrower(name, a, b) or weight  # noqa: PLW2901 - the rule's weight, where there is one
            yield _changed("kind_changed", weight, old, name, word, a, b)
    ends = [tuple(getattr(k, name) for name in _VALIDITY) for k in (old, new)]
    if ends[0] != ends[1]:
        a, b = (_length(k) for k in (old, new))
        # What depends on the day or the record may turn out shorter.
        weight = NARROWING if a is None or b is None or b < a else WIDENING if b > a else NEUTRAL
        shown = [_of_validity(k) for k in (old, new)]
        yield _changed("kind_changed", weight, old, "validity", "有效期", *shown)
    yield from _face(old, new)


def _narrower(name: str, old: Any, new: Any) -> Weight | None:  # noqa: ANN401 - any attribute of the model
    if name in {"matters", "issuing_levels", "predicates"}:
        return NARROWING if set(old) - set(new) else WIDENING if set(new) - set(old) else NEUTRAL
    if name == "approvals":
        return NARROWING if new > old else WIDENING
    if name == "renewal":
        if old is None or new is None:
            return WIDENING if old is None else NARROWING
        return WIDENING if new.opens_days >= old.opens_days and new.closes_days <= old.closes_days else NARROWING
    return None


def _length(kind: LicenceKind) -> float | None:
    """Days a licence of this kind lasts, for comparison; None where it depends on the day or the record."""
    if kind.validity_until is not None or kind.validity_field:
        return None
    if kind.validity_days is not None:
        return kind.validity_days
    return kind.validity_years * _DAYS_OF_YEAR if kind.validity_years is not None else float("inf")


def _of_validity(kind: LicenceKind) -> str:
    given = [f"{name} {value}" for name in _VALIDITY if (value := getattr(kind, name))]
    return given[0] if given else "-"


def _face(old: LicenceKind, new: LicenceKind) -> Iterator[KindChange]:
    before, after = {f.name: f for f in old.face}, {f.name: f for f in new.face}
    for name, field in before.items():
        if name not in after:
            yield KindChange(
                "face_field_removed", BREAKING, old.code, name, params=_params(kind=old.name, field=_of_field(field))
            )
            continue
        for attribute, word in _FACE_WORDS.items():
            a, b = getattr(field, attribute), getattr(after[name], attribute)
            if a != b:
                weight = _field_weight(attribute, a, b)
                yield _changed("face_field_changed", weight, old, attribute, word, a, b, field=field)
    for name, field in after.items():
        if name not in before:
            # A required field that is new bars every record that leaves it empty.
            weight = NARROWING if field.required else WIDENING
            yield KindChange(
                "face_field_added", weight, old.code, name, params=_params(kind=old.name, field=_of_field(field))
            )
    if [n for n in before if n in after] != [n for n in after if n in before]:
        yield KindChange("face_reordered", NEUTRAL, old.code, params=_params(kind=old.name))


def _field_weight(attribute: str, old: Any, new: Any) -> Weight:  # noqa: ANN401 - any attribute of the model
    if attribute == "type":
        return WIDENING if (old, new) in _WIDER else BREAKING
    if attribute == "required":
        # Either way something works for less: records that leave it empty, or readers who counted on it.
        return NARROWING
    if attribute == "codes":
        gone = {code for code, _ in old} - {code for code, _ in new}
        come = {code for code, _ in new} - {code for code, _ in old}
        return NARROWING if gone else WIDENING if come else NEUTRAL
    return NEUTRAL


def _changed(  # noqa: PLR0917 - what, how much, where, from what to what
    code: str,
    weight: Weight,
    kind: LicenceKind,
    attribute: str,
    word: str,
    old: object,
    new: object,
    *,
    field: FaceField | None = None,
) -> KindChange:
    params = _params(kind=kind.name, attribute=word, old=_shown(old), new=_shown(new))
    if field is not None:
        params = (*params, ("field", _of_field(field)))
    return KindChange(code, weight, kind.code, "" if field is None else field.name, attribute, params)


def _of_field(field: FaceField) -> str:
    return f"{field.name} {field.title}"


def _shown(value: object) -> str:
    if isinstance(value, Renewal):
        return f"{value.opens_days}–{value.closes_days}"
    if isinstance(value, tuple):
        return "、".join("=".join(v) if isinstance(v, tuple) else str(v) for v in value) or "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "-" if value is None or value == "" else str(value)


def _params(**params: str) -> tuple[tuple[str, str], ...]:
    return tuple(params.items())
