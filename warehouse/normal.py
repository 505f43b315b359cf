"""From text as a source wrote it to typed values, as DuckDB expressions: normalise, then cast.

Judging the values is `warehouse.checks`. Normalisation is recorded and is no fault: surrounding space goes, empty
text is no value, full-width letters, digits and signs become half-width in typed and checked fields (in string keys
letters and digits only, as names in keys may hold full-width punctuation), and dates are read in the four usual forms.

Nearly all text needs none of it. `tidy` and `at_once` are a quick test, and what the value is where it holds: a text
that fails the test may still be a good one, a text that passes it is what the long way would have made of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from catalog.model import FieldKind
from warehouse.schema import MAX_PRECISION
from warehouse.sql import text

if TYPE_CHECKING:
    from catalog.model import Field, FieldType

# Space, tab, line ends, no-break space, ideographic space, byte-order mark.
SPACE = " \t\r\n\u00a0\u3000\ufeff"
_FULL = "".join(chr(c) for c in range(0xFF01, 0xFF5F)) + "\u3000"
_HALF = "".join(chr(c) for c in range(0x21, 0x7F)) + " "
_FULL_ALNUM = "".join(f for f, h in zip(_FULL, _HALF, strict=True) if h.isalnum())
_HALF_ALNUM = "".join(h for h in _HALF if h.isalnum())

TRUE_WORDS = ("1", "true", "t", "yes", "y", "是")
FALSE_WORDS = ("0", "false", "f", "no", "n", "否")

_DAY = r"[0-9]{4}(-[0-9]{1,2}-[0-9]{1,2}|/[0-9]{1,2}/[0-9]{1,2}|年[0-9]{1,2}月[0-9]{1,2}日)"
_TIME = r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
_ZONE = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"


# A pattern made of these alone matches visible ASCII or nothing: literals, classes of such, groups, repetitions. No
# `.`, no negated classes, no flags (`(?i)k` matches the Kelvin sign).
_PLAIN_PATTERN = re.compile(
    r"""(?: \[ (?!\^) [!-Z^-~]+ \]      # [0-9A-Z]
          | \( (?: \?: | (?!\?) )      # ( or (?:
          | \\ [dw!-/:-@\[-`{-~]       # \d, \w, escaped punctuation
          | [!-')-\-/-Z^-~]            # any other visible character but the dot
        )*""",
    re.VERBOSE,
)
# A pattern that every match of has as many characters as every other: letters, digits and classes of such, repeated.
_FIXED_PIECE = re.compile(r"(?P<one>[0-9A-Za-z]|\[(?:[0-9A-Za-z](?:-[0-9A-Za-z])?)+\])(?:\{(?P<times>[1-9][0-9]?)\})?")
_MOST_FIXED = 64
_SIGNED_64 = 18  # Digits that fit into a BIGINT whatever they are.


def trimmed(raw: str) -> str:
    """*raw* without surrounding space; NULL when nothing is left."""
    return f"nullif(trim({raw}, {text(SPACE)}), '')"


def normalised(field: Field, raw: str) -> str:
    """The normalised text of *field* in the expression *raw*."""
    value = trimmed(raw)
    if field.type.kind is not FieldKind.STRING or field.codes or field.pattern or field.check:
        value = _folded(value, _FULL, _HALF)
    elif field.key:
        value = _folded(value, _FULL_ALNUM, _HALF_ALNUM)
    # Check characters are capitals by their standards (GB 11643 `X`, GB 32100).
    return f"upper({value})" if field.check else value


def _folded(value: str, full: str, half: str) -> str:
    # As many bytes as characters means ASCII, by far the most common case: nothing to fold.
    halved = f"translate({value}, {text(full)}, {text(half)})"
    return f"CASE WHEN strlen({value}) = length({value}) THEN {value} ELSE {halved} END"


def typed(type_: FieldType, value: str) -> str:
    """The value of normalised text *value*, or NULL where it has none of that type.

    Never rounds: DuckDB's own cast would take 1.5 for the integer 2.
    """
    match type_.kind:
        case FieldKind.STRING:
            return value
        case FieldKind.INTEGER:
            # Spreadsheets write the integer 12 as 12.0.
            whole = f"regexp_full_match({value}, '[+-]?[0-9]+([.]0+)?')"
            return f"CASE WHEN {whole} THEN TRY_CAST(split_part({value}, '.', 1) AS BIGINT) END"
        case FieldKind.DECIMAL:
            precision = type_.length or MAX_PRECISION
            form = f"[+-]?([0-9]+([.][0-9]{{0,{type_.scale}}}0*)?|[.][0-9]{{1,{type_.scale or 1}}}0*)"
            exact = f"regexp_full_match({value}, '{form}')"
            return f"CASE WHEN {exact} THEN TRY_CAST({value} AS DECIMAL({precision},{type_.scale})) END"
        case FieldKind.BOOLEAN:
            yes, no = (", ".join(text(w) for w in words) for words in (TRUE_WORDS, FALSE_WORDS))
            return f"CASE WHEN lower({value}) IN ({yes}) THEN true WHEN lower({value}) IN ({no}) THEN false END"
        case FieldKind.DATE:
            return f"TRY_CAST({iso_date(value)} AS DATE)"
        case FieldKind.DATETIME:
            written = iso_datetime(value)
            zoned = f"regexp_full_match({value}, '.*:.*{_ZONE}')"
            # A time with an offset is brought to the local time that every other department writes.
            local = f"TRY_CAST({written} AS TIMESTAMPTZ) AT TIME ZONE 'Asia/Shanghai'"
            return f"CASE WHEN {zoned} THEN {local} ELSE TRY_CAST({written} AS TIMESTAMP) END"


def tidy(field: Field, raw: str) -> str:
    """Whether normalising leaves the text *raw* of a string field as it is, as far as this can be told quickly.

    False says nothing; NULL where *raw* is. Rules of the field that imply it are taken to be tested elsewhere.
    """
    if field.check:
        return "true"
    codes = [code for code in field.codes if _is_normal(code)]
    if field.codes:
        return f"({raw} IN ({', '.join(text(code) for code in codes)}))" if codes else "false"
    # All that sorts before `!` is space, control characters and the empty text.
    begins = f"{raw} >= '!'"
    if field.pattern and _PLAIN_PATTERN.fullmatch(field.pattern):
        return f"({begins})"
    ends = [f"NOT ends_with({raw}, {text(space)})" for space in SPACE]
    ends += [f"NOT starts_with({raw}, {text(space)})" for space in SPACE if space > "!"]
    folded = field.pattern or field.key
    ascii_ = [f"strlen({raw}) = length({raw})"] if folded else []
    return f"({' AND '.join([begins, *ends, *ascii_])})"


def fixed_form(pattern: str) -> tuple[str, int]:
    """A GLOB that matches what the RE2 expression *pattern* does, and how long that is; ("", 0) where there is none.

    Two thirds of what most registers' patterns cost is RE2's; GLOB compares byte by byte.
    """
    glob, length, at = "", 0, 0
    while at < len(pattern):
        piece = _FIXED_PIECE.match(pattern, at)
        if piece is None:
            return "", 0
        times = int(piece["times"] or 1)
        glob, length, at = glob + piece["one"] * times, length + times, piece.end()
    return (glob, length) if length <= _MOST_FIXED else ("", 0)


def _is_normal(code: str) -> bool:
    """Whether normalising leaves a code of the list as it is (else no landed text equals it after normalising)."""
    folded = code.translate(str.maketrans(_FULL, _HALF))
    return bool(code) and folded == code and code.strip(SPACE) == code


def at_once(type_: FieldType, raw: str) -> tuple[str, str]:
    """For types but string: (whether the text *raw* is in a form that needs no normalising and has a value, the value).

    The test is NULL where *raw* is; the value means nothing where the test fails.
    """
    match type_.kind:
        case FieldKind.INTEGER:
            return f"regexp_full_match({raw}, '-?[0-9]{{1,{_SIGNED_64}}}')", f"TRY_CAST({raw} AS BIGINT)"
        case FieldKind.DECIMAL:
            precision = type_.length or MAX_PRECISION
            whole = precision - type_.scale
            fraction = f"([.][0-9]{{1,{type_.scale}}})?" if type_.scale else ""
            form = f"regexp_full_match({raw}, '-?[0-9]{{1,{whole}}}{fraction}')" if whole else "false"
            return form, f"TRY_CAST({raw} AS DECIMAL({precision},{type_.scale}))"
        case FieldKind.BOOLEAN:
            yes, no = (", ".join(text(w) for w in words) for words in (TRUE_WORDS, FALSE_WORDS))
            return f"({raw} IN ({yes}, {no}))", f"({raw} IN ({yes}))"
        case FieldKind.DATE:
            value = f"TRY_CAST({raw} AS DATE)"
            form = f"regexp_full_match({raw}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
        case _:
            value = f"TRY_CAST({raw} AS TIMESTAMP)"
            clock = "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"
            form = f"regexp_full_match({raw}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T]{clock}')"
    return f"({form} AND ({raw} IS NULL OR coalesce({on_calendar(type_, value)}, false)))", value


def on_calendar(type_: FieldType, value: str) -> str:
    """Whether a DATE or TIMESTAMP is a moment of the years 1 to 9999, which infinities and years before Christ are not.

    Compared, not asked for its year: the year of infinity is NULL.
    """
    if type_.kind is FieldKind.DATE:
        return f"({value} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31')"
    return f"({value} >= TIMESTAMP '0001-01-01' AND {value} < TIMESTAMP '9999-12-31' + INTERVAL 1 DAY)"


def iso_date(value: str) -> str:
    """ISO text of a date written in one of the four forms (midnight may follow), or NULL: then it is no date at all."""
    return (
        f"CASE WHEN regexp_full_match({value}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}') THEN {value} "
        f"WHEN regexp_full_match({value}, '[0-9]{{8}}') THEN {_from_digits(value)} "
        f"WHEN regexp_full_match({value}, '{_DAY}([ T]0?0:00(:00([.]0+)?)?)?') THEN {_day(value)} END"
    )


def iso_datetime(value: str) -> str:
    """ISO text of a date and time (or a date alone, at midnight), with its offset if it has one, or NULL."""
    clock = f"regexp_extract({value}, '[ T]({_TIME}{_ZONE}?)$', 1)"
    return (
        f"CASE WHEN regexp_full_match({value}, '[0-9]{{8}}') THEN {_from_digits(value)} || ' 00:00:00' "
        f"WHEN regexp_full_match({value}, '[0-9]{{14}}') THEN {_from_digits(value)} || ' ' || "
        f"substr({value}, 9, 2) || ':' || substr({value}, 11, 2) || ':' || substr({value}, 13, 2) "
        f"WHEN regexp_full_match({value}, '{_DAY}') THEN {_day(value)} || ' 00:00:00' "
        f"WHEN regexp_full_match({value}, '{_DAY}[ T]{_TIME}{_ZONE}?') THEN {_day(value)} || ' ' || {clock} END"
    )


def _from_digits(value: str) -> str:
    return f"substr({value}, 1, 4) || '-' || substr({value}, 5, 2) || '-' || substr({value}, 7, 2)"


def _day(value: str) -> str:
    return rf"regexp_replace({value}, '^([0-9]{{4}})[^0-9]([0-9]{{1,2}})[^0-9]([0-9]{{1,2}}).*$', '\1-\2-\3')"
