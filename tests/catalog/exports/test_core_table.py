"""The core-metadata table as an office reads it: the columns of the norm, merged cells, codes with their words."""

import io
from dataclasses import replace

import pytest
from openpyxl import load_workbook

from catalog.errors import ListTooLongForExcelError
from catalog.exports.core_table import COLUMNS, SHEET, to_core_xlsx
from catalog.model import Cadence, ShareType
from tests.catalog.conftest import make_list, make_resource


def opened(list_):
    return load_workbook(io.BytesIO(to_core_xlsx(list_)))[SHEET]


def column(title):
    return [c.title for c in COLUMNS].index(title) + 1


def test_columns_stand_in_the_order_of_the_norm_under_their_groups():
    sheet = opened(make_list())
    assert [c.title for c in COLUMNS] == [
        *("类", "项", "目", "细目"),
        *("信息资源名称", "信息资源代码", "信息资源提供方", "信息资源提供方代码", "信息资源摘要", "信息资源格式"),
        *("信息项名称", "字段名", "数据类型"),
        *("共享类型", "共享条件", "不予共享依据", "共享方式"),
        *("开放属性", "更新周期", "发布日期", "关联资源代码"),
    ]
    merged = {str(cells) for cells in sheet.merged_cells.ranges}
    assert {"A1:U1", "A2:D2", "E2:E3", "K2:M2", "N2:Q2", "R2:R3", "U2:U3"} <= merged
    assert sheet["A2"].value == "信息资源分类"
    assert (sheet["K2"].value, sheet["K3"].value) == ("信息项信息", "信息项名称")


def test_a_row_for_each_item_and_its_resource_in_merged_cells():
    list_ = make_list(
        resources=(make_resource(classification=("3", "06", "010")), make_resource("R2", ShareType.NOT_SHARED))
    )
    sheet = opened(list_)
    assert sheet.max_row == 3 + 6 + 6
    merged = {str(cells) for cells in sheet.merged_cells.ranges}
    assert {"E4:E9", "E10:E15", "D4:D9", "R10:R15"} <= merged
    assert [sheet.cell(4, n).value for n in (1, 2, 3, 4)] == ["3", "06", "010", None]
    assert sheet["F4"].value == "R1"
    assert sheet["G4"].value == "市场监督管理局"
    assert sheet["H4"].value == "11100000000013338W"
    assert sheet["J4"].value == "3 数据库"
    assert [sheet.cell(row, column("信息项名称")).value for row in range(4, 10)] == [
        f.title for f in make_resource().fields
    ]
    assert sheet.cell(4, column("数据类型")).value == "字符型(18)"
    assert sheet.cell(8, column("数据类型")).value == "数值型(18,2)"
    # One item of the first resource has terms of its own; of the second, which is not shared, none has.
    assert sheet.cell(5, column("共享类型")).value == "2 有条件共享"
    assert sheet.cell(7, column("共享类型")).value == "3 不予共享"
    assert sheet.cell(7, column("共享条件")).value == "依法保密"
    assert "N10:N15" in merged
    assert sheet.cell(10, column("共享类型")).value == "3 不予共享"
    assert sheet.cell(10, column("不予共享依据")).value == "《某法》第八条"
    assert sheet.cell(4, column("更新周期")).value == "2 每日"


def test_a_field_with_its_own_cadence_is_not_merged():
    resource = make_resource()
    fields = (replace(resource.fields[0], cadence=Cadence.YEARLY), *resource.fields[1:])
    sheet = opened(make_list(resources=(replace(resource, fields=fields),)))
    assert [sheet.cell(row, column("更新周期")).value for row in (4, 5)] == ["6 每年", "2 每日"]


def test_the_same_list_gives_the_same_bytes_and_no_formula_runs():
    list_ = make_list(resources=(make_resource(name="=HYPERLINK(1)", abstract="+1"),))
    assert to_core_xlsx(list_) == to_core_xlsx(list_)
    sheet = opened(list_)
    assert (sheet["E4"].value, sheet["E4"].data_type) == ("=HYPERLINK(1)", "s")
    with pytest.raises(ListTooLongForExcelError):
        to_core_xlsx(make_list(resources=(make_resource(abstract="长" * 40_000),)))
