"""Rules between the fields of one row (逻辑一致性), as text people write, as a tree, and judged against a resource.

Running them over rows is `warehouse.rules`; that a list's rules are sound is asked for by `catalog.promises`.

The whole grammar (keywords in any case, full-width signs taken too)::

    rule       = [ "if" any "then" ] any
    any        = all { "or" all }
    all        = one { "and" one }
    one        = "(" any ")" | field compare operand | field ["not"] "in" "(" literal { "," literal } ")"
               | field "is" ["not"] "null"
    compare    = "=" | "<>" | "<" | "<=" | ">" | ">="
    operand    = field | literal
    literal    = 'text' (each ' inside doubled) | -12.50 | true | false
    field      = a name, or a name in double quotes where it is one of the words above

A date or a time is written as text: '2020-06-30', '2020-06-30 08:00:00'. A field that is empty makes what is said of it
undecided, and an undecided rule is not broken; to ask for a value, say ``is not null``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from catalog.errors import CatalogError
from catalog.model import FieldKind, FieldType, Mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_CHARS: Final = 2_000  # A rule that a person can still check by reading.
MAX_DEPTH: Final = 20  # Parentheses within parentheses; bounds the recursion of every walk over a tree.
MAX_VALUES: Final = 200  # In one ``in``; more is a code list.
MAX_DIGITS: Final = 38  # Of a number, before and after its point together, as of `FieldType`.
_SHOWN_CHARS: Final = 60
_BIGGEST: Final = 2**63


class Op(StrEnum):
    """How two values compare."""

    EQUAL = "="
    UNEQUAL = "<>"
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="


@dataclass(frozen=True, slots=True)
class FieldName:
    """The value of a field of the row."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text, a date or a time; which of them follows from the field it is compared with."""

    value: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written, without exponent."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Truth:
    """``true`` or ``false``."""

    value: bool


Literal = Text | Number | Truth


@dataclass(frozen=True, slots=True)
class Comparison:
    """*left* compared with *right*."""

    left: FieldName
    op: Op
    right: FieldName | Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether *field* is, or with *negated* is not, one of *values* (one at least)."""

    field: FieldName
    values: tuple[Literal, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Emptiness:
    """Whether *field* is empty, or with *negated* is not."""

    field: FieldName
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Every one of *parts* (two at least, none itself an `Conjunction`)."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Disjunction:
    """At least one of *parts* (two at least, none itself an `Disjunction`)."""

    parts: tuple[Condition, ...]


Condition = Comparison | Membership | Emptiness | Conjunction | Disjunction


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold: *then*, for rows in which *when* holds (None: for every row)."""

    then: Condition
    when: Condition | None = None

    def __str__(self) -> str:
        """The text of which `parse` makes this rule again."""
        return _print(self.then) if self.when is None else f"if {_print(self.when)} then {_print(self.then)}"

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields it speaks of, each once, in the order of the text."""
        found: dict[str, None] = {}
        for part in (self.when, self.then):
            for atom in _atoms(part) if part is not None else ():
                found[_subject(atom).name] = None
                if isinstance(atom, Comparison) and isinstance(atom.right, FieldName):
                    found[atom.right.name] = None
        return tuple(found)


class RuleSyntaxError(CatalogError, ValueError):
    """The text is no rule: write it anew."""

    code = "rule_invalid"
    en = "`{rule}` is no rule between fields: {why}."
    zh = "`{rule}` 不是有效的字段间规则：{why_zh}。"


# From text to tree.

_KEYWORDS: Final = frozenset({"if", "then", "and", "or", "not", "in", "is", "null", "true", "false"})
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | '(?P<text>(?:[^']|'')*)' | ‘(?P<curly>[^‘’]*)’
      | "(?P<quoted>(?:[^"]|"")+)"
      | (?P<number>[+-]?[0-9]+(?:\.[0-9]+)?)(?![\w.])
      | (?P<op><=|>=|<>|!=|＜＝|＞＝|＜＞|≤|≥|≠|[=<>＝＜＞])
      | (?P<mark>[(),（），])
      | (?P<word>[^\W\d]\w*)""",
    re.VERBOSE,
)
_OPS: Final = {
    **{op.value: op for op in Op},
    "!=": Op.UNEQUAL,
    "≠": Op.UNEQUAL,
    "＜＞": Op.UNEQUAL,
    "≤": Op.AT_MOST,
    "＜＝": Op.AT_MOST,
    "≥": Op.AT_LEAST,
    "＞＝": Op.AT_LEAST,
    "＝": Op.EQUAL,
    "＜": Op.LESS,
    "＞": Op.GREATER,
}
_MARKS: Final = {"（": "(", "）": ")", "，": ","}


