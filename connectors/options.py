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
    try:
        value = float(settings.get(name, "") or default)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConnectorSettingsError(problem="setting_invalid", where=where, name=name, expected="seconds > 0")
    return value


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
