"""Single sample values: nobody's, and unmistakably so, yet valid by the contract of their field.

Numbers of persons and organisations lie in the division 000000, which no place has; names begin with 样 or 样例,
which means sample and is no surname; telephone and other numbers begin with zeros. Which value goes into which row is
for `hub.sandbox.samples` to say.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from catalog.identifiers import citizen_id_check_char, make_uscc, org_code_check_char
from catalog.model import Check, FieldKind
from hub.sandbox import patterns

if TYPE_CHECKING:
    from collections.abc import Callable

    from catalog.model import Field

    Draw = Callable[[int], int]

NOWHERE: Final = "000000"
# GB 11643: three digits tell apart who was born on one day in one division.
PERSONS: Final = 1_000
MOST: Final = 1_000_000
_FIRST_BIRTH, _BIRTHS = date(1930, 1, 1), 33_000
_ORGANISATIONS: Final = 100_000_000
_RARE: Final = "𬱖䶮㛃"
_GIVEN: Final = "安宁和平乐康文静思远明达佳怡晨光"
_WORDS: Final = ("丰收", "启明", "顺达", "和美", "长青", "远航", "金桥", "新禾")
_MAX_PRECISION: Final = 38
_PLAIN_LENGTH: Final = 60
_SERIAL: Final = 10
_MARK: Final = "YL"  # 样例
_PERSON = re.compile(r"姓名|代表人|负责人|户主|权利人|所有人|联系人")
_BODY = re.compile(r"名称|单位|企业|机构|学校|公司|组织")
_PLACE = re.compile(r"地址|住址|住所|坐落|地点|位置|产地|起运地|到达地")
_PHONE = re.compile(r"电话|手机")
_SERIALS = re.compile(r"(?:号|号码|编号|代码|编码|标识码|序列号)(?:（.*）)?$")
_BORN = re.compile(r"出生日期|出生年月日")
_SEX = re.compile(r"^性别")
_CENTURIES: Final = (date(1900, 1, 1), date(9999, 12, 31))


def draw(*parts: object) -> Draw:
    """Numbers that depend on *parts* alone: what it gives for n is one of 0 to n - 1, another with every call."""
    seed = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).digest()
    state = int.from_bytes(seed, "big")

    def drawn(n: int) -> int:
        nonlocal state
        # Knuth's multiplier for 64 bits; what is left of it is high enough to look random, which is all that is asked.
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**128
        return (state >> 64) % n

    return drawn


def person(n: int) -> tuple[str, date, bool]:
    """The *n*-th made-up person, the same in every resource: (citizen id, birthday, whether a man)."""
    n %= PERSONS
    born = _FIRST_BIRTH + timedelta(days=draw("person", n)(_BIRTHS))
    body = f"{NOWHERE}{born:%Y%m%d}{n:03d}"
    return body + citizen_id_check_char(body), born, n % 2 == 1


def organisation(n: int) -> str:
    """The code of the *n*-th made-up organisation (GB 32100)."""
    code = f"{n % _ORGANISATIONS:08d}"
    return make_uscc(f"91{NOWHERE}{code}{org_code_check_char(code)}")


def number_of(field: Field) -> int:  # noqa: PLR0911 - one way out for each kind
    """How many different values `nth` has for *field*, up to `MOST`."""
    kind, length = field.type.kind, field.type.length
    if field.check is not None:
        return PERSONS if field.check is Check.CITIZEN_ID else MOST
    if field.codes:
        return len(field.codes)
    if kind is FieldKind.BOOLEAN:
        return 2
    if kind is FieldKind.DECIMAL:
        return int(min(MOST, 10 ** (length or _MAX_PRECISION)))
    if kind is not FieldKind.STRING:
        return MOST
    if field.pattern:
        return patterns.capacity(field.pattern, length, MOST)
    return int(min(MOST, 10**length)) if length else MOST


def nth(field: Field, n: int) -> Any:  # noqa: ANN401, PLR0911 - a value of the field's type; one way out for each kind
    """The *n*-th of `number_of` different values of *field*.

    Raises:
        PatternNotMadeError: no text can be made that fits the field's pattern.
    """
    if field.check is not None:
        return person(n)[0] if field.check is Check.CITIZEN_ID else organisation(n)
    if field.codes:
        return _typed(field, field.codes[n])
    match field.type.kind:
        case FieldKind.BOOLEAN:
            return n == 1
        case FieldKind.DECIMAL:
            return Decimal(n).scaleb(-field.type.scale)
        case FieldKind.INTEGER:
            return n
        case FieldKind.DATE:
            return _CENTURIES[0] + timedelta(days=n)
        case FieldKind.DATETIME:
            return datetime(2020, 1, 1) + timedelta(minutes=n)  # noqa: DTZ001 - local time, as registers write
        case _ if field.pattern:
            return patterns.nth(field.pattern, field.type.length, MOST, n)
        case _:
            return _serial(field.type.length, n)


def ordinary(field: Field, n: int, drawn: Draw) -> Any:  # noqa: ANN401, PLR0911 - as `nth`
    """A value of *field* such as most rows have, in the row of the *n*-th person. Raises: as `nth`."""
    if field.check is Check.CITIZEN_ID:
        return person(drawn(PERSONS))[0]
    if field.check is Check.USCC:
        return organisation(drawn(PERSONS))
    if field.codes:
        if _SEX.search(field.title) and set(field.codes) >= {"1", "2"}:
            return "1" if person(n)[2] else "2"
        return _typed(field, field.codes[drawn(len(field.codes))])
    match field.type.kind:
        case FieldKind.BOOLEAN:
            return drawn(2) == 1
        case FieldKind.INTEGER:
            return drawn(100)
        case FieldKind.DECIMAL:
            return Decimal(drawn(10 ** min(field.type.length or _MAX_PRECISION, 6))).scaleb(-field.type.scale)
        case FieldKind.DATE if _BORN.search(field.title):
            return person(n)[1]
        case FieldKind.DATE:
            return date(2000, 1, 1) + timedelta(days=drawn(9_500))
        case FieldKind.DATETIME:
            return datetime(2020, 1, 1) + timedelta(seconds=drawn(180_000_000))  # noqa: DTZ001 - as in `nth`
        case _ if field.pattern:
            return patterns.some(field.pattern, field.type.length, drawn)
        case _:
            return _text(field, drawn)


def edges(field: Field, drawn: Draw) -> tuple[Any, ...]:  # noqa: PLR0911 - as above
    """Values at the ends of what *field* may hold: the longest, the rarest, the first, the last. Raises: as `nth`."""
    if field.check is not None or field.codes:
        return ()
    length = field.type.length
    match field.type.kind:
        case FieldKind.BOOLEAN:
            return ()
        case FieldKind.INTEGER:
            return (0, 2**31 - 1)
        case FieldKind.DECIMAL:
            most = 10 ** (length or _MAX_PRECISION) - 1
            return (Decimal(0).scaleb(-field.type.scale), Decimal((0, tuple(map(int, str(most))), -field.type.scale)))
        case FieldKind.DATE:
            return (*_CENTURIES, date(2000, 2, 29))
        case FieldKind.DATETIME:
            return tuple(datetime.combine(day, datetime.min.time()) for day in _CENTURIES)
        case _ if field.pattern:
            return (patterns.some(field.pattern, length, drawn, longest=True),)
        case _ if _SERIALS.search(field.title):
            return (("0" * (length or _PLAIN_LENGTH)),)
        case _:
            longest = ("样例" * (length or _PLAIN_LENGTH))[: length or _PLAIN_LENGTH]
            return (longest, ("样" + _RARE)[: length or None])


def _typed(field: Field, code: str) -> Any:  # noqa: ANN401 - as `nth`
    match field.type.kind:
        case FieldKind.INTEGER:
            return int(code)
        case FieldKind.DECIMAL:
            return Decimal(code)
        case _:
            return code


def _serial(length: int, n: int) -> str:
    digits = min(length or _SERIAL, _SERIAL)
    if digits < len(_MARK) + len(str(MOST - 1)):
        return f"{n:0{digits}d}"
    return f"{_MARK}{n:0{digits - len(_MARK)}d}"


def _text(field: Field, drawn: Draw) -> str:
    title, length = field.title, field.type.length
    if _PHONE.search(title):
        made = f"000{drawn(10**8):08d}"
    elif _SERIALS.search(title):
        return _serial(length, drawn(10 ** min(length or _SERIAL, 4)))
    elif _PERSON.search(title):
        made = "样" + "".join(_GIVEN[drawn(len(_GIVEN))] for _ in range(1 + drawn(2)))
    elif _PLACE.search(title):
        made = f"样例省样例市样例区{_WORDS[drawn(len(_WORDS))]}路{1 + drawn(999)}号"
    elif _BODY.search(title):
        made = f"样例{_WORDS[drawn(len(_WORDS))]}{drawn(1000)}有限公司"
    else:
        made = f"样例{drawn(1000)}"
    return made[:length] if length else made
