"""What every kind of source must keep of `connectors.protocol.Connector`, run against a small source of its own kind.

A kind gives a `SourceKind`; a test class inherits `ConnectorSuite` and sets it. What is special to one kind (paging,
zip bombs, quotes) is tested beside that kind. A kind may land one file, or a folder of parts (`connectors.parts`),
whose rows have no order and no ordinal.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.parts import read_manifest
from connectors.protocol import Batch, Column, ReadRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.protocol import Connector

Row = tuple[str | None, ...]
# Stands in values only; must never be read in a message.
SECRET = "王秘密"
HEADINGS = ("编号", "姓名", "更新")
# Full-width digits, ideographic spaces, rare characters beyond the BMP, quotes and separators: text stays as it is.
ROWS: tuple[Row, ...] = (
    ("０１", " 张 三　", "2024-01-01"),
    ("02", '李"四",x', "2024-01-03"),
    ("03", "𬱖龘", "2024-01-02"),
    ("04", SECRET, "2024-01-03"),
    ("05", "1.10", "2024-01-04"),
)


@dataclass
class Made:
    """A source that was written: how to reach it."""

    connector: Connector
    object: str
    options: Mapping[str, str] = field(default_factory=dict)


class SourceKind(ABC):
    """Writes small sources of one kind."""

    nulls = False
    """The kind can say NULL."""
    spaced_headings = True
    """A heading may hold any characters."""

    def holds(self, text: str) -> bool:
        """Whether a value of the kind can be *text* at all."""
        return True

    @abstractmethod
    def write(self, folder: Path, headings: Sequence[str], rows: Sequence[Row]) -> Made:
        """A source with these rows in *folder* (which may hold one from before)."""

    @abstractmethod
    def cut(self, made: Made, folder: Path) -> Made:
        """The same source half-written."""

    def remove(self, made: Made, folder: Path) -> Made:
        """The same source gone."""
        shutil.rmtree(folder)
        return made

    def missing_object(self, made: Made) -> str:
        """An object that the source does not hold."""
        return made.object.replace("rows", "no-such")


def request(made: Made, *columns: Column | str, cursor: str | None = None, cursor_column: str = "") -> ReadRequest:
    wanted = tuple(Column(c) if isinstance(c, str) else c for c in columns or HEADINGS)
    return ReadRequest("R1", made.object, wanted, cursor, cursor_column, made.options)


def landed(batch: Batch) -> list[tuple]:
    """The rows with their ordinal first; None for rows from parts."""
    if not batch.path.is_dir():
        return _rows(batch.path)
    manifest = read_manifest(batch.path)
    return [(None, *row) for part in manifest.parts for row in _rows(batch.path / part.file)]


def _rows(path: Path) -> list[tuple]:
    table = pq.read_table(path)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def agrees(batch: Batch, rows: Sequence[tuple]) -> bool:
    """Whether *rows* landed, each as often as it is there; from a file, in their order and with their ordinals."""
    found = landed(batch)
    if batch.path.is_dir():
        return Counter(row[1:] for row in found) == Counter(rows)
    return found == [(number, *row) for number, row in enumerate(rows, 1)]


def headings(batch: Batch) -> list[str]:
    """The landed columns, without the ordinal; the same in every part."""
    if not batch.path.is_dir():
        names = pq.read_schema(batch.path).names
        assert names[0] == "_line"
        return names[1:]
    (names,) = {tuple(pq.read_schema(path).names) for path in batch.path.glob("*.parquet")}
    return list(names)


def content(batch: Batch) -> list[bytes]:
    """All that stands at the batch's path, byte by byte."""
    files = sorted(batch.path.iterdir()) if batch.path.is_dir() else [batch.path]
    return [file.read_bytes() for file in files]


def digest(batch: Batch) -> str:
    """What the batch's digest must be."""
    if not batch.path.is_dir():
        return hashlib.sha256(batch.path.read_bytes()).hexdigest()
    manifest = read_manifest(batch.path)
    assert manifest.done
    for part in manifest.parts:
        assert part.sha256 == hashlib.sha256((batch.path / part.file).read_bytes()).hexdigest()
    return manifest.sha256


