"""What a load is asked to do beyond the usual: the whole resource again, a range of days, the rejected rows, a trial.

Doing it is `hub.ingestion`; who asks (a schedule, a form, the command line) makes no difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self

from catalog.model import FieldKind
from hub.errors import OrderInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.model import InformationResource

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Sources that compare texts write a space or a T before the time; the T comes after both.
_END_OF_DAY: Final = "T23:59:59.999999"


class Mode(StrEnum):
    """``usual``: since the cursor, or whole where there is none. ``full``: the whole resource whatever the cursor.

    ``window``: the rows of a range of the cursor field, the cursor untouched. ``replay``: what lies rejected now.
    """

    USUAL = "usual"
    FULL = "full"
    WINDOW = "window"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """One order. *first* and *last* (both included, "" for open) belong to ``window``.

    A *dry_run* reads and checks, and commits nothing. *accept* are the marks of findings about the batch as a whole
    that a person lets pass (see `warehouse.quality`).
    """

    mode: Mode = Mode.USUAL
    first: str = ""
    last: str = ""
    dry_run: bool = False
    accept: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: Mapping[str, Any], *, day: str = "") -> Self:
        """The order that a form or a backfill gives.

        Parameters: ``full``, ``since``, ``until``, ``replay``, ``dry_run``, ``accept`` (marks, parted by commas).
        *day* (YYYY-MM-DD) is the partition of a backfilled run: a window of that one day.

        Raises:
            OrderInvalidError: the parameters contradict each other, or a day is none.
        """
        first, last = str(params.get("since") or day or ""), str(params.get("until") or day or "")
        asked = [Mode.WINDOW] if first or last else []
        asked += [mode for mode in (Mode.FULL, Mode.REPLAY) if params.get(mode.value)]
        if len(asked) > 1:
            raise OrderInvalidError(
                why="full, replay and a range exclude each other", why_zh="全量、重放与区间不能同时选择"
            )
        if first and last and first > last:
            raise OrderInvalidError(why="the range ends before it begins", why_zh="区间的结束早于开始")
        return cls(asked[0] if asked else Mode.USUAL, first, last, bool(params.get("dry_run")), _marks(params))

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`."""
        return cls(Mode(plain["mode"]), plain["first"], plain["last"], plain["dry_run"], tuple(plain["accept"]))

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict, the form passed between tasks."""
        return {
            "mode": self.mode.value,
            "first": self.first,
            "last": self.last,
            "dry_run": self.dry_run,
            "accept": list(self.accept),
        }

    def window_of(self, resource: InformationResource) -> tuple[str, str] | None:
        """The range in the terms of the resource's cursor field; None where the order is for no range.

        A day stands for all of it where the field holds instants.

        Raises:
            OrderInvalidError: the resource has no cursor field, or an end of the range is no value of its type.
        """
        if self.mode is not Mode.WINDOW:
            return None
        field = resource.field(resource.source.cursor_field)
        if not resource.source.cursor_field:
            raise OrderInvalidError(
                why=f"`{resource.code}` has no cursor field, so it has no ranges; load it whole",
                why_zh=f"资源 `{resource.code}` 没有游标信息项，不能按区间归集；请全量归集",
            )
        kind = field.type.kind if field else FieldKind.STRING
        for end in (self.first, self.last):
            if end and kind in {FieldKind.DATE, FieldKind.DATETIME}:
                _moment(end, date if kind is FieldKind.DATE else datetime)
        last = self.last
        if kind is FieldKind.DATETIME and _DAY.fullmatch(last):
            last += _END_OF_DAY
        return self.first, last


def _moment(text: str, kind: type[date]) -> None:
    try:
        kind.fromisoformat(text)
    except ValueError:
        raise OrderInvalidError(
            why=f"`{text}` is no day or time (YYYY-MM-DD)", why_zh=f"`{text}` 不是日期或时间（YYYY-MM-DD）"
        ) from None


def _marks(params: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(mark.strip() for mark in str(params.get("accept") or "").split(",") if mark.strip())
