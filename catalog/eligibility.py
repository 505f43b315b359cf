"""Whether a list allows what an application asks for: every problem at once, and what a newer list changed about it.

What becomes of the application is `catalog.application`; whether a call is allowed later, `catalog.decide`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from catalog.decide import ACTIONS
from catalog.model import EVERYONE, Mask, ShareType, to_plain
from catalog.rows import check_rules
from catalog.steps import CaseInvalidError, Problem, problem, register_problems
from catalog.terms import MAX_CALLS_PER_DAY, MAX_TERM_DAYS, minimum_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from catalog.application import Application
    from catalog.model import InformationResource, Prohibition, Responsibility, ResponsibilityList

MAX_TEXT_CHARS: Final = 1_000
MAX_SHORT_CHARS: Final = 300
MAX_PURPOSES: Final = 50
SECRET_GRADE: Final = 4
# A run of digits as long as a mobile number may be a person's; a case is read by many.
_PERSONAL = re.compile(r"[0-9０-９]{11}")
# Only what answers single calls needs something to look up by (see `catalog.decide`).
_BY_KEY: Final = ("query", "verify")

register_problems(
    {
        "applicant_unknown": (
            "the list knows no department `{department}`; check its code",
            "清单中没有部门 `{department}`，请核对部门代码",
        ),
        "application_resource_unknown": (
            "`{resource}` is no resource of the list; look its code up in the catalogue",
            "清单中没有信息资源 `{resource}`，请在目录中核对代码",
        ),
        "application_not_shared": (
            "`{resource}` is not shared (不予共享): {ground}",
            "信息资源 `{resource}` 属于不予共享类：{ground}",
        ),
        "application_prohibited": (
            "{what} must not be shared with you for this: {ground}",
            "{what_zh} 不得为此提供给贵单位：{ground}",
        ),
        "application_not_published": (
            "`{resource}` is shared from {day} on; apply then",
            "信息资源 `{resource}` 自 {day} 起共享，请届时申请",
        ),
        "not_on_line": (
            "no line of the list lets `{department}` use `{resource}`; register a demand, or ask `{provider}`",
            "清单未将 `{department}` 列为信息资源 `{resource}` 的使用方，请登记数据需求，或与提供方 `{provider}` 协商",
        ),
        "matter_not_on_line": (
            "no line of the list lets `{department}` use `{resource}` for `{matter}`; name a matter that is on one",
            "清单未列明 `{department}` 可将信息资源 `{resource}` 用于事项 `{matter}`，请填写清单所列事项",
        ),
        "matter_missing": (
            "no matter is named; name at least one for which the data is needed",
            "未填写事项，请至少填写一个使用数据的事项",
        ),
        "matter_unknown": (
            "`{matter}` is no matter of the list; look its code up among the matters",
            "清单中没有事项 `{matter}`，请核对事项代码",
        ),
        "too_many": (
            "more than {limit} are named; make several applications",
            "超过 {limit} 项，请分别申请",
        ),
        "named_twice": ("`{value}` is named twice; name it once", "`{value}` 重复，请只填写一次"),
        "field_missing": (
            "no field is named, and the list names no minimum for the matter; name the fields that are needed",
            "未填写信息项，清单也未列出该事项的最小需求，请填写需要的信息项",
        ),
        "wish_field_unknown": (
            "`{resource}` has no field `{field}`; see its fields in the catalogue",
            "信息资源 `{resource}` 没有信息项 `{field}`，请在目录中查看",
        ),
        "wish_field_not_shared": (
            "`{field}` is not shared (不予共享): {ground}; leave it out",
            "信息项 `{field}` 属于不予共享：{ground}，请去除",
        ),
        "reason_missing": (
            "`{field}` is beyond the minimum of the matter; say why it is needed, or leave it out",
            "信息项 `{field}` 超出该事项的最小需求，请说明理由或去除",
        ),
        "statement_missing": (
            "`{field}` has sensitivity grade 4; state how it will be protected",
            "信息项 `{field}` 的敏感级别为 4 级，请说明保护措施",
        ),
        "action_missing": ("no action is named; name one of {allowed}", "未填写操作，请从 {allowed} 中选择"),
        "action_unknown": ("`{action}` is no action; use {allowed}", "没有操作 `{action}`，请使用 {allowed}"),
        "lookup_impossible": (
            "`{resource}` has no field to look up by, so `{action}` cannot be answered; ask for batch or subscribe",
            "信息资源 `{resource}` 没有检索字段，无法办理 `{action}`，请申请批量或订阅",
        ),
        "volume_invalid": (
            "`{value}` calls a day cannot be; give 0 (not limited) to {limit}",
            "每日 `{value}` 次无效，请填写 0（不限）至 {limit}",
        ),
        "term_too_long": (
            "{value} days are longer than the {limit} (three years) that are possible; ask for fewer and renew later",
            "{value} 天超过最长期限 {limit} 天（三年），请缩短，到期前再申请续期",
        ),
        "term_none": ("a term of `{value}` days is none; give 1 day or more", "期限 `{value}` 天无效，至少为 1 天"),
        "ground_missing": (
            "the ground is missing; cite the law, rule or duty that the use rests on",
            "缺少依据，请写明使用数据所依据的法律、法规、规章或职责",
        ),
        "text_too_long": (
            "it is longer than {limit} characters; shorten it",
            "超过 {limit} 个字符，请精简",
        ),
        "text_missing": ("nothing is written; say what is meant", "内容为空，请填写"),
        "text_personal": (
            "a long number stands in it, which may be a person's; describe the case without it",
            "含有较长的数字，可能涉及个人信息，请删除后再提交",
        ),
        "list_changed": (
            "it was drawn up against list version `{version}`, which is no longer in force; submit it anew",
            "所依据的清单版本 `{version}` 已不是现行版本，请核对后重新提交",
        ),
        "change_field_gone": ("field `{field}` is no longer on the list", "信息项 `{field}` 已不在清单中"),
        "change_field": (
            "field `{field}` changed its {what}",
            "信息项 `{field}` 的 {what} 有变化",
        ),
        "change_resource": ("the resource changed its {what}", "信息资源的 {what} 有变化"),
        "change_lines": (
            "the lines by which `{department}` may use it changed",
            "`{department}` 使用该资源的责任条目有变化",
        ),
        "change_prohibitions": ("what must not be shared of it changed", "该资源的不予共享规定有变化"),
    }
)


def check_application(list_: ResponsibilityList, application: Application, on: date) -> tuple[Problem, ...]:
    """Everything that speaks against *application* under *list_* on the day *on*; nothing: it may be submitted."""
    found = list(_texts(application))
    if application.list_version and application.list_version != list_.version:
        found.append(problem("list_version", "list_changed", version=application.list_version))
    if application.applicant not in list_.departments_by_code:
        found.append(problem("applicant", "applicant_unknown", department=application.applicant))
    found += _matters(list_, application)
    found += _bounds(application)
    resource = list_.by_code.get(application.resource)
    if resource is None:
        return (*found, problem("resource", "application_resource_unknown", resource=application.resource))
    if resource.share_type is ShareType.NOT_SHARED:
        ground = resource.share_ground or "-"
        return (*found, problem("resource", "application_not_shared", resource=resource.code, ground=ground))
    if resource.published_on > on:
        day = resource.published_on.isoformat()
        found.append(problem("resource", "application_not_published", resource=resource.code, day=day))
    found += _lines(list_, application, resource)
    found += _prohibited(list_, application)
    found += _fields(list_, application, resource)
    found += _actions(application, resource)
    found += check_rules(application.rows, resource)
    return tuple(dict.fromkeys(found))


def _texts(application: Application) -> list[Problem]:
    texts = [("reason", application.reason, MAX_TEXT_CHARS), ("ground", application.ground, MAX_SHORT_CHARS)]
    for wish in application.fields:
        texts += [
            (f"fields.{wish.name}.reason", wish.reason, MAX_SHORT_CHARS),
            (f"fields.{wish.name}.statement", wish.statement, MAX_SHORT_CHARS),
        ]
    found = [one for where, text, limit in texts for one in check_text(where, text, limit)]
    if not application.ground.strip():
        found.append(problem("ground", "ground_missing"))
    return found


def check_text(where: str, text: str, limit: int = MAX_TEXT_CHARS) -> list[Problem]:
    """What speaks against a text that people write into a case."""
    found = []
    if len(text) > limit:
        found.append(problem(where, "text_too_long", limit=str(limit)))
    if _PERSONAL.search(text):
        found.append(problem(where, "text_personal"))
    return found


def need_text(where: str, text: str) -> None:
    """Refuse a text that people must write into a case and did not, or that `check_text` speaks against.

    Raises:
        CaseInvalidError: what is wrong with it.
    """
    problems = check_text(where, text)
    if not text.strip():
        problems.append(problem(where, "text_missing"))
    if problems:
        raise CaseInvalidError(problems)


def _matters(list_: ResponsibilityList, application: Application) -> list[Problem]:
    if not application.purposes:
        return [problem("purposes", "matter_missing")]
    if len(application.purposes) > MAX_PURPOSES:
        return [problem("purposes", "too_many", limit=str(MAX_PURPOSES))]
    found = _twice("purposes", application.purposes)
    # `*` is for the list to say: an application names what it is for.
    found += [
        problem("purposes", "matter_unknown", matter=code)
        for code in application.purposes
        if code not in list_.matters_by_code
    ]
    return found


def _bounds(application: Application) -> list[Problem]:
    found = []
    if not 0 <= application.volume_per_day <= MAX_CALLS_PER_DAY:
        value = str(application.volume_per_day)
        found.append(problem("volume_per_day", "volume_invalid", value=value, limit=str(MAX_CALLS_PER_DAY)))
    if application.term_days > MAX_TERM_DAYS:
        value = str(application.term_days)
        found.append(problem("term_days", "term_too_long", value=value, limit=str(MAX_TERM_DAYS)))
    elif application.term_days < 1:
        found.append(problem("term_days", "term_none", value=str(application.term_days)))
    return found


def _lines(list_: ResponsibilityList, application: Application, resource: InformationResource) -> list[Problem]:
    own = lines_of(list_, application.applicant, resource.code)
    if not own:
        return [
            problem(
                "applicant",
                "not_on_line",
                department=application.applicant,
                resource=resource.code,
                provider=resource.provider,
            )
        ]
    return [
        problem(
            "purposes", "matter_not_on_line", department=application.applicant, resource=resource.code, matter=matter
        )
        for matter in application.purposes
        if matter in list_.matters_by_code and not covering(list_, own, application.applicant, matter)
    ]


def lines_of(list_: ResponsibilityList, department: str, resource: str) -> tuple[Responsibility, ...]:
    """The lines on which *department* stands for *resource*, as consumer or as the provider itself."""
    return tuple(
        line
        for line in list_.responsibilities_for(resource)
        if EVERYONE in line.consumers or department in line.consumers or department == line.provider
    )


def covering(
    list_: ResponsibilityList, lines: Iterable[Responsibility], department: str, matter: str
) -> tuple[Responsibility, ...]:
    """Those of *lines* that let *department* use the data for *matter*; the same rule as `catalog.decide`'s step 2."""
    known = list_.matters_by_code.get(matter)
    return tuple(
        line
        for line in lines
        if (
            (EVERYONE in line.consumers or department in line.consumers)
            and (EVERYONE in line.purposes or matter in line.purposes)
        )
        or (department == line.provider and known is not None and known.department == department)
    )


