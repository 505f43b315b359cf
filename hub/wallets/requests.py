"""Asks a person's wallet for licences on behalf of a department, and judges what it presents (OpenID4VP).

The steps, by number:

    1. a department's system names its matter, the kinds of licence and the fields; more than it needs is refused
    2. the person's wallet fetches the signed request, and the person agrees
    3. the wallet posts its presentation; `licence.wallet.vp` judges it once: kinds and fields, key, licence, status
    4. who asked, for what matter, and which fields were shown becomes a log entry, in the person's name; no values
    5. the department fetches the verdict and the fields, once; then they are gone

What was asked and found is kept for minutes, encrypted by a key that takes the request's number to make, of which the
table holds a digest alone.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlencode

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.control import LicenceRow, StatusListRow, WalletRequestRow
from hub.licensing.statuses import status_uri
from hub.wallets import rules
from hub.wallets.errors import AskKindError, WalletRequestUnknownError
from hub.wallets.store import bound_entry
from licence.bundle import LicenceBundle
from licence.errors import FormatError
from licence.jose import b64url
from licence.profile import VCT_PREFIX
from licence.trust import TrustStore
from licence.wallet import vp
from licence.wallet.vp import ClaimQuery, CredentialQuery, PresentationRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from catalog.model import ResponsibilityList
    from hub.actors import Actor
    from hub.control import Control
    from hub.evidence import Evidence
    from hub.settings import Settings
    from licence.credential import Credential
    from licence.keys import SigningKey
    from licence.model import LicenceKind
    from licence.wallet.vp import Judgement, Shown

USED_ENTRY: Final = "licence.presented"
# A person finds the telephone, reads what is asked and agrees; and a window's screen shows the answer.
WAITS: Final = timedelta(minutes=5)
KEPT: Final = timedelta(minutes=5)
# Answers that are none: a wallet tries again, whoever saw the code on the screen does not go on for ever.
MAX_TRIES: Final = 5
ID_BYTES: Final = 24
FRESH_BYTES: Final = 32
MAX_LICENCES: Final = vp.MAX_QUERIES
WAITING, JUDGING, JUDGED, DECLINED = "waiting", "judging", "judged", "declined"
_ASKED, _FOUND = b"asked", b"found"
_GCM_NONCE_BYTES: Final = 12


class DocumentKeys(Protocol):
    """The keys by which departments sign what they write; see `hub.authority.KeyStore`."""

    def documents(self, code: str) -> SigningKey:
        """The department's, P-256; made on first asking."""


