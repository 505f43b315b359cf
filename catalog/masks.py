"""What a consumer sees of a value, and which of two masks hides more.

Which mask applies to which field for whom is decided in `catalog.decide`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

from catalog.model import Mask

REDACTED: Final = "***"
_KEPT: Final = 4
# A value is only shown in part when at least as much is hidden as shown.
_SHORTEST_PARTLY_SHOWN: Final = 2 * _KEPT
_MIN_KEY_BYTES: Final = 16
_ID_LENGTH: Final = 18
_YEAR = re.compile(r"([0-9]{4})-?[0-9]{2}(?:-?[0-9]{2})?(?:[T ].*)?", re.DOTALL)
_COMPOUND_SURNAMES: Final = re.compile(
    "欧阳|太史|端木|上官|司马|东方|独孤|南宫|万俟|闻人|夏侯|诸葛|尉迟|公羊|赫连|澹台|皇甫|宗政|濮阳|公冶|太叔|申屠|公孙|"
    "慕容|仲孙|钟离|长孙|宇文|司徒|鲜于|司空|闾丘|令狐|百里|呼延|东郭|南门|西门|第五"
)
# The lazy groups take the shortest name of each level. A county's name may begin with any character (路北区, 市中区),
# but the rest of it holds no word for a street, village or house: then the text after the city is a street
# already. Nor is a residential area (小区), campus or supermarket a county.
_COUNTY = re.compile(
    r"(?P<province>[^市区县旗路街巷道镇乡村号]{2,8}?(?:省|自治区|特别行政区))?"
    r"(?P<city>[^省市区县旗路街巷道村号]{2,10}?(?:市|自治州|地区|盟))?"
    r"(?P<county>.[^省市区县旗路街巷道镇乡村号弄组栋幢室0-9０-９]{0,12}?(?:(?<![小社校厂园景院片街宅])区|县|旗|(?<![超门夜菜])市))?"
)

# From showing all to showing nothing. Between two different partial masks neither hides all the other hides;
# the order among them only settles which one a consumer with two grants is given.
RANK: Final[dict[Mask, int]] = {
    mask: rank
    for rank, mask in enumerate(
        (
            Mask.NONE,
            Mask.CITIZEN_ID,
            Mask.COUNTY,
            Mask.SURNAME,
            Mask.KEEP_FIRST_4,
            Mask.KEEP_LAST_4,
            Mask.YEAR,
            Mask.HASH,
            Mask.REDACT,
            Mask.NULL,
        )
    )
}


def stricter(a: Mask, b: Mask) -> Mask:
    """The least mask that shows no more than *a* and no more than *b*.

    Commutative, associative, idempotent; ``none`` is neutral. Two different partial masks meet in ``redact``,
    because together they could show parts that either hides.
    """
    if a is b or b is Mask.NONE:
        return a
    if a is Mask.NONE:
        return b
    return Mask.NULL if Mask.NULL in (a, b) else Mask.REDACT


def apply(mask: Mask, value: object, *, key: bytes) -> object:
    """Return what is shown of *value* (a wire value: text, integer, boolean or None).

    None stays None. A value that has not the form a mask expects (an address without a county, say) is redacted
    whole, never shown. *key* is used by ``hash`` alone: HMAC-SHA256, hex, equal for equal text under one key.

    Raises:
        ValueError: ``hash`` with a key shorter than 16 bytes.
    """
    if value is None or mask is Mask.NULL:
        return None
    if mask is Mask.NONE:
        return value
    if mask is Mask.REDACT:
        return REDACTED
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if mask is Mask.HASH:
        if len(key) < _MIN_KEY_BYTES:
            raise ValueError(f"the key of a hash mask must hold at least {_MIN_KEY_BYTES} bytes")
        return hmac.digest(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()
    return _partial(mask, text)


def _partial(mask: Mask, text: str) -> str:  # noqa: PLR0911 - one way out for each mask
    match mask:
        case Mask.KEEP_LAST_4 if len(text) >= _SHORTEST_PARTLY_SHOWN:
            return "*" * (len(text) - _KEPT) + text[-_KEPT:]
        case Mask.KEEP_FIRST_4 if len(text) >= _SHORTEST_PARTLY_SHOWN:
            return text[:_KEPT] + "*" * (len(text) - _KEPT)
        case Mask.CITIZEN_ID if len(text) == _ID_LENGTH:
            return text[:6] + "*" * 8 + text[-4:]
        case Mask.YEAR:
            match_ = _YEAR.fullmatch(text)
            return match_[1] if match_ else REDACTED
        case Mask.SURNAME:
            return _surname(text)
        case Mask.COUNTY:
            return _county(text)
        case _:
            return REDACTED


def _surname(name: str) -> str:
    """Keep the surname and a fixed number of stars, so that the length of the given name does not show."""
    name = name.strip()
    if len(name) < 2:  # noqa: PLR2004 - a single character would be the whole name
        return REDACTED
    length = 2 if len(name) > 2 and _COMPOUND_SURNAMES.match(name) else 1  # noqa: PLR2004
    return name[:length] + "**"


def _county(address: str) -> str:
    match_ = _COUNTY.match(address.strip())
    return match_[0] + REDACTED if match_ and match_[0] else REDACTED
