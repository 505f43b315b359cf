r"""The ``exchange`` kind: a front-end exchange table (前置库), filled by a department in batches; we tell what we took.

Leaves reaching the database to `connectors.sqlalchemy_source` (settings as there), parts to `connectors.streamed`, and
taking each row once to `warehouse`.

Options: ``batch_column``, the number of the batch in each row (in the list it is the resource's cursor field);
``flag_column``, and its values ``ready`` (0) and ``taken`` (1): a row with any other is still being written;
``taken_at_column``, which then gets the time. With ``control_table`` flag and time are columns of that table, which has
a row for each batch (``control_batch_column``, named as the batch column by default) and in ``rows_column`` the number
of its rows, which must be there.

Batches are taken in their order, none before one that is still being written. A read without a cursor is a whole one:
batches that were taken before come too (option ``whole=ready``: they do not). With a cursor come the batches that are
ready and not in it. The cursor names the batches of which the source is still to be told, each with its rows.

Reading writes nothing. `ExchangeConnector.acknowledge` sets the flag of exactly the batches of the cursor, one by one;
a batch whose rows are not as many as were read is left as it is, and comes again as a whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from connectors import options as opt
from connectors import streamed
from connectors.errors import SourceIncompleteError, SourceShapeError
from connectors.headings import normal
from connectors.relational import SourceColumn
from connectors.sqlalchemy_source import Database, statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from connectors.protocol import Batch, ReadRequest
    from connectors.sqlalchemy_source import Table

# Lists in SQL have an end (1,000 in Oracle); what is beyond comes with the next read.
MOST_BATCHES = 500


class ExchangeConnector:
    """See the module; promises of `connectors.protocol.Connector` and `Acknowledges`, landing in parts."""

    kind = "exchange"

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str]) -> None:
        self._database = Database(settings, secrets, self.kind)

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """The columns of the table, those of the exchange itself too."""
        del options
        with self._database.table(object) as table:
            return tuple(column.name for column in table.columns)

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land the batches that are ready; see the module and `connectors.protocol.Connector.read`."""
        said = _Said.of(request.options, self.kind)
        known = _batches(request.cursor, self.kind)
        with self._database.table(request.object) as table:
            exchange = _Exchange(self._database, table, said)
            if request.window is not None:
                # A range of batches, taken or not; who asks for it twice gets it twice.
                batch = streamed.read(request, into, table, condition=exchange.finished())
                return replace(batch, extra=exchange.beside(batch.extra))
            every = request.cursor is None and said.whole
            found = exchange.batches(every=every)
            pending = {one.number: one.ready for one in found if one.ready and known.get(one.number) == one.ready}
            taken = [one for one in found if one.number not in pending]
            waiting = {one.number: one.ready for one in taken if one.ready}
            # The batches are part of the question: a read that broke off goes on only where they are the same.
            options = {**request.options, "batches": _written({one.number: one.rows for one in taken})}
            asked = replace(request, cursor=None, cursor_column="", options=options)
            condition = exchange.finished() if every else exchange.rows_of(waiting)
            batch = streamed.read(asked, into, table, condition=condition)
            now = (table.ask(f"SELECT {table.dialect.now(SourceColumn('', '', 'timestamp'))}") or ("",))[0] or ""
        total = sum(one.rows for one in taken)
        if batch.rows != total:
            raise SourceIncompleteError(problem="rows_missing", where=table.where, total=total, found=batch.rows)
        cursor = request.cursor
        if taken or cursor is None:
            # The moment has no meaning but to be later than that of every cursor before.
            now, before = now.replace(" ", "T"), (cursor or "").partition(" ")[0]
            cursor = f"{now if now > before else before + '0'} {_written(pending | waiting)}"
        return replace(batch, cursor=cursor, extra=exchange.beside(batch.extra))

    def acknowledge(self, object: str, options: Mapping[str, str], cursor: str | None) -> None:  # noqa: A002  # as above
        """Set the flag of the batches of *cursor*. A crash within leaves whole batches told and others not: tell again.

        Raises:
            ConnectorError: the database refused; nothing but whole batches was told.
        """
        said = _Said.of(options, self.kind)
        with self._database.table(object, read_only=False) as table:
            exchange = _Exchange(self._database, table, said)
            for number, rows in _batches(cursor, self.kind).items():
                exchange.tell(number, rows)


