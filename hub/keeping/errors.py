"""What can be wrong with a hold or an erasure, named by what the caller does next."""

from __future__ import annotations

from hub.errors import CaseConflictError, CaseUnknownError


class BodyHeldError(CaseConflictError):
    """A body that is held is not erased: release the hold first, if its ground has ceased."""

    code = "body_held"
    en = "The body of entry {entry} is held (hold {hold}: {ground}). Nothing was erased. Release the hold first."
    zh = "第 {entry} 条的正文处于保全状态（保全 {hold}：{ground}）。未删除任何正文，请先解除保全。"


class HoldUnknownError(CaseUnknownError):
    """No hold of this number is in force."""

    code = "hold_unknown"
    en = "No hold {hold} is in force. See `zhengtong audit holds`."
    zh = "没有编号为 {hold} 的有效保全。请用 `zhengtong audit holds` 查看。"
