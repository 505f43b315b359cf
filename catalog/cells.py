"""What one cell of a list may say: texts to values of the model, and back to text.

Each reader takes text and returns a value or raises `CellFault`; where the cell stood, and what other cells say, is
left to `catalog.build` and `catalog.validate`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import date
from typing import TYPE_CHECKING, Final

from catalog.domains import ACTION, DRIFT, DRIFT_POLICY, DUTY, KIND, Action, CodeDomain, folded
from catalog.errors import IdentifierError
from catalog.identifiers import check_uscc
from catalog.model import EVERYONE, Drift, DriftPolicy, Duty, FieldKind, FieldType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# An Excel cell holds 32,767 characters; a text of a list that is longer is a mistake.
MAX_TEXT_CHARS: Final = 8_000
MAX_STRING_CHARS: Final = 1_000_000
# DuckDB and Iceberg decimals hold 38 digits.
MAX_PRECISION: Final = 38
_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z._/-]{0,63}")
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{1,2})-|/([0-9]{1,2})/|\.([0-9]{1,2})\.|年([0-9]{1,2})月)([0-9]{1,2})日?")
_DATE_PACKED = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_MIDNIGHT = re.compile(r"[T ]0?0:00(:00)?(\.0+)?$")
_TYPE = re.compile(r"(\w+?)\s*(?:\(\s*([0-9]{1,7})\s*(?:[,，、]\s*([0-9]{1,2})\s*)?\))?")
_TYPES: Final = "`string`, `string(18)`, `integer`, `decimal(12,2)`, `date`, `datetime`, `boolean`"
_ORDINAL = re.compile(r"第?\s*([0-9]{1,4}|[一二三四五六七八九十])\s*[批年]?(?:度)?")
_CHINESE_ORDINALS: Final = "一二三四五六七八九十"
_TRUE: Final = frozenset({"true", "yes", "y", "1", "是", "√", "✓", "开放"})
_FALSE: Final = frozenset({"false", "no", "n", "0", "否", "×", "✗", "不开放"})
_EVERYONE_WORDS: Final = frozenset({EVERYONE, "全部", "所有", "所有部门", "全部部门", "全部事项"})
_CONTACT = re.compile(r"([^=＝:：]+)[=＝:：](.*\S.*)", re.DOTALL)
_REFERENCE = re.compile(r"[0-9A-Za-z._/-]+\.\w+")
_COUNT = re.compile(r"[0-9]{1,12}")
_SPLIT_CODES = re.compile(r"[;,、\s]+")
_PLAIN_OPTION = re.compile(r"[^\s;；=\\{}\"'\x00-\x1f\x7f-\x9f\ufeff]+")


class CellFault(Exception):  # noqa: N818 - not an error of the package: always caught and turned into a `Fault`
    """The text is not what its column needs: a code of `catalog.faults.FAULTS` and its words."""

    def __init__(self, code: str, **params: str) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


def text(value: str) -> str:
    """Free text as it is, but for surrounding space and the spelling of line ends.

    Characters that XML or YAML cannot carry (controls, lone surrogates) are a fault: a digest must not depend on
    what nobody can see.
    """
    value = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(value) > MAX_TEXT_CHARS:
        raise CellFault("too_long", value=str(len(value)), allowed=str(MAX_TEXT_CHARS))
    # What Python calls printable holds none of them; nearly every text is.
    for char in "" if value.isprintable() else value:
        if _uncarried(char):
            raise CellFault("control_character", value=f"{ord(char):04X}")
    return value


def _uncarried(char: str) -> bool:
    """Controls, lone surrogates, the byte order mark and Unicode's noncharacters."""
    point = ord(char)
    if unicodedata.category(char) in ("Cc", "Cs"):
        return char not in "\n\t"
    return char == "\ufeff" or point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF  # noqa: PLR2004 - Unicode §23.7


def code(value: str) -> str:
    """A code, folded to half-width."""
    found = folded(value)
    if not _CODE.fullmatch(found):
        raise CellFault("bad_code", value=value)
    return found


def standard(value: str) -> str:
    """The code of a code list; a national standard also as people write it, with a space (GB/T 2261.1)."""
    return code(re.sub(r"\s+", "", folded(value)))


def reference(value: str) -> str:
    """What stands for a department: its code, or a name that `catalog.build` will look up. Names stay as they are."""
    found = folded(value)
    if found in _EVERYONE_WORDS:
        return EVERYONE
    return found if _CODE.fullmatch(found) else text(value)


def code_or_everyone(value: str) -> str:
    """A code or ``*``."""
    return EVERYONE if folded(value) in _EVERYONE_WORDS else code(value)


def field_name(value: str) -> str:
    """The name of a field: it becomes a column of a table, where a leading underscore is the warehouse's own."""
    found = folded(value)
    if not found.isidentifier() or found.startswith("_") or len(found) > 64:  # noqa: PLR2004 - as for codes
        raise CellFault("bad_field_name", value=value)
    return found


