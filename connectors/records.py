"""Gather name-and-value records (JSON objects, XML elements) into Arrow tables of the requested columns.

Leaves parsing to each kind. Records may be sparse: a column is missing only when no record at all has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from connectors.errors import SourceEncodingError
from connectors.headings import Matching, check_missing, match

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.files import Reading

# Small enough that a batch of long records stays in memory, big enough that Arrow's fixed cost per batch vanishes.
ROWS_PER_BATCH = 20_000
# Sources have a handful of distinct sets of names; one with a set per record must not grow the memo without bound.
MOST_PLANS = 4_096


class RecordGatherer:
    """Add records one by one, drain tables; call `check` at the end."""

    def __init__(self, reading: Reading, where: str) -> None:
        self._reading = reading
        self._where = where
        self._columns = reading.request.columns
        self._plans: dict[tuple[str, ...], tuple[str | None, ...]] = {}
        self._values: list[list[str | None]] = [[] for _ in self._columns]
        self._found: set[int] = set()
        self._headings: dict[str, None] = {}
        self._rows = 0
        self._waiting = 0

    def add(self, record: Mapping[str, str | None]) -> None:
        """Add one record."""
        names = tuple(record)
        plan = self._plans.get(names) or self._plan(names)
        for values, name in zip(self._values, plan, strict=True):
            values.append(None if name is None else record[name])
        self._rows += 1
        self._waiting += 1

    def _plan(self, names: tuple[str, ...]) -> tuple[str | None, ...]:
        matching: Matching = match(self._columns, names, self._where, require=False)
        self._reading.note(matching)
        self._headings.update(dict.fromkeys(names))
        self._found.update(position for position, index in enumerate(matching.indexes) if index is not None)
        plan = tuple(None if index is None else names[index] for index in matching.indexes)
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        self._plans[names] = plan
        return plan

    def full(self) -> Iterator[pa.Table]:
        """A table when enough records wait."""
        if self._waiting >= ROWS_PER_BATCH:
            yield self._table()

    def rest(self) -> Iterator[pa.Table]:
        """What still waits; then checks that every required column was in some record.

        Raises:
            SourceShapeError: a required column was in none of the records (of at least one).
        """
        if self._waiting:
            yield self._table()
        if self._rows:
            check_missing(self._columns, self._found, list(self._headings), self._where)

    def _table(self) -> pa.Table:
        try:
            arrays = [pa.array(values, pa.string()) for values in self._values]
        except UnicodeEncodeError:
            # A lone surrogate (JSON can spell one); the cause would show the text.
            raise SourceEncodingError(problem="not_text", where=self._where) from None
        for values in self._values:
            values.clear()
        self._waiting = 0
        return pa.table(arrays, names=[column.name for column in self._columns])
