"""Checks the evidence: that the log is whole, and that what was answered, done again, comes to what was recorded.

Recomputing the log is `audit.fsck`'s work; deciding and answering are the same functions that answered first. What was
found is said by `hub.replaying`; batches are done again by `hub.batches.again`, pages of changes by
`hub.changes.again`.

The steps of `replay`, by number:

    1. read the entry                     5. scan the snapshot that was answered from (not the look-up index)
    2. open its body, check its digest    6. mask, or compare the claims
    3. load the list version              7. compare the digests of request and answer
    4. decide again with the frozen grants, compare; of a signed call, check its signature
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from audit.entry import seal_body
from audit.fsck import LogReport, check_log
from catalog.decide import decide, grant_from_plain
from hub.answers import Sought, Terms, access_request, answer, lookup_values, needed_fields, select
from hub.disputes import marks_from_plain, subject_by
from hub.errors import HubError, TooManyRecordsError
from hub.evidence import log_verifiers, part_salt
from hub.keyring import Keyring
from hub.matching.comparing import FIRST
from hub.recording import BODY_FORMAT, NO_LINES_IN_DENIALS
from hub.replaying import ReplayReport, Run, StoppedError, with_lines
from hub.requests import Call, parse_call, read_json
from hub.signing import kept
from hub.signing.errors import SigningError
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audit.entry import Entry
    from catalog.decide import Decision
    from catalog.model import InformationResource, ResponsibilityList
    from hub.settings import Settings
    from warehouse.engine import Warehouse

CALLS: Final = ("invocation.answered", "invocation.denied")
BATCHES: Final = ("batch.ordered", "batch.denied", "batch.ready", "batch.fetched")
PAGES: Final = ("changes.answered", "changes.denied")
KINDS: Final = (*CALLS, *BATCHES, *PAGES)
MASK_KEY = "mask"


def verify_log(settings: Settings) -> LogReport:
    """Recompute the log from its entries alone and check its checkpoint's signature.

    Raises:
        LogMissingError: there is no log yet.
    """
    return check_log(settings.log, log_verifiers(settings))


def replay(settings: Settings, index: int, *, warehouse: Warehouse | None = None) -> ReplayReport:
    """Do what entry *index*, one of `KINDS`, is about again from what it names, and compare.

    Never raises on damaged evidence. Reads the log, the body store, the stored list and the table's snapshots; writes
    nothing but the log's search index, where a body is gone.
    """
    # An auditor who recomputes the log alone need not wait for an engine to be imported.
    from hub.storing import open_warehouse  # noqa: PLC0415

    opened = warehouse or open_warehouse(settings)
    run = Run(settings, index, opened)
    try:
        with contextlib.suppress(StoppedError):  # The last step says why.
            _replay(run)
        return ReplayReport(index, tuple(run.found))
    finally:
        if warehouse is None:
            opened.close()


def _replay(run: Run) -> None:
    entry = run.entry(run.index, KINDS)
    if entry.kind in CALLS:
        _Call(run, entry).run()
        return
    # They rest on what makes batches and pages, which rests on this module.
    if entry.kind in BATCHES:
        from hub.batches.again import replay_batch  # noqa: PLC0415

        replay_batch(run, entry)
        return
    from hub.changes.again import replay_page  # noqa: PLC0415

    replay_page(run, entry)


class _Call:
    """The replay of one call."""

    def __init__(self, run: Run, entry: Entry) -> None:
        self._run = run
        self._entry = entry

    def run(self) -> None:
        run, entry = self._run, self._entry
        body, salt = run.body(run.index, entry, range(NO_LINES_IN_DENIALS, BODY_FORMAT + 1))
        if "decision" not in body:
            run.nothing(entry, 4, "nothing_decided")
            return
        list_ = run.list_(str(entry.facts.get("list_version", "")))
        call, decision = self._decide(body, list_)
        run.requested(entry, call.plain(), salt)
        if "signed" in body:
            self._signed(body, call)
        if "answer_digest" not in entry.facts:
            run.nothing(entry, 7, "nothing_answered")
            return
        snapshot = int(entry.facts["snapshot"])
        content = self._answer(body, call, decision, list_, snapshot)
        fits = seal_body(content, part_salt(salt, "answer")) == entry.facts["answer_digest"]
        run.note(7, "answer_equal" if fits else "answer_differs", snapshot=snapshot)

    def _signed(self, body: Mapping[str, Any], call: Call) -> None:
        """Also step 4: whether the caller's own signature is of this request, to this resource."""
        run = self._run
        try:
            shown = kept.check(body["signed"])
            same = parse_call(body["action"], read_json(shown.body)) == call
        except (SigningError, HubError, TypeError):
            same = False
        else:
            same = same and unquote(shown.path).endswith(f"/{body['code']}:{body['action']}")
        if same:
            run.note(4, "signature_holds", key=shown.key_id)
        else:
            run.note(4, "signature_broken")

    def _decide(self, body: Mapping[str, Any], list_: ResponsibilityList) -> tuple[Call, Decision]:
        """Step 4."""
        try:
            call = Call.from_plain(body["call"])
            request = access_request(body["action"], body["caller"]["department"], body["code"], call)
            grants = [grant_from_plain(grant) for grant in body["grants"]]
            decision = decide(request, list_, grants, datetime.fromisoformat(body["at"]))
        except (HubError, ValueError, KeyError, TypeError) as error:
            raise self._run.stop(4, "body_unreadable") from error
        self._run.decided(self._entry, body, decision, with_lines=with_lines(body["format"]))
        return call, decision

    def _answer(
        self, body: Mapping[str, Any], call: Call, decision: Decision, list_: ResponsibilityList, snapshot: int
    ) -> dict[str, Any]:
        """Steps 5 and 6."""
        run = self._run
        resource = list_.by_code[body["code"]]
        try:
            found = [self._sought(resource, decision, lookup_values(resource, keys), snapshot) for keys in call.sought]
        except (WarehouseError, OSError) as error:
            raise run.stop(5, "snapshot_missing", snapshot=snapshot, resource=resource.code) from error
        try:
            marks = marks_from_plain(body.get("marks", ()))
        except (KeyError, TypeError, ValueError) as error:
            raise run.stop(6, "body_unreadable") from error
        ring = Keyring(run.settings.keys)
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
            raise run.stop(7, "answer_differs", snapshot=snapshot) from error

    def _sought(
        self, resource: InformationResource, decision: Decision, values: Mapping[str, str], snapshot: int
    ) -> Sought:
        fields = needed_fields(resource, decision, values)
        rows = self._run.warehouse.scan(resource.code, snapshot, values, fields)
        return Sought(values, select(rows, resource, decision, values))
