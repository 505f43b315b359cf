"""Files made to hurt: bombs, a million rows, a text in very many cells. Each ends soon, with a reason."""

from __future__ import annotations

import io
import zipfile

import pytest

from catalog import build, promises, raw, sheets
from catalog.errors import ListUnreadableError
from catalog.export import to_csv_zip, to_xlsx, to_yaml
from catalog.load import MAX_FILE_MIB, load, load_bytes, load_report_bytes

from .conftest import make_list

XLSX = to_xlsx(make_list())
CSV = to_csv_zip(make_list())
SHEET = "xl/worksheets/sheet4.xml"


def changed(data, parts):
    """The archive with parts replaced or added."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
    ):
        for name in source.namelist():
            if name not in parts:
                target.writestr(name, source.read(name))
        for name, content in parts.items():
            with target.open(name, "w") as stream:
                for piece in content:
                    stream.write(piece)
    return buffer.getvalue()


def why(data, suffix):
    with pytest.raises(ListUnreadableError) as caught:
        load_bytes(data, suffix, f"l{suffix}")
    assert "{" not in caught.value.text("zh")
    return caught.value.why


def test_a_bomb_is_refused_before_it_unpacks():
    pieces = [bytes(1 << 20)] * 300
    assert why(changed(XLSX, {"xl/media/image1.png": pieces}), ".xlsx") == "too_big"
    assert why(changed(CSV, {"说明.csv": pieces[:70]}), ".zip") == "too_big"


def test_a_bomb_that_lies_about_its_size_is_damage():
    data = changed(XLSX, {"xl/media/image1.png": [bytes(300 << 20)]})
    size = (300 << 20).to_bytes(4, "little")
    assert data.count(size) == 2
    assert why(data.replace(size, (1000).to_bytes(4, "little")), ".xlsx") == "truncated"


def test_an_archive_of_many_entries_is_refused_before_they_are_listed():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for number in range(4_100):
            target.writestr(str(number), "")
    assert why(buffer.getvalue(), ".zip") == "too_many_parts"
    assert why(buffer.getvalue(), ".xlsx") == "too_many_parts"


def test_a_file_of_200_mib_is_not_even_read(tmp_path):
    for name in ("l.xlsx", "l.yaml", "l.zip"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(200 << 20)
        with pytest.raises(ListUnreadableError) as caught:
            load(tmp_path / name)
        assert caught.value.why == "too_big_file"
        assert f"{MAX_FILE_MIB} MiB" in str(caught.value)
    big = tmp_path / "folder"
    big.mkdir()
    with (big / "部门.csv").open("wb") as file:
        file.truncate(200 << 20)
    with pytest.raises(ListUnreadableError) as caught:
        load(big)
    assert caught.value.why == "too_big"


def test_a_million_rows_are_refused():
    head = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    rows = (b'<row r="%d"><c r="A%d"><v>1</v></c></row>' % (n, n) for n in range(1, 1_000_001))
    assert why(changed(XLSX, {SHEET: [head, b"".join(rows), b"</sheetData></worksheet>"]}), ".xlsx") == "too_many_rows"
    heading = "信息资源代码,字段名,信息项名称,数据类型\n".encode()
    assert why(changed(CSV, {"信息项.csv": [heading, b"R1,a,b,date\n" * 1_000_000]}), ".zip") == "too_many_rows"
    text = to_yaml(make_list()) + "needs:\n" + "- {a: 1}\n" * 1_000_000
    assert why(text.encode(), ".yaml") == "too_many_rows"


def test_a_long_text_in_very_many_cells_is_refused_before_it_is_copied_into_each():
    text = b"<sst><si><t>" + b"x" * 30_000 + b"</t></si></sst>"
    cells = b"".join(b'<c r="A%d" t="s"><v>0</v></c>' % n for n in range(1, 20_000))
    assert why(changed(XLSX, {"xl/sharedStrings.xml": [text], SHEET: [cells]}), ".xlsx") == "too_big"


def test_a_text_without_an_end_takes_no_time_that_grows_with_its_square():
    for piece in (b"<c r=", b"<c " + b"x" * 3_000_000, b"<Relationship "):
        data = changed(XLSX, {SHEET: [piece * (20_000_000 // len(piece))]})
        assert why(data, ".xlsx") == "truncated"
    rels = changed(XLSX, {"xl/worksheets/_rels/sheet4.xml.rels": [b"<Relationship " * 200_000]})
    assert load_bytes(rels, ".xlsx", "l.xlsx") == make_list()


def test_no_more_faults_are_kept_than_anybody_reads(monkeypatch):
    monkeypatch.setattr(raw, "MAX_FAULTS", 3)
    text = to_yaml(make_list()).replace("name_en: ", "name_xx: ")
    found = load_report_bytes(text.encode(), ".yaml", "l.yaml")
    assert found.list_ is None
    assert [fault.code for fault in found.faults][-1] == "too_many_errors"
    assert len(found.faults) == 4
    assert "另有" in found.faults[-1].text("zh")


@pytest.mark.parametrize("written", ["2026-03-02", "2026/3/2", "2026.3.2", "2026年3月2日", "20260302", "2026/3/2 0:00"])
def test_dates_in_five_styles_mean_the_same_day(written):
    text = to_yaml(make_list())
    assert "published_on: 2020-06-30" in text
    found = load_report_bytes(text.replace("2020-06-30", f'"{written}"').encode(), ".yaml", "l.yaml")
    assert {resource.published_on.isoformat() for resource in found.list_.resources} == {"2026-03-02"}


def test_ten_thousand_departments_in_a_ring_are_told_once_and_soon():
    lines = to_yaml(make_list()).split("\n")
    start, end = lines.index("departments:") + 1, lines.index("matters:") - 1
    ring = [
        f"  - {{code: D{n}, name: 部门{n}, uscc: 11100000000013338W, parent: D{(n + 1) % 10_000}}}"
        for n in range(10_000)
    ]
    found = load_report_bytes("\n".join([*lines[:start], *ring, *lines[end:]]).encode(), ".yaml", "l.yaml")
    assert [fault.code for fault in found.faults].count("cyclic_parent") == 1


def test_the_reader_of_bytes_gives_nothing_half_read(monkeypatch):
    monkeypatch.setattr(sheets, "MAX_UNPACKED_MIB", 0)
    assert why(XLSX, ".xlsx") == "too_big"


def test_comparisons_end_however_many_lines_and_prohibitions_one_resource_has(monkeypatch):
    monkeypatch.setattr(promises, "MAX_COMPARED", 100)
    text = to_yaml(make_list())
    line = text[text.index("  - resource: R1\n") :]
    barred = '  - {resource: R1, consumers: [D1], purposes: [M2], ground: "《某法》第九条"}\n'
    compared = 0
    forbids = promises._forbids

    def counted(*args):
        nonlocal compared
        compared += 1
        return forbids(*args)

    monkeypatch.setattr(promises, "_forbids", counted)
    found = load_report_bytes((text + line * 200 + "prohibitions:\n" + barred * 200).encode(), ".yaml", "l.yaml")
    assert {fault.code for fault in found.faults} == {"duplicate_line"}
    assert compared <= 100


def test_a_code_list_cannot_be_repeated_by_fields_without_end(monkeypatch):
    monkeypatch.setattr(build, "MAX_CODES", 5)
    items = ", ".join(f"{{value: {c}, title: {c}}}" for c in "abc")
    lists = f"code_lists:\n  - {{code: C, name: n, items: [{items}]}}\n"
    text = to_yaml(make_list()).replace("{name: name,", "{name: name, code_list: C,")
    found = load_report_bytes((text + lists).encode(), ".yaml", "l.yaml")
    assert [fault.code for fault in found.faults] == ["too_many_codes"]
