"""Demands (需求清单): data that a department needs and the list does not offer, from the asking to what met it.

Pure: each step takes a demand and returns the next one, or raises; storing demands and telling departments is
`hub.demands`. States: submitted → claimed → met, refused or planned; a planned one is answered again; withdrawn.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from catalog.collect import normal
from catalog.model import ShareType
from catalog.steps import CaseInvalidError, NotYoursError, Problem, StepNotAllowedError, problem, register_problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.model import InformationResource, ResponsibilityList

MAX_WORDS_CHARS: Final = 200
MAX_TEXT_CHARS: Final = 1_000
MAX_PLANNED_DAYS: Final = 3 * 366
MAX_SUGGESTIONS: Final = 5
# More than half of what was asked must be there, in names more than in descriptions; found by trying on real lists.
LEAST_LIKENESS: Final = 0.55


class DemandState(StrEnum):
    """Where a demand stands."""

    SUBMITTED = "submitted"
    CLAIMED = "claimed"
    PLANNED = "planned"
    MET = "met"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


OPEN: Final = frozenset({DemandState.SUBMITTED, DemandState.CLAIMED, DemandState.PLANNED})
# state: the steps that are possible in it.
STEPS: Final[Mapping[DemandState, tuple[str, ...]]] = {
    DemandState.SUBMITTED: ("claim", "assign", "withdraw"),
    DemandState.CLAIMED: ("answer", "assign", "withdraw"),
    DemandState.PLANNED: ("answer", "assign", "withdraw"),
    DemandState.MET: (),
    DemandState.REFUSED: (),
    DemandState.WITHDRAWN: (),
}
OUTCOMES: Final = (DemandState.MET, DemandState.REFUSED, DemandState.PLANNED)

register_problems(
    {
        "demand_text_missing": ("say it in at least two characters", "请填写，不少于两个字"),
        "demand_text_too_long": ("{found} characters; at most {limit}", "共 {found} 字，不得超过 {limit} 字"),
        "demand_personal": (
            "it seems to hold an identity, phone or bank number; describe the data, never a person",
            "疑似含有身份号码、电话或银行账号；请描述数据本身，不要写具体个人",
        ),
        "demand_matter_unknown": (
            "the list knows no matter `{value}`; `zhengtong list show` names them, or leave it empty",
            "清单中没有事项 `{value}`，请核对或留空",
        ),
        "demand_matter_foreign": (
            "matter `{value}` is handled by `{department}`, not by you; name one of your own",
            "事项 `{value}` 由 `{department}` 办理，请填写本部门的事项",
        ),
        "demand_department_unknown": (
            "the list knows no department `{value}`; give its code",
            "清单中没有部门 `{value}`，请填写部门代码",
        ),
        "demand_department_own": (
            "that is the department which asks; name another one",
            "该部门就是需求提出部门，请填写其他部门",
        ),
        "demand_outcome_unknown": (
            "`{value}` is no answer; one of {allowed}",
            "`{value}` 不是答复类型，应为：{allowed}",
        ),
        "demand_resource_unknown": (
            "the list holds no resource `{value}`; give the code of the one that meets the demand",
            "清单中没有资源 `{value}`，请填写满足该需求的资源代码",
        ),
        "demand_resource_not_shared": (
            "resource `{value}` is not shared ({ground}), so it meets nothing; refuse with that ground instead",
            "资源 `{value}` 不予共享（{ground}），不能满足需求；请以该依据答复不予提供",
        ),
        "demand_ground_missing": (
            "cite the law or rule on which the demand is refused",
            "请引用不予提供所依据的法律、行政法规或其他规定",
        ),
        "demand_date_missing": ("give the day by which it will be shared", "请填写计划共享的日期"),
        "demand_date_wrong": (
            "`{value}` does not lie within {limit} days from today; give a day to come",
            "`{value}` 不在今日起 {limit} 天之内，请填写今后的日期",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Demand:
    """A demand of *consumer*: the data in *words*, what they are needed for (*purpose*), a *matter* or "".

    *suspected* is the department thought to have them, or "". *holder* claimed it or had it assigned, and answers.
    One of *resource* (met), *ground* (refused), *planned_on* (planned) says the answer, *note* explains it.
    *withdrawn_why* is for the state of that name.
    """

    id: str
    consumer: str
    words: str
    purpose: str
    matter: str = ""
    suspected: str = ""
    state: DemandState = DemandState.SUBMITTED
    holder: str = ""
    resource: str = ""
    ground: str = ""
    planned_on: date | None = None
    note: str = ""
    withdrawn_why: str = ""

    def to_plain(self) -> dict[str, Any]:
        """A JSON-able dict; `from_plain` is its inverse."""
        plain = {name: getattr(self, name) for name in Demand.__slots__}
        plain["state"] = self.state.value
        plain["planned_on"] = self.planned_on.isoformat() if self.planned_on else None
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Demand:
        """The demand of which *plain* is `to_plain`.

        Raises:
            KeyError, ValueError: *plain* is no such dict.
        """
        values = {name: plain[name] for name in cls.__slots__}
        values["state"] = DemandState(values["state"])
        values["planned_on"] = date.fromisoformat(values["planned_on"]) if values["planned_on"] else None
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the holder answers: *outcome* is one of `OUTCOMES`, with the member it needs."""

    outcome: str
    resource: str = ""
    ground: str = ""
    planned_on: date | None = None
    note: str = ""


