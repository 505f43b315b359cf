"""What can go wrong with batch orders, named by what the department does next; and why one that was taken failed.

NotFoundError
├── BatchUnknownError      check its number; another department's is as if it were not there
└── BatchExpiredError      order anew
BatchStateError            wait, or look at it again: it is not in the state for this
BatchTooLargeError         narrow the order
BatchSourceError           try again after the resource's next load
TooManyBatchesError        wait for one of those that are under way
ManifestInvalidError       (client) do not use the files
"""

from __future__ import annotations

from typing import ClassVar, Final

from hub.errors import HubError, NotFoundError, RequestError, TryAgainError, WorkError


class BatchUnknownError(NotFoundError):
    """The department has no such batch."""

    code: ClassVar[str] = "batch_unknown"
    en: ClassVar[str] = "Your department has no batch `{batch}`. `GET /v1/batches` lists them."
    zh: ClassVar[str] = "本部门没有批量任务 `{batch}`。可用 `GET /v1/batches` 查看。"


class BatchExpiredError(NotFoundError):
    """Its files were kept for their time and are gone."""

    code: ClassVar[str] = "batch_expired"
    en: ClassVar[str] = "The files of batch `{batch}` were kept until {expires} and are gone. Order it anew."
    zh: ClassVar[str] = "批量任务 `{batch}` 的文件保留至 {expires}，现已删除。请重新下单。"


class BatchClosedError(HubError):
    """The files are there, and are no longer handed out."""

    code: ClassVar[str] = "batch_closed"
    en: ClassVar[str] = "Batch `{batch}` is no longer handed out. {why}"
    zh: ClassVar[str] = "批量任务 `{batch}` 不再提供。{why_zh}"


class BatchStateError(WorkError):
    """What was asked for is not possible in the state that the batch is in."""

    code: ClassVar[str] = "batch_state"
    en: ClassVar[str] = "Batch `{batch}` is {state}; this needs one that is {wanted}. Look at it again, or wait."
    zh: ClassVar[str] = "批量任务 `{batch}` 当前状态为 {state}，此操作需要 {wanted}。请重新查看或等待。"


class BatchTooLargeError(RequestError):
    """The order fits more rows than one may have; nothing is cut off, so nothing is made."""

    code: ClassVar[str] = "batch_too_large"
    en: ClassVar[str] = (
        "The order fits {rows} rows, more than the {limit} of one batch. Narrow it by `rows`, in several."
    )
    zh: ClassVar[str] = "该订单共 {rows} 行，超过单个批量任务的上限 {limit} 行。请用 `rows` 缩小范围，分多次下单。"


class BatchSourceError(TryAgainError):
    """The resource has no table that could be read now."""

    code: ClassVar[str] = "batch_source"
    en: ClassVar[str] = "Resource `{resource}` has no table that fits the order yet. Try again after its next load."
    zh: ClassVar[str] = "资源 `{resource}` 尚无可供此订单使用的库表。请在下一次归集后重试。"
    retry_after_s: ClassVar[int] = 600


class TooManyBatchesError(TryAgainError):
    """The department has as many orders under way as one may have."""

    code: ClassVar[str] = "too_many_batches"
    en: ClassVar[str] = (
        "Your department has {limit} batches under way, the most that may be. Wait for one, or cancel one."
    )
    zh: ClassVar[str] = "本部门正在进行的批量任务已达上限 {limit} 个。请等待其中之一完成，或取消一个。"
    retry_after_s: ClassVar[int] = 60


class ManifestInvalidError(HubError):
    """(client) A manifest that is none, or that the hub did not sign."""

    code: ClassVar[str] = "manifest_invalid"
    en: ClassVar[str] = "The manifest is not used: {why}. Fetch it again, and report it if it happens again."
    zh: ClassVar[str] = "清单文件不予采信：{why_zh}。请重新下载；如再次发生，请报告。"


# Why an order that was taken came to nothing, and what to do: code → (English, Chinese).
FAILURES: Final[dict[str, tuple[str, str]]] = {
    "batch_denied": (
        "What the order rested on no longer holds: {why}. See your grants, then order anew.",
        "订单所依据的授权已不成立：{why_zh}。请查看授权后重新下单。",
    ),
    "batch_terms_changed": (
        "Grant or list give other fields, masks or rows by now than when it was ordered. Order anew under what holds.",
        "授权或责任清单所给的信息项、脱敏方式或行范围已与下单时不同。请按现行内容重新下单。",
    ),
    "batch_snapshot_gone": (
        "The snapshot that was ordered is no longer kept, or its table has another shape. Order anew.",
        "所订的快照已不再保留，或库表结构已变。请重新下单。",
    ),
    "batch_count_differs": (
        "{made} rows were made where the table has {counted}; no file is handed out. Report it, then order anew.",
        "生成 {made} 行，而库表中为 {counted} 行；文件不予提供。请报告，然后重新下单。",
    ),
    "batch_gave_up": (
        "It was tried {tries} times and never came to an end ({kind}). Report it; a person has to look.",
        "已尝试 {tries} 次，均未完成（{kind}）。请报告，由人工处理。",
    ),
}
