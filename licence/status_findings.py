"""The coded findings of `licence.status` in English and Chinese, merged into `licence.findings`.

It lies outside that package, which needs it already while it is imported. Which finding applies is decided where its
code is raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS_FINDINGS: Mapping[str, tuple[str, str]] = {
    "licence_entry_malformed": (
        "Log entry {index} about a licence is malformed (`{fact}`).",
        "第 {index} 号证照日志条目格式有误（`{fact}`）。",
    ),
    "projection_index_outside": (
        "Log entry {index} gives status index {idx}; a list has {slots} entries.",
        "第 {index} 号日志条目的状态序号为 {idx}，而状态列表只有 {slots} 项。",
    ),
    "projection_too_many_lists": (
        "Log entry {index} names a status list beyond the {limit} that one log may have.",
        "第 {index} 号日志条目所指状态列表超出一个日志最多 {limit} 个的限度。",
    ),
    "projection_slot_shared": (
        "Log entry {index} gives a licence entry {idx} of status list `{uri}`, which another has.",
        "第 {index} 号日志条目分配的状态列表`{uri}`第 {idx} 项已为其他证照占用。",
    ),
    "projection_issued_twice": (
        "Log entry {index} issues licence `{licence}` a second time.",
        "第 {index} 号日志条目重复签发证照`{licence}`。",
    ),
    "projection_licence_unknown": (
        "Log entry {index} changes licence `{licence}`, which was never issued.",
        "第 {index} 号日志条目变更了从未签发的证照`{licence}`。",
    ),
    "projection_bound_unknown": (
        "Log entry {index} binds licence `{licence}` to a wallet, and it was never issued.",
        "第 {index} 号日志条目将从未签发的证照`{licence}`绑定到钱包。",
    ),
    "projection_bound_elsewhere": (
        "Log entry {index} binds licence `{licence}` to a wallet under another entry of a status list than its own.",
        "第 {index} 号日志条目将证照`{licence}`绑定到钱包时使用了不属于该证照的状态序号。",
    ),
    "projection_bound_not_in_force": (
        "Log entry {index} binds licence `{licence}` to a wallet while it is not in force.",
        "第 {index} 号日志条目在证照`{licence}`非有效状态时将其绑定到钱包。",
    ),
    "projection_left_invalid": (
        "Log entry {index} would bring licence `{licence}` back from a final state.",
        "第 {index} 号日志条目试图使证照`{licence}`脱离终态。",
    ),
    "history_empty": (
        "The status history holds no version. Get one from the publisher.",
        "状态历史中没有任何版本。请向发布方索取。",
    ),
    "history_malformed": (
        "The text is no status history of the known format.",
        "该文本不是已知格式的状态历史。",
    ),
    "history_other_list": (
        "Version {index} of the status history is of another list.",
        "状态历史中第 {index} 号条目属于另一个状态列表。",
    ),
    "history_token_differs": (
        "The status list token is not the one that log entry {index} records.",
        "状态列表令牌与第 {index} 号日志条目所记录的不是同一个。",
    ),
    "history_entry_twice": (
        "Two versions of the status history claim log entry {index}, or are of different logs.",
        "状态历史中有两个版本声称是第 {index} 号日志条目，或分属不同日志。",
    ),
    "history_disordered": (
        "Log entry {index} is older than the version before it. Ask the publisher about its clock.",
        "第 {index} 号日志条目的时间早于其前一版本。请向发布方核实时钟。",
    ),
    "history_signed_after_logged": (
        "The status list of log entry {index} claims to be signed after it was logged.",
        "第 {index} 号日志条目的状态列表声称的签发时间晚于入日志时间。",
    ),
    "history_version_missing": (
        "Between log entries {before} and {index} a version of the status list is missing. Get the whole history.",
        "第 {before} 号与第 {index} 号日志条目之间缺少状态列表版本。请索取完整的状态历史。",
    ),
    "history_before_first": (
        "The status history begins at {first}, after the time asked about.",
        "状态历史始于 {first}，晚于所询问的时间。",
    ),
    "history_token_missing": (
        "The status list token of log entry {index} is not in the history. Get it from the publisher.",
        "状态历史中缺少第 {index} 号日志条目的状态列表令牌。请向发布方索取。",
    ),
}
