"""Take the closed range at or after the cursor from landed text, and follow the greatest value seen.

Leaves ranges that the source itself can take (SQL) to its connector, and keeping the cursor to `warehouse`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import ConnectorSettingsError, SourceShapeError

if TYPE_CHECKING:
    from connectors.protocol import ReadRequest


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
        self._old = request.cursor
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
            self._old = None if request.cursor is None else int(request.cursor)
        except ValueError:
            raise SourceShapeError(problem="numbers_expected", where=self._where, column=self._column) from None
        self._greatest = self._old

    def take(self, table: pa.Table) -> pa.Table:
        """Rows at or after the cursor, and rows without a value (never dropped unseen)."""
        texts = table.column(self._column)
        empty = pc.fill_null(pc.equal(texts, ""), fill_value=True)
        try:
            numbers = pc.cast(pc.if_else(empty, pa.scalar(None, pa.string()), texts), pa.int64())
        except pa.ArrowInvalid:
            # The cause would name the value.
            raise SourceShapeError(problem="cursor_not_integer", where=self._where, column=self._column) from None
        greatest = pc.max(numbers).as_py()
        if greatest is not None and (self._greatest is None or greatest > self._greatest):
            self._greatest, self.value = greatest, str(greatest)
        if self._old is None:
            return table
        late = pc.fill_null(pc.greater_equal(numbers, self._old), fill_value=False)
        return table.filter(pc.or_(late, empty))


ORDERS: dict[str, type[TextOrder | IntegerOrder]] = {"text": TextOrder, "integer": IntegerOrder}


def tracker(request: ReadRequest) -> Tracker:
    """The tracker that *request* asks for.

    Raises:
        ConnectorSettingsError: the cursor column is not requested, or the order is unknown.
    """
    if not request.cursor_column:
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
    return ORDERS[order](request)