class _Token(NamedTuple):
    """*kind* is ``text``, ``field`` (quoted), ``number``, ``op``, ``mark``, ``word``, ``keyword`` or ``end``."""

    kind: str
    value: str


def parse(text: str) -> Rule:
    """The rule that *text* writes. Whether it fits a resource is `faults`.

    Raises:
        RuleSyntaxError: it is none, or is longer or deeper than the bounds above.
    """
    if len(text) > MAX_CHARS:
        _refuse(text, f"it is longer than {MAX_CHARS} characters", f"超过 {MAX_CHARS} 个字符")
    return _Parser(text).rule()


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [*_tokens(text), _Token("end", "")]
        self._at = 0
        self._depth = 0

    def rule(self) -> Rule:
        when = None
        if self._take("keyword", "if"):
            when = self._any()
            self._expect("keyword", "then")
        then = self._any()
        if self._next.kind != "end":
            self._wrong()
        return Rule(then, when)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, kind: str, value: str = "") -> _Token | None:
        token = self._next
        if token.kind != kind or (value and token.value != value):
            return None
        self._at += 1
        return token

    def _expect(self, kind: str, value: str = "") -> _Token:
        return self._take(kind, value) or self._wrong(value)

    def _wrong(self, wanted: str = "") -> NoReturn:
        found = self._next.value if self._next.kind != "end" else ""
        en = f"`{found}` is out of place" if found else "it ends too early"
        zh = f"`{found}` 位置不对" if found else "内容不完整"
        if wanted:
            en, zh = f"{en}, `{wanted}` is wanted", f"{zh}，此处应为 `{wanted}`"
        _refuse(self._text, en, zh)

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._take("keyword", "or"):
            parts.append(self._all())
        flat = [one for part in parts for one in (part.parts if isinstance(part, Disjunction) else (part,))]
        return flat[0] if len(flat) == 1 else Disjunction(tuple(flat))

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._take("keyword", "and"):
            parts.append(self._one())
        flat = [one for part in parts for one in (part.parts if isinstance(part, Conjunction) else (part,))]
        return flat[0] if len(flat) == 1 else Conjunction(tuple(flat))

    def _one(self) -> Condition:
        if self._take("mark", "("):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                _refuse(self._text, f"more than {MAX_DEPTH} parentheses are open", f"括号嵌套超过 {MAX_DEPTH} 层")
            found = self._any()
            self._expect("mark", ")")
            self._depth -= 1
            return found
        field = self._field()
        if field is None:
            return self._wrong()
        if self._take("keyword", "is"):
            negated = self._take("keyword", "not") is not None
            self._expect("keyword", "null")
            return Emptiness(field, negated)
        negated = self._take("keyword", "not") is not None
        if negated or self._next == _Token("keyword", "in"):
            self._expect("keyword", "in")
            return Membership(field, self._values(), negated)
        op = self._expect("op")
        return Comparison(field, _OPS[op.value], self._field() or self._literal())

    def _field(self) -> FieldName | None:
        token = self._take("word") or self._take("field")
        return FieldName(token.value) if token else None

    def _values(self) -> tuple[Literal, ...]:
        self._expect("mark", "(")
        values = [self._literal()]
        while self._take("mark", ","):
            values.append(self._literal())
            if len(values) > MAX_VALUES:
                _refuse(self._text, f"`in` takes {MAX_VALUES} values", f"`in` 最多 {MAX_VALUES} 个取值")
        self._expect("mark", ")")
        return tuple(values)

    def _literal(self) -> Literal:
        if token := self._take("text"):
            return Text(token.value)
        if token := self._take("number"):
            if sum(map(str.isdigit, token.value)) > MAX_DIGITS:
                _refuse(self._text, f"a number has {MAX_DIGITS} digits at most", f"数值最多 {MAX_DIGITS} 位")
            return Number(Decimal(token.value))
        if self._take("keyword", "true"):
            return Truth(value=True)
        if self._take("keyword", "false"):
            return Truth(value=False)
        return self._wrong()


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            # A rule of many lines or with a lone quotation mark is not repeated from there on.
            _refuse(text, f"`{text[at]}` has no meaning here", f"无法识别 `{text[at]}`")
        at = found.end()
        kind, value = found.lastgroup or "", found[found.lastgroup or 0]
        if kind == "word" and value.casefold() in _KEYWORDS:
            yield _Token("keyword", value.casefold())
        elif kind in ("text", "curly"):
            yield _Token("text", value.replace("''", "'") if kind == "text" else value)
        elif kind == "quoted":
            yield _Token("field", value.replace('""', '"'))
        elif kind == "mark":
            yield _Token("mark", _MARKS.get(value, value))
        elif kind != "space":
            yield _Token(kind, value)