def structural(value: str) -> str:
    """A short text that names something in the list, folded to half-width."""
    return text(folded(value))


def uscc(value: str) -> str:
    """A unified social credit code. The value may be shown: a department is no person."""
    try:
        return check_uscc(value)
    except IdentifierError as error:
        raise CellFault("bad_uscc", value=value, problem=error.text("en"), problem_zh=error.text("zh")) from error


def boolean(value: str) -> bool:
    """是 or 否, and the usual other ways to say so."""
    found = folded(value).casefold()
    if found in _TRUE:
        return True
    if found in _FALSE:
        return False
    raise CellFault("bad_boolean", value=value)


def day(value: str) -> date:
    """A calendar date: 2020-06-30, 2020/6/30, 2020.6.30, 20200630, 2020年6月30日; a time of midnight is dropped."""
    found = _MIDNIGHT.sub("", folded(value))
    match = _DATE.fullmatch(found) or _DATE_PACKED.fullmatch(found)
    if match:
        year, month, last = (int(group) for group in match.groups() if group)
        try:
            return date(year, month, last)
        except ValueError as error:
            raise CellFault("bad_date", value=value) from error
    raise CellFault("bad_date", value=value)


def whole(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers from *low* to *high*, also as 第一批 or 2020年."""

    def read(value: str) -> int:
        match = _ORDINAL.fullmatch(folded(value))
        if match:
            digits = match[1]
            number = _CHINESE_ORDINALS.find(digits) + 1 or int(digits)
            if low <= number <= high:
                return number
        raise CellFault(
            "bad_number",
            value=value,
            allowed=f"a whole number from {low} to {high}",
            allowed_zh=f" {low} 至 {high} 的整数",
        )

    return read


def count(value: str) -> int:
    """A number of rows, also as a spreadsheet writes it (1000.0) and with separators (1,000)."""
    found = folded(value).replace(",", "").removesuffix(".0")
    if not _COUNT.fullmatch(found):
        raise CellFault("bad_number", value=value, allowed="a whole number, 0 or more", allowed_zh="非负整数")
    return int(found)


def share_of_rows(value: str) -> float:
    """A share from 0 to 1, also as a percentage."""
    found = folded(value)
    try:
        number = float(found[:-1]) / 100 if found.endswith("%") else float(found)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:  # NaN is refused too: it compares as false
        raise CellFault(
            "bad_number",
            value=value,
            allowed="a share from 0 to 1 or a percentage",
            allowed_zh=" 0 至 1 的比例或百分数",
        )
    # Minus zero compares as zero, but is written, and so digested, otherwise.
    return abs(number)


def threshold(value: str) -> float:
    """A finite number that is not negative, also as a percentage; its bounds follow from the kind of rule."""
    found = folded(value)
    try:
        number = float(found[:-1]) / 100 if found.endswith("%") else float(found)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise CellFault(
            "bad_number", value=value, allowed="a number, not negative, or a percentage", allowed_zh="非负数或百分数"
        )
    return abs(number)  # As in share_of_rows.


def contact(value: str) -> tuple[Duty, str]:
    """``duty=post`` (also with a colon): a duty of `domains.DUTY` and the post that has it."""
    match = _CONTACT.fullmatch(value)
    duty = DUTY.find(match[1]) if match else None
    if match is None or duty is None:
        raise CellFault("bad_contact", value=value, allowed=DUTY.allowed)
    return Duty(duty.value), text(match[2])


def write_contact(pair: tuple[Duty, str]) -> str:
    """The inverse of `contact`."""
    return f"{DUTY.word(pair[0])}={pair[1]}"


def drift(value: str) -> tuple[Drift, DriftPolicy]:
    """``drift=policy`` (also with a colon): a way in which a source may change, and what happens then."""
    match = _CONTACT.fullmatch(value)
    way, policy = (DRIFT.find(match[1]), DRIFT_POLICY.find(match[2])) if match else (None, None)
    if way is None or policy is None:
        raise CellFault("bad_drift", value=value, allowed=DRIFT.allowed, other=DRIFT_POLICY.allowed)
    return Drift(way.value), DriftPolicy(policy.value)


def write_drift(pair: tuple[Drift, DriftPolicy]) -> str:
    """The inverse of `drift`."""
    return f"{DRIFT.word(pair[0])}={DRIFT_POLICY.word(pair[1])}"


def target(value: str) -> str:
    """What a quality rule refers to. A reference is folded to half-width; in an expression, quoted text stays."""
    found = folded(value)
    return text(found) if _REFERENCE.fullmatch(found) else text(value)


def action(value: str) -> str:
    """What a matter does with data, by code or word."""
    found = ACTION.find(value)
    if found is None:
        raise CellFault("unknown_value", value=value, allowed=ACTION.allowed)
    return found.value


def write_action(value: str) -> str:
    """The word for an action."""
    return ACTION.word(Action(value))


def field_type(value: str) -> FieldType:
    """A type as in `FieldType`, its kind also in the Chinese words of GB/T 21063 (字符型(18), 数值型(12,2))."""
    match = _TYPE.fullmatch(folded(value))
    kind = KIND.find(match[1]) if match else None
    if match is None or kind is None:
        raise CellFault("bad_type", value=value, allowed=_TYPES)
    length, scale = match[2], match[3]
    if kind is FieldKind.STRING and length is not None and scale is None and 1 <= int(length) <= MAX_STRING_CHARS:
        return FieldType(FieldKind.STRING, int(length))
    if kind is FieldKind.DECIMAL and length is not None and scale is not None:
        precision, digits = int(length), int(scale)
        if 1 <= precision <= MAX_PRECISION and digits <= precision:
            return FieldType(FieldKind.DECIMAL, precision, digits)
    if kind is not FieldKind.DECIMAL and length is None:
        return FieldType(FieldKind(kind.value))
    raise CellFault("bad_type", value=value, allowed=_TYPES)


def pattern(value: str) -> str:
    """A regular expression a whole value must match."""
    found = text(value)
    try:
        re.compile(found)
    except re.error as error:
        raise CellFault("bad_pattern", value=found, problem=str(error)) from error
    return found


def member(domain: CodeDomain) -> Callable[[str], object]:
    """A reader of one code domain."""

    def read(value: str) -> object:
        found = domain.find(value)
        if found is None:
            raise CellFault("unknown_value", value=value, allowed=domain.allowed)
        return found

    return read


# Lists and pairs within one cell. Codes are split at any separator people use; texts only at semicolons and line
# ends, and a backslash makes a separator, a line end (\n) or itself part of the text.


def split_codes(value: str) -> list[str]:
    """The codes in one cell."""
    return [item for item in _SPLIT_CODES.split(unicodedata.normalize("NFKC", value).strip()) if item]


def split_names(value: str) -> list[str]:
    """The names or codes of departments in one cell; names may hold spaces, so only separators part them."""
    return [item.strip() for item in re.split(r"[;；,，、\n]", value) if item.strip()]


def split_texts(value: str, separators: str = ";；\n") -> list[str]:
    """The texts in one cell, with backslash escapes undone."""
    items: list[str] = []
    current = ""
    escaped = False
    for char in value:
        if escaped:
            current += "\n" if char == "n" else char
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in separators:
            items.append(current)
            current = ""
        else:
            current += char
    items.append(current)
    return [item for item in items if item.strip()]


def join_texts(items: Iterable[str]) -> str:
    """The inverse of `split_texts`."""
    return ";".join(re.sub(r"([\\;；])", r"\\\1", item).replace("\n", "\\n") for item in items)


_LEVELS: Final = "/／>＞;；\n"


def split_levels(value: str) -> list[str]:
    """The levels of a classification, from the top: 类/项/目/细目."""
    return split_texts(value, _LEVELS)


def join_levels(items: Iterable[str]) -> str:
    """The inverse of `split_levels`."""
    return "/".join(re.sub(r"([\\/／>＞;；])", r"\\\1", item).replace("\n", "\\n") for item in items)


def read_options(value: str) -> tuple[tuple[str, str], ...]:
    """``name=value;name=value`` or a JSON object of texts, as pairs sorted by name."""
    value = value.strip()
    if value.startswith("{"):
        try:
            found = json.loads(value, parse_int=str, parse_float=str, object_pairs_hook=list)
        except ValueError as error:
            raise CellFault("bad_options", value=value) from error
        return sorted_options(found, value)
    pairs: list[tuple[str, object]] = []
    for item in re.split(r"[;；\n]", value):
        name, equals, content = item.replace("＝", "=", 1).partition("=")
        if not equals and item.strip():
            raise CellFault("bad_options", value=value)
        if equals:
            pairs.append((name.strip(), content.strip()))
    return sorted_options(pairs, value)


def sorted_options(pairs: list[tuple[str, object]], written: str) -> tuple[tuple[str, str], ...]:
    """Pairs sorted by name, each name once and every value a text."""
    texts = tuple(sorted((name, content) for name, content in pairs if isinstance(content, str)))
    if len(texts) != len(pairs) or len(dict(texts)) != len(texts) or any(not name for name, _ in texts):
        raise CellFault("bad_options", value=written)
    if any("\ud800" <= char <= "\udfff" for pair in texts for part in pair for char in part):
        raise CellFault("bad_options", value=written.encode("ascii", "backslashreplace").decode())
    return texts


def write_options(pairs: tuple[tuple[str, str], ...]) -> str:
    """The inverse of `read_options`: in the short form where it loses nothing, else as JSON."""
    if all(_PLAIN_OPTION.fullmatch(part) for pair in pairs for part in pair):
        return ";".join(f"{name}={value}" for name, value in pairs)
    # ASCII escapes keep characters that XML cannot carry.
    return json.dumps(dict(pairs), ensure_ascii=True)
