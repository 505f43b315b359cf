"""What departments, resources and matters are called in a visit's language; a code that the list lost stays a code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from catalog.domains import MASK, QUALITY_KIND
from catalog.model import Mask, QualityKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.domains import CodeDomain
    from catalog.model import QualityRule
    from catalog.steps import CaseInvalidError
    from hub.portal.visits import Visit


# What the members of a case that people write are called on the forms; the findings about others name what they mean.
_MEMBERS: Final[dict[str, tuple[str, str]]] = {
    "answer": ("答复", "Answer"),
    "document": ("文号", "Number of the decision"),
    "evidence": ("证据", "Evidence"),
    "ground": ("依据", "Ground"),
    "note": ("说明", "Note"),
    "planned_on": ("计划日期", "Planned for"),
    "purpose": ("用途", "Purpose"),
    "question": ("需补充的内容", "What is missing"),
    "reason": ("理由", "Reason"),
    "reply": ("答复", "Reply"),
    "right": ("正确内容", "What is right"),
    "why": ("原因", "Why"),
    "words": ("需要的数据", "Data"),
    "wrong": ("有误内容", "What is wrong"),
}


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def name_en(self) -> str: ...


def department(visit: Visit, code: str) -> str:
    """The name of a department; ``*`` is every one."""
    if code == "*":
        return visit.say("所有部门", "every department")
    return _name(visit, visit.list_.departments_by_code, code)


def resource(visit: Visit, code: str) -> str:
    """The name of a resource."""
    return _name(visit, visit.list_.by_code, code)


def matter(visit: Visit, code: str) -> str:
    """The name of a matter; ``*`` is every one."""
    if code == "*":
        return visit.say("所有事项", "every matter")
    return _name(visit, visit.list_.matters_by_code, code)


def word(visit: Visit, domain: CodeDomain, value: str) -> str:
    """What a coded value is called."""
    member = domain.find(value)
    if member is None:
        return value
    return domain.word(member) if visit.lang == "zh" else member.name.lower().replace("_", " ")


def mask(visit: Visit, value: str) -> str:
    """What a mask does; in English *none* alone would not say of what there is none."""
    return "not masked" if value == Mask.NONE and visit.lang != "zh" else word(visit, MASK, value)


def promise(visit: Visit, rule: QualityRule, field: str) -> str:
    """A rule as a sentence: what its threshold means depends on what it measures."""
    kind, least = word(visit, QUALITY_KIND, rule.kind), rule.threshold
    match rule.kind:
        case QualityKind.TIMELINESS:
            said = visit.say(
                f"“{field}”最新值不早于 {least:g} 天前", f"the newest {field} is at most {least:g} days old"
            )
        case QualityKind.VOLUME:
            said = visit.say(f"不少于 {least:g} 行", f"at least {least:g} rows")
        case QualityKind.VOLUME_BAND:
            said = visit.say(
                f"每次行数为往次中位数的 {least:.0%} 至 {1 / least:.0%}",
                f"each load has {least:.0%} to {1 / least:.0%} of the usual number of rows",
            )
        case _:
            share = f"{least * 100:g}%"
            said = visit.say(f"“{field}”合格的行不少于 {share}", f"{field} is right in at least {share} of the rows")
    return f"{kind}{visit.say('：', ': ')}{said}"


def actor(visit: Visit, text: str) -> str:
    """Who acted, ``MZJ:data-officer`` in the log: the department by its name, and the post."""
    code, colon, post = text.partition(":")
    return f"{department(visit, code)} · {post}" if colon else department(visit, text)


def problems(visit: Visit, error: CaseInvalidError) -> str:
    """What is to be mended, a line each, by what the forms call it."""
    lines = []
    for one in error.problems:
        member = _MEMBERS.get(one.where)
        text = one.text(visit.lang)
        lines.append(text if member is None else visit.say(f"“{member[0]}”：{text}", f"{member[1]}: {text}"))
    return "\n".join(lines)


def _name(visit: Visit, known: Mapping[str, _Named], code: str) -> str:
    found = known.get(code)
    if found is None:
        return code
    return found.name if visit.lang == "zh" else found.name_en or found.name
