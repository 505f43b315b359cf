"""Read a setting or an option once, as what it must be.

Leaves what a setting means to its connector.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from connectors.errors import ConnectorSettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping


def required(settings: Mapping[str, str], name: str, where: str) -> str:
    """The setting *name*, which must be there."""
    value = settings.get(name, "")
    if not value:
        raise ConnectorSettingsError(problem="setting_missing", where=where, name=name)
    return value


def integer(settings: Mapping[str, str], name: str, default: int, where: str, *, least: int = 0) -> int:
    """The setting *name* as a whole number of at least *least*."""
    text = settings.get(name, "") or str(default)
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise ConnectorSettingsError(problem="setting_invalid", where=where, name=name, expected=f"≥ {least}")
    return int(text)


def seconds(settings: Mapping[str, str], name: str, default: float, where: str) -> float:
    """The setting *name* as a positive number of seconds."""
    return positive(settings, name, default, where, expected="seconds > 0")


def positive(settings: Mapping[str, str], name: str, default: float, where: str, *, expected: str = "> 0") -> float:
    """The setting *name* as a positive number."""
    try:
        value = float(settings.get(name, "") or default)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConnectorSettingsError(problem="setting_invalid", where=where, name=name, expected=expected)
    return value


def duration_s(settings: Mapping[str, str], name: str, where: str) -> tuple[int, bool] | None:
    """The setting *name*: ``15m`` (s, m, h, d) is (900, True), a plain ``100`` is (100, False); None: not set."""
    text = settings.get(name, "")
    if not text:
        return None
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(text[-1])
    digits = text if unit is None else text[:-1]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):  # noqa: PLR2004 - digits of the longest lag that means anything
        raise ConnectorSettingsError(problem="setting_invalid", where=where, name=name, expected="15m | 2h | 1d | 100")
    return int(digits) * (unit or 1), unit is not None


def switch(settings: Mapping[str, str], name: str, where: str, *, default: bool = False) -> bool:
    """The setting *name*: ``yes`` or ``no`` (``true`` and ``false``, as YAML turns them into text, mean the same)."""
    value = (settings.get(name, "") or ("yes" if default else "no")).lower()
    if value not in {"yes", "no", "true", "false"}:
        raise ConnectorSettingsError(problem="setting_invalid", where=where, name=name, expected="yes | no")
    return value in {"yes", "true"}


def choice(settings: Mapping[str, str], name: str, choices: tuple[str, ...], where: str) -> str:
    """The setting *name*, one of *choices*; the first is the default."""
    value = settings.get(name, "") or choices[0]
    if value not in choices:
        raise ConnectorSettingsError(problem="setting_invalid", where=where, name=name, expected=" | ".join(choices))
    return value


def encoding(settings: Mapping[str, str], where: str) -> str:
    """The declared encoding (default ``utf-8``) by Python's name for it."""
    name = settings.get("encoding", "") or "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise ConnectorSettingsError(
            problem="setting_invalid", where=where, name="encoding", expected="utf-8 | gb18030 | …"
        ) from None
