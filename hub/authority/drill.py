"""A key is no longer its owner's alone (密钥泄露): what it signed since, revoking it, and issuing anew what it signed.

Issuing itself is `hub.licensing`'s.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

import sqlalchemy as sa

from audit.entry import Entry
from hub.authority import register
from hub.authority.changes import resolve, rotate
from hub.authority.errors import KeyStepRefusedError
from hub.authority.making import BACKDATE
from hub.authority.names import CUSTODIAN, DOCUMENTS, department_of
from hub.authority.revocations import Order, revoke
from hub.control import LicenceRow, SealRow, SealUseRow
from hub.errors import HubError, SetupError, TryAgainError
from licence.authority import Role
from licence.crl import Reason
from licence.errors import KeyFileError, LicenceError, SignerError, Sm2UnavailableError
from licence.lifecycle import State
from licence.profile import LICENCE_ENTRY, STATUS_ENTRY
from licence.seals.algorithms import sm3
from licence.seals.structure import parse_seal

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.authority.register import Kept
    from hub.authority.store import KeyStore
    from hub.control import Control
    from hub.evidence import Evidence
    from licence.keys import SigningKey

# Entries of the log that are read at once.
ENTRIES_PER_READ: Final = 4096
COMPROMISED: Final = "keys.compromised"
SEAL_MADE: Final = "seal.made"
# What a reissue may be refused with, licence by licence. What the next licence would meet as well ends the run: who
# signs or where something is kept is not there, and each try would be one more reading of somebody's record.
_LEFT: Final = (HubError, LicenceError)
_ENDS: Final = (TryAgainError, SetupError, SignerError, KeyFileError, Sm2UnavailableError)


@dataclass(frozen=True, slots=True)
class Signed:
    """What keys signed since a time: *licences* of the store, *unknown* ones that only the log has, *status_lists*.

    *seals* that the maker's key made, *uses* of seals that a custodian's key or, on PDF, a document key signed.

    *licences* are in order of their identifiers; *holding* are those of them that hold.
    """

    keys: tuple[Kept, ...]
    licences: tuple[str, ...]
    holding: tuple[str, ...]
    unknown: tuple[str, ...]
    status_lists: tuple[int, ...]
    seals: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reissued:
    """What a run did: old and new identifiers, and what could not be issued anew with the reason's code."""

    done: tuple[tuple[str, str], ...]
    left: tuple[tuple[str, str], ...]


class Office(Protocol):
    """The part of the licence office that issues the next version of a licence."""

    control: Control

    def renew(
        self, identifier: str, *, reason: str, ground: str, by: str, second: str = "", ex_officio: bool = False
    ) -> Any:  # noqa: ANN401 - hub.licensing's Issued
        """The next version; the last one lapses with it. *ex_officio*: nobody applied for it."""


def signed_since(store: KeyStore, evidence: Evidence, name: str, since: datetime) -> Signed:
    """What the keys of *name* that are or were in use signed since *since*: by the rows, and by the log.

    Raises:
        CertificateUnknownError: there is no key of this name.
    """
    whose = resolve(store, name)
    keys = tuple(k for k in store.kept() if k.name == whose and k.ends > since)
    ids = [k.key_id for k in keys]
    query = sa.select(LicenceRow.identifier, LicenceRow.state).where(
        LicenceRow.key_id.in_(ids), LicenceRow.issued_at >= since.replace(microsecond=0)
    )
    with store.control.reading() as connection:
        rows = {row.identifier: row.state for row in connection.execute(query)}
        everything = set(connection.execute(sa.select(LicenceRow.identifier)).scalars())
    issuers = {_code(k) for k in keys if k.role == Role.LICENCES}
    unknown, lists, seals = [], [], []
    for index, entry in _entries(evidence, since):
        licence = entry.facts.get("licence")
        if entry.kind == LICENCE_ENTRY and isinstance(licence, str) and licence not in everything:
            # Anybody with the key can sign; only the hub writes to the log, so this is a row that was lost.
            unknown += [licence] * (_issuer_of(licence) in issuers)
        elif entry.kind == STATUS_ENTRY and any(k.role == Role.STATUS for k in keys):
            lists.append(index)
        elif entry.kind == SEAL_MADE and any(k.role == Role.SEAL_MAKING for k in keys):
            seals.append(str(entry.facts.get("seal", "")))
    holding = sorted(i for i, state in rows.items() if state in {State.VALID.value, State.SUSPENDED.value})
    return Signed(
        keys,
        tuple(sorted(rows)),
        tuple(holding),
        tuple(unknown),
        tuple(lists),
        tuple(seals),
        _uses(store, whose, since),
    )


def compromised(
    store: KeyStore,
    evidence: Evidence,
    name: str,
    *,
    since: datetime,
    ground: str,
    by: str,
    second: str,
    root: SigningKey | None = None,
) -> tuple[tuple[Kept, ...], Kept]:
    """Revoke the key that signs for *name* as of *since* and make the next; those revoked, and the new one.

    Safe to repeat: what is revoked stays so, and a key made after it is not replaced again.

    Raises: as `revoke` and `rotate`.
    """
    whose = resolve(store, name)
    order = Order(Reason.KEY_COMPROMISE, ground, by, second, since)
    order.check()
    now = store.clock()
    named = [k for k in store.kept() if k.name == whose]
    # Every key that was there at the time, one that was only planned, too: it lay on the same machine.
    hit = [k for k in named if k.revoked_at is None and k.starts + BACKDATE <= since < k.ends]
    if not hit and not any(k.revoked_for == Reason.KEY_COMPROMISE.value for k in named):
        raise KeyStepRefusedError(
            why_en=f"No key of `{whose}` was there at that time. See `zhengtong licence keys list`.",
            why_zh=f"该时刻 `{whose}` 尚无密钥。请查看 `zhengtong licence keys list`。",
        )
    if hit:
        evidence.append(
            COMPROMISED,
            actor=by,
            facts={"name": whose, "keys": [k.key_id for k in hit], "since": since.astimezone(UTC).isoformat()},
        )
    for one in hit:
        revoke(store, evidence, one.key_id, order, root=root)
    kept = store.kept()
    suite = (hit or named)[-1].suite
    standing = register.in_force(kept, whose, suite, now)
    fresh = standing or rotate(store, evidence, whose, by=by, root=root)
    return tuple(k for k in kept if k.name == whose and k.revoked_for == Reason.KEY_COMPROMISE.value), fresh


