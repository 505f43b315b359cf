"""Numbers, times and sizes as people read them, in both languages."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Final

from markupsafe import Markup

from catalog.clock import SHANGHAI
from hub.plurals import agreed

# The steps of Chinese numbers; below them a number is short enough as it is.
_WAN: Final = 10_000
_YI: Final = 100_000_000
_UNITS: Final = ("B", "KB", "MB", "GB", "TB")
_KILO: Final = 1024
_QUOTED: Final = re.compile("`([^`]*)`")


def short_number(value: float, lang: str) -> str:
    """*value* for reading: ``569.7 万``, ``18.3 亿`` in Chinese, ``5,697,000`` in English."""
    if lang == "zh" and abs(value) >= _WAN:
        size, word = (_YI, "亿") if abs(value) >= _YI else (_WAN, "万")
        text = f"{float(value) / size:,.1f}".removesuffix(".0")
        return f"{text} {word}"
    return exact_number(value)


def exact_number(value: float) -> str:
    """*value* in full, by thousands."""
    return f"{value:,}"


def number(value: float | None, lang: str) -> Markup:
    """`short_number` with the exact value at hand; a dash where there is none."""
    if value is None:
        return Markup("–")
    short, exact = short_number(value, lang), exact_number(value)
    if short == exact:
        return Markup('<data value="{}">{}</data>').format(value, exact)
    return Markup('<data value="{}" title="{}">{}</data>').format(value, exact, short)


def counted(text: str, count: int) -> str:
    """*text* with *count* at its ``%s``, agreeing with it as `hub.plurals` says."""
    return agreed(text, count) % exact_number(count)


def percent(part: float, whole: float) -> str:
    """*part* of *whole* in percent, one place; a dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def local(value: datetime | str) -> datetime:
    """The instant as the city's clocks have it."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.astimezone(SHANGHAI)


def moment(value: datetime | str | None) -> Markup:
    """An instant to the minute, with the exact one for programs; a dash where there is none."""
    if not value:
        return Markup("–")
    at = local(value)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M}")


def day(value: datetime | date | str | None) -> Markup:
    """A day; a dash where there is none."""
    if not value:
        return Markup("–")
    if isinstance(value, str) and len(value) == len("2026-01-01"):
        value = date.fromisoformat(value)
    found = local(value) if isinstance(value, datetime | str) else value
    return Markup('<time datetime="{0}">{0}</time>').format(f"{found:%Y-%m-%d}")


def size(value: int) -> str:
    """A number of bytes in the unit that leaves at most four digits."""
    amount, unit = float(value), 0
    while amount >= _KILO and unit < len(_UNITS) - 1:
        amount, unit = amount / _KILO, unit + 1
    return f"{amount:.0f} {_UNITS[unit]}" if unit == 0 or amount >= 10 else f"{amount:.1f} {_UNITS[unit]}"  # noqa: PLR2004


def quoted(text: str) -> str:
    """*text* with quotation marks where messages, which are for the command line too, have backticks."""
    return _QUOTED.sub("“\\1”", text)
