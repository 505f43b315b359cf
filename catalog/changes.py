"""What may change between two versions of a list: each kind of change with its weight and its words.

Finding the changes is `catalog.diff`; whom they hit is `catalog.impact`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from catalog import domains
from catalog.model import (
    EVERYONE,
    Cadence,
    Check,
    Deletion,
    DepartmentKind,
    Disposition,
    Domain,
    Drift,
    DriftPolicy,
    Duty,
    FieldKind,
    FieldType,
    Mask,
    QualityKind,
    ResourceFormat,
    ShareMethod,
    ShareType,
    Theme,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class Weight(StrEnum):
    """What a change means to whoever uses the data, the heaviest first.

    ``breaking``: something that worked does not work any more; ``narrowing``: it works, for less or with less;
    ``widening``: more than before; ``neutral``: neither.
    """

    BREAKING = "breaking"
    NARROWING = "narrowing"
    WIDENING = "widening"
    NEUTRAL = "neutral"


WEIGHTS: Final[dict[Weight, tuple[str, str]]] = {
    Weight.BREAKING: ("breaking", "中断"),
    Weight.NARROWING: ("narrowing", "收窄"),
    Weight.WIDENING: ("widening", "放宽"),
    Weight.NEUTRAL: ("neutral", "一般"),
}

# code: (English, Chinese). {subject} is what changed, with its place; {attribute} one of its attributes.
SENTENCES: Final[dict[str, tuple[str, str]]] = {
    # Any attribute of anything.
    "changed": ("{subject}: {attribute} changed from {old} to {new}", "{subject}的{attribute}由{old}改为{new}"),
    "reordered": ("{subject}: {attribute} stand in another order", "{subject}的{attribute}次序有调整"),
    # Departments.
    "department_added": ("{subject} is new on the list", "清单新增{subject}"),
    "department_dropped": ("{subject} is no longer on the list", "清单不再列入{subject}"),
    "department_merged": ("{subject} was merged into {new}", "{subject}并入{new}"),
    "department_recoded": (
        "{subject} probably has a new code: {old} became {new}",
        "{subject}的代码疑由{old}改为{new}",
    ),
    "renamed": ("{old} is now called {new}", "{old}更名为{new}"),
    # Resources.
    "resource_added": ("{provider} now owes {subject}", "{provider}新增提供{subject}"),
    "resource_dropped": ("{provider} no longer owes {subject}", "{provider}不再提供{subject}"),
    "resource_recoded": (
        "{subject} of {provider} probably has a new code: {old} became {new}",
        "{provider}的{subject}疑已改码：由{old}改为{new}",
    ),
    "provider_changed": ("{subject}: provider changed from {old} to {new}", "{subject}的提供方由{old}改为{new}"),
    "share_type_changed": (
        "{subject}: share type changed from {old} to {new} (ground: {ground})",
        "{subject}的共享类型由{old}改为{new}（依据：{ground}）",
    ),
    "cadence_slower": (
        "{subject} is updated less often: {old} became {new}",
        "{subject}的更新周期放慢：由{old}改为{new}",
    ),
    "cadence_faster": (
        "{subject} is updated more often: {old} became {new}",
        "{subject}的更新周期加快：由{old}改为{new}",
    ),
    # Fields.
    "field_added": ("{provider} now owes {subject}", "{provider}新增提供{subject}"),
    "field_dropped": ("{provider} no longer owes {subject}", "{provider}不再提供{subject}"),
    "field_renamed": (
        "{subject} probably has a new name: {old} became {new}",
        "{subject}疑已改名：由{old}改为{new}",
    ),
    "type_narrowed": ("{subject}: type narrowed from {old} to {new}", "{subject}的数据类型由{old}收窄为{new}"),
    "type_widened": ("{subject}: type widened from {old} to {new}", "{subject}的数据类型由{old}放宽为{new}"),
    "type_changed": ("{subject}: type changed from {old} to {new}", "{subject}的数据类型由{old}改为{new}"),
    "mask_stricter": ("{subject} is masked more: {old} became {new}", "{subject}的脱敏加严：由{old}改为{new}"),
    "mask_looser": ("{subject} is masked less: {old} became {new}", "{subject}的脱敏放宽：由{old}改为{new}"),
    "grade_raised": (
        "{subject}: sensitivity grade raised from {old} to {new}",
        "{subject}的敏感级别由{old}级提高到{new}级",
    ),
    "grade_lowered": (
        "{subject}: sensitivity grade lowered from {old} to {new}",
        "{subject}的敏感级别由{old}级降低到{new}级",
    ),
    "lookup_added": ("{subject} may now be looked up by", "{subject}新增为查询条件"),
    "lookup_dropped": ("{subject} may no longer be looked up by", "{subject}不再作为查询条件"),
    # Quality rules.
    "quality_added": ("{subject}: a new quality rule, {new}", "{subject}新增质量规则：{new}"),
    "quality_dropped": ("{subject}: the quality rule {old} is gone", "{subject}取消质量规则：{old}"),
    "quality_stricter": (
        "{subject}: quality rule {rule} tightened from {old} to {new}",
        "{subject}的质量规则{rule}由{old}加严为{new}",
    ),
    "quality_looser": (
        "{subject}: quality rule {rule} loosened from {old} to {new}",
        "{subject}的质量规则{rule}由{old}放宽为{new}",
    ),
    # Code lists.
    "code_list_added": ("{subject} is new", "新增{subject}"),
    "code_list_dropped": ("{subject} is gone", "取消{subject}"),
    "code_added": ("{subject} gained {new}", "{subject}新增{new}"),
    "code_dropped": ("{subject} lost {old}", "{subject}取消{old}"),
    # Lines of responsibility.
    "line_added": (
        "{provider} now owes {resource} to {consumers} for {purposes} (ground: {ground})",
        "{provider}新增向{consumers}提供{resource}，用于{purposes}（依据：{ground}）",
    ),
    "line_dropped": (
        "{provider} no longer owes {resource} to {consumers} for {purposes}",
        "{provider}不再向{consumers}提供{resource}（原用于{purposes}）",
    ),
    "consumer_added": (
        "{provider} now owes {resource} to {consumer}, too",
        "{provider}新增向{consumer}提供{resource}",
    ),
    "consumer_dropped": (
        "{provider} no longer owes {resource} to {consumer}",
        "{provider}不再向{consumer}提供{resource}",
    ),
    "purpose_added": (
        "{provider} now owes {resource} to {consumers} for {purpose}, too",
        "{provider}向{consumers}提供{resource}的用途新增{purpose}",
    ),
    "purpose_dropped": (
        "{provider} no longer owes {resource} to {consumers} for {purpose}",
        "{provider}向{consumers}提供{resource}的用途不再包括{purpose}",
    ),
    "deadline_later": ("{subject}: deadline moved back from {old} to {new}", "{subject}的完成时限由{old}推迟到{new}"),
    "deadline_earlier": (
        "{subject}: deadline moved forward from {old} to {new}",
        "{subject}的完成时限由{old}提前到{new}",
    ),
    # Matters and what they need.
    "matter_added": ("{subject} is new", "新增{subject}"),
    "matter_dropped": ("{subject} is gone; no call can name it any more", "取消{subject}，不得再以其为用途调用"),
    "need_added": ("{matter} now needs {fields} of {resource}", "{matter}新增需用{resource}的{fields}"),
    "need_dropped": ("{matter} no longer needs {fields} of {resource}", "{matter}不再需用{resource}的{fields}"),
    "need_field_added": ("{matter} now needs {field} of {resource}, too", "{matter}新增需用{resource}的{field}"),
    "need_field_dropped": ("{matter} no longer needs {field} of {resource}", "{matter}不再需用{resource}的{field}"),
    # Prohibitions.
    "prohibition_added": (
        "{fields} of {resource} must no longer be shared with {consumers} for {purposes} (ground: {ground})",
        "不得再向{consumers}共享{resource}的{fields}（用途：{purposes}；依据：{ground}）",
    ),
    "prohibition_lifted": (
        "{fields} of {resource} may be shared again with {consumers} for {purposes} (the ground was: {ground})",
        "解除对{consumers}共享{resource}的{fields}的禁止（用途：{purposes}；原依据：{ground}）",
    ),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One change of something in the list.

    *kind* says of what: ``list``, ``department``, ``resource``, ``field``, ``quality``, ``code_list``, ``line``,
    ``matter``, ``need``, ``prohibition``. *code* is one of `SENTENCES`, *attribute* the attribute of the model.

    *resource*, *field* and *matter* are codes, or the name, of what it is about, as the older version has them where
    it has them; *departments* whom it concerns. *consumers* and *purposes* are those of a line or a prohibition.
    *params* fill the sentence; a name that ends in ``_zh`` holds the Chinese form.
    """

    kind: str
    code: str
    weight: Weight
    resource: str = ""
    field: str = ""
    matter: str = ""
    attribute: str = ""
    departments: tuple[str, ...] = ()
    consumers: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()

    def text(self, lang: str) -> str:
        """The change in an auditor's words, in Chinese for ``zh`` and in English for anything else."""
        en, zh = SENTENCES[self.code]
        words = dict(self.params)
        if lang != "zh":
            return en.format(**words)
        return zh.format(**{name: words.get(f"{name}_zh", word) for name, word in words.items()})

    def to_plain(self) -> dict[str, Any]:
        """A JSON-able dict, without what is empty; the sentences in both languages with it."""
        plain: dict[str, Any] = {}
        for slot in fields(self):
            value = getattr(self, slot.name)
            if value and slot.name != "params":
                plain[slot.name] = list(value) if isinstance(value, tuple) else str(value)
        return {**plain, "en": self.text("en"), "zh": self.text("zh")}


