"""Electronic licences (电子证照): issue from the authoritative resource, change their state, publish what holds.

The steps of issuing, by number:

    1. facts: an ordinary, recorded invocation of the authoritative resource by the issuing department
    2. reserve: identifier and status slot, in one control transaction
    3. seal: pure, in `licence.issue`; the sealed licence is kept before anyone hears of it
    4. log: its digest is a durable entry
    5. publish: checkpoint and status list that cover it
    6. hand out: the bundle is written and the row says 有效

A crash between any two leaves a licence that was not handed out; issuing again for the same holder goes on from there.
Formats are `licence`'s; who may call data is `hub.invocation`'s.
"""

from __future__ import annotations

import fcntl
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa

from hub.authority import BASE_URI, KeyStore
from hub.callers import issue_key
from hub.control import Control, LicenceRow, StatusListRow, row_dict
from hub.errors import (
    HolderNotFoundError,
    KindUnknownError,
    LicenceExistsError,
    LicenceUnknownError,
    NoIssuingGrantError,
    SeveralRecordsError,
)
from hub.evidence import Evidence
from hub.files import replace_file
from hub.invocation import Invocation, RefusedError
from hub.keyring import Keyring
from hub.service import answer_signer
from hub.settings import Settings
from hub.standing import Standing
from hub.storing import open_warehouse
from hub.usage import Usage
from licence import lifecycle
from licence.bundle import SUFFIX, LicenceBundle
from licence.credential import digest_of
from licence.identifiers import LicenceIdentifier, mint
from licence.issue import issue, salts_needed
from licence.kinds import load as load_kinds
from licence.lifecycle import Action, Change, Licence, State, status_of
from licence.model import LicenceKind, SealedLicence, StatusRef
from licence.profile import STATUS_ENTRY
from licence.status import StatusList, sign_status_list
from licence.trust import TrustStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from catalog.model import Department, ResponsibilityList

# 2^20 entries of 2 bits are 256 KiB before compression; when a list is full the next one is opened.
STATUS_SLOTS = 2**20
# A list is valid for a day and re-read by verifiers each minute: revocation shows within the minute it is published.
STATUS_VALID = timedelta(days=1)
STATUS_TTL_S = 60
PENDING = "pending"
SEALED, LOCK = ".sealed", ".lock"
SERIAL_DIGITS = 8
SALT_BYTES = 16
CALLER_NAME = "licence office"


@dataclass(frozen=True, slots=True)
class Issued:
    """A licence that may be handed out: its bundle lies at *path*, its log entry is *log_index*."""

    identifier: str
    kind: str
    path: Path
    log_index: int


