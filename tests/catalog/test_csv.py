"""CSV as offices and spreadsheets write it: encodings, delimiters, folders and archives; and nothing in it is run."""

from __future__ import annotations

import csv
import io
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import csvfile
from catalog.errors import ListTooLongForExcelError, ListUnreadableError
from catalog.export import to_csv_zip
from catalog.load import load, load_report, load_report_bytes
from catalog.model import FieldKind, FieldType

from .conftest import make_list, make_resource

GOOD = to_csv_zip(make_list())


@pytest.fixture
def folder(tmp_path):
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        archive.extractall(tmp_path / "清单")
    return tmp_path / "清单"


def rewrite(path, change, encoding="utf-8-sig"):
    text = path.read_text(encoding="utf-8-sig")
    path.write_bytes(change(text).encode(encoding))


def test_a_folder_is_read_as_the_archive_is(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "事项.csv",
        "信息项.csv",
        "封面.csv",
        "责任.csv",
        "资源.csv",
        "部门.csv",
    ]
    assert load(folder) == make_list()
    assert load_report_bytes(GOOD, ".zip", "l.zip").list_ == make_list()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_usual_encodings_are_recognised(folder, encoding):
    for path in folder.iterdir():
        rewrite(path, lambda text: text, encoding)
    assert load(folder) == make_list()


def test_tabs_key_names_titles_totals_and_quoted_line_ends(folder):
    def tabbed(text):
        buffer = io.StringIO()
        rows = [["示例市责任"], *csv.reader(io.StringIO(text)), [], ["合计", "1 条"]]
        csv.writer(buffer, delimiter="\t").writerows(rows)
        return buffer.getvalue()

    rewrite(folder / "责任.csv", tabbed)
    (folder / "责任.csv").rename(folder / "responsibilities.tsv")
    rewrite(folder / "资源.csv", lambda text: text.replace("登记的企业和个体工商户", '"登记的企业\n和个体工商户"', 1))
    list_ = load(folder)
    assert list_.responsibilities == make_list().responsibilities
    assert list_.resources[0].abstract == "登记的企业\n和个体工商户"


def test_faults_name_file_and_line_also_after_a_quoted_line_end(folder):
    rewrite(folder / "资源.csv", lambda text: text.replace("登记的企业和个体工商户", '"登记的企业\n和个体工商户"', 1))
    rewrite(folder / "资源.csv", lambda text: text[::-1].replace("口接务服", "享共分部", 1)[::-1])
    rewrite(folder / "部门.csv", lambda text: text.replace("11430000006122244L", "1143"))
    found = load_report(folder)
    assert [(fault.where, fault.code) for fault in found.faults] == [
        ("部门.csv:3", "bad_uscc"),
        ("资源.csv:4", "unknown_value"),
    ]


class _Unmarked(zipfile.ZipInfo):
    """A part whose name is written without the mark that it is UTF-8, as Windows does."""

    def _encodeFilenameFlags(self):  # noqa: N802 - zipfile's own name
        return self.filename.encode("gb18030"), self.flag_bits & ~0x800


def test_an_archive_may_hold_a_folder_with_names_as_windows_writes_them():
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            target.writestr(_Unmarked(f"清单/{name}"), source.read(name))
        target.writestr("__MACOSX/清单/x.csv", "")
    with zipfile.ZipFile(io.BytesIO(buffer.getvalue())) as archive:
        assert "部门.csv" not in "".join(archive.namelist())
    found = load_report_bytes(buffer.getvalue(), ".zip", "l.zip")
    assert found.faults == ()
    assert found.list_ == make_list()


# What a spreadsheet would run.


@given(st.text(st.sampled_from("'=+-@＝＋－＠ab1"), max_size=6))
def test_no_written_field_begins_like_a_formula_and_none_is_changed(text):
    written = csvfile.written([["x", text]]).decode("utf-8-sig")
    (row,) = csv.reader(io.StringIO(written))
    assert not row[1].startswith(tuple("=+-@＝＋－＠"))
    grid = csvfile._grid(written, "部门.csv", csvfile.Titles(csvfile.Faults()).table("部门", "部门.csv"))
    assert grid.rows[0][1] == text


def test_the_same_list_gives_the_same_bytes_at_any_time(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2_000_000_000))
    assert to_csv_zip(make_list()) == GOOD


def test_a_text_too_long_for_a_cell_is_refused_not_cut():
    field = make_resource().fields[0]
    codes = tuple(f"{number:08d}" for number in range(5000))
    long = type(field)("id", "代码", FieldType(FieldKind.STRING), key=True, codes=codes)
    with pytest.raises(ListTooLongForExcelError, match=r"信息项\.csv:2"):
        to_csv_zip(make_list(resources=(make_resource(fields=(long,)),), responsibilities=()))


# What cannot be read.


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("部门.csv", '部门代码,部门名称\nD1,"abc'.encode(), "csv"),
        ("部门.csv", "部门代码,部门名称\n".encode() + b"\xff\xff\xff", "encoding"),
        ("readme.txt", b"x", "no_tables"),
    ],
)
def test_what_is_no_csv_is_unreadable(tmp_path, name, content, why):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ListUnreadableError) as caught:
        load(tmp_path)
    assert caught.value.why == why


def test_further_files_are_named_and_a_table_given_twice_is_an_error(folder):
    (folder / "说明.docx").write_bytes(b"x")
    (folder / "departments.csv").write_bytes((folder / "部门.csv").read_bytes())
    found = load_report(folder)
    assert {(fault.where, fault.code) for fault in found.faults} == {
        ("说明.docx", "unknown_sheet"),
        ("部门.csv", "duplicate_sheet"),
    }


def test_rows_and_delimiters_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(csvfile, "MAX_ROWS", 5)
    monkeypatch.setattr(csvfile, "MAX_AREA", 100)
    for text, why in (("部门代码,部门名称\n" + "D1,x\n" * 9, "too_many_rows"), ("," * 101, "too_wide")):
        (tmp_path / "部门.csv").write_text(text, encoding="utf-8")
        with pytest.raises(ListUnreadableError) as caught:
            load(tmp_path)
        assert caught.value.why == why
