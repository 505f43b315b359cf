"""Registers the client systems (客户端系统) of departments, and gives and takes the credentials that they show.

A system acts as one caller, whichever credential it shows; a bearer key of it is a row of `hub.callers`. What a request
shows is recognised by `hub.authentication`, what the caller may then see is for its department's grants to say.

Every change leaves an entry in the log. An admission's entry goes first: a crash before the row leaves an entry about a
credential that never opened anything. A revocation's row goes first: the credential is dead even when the log cannot be
written, and a repeat adds the missing entry.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from audit.errors import KeyTextError
from hub import client_records as records
from hub.actors import Actor, Role
from hub.callers import check_caller, issue_key, revoke_key
from hub.client_records import (
    EXPIRED,
    IN_FORCE,
    REVOKED,
    WAITING,
    ClientRecord,
    ClientUnknownError,
    CredentialRecord,
    CredentialUnknownError,
)
from hub.control import Caller, ClientCredential, ClientRow, hold_generation, raise_generation
from hub.credentials import CERTIFICATE, ENVIRONMENTS, HMAC, KEY, PRODUCTION, Sealing
from hub.errors import CallerUnknownError, GrantInvalidError
from hub.identifiers import new_identifier
from hub.signing.algorithms import key_id, public_text
from hub.signing.errors import SignatureWrongError
from hub.signing.keyfiles import check_possession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from hub.callers import IssuedKey
    from hub.office import Office
    from hub.signing.algorithms import PublicKey

OVERLAP = timedelta(days=14)
MAX_OVERLAP = timedelta(days=90)
MAX_IN_FORCE = 20  # credentials of one system: a dozen servers that rotate, with room
SHARED_KEY_BYTES = 32
MIN_SHARED_KEY_BYTES = 16  # what national gateways hand out
CERTIFICATE_ALGORITHM = "x509-sha256"
HMAC_ALGORITHM = "hmac-sha256"


class ClientInvalidError(GrantInvalidError):
    """A system or credential cannot be registered as given."""

    code = "client_invalid"
    en = "Client system `{client}`: {why}."
    zh = "客户端系统 `{client}`：{why_zh}。"


@dataclass(frozen=True, slots=True)
class Term:
    """From when until when a credential holds; None: from now, until it is revoked."""

    not_before: datetime | None = None
    expires: datetime | None = None


ALWAYS = Term()


@dataclass(frozen=True, slots=True)
class Rotation:
    """The credential that a new one takes the place of, and for how long both hold."""

    credential: str
    overlap: timedelta = OVERLAP


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A shared key that was registered, with the id by which requests call it. Show *key* once."""

    credential: str
    rid: str
    key: bytes = field(repr=False)