@dataclass
class Licensing:
    """The licence office of one deployment. Safe for many processes: slots and states change in transactions."""

    settings: Settings
    control: Control
    evidence: Evidence
    keys: KeyStore
    kinds: Mapping[str, LicenceKind]
    standing: Standing
    invocation: Invocation
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    slots: int = STATUS_SLOTS

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the office: kinds of ``var/kinds.yaml``, keys made if there are none, trust published.

        Raises:
            ListMissingError: no responsibility list is published yet.
            CatalogueInvalidError: the catalogue of kinds does not load.
        """
        control, evidence, ring = Control.open(settings), Evidence.open(settings), Keyring(settings.keys)
        standing = Standing(settings, control)
        warehouse = open_warehouse(settings)
        office = cls(
            settings=settings,
            control=control,
            evidence=evidence,
            keys=KeyStore(settings),
            kinds={kind.code: kind for kind in load_kinds(settings.kinds)},
            standing=standing,
            invocation=Invocation(
                standing,
                evidence,
                warehouse,
                Usage(control, evidence.log),
                mask_key=ring.secret("mask"),
                signer=answer_signer(settings, ring),
            ),
        )
        office.prepare(standing.now().list)
        office.refresh()
        return office

    def prepare(self, list_: ResponsibilityList) -> None:
        """Make missing keys and publish what a verifier pins: the root certificate and the log's key."""
        departments = list_.departments_by_code
        issuers = [departments[code] for code in sorted({kind.issuer for kind in self.kinds.values()})]
        self.keys.prepare(issuers, _operator(list_), self.clock())
        TrustStore(anchors=(self.keys.root().certificate,), log_verifiers=(self.evidence.verifier,)).save(
            self.settings.trust
        )

    def kind(self, name: str) -> LicenceKind:
        """The kind with this code or name.

        Raises:
            KindUnknownError: there is none.
        """
        found = self.kinds.get(name) or next((k for k in self.kinds.values() if name in {k.name, k.name_en}), None)
        if found is None:
            raise KindUnknownError(kind=name)
        return found

    # --- issuing -------------------------------------------------------------------------------------------------

    def issue(
        self,
        kind: LicenceKind,
        holder: str,
        *,
        reason: str,
        ground: str,
        by: str,
        record: Mapping[str, str] | None = None,
    ) -> Issued:
        """Issue a licence of *kind* to the holder with identifier *holder* (a citizen id, a USCC …).

        A holder may have several records, a person several houses: *record* then names one by further look-up fields.

        Raises:
            SeveralRecordsError: it does not name one.
            LicenceExistsError: one that holds was issued already, and is named.
            HolderNotFoundError: the authoritative resource knows no such holder.
            NoIssuingGrantError, DeniedError: the issuing department may not read the facts.
            FactsIncompleteError: required fields are empty.
        """
        # What a licence is about: the same again is the same licence.
        keys = {kind.holder_field: holder, **(record or {})}
        facts = self._facts(kind, keys)  # step 1
        identifier = self._reserve(kind, keys, facts, by=by, reason=reason, ground=ground)  # step 2
        with self._alone(identifier):
            return self._complete(kind, facts, identifier, by=by)

    def _complete(
        self, kind: LicenceKind, facts: Mapping[str, Any], identifier: LicenceIdentifier, *, by: str
    ) -> Issued:
        with self.control.reading() as connection:
            row = self._row(connection, str(identifier))
        if row["state"] != PENDING:
            raise LicenceExistsError(identifier=row["identifier"])
        sealed = self._seal(kind, facts, row, identifier)  # step 3
        index = row["log_index"]
        if index is None:
            index = self.evidence.append(  # step 4
                "licence.issued",
                actor=by,
                subject=row["holder_hash"],
                resource=kind.resource,
                facts={**sealed.log_facts(), "list_version": self.standing.now().list.version},
            ).index
            with self.control.writing() as connection:
                _update(connection, row["identifier"], log_index=index, credential_digest=sealed.digest)
        path = self._hand_out(sealed, index)  # steps 5 and 6
        return Issued(sealed.identifier, kind.code, path, index)

    def _facts(self, kind: LicenceKind, keys: Mapping[str, str]) -> Mapping[str, Any]:
        view = self.standing.now()
        now = self.evidence.clock()
        face = set(kind.source_fields)
        # In force, unlimited in rows, and with every field of the face: the first of these, by its identifier.
        grants = [
            g
            for g in view.grants(kind.issuer, kind.resource)
            if g.revoked_at is None
            and g.suspended_at is None
            and g.starts <= now < g.expires
            and not g.rows
            and "query" in g.actions
            and face <= set(g.fields)
        ]
        if not grants:
            raise NoIssuingGrantError(department=kind.issuer, resource=kind.resource)
        # The fields of the list alone are asked for: the least the face needs.
        call = {
            "keys": dict(keys),
            "fields": list(kind.source_fields),
            "grant": grants[0].id,
            "purpose": {"matter": grants[0].purposes[0]},
        }
        body = json.dumps(call, ensure_ascii=False).encode()
        try:
            answer = self.invocation.query(self._caller_key(view.list, kind.issuer), kind.resource, body)
        except RefusedError as refused:
            raise refused.cause from refused
        records = answer.content["records"]
        if not records:
            raise HolderNotFoundError(kind=kind.name, resource=kind.resource)
        if answer.content["masked"]:
            # A licence with a masked face would be worthless, and nobody would notice before a counter does.
            raise NoIssuingGrantError(department=kind.issuer, resource=kind.resource)
        if len(records) > 1:
            further = ", ".join(f.name for f in view.list.by_code[kind.resource].lookup_fields if f.name not in keys)
            raise SeveralRecordsError(resource=kind.resource, records=len(records), further=further or "-")
        record: Mapping[str, Any] = records[0]
        return record

    def _caller_key(self, list_: ResponsibilityList, department: str) -> str:
        def admit() -> bytes:
            issued = issue_key(
                self.control, self.evidence, list_, department=department, name=CALLER_NAME, by="hub:licensing"
            )
            return issued.key.encode()

        return Keyring(self.settings.keys).secret(f"licence-caller-{department}", admit).decode()

    def _reserve(
        self,
        kind: LicenceKind,
        keys: Mapping[str, str],
        facts: Mapping[str, Any],
        *,
        by: str,
        reason: str,
        ground: str,
    ) -> LicenceIdentifier:
        """The identifier of this holder's licence of this kind: pending or in force, or a new, pending one."""
        now = self.clock()
        holder_hash = self.evidence.subject({"kind": kind.code, **keys})
        query = sa.select(LicenceRow.identifier).where(
            LicenceRow.kind == kind.code,
            LicenceRow.holder_hash == holder_hash,
            LicenceRow.state.in_([PENDING, State.VALID.value, State.SUSPENDED.value]),
        )
        with self.control.writing() as connection:
            known = connection.execute(query).scalar()
            if known is not None:
                return LicenceIdentifier.parse(known)
            shard, slot, number = _take_slot(connection, self.slots)
            serial = f"{now.year}{number:0{SERIAL_DIGITS}d}"
            issuer = self.standing.now().list.departments_by_code[kind.issuer]
            identifier = mint(type_code=kind.code, issuer=issuer.uscc, serial=serial)
            first = lifecycle.issue(
                identifier=str(identifier), kind=kind.code, issuer=kind.issuer, at=now, reason=reason, ground=ground
            )
            row = {
                "identifier": str(identifier),
                "kind": kind.code,
                "holder_hash": holder_hash,
                "resource": kind.resource,
                "status_list": str(shard),
                "status_index": slot,
                "state": PENDING,
                # Whole seconds: what is sealed and what is stored must be the same instant.
                "issued_at": now.replace(microsecond=0),
                "valid_until": kind.ends_at(now.replace(microsecond=0), facts),
                "credential_digest": "",
                "log_index": None,
                "bundle_path": None,
                "history": [_change_plain(change, officer=by) for change in first.history],
            }
            connection.execute(sa.insert(LicenceRow).values(**row))
        return identifier

    @contextmanager
    def _alone(self, identifier: LicenceIdentifier) -> Iterator[None]:
        """One process at a time completes a licence: two would seal it twice, with different salts."""
        self.settings.licences.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(str(identifier), LOCK)
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _seal(
        self, kind: LicenceKind, facts: Mapping[str, Any], row: Mapping[str, Any], identifier: LicenceIdentifier
    ) -> SealedLicence:
        reference = StatusRef(status_uri(row["status_list"]), row["status_index"])
        draft = self._path(row["identifier"], SEALED)
        try:
            # A licence that was sealed before a crash is not sealed again: its entry may be in the log already.
            credential = draft.read_text(encoding="utf-8")
        except FileNotFoundError:
            random = self.evidence.draw_salt
            sealed = issue(
                kind,
                facts,
                identifier=identifier,
                issued_at=row["issued_at"],
                valid_until=row["valid_until"],
                key=self.keys.department(kind.issuer),
                status_ref=reference,
                salts=[random()[:SALT_BYTES] for _ in range(salts_needed(kind))],
            )
            replace_file(draft, sealed.credential.encode(), mode=0o600)
            return sealed
        digest = digest_of(credential.partition("~")[0])
        return SealedLicence(credential, row["identifier"], digest, kind.code, reference)

    def _hand_out(self, sealed: SealedLicence, index: int) -> Path:
        token, status_index = self.publish_status(sealed.status_ref.uri.rpartition("/")[2])
        self.evidence.publish_through(max(index, status_index))
        log = self.evidence.log
        bundle = LicenceBundle(
            identifier=sealed.identifier,
            credential=sealed.credential,
            chain=tuple(self.keys.department(self.kinds[sealed.kind].issuer).chain_der),
            entry=log.entry(index),
            proof=log.prove(index).to_text(),
            status_token=token,
            status_entry=log.entry(status_index),
            status_proof=log.prove(status_index).to_text(),
        )
        path = self._path(sealed.identifier)
        replace_file(path, bundle.to_json().encode(), mode=0o600)
        with self.control.writing() as connection:
            _update(connection, sealed.identifier, state=State.VALID.value, bundle_path=str(path))
        self._path(sealed.identifier, SEALED).unlink(missing_ok=True)
        return path

    def _path(self, identifier: str, suffix: str = SUFFIX) -> Path:
        return self.settings.licences / f"{identifier}{suffix}"

    # --- states --------------------------------------------------------------------------------------------------

    def change(self, identifier: str, action: Action, *, by: str, reason: str, ground: str, officer: str) -> State:
        """Move a licence to another state and publish the status list that says so; returns the new state.

        *by* is the department that acts, *officer* the role that decided.

        Raises:
            LicenceUnknownError: no licence has this identifier.
            LifecycleError: the state, the department or a missing ground does not allow it.
        """
        with self.control.writing() as connection:
            row = self._row(connection, identifier)
            licence = lifecycle.change(
                _licence(row, self.kinds), action, by=by, at=self.clock(), reason=reason, ground=ground
            )
            # The entry goes first, inside the transaction: a crash after it leaves an entry of a change that the
            # officer was not told of; doing it again adds a second one.
            self.evidence.append(
                "licence.status",
                actor=f"{by}:{officer}",
                subject=row["holder_hash"],
                resource=row["resource"],
                facts={"licence": identifier, "action": action.value, "state": licence.state.value},
            )
            # The published list no longer tells the truth; should we end here, `refresh` sees it.
            _unpublish(connection, row["status_list"])
            history = [*row["history"], _change_plain(licence.history[-1], officer=officer)]
            _update(connection, identifier, state=licence.state.value, history=history)
        self.publish_status(row["status_list"])
        return licence.state

    def refresh(self) -> list[str]:
        """Publish every status list that a change was made to since, or that is past half its validity; their names."""
        due = self.clock() + STATUS_VALID / 2
        with self.control.reading() as connection:
            rows = connection.execute(sa.select(StatusListRow.__table__)).all()
        stale = [row.name for row in rows if row.token_digest is None or row.valid_until < due]
        for name in stale:
            self.publish_status(name)
        return stale

    def publish_status(self, name: str) -> tuple[str, int]:
        """Sign and publish status list *name* as its licences stand; returns the token and its log entry's index.

        The entry goes before the file: no verifier ever sees a list that is not in the log.
        """
        now = self.clock()
        with self.control.writing() as connection:
            size = connection.execute(sa.select(StatusListRow.size).where(StatusListRow.name == name)).scalar_one()
            query = sa.select(LicenceRow.status_index, LicenceRow.state).where(LicenceRow.status_list == name)
            states = {
                row.status_index: int(status_of(State(row.state)))
                for row in connection.execute(query)
                if row.state not in {PENDING, State.VALID.value}
            }
            token = sign_status_list(
                StatusList.build(size, states),
                key=self.keys.status(),
                uri=status_uri(name),
                issued_at=now,
                expires_at=now + STATUS_VALID,
                ttl_s=STATUS_TTL_S,
            )
            digest = digest_of(token)
            recorded = self.evidence.append(
                STATUS_ENTRY, actor="hub:licensing", facts={"uri": status_uri(name), "token": digest}
            )
            connection.execute(
                sa.update(StatusListRow)
                .where(StatusListRow.name == name)
                .values(published_at=now, valid_until=now + STATUS_VALID, token_digest=digest, log_index=recorded.index)
            )
            replace_file(self.settings.status / f"{name}.jwt", token.encode())
        self.evidence.publish_through(recorded.index)
        return token, recorded.index

    def _row(self, connection: Connection, identifier: str) -> dict[str, Any]:
        query = sa.select(LicenceRow.__table__).where(LicenceRow.identifier == identifier)
        row = connection.execute(query).first()
        if row is None:
            raise LicenceUnknownError(identifier=identifier)
        return row_dict(row)

    def show(self, identifier: str) -> dict[str, Any]:
        """What the office keeps of a licence: kind, states, times, entry; nothing of its holder.

        Raises:
            LicenceUnknownError: no licence has this identifier.
        """
        with self.control.reading() as connection:
            row = self._row(connection, identifier)
        return {name: value for name, value in row.items() if name != "holder_hash"}


