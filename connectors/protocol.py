"""What every kind of source promises: `Connector.read` lands one Parquet file of text and says where it got to.

Leaves how a kind is reached to its own module, and which kind to use to `connectors.registry`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

LINE_COLUMN = "_line"
"""The landed file's first column: BIGINT, the 1-based ordinal of the record within what this read took from the source.

Headings, title rows, blank lines and totals are not counted; the count runs on from one file of an object to the next.
For a SQL source or a service read since a cursor it counts the delta's records.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """One column wanted. Headings are compared after NFKC and stripping; case counts.

    *aliases* are former or local headings under which the column is accepted (and reported in `Batch.renamed`).
    A column not *required* lands as NULL when the source has no such heading. A kind that knows types may land a column
    in its *type* (a DuckDB type: VARCHAR, BIGINT, DECIMAL(p,s), DATE, TIMESTAMP, BOOLEAN) where every value that the
    source's own type can hold converts without loss, otherwise as text; "" asks for text. *field_id* is the Iceberg
    field id that a file landed in parts bears (0: none), so that it may become a data file as it is. *mask* is applied
    before anything is written (a name of `catalog.masks`; "" for none).
    """

    name: str
    aliases: tuple[str, ...] = ()
    required: bool = True
    type: str = ""
    field_id: int = 0
    mask: str = ""


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What to read. *object* is a table, glob, sheet or path, by kind; *options* are the kind's own.

    A *cursor_column* (one of *columns*) makes the read incremental: rows whose value is at or after *cursor* (closed,
    so ties are read again) and rows that have no value there. Option ``cursor_order``: ``text`` (default; ISO
    dates and zero-padded numbers order right) or ``integer``. *key* names the columns of the primary key, for chunks.

    A *window* (first, last), both text in the order of the cursor column and either of them "" for open, asks for rows
    whose value lies in it, both ends included, whatever the cursor; the batch then has no cursor (backfill).
    """

    resource: str
    object: str
    columns: tuple[Column, ...]
    cursor: str | None
    cursor_column: str = ""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    key: tuple[str, ...] = ()
    window: tuple[str, str] | None = None
    progress: Callable[[Progress], None] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a read is: rows so far, and about how many there will be (None: not known)."""

    rows: int
    about: int | None = None


@dataclass(frozen=True, slots=True)
class Measures:
    """What the source itself says of the rows of one read, taken in the same snapshot as they were.

    *columns* maps a column to its aggregates as text: ``count`` (not NULL), ``min``, ``max``, ``sum`` (numbers),
    ``distinct`` (keys); only those that were asked for (option ``measure``: ``none``, ``count``, ``columns``).
    """

    rows: int
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Batch:
    """What was landed. *cursor* is the greatest value seen, or the old one; None for a full pull.

    *path* is a file, or a folder of parts (see `connectors.parts`), of which *sha256* then covers the manifest.
    *types* maps columns to the types the source declares for them, in its own words, where it declares any.
    *absent* are requested columns that the source does not have.
    *renamed* pairs a column with the alias it was found under; *extra* are headings the request does not know
    (``#7`` for a seventh column without a heading).
    """

    path: Path
    sha256: str
    rows: int
    cursor: str | None
    renamed: tuple[tuple[str, str], ...]
    extra: tuple[str, ...]
    absent: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    measures: Measures | None = None


@runtime_checkable
class Acknowledges(Protocol):
    """A kind whose source waits to be told that a batch was taken (前置库 flags, replication slots).

    Called after the batch's commit, and again after a crash: telling twice is telling once. Never called for a batch
    that was not committed; a source not told delivers the same rows again, which the warehouse takes once.
    """

    def acknowledge(self, object: str, options: Mapping[str, str], cursor: str | None) -> None:  # noqa: A002
        """Tell the source that everything up to *cursor* is safe. Raises: ConnectorError."""


class Connector(Protocol):
    """A read-only door into one departmental system.

    Durability: when `read` returns, the file at *into* is whole and fsynced; until then nothing stands at *into* (or
    what stood there before). A crash leaves at most a temporary file beside it, which the next read to *into*
    removes. Determinism: the same source content gives the same bytes. Text: values land exactly as the source holds
    them, full-width digits and spaces included. Only an absent value is NULL; an empty text stays empty (CSV cannot
    tell the two apart: an empty field lands as empty text). Concurrency: an instance may be used by many threads,
    each reading to its own *into*.
    """

    @property
    def kind(self) -> str:
        """The name under which `connectors.registry.connect` knows this kind."""

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the list's own word
        """The headings that *object* has now, as the source writes them.

        Raises:
            ConnectorError: as `read`.
        """

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land *request* at *into*: `LINE_COLUMN` and one VARCHAR per requested column, in order; zstd Parquet.

        Raises:
            SourceUnavailableError, SourceIncompleteError: try again (later).
            SourceEncodingError, SourceShapeError, SourceObjectMissingError: mend the source or the list.
            SourceDeniedError, SourceHostileError: call a person.
            ConnectorSettingsError, LandingFailedError: our own side.
        """
