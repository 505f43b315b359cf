"""Dates and times in the forms that registers and people write, as numbers that compare.

Whether a register's own values are dates is the contract's to say; what cannot be read here is simply no date.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from catalog.clock import SHANGHAI
from hub.matching.text import Verdict, plain

# 年, 月 and 日 or one separator throughout; eight digits; the year, or year and month, alone.
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MARKED = re.compile(r"([0-9]{4})年(?:([0-9]{1,2})月(?:([0-9]{1,2})[日号號]?)?)?")
_PARTED = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})(?:\2([0-9]{1,2}))?")
_DIGITS = re.compile(r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2}))?)?")
_CLOCK = re.compile(
    r"([0-9]{1,2})(?::|时|點|点)([0-9]{1,2})(?:(?::|分)(?:([0-9]{1,2})秒?(?:\.[0-9]+)?)?)?(z|[+-][0-9]{2}:?[0-9]{2})?"
)
_FOURTEEN = re.compile(r"([0-9]{8})([0-9]{2})([0-9]{2})([0-9]{2})")
# One character between a day and a time; the day of the week that some systems put there is not read.
_JOINED = re.compile(r"(.{6,11}?)[t_](.+)|(.*[日号號])(.+)")
_NUMERALS: Final = {c: d for d, cs in enumerate(("〇零", "一壹元", "二贰貳", "三叁參", "四肆", "五伍", "六陆陸", "七柒",
                                                 "八捌", "九玖")) for c in cs}  # fmt: skip
_TENS: Final = {"十": "十", "拾": "十", "廿": "二十", "卅": "三十"}
_CHINESE = re.compile(r"[〇零一壹元二贰貳三叁參四肆五伍六陆陸七柒八捌九玖十拾廿卅]+")
_DAY_PARTS = 3
_LIMITS: Final = ((1, 9999), (1, 12), (1, 31), (0, 23), (0, 59), (0, 59))


def moment(text: str) -> tuple[int, ...] | None:
    """(year, month, day, hour, minute, second), as far as *text* says them, or None: then it is no date.

    A time with an offset is brought to Shanghai's, as the warehouse does. Days are not looked up in a calendar.
    """
    if _ISO.fullmatch(text):
        parts: tuple[int, ...] | None = (int(text[:4]), int(text[5:7]), int(text[8:]))
    else:
        parts = _read(_spelled(text))
    if parts is None or any(not low <= n <= high for n, (low, high) in zip(parts, _LIMITS, strict=False)):
        return None
    return parts


def _spelled(text: str) -> str:
    """*text* in half width, with Arabic numerals, the space between day and time as a ``t``."""
    # The space between a day and a time is lost with the other spaces, unless it is marked first.
    marked = re.sub(r"(?<=[0-9])[\s\u3000]+(?=[0-9０-９]{1,2}[:：时])", "T", text.strip())
    return _CHINESE.sub(_arabic, plain(marked).removeprefix("公元"))


def same_moment(stored: str, claim: str, *, day_only: bool) -> Verdict:
    """Whether two texts are one date, or one time. With *day_only* the times of day do not count.

    What is said less precisely than the other is unknown: who may narrow a date down step by step has soon guessed it.
    """
    one, other = moment(stored), moment(claim)
    if one is None or other is None:
        return Verdict.UNKNOWN
    if day_only:
        one, other = one[:_DAY_PARTS], other[:_DAY_PARTS]
    short = min(len(one), len(other))
    if short < _DAY_PARTS and len(one) != len(other):
        return Verdict.UNKNOWN
    # A day stands for its midnight, as the contract reads it, and for no other time of it.
    if any(one[short:]) or any(other[short:]):
        return Verdict.UNKNOWN
    return Verdict.MATCH if one[:short] == other[:short] else Verdict.MISMATCH


def _read(text: str) -> tuple[int, ...] | None:
    date = _date(text)
    if date is not None:
        return date
    fourteen = _FOURTEEN.fullmatch(text)
    if fourteen is not None:
        return (*(_date(fourteen[1]) or ()), int(fourteen[2]), int(fourteen[3]), int(fourteen[4]))
    joined = _JOINED.fullmatch(text)
    if joined is None:
        return None
    date = _date(joined[1] or joined[3])
    clock = _CLOCK.fullmatch(joined[2] or joined[4])
    if date is None or len(date) < _DAY_PARTS or clock is None:
        return None
    parts = (*date, *(int(part) for part in clock.groups()[:3] if part is not None))
    return parts if clock[4] is None else _local(parts, clock[4])


def _date(text: str) -> tuple[int, ...] | None:
    match = _MARKED.fullmatch(text) or _DIGITS.fullmatch(text)
    if match is not None:
        return tuple(int(part) for part in match.groups() if part is not None)
    match = _PARTED.fullmatch(text)
    if match is not None:
        return tuple(int(match[i]) for i in (1, 3, 4) if match[i] is not None)
    return None


def _local(parts: tuple[int, ...], zone: str) -> tuple[int, ...] | None:
    offset = "+00:00" if zone == "z" else zone
    written = "-".join(f"{n:02d}" for n in (parts[1], parts[2]))
    clock = ":".join(f"{n:02d}" for n in (*parts[3:], 0, 0)[:3])
    try:
        there = datetime.fromisoformat(f"{parts[0]:04d}-{written}T{clock}{offset}").astimezone(SHANGHAI)
    except (ValueError, OverflowError):
        return None
    return there.timetuple()[: max(len(parts), 5)]


def _arabic(match: re.Match[str]) -> str:
    """A number in Chinese numerals: read off digit by digit (二〇二四), or with tens (二十一, 廿一)."""
    text = "".join(_TENS.get(c, c) for c in match[0])
    if "十" not in text:
        return "".join(str(_NUMERALS[c]) for c in text)
    tens, _, ones = text.partition("十")
    if len(tens.lstrip("〇零")) > 1 or len(ones) > 1 or "十" in ones:
        return text  # no number below a hundred
    first = tens.lstrip("〇零")
    return str((_NUMERALS[first] if first else 1) * 10 + (_NUMERALS[ones] if ones else 0))