def _refuse(text: str, why: str, why_zh: str) -> NoReturn:
    shown = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
    raise RuleSyntaxError(rule=shown, why=why, why_zh=why_zh)


# From tree to text.


def _print(part: Condition) -> str:
    match part:
        case Comparison(left, op, right):
            return f"{_name(left)} {op} {_name(right) if isinstance(right, FieldName) else _literal(right)}"
        case Membership(field, values, negated):
            return f"{_name(field)} {'not in' if negated else 'in'} ({', '.join(map(_literal, values))})"
        case Emptiness(field, negated):
            return f"{_name(field)} {'is not null' if negated else 'is null'}"
        case Conjunction(parts):
            return " and ".join(f"({_print(p)})" if isinstance(p, Disjunction) else _print(p) for p in parts)
        case Disjunction(parts):
            return " or ".join(map(_print, parts))


def _name(field: FieldName) -> str:
    word = _TOKEN.fullmatch(field.name)
    plain = word is not None and word.lastgroup == "word" and field.name.casefold() not in _KEYWORDS
    return field.name if plain else '"' + field.name.replace('"', '""') + '"'


def _literal(value: Literal) -> str:
    match value:
        case Text(content):
            return "'" + content.replace("'", "''") + "'"
        case Number(number):
            return format(number, "f")
        case Truth(yes):
            return "true" if yes else "false"


# Whether a rule fits a resource.


class Known(NamedTuple):
    """What a rule may be said of: the *type* of a field (None: could not be read), its *codes*, its landing *mask*."""

    type: FieldType | None
    codes: tuple[str, ...] = ()
    mask: Mask = Mask.NONE


_NUMBERS: Final = frozenset({FieldKind.INTEGER, FieldKind.DECIMAL})
_DAYS: Final = frozenset({FieldKind.DATE, FieldKind.DATETIME})
_FORMS: Final = {
    FieldKind.STRING: "'text'",
    FieldKind.INTEGER: "12",
    FieldKind.DECIMAL: "12.50",
    FieldKind.DATE: "'2020-06-30'",
    FieldKind.DATETIME: "'2020-06-30 08:00:00'",
    FieldKind.BOOLEAN: "true",
}


def faults(rule: Rule, fields: Mapping[str, Known]) -> Iterator[tuple[str, dict[str, str]]]:
    """Each way in which *rule* cannot be said of a resource with *fields*: a code of `catalog.faults` and its words."""
    for name in rule.fields:
        if name not in fields:
            yield "rule_field_unknown", {"value": name, "allowed": ", ".join(f"`{known}`" for known in fields)}
    for part in (rule.when, rule.then):
        for atom in _atoms(part) if part is not None else ():
            known = fields.get(_subject(atom).name)
            if known is not None and known.type is not None:
                yield from _misfits(atom, known, fields)


