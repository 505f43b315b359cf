"""What each attribute of the list is called in a comparison, and what a change of its value weighs.

Every attribute of the model is here or is compared item by item in `catalog.diff`; a test walks the model to see to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from catalog import masks
from catalog.changes import Weight, Words
from catalog.model import FieldKind, FieldType, Mask, ShareType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Judgement = tuple[str, Weight]
    Judge = Callable[[Any, Any], Judgement]


@dataclass(frozen=True, slots=True)
class Attribute:
    """The *words* for an attribute, and *judge*: from its old and new value to a sentence's code and a weight."""

    words: Words
    judge: Judge


def _neutral(old: object, new: object) -> Judgement:
    del old, new
    return "changed", Weight.NEUTRAL


def _breaking(old: object, new: object) -> Judgement:
    del old, new
    return "changed", Weight.BREAKING


def _renamed(old: object, new: object) -> Judgement:
    del old, new
    return "renamed", Weight.NEUTRAL


def _provider(old: object, new: object) -> Judgement:
    del old, new
    return "provider_changed", Weight.NARROWING


def _more_is_wider(old: Any, new: Any) -> Judgement:  # noqa: ANN401 - two values that can be ordered
    return "changed", Weight.WIDENING if new > old else Weight.NARROWING


def _more_is_narrower(old: Any, new: Any) -> Judgement:  # noqa: ANN401 - two values that can be ordered
    return "changed", Weight.NARROWING if new > old else Weight.WIDENING


def _restriction(old: object, new: object) -> Judgement:
    """A condition, pattern or check: putting one narrows, taking it away widens."""
    if not old:
        return "changed", Weight.NARROWING
    return "changed", Weight.NEUTRAL if new else Weight.WIDENING


def _region(old: object, new: object) -> Judgement:
    """The field by which rows are granted: such grants rest on it."""
    del new
    return "changed", Weight.BREAKING if old else Weight.WIDENING


def _share_type(old: ShareType, new: ShareType) -> Judgement:
    if new is ShareType.NOT_SHARED:
        return "share_type_changed", Weight.BREAKING
    return "share_type_changed", Weight.NARROWING if new.value > old.value else Weight.WIDENING


def _cadence(old: Any, new: Any) -> Judgement:  # noqa: ANN401 - cadences, or None
    if old == new or old is None or new is None:
        return "changed", Weight.NEUTRAL
    # The codes of GB/T 21063 rise from 实时 to 每年.
    return ("cadence_slower", Weight.NARROWING) if new.value > old.value else ("cadence_faster", Weight.WIDENING)


def _deadline(old: Any, new: Any) -> Judgement:  # noqa: ANN401 - dates
    return ("deadline_later", Weight.NARROWING) if new > old else ("deadline_earlier", Weight.WIDENING)


def _grade(old: int, new: int) -> Judgement:
    return ("grade_raised", Weight.NARROWING) if new > old else ("grade_lowered", Weight.WIDENING)


def _mask(old: Mask, new: Mask) -> Judgement:
    meet = masks.stricter(old, new)
    if meet is new:
        return "mask_stricter", Weight.NARROWING
    # Two partial masks hide different parts: what was shown is hidden now, too.
    return ("mask_looser", Weight.WIDENING) if meet is old else ("changed", Weight.NARROWING)


def _limit(old: int, new: int) -> Judgement:
    """How many rows may be rejected; 0: any number."""
    return "changed", Weight.NARROWING if new == 0 or 0 < old < new else Weight.WIDENING


def _landing(old: Mask, new: Mask) -> Judgement:
    return "changed", _mask(old, new)[1]


def _lookup(old: object, new: object) -> Judgement:
    del old
    return ("lookup_added", Weight.WIDENING) if new else ("lookup_dropped", Weight.BREAKING)


def _type(old: FieldType, new: FieldType) -> Judgement:
    if old.kind is not new.kind:
        return "type_changed", Weight.BREAKING
    if old.kind is FieldKind.STRING:
        wider = new.length == 0 or (old.length != 0 and new.length > old.length)
    else:
        # A decimal holds every value of another when it has as many places before the point and after it.
        wider = new.scale >= old.scale and new.length - new.scale >= old.length - old.scale
    return ("type_widened", Weight.WIDENING) if wider else ("type_narrowed", Weight.NARROWING)


def _codes(old: tuple[str, ...], new: tuple[str, ...]) -> Judgement:
    """The values allowed; none named: every value."""
    if set(old) == set(new):
        return "changed", Weight.NEUTRAL
    wider = not new or (bool(old) and set(old) < set(new))
    return "changed", Weight.WIDENING if wider else Weight.NARROWING


def _actions(old: tuple[str, ...], new: tuple[str, ...]) -> Judgement:
    if set(old) == set(new):
        return "changed", Weight.NEUTRAL
    return "changed", Weight.NARROWING if set(old) - set(new) else Weight.WIDENING