class ConnectorSuite:
    source: ClassVar[SourceKind]

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "source"
        folder.mkdir()
        return folder

    @pytest.fixture
    def into(self, tmp_path: Path) -> Path:
        return tmp_path / "staging" / "batch.parquet"

    @pytest.fixture
    def made(self, folder: Path) -> Made:
        return self.source.write(folder, HEADINGS, ROWS)

    def fails(self, made: Made, into: Path, error: type[ConnectorError], *columns: Column | str) -> ConnectorError:
        with pytest.raises(error) as caught:
            made.connector.read(request(made, *columns), into)
        # After a failure nothing stands at the name, nor half-written beside it.
        assert not into.parent.exists() or list(into.parent.iterdir()) == []
        for lang in ("en", "zh"):
            text = caught.value.text(lang)
            assert text
            assert "{" not in text
            for row in ROWS:
                assert row[1] not in text
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        return caught.value

    def test_rows_land_as_they_are_with_their_ordinal(self, made: Made, into: Path) -> None:
        batch = made.connector.read(request(made), into)
        assert agrees(batch, ROWS)
        assert (batch.path, batch.rows, batch.cursor, batch.renamed, batch.extra) == (into, len(ROWS), None, (), ())
        assert batch.sha256 == digest(batch)
        assert [p.name for p in into.parent.iterdir()] == [into.name]

    def test_what_landed_is_text_and_zstd_and_a_file_is_numbered(self, made: Made, into: Path) -> None:
        batch = made.connector.read(request(made), into)
        path = next(into.glob("*.parquet")) if into.is_dir() else into
        ordinal = [] if into.is_dir() else ["int64"]
        assert headings(batch) == [*HEADINGS]
        assert [str(kind) for kind in pq.read_schema(path).types] == [*ordinal, "string", "string", "string"]
        assert pq.ParquetFile(path).metadata.row_group(0).column(1).compression == "ZSTD"

    def test_columns_come_in_the_order_asked_for(self, made: Made, into: Path) -> None:
        batch = made.connector.read(request(made, "更新", "编号"), into)
        assert agrees(batch, [(row[2], row[0]) for row in ROWS])
        assert batch.extra == ("姓名",)

    def test_reading_twice_gives_the_same_bytes(self, made: Made, into: Path) -> None:
        first = made.connector.read(request(made), into)
        second = made.connector.read(request(made), into.with_name("again.parquet"))
        assert first.sha256 == second.sha256
        assert content(first) == content(second)

    def test_probe_tells_the_headings(self, made: Made) -> None:
        assert set(made.connector.probe(made.object, made.options)) >= set(HEADINGS)

    def test_an_alias_is_accepted_and_reported(self, made: Made, into: Path) -> None:
        batch = made.connector.read(request(made, "编号", Column("公民姓名", aliases=("名字", " 姓名 "))), into)
        assert batch.renamed == (("公民姓名", "姓名"),)
        assert agrees(batch, [row[:2] for row in ROWS])
        assert headings(batch) == ["编号", "公民姓名"]

    def test_an_unknown_rename_is_an_error_with_the_nearest_guess(self, made: Made, into: Path) -> None:
        error = self.fails(made, into, SourceShapeError, "编号", "姓名全称", "更新")
        assert error.problem == "columns_missing"
        assert "`姓名全称`" in str(error)
        assert "nearest: `姓名`" in str(error)
        assert not error.retryable

    def test_nothing_known_at_all_names_no_heading(self, made: Made, into: Path) -> None:
        error = self.fails(made, into, SourceShapeError, "甲", "乙")
        assert error.problem == "header_missing"
        assert not any(heading in str(error) for heading in HEADINGS)

    def test_an_optional_column_that_is_missing_lands_as_null(self, made: Made, into: Path) -> None:
        batch = made.connector.read(request(made, "编号", Column("备注", required=False)), into)
        assert agrees(batch, [(row[0], None) for row in ROWS])

    def test_headings_are_compared_after_nfkc(self, folder: Path, into: Path) -> None:
        if not self.source.spaced_headings:
            pytest.skip("a heading of this kind cannot be written with other characters")
        made = self.source.write(folder, ("ＩＤ ", "姓名"), [("1", "甲"), ("2", "乙")])
        batch = made.connector.read(request(made, "ID", "姓名"), into)
        assert agrees(batch, [("1", "甲"), ("2", "乙")])
        assert batch.renamed == ()

    def test_no_rows_land_as_an_empty_file(self, folder: Path, into: Path) -> None:
        made = self.source.write(folder, HEADINGS, [])
        batch = made.connector.read(request(made), into)
        assert (batch.rows, landed(batch)) == (0, [])
        assert headings(batch) == [*HEADINGS]

    def test_null_and_empty_text_are_kept_apart(self, folder: Path, into: Path) -> None:
        if not self.source.nulls:
            pytest.skip("this kind of source cannot say NULL")
        empty = "" if self.source.holds("") else None
        made = self.source.write(folder, HEADINGS, [("1", None, "a"), ("2", empty, "b")])
        batch = made.connector.read(request(made), into)
        assert agrees(batch, [("1", None, "a"), ("2", empty, "b")])

    def test_incremental_range_is_closed_and_ties_are_read_again(self, made: Made, into: Path) -> None:
        batch = made.connector.read(request(made, cursor_column="更新"), into)
        assert (batch.rows, batch.cursor) == (5, "2024-01-04")
        batch = made.connector.read(request(made, cursor="2024-01-03", cursor_column="更新"), into)
        assert {row[1] for row in landed(batch)} == {"02", "04", "05"}
        assert batch.cursor == "2024-01-04"

    def test_nothing_new_keeps_the_cursor(self, made: Made, into: Path) -> None:
        batch = made.connector.read(request(made, cursor="2025-01-01", cursor_column="更新"), into)
        assert (batch.rows, batch.cursor) == (0, "2025-01-01")

    def test_rows_without_a_cursor_value_are_never_dropped(self, folder: Path, into: Path) -> None:
        none = None if self.source.nulls else ""
        made = self.source.write(folder, HEADINGS, [("1", "甲", none), ("2", "乙", "2024-01-01")])
        batch = made.connector.read(request(made, cursor="2024-06-01", cursor_column="更新"), into)
        assert [row[1] for row in landed(batch)] == ["1"]
        assert batch.cursor == "2024-06-01"

    def test_a_cursor_column_that_is_not_asked_for_is_our_own_fault(self, made: Made, into: Path) -> None:
        with pytest.raises(ConnectorSettingsError):
            made.connector.read(request(made, "编号", cursor_column="更新"), into)

    def test_a_half_written_source_is_to_be_tried_later(self, made: Made, folder: Path, into: Path) -> None:
        error = self.fails(self.source.cut(made, folder), into, SourceIncompleteError)
        assert error.retryable

    def test_a_source_that_is_gone_is_to_be_tried_again(self, made: Made, folder: Path, into: Path) -> None:
        error = self.fails(self.source.remove(made, folder), into, SourceUnavailableError)
        assert error.retryable

    def test_an_object_the_source_lacks_is_named(self, made: Made, into: Path) -> None:
        absent = Made(made.connector, self.source.missing_object(made), made.options)
        assert not self.fails(absent, into, SourceObjectMissingError).retryable

    def test_a_failed_read_leaves_the_earlier_file_alone(self, made: Made, folder: Path, into: Path) -> None:
        before = made.connector.read(request(made), into)
        with pytest.raises(ConnectorError):
            made.connector.read(request(made, "编号", "无此列"), into)
        assert digest(before) == before.sha256
        assert [p.name for p in into.parent.iterdir()] == [into.name]

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(data=st.data())
    def test_any_text_survives(self, data: st.DataObject) -> None:
        alphabet = st.one_of(
            st.sampled_from("\",;|\t\r\n'\\ 　<&>]0９.\u00a0\ufeff\x85\u2028𬱖é"),
            st.characters(exclude_categories=["Cs"]),
        )
        text = st.text(alphabet, max_size=12).filter(self.source.holds)
        value = st.one_of(text, st.none()) if self.source.nulls else text
        # The first column is never blank: formats that have no mark for a blank record would lose it.
        key = st.text("abc甲乙丙", min_size=1, max_size=4)
        rows = data.draw(st.lists(st.tuples(key, value, value), max_size=8))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "source"
            folder.mkdir()
            made = self.source.write(folder, HEADINGS, rows)
            batch = made.connector.read(request(made), Path(name) / "batch.parquet")
            assert agrees(batch, rows)
