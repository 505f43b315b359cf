"""Row rules (行范围): which rows of a resource a grant opens, as text people write and as a test over wire values.

Which grants count, and what of a row is then shown, is `catalog.decide`; finding rows belongs to `warehouse`.

A rule reads ``FIELD in A, B``, ``FIELD prefix A, B``, ``FIELD >= A`` or ``FIELD <= A``. A value that holds a comma or
a quotation mark, or begins or ends with a space, stands in ``"…"`` with each ``"`` inside it doubled.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NoReturn

from catalog.errors import CatalogError
from catalog.model import Check, FieldKind
from catalog.steps import Problem, problem, register_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from catalog.model import Field, InformationResource

    Wire = str | int | bool | None
    Comparable = str | int | bool | Decimal

MAX_RULES: Final = 20  # of one grant; more is a view of its own, which its provider should publish as one
MAX_VALUES: Final = 500  # of one rule; a province has fewer counties
MAX_RULE_CHARS: Final = 10_000  # 500 values of up to 18 characters, such as a credit code
_SHOWN_CHARS: Final = 60  # of a rule that is quoted back
# A rule stands in the public log with the grant's terms, so that it must not tell a person from another. Of an identity
# number the region at its beginning may stand there.
_PERSONAL_GRADE: Final = 3
_REGION_CHARS: Final = 6
_LONG_NUMBER = re.compile(r"[0-9０-９]{11}")


class RowOp(StrEnum):
    """How a rule compares. ``at_least`` and ``at_most`` include the value itself."""

    IN = "in"
    PREFIX = "prefix"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"


_SIGNS: Final = {RowOp.IN: "in", RowOp.PREFIX: "prefix", RowOp.AT_LEAST: ">=", RowOp.AT_MOST: "<="}
_OPS: Final = {
    **{sign: op for op, sign in _SIGNS.items()},
    "=": RowOp.IN,
    "≥": RowOp.AT_LEAST,
    "≤": RowOp.AT_MOST,
}
_FIELD = r"[^\s<>=≤≥\"',，、`]{1,100}"
_FIELD_ONLY = re.compile(_FIELD)
_RULE = re.compile(rf"\s*({_FIELD})\s*(>=|<=|≥|≤|=|(?<=\s)(?:in|prefix)(?=[\s\"]))(.*)", re.DOTALL | re.IGNORECASE)
_COMMA = re.compile(r"[,，、]")
_QUOTED = re.compile(r'\s*"((?:[^"]|"")*)"\s*(?:[,，、]|\Z)', re.DOTALL)
_BARE = re.compile(r'([^",，、]*)(?:[,，、]|\Z)', re.DOTALL)

WRITTEN: Final = "`FIELD in A, B`, `FIELD prefix A`, `FIELD >= A`, `FIELD <= A`"


class RowRuleError(CatalogError, ValueError):
    """The text is no row rule: write it anew."""

    code = "row_rule_invalid"
    en = "`{rule}` is no row rule: {why}. Write one of " + WRITTEN + "."
    zh = "`{rule}` 不是行范围规则：{why_zh}。请按下列形式之一填写：" + WRITTEN + "。"


@dataclass(frozen=True, slots=True)
class RowRule:
    """One rule. *values*: one at least; one exactly for ``at_least`` and ``at_most``. A NULL never holds.

    Raises:
        RowRuleError: *field* or the number of *values* cannot be.
    """

    field: str
    op: RowOp
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if _FIELD_ONLY.fullmatch(self.field) is None:
            _refuse(self.field, "the name of the field is missing or cannot be one", "缺少信息项名称或名称不合规")
        _check_count(self.field, self.op, self.values)

    def __str__(self) -> str:
        """The text of which `parse_rule` makes this rule again."""
        return f"{self.field} {_SIGNS[self.op]} " + ", ".join(_written(value) for value in self.values)


def parse_rule(text: str) -> RowRule:
    """The rule that *text* writes; full-width signs and commas are taken too, and ``=`` means ``in``.

    Whether it fits a resource is `check_rules`.

    Raises:
        RowRuleError: it is none.
    """
    if len(text) > MAX_RULE_CHARS:
        _refuse(text, f"it is longer than {MAX_RULE_CHARS} characters", f"超过 {MAX_RULE_CHARS} 个字符")
    return _parse(text)


def _parse(text: str) -> RowRule:
    found = _RULE.fullmatch(text)
    if found is None:
        _refuse(text, "it needs a field, a comparison and a value", "应包含信息项、比较方式和取值")
    return RowRule(found[1], _OPS[found[2].lower()], _values(text, found[3]))


def _values(text: str, rest: str) -> tuple[str, ...]:
    values = []
    at = 0
    while True:
        quoted = _QUOTED.match(rest, at)
        found = quoted or _BARE.match(rest, at)
        if found is None:
            _refuse(text, "a quotation mark is not closed or stands inside a value", "引号未闭合，或取值内含有引号")
        value = found[1].replace('""', '"') if quoted else found[1].strip()
        if not value and not quoted:
            _refuse(text, "a value is missing", "缺少取值")
        values.append(value)
        if not _COMMA.fullmatch(found[0][-1:]):
            return tuple(values)
        at = found.end()


def _written(value: str) -> str:
    if value and value == value.strip() and not re.search(r'[",，、]', value):
        return value
    return '"' + value.replace('"', '""') + '"'


def _check_count(field: str, op: RowOp, values: tuple[str, ...]) -> None:
    if not values:
        _refuse(field, "a value is missing", "缺少取值")
    if op in (RowOp.AT_LEAST, RowOp.AT_MOST) and len(values) > 1:
        _refuse(field, f"`{_SIGNS[op]}` takes one value", f"`{_SIGNS[op]}` 只能有一个取值")


def _refuse(rule: str, why: str, why_zh: str) -> NoReturn:
    # What was meant as a value may be a person's number, wherever it stands.
    shown = _LONG_NUMBER.sub("…", rule)
    shown = shown if len(shown) <= _SHOWN_CHARS else shown[:_SHOWN_CHARS] + "…"
    raise RowRuleError(rule=shown, why=why, why_zh=why_zh)


def rules_to_plain(rules: Sequence[RowRule]) -> list[str]:
    """The rules as texts, the form in which they are stored and logged."""
    return [str(rule) for rule in rules]


def rules_from_plain(plain: Sequence[Any]) -> tuple[RowRule, ...]:
    """The rules of which *plain* is `rules_to_plain`; also what a caller may send in a bounded body.

    Raises:
        RowRuleError: an item is no rule.
    """
    if isinstance(plain, str):
        _refuse(plain, "a list of rules is wanted", "应为规则列表")
    for item in plain:
        if not isinstance(item, str):
            _refuse(repr(item), "a text is wanted", "应为文本")
    # What was stored was bounded when it came in, and must be read back however long.
    return tuple(_parse(item) for item in plain)


# Whether a row fits.


def holds(rules: Sequence[RowRule], resource: InformationResource, row: Mapping[str, Wire]) -> bool:
    """Whether every one of *rules* holds in *row*; true of no rules. For many rows see `row_test`."""
    return row_test(rules, resource)(row)


def row_test(rules: Sequence[RowRule], resource: InformationResource) -> Callable[[Mapping[str, Wire]], bool]:
    """The test that `holds` makes, prepared for many rows. Total over all rules and rows.

    Values compare by the type of the field: numbers by value, dates and times in order, where a day stands for the
    whole of it. What does not fit the field's type, is NULL, or belongs to a field that *resource* does not have,
    never holds: a rule that no longer means anything opens nothing.
    """
    tests = [_test(rule, resource) for rule in rules]
    return lambda row: all(test(row) for test in tests)


def _test(rule: RowRule, resource: InformationResource) -> Callable[[Mapping[str, Wire]], bool]:
    name = rule.field
    field = resource.field(name)
    if field is None or rule.op not in _fitting(field.type.kind):
        return _never
    if rule.op is RowOp.PREFIX:
        region = name == resource.region_field
        prefixes = tuple(p for p in (_region_prefix(v) if region else v for v in rule.values) if p)
        return lambda row: row.get(name) is not None and str(row[name]).startswith(prefixes)
    read = _READERS[field.type.kind]
    wanted = [value for value in map(read, rule.values) if value is not None]
    if not wanted:
        return _never
    return _compared(name, rule.op, read, wanted)


def _compared(
    name: str, op: RowOp, read: Callable[[Wire], Any], wanted: Sequence[Any]
) -> Callable[[Mapping[str, Wire]], bool]:
    # A day among moments stands for the whole of it: the moment is cut to a day before they are compared.
    cuts = sorted({len(value) if isinstance(value, str) and read is _moment else None for value in wanted}, key=str)
    among = frozenset(wanted)

    def test(row: Mapping[str, Wire]) -> bool:
        stored = read(row.get(name))
        if stored is None:
            return False
        if read is _moment and len(stored) == _DAY_CHARS:
            stored += "T00:00:00"
        forms = [stored if cut is None else stored[:cut] for cut in cuts]
        if op is RowOp.IN:
            return any(form in among for form in forms)
        found: bool = forms[0] >= wanted[0] if op is RowOp.AT_LEAST else forms[0] <= wanted[0]
        return found

    return test


def _never(row: Mapping[str, Wire]) -> bool:
    del row
    return False


_ORDERED: Final = frozenset({FieldKind.INTEGER, FieldKind.DECIMAL, FieldKind.DATE, FieldKind.DATETIME})


def _fitting(kind: FieldKind) -> tuple[RowOp, ...]:
    """The comparisons that mean something for values of *kind*."""
    if kind in _ORDERED:
        also = (RowOp.PREFIX,) if kind is FieldKind.INTEGER else ()
        return (RowOp.IN, *also, RowOp.AT_LEAST, RowOp.AT_MOST)
    return (RowOp.IN, RowOp.PREFIX) if kind is FieldKind.STRING else (RowOp.IN,)


# How a value of each kind is read, from a rule or from a row; None: it has not the form.

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")
_DAY_CHARS: Final = 10
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?)?")
_WORDS: Final = {"true": True, "1": True, "是": True, "false": False, "0": False, "否": False}


def _half(value: object) -> str:
    return unicodedata.normalize("NFKC", str(value)).strip()


def _text(value: Wire) -> str | None:
    return None if value is None else str(value)


def _integer(value: Wire) -> int | None:
    text = _half(value)
    return int(text) if not isinstance(value, bool) and _INTEGER.fullmatch(text) else None


def _decimal(value: Wire) -> Decimal | None:
    text = _half(value)
    return Decimal(text) if not isinstance(value, bool) and _DECIMAL.fullmatch(text) else None


def _day(value: Wire) -> str | None:
    text = _half(value)
    if _DAY.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _moment(value: Wire) -> str | None:
    """A day, or a moment to the second: ISO 8601 texts of local time, which sort as the moments do."""
    found = _MOMENT.fullmatch(_half(value))
    if found is None:
        return None
    text = f"{found[1]}T{found[2]}{found[3] or ':00'}" if found[2] else found[1]
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return None
    return text


def _truth(value: Wire) -> bool | None:
    return value if isinstance(value, bool) else _WORDS.get(_half(value).casefold())


_READERS: Final[Mapping[FieldKind, Callable[[Any], Comparable | None]]] = {
    FieldKind.STRING: _text,
    FieldKind.INTEGER: _integer,
    FieldKind.DECIMAL: _decimal,
    FieldKind.DATE: _day,
    FieldKind.DATETIME: _moment,
    FieldKind.BOOLEAN: _truth,
}

# 行政区划代码 (GB/T 2260 and GB/T 10114): province, city, county, township, village. Zeros stand for a level not named.
_LEVELS: Final = ((0, 2), (2, 4), (4, 6), (6, 9), (9, 12))


def _region_prefix(code: str) -> str:
    """*code* without the levels it does not name: ``341200`` covers ``3412``; "" where it names no region."""
    text = _half(code)
    for start, end in reversed(_LEVELS):
        if len(text) == end and text[start:] == "0" * (end - start):
            text = text[:start]
    return text


# Whether rules fit a resource.

register_problems(
    {
        "row_field_unknown": (
            "`{field}` is no field of `{resource}`; see its fields in the catalogue",
            "信息资源 `{resource}` 没有字段 `{field}`，请在目录中查看信息项",
        ),
        "row_op_unfit": (
            "`{op}` cannot be said of `{field}` ({type}); use {allowed}",
            "字段 `{field}`（{type}）不能使用 `{op}`，请使用 {allowed}",
        ),
        "row_value_invalid": (
            "`{value}` is no value of `{field}` ({type}); write it like `{form}`",
            "`{value}` 不是字段 `{field}`（{type}）的取值，请按 `{form}` 的形式填写",
        ),
        "row_value_not_a_code": (
            "`{value}` is no code of `{field}`; use one of its code list",
            "`{value}` 不是字段 `{field}` 的代码，请使用其代码表中的代码",
        ),
        "row_region_level": (
            "`{value}` is no administrative division code of 2, 4, 6, 9 or 12 digits; mend it",
            "`{value}` 不是 2、4、6、9 或 12 位行政区划代码，请更正",
        ),
        "row_value_personal": (
            "values of `{field}` may tell who somebody is, and a grant is public; use a region, a date or a code",
            "`{field}` 的取值可能识别到个人，而授权内容公开，请改用行政区划、日期或代码",
        ),
        "row_rules_too_many": (
            "{count} are more than the {limit} that are possible; widen the rules or ask for a resource of its own",
            "共 {count} 项，超过上限 {limit} 项，请放宽规则或另设信息资源",
        ),
    }
)
_FORMS: Final = {
    FieldKind.INTEGER: "123",
    FieldKind.DECIMAL: "12.50",
    FieldKind.DATE: "1966-01-31",
    FieldKind.DATETIME: "2026-01-31T08:30:00",
    FieldKind.BOOLEAN: "true",
}


def check_rules(rules: Sequence[RowRule], resource: InformationResource) -> tuple[Problem, ...]:
    """Every fault of *rules* over *resource*, named by ``rows[N]``; a rule without one can hold in some row."""
    found: list[Problem] = []
    if len(rules) > MAX_RULES:
        found.append(problem("rows", "row_rules_too_many", count=str(len(rules)), limit=str(MAX_RULES)))
    for position, rule in enumerate(rules[:MAX_RULES]):
        found += _check(f"rows[{position}]", rule, resource)
    return tuple(found)


def _check(where: str, rule: RowRule, resource: InformationResource) -> list[Problem]:
    field = resource.field(rule.field)
    if field is None:
        return [problem(where, "row_field_unknown", field=rule.field, resource=resource.code)]
    kind = field.type.kind
    if rule.op not in _fitting(kind):
        allowed = ", ".join(f"`{_SIGNS[op]}`" for op in _fitting(kind))
        sign = _SIGNS[rule.op]
        return [problem(where, "row_op_unfit", op=sign, field=field.name, type=str(field.type), allowed=allowed)]
    if len(rule.values) > MAX_VALUES:
        return [problem(where, "row_rules_too_many", count=str(len(rule.values)), limit=str(MAX_VALUES))]
    if _tells_people_apart(rule, field, resource):
        return [problem(where, "row_value_personal", field=field.name)]
    found = [_check_value(where, rule, field, value, resource) for value in rule.values]
    return [one for one in found if one is not None]


def _tells_people_apart(rule: RowRule, field: Field, resource: InformationResource) -> bool:
    """Whether the values of *rule* may be those of a person."""
    if field.type.kind is not FieldKind.STRING or field.codes or field.name == resource.region_field:
        return False
    if rule.op is RowOp.PREFIX and all(len(value) <= _REGION_CHARS for value in rule.values):
        return False
    if field.check is Check.USCC:
        return False
    personal = field.check is Check.CITIZEN_ID or field.grade >= _PERSONAL_GRADE
    return personal or any(_LONG_NUMBER.search(value) for value in rule.values)


def _check_value(where: str, rule: RowRule, field: Field, value: str, resource: InformationResource) -> Problem | None:
    if field.name == resource.region_field and rule.op in (RowOp.PREFIX, RowOp.IN):
        digits = _half(value)
        ends = {end for _, end in _LEVELS}
        if not re.fullmatch("[0-9]+", digits) or len(digits) not in ends or not _region_prefix(digits):
            return problem(where, "row_region_level", value=value)
    if rule.op is RowOp.PREFIX:
        # No row begins with nothing, so that a prefix left empty opens nothing.
        form = "3412" if field.type.kind is FieldKind.INTEGER else "A1"
        return None if value else problem(where, "row_value_invalid", **_told(field, value, form))
    if _READERS[field.type.kind](value) is None:
        return problem(where, "row_value_invalid", **_told(field, value, _FORMS[field.type.kind]))
    if rule.op is RowOp.IN and field.codes and value not in field.codes:
        return problem(where, "row_value_not_a_code", value=value, field=field.name)
    return None


def _told(field: Field, value: str, form: str) -> dict[str, str]:
    return {"value": value, "field": field.name, "type": str(field.type), "form": form}