@dataclass(frozen=True, slots=True)
class Words:
    """A term in both languages."""

    en: str
    zh: str


def worded(**words: Words | str) -> tuple[tuple[str, str], ...]:
    """The params of a change: each term under its name, its Chinese form under the name with ``_zh``."""
    found: list[tuple[str, str]] = []
    for name, word in words.items():
        if isinstance(word, str):
            found.append((name, word))
        else:
            found += [(name, word.en), (f"{name}_zh", word.zh)]
    return tuple(found)


_DOMAINS: Final[Mapping[type[StrEnum], domains.CodeDomain]] = {
    ShareType: domains.SHARE_TYPE,
    Cadence: domains.CADENCE,
    ResourceFormat: domains.FORMAT,
    ShareMethod: domains.METHOD,
    Disposition: domains.DISPOSITION,
    Deletion: domains.DELETION,
    Drift: domains.DRIFT,
    DriftPolicy: domains.DRIFT_POLICY,
    Mask: domains.MASK,
    Check: domains.CHECK,
    Domain: domains.DATA_DOMAIN,
    FieldKind: domains.KIND,
    DepartmentKind: domains.DEPARTMENT_KIND,
    Duty: domains.DUTY,
    Theme: domains.THEME,
    QualityKind: domains.QUALITY_KIND,
}
NOTHING: Final = Words("nothing", "（无）")
EVERY_DEPARTMENT: Final = Words("every department", "所有部门")
EVERY_MATTER: Final = Words("every matter", "所有事项")
# Long values are cut in sentences; the two versions hold them whole.
_SHOWN_CHARS: Final = 100