def prohibitions_against(
    list_: ResponsibilityList, department: str, purposes: Sequence[str], resource: str
) -> tuple[Prohibition, ...]:
    """The prohibitions of the list that hold for *department* and any of *purposes*."""
    return tuple(
        rule
        for rule in list_.prohibitions_by_resource.get(resource, ())
        if (EVERYONE in rule.consumers or department in rule.consumers)
        and (EVERYONE in rule.purposes or set(purposes) & set(rule.purposes))
    )


def _prohibited(list_: ResponsibilityList, application: Application) -> list[Problem]:
    found = []
    asked = {wish.name for wish in application.fields}
    for rule in prohibitions_against(list_, application.applicant, application.purposes, application.resource):
        if not rule.fields:
            what, what_zh = f"`{application.resource}`", f"信息资源 `{application.resource}`"
            found.append(problem("resource", "application_prohibited", what=what, what_zh=what_zh, ground=rule.ground))
        found += [
            problem(
                f"fields.{name}",
                "application_prohibited",
                what=f"field `{name}`",
                what_zh=f"信息项 `{name}`",
                ground=rule.ground,
            )
            for name in rule.fields
            if name in asked
        ]
    return found


def _fields(list_: ResponsibilityList, application: Application, resource: InformationResource) -> list[Problem]:
    if not application.fields:
        return [problem("fields", "field_missing")]
    names = [wish.name for wish in application.fields]
    if len(names) > len(resource.fields) + 1:
        # More than the resource has: naming each would make an answer of any length.
        return [problem("fields", "too_many", limit=str(len(resource.fields)))]
    found = _twice("fields", names)
    needed = minimum_of(list_, application.purposes, resource.code).fields
    for wish in application.fields:
        where = f"fields.{wish.name}"
        field = resource.field(wish.name)
        if field is None:
            found.append(problem(where, "wish_field_unknown", resource=resource.code, field=wish.name))
            continue
        if field.share_type is ShareType.NOT_SHARED:
            ground = field.share_condition or resource.share_ground or "-"
            found.append(problem(where, "wish_field_not_shared", field=wish.name, ground=ground))
            continue
        if wish.name not in needed and not wish.reason.strip():
            found.append(problem(where, "reason_missing", field=wish.name))
        if field.grade >= SECRET_GRADE and not wish.statement.strip():
            found.append(problem(where, "statement_missing", field=wish.name))
    return found


