"""The list as the core-metadata table (核心元数据) by which resources are reported upwards: an Excel workbook.

Columns follow GB/T 21063 in its order: a row for each information item, with the cells of its resource merged. It is
for reporting; the workbook that is read back as a list is `catalog.export`'s.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from catalog.changes import word_of
from catalog.domains import KIND
from catalog.export import put_text, steady
from catalog.model import FieldKind, ShareType

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum

    from openpyxl.worksheet.worksheet import Worksheet

    from catalog.model import Field, InformationResource, ResponsibilityList

SHEET: Final = "核心元数据"
MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FIRST_ROW: Final = 4  # after the title and two rows of headings
_LEVELS: Final = ("类", "项", "目", "细目")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its *group* above the heading ("": none), and what it says of an item of a resource.

    *each*: it is said of every item by itself, and merged only where all of them say the same.
    """

    group: str
    title: str
    width: int
    value: Callable[[ResponsibilityList, InformationResource, Field], str]
    each: bool = False


def to_core_xlsx(list_: ResponsibilityList) -> bytes:
    """The table as a workbook; the same list gives the same bytes.

    Raises:
        ListTooLongForExcelError: a text does not fit a cell.
    """
    # openpyxl takes a third of a second to import, which only this function should cost.
    from openpyxl import Workbook  # noqa: PLC0415

    book = Workbook()
    sheet = book.active
    assert sheet is not None  # noqa: S101 - a new workbook has one sheet
    sheet.title = SHEET
    _headings(sheet, f"{list_.title} {SHEET}")
    row = _FIRST_ROW
    for resource in list_.resources:
        last = row + len(resource.fields) - 1
        for number, column in enumerate(COLUMNS, start=1):
            _fill(
                sheet,
                number,
                row,
                [column.value(list_, resource, field) for field in resource.fields],
                each=column.each,
            )
        row = last + 1
    sheet.freeze_panes = "A4"
    buffer = io.BytesIO()
    book.save(buffer)
    return steady(buffer.getvalue())


def _fill(sheet: Worksheet, column: int, first: int, values: list[str], *, each: bool) -> None:
    """One column of one resource, from row *first* on."""
    from openpyxl.styles import Alignment  # noqa: PLC0415 - as in to_core_xlsx
    from openpyxl.worksheet.cell_range import CellRange  # noqa: PLC0415 - as in to_core_xlsx
    from openpyxl.worksheet.merge import MergedCellRange  # noqa: PLC0415 - as in to_core_xlsx

    if each and len(set(values)) > 1:
        for row, value in enumerate(values, start=first):
            if value:
                _put(sheet, row, column, value)
        return
    if len(values) > 1:
        # `merge_cells` compares each range with every earlier one, which takes minutes for a city's list; ours are
        # apart by construction.
        cells = CellRange(min_row=first, max_row=first + len(values) - 1, min_col=column, max_col=column)
        sheet.merged_cells.ranges.add(MergedCellRange(sheet, cells.coord))
    if values and values[0]:
        _put(sheet, first, column, values[0])
        sheet.cell(first, column).alignment = Alignment(vertical="top", wrap_text=True)


def _put(sheet: Worksheet, row: int, column: int, value: str) -> None:
    cell: Any = sheet.cell(row, column)
    put_text(cell, value, f"{SHEET}!{cell.coordinate}")


def _headings(sheet: Worksheet, title: str) -> None:
    from openpyxl.styles import Alignment, Font  # noqa: PLC0415 - as in to_core_xlsx
    from openpyxl.utils import get_column_letter  # noqa: PLC0415 - as in to_core_xlsx

    sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=len(COLUMNS))
    _put(sheet, 1, 1, title)
    sheet["A1"].font = Font(bold=True, size=14)
    start = 1
    for number, column in enumerate(COLUMNS, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = column.width
        ends_here = number == len(COLUMNS) or COLUMNS[number].group != column.group
        if not column.group:
            sheet.merge_cells(start_row=2, end_row=3, start_column=number, end_column=number)
            _put(sheet, 2, number, column.title)
        else:
            _put(sheet, 3, number, column.title)
            if ends_here:
                sheet.merge_cells(start_row=2, end_row=2, start_column=start, end_column=number)
                _put(sheet, 2, start, column.group)
        if ends_here or not column.group:
            start = number + 1
        for row in (2, 3):
            sheet.cell(row, number).font = Font(bold=True)
            sheet.cell(row, number).alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)


def _coded(member: StrEnum) -> str:
    """A code with its word, as the forms want it: ``3 数据库``."""
    return f"{member.value} {word_of(member).zh}"


def _level(position: int) -> Callable[[ResponsibilityList, InformationResource, Field], str]:
    def value(list_: ResponsibilityList, resource: InformationResource, field: Field) -> str:
        del list_, field
        return resource.classification[position] if position < len(resource.classification) else ""

    return value


def _provider(list_: ResponsibilityList, resource: InformationResource) -> tuple[str, str]:
    found = list_.departments_by_code.get(resource.provider)
    return (found.name, found.uscc) if found else (resource.provider, "")


def _type(field: Field) -> str:
    """数据类型 with its length: ``字符型(18)``, ``数值型(12,2)``."""
    word = KIND.word(field.type.kind)
    if field.type.kind is FieldKind.DECIMAL:
        return f"{word}({field.type.length},{field.type.scale})"
    return f"{word}({field.type.length})" if field.type.length else word


def _share_type(resource: InformationResource, field: Field) -> str:
    """What holds for the item: of a resource that is not shared, no item is."""
    kept = resource.share_type is ShareType.NOT_SHARED
    return _coded(resource.share_type if kept else field.share_type)


COLUMNS: Final[tuple[_Column, ...]] = (
    *(_Column("信息资源分类", level, 10, _level(position)) for position, level in enumerate(_LEVELS)),
    _Column("", "信息资源名称", 28, lambda _, r, __: r.name),
    _Column("", "信息资源代码", 20, lambda _, r, __: r.code),
    _Column("", "信息资源提供方", 26, lambda list_, r, _: _provider(list_, r)[0]),
    _Column("", "信息资源提供方代码", 22, lambda list_, r, _: _provider(list_, r)[1]),
    _Column("", "信息资源摘要", 40, lambda _, r, __: r.abstract),
    _Column("", "信息资源格式", 14, lambda _, r, __: _coded(r.format)),
    _Column("信息项信息", "信息项名称", 20, lambda _, __, f: f.title, each=True),
    _Column("信息项信息", "字段名", 18, lambda _, __, f: f.name, each=True),
    _Column("信息项信息", "数据类型", 14, lambda _, __, f: _type(f), each=True),
    _Column("共享属性", "共享类型", 16, lambda _, r, f: _share_type(r, f), each=True),
    _Column("共享属性", "共享条件", 28, lambda _, r, f: f.share_condition or r.share_condition, each=True),
    _Column("共享属性", "不予共享依据", 28, lambda _, r, __: r.share_ground),
    _Column("共享属性", "共享方式", 14, lambda _, r, __: _coded(r.share_method)),
    _Column("", "开放属性", 12, lambda _, r, __: "1 向社会开放" if r.open else "0 不向社会开放"),
    _Column("", "更新周期", 12, lambda _, r, f: _coded(f.cadence or r.cadence), each=True),
    _Column("", "发布日期", 12, lambda _, r, __: r.published_on.isoformat()),
    _Column("", "关联资源代码", 20, lambda _, r, __: "、".join(r.related)),
)
