"""Asking wallets by OpenID for Verifiable Presentations 1.0: the request with its DCQL query, and judging the answer.

`PresentationRequest` → its signed request object → the wallet's ``direct_post`` → `judge`. Queries name kinds and
claims on the first level, and all of them must be answered; claim_sets, credential_sets, trusted_authorities,
transaction data, encrypted answers and the Digital Credentials API are not used. That a request is answered once, and
in the session it was shown in, is the caller's part.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from licence import jose
from licence.credential import Presentation, parse_presentation
from licence.errors import FormatError, WalletCallError
from licence.profile import CREDENTIAL_TYP
from licence.report import Verdict
from licence.verify import verify
from licence.wallet.binding import verify_binding
from licence.wallet.forms import read_form
from licence.wallet.jwt import HOLDER_ALGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from licence.bundle import LicenceBundle
    from licence.credential import Credential
    from licence.keys import SigningKey
    from licence.report import VerificationReport
    from licence.trust import TrustStore

REQUEST_TYP = "oauth-authz-req+jwt"
# §5.8: the audience of a request to a wallet that is not known beforehand.
AUDIENCE = "https://self-issued.me/v2"
MAX_QUERIES = 8
MAX_CLAIMS = 64
MAX_PRESENTATIONS = 8
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# §5.2: characters safe in URLs; 22 of them hold 128 bits.
_FRESH = re.compile(r"[A-Za-z0-9._~-]{22,256}")
_WHAT = "wallet answer"


@dataclass(frozen=True, slots=True)
class ClaimQuery:
    """One claim to be shown; *values*, when not empty, are those that will do."""

    name: str
    values: tuple[str | bool, ...] = ()


@dataclass(frozen=True, slots=True)
class CredentialQuery:
    """One licence to be shown: its type is one of *vct_values*, and *claims* are all it discloses.

    Without *holder_binding* anybody who came by a copy can present it: for public licences only. *multiple*: up to
    eight licences will do.
    """

    id: str
    vct_values: tuple[str, ...]
    claims: tuple[ClaimQuery, ...] = ()
    holder_binding: bool = True
    multiple: bool = False

    def to_dcql(self) -> dict[str, Any]:
        """The Credential Query (§6.1)."""
        query: dict[str, Any] = {
            "id": self.id,
            "format": CREDENTIAL_TYP,
            "meta": {"vct_values": list(self.vct_values)},
        }
        if self.multiple:
            query["multiple"] = True
        if not self.holder_binding:
            query["require_cryptographic_holder_binding"] = False
        if self.claims:
            # An empty array is not allowed: no claims are asked for by leaving the member out.
            query["claims"] = [
                {"path": [c.name], "values": list(c.values)} if c.values else {"path": [c.name]} for c in self.claims
            ]
        return query


@dataclass(frozen=True, slots=True)
class PresentationRequest:
    """What a verifier asks: *nonce* and *state* are fresh for each request and unguessable (128 bits or more).

    *client_id* is the verifier's Client Identifier with its prefix (see `client_id_of`), *response_uri* where the
    answer goes.

    Raises:
        WalletCallError: an argument is not so, or a query is empty or repeated.
    """

    client_id: str
    response_uri: str
    nonce: str
    state: str
    queries: tuple[CredentialQuery, ...]

    def __post_init__(self) -> None:
        if not self.client_id or not self.response_uri.startswith("https://"):
            raise WalletCallError("vp_call_malformed", part="client_id, response_uri")
        if not _FRESH.fullmatch(self.nonce) or not _FRESH.fullmatch(self.state) or self.nonce == self.state:
            raise WalletCallError("vp_call_malformed", part="nonce, state")
        ids = {q.id for q in self.queries}
        if not 0 < len(ids) == len(self.queries) <= MAX_QUERIES or not all(_ID.fullmatch(i) for i in ids):
            raise WalletCallError("vp_call_malformed", part="queries")
        for query in self.queries:
            names = {c.name for c in query.claims}
            if not query.vct_values or len(names) != len(query.claims) or len(names) > MAX_CLAIMS or "" in names:
                raise WalletCallError("vp_call_malformed", part=f"query {query.id}")

    def payload(self) -> dict[str, Any]:
        """The members of the request object (§5, §8.2)."""
        algs = list(HOLDER_ALGS)
        return {
            "aud": AUDIENCE,
            "client_id": self.client_id,
            "response_type": "vp_token",
            "response_mode": "direct_post",
            "response_uri": self.response_uri,
            "nonce": self.nonce,
            "state": self.state,
            "dcql_query": {"credentials": [q.to_dcql() for q in self.queries]},
            "client_metadata": {
                "vp_formats_supported": {CREDENTIAL_TYP: {"sd-jwt_alg_values": algs, "kb-jwt_alg_values": algs}}
            },
        }

    def signed(self, key: SigningKey) -> str:
        """The request object (RFC 9101) signed by *key*, its chain in ``x5c``.

        Raises:
            WalletCallError: *client_id* is not that key's.
        """
        if self.client_id != client_id_of(key):
            raise WalletCallError("vp_call_malformed", part="client_id")
        return jose.sign(key, REQUEST_TYP, self.payload())


@dataclass(frozen=True, slots=True)
class Shown:
    """One licence that was presented for *query*: what verifying it found, and what it says.

    *holder_bound*: its holder's key answered this request. *claims* are those asked for; they count for something only
    if *report* says so.
    """

    query: str
    report: VerificationReport
    holder_bound: bool
    claims: Mapping[str, str | bool]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer to a request: every query answered, by the licences *shown*."""

    shown: tuple[Shown, ...]

    @property
    def verdict(self) -> Verdict:
        """TOTAL-PASSED only when each licence passed; TOTAL-FAILED when one failed."""
        verdicts = {s.report.verdict for s in self.shown}
        if Verdict.FAILED in verdicts:
            return Verdict.FAILED
        return Verdict.PASSED if verdicts == {Verdict.PASSED} else Verdict.INDETERMINATE


