"""The coded findings of a population audit in English and Chinese, merged into `licence.findings`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

POPULATION_FINDINGS: Mapping[str, tuple[str, str]] = {
    "population_log_fault": ("The log is not whole: {problem}", "日志不完整：{problem}"),
    "population_token_invalid": (
        "A status list token cannot be trusted ({fault}).",
        "状态列表令牌不可信（{fault}）。",
    ),
    "population_token_not_logged": (
        "The status list token for `{uri}` is in no log entry.",
        "状态列表`{uri}`的令牌未见于任何日志条目。",
    ),
    "population_token_not_newest": (
        "The status list token for `{uri}` is of entry {index}; entry {newest} published a newer one.",
        "状态列表`{uri}`的令牌出自第 {index} 号条目，而第 {newest} 号条目已发布更新的令牌。",
    ),
    "population_list_missing": (
        "No status list token was given for `{uri}`.",
        "未提供状态列表`{uri}`的令牌。",
    ),
    "population_list_differs": (
        "Entry {idx} of status list `{uri}` is {published}; by the log it is {logged}.",
        "状态列表`{uri}`第 {idx} 项为 {published}，而按日志应为 {logged}。",
    ),
    "population_outside_mandate": (
        "`{issuer}` issued licence `{licence}` of a kind outside its mandate.",
        "`{issuer}`超出职权签发了证照`{licence}`。",
    ),
    "population_identifier_differs": (
        "The identifier `{licence}` is not of kind `{kind}`, or is not well formed.",
        "证照标识`{licence}`与证照类型`{kind}`不符，或格式有误。",
    ),
    "population_certificate_out_of_time": (
        "Licence `{licence}` was issued at {at}, when `{issuer}` had no valid certificate.",
        "证照`{licence}`签发于 {at}，当时`{issuer}`没有有效的证书。",
    ),
    "population_seal_out_of_time": (
        "Licence `{licence}` was issued at {at}, when `{issuer}` had no valid seal.",
        "证照`{licence}`签发于 {at}，当时`{issuer}`没有有效的电子印章。",
    ),
    "population_late_change": (
        "The change of licence `{licence}` was logged {seconds} s after it was made; {limit} s are allowed.",
        "证照`{licence}`的状态变更在作出 {seconds} 秒后才记入日志，限 {limit} 秒。",
    ),
    "population_late_visible": (
        "The change of licence `{licence}` showed in a list {seconds} s after it was decided; {limit} s are allowed.",
        "证照`{licence}`的状态变更作出 {seconds} 秒后才见于已发布的状态列表，限 {limit} 秒。",
    ),
    "population_late_publication": (
        "A change in status list `{uri}` was published {seconds} s after it was logged; {limit} s are allowed.",
        "状态列表`{uri}`的变更在记入日志 {seconds} 秒后才发布，限 {limit} 秒。",
    ),
    "population_row_without_entry": (
        "Licence `{licence}` is in the database and was never logged.",
        "证照`{licence}`在数据库中，但日志没有其签发记录。",
    ),
    "population_entry_without_row": (
        "Log entry {index} issues a licence that the database does not hold.",
        "第 {index} 号日志条目签发的证照不在数据库中。",
    ),
    "population_row_twice": (
        "Licence `{licence}` is in the database twice.",
        "证照`{licence}`在数据库中重复出现。",
    ),
    "population_row_differs": (
        "Of licence `{licence}` the database says another {field} than the log.",
        "证照`{licence}`在数据库中的 {field} 与日志不一致。",
    ),
    "population_counts_differ": (
        "The figures for {what} differ: database {database}, log {log}, lists {lists}, published {published}.",
        "{what} 的数目不一致：数据库 {database}，日志 {log}，状态列表 {lists}，公布 {published}。",
    ),
    "audit_file_malformed": ("`{name}` is not of the form that is audited.", "`{name}`的格式不符合审计要求。"),
    "audit_row_malformed": (
        "Line {line} of the rows is malformed. Have the rows exported again.",
        "数据行第 {line} 行格式错误。请重新导出。",
    ),
}