def reissue(
    office: Office,
    store: KeyStore,
    evidence: Evidence,
    name: str,
    *,
    since: datetime,
    ground: str,
    by: str,
    second: str = "",
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> Reissued:
    """Issue the next version of every licence that holds and that a compromised key of *name* signed since *since*.

    Resumable: whose next version is issued no longer holds, and is passed by. *told* hears how many of how many.
    *by* is a post of the department that issued them, *second* another where its kinds are decided by two.

    Raises:
        CertificateUnknownError: there is no key of this name.
        KeyStepRefusedError: *second* is of another department than *by*.
        TryAgainError, SetupError, SignerError: nobody can sign now; running it again goes on.
        Errors that are about one licence are told in `Reissued.left`, and the run goes on.
    """
    second = _officer_beside(by, second)
    found = signed_since(store, evidence, name, since)
    lost = {k.key_id for k in found.keys if k.revoked_for == Reason.KEY_COMPROMISE.value}
    query = sa.select(LicenceRow.identifier, LicenceRow.key_id).where(LicenceRow.identifier.in_(found.holding))
    with store.control.reading() as connection:
        signed_by = {row.identifier: row.key_id for row in connection.execute(query)}
    wanted = [identifier for identifier in found.holding if signed_by[identifier] in lost]
    done, left = [], []
    for count, identifier in enumerate(wanted, 1):
        try:
            issued = office.renew(
                identifier, reason="签名密钥泄露，重新签发", ground=ground, by=by, second=second, ex_officio=True
            )
        except _ENDS:
            raise
        except _LEFT as fault:
            left.append((identifier, str(getattr(fault, "code", type(fault).__name__))))
        else:
            done.append((identifier, str(issued.identifier)))
        told(count, len(wanted))
    return Reissued(tuple(done), tuple(left))


def _officer_beside(by: str, second: str) -> str:
    """The officer of ``DEPT:POST``, as the rules of two persons compare them: the post without its department."""
    department, _, officer = unicodedata.normalize("NFKC", second).rpartition(":")
    if department.strip() not in {"", by.partition(":")[0].strip()}:
        raise KeyStepRefusedError(
            why_en=f"`{second}` is of another department than `{by}`. Two posts of the one that issued decide.",
            why_zh=f"`{second}` 与 `{by}` 不属于同一部门。应由颁发部门的两个岗位决定。",
        )
    return officer


def _uses(store: KeyStore, whose: str, since: datetime) -> tuple[str, ...]:
    """The uses of seals since then that the key of this name signed, in order of time."""
    if not whose.startswith((CUSTODIAN, DOCUMENTS)):
        return ()
    pdf = SealUseRow.form == "pdf"
    query = (
        sa.select(SealUseRow.id, SealUseRow.seal)
        .join(SealRow, SealRow.code == SealUseRow.seal)
        .where(SealRow.department == department_of(whose), SealUseRow.at >= since.replace(microsecond=0))
        .where(pdf if whose.startswith(DOCUMENTS) else sa.not_(pdf))
        # A remote signature is by the person's own key.
        .where(SealUseRow.approval == "")
        .order_by(SealUseRow.at, SealUseRow.id)
    )
    with store.control.reading() as connection:
        rows = list(connection.execute(query))
    kept = None if whose.startswith(DOCUMENTS) else _kept_with(store, whose)
    return tuple(row.id for row in rows if kept is None or row.seal in kept)


def _kept_with(store: KeyStore, whose: str) -> frozenset[str]:
    """The seals that name a certificate of *whose*: with no other key could they be used."""
    certificates = {k.der for k in store.kept() if k.name == whose}
    query = sa.select(SealRow.code, SealRow.made).where(
        SealRow.department == department_of(whose), SealRow.made.is_not(None)
    )
    with store.control.reading() as connection:
        rows = [(row.code, parse_seal(bytes(row.made)).info) for row in connection.execute(query)]
    digests = {sm3(one) for one in certificates}
    return frozenset(
        code for code, info in rows if certificates & {*info.certificates} or digests & {d.value for d in info.digests}
    )


def _entries(evidence: Evidence, since: datetime) -> Any:  # noqa: ANN401 - an iterator of pairs
    """The entries of the log since *since*, with their indexes; times in it do not run backwards by much."""
    size = evidence.log.size
    for start in range(0, size, ENTRIES_PER_READ):
        leaves = evidence.log.entries(start, min(size, start + ENTRIES_PER_READ))
        for index, leaf in enumerate(leaves, start):
            entry = Entry.decode(leaf)
            if entry.at >= since:
                yield index, entry


def _code(one: Kept) -> str:
    values = one.certificate.subject.get_attributes_for_oid(register.ORGANISATION)
    return str(values[0].value) if values else ""


def _issuer_of(licence: str) -> str:
    # 1.2.156.3005.2.TYPE.ISSUER.SERIAL.VERSION.CHECK
    parts = licence.split(".")
    return parts[-4] if len(parts) > 4 else ""  # noqa: PLR2004 - as the line above