def _misfits(
    atom: Comparison | Membership | Emptiness, known: Known, fields: Mapping[str, Known]
) -> Iterator[tuple[str, dict[str, str]]]:
    if isinstance(atom, Emptiness) or known.type is None:
        return
    name = _subject(atom).name
    if known.mask is not Mask.NONE:
        yield "rule_on_masked", {"value": name}
        return
    if isinstance(atom, Membership):
        yield from _misfit_values(name, known.type, known.codes, atom.values)
        return
    if known.type.kind is FieldKind.BOOLEAN and atom.op not in (Op.EQUAL, Op.UNEQUAL):
        yield "rule_order", {"value": name, "other": str(atom.op)}
    if not isinstance(atom.right, FieldName):
        yield from _misfit_values(name, known.type, known.codes, (atom.right,))
        return
    other = fields.get(atom.right.name)
    if other is not None and other.type is not None:
        if other.mask is not Mask.NONE:
            yield "rule_on_masked", {"value": atom.right.name}
        elif not _alike(known.type.kind, other.type.kind):
            yield "rule_unlike", {"value": f"{name} {known.type}", "other": f"{atom.right.name} {other.type}"}


def _misfit_values(
    name: str, type_: FieldType, codes: tuple[str, ...], values: tuple[Literal, ...]
) -> Iterator[tuple[str, dict[str, str]]]:
    for value in values:
        if value == Text(""):
            yield "rule_empty_text", {"value": name}
        elif not fits(value, type_):
            words = {"value": _literal(value), "other": f"{name} {type_}", "allowed": f"`{_FORMS[type_.kind]}`"}
            yield "rule_value", words
        elif isinstance(value, Text) and codes and value.value not in codes:
            yield "rule_code", {"value": value.value, "other": name}


def fits(value: Literal, type_: FieldType) -> bool:
    """Whether *value* can be a value of *type_*, without loss."""
    match type_.kind:
        case FieldKind.STRING:
            return isinstance(value, Text)
        case FieldKind.BOOLEAN:
            return isinstance(value, Truth)
        case FieldKind.INTEGER:
            return isinstance(value, Number) and _places(value.value) == 0 and -_BIGGEST <= int(value.value) < _BIGGEST
        case FieldKind.DECIMAL:
            whole = (type_.length or MAX_DIGITS) - type_.scale
            return isinstance(value, Number) and _places(value.value) <= type_.scale and abs(value.value) < 10**whole
        case FieldKind.DATE:
            return isinstance(value, Text) and is_day(value.value)
        case FieldKind.DATETIME:
            return isinstance(value, Text) and (is_day(value.value) or is_moment(value.value))


_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?")


def is_day(text: str) -> bool:
    """Whether *text* is a calendar day, 2020-06-30."""
    return _DAY.fullmatch(text) is not None and _exists(text)


def is_moment(text: str) -> bool:
    """Whether *text* is a moment of local time, 2020-06-30 08:00 or with seconds."""
    return _MOMENT.fullmatch(text) is not None and _exists(text)


def _exists(text: str) -> bool:
    try:
        date.fromisoformat(text) if len(text) == len("2020-06-30") else datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _alike(one: FieldKind, other: FieldKind) -> bool:
    return one is other or {one, other} <= _NUMBERS or {one, other} <= _DAYS


def _atoms(part: Condition) -> Iterator[Comparison | Membership | Emptiness]:
    if isinstance(part, Conjunction | Disjunction):
        for inner in part.parts:
            yield from _atoms(inner)
    else:
        yield part


def _subject(atom: Comparison | Membership | Emptiness) -> FieldName:
    return atom.left if isinstance(atom, Comparison) else atom.field
