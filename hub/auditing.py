"""Checks the evidence: that the log is whole, and that an invocation, done again, comes to what was recorded.

Recomputing the log is `audit.fsck`'s work; deciding and answering are the same functions that answered first.

The steps of `replay`, by number:

    1. read the entry                     5. scan the snapshot that was answered from (not the look-up index)
    2. open its body, check its digest    6. mask, or compare the claims
    3. load the list version              7. compare the digests of request and answer
    4. decide again with the frozen grants, compare
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from audit.entry import Entry, seal_body
from audit.errors import AuditError
from audit.fsck import LogReport, check_log
from audit.log import Log
from audit.store import BodyStore
from catalog.decide import Decision, decide, decision_to_plain, grant_from_plain
from hub.answers import Sought, Terms, access_request, answer, lookup_values, needed_fields, select
from hub.disputes import marks_from_plain, subject_by
from hub.errors import HubError, ListDamagedError, ListMissingError, TooManyRecordsError
from hub.evidence import log_verifiers, part_salt
from hub.keyring import Keyring
from hub.matching.comparing import FIRST
from hub.published import list_version
from hub.recording import BODY_FORMAT, NO_LINES_IN_DENIALS, with_terms
from hub.requests import Call
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.model import InformationResource, ResponsibilityList
    from hub.settings import Settings
    from warehouse.engine import Warehouse

KINDS = ("invocation.answered", "invocation.denied")
MASK_KEY = "mask"

# code → (English, Chinese) over the step's parameters.
FINDINGS: dict[str, tuple[str, str]] = {
    "entry_read": ("Entry {index} of kind {kind}, {at}.", "第 {index} 条，类型 {kind}，{at}。"),
    "entry_missing": ("The log holds no readable entry {index}.", "日志中没有可读的第 {index} 条。"),
    "entry_of_other_kind": (
        "Entry {index} is of kind {kind}; only invocations can be replayed.",
        "第 {index} 条的类型是 {kind}；只有数据调用可以重放。",
    ),
    "body_fits": ("The body is the one the entry names.", "正文与条目中的摘要一致。"),
    "body_gone": (
        "The body was erased or lost; the entry stands, but cannot be replayed.",
        "正文已删除或丢失；条目有效，但无法重放。",
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
}
_FAILED = frozenset(
    {"entry_missing", "body_tampered", "list_tampered", "decision_differs", "request_differs", "answer_differs"}
)


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """One finding: its *number* (see the module), *code* and *params* for the sentence."""

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


_ENDS = frozenset({"answer_equal", "nothing_answered", "nothing_decided"})
VERDICTS = {
    "same": ("Same: the record holds.", "一致：记录属实。"),
    "different": ("Different: the record and its replay contradict each other.", "不一致：记录与重放结果相矛盾。"),
    "incomplete": ("Incomplete: something that replaying needs is gone.", "不完整：缺少重放所需的材料。"),
}


def verify_log(settings: Settings) -> LogReport:
    """Recompute the log from its entries alone and check its checkpoint's signature.

    Raises:
        LogMissingError: there is no log yet.
    """
    return check_log(settings.log, log_verifiers(settings))


def replay(settings: Settings, index: int, *, warehouse: Warehouse | None = None) -> ReplayReport:
    """Do the invocation of entry *index* again from what it names, and compare. Never raises on damaged evidence.

    Reads the log, the body store, the stored list and the table's snapshot; writes nothing.
    """
    # An auditor who recomputes the log alone need not wait for an engine to be imported.
    from hub.storing import open_warehouse  # noqa: PLC0415

    opened = warehouse or open_warehouse(settings)
    try:
        run = _Replay(settings, index, opened)
        with contextlib.suppress(_StoppedError):  # The last step says why.
            run.run()
        return ReplayReport(index, tuple(run.found))
    finally:
        if warehouse is None:
            opened.close()


class _StoppedError(Exception):
    """Ends a replay at the step that cannot be passed."""


class _Replay:
    """One replay under way; *found* grows by a finding per step."""

    def __init__(self, settings: Settings, index: int, warehouse: Warehouse) -> None:
        self._settings = settings
        self._index = index
        self._warehouse = warehouse
        self.found: list[ReplayStep] = []

    def run(self) -> None:
        entry = self._entry()
        body, salt = self._body(entry)
        outcome, reasons = str(entry.facts.get("outcome", "")), ", ".join(entry.facts.get("reasons", ()))
        if "decision" not in body:
            raise self._stop(4, "nothing_decided", outcome=outcome, reasons=reasons)
        list_ = self._list(str(entry.facts.get("list_version", "")))
        call, decision = self._decide(entry, body, list_)
        same = seal_body(call.plain(), part_salt(salt, "request")) == entry.facts.get("request_digest")
        self._note(7, "request_equal" if same else "request_differs")
        if "answer_digest" not in entry.facts:
            self._note(7, "nothing_answered", outcome=outcome, reasons=reasons)
            return
        snapshot = int(entry.facts["snapshot"])
        content = self._answer(body, call, decision, list_, snapshot)
        fits = seal_body(content, part_salt(salt, "answer")) == entry.facts["answer_digest"]
        self._note(7, "answer_equal" if fits else "answer_differs", snapshot=snapshot)

    def _note(self, number: int, code: str, **params: object) -> None:
        self.found.append(ReplayStep(number, code, tuple((name, str(value)) for name, value in params.items())))

    def _stop(self, number: int, code: str, **params: object) -> _StoppedError:
        self._note(number, code, **params)
        return _StoppedError()

    def _entry(self) -> Entry:
        """Step 1."""
        try:
            with Log.open(self._settings.log) as log:
                entry = Entry.decode(log.entry(self._index))
        except (AuditError, OSError) as error:
            raise self._stop(1, "entry_missing", index=self._index) from error
        if entry.kind not in KINDS:
            raise self._stop(1, "entry_of_other_kind", index=self._index, kind=entry.kind)
        self._note(1, "entry_read", index=self._index, kind=entry.kind, at=entry.at.isoformat())
        return entry

    def _body(self, entry: Entry) -> tuple[Mapping[str, Any], bytes]:
        """Step 2."""
        try:
            stored = BodyStore(self._settings.bodies).get(entry.body_digest)
        except (AuditError, OSError) as error:
            raise self._stop(2, "body_tampered") from error
        if stored is None:
            raise self._stop(2, "body_gone")
        salt, body = stored
        if seal_body(body, salt) != entry.body_digest:
            raise self._stop(2, "body_tampered")
        if body.get("format") not in range(NO_LINES_IN_DENIALS, BODY_FORMAT + 1):
            raise self._stop(2, "body_unreadable")
        whole = self._whole(body)
        self._note(2, "body_fits")
        return whole, salt

    def _whole(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """With what many calls have in common, which their bodies name: part of step 2."""
        try:
            whole = with_terms(BodyStore(self._settings.bodies), body)
        except (AuditError, OSError) as error:
            raise self._stop(2, "body_tampered") from error
        if whole is None:
            raise self._stop(2, "body_gone")
        return whole

    def _list(self, version: str) -> ResponsibilityList:
        """Step 3."""
        try:
            list_ = list_version(self._settings, version)
        except ListMissingError as error:
            raise self._stop(3, "list_missing", version=version) from error
        except ListDamagedError as error:
            raise self._stop(3, "list_tampered", version=version) from error
        self._note(3, "list_found", version=version)
        return list_

    def _decide(self, entry: Entry, body: Mapping[str, Any], list_: ResponsibilityList) -> tuple[Call, Decision]:
        """Step 4."""
        try:
            call = Call.from_plain(body["call"])
            request = access_request(body["action"], body["caller"]["department"], body["code"], call)
            grants = [grant_from_plain(grant) for grant in body["grants"]]
            decision = decide(request, list_, grants, datetime.fromisoformat(body["at"]))
        except (HubError, ValueError, KeyError, TypeError) as error:
            raise self._stop(4, "body_unreadable") from error
        outcome, recorded = "allowed" if decision.allowed else "denied", str(entry.facts.get("decision", ""))
        if _as_recorded(decision, body["format"]) == body["decision"] and outcome == recorded:
            self._note(4, "decision_equal", decision=outcome)
        else:
            self._note(4, "decision_differs", decision=outcome, recorded=recorded)
        return call, decision

    def _answer(
        self, body: Mapping[str, Any], call: Call, decision: Decision, list_: ResponsibilityList, snapshot: int
    ) -> dict[str, Any]:
        """Steps 5 and 6."""
        resource = list_.by_code[body["code"]]
        try:
            found = [self._sought(resource, decision, lookup_values(resource, keys), snapshot) for keys in call.sought]
        except (WarehouseError, OSError) as error:
            raise self._stop(5, "snapshot_missing", snapshot=snapshot, resource=resource.code) from error
        try:
            marks = marks_from_plain(body.get("marks", ()))
        except (KeyError, TypeError, ValueError) as error:
            raise self._stop(6, "body_unreadable") from error
        ring = Keyring(self._settings.keys)
        terms = Terms(
            resource=resource,
            decision=decision,
            list_version=list_.version,
            mask_key=ring.secret(MASK_KEY),
            marks=marks,
            subject=subject_by(ring.secret("subject")),
            matching=int(body.get("matching", FIRST)),
        )
        try:
            return answer(str(body["action"]), call, terms, found, snapshot=snapshot)
        except TooManyRecordsError as error:
            raise self._stop(7, "answer_differs", snapshot=snapshot) from error

    def _sought(
        self, resource: InformationResource, decision: Decision, values: Mapping[str, str], snapshot: int
    ) -> Sought:
        fields = needed_fields(resource, decision, values)
        rows = self._warehouse.scan(resource.code, snapshot, values, fields)
        return Sought(values, select(rows, resource, decision, values))


def _as_recorded(decision: Decision, body_format: int) -> dict[str, Any]:
    """*decision* as a body of *body_format* holds it."""
    plain = decision_to_plain(decision)
    if body_format == NO_LINES_IN_DENIALS and not decision.allowed:
        plain["determined_by"] = [label for label in plain["determined_by"] if not label.startswith("line:")]
    return plain
