"""Why a call is allowed or not, and what would have to change: codes of a decision's reasons, in English and Chinese.

Which reasons hold in a case is decided in `catalog.decide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# In the order in which they are told: the resource, the caller, the purpose, the fields, the grant.
REASONS: Final[dict[str, tuple[str, str]]] = {
    "allowed": (
        "allowed for `{purpose}` under {grants}",
        "依据授权 {grants}，准予用于事项 `{purpose}`",
    ),
    "field_withheld": (
        "`{field}` is granted, but is no longer shared, and is left out",
        "字段 `{field}` 虽在授权范围内，但现已不予共享，未提供",
    ),
    "field_prohibited": (
        "`{field}` is granted, but must not be shared ({ground}), and is left out",
        "字段 `{field}` 虽在授权范围内，但依据{ground}不予共享，未提供",
    ),
    "resource_unknown": (
        "`{resource}` is no resource of the list; look its code up in the catalogue",
        "清单中没有信息资源 `{resource}`，请在目录中核对代码",
    ),
    "resource_not_shared": (
        "`{resource}` is not shared (不予共享): {ground}",
        "信息资源 `{resource}` 属于不予共享类：{ground}",
    ),
    "prohibited": (
        "`{resource}`{which} must not be shared with `{consumer}` for this, whatever a grant says: {ground}",
        "信息资源 `{resource}` {which_zh}不得为此向 `{consumer}` 共享，授权不能改变：{ground}",
    ),
    "consumer_not_on_list": (
        "no line of the list lets `{consumer}` use `{resource}`; ask its provider to add one",
        "清单未将 `{consumer}` 列为信息资源 `{resource}` 的使用方，请与提供方协商列入",
    ),
    "purpose_missing": (
        "no purpose was given; name the matter the data is needed for",
        "未说明用途，请填写所办事项的代码",
    ),
    "purpose_unknown": (
        "`{purpose}` is no matter of the list; look its code up among the matters",
        "清单中没有事项 `{purpose}`，请核对事项代码",
    ),
    "purpose_not_on_list": (
        "no line of the list lets `{consumer}` use `{resource}` for `{purpose}`; ask its provider to add the matter",
        "清单未列明 `{consumer}` 可将信息资源 `{resource}` 用于事项 `{purpose}`，请与提供方协商列入",
    ),
    "lookup_missing": (
        "nothing to look up by was given; name one of {allowed}",
        "未填写检索条件，请按下列字段检索：{allowed}",
    ),
    "lookup_not_allowed": (
        "`{field}` is no field to look up by; use one of {allowed}",
        "字段 `{field}` 不可作为检索条件，请按下列字段检索：{allowed}",
    ),
    "field_unknown": (
        "`{field}` is no field of `{resource}`; see its fields in the catalogue",
        "信息资源 `{resource}` 没有字段 `{field}`，请在目录中查看信息项",
    ),
    "field_not_shared": (
        "`{field}` is not shared (不予共享); leave it out",
        "字段 `{field}` 属于不予共享，请从请求中去除",
    ),
    "no_grant": (
        "`{consumer}` holds no grant for `{resource}`{which}; apply for one",
        "`{consumer}` 没有信息资源 `{resource}` 的授权{which_zh}，请提出申请",
    ),
    "grant_revoked": (
        "grant `{grant}` was revoked on {at}; apply for a new one",
        "授权 `{grant}` 已于 {at} 撤销，请重新申请",
    ),
    "grant_expired": (
        "grant `{grant}` expired on {at}; apply to renew it",
        "授权 `{grant}` 已于 {at} 到期，请申请续期",
    ),
    "grant_suspended": (
        "grant `{grant}` is suspended since {at}; ask the provider when it is resumed",
        "授权 `{grant}` 自 {at} 起暂停使用，请向提供方了解恢复时间",
    ),
    "grant_not_started": (
        "grant `{grant}` holds from {at}; call again then",
        "授权 `{grant}` 自 {at} 起生效，请届时再调用",
    ),
    "action_not_granted": (
        "grant `{grant}` does not cover the action `{action}`; apply for it",
        "授权 `{grant}` 不含操作 `{action}`，请另行申请",
    ),
    "purpose_not_granted": (
        "grant `{grant}` does not cover the matter `{purpose}`; apply for it",
        "授权 `{grant}` 不含事项 `{purpose}`，请另行申请",
    ),
    "field_not_granted": (
        "`{field}` lies outside what is granted; leave it out or apply for it",
        "字段 `{field}` 不在授权范围内，请去除或另行申请",
    ),
    "no_field_left": (
        "none of the granted fields is still shared; apply anew",
        "授权范围内的字段均已不再共享，请重新申请",
    ),
}
ORDER: Final = {code: position for position, code in enumerate(REASONS)}

# What would have to change for a reason to fall away, by stable word.
REMEDIES: Final[dict[str, tuple[str, str]]] = {
    "mend_request": ("mend the request and call again", "更正请求后重新调用"),
    "apply": ("apply for a grant that covers it", "申请涵盖该内容的授权"),
    "renew": ("apply to renew the grant", "申请授权续期"),
    "wait": ("call again when the grant has begun", "待授权生效后再调用"),
    "ask_provider": ("settle it with the department that provides the resource", "与数据提供部门协商"),
    "ask_office": ("ask the office that keeps the list", "咨询数据主管部门"),
    "none": ("nothing has to change", "无须处理"),
}
_REMEDY: Final = {
    "allowed": "none",
    "field_withheld": "ask_provider",
    "field_prohibited": "ask_office",
    "resource_unknown": "mend_request",
    "resource_not_shared": "ask_provider",
    # Only the list itself could lift it, and only where its ground falls away: no application, and no provider.
    "prohibited": "ask_office",
    "consumer_not_on_list": "ask_provider",
    "purpose_missing": "mend_request",
    "purpose_unknown": "mend_request",
    "purpose_not_on_list": "ask_provider",
    "lookup_missing": "mend_request",
    "lookup_not_allowed": "mend_request",
    "field_unknown": "mend_request",
    "field_not_shared": "mend_request",
    "no_grant": "apply",
    "grant_revoked": "apply",
    "grant_expired": "renew",
    "grant_suspended": "ask_provider",
    "grant_not_started": "wait",
    "action_not_granted": "apply",
    "purpose_not_granted": "apply",
    "field_not_granted": "apply",
    "no_field_left": "apply",
}


def remedy(code: str) -> str:
    """The word of `REMEDIES` for what would have to change about the reason *code*.

    Raises:
        KeyError: *code* is no code of `REASONS`.
    """
    return _REMEDY[code]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: a code of `REASONS` and the words its sentence needs, as (name, value) pairs."""

    code: str
    params: tuple[tuple[str, str], ...] = ()

    def text(self, lang: str) -> str:
        """The reason in Chinese for ``zh`` and in English for anything else."""
        en, zh = REASONS[self.code]
        return (zh if lang == "zh" else en).format(**dict(self.params))


def reason(code: str, **params: str) -> Reason:
    """A reason with its words."""
    return Reason(code, tuple(params.items()))
