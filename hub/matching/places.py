"""Addresses and telephone numbers, of which people leave parts out that others write.

A part left out makes the answer unknown, unless what is left settles it.
"""

from __future__ import annotations

import re
from typing import Final

from hub.matching.text import HIDDEN, Verdict, alike, alike_plain, folded, plain

_PROVINCES: Final = (
    "河北省", "山西省", "辽宁省", "吉林省", "黑龙江省", "江苏省", "浙江省", "安徽省", "福建省", "江西省", "山东省",
    "河南省", "湖北省",
    "湖南省", "广东省", "海南省", "四川省", "贵州省", "云南省", "陕西省", "甘肃省", "青海省", "台湾省",
    "内蒙古自治区", "广西壮族自治区", "西藏自治区", "宁夏回族自治区", "新疆维吾尔自治区",
)  # fmt: skip
_SHORT: Final = {name: re.sub("省|壮族自治区|回族自治区|维吾尔自治区|自治区", "", name) for name in _PROVINCES}
_WRITTEN: Final = tuple(_SHORT.values())  # every province's name begins with its short one
# A city's name is one in the country, which a county's or a street's is not.
_CITY = re.compile(r"[^省市区县旗路街巷道镇乡村号弄0-9a-z()]{2,10}(?:市|自治州|地区|盟)(?!场)")
_LEVELS = re.compile(
    r"(?:[^市区县旗路街巷道镇乡村号0-9]{2,8}(?:省|自治区))?"
    r"(?:[^省市区县旗路街巷道镇乡村号0-9]{1,10}(?:市|自治州|地区|盟)){0,2}"
    r"(?:[^省市区县旗路街巷道镇乡村号0-9]{1,12}(?:区|县|旗))?"
)
_SHORTEST_REST = 4
_EXTENSION = re.compile(r"(.+?)(?:转|轉|ext\.?|#|x)([0-9]{1,6})")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_AREA = re.compile(r"0[0-9]{2,3}")
_LOCAL = re.compile(r"[1-9][0-9]{6,7}")
_SERVICE = re.compile(r"(?:400|800)[0-9]{7}")


def same_address(stored: str, claim: str) -> Verdict:
    """Whether two addresses are one: as texts, or with names of divisions that one gives and the other leaves out.

    Only a province may be left out for certain, and only before a city.
    """
    plain_one, plain_other = plain(stored), plain(claim)
    verdict = alike_plain(plain_one, plain_other)
    if verdict is not Verdict.MISMATCH:
        return verdict
    (one_province, one), (other_province, other) = _province(folded(plain_one)), _province(folded(plain_other))
    if one_province and other_province and one_province != other_province:
        return Verdict.MISMATCH
    if one == other:
        settled = one_province == other_province or _CITY.match(one) is not None
        return Verdict.MATCH if settled else Verdict.UNKNOWN
    long, short = (one, other) if len(one) > len(other) else (other, one)
    left_out = long.removesuffix(short)
    told = len(short) >= _SHORTEST_REST and left_out != long and _LEVELS.fullmatch(left_out) is not None
    return Verdict.UNKNOWN if told else Verdict.MISMATCH


def _province(text: str) -> tuple[str, str]:
    """(the province that *text* begins with or "", the rest of it)."""
    if not text.startswith(_WRITTEN):
        return "", text
    for name, short in _SHORT.items():
        for written in (name, short):
            # 吉林市 lies in 吉林省; 海南藏族自治州 and 河南县 do not lie in the provinces of that name.
            if text.startswith(written) and (written == name or _CITY.match(text[len(written) :])):
                return name, text[len(written) :]
    return "", text


def same_phone(stored: str, claim: str) -> Verdict:
    """Whether two telephone numbers are one, the country's code (86) and separators aside.

    A number without its area code is unknown beside one that ends like it; several numbers in one are not compared.
    """
    one, other = _number(stored), _number(claim)
    if one is None or other is None:
        verdict = alike(stored, claim)
        return verdict if verdict is Verdict.MATCH else Verdict.UNKNOWN
    if one[0] == other[0]:
        if one[1] == other[1]:
            return Verdict.MATCH
        return Verdict.MISMATCH if one[1] and other[1] else Verdict.UNKNOWN
    for long, short in ((one[0], other[0]), (other[0], one[0])):
        if _LOCAL.fullmatch(short) and long.endswith(short) and _AREA.fullmatch(long.removesuffix(short)):
            return Verdict.UNKNOWN
    return Verdict.MISMATCH


def _number(text: str) -> tuple[str, str] | None:
    """(number, extension or ""), or None where *text* is not one number."""
    found = plain(text)
    if HIDDEN in found:
        return None
    extended = _EXTENSION.fullmatch(found)
    found, extension = (extended[1], extended[2]) if extended else (found, "")
    foreign = found.lstrip("(").startswith(("+", "00"))
    digits = re.sub(r"[-()./+·]", "", found) if "/" not in found else ""
    if not digits.isascii() or not digits.isdigit():
        return None
    if foreign:
        digits = digits.removeprefix("00")
        if not digits.startswith("86"):
            return "+" + digits, extension
        digits = digits.removeprefix("86")
        domestic = _MOBILE.fullmatch(digits) or _SERVICE.fullmatch(digits) or digits.startswith("0")
        digits = digits if domestic else "0" + digits
    elif digits.startswith("86") and _MOBILE.fullmatch(digits[2:]):
        digits = digits[2:]
    # A zero before a mobile number was once dialled from another province.
    return (digits[1:] if _MOBILE.fullmatch(digits[1:]) and digits[0] == "0" else digits), extension
