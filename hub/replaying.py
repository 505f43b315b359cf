"""What doing something again found, in words; and the steps that every kind of entry has in common.

Whose steps are which is said by `hub.auditing`, `hub.batches.again` and `hub.changes.again`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from audit.entry import Entry, seal_body
from audit.errors import AuditError
from audit.log import Log
from audit.store import BodyStore
from catalog.decide import decision_to_plain
from hub.errors import ListDamagedError, ListMissingError
from hub.evidence import part_salt
from hub.keeping.fates import fate_at
from hub.published import list_version
from hub.recording import NO_LINES_IN_DENIALS, with_terms

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from catalog.decide import Decision
    from catalog.model import ResponsibilityList
    from hub.settings import Settings
    from warehouse.engine import Warehouse

# code → (English, Chinese) over the step's parameters.
FINDINGS: Final[dict[str, tuple[str, str]]] = {
    "entry_read": ("Entry {index} of kind {kind}, {at}.", "第 {index} 条，类型 {kind}，{at}。"),
    "entry_missing": ("The log holds no readable entry {index}.", "日志中没有可读的第 {index} 条。"),
    "entry_of_other_kind": (
        "Entry {index} is of kind {kind}; only calls, batches and pages of changes can be replayed.",
        "第 {index} 条的类型是 {kind}；只有数据调用、批量交换和变更订阅可以重放。",
    ),
    "body_fits": ("The body is the one the entry names.", "正文与条目中的摘要一致。"),
    "body_none": ("The entry names no body: there is no decision to repeat.", "条目没有正文：没有可重放的决策。"),
    "body_gone": (
        "The body was erased or lost; the entry stands, but cannot be replayed.",
        "正文已删除或丢失；条目有效，但无法重放。",
    ),
    "body_expired": (
        "The body expired on {on} (entry {entry}); the entry stands, but can no longer be replayed.",
        "正文保存期满，已于 {on} 删除（第 {entry} 条）；条目有效，但不能再重放。",
    ),
    "body_erased": (
        "The body was erased on request on {on} (entry {entry}); the entry stands, but can no longer be replayed.",
        "正文已于 {on} 依申请删除（第 {entry} 条）；条目有效，但不能再重放。",
    ),
    "body_tampered": ("The stored body is not the one the entry names.", "存储的正文与条目中的摘要不一致。"),
    "body_unreadable": ("The body is of a form this version cannot replay.", "正文的格式本版本无法重放。"),
    "nothing_decided": (
        "The call was stopped before a decision ({outcome}: {reasons}); there is none to repeat.",
        "调用在决策前终止（{outcome}：{reasons}）；没有可重放的决策。",
    ),
    "list_found": ("List version {version} is stored unchanged.", "责任清单版本 {version} 完好。"),
    "list_missing": ("List version {version} is not stored.", "没有存储责任清单版本 {version}。"),
    "list_tampered": ("The stored list is not version {version}.", "存储的责任清单不是版本 {version}。"),
    "decision_equal": ("Decided again: {decision}, the same.", "重新决策：{decision}，一致。"),
    "decision_differs": (
        "Decided again: {decision}; recorded was {recorded}. They differ.",
        "重新决策：{decision}；记录为 {recorded}，不一致。",
    ),
    "request_equal": ("The request has the digest that was recorded.", "请求摘要一致。"),
    "request_differs": ("The request has another digest than was recorded.", "请求摘要不一致。"),
    "signature_holds": (
        "The caller's own key {key} signed this very request; the hub does not hold it.",
        "该请求由调用方自有密钥 {key} 签名，平台不持有该密钥。",
    ),
    "signature_broken": (
        "The signature that was kept is not one of this request.",
        "所存签名与该请求不符。",
    ),
    "nothing_answered": ("Nothing was answered ({outcome}: {reasons}).", "未作应答（{outcome}：{reasons}）。"),
    "snapshot_missing": (
        "Snapshot {snapshot} of {resource} cannot be scanned.",
        "无法扫描资源 {resource} 的快照 {snapshot}。",
    ),
    "answer_equal": (
        "Answered again from snapshot {snapshot}: the same digest.",
        "由快照 {snapshot} 重新应答：摘要一致。",
    ),
    "answer_differs": (
        "Answered again from snapshot {snapshot}: another digest than was recorded.",
        "由快照 {snapshot} 重新应答：摘要与记录不一致。",
    ),
    # Batches.
    "order_unnamed": (
        "The entry is of an earlier form and does not name its order's entry.",
        "条目格式较早，未注明其任务所在条目。",
    ),
    "order_found": ("Its order is entry {order}.", "其任务为第 {order} 条。"),
    "order_differs": ("Entry {order} is not the order of batch {batch}.", "第 {order} 条不是批量任务 {batch} 的订单。"),
    "rows_equal": (
        "Counted again in snapshot {snapshot}: {rows} rows, the same.",
        "在快照 {snapshot} 中重新清点：{rows} 行，一致。",
    ),
    "rows_differ": (
        "Counted again in snapshot {snapshot}: {rows} rows; recorded were {recorded}.",
        "在快照 {snapshot} 中重新清点：{rows} 行；记录为 {recorded} 行。",
    ),
    "files_equal": (
        "Its manifest and {files} files are as they were made.",
        "清单文件和 {files} 个数据文件与生成时一致。",
    ),
    "files_differ": ("`{name}` is not the file that was made.", "`{name}` 与生成时不一致。"),
    "files_none": (
        "Its files are not there: they are kept for hours, and the entry does not rest on them.",
        "数据文件已不在：文件只保留若干小时，条目不以其为据。",
    ),
    "files_gone": ("Its files are not there any more.", "数据文件已不在。"),
    "part_equal": (
        "Part {part} made again from snapshot {snapshot}: {rows} rows, the same digest.",
        "由快照 {snapshot} 重新生成第 {part} 个文件：{rows} 行，摘要一致。",
    ),
    "part_other_bytes": (
        "Part {part} made again from snapshot {snapshot}: {rows} rows as recorded, in other bytes, as versions differ.",
        "由快照 {snapshot} 重新生成第 {part} 个文件：{rows} 行，与记录一致，但字节不同（程序版本不同所致）。",
    ),
    "part_differs": (
        "Part {part} made again from snapshot {snapshot} has {rows} rows; recorded were {recorded}.",
        "由快照 {snapshot} 重新生成的第 {part} 个文件有 {rows} 行；记录为 {recorded} 行。",
    ),
    # Pages of changes.
    "changes_missing": (
        "The changes that the page told, or the states around them, are not kept any more.",
        "该页所述的变更或其前后快照已不再保存。",
    ),
    "page_equal": (
        "Told again from the feed: {events} events, the same digest.",
        "由变更流重新生成：{events} 条，摘要一致。",
    ),
    "page_differs": (
        "Told again from the feed: {events} events, another digest than was recorded.",
        "由变更流重新生成：{events} 条，摘要与记录不一致。",
    ),
    "page_of_cases": (
        "Told again: {events} events, another digest; it told of corrections or recalls, which may have changed since.",
        "重新生成：{events} 条，摘要不同；该页含校核或召回事项，事项此后可能已有变化，无法判定。",
    ),
}
_FAILED: Final = frozenset(
    {
        "entry_missing",
        "body_tampered",
        "list_tampered",
        "decision_differs",
        "request_differs",
        "signature_broken",
        "answer_differs",
        "order_differs",
        "rows_differ",
        "files_differ",
        "part_differs",
        "page_differs",
    }
)
# After one of these, everything that was recorded has come out again.
_ENDS: Final = frozenset(
    {
        "answer_equal",
        "nothing_answered",
        "nothing_decided",
        "body_none",
        "files_equal",
        "files_none",
        "part_equal",
        "page_equal",
    }
)
VERDICTS: Final = {
    "same": ("Same: the record holds.", "一致：记录属实。"),
    "different": ("Different: the record and its replay contradict each other.", "不一致：记录与重放结果相矛盾。"),
    "incomplete": ("Incomplete: something that replaying needs is gone.", "不完整：缺少重放所需的材料。"),
}


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """One finding: its *number* (see `hub.auditing`), *code* and *params* for the sentence."""

    number: int
    code: str
    params: tuple[tuple[str, str], ...] = ()

    @property
    def failed(self) -> bool:
        """Whether this contradicts what was recorded."""
        return self.code in _FAILED

    def text(self, lang: str) -> str:
        """The sentence in *lang* (``zh``, else English)."""
        english, chinese = FINDINGS[self.code]
        return (chinese if lang == "zh" else english).format(**dict(self.params))


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What replaying entry *index* found.

    *verdict*: ``same`` (everything that was recorded came out again), ``different`` (something contradicts the
    record: call a person), ``incomplete`` (something needed is gone: nothing can be said).
    """

    index: int
    steps: tuple[ReplayStep, ...]

    @property
    def verdict(self) -> str:
        """See the class."""
        if any(step.failed for step in self.steps):
            return "different"
        return "same" if self.steps and self.steps[-1].code in _ENDS else "incomplete"

    def text(self, lang: str) -> str:
        """The report in *lang*, a line per step and the verdict last."""
        verdict = VERDICTS[self.verdict][1 if lang == "zh" else 0]
        return "\n".join([*(f"{step.number}. {step.text(lang)}" for step in self.steps), verdict])

    def to_plain(self) -> dict[str, Any]:
        """The report as JSON values."""
        steps = [{"number": s.number, "code": s.code, **dict(s.params)} for s in self.steps]
        return {"index": self.index, "verdict": self.verdict, "steps": steps}


