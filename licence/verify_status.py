"""Step 7 of `licence.verify`: what the newest status list at hand says of a licence, and whether that is fresh enough.

Lists come with the bundle or are handed in. Which of the past counts is `licence.past`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from licence import chain, credential, status
from licence.errors import FormatError
from licence.profile import STATUS_SIGNING
from licence.report import Note, Outcome
from licence.status import Status
from licence.status.authentic import SIGNER_UNKNOWN, with_signer
from licence.steps import SKEW, Finding, iso_of, open_question, params_of, time_of
from licence.trust import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from licence.bundle import LicenceBundle
    from licence.trust import TrustStore

# The status lists of a city's departments; a list of a million licences takes 250 KB expanded.
STATUS_CACHE = 16


def check_status(
    bundle: LicenceBundle | None,
    found: credential.Credential,
    trust: TrustStore,
    at: datetime,
    *,
    offered: Sequence[tuple[str, str | bytes]],
    notes: list[Note],
    facts: dict[str, Any],
    certificates: Sequence[bytes] = (),
) -> Finding:
    """Step 7: what the newest usable of the bundle's token and those *offered*, by source, says of *found* at *at*.

    Adds to *notes* why a token was passed over, and to *facts* what the list says. *certificates* (DER) and those of
    the other tokens and of the licence help a CWT that came without its signer's.
    """
    inside = [("bundle", bundle.status_token)] if bundle is not None and bundle.status_token is not None else []
    usable: list[tuple[status.StatusToken, int | None]] = []
    known: tuple[bytes, ...] | None = None
    unknown: FormatError | None = None
    for source, text in [*inside, *offered]:
        # Only a CWT may come without its signer's certificates.
        if isinstance(text, bytes) and known is None:
            brought = _chains(token for _, token in [*inside, *offered])
            known = tuple(dict.fromkeys((*certificates, *trust.certificates, *found.jws.chain, *brought)))
        helpers = known if isinstance(text, bytes) and known is not None else ()
        try:
            token, states = _authentic_status(text, trust.anchors_der, trust.suites, trust.status_signers, helpers)
        except FormatError as fault:
            if fault.code == SIGNER_UNKNOWN and fault.finding_params["uri"] == found.status.uri:
                unknown = fault
            params = {"claim": "", **fault.finding_params, "source": source, "why": fault.code}
            notes.append(Note("status_token_ignored", params_of(**params)))
            continue
        if token.uri != found.status.uri:
            continue  # Another list: callers hand over all they have.
        if time_of(token.issued_at) > at + SKEW:
            notes.append(Note("status_token_newer", params_of(source=source, as_of=iso_of(token.issued_at))))
            continue
        usable.append((token, states.value(found.status.idx)))
    if not usable and unknown is not None:
        return open_question(unknown.code, unknown.sub_indication, notes, **unknown.finding_params)
    if not usable:
        return open_question("status_missing", "TRY_LATER", notes, uri=found.status.uri)
    # The newest decides; of two of the same second, the one that speaks against the licence.
    token, value = max(usable, key=lambda u: (u[0].issued_at, u[1] != Status.VALID))
    as_of = iso_of(token.issued_at)
    facts["status"] = {"value": value, "as_of": as_of, "until": iso_of(token.expires_at)}
    return _judge_status(token, value, found, at, notes)


def _judge_status(
    token: status.StatusToken, value: int | None, found: credential.Credential, at: datetime, notes: Sequence[Note]
) -> Finding:
    as_of, until = iso_of(token.issued_at), iso_of(token.expires_at)
    if value is None:
        return open_question("status_index_outside", "TRY_LATER", notes, idx=found.status.idx)
    if value == Status.INVALID:
        # Irreversible by the draft (§7.1): a list that is too old for anything else still shows it.
        return Finding(Outcome.FAILED, "status_revoked", params_of(as_of=as_of), "REVOKED", tuple(notes))
    if at >= time_of(token.expires_at):
        return open_question("status_too_old", "TRY_LATER", notes, as_of=as_of, until=until, uri=found.status.uri)
    if value == Status.SUSPENDED:
        return Finding(Outcome.FAILED, "status_suspended", params_of(as_of=as_of), "SUSPENDED", tuple(notes))
    if value != Status.VALID:
        return open_question("status_unknown", "TRY_LATER", notes, value=value)
    return Finding(Outcome.PASSED, "status_ok", params_of(as_of=as_of), "", tuple(notes))


@lru_cache(maxsize=STATUS_CACHE)
def _authentic_status(
    text: str | bytes,
    anchors: frozenset[bytes],
    suites: frozenset[str],
    signers: frozenset[str],
    certificates: tuple[bytes, ...],
) -> tuple[status.StatusToken, status.StatusList]:
    """The token and its list, once signed by whom trust allows; a pure function, hence the cache.

    Raises:
        FormatError: malformed, altered, or signed by someone else.
    """
    token = with_signer(status.parse_status_token(text), certificates, anchors, suites)
    path = chain.validate(token.chain, anchors, suites)
    token.verify(chain.public_key(path.leaf), suites)
    if STATUS_SIGNING not in path.purposes:
        raise FormatError("status_signer_purpose")
    if signers and fingerprint(path.leaf) not in signers:
        raise FormatError("status_signer_not_pinned")
    if not path.starts <= time_of(token.issued_at) <= path.ends:
        raise FormatError("status_signer_out_of_time")
    # Expanded only now: a stranger's compressed data is never unpacked.
    return token, token.states()


def _chains(tokens: Iterable[str | bytes]) -> Iterator[bytes]:
    """The certificates that came with *tokens*, whatever these are worth."""
    for text in tokens:
        try:
            yield from status.parse_status_token(text).chain
        except FormatError:
            continue
