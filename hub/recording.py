"""What the evidence of a call says: the public facts of its entry, and the body that lets it be decided again.

How evidence is kept is `hub.evidence`'s; how a call is done again from it, `hub.auditing`'s.

A body of format 3 names its *terms* by their digest: the request without its values, the grants as they were, the
decision. They are the same for all calls between two changes, hold nothing personal and are kept as a body of their
own, once a day and process, so that a call's own body is as small as what only this call said.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from audit.canonical import encode_json
from audit.entry import sealed
from catalog.decide import decision_to_plain, grant_to_plain, request_to_plain
from hub import quickjson
from hub.answers import grant_of, masked_words
from hub.disputes import marks_to_plain
from hub.errors import DeniedError, KeyRefusedError, ResourceUnknownError, RoleMissingError, TryAgainError
from hub.evidence import UNKNOWN_ACTOR
from hub.matching.comparing import MATCHING
from hub.signing import kept

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from audit.store import BodyStore
    from catalog.decide import AccessRequest, Decision, Grant
    from catalog.model import InformationResource
    from hub.disputes import Mark
    from hub.errors import HubError
    from hub.invocation import Allowance
    from hub.requests import Call
    from hub.standing import KnownCaller, View

# Of format 1 a denial does not name the lines that it went by; otherwise it is read like format 2, which holds its
# terms itself.
NO_LINES_IN_DENIALS: Final = 1
BODY_FORMAT: Final = 3
# Terms are nothing to be guessed, so that equal ones may have one digest.
TERMS_SALT: Final = b"zhengtong/terms\0"
MAX_CODE_CHARS: Final = 200
_MAX_TERMS = 10_000


@dataclass(slots=True)
class Attempt:
    """What is known of a call so far; a step adds what it found, and the evidence says it all."""

    action: str
    code: str
    at: datetime
    view: View
    caller: KnownCaller | None = None
    call: Call | None = None
    request: AccessRequest | None = None
    decision: Decision | None = None
    grants: tuple[Grant, ...] = ()
    marks: tuple[Mark, ...] = ()
    snapshot: int | None = None
    sought: tuple[Mapping[str, str], ...] = ()
    allowances: tuple[Allowance, ...] = ()
    moments: list[int] = field(default_factory=list)
    at_once: bool = False
    body: bytes = b""
    asked: bytes = b""
    salts: list[bytes] = field(default_factory=lambda: [b"", b""])
    named: str | None = None
    name: tuple[str, str] = ("", "")
    terms: KeptTerms | None = None

    @property
    def resource(self) -> InformationResource | None:
        """The resource, if the list knows it."""
        return self.view.list.by_code.get(self.code)

    @property
    def actor(self) -> str:
        """Who calls, as the entry names it."""
        return self.caller.actor if self.caller else UNKNOWN_ACTOR

    @property
    def purpose(self) -> str:
        """The matter, if the list knows it: a caller may have put anything in its place."""
        matter = self.call.purpose.matter if self.call else ""
        return matter if matter in self.view.list.matters_by_code else ""


def outcome_of(error: HubError | None) -> str:
    """How a call ended, in one word of the public facts."""
    if error is None:
        return "answered"
    if isinstance(error, DeniedError | KeyRefusedError | RoleMissingError | ResourceUnknownError):
        return "denied"
    return "unavailable" if isinstance(error, TryAgainError) else "refused"


def reason_codes(error: HubError | None, decision: Decision | None) -> list[str]:
    """Why a call ended as it did: the decision's reasons, or the code of what stopped it."""
    if isinstance(error, DeniedError) or (error is None and decision is not None):
        return [reason.code for reason in decision.reasons] if decision else []
    return [] if error is None else [error.code]


def facts_of(attempt: Attempt, error: HubError | None) -> dict[str, Any]:
    """The public facts, but for the digests of request and answer. They hold only words that the list itself knows."""
    decision = attempt.decision
    allowed = decision is not None and decision.allowed
    facts: dict[str, Any] = {
        "action": attempt.action,
        "outcome": outcome_of(error),
        "decision": "allowed" if allowed else "denied",
        "reasons": reason_codes(error, decision),
        "list_version": attempt.view.list.version,
    }
    if attempt.caller is not None:
        facts["caller"] = attempt.caller.id
        facts["proof"] = attempt.caller.proof
        if attempt.caller.credential:
            facts["credential"] = attempt.caller.credential
    if decision is not None and decision.allowed:
        # Of a denied call the fields asked for stay in the body: a caller may have put anything in their place.
        facts["grant"] = grant_of(decision)
        facts["fields"] = list(decision.fields)
        facts["masks"] = masked_words(decision) if attempt.terms is None else attempt.terms.masked
    if attempt.snapshot is not None:
        facts["snapshot"] = str(attempt.snapshot)
    return facts


@dataclass(slots=True)
class KeptTerms:
    """Terms and their *digest*; *kept_on* is the last day on which this process kept them.

    *masked* is what is said of the decision's masks.
    """

    digest: str
    content: bytes
    decision: Decision
    grants: tuple[Grant, ...]
    masked: Mapping[str, str]
    kept_on: date | None = None


@dataclass(slots=True)
class TermsShelf:
    """The terms that this process has met, and which of them it has kept today. Safe for many threads."""

    _known: dict[AccessRequest, KeptTerms] = field(default_factory=dict)
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def terms(self, attempt: Attempt) -> KeptTerms | None:
        """The terms of *attempt*; None where it did not come to a decision."""
        request, decision = attempt.request, attempt.decision
        if request is None or decision is None:
            return None
        known = self._known.get(request)
        if known is not None and known.decision == decision and known.grants == attempt.grants:
            return known
        content = encode_json(
            {
                "access": request_to_plain(request),
                # The grants are frozen as they were: a revocation later must not change what is decided again.
                "grants": [grant_to_plain(grant) for grant in attempt.grants],
                "decision": decision_to_plain(decision),
            }
        )
        found = KeptTerms(sealed(content, TERMS_SALT), content, decision, attempt.grants, masked_words(decision))
        with self._mutex:
            if len(self._known) >= _MAX_TERMS:
                self._known.clear()
            self._known[request] = found
        return found


def with_terms(bodies: BodyStore, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """*body* with the terms that it names, if it names any; None where those are gone.

    Raises:
        AuditError, OSError: they cannot be read.
    """
    if "terms" not in body:
        return body
    terms = bodies.get(str(body["terms"]))
    return None if terms is None else {**terms[1], **body}


def body_of(attempt: Attempt, error: HubError | None, terms: str) -> dict[str, Any]:
    """All that answering again needs, beside its *terms* and what the facts name: list version and snapshot."""
    body: dict[str, Any] = {
        "format": BODY_FORMAT,
        "action": attempt.action,
        "code": attempt.code[:MAX_CODE_CHARS],
        "at": attempt.at.isoformat(),
        "outcome": outcome_of(error),
    }
    if attempt.caller is not None:
        body["caller"] = {"id": attempt.caller.id, "department": attempt.caller.department}
    if attempt.call is not None:
        # It is written out already.
        body["call"] = quickjson.Raw(attempt.asked)
        if attempt.caller is not None and attempt.caller.signed is not None:
            body["signed"] = kept.plain(attempt.caller.signed, attempt.body)
    if terms:
        body["terms"] = terms
    if attempt.call is not None and attempt.call.claims is not None:
        body["matching"] = MATCHING
    if attempt.marks:
        body["marks"] = marks_to_plain(attempt.marks)
    return body
