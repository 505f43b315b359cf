"""The list on paper: its tables, their columns in order, their headings, and how each cell is read and written.

One description for YAML, Excel and CSV, reading and writing, so that the six cannot drift apart. It knows columns;
what follows from several of them together is `catalog.validate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Final

from catalog import cells, domains
from catalog.model import Deletion, Mask, ShareType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


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
    Excel and CSV, *titles* other headings accepted. *default* stands for an empty cell; without one the cell is
    required. Of several values, *split* finds the texts in one cell, *write* makes each and *join* puts them together
    again. *parts* are headings of columns in which some offices write the values one by one.
    """

    name: str
    title: str
    read: Callable[[str], object] = cells.text
    default: object = MISSING
    titles: tuple[str, ...] = ()
    form: Form = Form.ONE
    split: Callable[[str], list[str]] = cells.split_texts
    domain: domains.CodeDomain | None = None
    write: Callable[[Any], str] = str
    join: Callable[[Iterable[str]], str] = cells.join_texts
    parts: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """Whether an empty cell is a fault."""
        return self.default is MISSING


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the list: its key in YAML, its sheet in Excel, its columns. *optional* tables may be missing.

    *inner* names the attribute under which YAML holds the rows within those of another table, *owner* the columns by
    which the rows of a sheet say to what they belong and which are not repeated there.
    """

    key: str
    sheet: str
    columns: tuple[Column, ...]
    sheets: tuple[str, ...] = ()
    optional: bool = False
    inner: str = ""
    owner: tuple[str, ...] = ()

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
        Column("office", "数据主管部门", cells.reference, "", ("政务数据主管部门", "主管部门", "编制单位代码")),
    ),
    ("封面信息", "清单信息"),
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
        _domain("kind", "部门类型", domains.DEPARTMENT_KIND, None, ("单位类型", "部门性质", "机构类型")),
        Column(
            "contacts",
            "职责岗位",
            cells.contact,
            (),
            ("各职责岗位", "岗位联系"),
            form=Form.MANY,
            write=cells.write_contact,
        ),
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
        Column(
            "classification",
            "信息资源分类",
            default=(),
            titles=("资源分类", "所属分类", "分类"),
            form=Form.MANY,
            split=cells.split_levels,
            join=cells.join_levels,
            parts=("类", "项", "目", "细目"),
        ),
        _domain("theme", "主题库", domains.THEME, None, ("所属主题", "主题", "主题分类")),
        Column("aliases", "别名", default=(), titles=("资源别名", "俗称", "简称"), form=Form.MANY),
        Column("region_field", "区划字段", cells.structural, "", ("行政区划字段", "区域字段")),
        _domain("deletion", "删除方式", domains.DELETION, Deletion.HARD, ("删除处理方式",)),
        Column("error_limit", "容错行数", cells.count, 0, ("不合格行数上限",)),
        Column(
            "drift",
            "结构变化处理",
            cells.drift,
            (),
            ("来源结构变化", "结构漂移"),
            form=Form.MANY,
            write=cells.write_drift,
        ),
    ),
    ("信息资源", "资源表", "信息资源表", "资源目录", "信息资源目录", "政务信息资源目录"),
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
        Column("code_list", "代码表", cells.standard, "", ("引用代码表", "代码表代码", "代码标准")),
        _domain("landing", "入库脱敏", domains.MASK, Mask.NONE, ("入库脱敏方式", "落地脱敏")),
    ),
    ("信息项表", "信息项清单"),
    inner="fields",
    owner=("resource",),
)

MATTERS: Final = Table(
    "matters",
    "事项",
    (
        _code("code", "事项代码", "事项编码", "代码"),
        Column("name", "事项名称", titles=("名称",)),
        Column("name_en", "英文名称", default=""),
        Column("department", "所属部门代码", cells.reference, titles=("部门代码", "所属部门", "部门")),
        Column("hidden", "是否对本人不予显示", cells.boolean, False, ("对本人不予显示", "不予显示")),
        Column("hidden_ground", "不予显示依据", default="", titles=("依据", "法律依据")),
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
        Column("year", "纳入年度", cells.whole(1949, 2999), 0, ("年度", "年份", "清单年度")),
        Column("batch", "纳入批次", cells.whole(1, 999), 0, ("批次", "清单批次")),
    ),
    ("责任清单", "责任表"),
)

CODE_LISTS: Final = Table(
    "code_lists",
    "代码表",
    (
        Column("code", "代码表代码", cells.standard, titles=("代码表编号", "代码表标识", "标准号")),
        Column("name", "代码表名称", titles=("标准名称", "代码集名称")),
        Column("value", "代码值", titles=("代码", "值", "码值")),
        Column("title", "代码名称", titles=("含义", "代码含义", "值含义", "说明", "名称")),
    ),
    ("代码", "代码集", "数据字典", "码表"),
    optional=True,
    inner="items",
    owner=("code", "name"),
)

NEEDS: Final = Table(
    "needs",
    "事项用数",
    (
        _code("matter", "事项代码", "事项编码", "事项"),
        _code("resource", "信息资源代码", "资源代码", "信息资源"),
        Column(
            "fields",
            "所需字段",
            cells.field_name,
            titles=("所需信息项", "字段名", "需用字段"),
            form=Form.MANY,
            split=cells.split_codes,
        ),
        Column(
            "actions",
            "用数方式",
            cells.action,
            ("query",),
            ("使用方式", "调用方式"),
            form=Form.MANY,
            split=cells.split_codes,
            write=cells.write_action,
        ),
        Column("replaces", "替代材料", default="", titles=("免提交材料", "可免提交材料")),
    ),
    ("事项用数清单", "用数需求", "事项数据需求"),
    optional=True,
)

PROHIBITIONS: Final = Table(
    "prohibitions",
    "不予共享",
    (
        _code("resource", "信息资源代码", "资源代码", "信息资源"),
        Column(
            "fields",
            "不予共享字段",
            cells.field_name,
            (),
            ("字段", "字段名", "不予共享信息项"),
            form=Form.MANY,
            split=cells.split_codes,
        ),
        Column(
            "consumers",
            "使用方代码",
            cells.reference,
            titles=("使用方", "需求部门", "使用部门", "对象部门"),
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
        Column("ground", "不予共享依据", titles=("依据", "法律依据")),
    ),
    ("不予共享清单", "负面清单"),
    optional=True,
)

QUALITY: Final = Table(
    "quality",
    "质量规则",
    (
        _code("resource", "信息资源代码", "资源代码", "信息资源"),
        _domain("kind", "规则类型", domains.QUALITY_KIND, titles=("质量维度", "规则", "类型")),
        Column("field", "字段名", cells.structural, "", ("字段", "信息项", "字段名称")),
        Column("threshold", "阈值", cells.threshold, titles=("要求", "指标值", "门限")),
        Column("target", "引用目标", cells.target, "", ("引用字段", "参照目标", "规则表达式", "表达式")),
    ),
    ("数据质量规则", "质量要求"),
    optional=True,
    inner="quality",
    owner=("resource",),
)

# In the order of the workbook.
TABLES: Final = (
    DEPARTMENTS,
    RESOURCES,
    FIELDS,
    RESPONSIBILITIES,
    MATTERS,
    CODE_LISTS,
    NEEDS,
    PROHIBITIONS,
    QUALITY,
)
# Those written only when they hold something: most offices have no use for them.
SELDOM: Final = (CODE_LISTS, NEEDS, PROHIBITIONS, QUALITY)

# In the order of the YAML; and what its rows hold within them.
YAML_TABLES: Final = (DEPARTMENTS, MATTERS, CODE_LISTS, RESOURCES, RESPONSIBILITIES, NEEDS, PROHIBITIONS)
YAML_INNER: Final = {RESOURCES.key: (FIELDS, QUALITY), CODE_LISTS.key: (CODE_LISTS,)}

# Columns an office adds for itself; they are read past.
IGNORED_HEADINGS: Final = frozenset({"序号", "编号", "备注", "no.", "no", "#"})


def written(column: Column, value: Any) -> str | int | float:  # noqa: ANN401 - a value of any attribute
    """The text or number that stands for *value* in one cell of *column*."""
    if column.form is Form.OPTIONS:
        return cells.write_options(value)
    if isinstance(value, tuple):
        return column.join(column.write(item) for item in value)
    if isinstance(value, StrEnum) and column.domain is not None:
        return column.domain.word(value)
    return _written_one(column, value)


def _written_one(column: Column, value: object) -> str | int | float:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, float):
        # A cell keeps 15 digits of a number; one that needs more is written as text.
        return value if float(f"{value:.15g}") == value else repr(value)
    if isinstance(value, int):
        # Zero by default means that nothing was said (a line's year), and nothing is what is written.
        return "" if value == 0 == column.default else value
    return "" if value is None else str(value)
