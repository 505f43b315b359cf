"""The workbook as offices really keep it: titles, two heading rows, merged cells, totals, stray formatting."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime

import openpyxl
import pytest

from catalog import sheets
from catalog.errors import ListInvalidError, ListUnreadableError
from catalog.export import to_xlsx
from catalog.load import load, load_bytes, load_report_bytes

from .conftest import make_list

GOOD = to_xlsx(make_list())


@pytest.fixture
def book():
    return openpyxl.load_workbook(io.BytesIO(GOOD))


def saved(book):
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def report(book):
    return load_report_bytes(saved(book), ".xlsx", "l.xlsx")


def only(book, code):
    found = report(book)
    assert [fault.code for fault in found.faults] == [code], [f.text("zh") for f in found.faults]
    return found.faults[0]


def test_faults_name_sheet_and_cell_and_the_heading(book):
    book["部门"]["D3"] = "11100000000013338A"
    book["部门"]["B4"] = None
    book["资源"]["G3"] = "部分共享"
    book["信息项"]["D4"] = "文本"
    book["责任"]["D3"] = "M9"
    with pytest.raises(ListInvalidError) as caught:
        load_bytes(saved(book), ".xlsx", "l.xlsx")
    assert [(fault.where, fault.code) for fault in caught.value.faults] == [
        ("部门!D3", "bad_uscc"),
        ("部门!B4", "missing_value"),
        ("资源!G3", "unknown_value"),
        ("信息项!D4", "bad_type"),
        ("责任!D3", "unknown_matter"),
    ]
    text = caught.value.text("zh")
    assert "部门!B4  `部门名称` 为空" in text
    assert "`2 有条件共享`" in text
    assert "5 faults" in str(caught.value)


def test_blank_rows_totals_notes_and_repeated_headings_are_read_past(book):
    sheet = book["责任"]
    headings = [cell.value for cell in sheet[2]]
    sheet.append([])
    sheet.append(headings)
    sheet.append(["合 计", None, None, 1])
    sheet.append(["备注：本表由各部门填报"])
    assert report(book).list_ == make_list()
    assert report(book).faults == ()


def test_columns_an_office_adds_for_itself_are_read_past(book):
    book["部门"].insert_cols(1)
    book["部门"].merged_cells.ranges.clear()
    book["部门"]["A2"] = "序号"
    book["部门"]["A3"] = 1
    book["部门"]["A4"] = 2
    book["部门"]["A5"] = "合计"
    book["部门"]["C5"] = "2 个部门"
    assert report(book).list_ == make_list()


def test_cells_merged_down_hold_for_each_row(book):
    sheet = book["信息项"]
    last = max(row for row in range(3, sheet.max_row + 1) if sheet.cell(row, 1).value == "R1")
    sheet.merge_cells(start_row=3, end_row=last, start_column=1, end_column=1)
    assert sheet["A4"].value is None
    assert report(book).list_ == make_list()


def test_headings_over_two_rows(book):
    rows = list(book["资源"].iter_rows(min_row=2, values_only=True))
    del book["资源"]
    sheet = book.create_sheet("资源")
    sheet["A1"] = "资源"
    for column, heading in enumerate(rows[0], start=1):
        group, lower = {"来源系统": ("来源", "系统"), "来源对象": (None, "对象")}.get(heading, (heading, None))
        if group:
            sheet.cell(2, column).value = group
        if lower:
            sheet.cell(3, column).value = lower
        if lower is None:
            sheet.merge_cells(start_row=2, end_row=3, start_column=column, end_column=column)
        elif group:
            sheet.merge_cells(start_row=2, end_row=2, start_column=column, end_column=column + 1)
    for row in rows[1:]:
        sheet.append(row)
    assert sheet["A3"].value is None
    assert report(book).faults == ()
    assert report(book).list_ == make_list()


def test_headings_may_carry_remarks_and_sheets_other_usual_names(book):
    book["部门"]["A2"] = "部门 代码*（必填）"
    book["部门"].title = "部门清单"
    assert report(book).list_ == make_list()


def test_dates_and_numbers_as_excel_holds_them(book):
    book["资源"]["M3"] = date(2020, 6, 30)
    book["资源"]["M4"] = datetime(2020, 6, 30)  # noqa: DTZ001 - Excel knows no zones
    book["责任"]["H3"] = 20201231
    book["资源"]["V3"] = "5%"
    assert book["资源"]["M2"].value == "发布日期"
    assert report(book).list_ == make_list()


def test_what_excel_made_of_a_code_is_told(book):
    book["部门"]["D3"] = 911000000000133381
    assert only(book, "long_number").where == "部门!D3"
    book["部门"]["D3"] = "11100000000013338W"
    book["事项"]["B3"] = date(2020, 1, 2)
    assert only(book, "cell_is_date").where == "事项!B3"


def test_a_short_code_typed_as_a_number_is_read_as_its_digits(book):
    book["事项"]["A4"] = 307001
    assert report(book).list_.matters[1].code == "307001"


def test_an_unknown_column_is_told_with_the_known_ones(book):
    book["部门"]["J2"] = "电话"
    fault = only(book, "unknown_column")
    assert fault.where == "部门!J2"
    assert "`部门名称`" in fault.text("zh")


def test_a_value_outside_the_table_is_told(book):
    book["部门"]["L4"] = "多余"
    assert only(book, "outside_table").where == "部门!L4"


def test_a_column_twice_is_told(book):
    book["部门"]["J2"] = "部门名称"
    assert only(book, "duplicate_column").where == "部门!J2"


def test_a_missing_column_is_told_once(book):
    book["部门"].delete_cols(2)
    fault = only(book, "missing_column")
    assert fault.text("zh") == "缺少 `部门名称` 列，请补充"


def test_a_missing_sheet_is_told(book):
    del book["责任"]
    fault = only(book, "missing_sheet")
    assert fault.where == "l.xlsx"
    assert "`责任`" in fault.text("zh")


def test_matters_may_be_missing_when_nobody_names_one(book):
    del book["事项"]
    book["责任"]["D3"] = "*"
    assert report(book).list_.matters == ()


def test_a_sheet_without_headings_is_told(book):
    book["部门"].delete_rows(2)
    book["部门"].merged_cells.ranges.clear()
    found = report(book)
    assert found.faults[0].code == "missing_headings"


def test_a_further_sheet_is_a_warning(book):
    book.create_sheet("说明")
    found = report(book)
    assert found.list_ == make_list()
    assert [fault.code for fault in found.faults] == ["unknown_sheet"]


def test_the_cover_may_carry_more_and_must_carry_the_list(book):
    book["封面"].append(["编制单位", "数据资源管理局"])
    assert report(book).list_ == make_list()
    book["封面"]["B5"] = None
    fault = only(book, "missing_value")
    assert fault.where == "封面!B5"
    assert "`年份`" in fault.text("zh")


def test_a_field_of_an_unknown_resource_is_told(book):
    book["信息项"]["A3"] = "R9"
    found = report(book)
    assert ("信息项!A3", "unknown_resource") in [(fault.where, fault.code) for fault in found.faults]


def test_options_may_be_json_or_pairs(book):
    for written in ("encoding=gb18030", '{"encoding": "gb18030"}', "encoding＝gb18030；"):
        book["资源"]["T3"] = written
        assert report(book).list_ == make_list()
    assert book["资源"]["T2"].value == "读取选项"
    book["资源"]["T3"] = '{"encoding": [1]}'
    assert only(book, "bad_options").where == "资源!T3"


def with_cell(part, reference, cell):
    """The good workbook with the text of one cell replaced in its part."""

    def change(data):
        start = data.index(b'<c r="%s"' % reference)
        return data[:start] + cell + data[data.index(b"</c>", start) + 4 :]

    return bomb(part, change)


@pytest.mark.parametrize("reference", ["B3", "C3"])
def test_a_formula_that_failed_is_told_where_it_stands_and_once(reference):
    # Required (B) or not (C): the cell that failed is named, not also one that is missing.
    cell = f'<c r="{reference}" t="e"><f>1/0</f><v>#REF!</v></c>'.encode()
    found = load_report_bytes(with_cell("xl/worksheets/sheet2.xml", reference.encode(), cell), ".xlsx", "l.xlsx")
    assert (f"部门!{reference}", "formula_error") in [(fault.where, fault.code) for fault in found.faults]
    assert {fault.code for fault in found.faults} <= {"formula_error", "formula"}
    assert found.list_ is None


def test_the_last_result_of_a_formula_is_read_and_said_to_be_one():
    cell = b'<c r="C3" t="str"><f>CONCAT("a";"b")</f><v>Bureau</v></c>'
    found = load_report_bytes(with_cell("xl/worksheets/sheet2.xml", b"C3", cell), ".xlsx", "l.xlsx")
    assert found.list_.departments[0].name_en == "Bureau"
    (fault,) = found.faults
    assert (fault.where, fault.code, fault.severity) == ("部门!C3", "formula", "warning")


def test_a_formula_in_the_row_of_totals_is_nobodys_concern(book):
    book["责任"].append(["合计", "=COUNTA(A3:A4)"])
    assert report(book).faults == ()


def test_links_out_of_the_workbook_are_named_and_not_followed():
    link = (
        b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
        b'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/externalLinkPath" '
        b'Target="file:///\\\\server\\a&amp;b.xlsx" TargetMode="External"/></Relationships>'
    )
    found = load_report_bytes(
        bomb("", lambda data: data, {"xl/externalLinks/_rels/externalLink1.xml.rels": link}), ".xlsx", "l.xlsx"
    )
    assert found.list_ == make_list()
    (fault,) = found.faults
    assert (fault.where, fault.code) == ("l.xlsx", "external_link")
    assert "server\\a&b.xlsx" in fault.text("zh")


def test_levels_of_a_classification_may_stand_in_columns_of_their_own(book):
    sheet = book["资源"]
    titles = [cell.value for cell in sheet[2]]
    at = titles.index("信息资源分类") + 1
    sheet.cell(2, at).value = "类"
    for offset, (title, value) in enumerate([("项", "公安"), ("目", "人口"), ("细目", None)], start=1):
        sheet.cell(2, len(titles) + offset).value = title
        sheet.cell(3, len(titles) + offset).value = value
    sheet.cell(3, at).value = "部门信息资源"
    assert report(book).list_.resources[0].classification == ("部门信息资源", "公安", "人口")
    assert report(book).list_.resources[1].classification == ()


def test_one_table_in_two_sheets_is_told(book):
    book.create_sheet("部门表")
    fault = only(book, "duplicate_sheet")
    assert (fault.where, fault.severity) == ("部门表", "error")


# Files that are no list at all.


def why(data, suffix=".xlsx"):
    with pytest.raises(ListUnreadableError) as caught:
        load_bytes(data, suffix, "l.xlsx")
    assert caught.value.text("zh").startswith("l.xlsx：")
    return caught.value.why


def test_a_damaged_or_foreign_file_is_unreadable():
    assert why(GOOD[: len(GOOD) // 2]) == "truncated"
    assert why(b"") == "truncated"
    assert why(b"city: x\n") == "truncated"
    middle = len(GOOD) // 3
    assert why(GOOD[:middle] + bytes(64) + GOOD[middle + 64 :]) == "truncated"
    # The first bytes of a compound file, in which Office keeps an encrypted workbook.
    assert why(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1024)) == "encrypted"
    assert why(GOOD, ".pdf") == "suffix"


def test_a_zip_that_is_no_workbook_is_unreadable():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.writestr("a.txt", "x")
    assert why(buffer.getvalue()) == "truncated"


def bomb(name, content, more=()):
    """The good workbook with the part *name* changed and parts added."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(GOOD)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.namelist():
            target.writestr(part, content(source.read(part)) if part == name else source.read(part))
        for part, added in dict(more).items():
            target.writestr(part, added)
    return buffer.getvalue()


def test_what_is_too_big_unpacked_is_refused(monkeypatch):
    monkeypatch.setattr(sheets, "MAX_UNPACKED_MIB", 1)
    assert why(bomb("xl/styles.xml", lambda data: data + b" " * (2 << 20))) == "too_big"


def test_a_stray_cell_far_off_is_refused_before_the_sheet_is_laid_out():
    def far(reference):
        row = reference.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        cell = f'<row r="{row}"><c r="{reference}" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
        return lambda data: data.replace(b"</sheetData>", cell.encode())

    assert why(bomb("xl/worksheets/sheet2.xml", far("A1048576"))) == "too_many_rows"
    assert why(bomb("xl/worksheets/sheet2.xml", far("XFD150000"))) == "too_wide"


def test_files_that_cannot_be_opened(tmp_path):
    (tmp_path / "some.doc").write_bytes(b"")
    for name, expected in (("none.xlsx", "not_found"), ("none.doc", "not_found"), ("some.doc", "suffix")):
        with pytest.raises(ListUnreadableError) as caught:
            load(tmp_path / name)
        assert caught.value.why == expected
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(ListUnreadableError) as caught:
        load(tmp_path / "folder.yaml")
    assert caught.value.why == "not_permitted"