def client_id_of(key: SigningKey) -> str:
    """The Client Identifier of prefix ``x509_hash`` (§5.9.3): SHA-256 of the leaf certificate."""
    return "x509_hash:" + jose.b64url(hashlib.sha256(key.chain_der[0]).digest())


def judge(
    request: PresentationRequest,
    body: bytes,
    *,
    trust: TrustStore,
    at: datetime,
    status_tokens: Sequence[str | bytes] = (),
    evidence: Mapping[str, LicenceBundle] | None = None,
    find: Callable[[Credential], LicenceBundle | None] | None = None,
) -> Judgement:
    """Judge the form *body* of a wallet's ``direct_post``, received at *at*, as an answer to *request*.

    A wallet holds no log proofs. *evidence*: bundles by licence identifier that the verifier has, or fetches from the
    issuing city's hub; without one a licence is INDETERMINATE, ``LOG_PROOF_MISSING``. It is not trusted: the log entry
    must hold the digest of the very credential presented. *find* is asked for what *evidence* lacks, with a credential
    of which nothing is verified yet but what `licence.credential.parse` checks, and its holder's key.

    Steps: 1. form and session, 2. queries and presentations, 3. kinds and claims, 4. holder binding, 5. `verify`.
    Presenting more claims or licences than were asked for is refused: what may not be collected is not taken.

    Raises:
        FormatError: steps 1 to 4; ``vp_declined`` when the wallet says it presents nothing.
    """
    # Step 1: form and session.
    token = _vp_token(request, body)
    # Step 2: queries and presentations.
    unasked = sorted(set(token) - {q.id for q in request.queries})
    if unasked:
        raise FormatError("vp_not_asked", query="vp_token")
    shown: list[Shown] = []
    for query in request.queries:
        for text in _presentations(token.get(query.id), query):
            presentation = parse_presentation(text)
            # Step 3: kinds and claims.
            claims = _claims(presentation, query)
            # Step 4: holder binding. Where it may be missing, what is there must still be right.
            if query.holder_binding or presentation.binding is not None:
                verify_binding(presentation, nonce=request.nonce, audience=request.client_id, at=at)
            # Step 5: verify.
            report = verify(_subject(presentation, evidence or {}, find), trust, at, status_tokens)
            shown.append(Shown(query.id, report, presentation.binding is not None, claims))
    return Judgement(tuple(shown))


def _vp_token(request: PresentationRequest, body: bytes) -> dict[str, Any]:
    form = read_form(body, _WHAT)
    if not hmac.compare_digest(form.get("state", "").encode(), request.state.encode()):
        raise FormatError("vp_other_session")
    if "error" in form:
        raise FormatError("vp_declined")
    if "vp_token" not in form:
        raise FormatError("vp_response_malformed", part="vp_token")
    token = jose.strict_json(form["vp_token"], "vp_token")
    if not isinstance(token, dict):
        raise FormatError("vp_response_malformed", part="vp_token")
    return token


def _presentations(listed: object, query: CredentialQuery) -> list[str]:
    if listed is None:
        raise FormatError("vp_not_answered", query=query.id)
    if not isinstance(listed, list) or not listed or not all(isinstance(p, str) for p in listed):
        raise FormatError("vp_response_malformed", part=query.id)
    if len(listed) > (MAX_PRESENTATIONS if query.multiple else 1):
        raise FormatError("vp_not_asked", query=query.id)
    return listed


def _claims(presentation: Presentation, query: CredentialQuery) -> dict[str, str | bool]:
    found = presentation.credential
    if found.vct not in query.vct_values:
        raise FormatError("vp_other_kind", query=query.id)
    claims = dict(found.claims)
    if set(claims) - {c.name for c in query.claims}:
        raise FormatError("vp_not_asked", query=query.id)
    for asked in query.claims:
        if asked.name not in claims:
            raise FormatError("vp_not_answered", query=f"{query.id}: `{asked.name}`")
        # Types count (§6.3): True is not "true".
        if asked.values and not any(
            claims[asked.name] == v and type(claims[asked.name]) is type(v) for v in asked.values
        ):
            raise FormatError("vp_value_differs", query=query.id, claim=asked.name)
    return claims


def _subject(
    presentation: Presentation,
    evidence: Mapping[str, LicenceBundle],
    find: Callable[[Credential], LicenceBundle | None] | None,
) -> LicenceBundle | str:
    found = presentation.credential
    bundle = evidence.get(found.jti)
    if bundle is None and find is not None:
        bundle = find(found)
    if bundle is None:
        return found.compact()
    return replace(bundle, credential=found.compact(), chain=found.jws.chain)
