"""How a material stands, in words: as it is now, for people who look for one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Standing(StrEnum):
    """How a material stands; the first that fits, from void on."""

    STANDS = "stands"
    ENDED = "ended"
    VOID = "void"
    GONE = "gone"


# (English, Chinese).
STANDINGS: Final[Mapping[Standing, tuple[str, str]]] = {
    Standing.STANDS: ("usable", "可用"),
    Standing.ENDED: ("out of time", "已过有效期"),
    Standing.VOID: ("void", "已作废"),
    Standing.GONE: ("file let go", "文件已清除"),
}


def standing_of(view: Mapping[str, Any], at: datetime) -> Standing:
    """How the material that `hub.materials.rows.view` tells of stands at *at* (aware)."""
    if view["voided_at"]:
        return Standing.VOID
    if view["erased_at"]:
        return Standing.GONE
    ended = view["valid_until"] is not None and datetime.fromisoformat(view["valid_until"]) <= at
    return Standing.ENDED if ended else Standing.STANDS