def _actions(application: Application, resource: InformationResource) -> list[Problem]:
    allowed = ", ".join(f"`{action}`" for action in ACTIONS)
    if not application.actions:
        return [problem("actions", "action_missing", allowed=allowed)]
    if len(application.actions) > len(ACTIONS) + 1:
        return [problem("actions", "too_many", limit=str(len(ACTIONS)))]
    found = _twice("actions", application.actions)
    for action in application.actions:
        if action not in ACTIONS:
            found.append(problem("actions", "action_unknown", action=action, allowed=allowed))
        elif action in _BY_KEY and not resource.lookup_fields:
            found.append(problem("actions", "lookup_impossible", resource=resource.code, action=action))
    return found


def _twice(where: str, values: Sequence[str]) -> list[Problem]:
    return [problem(where, "named_twice", value=value) for value in dict.fromkeys(values) if values.count(value) > 1]


def unconditional(list_: ResponsibilityList, application: Application) -> bool:
    """Whether the resource and every field asked for is shared without condition (无条件共享)."""
    resource = list_.by_code.get(application.resource)
    if resource is None:
        return False
    fields = [resource.field(wish.name) for wish in application.fields]
    return resource.share_type is ShareType.UNCONDITIONAL and all(
        field is not None and field.share_type is ShareType.UNCONDITIONAL for field in fields
    )