class Office(Protocol):
    """What is used of the licence office; see `hub.licensing.Licensing`."""

    @property
    def settings(self) -> Settings:
        """Where things lie."""

    @property
    def control(self) -> Control:
        """The control database."""

    @property
    def evidence(self) -> Evidence:
        """The log."""

    @property
    def keys(self) -> DocumentKeys:
        """The keys."""

    @property
    def kinds(self) -> Mapping[str, LicenceKind]:
        """The city's kinds by code."""

    @property
    def clock(self) -> Callable[[], datetime]:
        """The clock of the office."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One licence that is asked for: its kind's code, and the claims it is to show."""

    kind: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that waits: *id* is the department's handle, *link* opens a wallet and is the text of the QR code."""

    id: str
    link: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class WalletRequests:
    """Asking wallets. *base* is the https address by which wallets reach the hub; *key* encrypts what is kept.

    Safe for many threads and processes: a request is judged once and its result given once.
    """

    office: Office
    base: str
    key: bytes
    random: Callable[[int], bytes] = secrets.token_bytes

    def ask(
        self, list_: ResponsibilityList, wanted: Sequence[Wanted], *, matter: str, by: Actor, case: str = ""
    ) -> Asked:
        """Make a request for *wanted* (step 1).

        Raises:
            AskMatterError, AskKindError, AskFieldsError: more is asked for than the matter needs.
        """
        purpose = rules.matter_of(list_, matter, by.department)
        queries = []
        for number, one in enumerate(wanted, 1):
            kind = self.office.kinds.get(one.kind)
            if kind is None:
                raise AskKindError(matter=matter, kind=one.kind[:40])
            claims = rules.claims_for(list_, purpose, kind, one.fields)
            queries.append(CredentialQuery(f"licence-{number}", (VCT_PREFIX + kind.code,), claims))
        now = self.office.clock()
        id_, expires_at = _text(self.random(ID_BYTES)), now + WAITS
        signer = self.office.keys.documents(by.department)
        request = PresentationRequest(
            client_id=vp.client_id_of(signer),
            response_uri=f"{self.base}/wallet/responses/{id_}",
            nonce=_text(self.random(FRESH_BYTES)),
            state=_text(self.random(FRESH_BYTES)),
            queries=tuple(queries),
        )
        # Signed here and now: a key that follows tomorrow has another certificate, and the wallet answers this one.
        kept = {
            "client_id": request.client_id,
            "response_uri": request.response_uri,
            "nonce": request.nonce,
            "state": request.state,
            "wanted": [[one.kind, list(one.fields)] for one in wanted],
            "object": request.signed(signer),
            "matter": matter,
            "case": case,
            "actor": str(by),
        }
        with self.office.control.writing() as connection:
            connection.execute(sa.delete(WalletRequestRow).where(WalletRequestRow.expires_at < now))
            connection.execute(
                sa.insert(WalletRequestRow).values(
                    digest=self._digest(id_),
                    department=by.department,
                    state=WAITING,
                    expires_at=expires_at,
                    tries=0,
                    asked=self._closed(id_, _ASKED, kept),
                    found=None,
                )
            )
        where = {"client_id": request.client_id, "request_uri": f"{self.base}/wallet/requests/{id_}"}
        return Asked(id_, "openid4vp://?" + urlencode(where), expires_at)

    def request_object(self, id_: str) -> str:
        """The signed request, for the wallet (step 2).

        Raises:
            WalletRequestUnknownError: there is none that waits.
        """
        row = self._row(id_)
        if row.state != WAITING:
            raise WalletRequestUnknownError(case=id_[:64])
        return str(self._opened(id_, _ASKED, row.asked)["object"])

    def answer(self, id_: str, body: bytes) -> None:
        """Take the wallet's ``direct_post`` (steps 3 and 4).

        Raises:
            WalletRequestUnknownError: no request waits for it.
            FormatError: it is no answer to this request, and another may follow; ``vp_declined``: the person said no.
        """
        row = self._row(id_)
        if not self._move(id_, WAITING, JUDGING):
            raise WalletRequestUnknownError(case=id_[:64])
        asked = self._opened(id_, _ASKED, row.asked)
        now = self.office.clock()
        try:
            judgement = vp.judge(
                _request(asked),
                body,
                trust=TrustStore.load(self.office.settings.trust),
                at=now,
                status_tokens=self._status_tokens(),
                find=self._evidence,
            )
        except FormatError as fault:
            ended = fault.code == "vp_declined" or row.tries + 1 >= MAX_TRIES
            self._move(id_, JUDGING, DECLINED if ended else WAITING, tries=row.tries + 1)
            raise
        with self.office.control.writing() as connection:
            # The entries go before the result: nobody sees a field of which the log does not say that it was shown.
            entries = [self._log(connection, asked, shown) for shown in judgement.shown]
            connection.execute(
                sa.update(WalletRequestRow)
                .where(WalletRequestRow.digest == self._digest(id_))
                .values(
                    state=JUDGED,
                    expires_at=now + KEPT,
                    found=self._closed(id_, _FOUND, _plain(judgement, entries, now)),
                )
            )

    def collect(self, id_: str, department: str) -> dict[str, Any]:
        """What came of the department's request: its state, and once, when it is judged, the verdict (step 5).

        Raises:
            WalletRequestUnknownError: it is not the department's, or has ended, or was collected already.
        """
        row = self._row(id_)
        # The same answer as to a number that there is not: another department learns nothing.
        if not secrets.compare_digest(row.department.encode(), department.encode()):
            raise WalletRequestUnknownError(case=id_[:64])
        if row.state in {WAITING, JUDGING}:
            return {"state": WAITING, "licences": []}
        gone = (
            sa.delete(WalletRequestRow)
            .where(WalletRequestRow.digest == self._digest(id_), WalletRequestRow.state == row.state)
            .returning(WalletRequestRow.digest)
        )
        with self.office.control.writing() as connection:
            if connection.execute(gone).first() is None:
                raise WalletRequestUnknownError(case=id_[:64])
        if row.found is None:
            return {"state": DECLINED, "licences": []}
        return {"state": JUDGED, **self._opened(id_, _FOUND, row.found)}

    def _log(self, connection: sa.Connection, asked: Mapping[str, Any], shown: Shown) -> int:
        found = shown.report.licence
        # A licence that is not proved to be one is not written into anybody's record.
        query = sa.select(LicenceRow.holder_hash, LicenceRow.resource).where(
            LicenceRow.identifier == str(found.get("identifier", ""))
        )
        row = connection.execute(query).first()
        facts = {"fields": sorted(shown.claims), "verdict": shown.report.verdict.value, "kind": found.get("kind", "")}
        if row is not None:
            facts["licence"] = found["identifier"]
        recorded = self.office.evidence.append(
            USED_ENTRY,
            actor=asked["actor"],
            subject="" if row is None else row.holder_hash,
            resource="" if row is None else row.resource,
            purpose=asked["matter"],
            facts=facts,
            body={"case": asked["case"]} if asked["case"] else None,
        )
        return recorded.index

    def _evidence(self, found: Credential) -> LicenceBundle | None:
        """The proof that a wallet's credential is in our log, by its digest."""
        known = bound_entry(self.office.control, found.digest)
        if known is None:
            return None
        identifier, index = known
        self.office.evidence.publish_through(index)
        log = self.office.evidence.log
        return LicenceBundle(
            identifier=identifier,
            credential=found.compact(),
            chain=found.jws.chain,
            entry=log.entry(index),
            proof=log.prove(index).to_text(),
        )

    def _status_tokens(self) -> list[str]:
        """The newest token of every list; lists are few, and each is read by what the licence names."""
        with self.office.control.reading() as connection:
            names = connection.execute(sa.select(StatusListRow.name)).scalars().all()
        found = []
        for name in names:
            path = self.office.settings.status / f"{status_uri(name).rpartition('/')[2]}.jwt"
            if path.is_file():
                found.append(path.read_text("ascii"))
        return found

    def _row(self, id_: str) -> Any:  # noqa: ANN401 - a row
        query = sa.select(WalletRequestRow.__table__).where(WalletRequestRow.digest == self._digest(id_))
        with self.office.control.reading() as connection:
            row = connection.execute(query).first()
        if row is None or row.expires_at <= self.office.clock():
            raise WalletRequestUnknownError(case=id_[:64])
        return row

    def _move(self, id_: str, before: str, after: str, **values: int) -> bool:
        moved = (
            sa.update(WalletRequestRow)
            .where(WalletRequestRow.digest == self._digest(id_), WalletRequestRow.state == before)
            .values(state=after, **values)
            .returning(WalletRequestRow.digest)
        )
        with self.office.control.writing() as connection:
            return connection.execute(moved).first() is not None

    def _digest(self, id_: str) -> str:
        return hmac.digest(self.key, b"number:" + id_.encode("utf-8", "surrogatepass"), "sha256").hex()

    def _cipher(self, id_: str) -> AESGCM:
        return AESGCM(hmac.digest(self.key, b"content:" + id_.encode("utf-8", "surrogatepass"), "sha256"))

    def _closed(self, id_: str, part: bytes, plain: Mapping[str, Any]) -> bytes:
        nonce = self.random(_GCM_NONCE_BYTES)
        return nonce + self._cipher(id_).encrypt(nonce, json.dumps(plain, ensure_ascii=False).encode(), part)

    def _opened(self, id_: str, part: bytes, sealed: bytes) -> dict[str, Any]:
        data = self._cipher(id_).decrypt(sealed[:_GCM_NONCE_BYTES], sealed[_GCM_NONCE_BYTES:], part)
        plain: dict[str, Any] = json.loads(data)
        return plain


def _request(asked: Mapping[str, Any]) -> PresentationRequest:
    queries = tuple(
        CredentialQuery(f"licence-{number}", (VCT_PREFIX + kind,), tuple(ClaimQuery(name) for name in fields))
        for number, (kind, fields) in enumerate(asked["wanted"], 1)
    )
    return PresentationRequest(
        asked["client_id"], asked["response_uri"], nonce=asked["nonce"], state=asked["state"], queries=queries
    )


def _plain(judgement: Judgement, entries: Sequence[int], now: datetime) -> dict[str, Any]:
    return {
        "verdict": judgement.verdict.value,
        "answered_at": now.isoformat(),
        "licences": [
            {
                "query": shown.query,
                "verdict": shown.report.verdict.value,
                "sub_indication": shown.report.sub_indication,
                "identifier": str(shown.report.licence.get("identifier", "")),
                "holder_bound": shown.holder_bound,
                # What nobody we trust has signed is not shown to anybody as if it had been.
                "fields": dict(shown.claims) if shown.report.licence else {},
                "steps": shown.report.plain_steps(),
                "entry": entry,
            }
            for shown, entry in zip(judgement.shown, entries, strict=True)
        ],
    }


def _text(data: bytes) -> str:
    return b64url(data)