def _of(en: str, zh: str, judge: Judge = _neutral) -> Attribute:
    return Attribute(Words(en, zh), judge)


# kind: attribute: its words and weight. Attributes of `source` are written with a point.
ATTRIBUTES: Final[Mapping[str, Mapping[str, Attribute]]] = {
    "list": {
        "city": _of("city", "城市"),
        "title": _of("title", "标题"),
        "year": _of("year", "年份"),
        "batch": _of("batch", "批次"),
        "office": _of("office that keeps the list", "数据主管部门"),
    },
    "department": {
        "name": _of("name", "名称", _renamed),
        "name_en": _of("English name", "英文名称"),
        "uscc": _of("unified social credit code", "统一社会信用代码"),
        "parent": _of("department above it", "上级部门"),
        "aliases": _of("short names", "别名"),
        "contact_role": _of("contact post", "联系岗位"),
        "kind": _of("kind", "部门类型"),
        "contacts": _of("contact posts", "联系岗位明细"),
    },
    "matter": {
        "name": _of("name", "名称", _renamed),
        "name_en": _of("English name", "英文名称"),
        # Whoever handles a matter may use for it what it owes itself.
        "department": _of("department that handles it", "办理部门", _breaking),
        "hidden": _of("uses hidden from the person", "对本人不予显示", _more_is_narrower),
        "hidden_ground": _of("ground for hiding", "不予显示依据"),
    },
    "resource": {
        "name": _of("name", "名称", _renamed),
        "name_en": _of("English name", "英文名称"),
        "provider": _of("provider", "提供方", _provider),
        "abstract": _of("abstract", "摘要"),
        "format": _of("format", "格式"),
        "share_type": _of("share type", "共享类型", _share_type),
        "share_condition": _of("share condition", "共享条件", _restriction),
        "share_ground": _of("ground", "依据"),
        "share_method": _of("share method", "共享方式"),
        "cadence": _of("update cadence", "更新周期", _cadence),
        "open": _of("open to society", "开放属性", _more_is_wider),
        "published_on": _of("date of publication", "发布日期"),
        "disposition": _of("disposition of loads", "入库方式"),
        "source.system": _of("source system", "来源系统"),
        "source.object": _of("object in the source system", "来源对象"),
        "source.cursor_field": _of("cursor field", "增量字段"),
        "source.deleted_field": _of("deletion field", "删除标志字段"),
        "source.deleted_value": _of("value that marks a deletion", "删除标志值"),
        "source.options": _of("reading options", "读取选项"),
        "related": _of("related resources", "关联资源"),
        "error_budget": _of("share of rows that may be rejected", "错误容限", _more_is_narrower),
        "classification": _of("classification", "信息资源分类"),
        "theme": _of("theme library", "主题库"),
        "aliases": _of("other names", "别名"),
        "region_field": _of("field of the administrative division", "区划字段", _region),
        "deletion": _of("way of deletion", "删除方式"),
        "error_limit": _of("number of rows that may be rejected", "容错行数", _limit),
        "drift": _of("what happens when the source changes", "结构变化处理"),
    },
    "field": {
        "title": _of("title", "名称"),
        "type": _of("type", "数据类型", _type),
        "key": _of("part of the key", "主键", _breaking),
        "nullable": _of("may be empty", "可为空", _more_is_narrower),
        "lookup": _of("look-up field", "查询条件", _lookup),
        "grade": _of("sensitivity grade", "敏感级别", _grade),
        "mask": _of("mask", "脱敏方式", _mask),
        "share_type": _of("share type", "共享类型", _share_type),
        "share_condition": _of("share condition", "共享条件", _restriction),
        "cadence": _of("update cadence", "更新周期", _cadence),
        "codes": _of("values allowed", "值域", _codes),
        "pattern": _of("pattern", "格式规则", _restriction),
        "check": _of("check-digit rule", "校验码规则", _restriction),
        "aliases": _of("other headings", "别名"),
        "code_list": _of("code list", "代码表"),
        "landing": _of("mask at landing", "入库脱敏", _landing),
    },
    "code_list": {"name": _of("name", "名称", _renamed)},
    "line": {
        "provider": _of("provider", "提供方", _provider),
        "ground": _of("ground", "依据"),
        "method": _of("share method", "共享方式"),
        "cadence": _of("update cadence", "更新周期", _cadence),
        "deadline": _of("deadline", "完成时限", _deadline),
        "domain": _of("domain", "数据领域"),
        "year": _of("year of entry", "列入年份"),
        "batch": _of("batch of entry", "列入批次"),
    },
    "need": {
        "actions": _of("ways of use", "用数方式", _actions),
        "replaces": _of("paper it makes needless", "替代材料"),
    },
    "prohibition": {"ground": _of("ground", "依据")},
}


def judge(attribute: Attribute, old: object, new: object) -> Judgement:
    """The code and weight of a change of *attribute* from *old* to *new*, which differ."""
    return attribute.judge(old, new)