def changed(old: ResponsibilityList, new: ResponsibilityList, application: Application) -> tuple[Problem, ...]:
    """What *new* changed about *application*, submitted under *old*: its resource, fields, lines and prohibitions.

    What the application did not ask for plays no part.
    """
    before, after = old.by_code.get(application.resource), new.by_code.get(application.resource)
    if after is None or before is None:
        return (problem("resource", "application_resource_unknown", resource=application.resource),)
    found = [
        problem("resource", "change_resource", what=what)
        for what in ("provider", "share_type", "share_condition", "share_ground", "share_method")
        if getattr(before, what) != getattr(after, what)
    ]
    for wish in application.fields:
        was, now = before.field(wish.name), after.field(wish.name)
        if now is None:
            found.append(problem(f"fields.{wish.name}", "change_field_gone", field=wish.name))
            continue
        found += [
            problem(f"fields.{wish.name}", "change_field", field=wish.name, what=what)
            for what in ("type", "share_type", "share_condition", "grade")
            if was is None or getattr(was, what) != getattr(now, what)
        ]
        # A mask that came on top shows less than was agreed on; one that went shows more.
        if (was.mask if was else Mask.NONE) is not now.mask:
            found.append(problem(f"fields.{wish.name}", "change_field", field=wish.name, what="mask"))
    department = application.applicant
    if _terms_of(old, application) != _terms_of(new, application):
        found.append(problem("applicant", "change_lines", department=department))
    against = [to_plain(prohibitions_against(one, department, application.purposes, after.code)) for one in (old, new)]
    if against[0] != against[1]:
        found.append(problem("resource", "change_prohibitions"))
    return tuple(dict.fromkeys(found))


def _terms_of(list_: ResponsibilityList, application: Application) -> list[list[str]]:
    """For each purpose the grounds on which lines allow it; a later deadline or batch changes no right."""
    own = lines_of(list_, application.applicant, application.resource)
    return [
        sorted(line.ground for line in covering(list_, own, application.applicant, matter))
        for matter in application.purposes
    ]
