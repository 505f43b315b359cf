r"""The ``sqlalchemy`` kind: a table or view of any database that has a SQLAlchemy dialect, in parts.

Leaves reaching it, its words and its values to `connectors.sqlalchemy_source` (settings), parts to
`connectors.streamed`, and checking the values to `warehouse`.

For Oracle, SQL Server, 达梦 (DM), 人大金仓 (KingbaseES) and others; for PostgreSQL, MySQL, MariaDB and SQLite there are
kinds of their own, several times as quick and exact in what drivers do not tell (a FLOAT's digits, zero dates).

The object is ``table`` or ``schema.table``. Options: those of `connectors.relational.ReadOptions`. Values land as the
driver gives them, as text without loss (a time of day never finer than microseconds, whatever the source keeps).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors import streamed
from connectors.sqlalchemy_source import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from connectors.protocol import Batch, ReadRequest


class SqlalchemyConnector:
    """See the module; promises of `connectors.protocol.Connector`, landing in parts (`connectors.parts`)."""

    kind = "sqlalchemy"

    def __init__(self, settings: Mapping[str, str], secrets: Callable[[str], str]) -> None:
        self._database = Database(settings, secrets, self.kind)

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """The columns of the table or view."""
        del options
        with self._database.table(object) as table:
            return tuple(column.name for column in table.columns)

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land the table; see `connectors.protocol.Connector.read`."""
        with self._database.table(request.object) as table:
            return streamed.read(request, into, table)