class StoppedError(Exception):
    """Ends a replay at the step that cannot be passed."""


class Run:
    """One replay under way; *found* grows by a finding per step."""

    def __init__(self, settings: Settings, index: int, warehouse: Warehouse) -> None:
        self.settings = settings
        self.index = index
        self.warehouse = warehouse
        self.found: list[ReplayStep] = []

    def note(self, number: int, code: str, **params: object) -> None:
        """Find *code* in step *number*."""
        self.found.append(ReplayStep(number, code, tuple((name, str(value)) for name, value in params.items())))

    def stop(self, number: int, code: str, **params: object) -> StoppedError:
        """As `note`, to be raised: the steps after it cannot be taken."""
        self.note(number, code, **params)
        return StoppedError()

    def entry(self, index: int, kinds: Collection[str]) -> Entry:
        """Step 1: entry *index*, which must be of one of *kinds*."""
        try:
            with Log.open(self.settings.log) as log:
                entry = Entry.decode(log.entry(index))
        except (AuditError, OSError) as error:
            raise self.stop(1, "entry_missing", index=index) from error
        if entry.kind not in kinds:
            raise self.stop(1, "entry_of_other_kind", index=index, kind=entry.kind)
        self.note(1, "entry_read", index=index, kind=entry.kind, at=entry.at.isoformat())
        return entry

    def body(self, index: int, entry: Entry, formats: Collection[int]) -> tuple[Mapping[str, Any], bytes]:
        """Step 2: the body of *entry*, number *index*, of one of *formats*, and its salt."""
        if not entry.body_digest:
            raise self.stop(2, "body_none")
        try:
            stored = BodyStore(self.settings.bodies).get(entry.body_digest)
        except (AuditError, OSError) as error:
            raise self.stop(2, "body_tampered") from error
        if stored is None:
            raise self._gone(index, entry)
        salt, body = stored
        if seal_body(body, salt) != entry.body_digest:
            raise self.stop(2, "body_tampered")
        if body.get("format") not in formats:
            raise self.stop(2, "body_unreadable")
        whole = self._whole(index, entry, body)
        self.note(2, "body_fits")
        return whole, salt

    def _whole(self, index: int, entry: Entry, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """With what many calls have in common, which their bodies name: part of step 2."""
        try:
            whole = with_terms(BodyStore(self.settings.bodies), body)
        except (AuditError, OSError) as error:
            raise self.stop(2, "body_tampered") from error
        if whole is None:
            raise self._gone(index, entry)
        return whole

    def _gone(self, index: int, entry: Entry) -> StoppedError:
        """With the log's own word for what became of the body, if it has one."""
        fate = fate_at(self.settings, index, entry)
        if fate is None:
            return self.stop(2, "body_gone")
        code = fate.kind.replace("bodies.", "body_")
        return self.stop(2, code, on=fate.at.date().isoformat(), entry=fate.index)

    def list_(self, version: str) -> ResponsibilityList:
        """Step 3."""
        try:
            list_ = list_version(self.settings, version)
        except ListMissingError as error:
            raise self.stop(3, "list_missing", version=version) from error
        except ListDamagedError as error:
            raise self.stop(3, "list_tampered", version=version) from error
        self.note(3, "list_found", version=version)
        return list_

    def decided(self, entry: Entry, body: Mapping[str, Any], decision: Decision, *, with_lines: bool = True) -> bool:
        """Step 4: compare *decision* with the recorded one; whether they are the same.

        *with_lines*: the body names the lines that a denial went by, which those of the first format do not.
        """
        plain = decision_to_plain(decision)
        if not with_lines and not decision.allowed:
            plain["determined_by"] = [label for label in plain["determined_by"] if not label.startswith("line:")]
        outcome, recorded = "allowed" if decision.allowed else "denied", str(entry.facts.get("decision", ""))
        same = bool(plain == body["decision"] and outcome == recorded)
        if same:
            self.note(4, "decision_equal", decision=outcome)
        else:
            self.note(4, "decision_differs", decision=outcome, recorded=recorded)
        return same

    def requested(self, entry: Entry, plain: Mapping[str, Any], salt: bytes) -> None:
        """Step 7: compare the digest of the request *plain*, whose body had *salt*."""
        same = seal_body(plain, part_salt(salt, "request")) == entry.facts.get("request_digest")
        self.note(7, "request_equal" if same else "request_differs")

    def nothing(self, entry: Entry, number: int, code: str) -> None:
        """Find *code* with how the call ended, and why."""
        reasons = ", ".join(entry.facts.get("reasons", ()))
        self.note(number, code, outcome=entry.facts.get("outcome", ""), reasons=reasons)


def with_lines(body_format: int) -> bool:
    """Whether bodies of calls of this format name the lines that a denial went by."""
    return body_format != NO_LINES_IN_DENIALS
