"""What can go wrong with web hooks, named by what the caller does next."""

from __future__ import annotations

from hub.errors import RequestError, SetupError, WorkError


class HookAddressError(RequestError):
    """The address cannot be a web hook's; *why* says which rule it breaks."""

    code = "hook_address"
    en = "This address cannot be called: {why}. See docs/api.md for the form of web hooks."
    zh = "无法使用该推送地址：{why_zh}。推送地址的要求见 docs/zh/api.md。"


class HookSettingsError(SetupError):
    """A setting of web hooks is not of its form."""

    code = "hook_settings"
    en = "The setting `{name}` should be {expected}. See docs/operations.md."
    zh = "配置项 `{name}` 应为 {expected}。见 docs/zh/operations.md。"


class HookUnknownError(WorkError):
    """No web hook has this number, or it is another department's: which of these is not said."""

    code = "hook_unknown"
    en = "There is no web hook `{hook}` of your department. Check its number."
    zh = "贵单位没有编号为 `{hook}` 的推送地址。请核对编号。"


class HookStateError(WorkError):
    """The hook is in a state in which this cannot be done."""

    code = "hook_state"
    en = "Web hook `{hook}` is {state}, so this cannot be done. One that has ended is registered anew."
    zh = "推送地址 `{hook}` 处于 {state} 状态，无法办理。已终止的请重新登记。"


class HookLimitError(WorkError):
    """The department has as many web hooks as it may have."""

    code = "hook_limit"
    en = "Your department has {limit} web hooks, which is the most. End one that is not needed."
    zh = "贵单位已有 {limit} 个推送地址，达到上限。请先终止不再需要的推送地址。"