def submit(
    list_: ResponsibilityList,
    *,
    id_: str,
    consumer: str,
    words: str,
    purpose: str,
    matter: str = "",
    suspected: str = "",
) -> Demand:
    """A new demand, checked against the list in force.

    Raises:
        CaseInvalidError: with everything to mend.
    """
    words, purpose = words.strip(), purpose.strip()
    problems = [*_text("words", words, MAX_WORDS_CHARS), *_text("purpose", purpose, MAX_TEXT_CHARS)]
    problems += _department(list_, "consumer", consumer)
    if matter:
        known = list_.matters_by_code.get(matter)
        if known is None:
            problems.append(problem("matter", "demand_matter_unknown", value=matter[:100]))
        elif known.department != consumer:
            problems.append(problem("matter", "demand_matter_foreign", value=matter, department=known.department))
    if suspected:
        problems += _other_department(list_, "suspected", suspected, consumer)
    _raise(problems)
    return Demand(id_, consumer, words, purpose, matter, suspected)


def claim(demand: Demand, *, department: str) -> Demand:
    """*department* has the data and will answer. The first to claim holds the demand.

    Raises:
        StepNotAllowedError: it is not waiting for one.
        NotYoursError: the department that asks cannot claim.
    """
    _need(demand, "claim")
    if department == demand.consumer:
        raise NotYoursError(actor=department, needed="≠ " + demand.consumer)
    return replace(demand, state=DemandState.CLAIMED, holder=department)


def assign(demand: Demand, list_: ResponsibilityList, *, by: str, department: str) -> Demand:
    """The office of the list says that *department* shall answer, whoever held it before.

    Raises:
        StepNotAllowedError, NotYoursError, CaseInvalidError: closed; not the office; no such other department.
    """
    _need(demand, "assign")
    if not list_.office or by != list_.office:
        raise NotYoursError(actor=by, needed=list_.office)
    _raise(_other_department(list_, "department", department, demand.consumer))
    return replace(demand, state=DemandState.CLAIMED, holder=department, planned_on=None, note="")


def answer(demand: Demand, list_: ResponsibilityList, given: Answer, *, by: str, today: date) -> Demand:
    """The holder answers: met by a resource of the list, refused with its ground, or planned for a day.

    Raises:
        StepNotAllowedError, NotYoursError, CaseInvalidError: nothing to answer; not the holder; what to mend.
    """
    _need(demand, "answer")
    if by != demand.holder:
        raise NotYoursError(actor=by, needed=demand.holder)
    note = given.note.strip()
    problems = _text("note", note, MAX_TEXT_CHARS) if note else []
    resource, ground, planned_on = "", "", None
    match given.outcome:
        case DemandState.MET:
            resource = given.resource
            problems += _meets(list_, resource)
        case DemandState.REFUSED:
            ground = given.ground.strip()
            problems += _text("ground", ground, MAX_TEXT_CHARS) if ground else [_ground_missing()]
        case DemandState.PLANNED:
            planned_on = given.planned_on
            problems += _planned(planned_on, today)
        case _:
            allowed = ", ".join(f"`{outcome}`" for outcome in OUTCOMES)
            problems.append(problem("outcome", "demand_outcome_unknown", value=given.outcome[:40], allowed=allowed))
    _raise(problems)
    return replace(
        demand,
        state=DemandState(given.outcome),
        resource=resource,
        ground=ground,
        planned_on=planned_on,
        note=note,
    )


def withdraw(demand: Demand, *, by: str, why: str = "") -> Demand:
    """Who asked no longer needs it.

    Raises:
        StepNotAllowedError, NotYoursError, CaseInvalidError: closed; another department; what to mend.
    """
    _need(demand, "withdraw")
    if by != demand.consumer:
        raise NotYoursError(actor=by, needed=demand.consumer)
    _raise(_text("why", why.strip(), MAX_TEXT_CHARS) if why.strip() else [])
    return replace(demand, state=DemandState.WITHDRAWN, withdrawn_why=why.strip())


def _need(demand: Demand, step: str) -> None:
    if step not in STEPS[demand.state]:
        raise StepNotAllowedError(step=step, state=demand.state, allowed=STEPS[demand.state])


def _raise(problems: list[Problem]) -> None:
    if problems:
        raise CaseInvalidError(problems)


def _text(where: str, text: str, limit: int) -> list[Problem]:
    problems = []
    if len(text) < 2:  # noqa: PLR2004 - one character says nothing in any language
        problems.append(problem(where, "demand_text_missing"))
    if len(text) > limit:
        problems.append(problem(where, "demand_text_too_long", found=str(len(text)), limit=str(limit)))
    if names_a_person(text):
        problems.append(problem(where, "demand_personal"))
    return problems