def status_uri(name: str) -> str:
    """The URI that licences name for their status list; an address, not necessarily a reachable one."""
    return f"{BASE_URI}/status/{name}"


def _operator(list_: ResponsibilityList) -> Department:
    """The department that runs the hub: by convention of the list, its first."""
    return list_.departments[0]


def _take_slot(connection: Connection, slots: int) -> tuple[int, int, int]:
    """A free slot: the number of its status list, from 1, its index in it, and how many slots have been given with it.

    Slots are never given twice, so the last of these is a running number.
    """
    lists = {int(row.name): int(row.next_index) for row in connection.execute(sa.select(StatusListRow.__table__))}
    shard = max(lists, default=1)
    slot = lists.get(shard, 0)
    if slot >= slots:
        shard, slot = shard + 1, 0
    if shard in lists:
        connection.execute(sa.update(StatusListRow).where(StatusListRow.name == str(shard)).values(next_index=slot + 1))
    else:
        connection.execute(
            sa.insert(StatusListRow).values(name=str(shard), issuer="hub", size=slots, next_index=slot + 1)
        )
    return shard, slot, sum(lists.values()) + 1


def _unpublish(connection: Connection, name: str) -> None:
    connection.execute(sa.update(StatusListRow).where(StatusListRow.name == name).values(token_digest=None))


def refresh_status_lists() -> None:
    """Publish what is stale, as an Airflow task: opening the office does it."""
    Licensing.open(Settings.from_environment())


def _update(connection: Connection, identifier: str, **values: Any) -> None:  # noqa: ANN401 - column values
    connection.execute(sa.update(LicenceRow).where(LicenceRow.identifier == identifier).values(**values))


def _change_plain(change: Change, *, officer: str) -> dict[str, str]:
    return {
        "action": change.action,
        "state": change.state.value,
        "by": change.by,
        "officer": officer,
        "at": change.at.isoformat(),
        "reason": change.reason,
        "ground": change.ground,
    }


def _licence(row: Mapping[str, Any], kinds: Mapping[str, LicenceKind]) -> Licence:
    history = tuple(
        Change(h["action"], State(h["state"]), h["by"], datetime.fromisoformat(h["at"]), h["reason"], h["ground"])
        for h in row["history"]
    )
    return Licence(row["identifier"], row["kind"], kinds[row["kind"]].issuer, history)
