"""What departments, resources and matters are called in a visit's language; a code that the list lost stays a code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from markupsafe import Markup

from catalog.domains import MASK, QUALITY_KIND
from catalog.model import Mask, QualityKind
from catalog.steps import NotYoursError
from hub.errors import HubError
from hub.people.posts import HUB, HUB_WORDS, words_of

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
_NOBODY: Final = Markup("–")


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def name_en(self) -> str: ...


def department(visit: Visit, code: str) -> str:
    """The name of a department; ``*`` is every one. Where no list is in force its code is all there is."""
    if code == "*":
        return visit.say("所有部门", "every department")
    try:
        return _name(visit, visit.list_.departments_by_code, code)
    except HubError:
        return code


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


def post(visit: Visit, text: str, of: str = "") -> str:
    """What a post, of the department *of*, is called."""
    return visit.words(words_of(text, of))


def actor(visit: Visit, text: str, of: str = "") -> str:
    """Who acted, ``MZJ:data-officer`` in the log: department and post by their names.

    *of*: the department of a post that was written down alone, as ``data-officer``.
    """
    code, colon, held = text.partition(":")
    if not colon:
        if not of:
            return _side(visit, text)
        code, held = of, text
    return f"{_side(visit, code)} · {post(visit, held, code)}"


def actor_in_text(visit: Visit, text: str) -> str:
    """`actor` for a sentence, which has no place for the code but brackets behind it.

    What follows a slash, as the key and the operator in ``MZJ/K7Q2``, stands in the brackets alone.
    """
    name = actor(visit, text.partition("/")[0])
    return visit.say(f"{name}（{text}）", f"{name} ({text})")


def shown_actor(visit: Visit, text: str, of: str = "") -> Markup:
    """`actor` with what the log has at hand; a dash where nobody acted."""
    return _with_code(actor(visit, text, of), text if ":" in text or not of else f"{of}:{text}") if text else _NOBODY


def shown_post(visit: Visit, text: str, of: str = "") -> Markup:
    """`post` with what the log has at hand; a dash where there is none."""
    return _with_code(post(visit, text, of), text) if text else _NOBODY


def whose(visit: Visit, error: NotYoursError) -> NotYoursError:
    """*error* with departments and posts by their names, each once; one that has words of its own as it is."""
    if type(error) is not NotYoursError:
        return error

    def named(text: str) -> str:
        return visit.say("、", ", ").join(dict.fromkeys(actor(visit, one) for one in text.split(", ")))

    words = error.params
    if not {"actor", "needed"} <= words.keys():
        # It says so in sentences of its own.
        return error
    return type(error)(actor=named(str(words["actor"])), needed=named(str(words["needed"])))


def problems(visit: Visit, error: CaseInvalidError) -> str:
    """What is to be mended, a line each, by what the forms call it."""
    lines = []
    for one in error.problems:
        member = _MEMBERS.get(one.where)
        text = one.text(visit.lang)
        lines.append(text if member is None else visit.say(f"“{member[0]}”：{text}", f"{member[1]}: {text}"))
    return "\n".join(lines)


def _side(visit: Visit, code: str) -> str:
    """A department, or the hub where it acted by itself."""
    return visit.words(HUB_WORDS) if code == HUB else department(visit, code)


def _with_code(name: str, code: str) -> Markup:
    return Markup('<span title="{}">{}</span>').format(code, name)


def _name(visit: Visit, known: Mapping[str, _Named], code: str) -> str:
    found = known.get(code)
    if found is None:
        return code
    return found.name if visit.lang == "zh" else found.name_en or found.name