def _department(list_: ResponsibilityList, where: str, code: str) -> list[Problem]:
    if code in list_.departments_by_code:
        return []
    return [problem(where, "demand_department_unknown", value=code[:100])]


def _other_department(list_: ResponsibilityList, where: str, code: str, consumer: str) -> list[Problem]:
    if code == consumer:
        return [problem(where, "demand_department_own")]
    return _department(list_, where, code)


def _meets(list_: ResponsibilityList, code: str) -> list[Problem]:
    resource = list_.by_code.get(code)
    if resource is None:
        return [problem("resource", "demand_resource_unknown", value=code[:100])]
    if resource.share_type is ShareType.NOT_SHARED:
        ground = resource.share_ground or "-"
        return [problem("resource", "demand_resource_not_shared", value=code, ground=ground)]
    return []


def _ground_missing() -> Problem:
    return problem("ground", "demand_ground_missing")


def _planned(planned_on: date | None, today: date) -> list[Problem]:
    if planned_on is None:
        return [problem("planned_on", "demand_date_missing")]
    if not 0 < (planned_on - today).days <= MAX_PLANNED_DAYS:
        return [problem("planned_on", "demand_date_wrong", value=planned_on.isoformat(), limit=str(MAX_PLANNED_DAYS))]
    return []


# What must not be kept: identity numbers, phones, bank cards, number plates, addresses of mail.

_JOINED_DIGITS: Final = re.compile(r"(?<=\d)[\s\-–—_.·]{1,3}(?=\d)")
_PERSON: Final = re.compile(
    r"(?<!\d)(?:\d{17}[\dXx]|\d{15}|\d{16}|\d{19}|1[3-9]\d{9}|0\d{2,3}\d{7,8})(?![\dXx])|[\w.+-]+@[\w-]+\.\w+", re.ASCII
)
_LONG_NUMBER: Final = re.compile(r"\d{7}")
_PLATE: Final = re.compile(r"[\u4e00-\u9fff][A-Za-z][·.\s]?[A-Za-z0-9]{5,6}(?![A-Za-z0-9])")


def _joined(text: str) -> str:
    return _JOINED_DIGITS.sub("", unicodedata.normalize("NFKC", text))


def names_a_person(text: str) -> bool:
    """Whether *text* holds the number of an identity card, phone or bank card, or an address of mail.

    A name alone cannot be told from other words.
    """
    return _PERSON.search(_joined(text)) is not None


def worth_keeping(query: str) -> str:
    """The form in which a search without a hit is counted; "" when it must not or need not be kept.

    Not kept: what may identify a person (stricter than `names_a_person`: any run of seven digits, number plates),
    what is too long to be a search, and what is no word at all.
    """
    words = " ".join(unicodedata.normalize("NFKC", query[: 2 * MAX_WORDS_CHARS]).casefold().split())
    if not any(char.isalpha() for char in words) or len(words) > MAX_WORDS_CHARS // 2 or len(words) < 2:  # noqa: PLR2004
        return ""
    if names_a_person(words) or _LONG_NUMBER.search(_joined(words)) or _PLATE.search(words):
        return ""
    return words


# What may meet a demand.


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A resource that may meet a demand; *likeness* from `LEAST_LIKENESS` to 1."""

    resource: str
    name: str
    provider: str
    likeness: float


def met_by(demand: Demand, list_: ResponsibilityList) -> tuple[Suggestion, ...]:
    """The shared resources of *list_* that may meet *demand*, the likeliest first; a person decides."""
    wanted = _pairs(demand.words)
    found = []
    for resource in list_.resources:
        if resource.share_type is ShareType.NOT_SHARED:
            continue
        likeness = _likeness(wanted, resource)
        if likeness >= LEAST_LIKENESS:
            found.append(Suggestion(resource.code, resource.name, resource.provider, round(likeness, 3)))
    # Where the demand names who may have it, that department's resources come first among equals.
    found.sort(key=lambda s: (-s.likeness, s.provider != demand.suspected, s.resource))
    return tuple(found[:MAX_SUGGESTIONS])


_EMPTY_WORDS: Final = re.compile(r"信息资源|基本信息|信息|数据|情况|名单|记录|查询|核验|明细|需要|以及|的")


def _pairs(text: str) -> frozenset[str]:
    """The pairs of neighbouring characters that say something."""
    pairs: set[str] = set()
    for part in _EMPTY_WORDS.split(normal(text)):
        pairs.update({part[i : i + 2] for i in range(len(part) - 1)} or {part})
    return frozenset(pairs - {""})


def _likeness(wanted: frozenset[str], resource: InformationResource) -> float:
    """The share of *wanted* that the resource's names hold, what only its fields hold counting half."""
    if not wanted:
        return 0.0
    names = _all(resource.name, *resource.aliases)
    rest = _all(resource.abstract, *(field.title for field in resource.fields))
    return (len(wanted & names) + 0.5 * len((wanted & rest) - names)) / len(wanted)


def _all(*texts: str) -> frozenset[str]:
    return frozenset[str]().union(*(_pairs(text) for text in texts))