def word_of(member: StrEnum) -> Words:
    """A coded value in both languages."""
    domain = _DOMAINS.get(type(member))
    return Words(member.name.lower().replace("_", " "), domain.word(member) if domain else member.value)


def words_of(value: Any) -> Words:  # noqa: ANN401 - any attribute of the model
    """A value of the list as a sentence shows it."""
    if isinstance(value, StrEnum):
        return word_of(value)
    if isinstance(value, bool):
        return Words("yes", "是") if value else Words("no", "否")
    if value is None or value in ("", ()):
        return NOTHING
    if isinstance(value, tuple):
        shown = [words_of(item) for item in value]
        return Words(cut(", ".join(word.en for word in shown)), cut("、".join(word.zh for word in shown)))
    text = str(value) if isinstance(value, FieldType) else cut(" ".join(str(value).split()))
    return Words(text, text)


def joined(words: list[Words], everyone: Words = NOTHING) -> Words:
    """Several terms as one; *everyone* for none."""
    if not words:
        return everyone
    return Words(cut(", ".join(word.en for word in words)), cut("、".join(word.zh for word in words)))


def cut(text: str) -> str:
    """*text*, no longer than is useful in a sentence."""
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def is_everyone(codes: tuple[str, ...]) -> bool:
    """Whether *codes* name every department, or every matter."""
    return EVERYONE in codes