def register(
    office: Office,
    *,
    department: str,
    name: str,
    contact: str,
    by: Actor,
    environment: str = PRODUCTION,
    roles: Sequence[str] = (Role.CALL,),
    adopts: str = "",
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> ClientRecord:
    """Register a system called *name* of *department*; it opens nothing before a credential is added.

    *contact* is a post of the department. With *adopts*, the identifier of a caller with a key of before, the system
    acts as that caller, and the key goes on as one of the system's.

    Raises:
        GrantInvalidError, ActorInvalidError: the list or the doors know no such thing, or a name is none of a post.
        CallerUnknownError, ClientInvalidError: the caller cannot be adopted.
    """
    check_caller(office.list_, department, name, roles)
    Actor.parse(f"{department}:{contact}")
    if environment not in ENVIRONMENTS:
        known = ", ".join(ENVIRONMENTS)
        _refuse("-", f"there is no environment `{environment}`, use {known}", f"没有环境 `{environment}`，请用 {known}")
    client = new_identifier("S", random)
    given = sorted({str(role) for role in roles})
    facts = {"client": client, "department": department, "name": name, "environment": environment, "roles": given}
    if adopts:
        facts["caller"] = adopts
    with office.control.writing() as connection:
        hold_generation(connection)
        if adopts:
            _check_adoptable(connection, adopts, department)
        recorded = office.evidence.append("client.registered", actor=str(by), facts=facts)
        connection.execute(
            sa.insert(ClientRow).values(
                id=client,
                department=department,
                name=name,
                contact=contact.strip(),
                environment=environment,
                caller=adopts or client,
                roles=given,
                signed_only=False,
                created=recorded.entry.at,
                created_by=str(by),
                log_index=recorded.index,
            )
        )
        if adopts:
            connection.execute(sa.update(Caller).where(Caller.id == adopts).values(client=client))
        raise_generation(connection)
    return records.get(office.control, client)


def add_key(
    office: Office,
    client: str,
    key: PublicKey,
    proof: str,
    *,
    by: Actor,
    term: Term = ALWAYS,
    rotation: Rotation | None = None,
) -> CredentialRecord:
    """Let requests of *client* be signed with *key*; *proof* shows that the system holds its private half.

    Raises:
        ClientUnknownError, CredentialUnknownError, ClientInvalidError
    """
    try:
        check_possession(client, key, proof)
    except (KeyTextError, SignatureWrongError) as error:
        raise ClientInvalidError(
            client=client,
            why="the proof is no signature of this key for this system; make one with `zhengtong clients prove`",
            why_zh="持有证明不是该密钥为该系统所作的签名，请用 `zhengtong clients prove` 生成",
        ) from error
    thumbprint = key_id(key)
    values = {"algorithm": key.algorithm, "handle": thumbprint, "thumbprint": thumbprint, "public": public_text(key)}
    return _add(office, client, KEY, values, by=by, term=term, rotation=rotation)


def add_certificate(
    office: Office, client: str, pem: str, *, by: Actor, rotation: Rotation | None = None
) -> CredentialRecord:
    """Let connections with this certificate (PEM) be those of *client*, for as long as the certificate is valid.

    The handshake itself proves that the system holds its key. Raises: as `add_key`.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise ClientInvalidError(client=client, why="it is no PEM certificate", why_zh="不是 PEM 格式的证书") from error
    der = certificate.public_bytes(Encoding.DER)
    thumbprint = hashlib.sha256(der).hexdigest()
    values = {"algorithm": CERTIFICATE_ALGORITHM, "handle": thumbprint, "thumbprint": thumbprint, "public": ""}
    term = Term(certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    return _add(office, client, CERTIFICATE, values, by=by, term=term, rotation=rotation)


def add_shared_key(
    office: Office,
    client: str,
    *,
    by: Actor,
    rid: str = "",
    key: bytes = b"",
    term: Term = ALWAYS,
    rotation: Rotation | None = None,
) -> SharedKey:
    """Let *client* call as old gateways do (`hub.signing.hmac_profile`) with *key*, or with one that is made now.

    *rid* is the requester's id there; left out, the system's own. Raises: as `add_key`.
    """
    shared = key or secrets.token_hex(SHARED_KEY_BYTES // 2).encode()
    rid = rid or client
    if len(shared) < MIN_SHARED_KEY_BYTES:
        why = f"a shared key has at least {MIN_SHARED_KEY_BYTES} bytes"
        _refuse(client, why, f"共享密钥至少 {MIN_SHARED_KEY_BYTES} 字节")
    if not (rid.isascii() and rid.isprintable() and len(rid) <= 128):  # noqa: PLR2004 - as the profile reads it
        _refuse(
            client,
            "the requester's id is not plain ASCII of at most 128 characters",
            "请求方标识须为 128 字符内的 ASCII",
        )
    sealing = Sealing(office.settings.keys)
    values = {"algorithm": HMAC_ALGORITHM, "handle": rid, "thumbprint": sealing.thumbprint(shared), "public": ""}
    seal: Callable[[str], str] = lambda name: sealing.seal(name, shared)  # noqa: E731 - of what is known here
    added = _add(office, client, HMAC, values, by=by, term=term, rotation=rotation, seal=seal)
    return SharedKey(added.id, rid, shared)


def add_bearer(
    office: Office, client: str, *, by: Actor, term: Term = ALWAYS, rotation: Rotation | None = None
) -> IssuedKey:
    """A bearer key of *client*; see `hub.callers.issue_key`. Raises: as `add_key`."""
    record, now = records.get(office.control, client), office.now()
    _check_term(client, term, now)
    with office.control.reading() as connection:
        _check_open(connection, client)
        _check_room(connection, client, now)
        if rotation is not None:
            _check_rotation(connection, client, rotation, now)
    issued = issue_key(
        office.control,
        office.evidence,
        office.list_,
        department=record.department,
        name=record.name,
        by=str(by),
        roles=record.roles,
        replaces=rotation.credential if rotation else "",
        client=client,
        not_before=term.not_before,
        expires=term.expires,
    )
    if rotation is not None:
        # A crash before this leaves both keys open, which is what overlap means; revoking ends the old one.
        with office.control.writing() as connection:
            _end_after_overlap(connection, rotation, now)
            raise_generation(connection)
    return issued


def revoke_credential(office: Office, credential: str, *, by: Actor) -> int:
    """Refuse *credential* from the next call on; return the log index. Safe to repeat.

    Raises:
        CredentialUnknownError: there is none.
        EvidenceUnavailableError: it is dead, its entry is not written: repeat.
    """
    at = office.now()
    table = ClientCredential
    with office.control.writing() as connection:
        row = connection.execute(
            sa.select(table.client, table.kind, table.thumbprint, table.revoked_at, table.revoked_log_index).where(
                table.id == credential
            )
        ).one_or_none()
        if row is not None and row.revoked_at is None:
            connection.execute(sa.update(table).where(table.id == credential).values(revoked_at=at))
            raise_generation(connection)
    if row is None:
        try:
            return revoke_key(office.control, office.evidence, credential, by=str(by))
        except CallerUnknownError as error:
            raise CredentialUnknownError(credential=credential) from error
    if row.revoked_log_index is not None:
        return int(row.revoked_log_index)
    facts = {"client": row.client, "credential": credential, "kind": row.kind, "thumbprint": row.thumbprint}
    recorded = office.evidence.append("client.key_revoked", actor=str(by), facts=facts)
    with office.control.writing() as connection:
        connection.execute(sa.update(table).where(table.id == credential).values(revoked_log_index=recorded.index))
    return recorded.index


def set_signed_only(office: Office, client: str, *, by: Actor, signed_only: bool) -> ClientRecord:
    """Say whether *client* proves who it is by signatures alone: all else that it shows opens the sandbox then.

    Raises:
        ClientUnknownError
        ClientInvalidError: it has no public key in force, so that nothing would open anything.
    """
    now = office.now()
    with office.control.writing() as connection:
        hold_generation(connection)
        _check_open(connection, client)
        held = records.read_all(connection, client)
        if signed_only and not any(one.kind == KEY and one.state(now) == IN_FORCE for one in held):
            _refuse(client, "it has no public key in force; add one first", "该系统没有有效的公钥，请先登记")
        facts = {"client": client, "signed_only": signed_only}
        office.evidence.append("client.changed", actor=str(by), facts=facts)
        connection.execute(sa.update(ClientRow).where(ClientRow.id == client).values(signed_only=signed_only))
        raise_generation(connection)
    return records.get(office.control, client)


def end(office: Office, client: str, *, by: Actor) -> int:
    """Refuse everything that *client* shows from the next call on; return the log index. Safe to repeat.

    Raises:
        ClientUnknownError: there never was one.
        EvidenceUnavailableError: it is ended, the entry is not written: repeat.
    """
    at = office.now()
    with office.control.writing() as connection:
        row = connection.execute(
            sa.select(ClientRow.department, ClientRow.ended_at, ClientRow.ended_log_index).where(ClientRow.id == client)
        ).one_or_none()
        if row is None:
            raise ClientUnknownError(client=client)
        if row.ended_at is None:
            connection.execute(sa.update(ClientRow).where(ClientRow.id == client).values(ended_at=at))
            raise_generation(connection)
    if row.ended_log_index is not None:
        return int(row.ended_log_index)
    facts = {"client": client, "department": row.department}
    recorded = office.evidence.append("client.ended", actor=str(by), facts=facts)
    with office.control.writing() as connection:
        connection.execute(sa.update(ClientRow).where(ClientRow.id == client).values(ended_log_index=recorded.index))
    return recorded.index


def _add(
    office: Office,
    client: str,
    kind: str,
    values: Mapping[str, Any],
    *,
    by: Actor,
    term: Term,
    rotation: Rotation | None,
    seal: Callable[[str], str] = lambda _: "",
) -> CredentialRecord:
    """Add a credential with the columns *values*; *seal* makes what is kept sealed of its identifier."""
    now, table = office.now(), ClientCredential
    identifier = new_identifier("K")
    not_before = term.not_before or now
    _check_term(client, term, now)
    facts = {"client": client, "credential": identifier, "kind": kind, "algorithm": values["algorithm"]}
    facts |= {"thumbprint": values["thumbprint"], "not_before": not_before.isoformat()}
    if term.expires is not None:
        facts["expires"] = term.expires.isoformat()
    with office.control.writing() as connection:
        # Two who add at once: the second sees what the first has added.
        hold_generation(connection)
        _check_open(connection, client)
        _check_room(connection, client, now)
        _check_new(connection, client, kind, values)
        if rotation is not None:
            _check_rotation(connection, client, rotation, now)
            facts |= {"replaces": rotation.credential, "old_ends": (now + rotation.overlap).isoformat()}
        recorded = office.evidence.append("client.key_added", actor=str(by), facts=facts)
        connection.execute(
            sa.insert(table).values(
                id=identifier,
                client=client,
                kind=kind,
                **values,
                sealed=seal(identifier),
                created=recorded.entry.at,
                not_before=not_before,
                expires=term.expires,
                log_index=recorded.index,
                replaces=rotation.credential if rotation else "",
                last_used="",
            )
        )
        if rotation is not None:
            _end_after_overlap(connection, rotation, now)
        raise_generation(connection)
    return records.credential(office.control, identifier)


def _check_term(client: str, term: Term, now: datetime) -> None:
    if term.expires is not None and term.expires <= max(now, term.not_before or now):
        _refuse(client, "it ends before it begins, or has ended", "有效期已过，或止于起始之前")


def _check_open(connection: Connection, client: str) -> None:
    query = sa.select(ClientRow.id).where(ClientRow.id == client, ClientRow.ended_at.is_(None))
    if connection.execute(query).one_or_none() is None:
        raise ClientUnknownError(client=client)


def _check_room(connection: Connection, client: str, now: datetime) -> None:
    held = sum(one.state(now) in {IN_FORCE, WAITING} for one in records.read_all(connection, client))
    if held >= MAX_IN_FORCE:
        why = f"it has {held} credentials already; revoke those that are not used"
        _refuse(client, why, f"已有 {held} 个凭据，请先吊销不再使用的")


def _check_new(connection: Connection, client: str, kind: str, values: Mapping[str, Any]) -> None:
    """A key that was registered before, for whomever, is not registered again; a requester's id is one system's."""
    table = ClientCredential
    same = sa.select(table.id).where(table.kind == kind, table.thumbprint == values["thumbprint"])
    if connection.execute(same).first() is not None:
        _refuse(
            client, "this key or certificate was registered before; make a new one", "该密钥或证书曾登记过，请另行生成"
        )
    theirs = sa.select(table.id).where(table.kind == kind, table.handle == values["handle"], table.client != client)
    if connection.execute(theirs).first() is not None:
        _refuse(client, "this requester's id is another system's", "该请求方标识属于其他系统")


def _check_rotation(connection: Connection, client: str, rotation: Rotation, now: datetime) -> None:
    if not timedelta() <= rotation.overlap <= MAX_OVERLAP:
        _refuse(client, f"an overlap is of 0 to {MAX_OVERLAP.days} days", f"新旧并用期应为 0 至 {MAX_OVERLAP.days} 天")
    old = next((one for one in records.read_all(connection, client) if one.id == rotation.credential), None)
    if old is None:
        raise CredentialUnknownError(credential=rotation.credential)
    if old.state(now) in {REVOKED, EXPIRED}:
        _refuse(client, f"`{old.id}` holds no longer; add a new one", f"`{old.id}` 已失效，请直接登记新的")


def _end_after_overlap(connection: Connection, rotation: Rotation, now: datetime) -> None:
    ends = now + rotation.overlap
    for table in (ClientCredential, Caller):
        connection.execute(
            sa.update(table)
            .where(table.id == rotation.credential, sa.or_(table.expires.is_(None), table.expires > ends))
            .values(expires=ends)
        )


def _check_adoptable(connection: Connection, caller: str, department: str) -> None:
    query = sa.select(Caller.department, Caller.revoked_at, Caller.client).where(Caller.id == caller)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise CallerUnknownError(caller=caller)
    if row.department != department or row.revoked_at is not None or row.client:
        why = f"`{caller}` is of another department or system, or its key is revoked"
        _refuse("-", why, f"`{caller}` 属于其他部门或系统，或其密钥已吊销")


def _refuse(client: str, why: str, why_zh: str) -> NoReturn:
    raise ClientInvalidError(client=client, why=why, why_zh=why_zh)
