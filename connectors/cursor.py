"""Take the closed range at or after the cursor, or a window, from landed text, and follow the greatest value seen.

Leaves ranges that the source itself can take (SQL) to its connector, and keeping the cursor to `warehouse`.

Options: ``cursor_order`` (``text`` or ``integer``). Where the cursor is a time, ``cursor_time`` says how it is written
(``iso``, ``epoch_s``, ``epoch_ms``; ``cursor_zone``, default Asia/Shanghai, is that of ISO times without offset).
``lag`` reads what was before the cursor again, for rows that were written late under an earlier value: ``15m``, ``2h``,
``1d`` where the cursor is a time, a plain number where ``cursor_order=integer``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from connectors import options as opt
from connectors.errors import ConnectorSettingsError, SourceShapeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.protocol import ReadRequest

ZONE = "Asia/Shanghai"
_ISO = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:(?P<mark>[T ])(?P<time>\d\d:\d\d(?P<second>:\d\d)?)"
    r"(?:\.(?P<part>\d{1,9}))?(?P<offset>Z|[+-]\d\d:?\d\d)?)?"
)


class Tracker(Protocol):
    """Sees every batch in order; `take` returns the rows to land, `value` is then the cursor."""

    @property
    def value(self) -> str | None:
        """The greatest cursor value seen so far, or the old cursor."""

    def take(self, table: pa.Table) -> pa.Table:
        """The rows of *table* in the range."""


class FullPull:
    """No cursor: every row, value None."""

    value: str | None = None

    def take(self, table: pa.Table) -> pa.Table:
        """All of *table*."""
        return table


class TextOrder:
    """Values order by code point, as ISO 8601 dates and zero-padded numbers should."""

    def __init__(self, request: ReadRequest) -> None:
        self._column = request.cursor_column
        self._where = request.object
        self.value = request.cursor
        self._old = since(request)
        self._digits: int | None = None

    def take(self, table: pa.Table) -> pa.Table:
        """Rows at or after the cursor, and rows without a value (never dropped unseen)."""
        values = table.column(self._column)
        empty = pc.fill_null(pc.equal(values, ""), fill_value=True)
        present = values.filter(pc.invert(empty))
        self._check_comparable(present)
        greatest = pc.max(present).as_py() if len(present) else None
        if greatest is not None and (self.value is None or greatest > self.value):
            self.value = greatest
        if self._old is None:
            return table
        late = pc.fill_null(pc.greater_equal(values, self._old), fill_value=False)
        return table.filter(pc.or_(late, empty))

    def _check_comparable(self, present: pa.ChunkedArray) -> None:
        """Refuse "9" and "10": as text they would order the wrong way round, and rows would be lost in silence."""
        numbers = present.filter(pc.match_substring_regex(present, "^[0-9]+$"))
        if not len(numbers):
            return
        lengths = pc.min_max(pc.utf8_length(numbers)).as_py()
        old = self._old if self._old is not None and self._old.isdigit() else None
        known = {n for n in (self._digits, len(old) if old else None, lengths["min"], lengths["max"]) if n is not None}
        if len(known) > 1:
            raise SourceShapeError(problem="cursor_needs_order", where=self._where, column=self._column)
        self._digits = known.pop()


class IntegerOrder:
    """Values are whole numbers (ids, versions, epoch seconds) of any length up to 64 bits."""

    def __init__(self, request: ReadRequest) -> None:
        self._column = request.cursor_column
        self._where = request.object
        self.value = request.cursor
        try:
            known = None if request.cursor is None else int(request.cursor)
            self._old = None if known is None else int(since(request) or known)
        except ValueError:
            raise SourceShapeError(problem="numbers_expected", where=self._where, column=self._column) from None
        self._greatest = known

    def take(self, table: pa.Table) -> pa.Table:
        """Rows at or after the cursor, and rows without a value (never dropped unseen)."""
        numbers = self._numbers(table)
        greatest = pc.max(numbers).as_py()
        if greatest is not None and (self._greatest is None or greatest > self._greatest):
            self._greatest, self.value = greatest, str(greatest)
        if self._old is None:
            return table
        late = pc.fill_null(pc.greater_equal(numbers, self._old), fill_value=True)
        return table.filter(late)

    def _numbers(self, table: pa.Table) -> pa.ChunkedArray:
        texts = table.column(self._column)
        empty = pc.fill_null(pc.equal(texts, ""), fill_value=True)
        try:
            return pc.cast(pc.if_else(empty, pa.scalar(None, pa.string()), texts), pa.int64())
        except pa.ArrowInvalid:
            # The cause would name the value.
            raise SourceShapeError(problem="cursor_not_integer", where=self._where, column=self._column) from None


class TextWindow(TextOrder):
    """The rows whose value lies between two texts, both included; rows without a value belong to no window."""

    def __init__(self, request: ReadRequest, first: str, last: str) -> None:
        super().__init__(request)
        self.value = self._old = None
        self._first, self._last = first, last

    def take(self, table: pa.Table) -> pa.Table:
        """Rows inside the window; the cursor stays None, for a window moves none."""
        values = table.column(self._column)
        present = values.filter(pc.fill_null(pc.not_equal(values, ""), fill_value=False))
        ends = [end for end in (self._first, self._last) if end]
        self._check_comparable(pa.chunked_array([*present.chunks, pa.array(ends, pa.string())], pa.string()))
        inside = pc.not_equal(values, "")
        if self._first:
            inside = pc.and_(inside, pc.greater_equal(values, self._first))
        if self._last:
            inside = pc.and_(inside, pc.less_equal(values, self._last))
        return table.filter(pc.fill_null(inside, fill_value=False))


class IntegerWindow(IntegerOrder):
    """The same for whole numbers."""

    def __init__(self, request: ReadRequest, first: str, last: str) -> None:
        super().__init__(request)
        self.value = None
        try:
            self._ends = (int(first) if first else None, int(last) if last else None)
        except ValueError:
            raise SourceShapeError(problem="numbers_expected", where=self._where, column=self._column) from None

    def take(self, table: pa.Table) -> pa.Table:
        """Rows inside the window; the cursor stays None, for a window moves none."""
        numbers = self._numbers(table)
        inside = pc.is_valid(numbers)
        first, last = self._ends
        if first is not None:
            inside = pc.and_(inside, pc.greater_equal(numbers, first))
        if last is not None:
            inside = pc.and_(inside, pc.less_equal(numbers, last))
        return table.filter(pc.fill_null(inside, fill_value=False))


@dataclass(frozen=True, slots=True)
class CursorTime:
    """How the times of a cursor column are written; see the module."""

    form: str
    zone: ZoneInfo

    @classmethod
    def of(cls, options: Mapping[str, str], where: str) -> CursorTime | None:
        """What the options say, None where the cursor is no time.

        Raises:
            ConnectorSettingsError: an option is not one of its words.
        """
        form = opt.choice(options, "cursor_time", ("none", "iso", "epoch_s", "epoch_ms"), where)
        name = options.get("cursor_zone", "") or ZONE
        try:
            zone = ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            raise ConnectorSettingsError(
                problem="setting_invalid", where=where, name="cursor_zone", expected="Asia/Shanghai | …"
            ) from None
        return None if form == "none" else cls(form, zone)

    def read(self, text: str) -> datetime | None:
        """The moment that *text* means, None where it is none (the source's own slip, which ends nothing)."""
        try:
            if self.form != "iso":
                return datetime.fromtimestamp(int(text) / (1000 if self.form == "epoch_ms" else 1), UTC)
            if not _ISO.fullmatch(text):
                return None
            moment = datetime.fromisoformat(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)
        except (ValueError, OverflowError, OSError):
            return None

    def write(self, moment: datetime, like: str) -> str:
        """*moment* written as *like* is (day or time, its digits and its offset), never later than it."""
        if self.form != "iso":
            scale = 1000 if self.form == "epoch_ms" else 1
            # A stored cursor of ten digits orders as text against others of ten.
            return str(int(moment.timestamp() * scale)).zfill(len(like))
        found = _ISO.fullmatch(like)
        same = self.read(like)
        if found is None or same is None:
            return like
        local = moment.astimezone(same.tzinfo)
        if found["mark"] is None:
            return f"{local:%Y-%m-%d}"
        part = f"{local.microsecond:06}".ljust(9, "0")[: len(found["part"])] if found["part"] else ""
        clock = f"{local:%H:%M:%S}" if found["second"] else f"{local:%H:%M}"
        return f"{local:%Y-%m-%d}{found['mark']}{clock}{'.' if part else ''}{part}{found['offset'] or ''}"


def since(request: ReadRequest) -> str | None:
    """The value from which *request* reads: its cursor less the lag that its options ask for.

    Raises:
        ConnectorSettingsError: a lag that does not fit what the options say of the cursor.
    """
    lag = opt.duration_s(request.options, "lag", request.resource)
    if request.cursor is None or lag is None:
        return request.cursor
    amount, is_time = lag
    if not is_time and request.options.get("cursor_order") == "integer":
        return str(int(request.cursor) - amount) if request.cursor.lstrip("-").isdigit() else request.cursor
    time = CursorTime.of(request.options, request.resource)
    if time is None or not is_time:
        raise ConnectorSettingsError(
            problem="setting_invalid",
            where=request.resource,
            name="lag",
            expected="15m, cursor_time=iso | 100, cursor_order=integer",
        )
    then = time.read(request.cursor)
    return request.cursor if then is None else time.write(then - timedelta(seconds=amount), request.cursor)


def not_beyond(request: ReadRequest, cursor: str | None, moment: datetime | None) -> str | None:
    """*cursor*, but no later than the source's own clock said (*moment*), nor earlier than the cursor of *request*.

    A row dated ahead (a wrong clock at the source, set right later) would otherwise move the cursor past rows that are
    still to be written. Such a row is read again until its time has come; the warehouse takes it once.
    """
    time = CursorTime.of(request.options, request.resource)
    value = None if cursor is None or time is None else time.read(cursor)
    if cursor is None or time is None or moment is None or value is None or value <= moment:
        return cursor
    capped = time.write(moment, cursor)
    old = None if request.cursor is None else time.read(request.cursor)
    return request.cursor if old is not None and old > moment else capped


ORDERS: dict[str, type[TextOrder | IntegerOrder]] = {"text": TextOrder, "integer": IntegerOrder}
WINDOWS: dict[str, type[TextWindow | IntegerWindow]] = {"text": TextWindow, "integer": IntegerWindow}


def tracker(request: ReadRequest) -> Tracker:
    """The tracker that *request* asks for.

    Raises:
        ConnectorSettingsError: the cursor column is not requested (a window needs one), or the order is unknown.
    """
    if not request.cursor_column and request.window is None:
        return FullPull()
    if request.cursor_column not in {column.name for column in request.columns}:
        raise ConnectorSettingsError(
            problem="setting_invalid", where=request.resource, name="cursor_column", expected="one of the columns"
        )
    order = request.options.get("cursor_order", "text")
    if order not in ORDERS:
        raise ConnectorSettingsError(
            problem="setting_invalid", where=request.resource, name="cursor_order", expected="text | integer"
        )
    if request.window is not None:
        return WINDOWS[order](request, *request.window)
    return ORDERS[order](request)
