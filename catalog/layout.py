"""The list on paper: its tables, their columns in order, their headings, and how each cell is read and written.

One description for YAML and Excel, reading and writing, so that the four cannot drift apart. It knows columns;
what follows from several of them together is `catalog.validate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Final

from catalog import cells, domains
from catalog.model import Mask, ShareType

if TYPE_CHECKING:
    from collections.abc import Callable


class Form(Enum):
    """How many values a cell holds."""

    ONE = "one"
    MANY = "many"
    OPTIONS = "options"


class _Missing(Enum):
    MISSING = "missing"


MISSING: Final = _Missing.MISSING


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute of a table.

    *name* is the attribute in the model and in YAML (``source.object`` lies in a mapping); *title* the heading in
    Excel, *titles* other headings accepted. *default* stands for an empty cell; without one the cell is required.
    """

    name: str
    title: str
    read: Callable[[str], object] = cells.text
    default: object = MISSING
    titles: tuple[str, ...] = ()
    form: Form = Form.ONE
    split: Callable[[str], list[str]] = cells.split_texts
    domain: domains.CodeDomain | None = None

    @property
    def required(self) -> bool:
        """Whether an empty cell is a fault."""
        return self.default is MISSING


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the list: its key in YAML, its sheet in Excel, its columns. *optional* tables may be missing."""

    key: str
    sheet: str
    columns: tuple[Column, ...]
    sheets: tuple[str, ...] = ()
    optional: bool = False

    def column(self, name: str) -> Column | None:
        """The column for the attribute *name*."""
        return next((column for column in self.columns if column.name == name), None)


def _domain(
    name: str, title: str, domain: domains.CodeDomain, default: object = MISSING, titles: tuple[str, ...] = ()
) -> Column:
    return Column(name, title, cells.member(domain), default, titles, domain=domain)


def _code(name: str, title: str, *titles: str) -> Column:
    return Column(name, title, cells.code, titles=titles)


COVER: Final = Table(
    "cover",
    "封面",
    (
        Column("city", "城市", titles=("地市",)),
        Column("title", "标题", titles=("清单名称", "名称")),
        Column("year", "年份", cells.whole(1949, 2999), titles=("年度", "年")),
        Column("batch", "批次", cells.whole(1, 999)),
    ),
)

DEPARTMENTS: Final = Table(
    "departments",
    "部门",
    (
        _code("code", "部门代码", "代码"),
        Column("name", "部门名称", titles=("名称",)),
        Column("name_en", "英文名称", default=""),
        Column("uscc", "统一社会信用代码", cells.uscc),
        Column("parent", "上级部门代码", cells.reference, "", ("上级部门", "上级")),
        Column("aliases", "别名", default=(), titles=("简称", "部门简称"), form=Form.MANY),
        Column("contact_role", "联系岗位", default=""),
    ),
    ("部门清单", "部门表"),
)

RESOURCES: Final = Table(
    "resources",
    "资源",
    (
        _code("code", "信息资源代码", "资源代码", "代码"),
        Column("name", "信息资源名称", titles=("资源名称", "名称")),
        Column("name_en", "英文名称", default=""),
        Column("provider", "提供方代码", cells.reference, titles=("信息资源提供方代码", "提供方", "信息资源提供方")),
        Column("abstract", "信息资源摘要", titles=("摘要",)),
        _domain("format", "信息资源格式", domains.FORMAT, titles=("资源格式", "格式")),
        _domain("share_type", "共享类型", domains.SHARE_TYPE),
        Column("share_condition", "共享条件", default=""),
        Column("share_ground", "不予共享依据", default="", titles=("依据",)),
        _domain("share_method", "共享方式", domains.METHOD),
        _domain("cadence", "更新周期", domains.CADENCE),
        Column("open", "是否向社会开放", cells.boolean, False, ("开放属性", "是否开放")),
        Column("published_on", "发布日期", cells.day),
        _domain("disposition", "入库方式", domains.DISPOSITION),
        Column("source.system", "来源系统"),
        Column("source.object", "来源对象"),
        Column("source.cursor_field", "增量字段", cells.structural, ""),
        Column("source.deleted_field", "删除标志字段", cells.structural, ""),
        Column("source.deleted_value", "删除标志值", default=""),
        Column("source.options", "读取选项", cells.text, (), form=Form.OPTIONS),
        Column("related", "关联资源代码", cells.code, (), ("关联资源",), form=Form.MANY, split=cells.split_codes),
        Column("error_budget", "容错率", cells.share_of_rows, 0.05),
    ),
    ("信息资源", "资源表", "信息资源表"),
)

FIELDS: Final = Table(
    "fields",
    "信息项",
    (
        _code("resource", "信息资源代码", "资源代码", "信息资源"),
        Column("name", "字段名", cells.field_name, titles=("字段名称", "英文字段名")),
        Column("title", "信息项名称", titles=("信息项", "中文名称")),
        Column("type", "数据类型", cells.field_type, titles=("类型",)),
        Column("key", "是否主键", cells.boolean, False, ("主键",)),
        Column("nullable", "可否为空", cells.boolean, True, ("是否可空", "可空")),
        Column("lookup", "可否检索", cells.boolean, False, ("是否可检索", "可检索")),
        Column("grade", "敏感级别", cells.whole(1, 4), 1, ("数据级别",)),
        _domain("mask", "脱敏方式", domains.MASK, Mask.NONE),
        _domain("share_type", "共享类型", domains.SHARE_TYPE, ShareType.CONDITIONAL),
        Column("share_condition", "共享条件", default=""),
        _domain("cadence", "更新周期", domains.CADENCE, None),
        Column("codes", "值域", default=(), titles=("允许值",), form=Form.MANY),
        Column("pattern", "格式规则", cells.pattern, "", ("正则表达式",)),
        _domain("check", "校验码规则", domains.CHECK, None, ("校验规则",)),
        Column("aliases", "别名", default=(), titles=("字段别名",), form=Form.MANY),
    ),
    ("信息项表",),
)

MATTERS: Final = Table(
    "matters",
    "事项",
    (
        _code("code", "事项代码", "事项编码", "代码"),
        Column("name", "事项名称", titles=("名称",)),
        Column("name_en", "英文名称", default=""),
        Column("department", "所属部门代码", cells.reference, titles=("部门代码", "所属部门", "部门")),
    ),
    ("事项清单", "事项表"),
    optional=True,
)

RESPONSIBILITIES: Final = Table(
    "responsibilities",
    "责任",
    (
        _code("resource", "信息资源代码", "资源代码", "信息资源"),
        Column("provider", "提供方代码", cells.reference, titles=("提供方", "责任部门", "责任部门代码")),
        Column(
            "consumers",
            "使用方代码",
            cells.reference,
            titles=("使用方", "需求部门", "使用部门"),
            form=Form.MANY,
            split=cells.split_names,
        ),
        Column(
            "purposes",
            "用途事项代码",
            cells.code_or_everyone,
            titles=("用途", "用途事项"),
            form=Form.MANY,
            split=cells.split_codes,
        ),
        Column("ground", "共享依据", titles=("依据",)),
        _domain("method", "共享方式", domains.METHOD),
        _domain("cadence", "更新周期", domains.CADENCE, titles=("更新频率",)),
        Column("deadline", "完成时限", cells.day, titles=("时限",)),
        _domain("domain", "数据领域", domains.DATA_DOMAIN, titles=("领域",)),
    ),
    ("责任清单", "责任表"),
)

# In the order of the workbook.
TABLES: Final = (DEPARTMENTS, RESOURCES, FIELDS, RESPONSIBILITIES, MATTERS)

# Columns an office adds for itself; they are read past.
IGNORED_HEADINGS: Final = frozenset({"序号", "编号", "备注", "no.", "no", "#"})


def written(column: Column, value: Any) -> str | int | float:  # noqa: ANN401 - a value of any attribute
    """The text or number that stands for *value* in an Excel cell of *column*."""
    if column.form is Form.OPTIONS:
        return cells.write_options(value)
    if isinstance(value, tuple):
        return cells.join_texts(value)
    if isinstance(value, StrEnum) and column.domain is not None:
        return column.domain.word(value)
    return _written_one(value)


def _written_one(value: object) -> str | int | float:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        # A cell keeps 15 digits of a number; one that needs more is written as text.
        return value if float(f"{value:.15g}") == value else repr(value)
    if isinstance(value, int):
        return value
    return "" if value is None else str(value)
