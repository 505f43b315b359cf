"""Answers a past call again, with the same bytes and the same receipt: for whoever named a call and lost its answer.

The decision is taken from the evidence, not made anew: what was allowed then was handed out then. Rows come from the
snapshot that answered, so that it takes as long as an auditor's replay (`hub.auditing`), which checks more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audit.canonical import encode_json
from audit.entry import Entry, sealed
from audit.errors import AuditError
from catalog.decide import decision_from_plain
from hub import receipts
from hub.answers import Sought, Terms, answer, lookup_values, needed_fields, select
from hub.disputes import marks_from_plain
from hub.errors import EvidenceUnavailableError, HubError, SetupError
from hub.evidence import part_salt
from hub.invocation import Answer
from hub.matching.comparing import FIRST
from hub.published import list_version
from hub.recording import with_terms
from hub.requests import Call
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.errors import RequestError
    from hub.evidence import Evidence
    from hub.invocation import Invocation, Opens, Prepared
    from hub.once import Names
    from hub.receipts import Promised
    from hub.settings import Settings
    from hub.signatures import AnswerSigner
    from hub.standing import Standing
    from warehouse.engine import Warehouse


class AnswerGoneForGoodError(HubError):
    """What the answer was made from is not kept any more."""

    code = "answer_gone"
    en = "The answer to the first call cannot be given again: what it was made from is gone. Call with a new key."
    zh = "首次调用的应答已无法重现：其依据的数据已不再保存。请使用新的键重新调用。"


@dataclass(frozen=True, slots=True)
class PastCalls:
    """What a past answer of one deployment is made again from."""

    settings: Settings
    evidence: Evidence
    warehouse: Warehouse
    signer: AnswerSigner
    mask_key: bytes

    def answer(self, index: int) -> Answer:
        """The answer of entry *index*, which is of an answered call.

        Raises:
            AnswerGoneForGoodError: its body, list or snapshot is not there any more.
        """
        evidence = self.evidence
        try:
            leaf = evidence.log.entry(index)
            entry = Entry.decode(leaf)
            salt, body = self._body(entry)
            content = self._content(entry, body)
            encoded = encode_json(content)
            if sealed(encoded, part_salt(salt, "answer")) != entry.facts["answer_digest"]:
                raise AnswerGoneForGoodError
        except (AuditError, WarehouseError, SetupError, OSError, KeyError, ValueError, TypeError) as error:
            raise AnswerGoneForGoodError from error
        receipt = receipts.issue(
            self.signer,
            evidence.origin,
            index,
            leaf,
            request_salt=part_salt(salt, "request").hex(),
            answer_salt=part_salt(salt, "answer").hex(),
        )
        return Answer(content, encoded, receipt)

    def _body(self, entry: Entry) -> tuple[bytes, Mapping[str, Any]]:
        """The salt of the body of *entry*, and the body with the terms that it names."""
        bodies = self.evidence.bodies
        kept = bodies.get(entry.body_digest)
        whole = None if kept is None else with_terms(bodies, kept[1])
        if kept is None or whole is None:
            raise AnswerGoneForGoodError
        return kept[0], whole

    def _content(self, entry: Entry, body: Mapping[str, Any]) -> dict[str, Any]:
        list_ = list_version(self.settings, str(entry.facts["list_version"]))
        resource = list_.by_code[body["code"]]
        call = Call.from_plain(body["call"])
        decision = decision_from_plain(body["decision"])
        snapshot = int(entry.facts["snapshot"])
        found = []
        for keys in call.sought:
            values = lookup_values(resource, keys)
            rows = self.warehouse.scan(resource.code, snapshot, values, needed_fields(resource, decision, values))
            found.append(Sought(values, select(rows, resource, decision, values)))
        terms = Terms(
            resource=resource,
            decision=decision,
            list_version=list_.version,
            mask_key=self.mask_key,
            marks=marks_from_plain(body.get("marks", ())),
            subject=self.evidence.subject,
            matching=int(body.get("matching", FIRST)),
        )
        return answer(str(body["action"]), call, terms, found, snapshot=snapshot)


@dataclass(frozen=True, slots=True)
class NamedCalls:
    """Answers calls that their callers named, each once: the steps of `hub.once`."""

    invocation: Invocation
    evidence: Evidence
    names: Names
    past: PastCalls
    standing: Standing

    def call(self, action: str, opens: Opens, code: str, body: bytes | RequestError, name: str) -> Answer:
        """As `Invocation.call`, or the answer that the call of this *name* was given before.

        Raises:
            RefusedError, EvidenceUnavailableError: as there.
            NameReusedError, NameUnderWayError, AnswerGoneForGoodError: of this name; nothing is recorded of that.
        """
        invocation = self.invocation
        prepared = invocation.prepare(action, opens, code, body, self.standing.now(), named=name)
        try:
            found = self._known_or_kept(prepared, code)
        finally:
            invocation.settle(prepared)
        if isinstance(found, int):
            return self.past.answer(found)
        if prepared.error is None:
            self.names.answered(prepared.name[0], found.index)
        return invocation.finish(prepared, found)

    def _known_or_kept(self, prepared: Prepared, code: str) -> int | Promised:
        """The entry of the call that had this name before, or what this one is promised."""
        known = None
        if prepared.error is None:
            known = self.names.take(*prepared.name, resource=code, at=prepared.at)
        return self._kept(prepared) if known is None else known

    def _kept(self, prepared: Prepared) -> Promised:
        # Alone: a promise shared with others could not be made again.
        try:
            return self.invocation.keep([prepared])[0]
        except EvidenceUnavailableError:
            if prepared.error is None:
                self.names.release(prepared.name[0])
            raise
