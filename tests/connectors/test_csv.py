from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import delimited
from connectors.errors import (
    ConnectorSettingsError,
    SourceEncodingError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
)
from connectors.protocol import Batch, Column, ReadRequest
from connectors.registry import connect
from tests.connectors.kinds import no_secrets
from tests.contracts.connector_suite import landed

HEAD = "id,name\n"


def read(folder: Path, into: Path, *columns: str, glob: str = "*.csv", **options: str) -> Batch:
    wanted = tuple(Column(name) for name in columns or ("id", "name"))
    request = ReadRequest("R", glob, wanted, None, "", options)
    return connect("csv", {"folder": str(folder)}, no_secrets).read(request, into)


def rows(folder: Path, into: Path, text: str | bytes, *columns: str, **options: str) -> list[tuple]:
    (folder / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return [row[1:] for row in landed(read(folder, into, *columns, **options))]


@pytest.mark.parametrize(
    "text",
    [
        "id,name\n1,甲\n2,乙\n",
        "id,name\r\n1,甲\r\n2,乙\r\n",
        "id,name\r1,甲\r2,乙\r",
        "\ufeffid,name\n1,甲\n2,乙\n",
        '"id","name"\n"1","甲"\n2,"乙"\n',
        "id,name\n\n1,甲\n\n\n2,乙\n\n",
    ],
)
def test_line_ends_marks_and_blank_lines(folder: Path, into: Path, text: str) -> None:
    assert rows(folder, into, text) == [("1", "甲"), ("2", "乙")]


def test_quoted_line_ends_quotes_and_delimiters(folder: Path, into: Path) -> None:
    text = 'id,"na\nme"\n1,"a\r\nb"\n2,"x""y, z"\n3,""\n4,\n'
    (folder / "a.csv").write_bytes(text.encode())
    batch = read(folder, into, "id", "na\nme")
    assert [row[2] for row in landed(batch)] == ["a\r\nb", 'x"y, z', "", ""]


def test_gb18030_mark_at_the_beginning_is_not_part_of_the_heading(folder: Path, into: Path) -> None:
    data = "\ufeffid,name\n1,𬱖\n".encode("gb18030")
    assert rows(folder, into, data, encoding="gb18030") == [("1", "𬱖")]


@pytest.mark.parametrize(
    ("delimiter", "mark"), [("tab", "\t"), ("|", "|"), ("^", "^"), (";", ";"), ("-", "-"), ("]", "]")]
)
def test_delimiters(folder: Path, into: Path, delimiter: str, mark: str) -> None:
    text = f'id{mark}name\n1{mark}"a{mark}b"\n2{mark}c,d\n'
    assert rows(folder, into, text, delimiter=delimiter) == [("1", f"a{mark}b"), ("2", "c,d")]


@pytest.mark.parametrize("delimiter", ["||", '"', "，", "\n"])
def test_a_delimiter_that_cannot_be_is_our_own_fault(folder: Path, into: Path, delimiter: str) -> None:
    with pytest.raises(ConnectorSettingsError):
        rows(folder, into, HEAD, delimiter=delimiter)


def test_one_column_files_keep_their_empty_values(folder: Path, into: Path) -> None:
    assert rows(folder, into, "id\n1\n\n3\n", "id") == [("1",), ("",), ("3",)]


@pytest.mark.parametrize("rest", ["", "\n\n", "\r\n"])
def test_a_file_of_headings_alone_holds_no_rows(folder: Path, into: Path, rest: str) -> None:
    assert rows(folder, into, HEAD + rest) == []


@pytest.mark.parametrize(
    ("row", "found"), [("3,秘,x", 3), ("3", 1), ("3,秘,", 3), ('"秘"', 1), ('""', 1)], ids=range(5)
)
def test_a_ragged_row_fails_the_read_and_names_the_line(folder: Path, into: Path, row: str, found: int) -> None:
    with pytest.raises(SourceShapeError) as caught:
        rows(folder, into, f'{HEAD}1,"a\nb"\n\n2,c\n{row}\n4,d\n')
    assert caught.value.params == {"problem": "ragged_row", "where": "a.csv:6", "expected": 2, "found": found}
    assert "秘" not in caught.value.text("zh")
    assert not into.exists()


@pytest.mark.parametrize("far", [0, 400_000])
def test_a_ragged_row_far_down_is_found_too(folder: Path, into: Path, far: int) -> None:
    text = HEAD + "1,abcdefghijkl\n" * far + "秘\n" + "2,x\n" * 3
    with pytest.raises(SourceShapeError) as caught:
        rows(folder, into, text)
    assert caught.value.where == f"a.csv:{far + 2}"


@pytest.mark.parametrize("tail", ["2", '2,"乙', '2,"乙\n丙'])
def test_a_last_record_that_is_cut_is_incomplete(folder: Path, into: Path, tail: str) -> None:
    with pytest.raises(SourceIncompleteError) as caught:
        rows(folder, into, HEAD + "1,甲\n" + tail)
    assert caught.value.where == "a.csv:3"


def test_a_file_cut_inside_its_headings_is_incomplete(folder: Path, into: Path) -> None:
    with pytest.raises(SourceIncompleteError):
        rows(folder, into, "id,na")
    with pytest.raises(SourceIncompleteError):
        rows(folder, into, 'id,"na')


def test_a_file_cut_inside_a_character_is_incomplete(folder: Path, into: Path) -> None:
    with pytest.raises(SourceIncompleteError) as caught:
        rows(folder, into, (HEAD + "1,甲").encode()[:-1])
    assert caught.value.problem == "cut_in_character"


def test_a_last_line_without_its_end_is_incomplete_unless_that_is_how_its_system_writes(
    folder: Path, into: Path
) -> None:
    assert rows(folder, into, HEAD + "1,甲", final_newline="optional") == [("1", "甲")]
    with pytest.raises(SourceIncompleteError, match="final_newline=optional"):
        rows(folder, into, HEAD + "1,甲")
    assert rows(folder, into, HEAD + "1,甲\n") == [("1", "甲")]


@pytest.mark.parametrize("row", ['2,"乙"丙', '2,"说"好"的"', '""乙,x'])
def test_quotes_that_would_lose_text_are_refused(folder: Path, into: Path, row: str) -> None:
    with pytest.raises(SourceShapeError) as caught:
        rows(folder, into, f'{HEAD}1,"a\nb"\n{row}\n3,c\n')
    assert (caught.value.problem, caught.value.where) == ("bad_quoting", "a.csv:4")


def test_a_quote_inside_an_unquoted_field_is_text(folder: Path, into: Path) -> None:
    assert rows(folder, into, HEAD + '1,a"b"\n2,c"\n') == [("1", 'a"b"'), ("2", 'c"')]


def test_an_unclosed_quote_cannot_swallow_a_big_file(folder: Path, into: Path) -> None:
    text = HEAD + '1,"open\n' + "2,abcdefghijklmnop\n" * 300_000
    with pytest.raises(SourceShapeError) as caught:
        rows(folder, into, text)
    assert (caught.value.problem, caught.value.where) == ("record_too_long", "a.csv:2")


def test_bytes_of_another_encoding_are_named_by_offset_and_line(folder: Path, into: Path) -> None:
    good = (HEAD + "1,甲\n").encode() * 1
    with pytest.raises(SourceEncodingError) as caught:
        rows(folder, into, good + b"2," + b"\xd2\xd2\n" + "3,丙\n".encode())
    assert caught.value.params["offset"] == len(good) + 2
    assert caught.value.where == "a.csv:3"


def test_a_bad_byte_far_down_is_named_exactly(folder: Path, into: Path) -> None:
    head = (HEAD + "1,汉字汉字\n" * 200_000).encode("gb18030")
    with pytest.raises(SourceEncodingError) as caught:
        rows(folder, into, head + b"2,\xff\n3,x\n", encoding="gb18030")
    assert caught.value.params["offset"] == len(head) + 2
    assert caught.value.where == "a.csv:200002"


def test_a_wrongly_declared_encoding_is_told_from_the_headings(folder: Path, into: Path) -> None:
    data = "编号,名称\n1,甲乙\n".encode()
    with pytest.raises(SourceEncodingError) as caught:
        rows(folder, into, data, "编号", "名称", encoding="gb18030")
    assert "utf-8" in str(caught.value)
    with pytest.raises(SourceEncodingError):
        rows(folder, into, "编号,名称\n1,甲乙\n".encode("gb18030"), "编号", "名称", encoding="utf-8")
    with pytest.raises(SourceEncodingError) as caught:
        rows(folder, into, b"\xef\xbb\xbf" + data, "编号", "名称", encoding="gb18030")
    assert caught.value.problem == "other_bom"


def test_duplicate_headings_are_an_error_and_blank_ones_are_counted(folder: Path, into: Path) -> None:
    with pytest.raises(SourceShapeError) as caught:
        rows(folder, into, "id,name,ｎａｍｅ\n1,a,b\n")
    assert caught.value.problem == "heading_duplicate"
    (folder / "a.csv").write_text("id,name,,\n1,a,,\n", encoding="utf-8")
    assert read(folder, into).extra == ("#3", "#4")


def test_a_column_wins_by_its_own_name_over_an_alias(folder: Path, into: Path) -> None:
    (folder / "a.csv").write_text("id,name,old\n1,a,b\n", encoding="utf-8")
    request = ReadRequest("R", "a.csv", (Column("name", ("old",)), Column("id")), None)
    batch = connect("csv", {"folder": str(folder)}, no_secrets).read(request, into)
    assert (landed(batch), batch.renamed, batch.extra) == ([(1, "a", "1")], (), ("old",))


def test_an_empty_file_is_an_error(folder: Path, into: Path) -> None:
    with pytest.raises(SourceShapeError) as caught:
        rows(folder, into, "")
    assert caught.value.problem == "empty_file"


def test_files_of_a_glob_are_one_object_in_name_order(folder: Path, into: Path) -> None:
    (folder / "b.csv").write_text("name,id\n乙,2\n", encoding="utf-8")
    (folder / "a.csv").write_text("id,name,备注\n1,甲,\n", encoding="utf-8")
    (folder / ".hidden.csv").write_text("broken", encoding="utf-8")
    (folder / "c.csv.part").write_text("broken", encoding="utf-8")
    batch = read(folder, into)
    assert landed(batch) == [(1, "1", "甲"), (2, "2", "乙")]
    assert batch.extra == ("备注",)
    assert landed(read(folder, into, take="last")) == [(1, "2", "乙")]


def test_unfinished_files_alone_are_incomplete_not_missing(folder: Path, into: Path) -> None:
    (folder / "a.csv.part").write_text(HEAD, encoding="utf-8")
    with pytest.raises(SourceIncompleteError):
        read(folder, into)
    (folder / "a.csv.part").unlink()
    with pytest.raises(SourceObjectMissingError):
        read(folder, into)


def test_a_done_marker_is_waited_for(folder: Path, into: Path) -> None:
    (folder / "a.csv").write_text(HEAD + "1,x\n", encoding="utf-8")
    with pytest.raises(SourceIncompleteError) as caught:
        read(folder, into, done="{stem}.ok")
    assert "a.ok" in str(caught.value)
    (folder / "a.ok").touch()
    assert read(folder, into, done="{stem}.ok").rows == 1


@pytest.mark.parametrize("name", ["../other.csv", "/etc/passwd", "a/../../b.csv", ""])
def test_an_object_cannot_lead_out_of_its_folder(folder: Path, into: Path, name: str) -> None:
    with pytest.raises(ConnectorSettingsError):
        read(folder, into, glob=name)


def test_a_file_that_changes_while_it_is_read_is_incomplete(folder: Path, into: Path, monkeypatch) -> None:
    path = folder / "a.csv"
    path.write_text(HEAD + "1,x\n", encoding="utf-8")
    whole = delimited.tables

    def growing(*arguments, **options):
        with path.open("a", encoding="utf-8") as file:
            file.write("2,y\n")
        yield from whole(*arguments, **options)

    monkeypatch.setattr(delimited, "tables", growing)
    with pytest.raises(SourceIncompleteError) as caught:
        read(folder, into)
    assert caught.value.problem == "changed_while_read"
    assert not into.exists()


def test_more_than_one_row_group_keeps_order_and_bytes(folder: Path, into: Path) -> None:
    text = HEAD + "".join(f"{n},村{n % 97}\n" for n in range(300_000))
    (folder / "a.csv").write_bytes(text.encode("gb18030"))
    first = read(folder, into, encoding="gb18030")
    lines = [row[0] for row in landed(first)]
    assert lines == list(range(1, 300_001))
    assert [row[1] for row in landed(first)] == [str(n) for n in range(300_000)]
    assert read(folder, into.with_name("b"), encoding="gb18030").sha256 == first.sha256


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.text(st.sampled_from('ab",\r\n é'), max_size=25))
def test_what_is_read_is_what_the_csv_module_reads_or_an_error(body: str) -> None:
    # The standard library's strict reader as an oracle for two columns; it knows no ragged rows.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = "id,name\n" + body
        try:
            expected = [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row][1:]
        except csv.Error:
            expected = None
        if expected is not None and any(len(row) != 2 for row in expected):
            expected = None
        try:
            found = rows(folder, folder / "out.parquet", text, final_newline="optional")
        except (SourceShapeError, SourceIncompleteError):
            found = None
        assert found == expected


def test_lines_are_counted_over_blocks_and_every_kind_of_line_end(folder: Path, into: Path) -> None:
    # Odd lengths make the blocks' ends fall between CR and LF sooner or later.
    text = "id,name\r\n" + "1,abcdefghijk\r\n" * 70_001 + "2,x\r" * 3 + "3,y\n" * 2 + '4,"a"b\n'
    with pytest.raises(SourceShapeError) as caught:
        rows(folder, into, text)
    assert (caught.value.problem, caught.value.where) == ("bad_quoting", "a.csv:70008")
    with pytest.raises(SourceShapeError) as caught:
        rows(folder, into, text.replace('4,"a"b', "4"))
    assert (caught.value.problem, caught.value.where) == ("ragged_row", "a.csv:70008")