@dataclass(frozen=True, slots=True)
class _Found:
    """A batch that may be taken: its rows that are to come, and of how many of them the source is to be told."""

    number: str
    rows: int
    ready: int


@dataclass(frozen=True, slots=True)
class _Said:
    """The options."""

    batch: str
    flag: str
    ready: str
    taken: str
    taken_at: str
    control: str
    control_batch: str
    rows: str
    whole: bool

    @classmethod
    def of(cls, options: Mapping[str, str], where: str) -> _Said:
        batch = opt.required(options, "batch_column", where)
        control = options.get("control_table", "")
        return cls(
            batch,
            opt.required(options, "flag_column", where),
            options.get("ready", "") or "0",
            options.get("taken", "") or "1",
            options.get("taken_at_column", ""),
            control,
            options.get("control_batch_column", "") or batch,
            opt.required(options, "rows_column", where) if control else "",
            opt.choice(options, "whole", ("all", "ready"), where) == "all",
        )


class _Exchange:
    """The table, where its flags are, and what they say."""

    def __init__(self, database: Database, table: Table, said: _Said) -> None:
        self._table = table
        self._said = said
        self._flags = table
        if said.control:
            where = database.where(said.control)
            self._flags = database.found(table.connection, said.control, where)
        self._batch = self._column(table, said.batch)
        self._number = self._column(self._flags, said.control_batch if said.control else said.batch)
        self._flag = self._column(self._flags, said.flag)
        words = self._flags.dialect
        flag = words.name(self._flag.name)
        values = {"ready": said.ready, "taken": said.taken}
        self._is = {name: f"{flag} = {words.literal(value, self._flag)}" for name, value in values.items()}

    @staticmethod
    def _column(table: Table, name: str) -> SourceColumn:
        found = next((column for column in table.columns if normal(column.name) == normal(name)), None)
        if found is None:
            names = "、".join(f"`{column.name}`" for column in table.columns)
            raise SourceShapeError(
                problem="columns_missing", where=table.where, missing=f"`{name}`", found=names, guess="—"
            )
        return found

    def beside(self, extra: Sequence[str]) -> tuple[str, ...]:
        """The columns that the list does not know, without those of the exchange itself."""
        own = {normal(name) for name in (self._said.batch, self._said.flag, self._said.taken_at)}
        return tuple(heading for heading in extra if normal(heading) not in own)

    def finished(self) -> str:
        """The condition of the rows that are no longer being written, taken or not."""
        either = " OR ".join(self._is.values())
        if not self._said.control:
            return either
        return f"{self._in_rows()} IN (SELECT {self._in_flags()} FROM {self._flags.sql} WHERE {either})"

    def rows_of(self, numbers: Iterable[str]) -> str:
        """The condition of the rows of the batches *numbers*, of which the source is still to be told."""
        given = ", ".join(self._table.dialect.literal(number, self._batch) for number in numbers)
        if not given:
            return "1 = 0"
        mine = f"{self._in_rows()} IN ({given})"
        return mine if self._said.control else f"{mine} AND {self._is['ready']}"

    def batches(self, *, every: bool) -> list[_Found]:
        """The batches to be had, in their order: those that are ready, or *every* one that is finished.

        Raises:
            SourceIncompleteError: a batch is being written and a whole read must not do without it, or there is no
                other; or a batch has fewer or more rows than was said.
            SourceShapeError: rows without the number of a batch.
        """
        number, flag, ready = self._in_flags(), self._in_flags(self._flag), self._is["ready"]
        wanted = " OR ".join(self._is.values()) if every else ready
        rows = f"max({self._flags.dialect.name(self._said.rows)})" if self._said.control else "count(*)"
        counts = ", ".join(f"sum(CASE WHEN {condition} THEN 1 ELSE 0 END)" for condition in (wanted, ready))
        query = f"SELECT {number}, count(*), {rows}, {counts} FROM {self._flags.sql}"
        if not every:
            query += f" WHERE NOT ({self._is['taken']}) OR {flag} IS NULL"
        found: list[_Found] = []
        unfinished = ""
        for batch, there, said, done, waiting in _lines(self._flags, f"{query} GROUP BY {number} ORDER BY {number}"):
            if batch is None:
                raise SourceShapeError(problem="batch_missing", where=self._flags.where, rows=int(there or 0))
            if done != there:
                unfinished = batch
                break
            count = int(said or 0)
            found.append(_Found(batch, count, count if self._said.control and waiting != "0" else int(waiting or 0)))
        if unfinished and (every or not found):
            raise SourceIncompleteError(problem="batch_unfinished", where=self._flags.where, batch=unfinished)
        found = found if every else found[:MOST_BATCHES]
        return self._checked(found) if self._said.control else found

    def _checked(self, found: Sequence[_Found]) -> list[_Found]:
        """Compare what the control table says of each batch with the rows that are there.

        Of one that was taken before, the department may have cleared some away since.
        """
        query = f"SELECT {self._in_rows()}, count(*) FROM {self._table.sql} GROUP BY {self._in_rows()}"
        there = {number: int(rows or 0) for number, rows in _lines(self._table, query)}
        for one in found:
            if one.ready and there.get(one.number, 0) != one.rows:
                where, rows = f"{self._table.where}#{one.number}", there.get(one.number, 0)
                raise SourceIncompleteError(problem="rows_missing", where=where, total=one.rows, found=rows)
        return [replace(one, rows=there.get(one.number, 0)) for one in found]

    def tell(self, number: str, rows: int) -> None:
        """Set the flag of one batch, if it still is what was read, in a transaction of its own."""
        said, words, connection = self._said, self._flags.dialect, self._table.connection
        values = [f"{self._in_flags(self._flag)} = {words.literal(said.taken, self._flag)}"]
        if said.taken_at:
            at = self._column(self._flags, said.taken_at)
            values.append(f"{words.name(at.name)} = {words.now(at)}")
        there = self._table.ask(f"SELECT count(*) FROM {self._table.sql} WHERE {self.rows_of([number])}")
        changed = 0
        if there == (str(rows),):
            mine = f"{self._in_flags()} = {words.literal(number, self._number)} AND {self._is['ready']}"
            update = statement(f"UPDATE {self._flags.sql} SET {', '.join(values)} WHERE {mine}")
            changed = connection.execute(update).rowcount
        # What the department added in this moment was not read: then the batch stays as it is, and comes again whole.
        if changed in {-1, 1 if said.control else rows}:
            connection.commit()
        else:
            connection.rollback()

    def _in_rows(self) -> str:
        return self._table.dialect.name(self._batch.name)

    def _in_flags(self, column: SourceColumn | None = None) -> str:
        return self._flags.dialect.name((column or self._number).name)


def _lines(table: Table, query: str) -> list[tuple[str | None, ...]]:
    return [line for arrays in table.rows(query, ()) for line in zip(*(a.to_pylist() for a in arrays), strict=True)]


def _batches(cursor: str | None, where: str) -> dict[str, int]:
    """The batches that a cursor names."""
    if cursor is None:
        return {}
    try:
        said = json.loads(cursor[cursor.index("{") :])
        return {str(number): int(rows) for number, rows in said.items()}
    except (ValueError, TypeError, AttributeError):
        raise SourceShapeError(problem="cursor_unfit", where=where, detail="batches") from None


def _written(batches: Mapping[str, int]) -> str:
    return json.dumps(dict(sorted(batches.items())), ensure_ascii=False, separators=(",", ":"))
