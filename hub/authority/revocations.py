"""Revokes certificates and publishes the revocation lists (证书撤销列表) of the hub's authorities.

A list is numbered, logged before anybody can fetch it, and renewed when half of its time is over. A root whose key is
kept apart renews its list only while the key is at hand; it is made for long.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from hub.actors import Actor
from hub.authority import register
from hub.authority.errors import CertificateUnknownError, KeyStepRefusedError, RootApartError
from hub.authority.made import record_made
from hub.authority.register import APART, ROOT_ROLE
from hub.files import replace_file
from licence.authority import revocation_list
from licence.crl import Reason, Revocation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from hub.authority.register import Kept
    from hub.authority.store import KeyStore
    from hub.evidence import Evidence
    from hub.settings import Settings
    from licence.keys import SigningKey

ISSUING_LIST_VALID: Final = timedelta(days=7)
# A year, and a month to bring the root's key.
ROOT_LIST_VALID: Final = timedelta(days=400)
FOLDER: Final = "crl"
SUFFIX: Final = ".crl"
PUBLISHED: Final = "crl.published"
REVOKED: Final = "keys.revoked"


@dataclass(frozen=True, slots=True)
class Order:
    """Why a certificate is revoked, and by whom: two posts that differ. *since*: its key is not trusted from then."""

    reason: Reason
    ground: str
    by: str
    second: str
    since: datetime | None = None

    def check(self) -> None:
        """Refuse an order that one person gives alone, or that does not say why.

        Raises:
            KeyStepRefusedError: so it is.
            ActorInvalidError: who gives it is no post of a department.
        """
        two_posts(self.by, self.second)
        if not self.ground.strip():
            raise KeyStepRefusedError(why_en="Say on what ground it is revoked.", why_zh="请写明撤销依据。")


def two_posts(first: str, second: str) -> tuple[str, str]:
    """Both as posts of departments.

    Raises:
        KeyStepRefusedError: they are one.
        ActorInvalidError: one is no post.
    """
    one, other = str(Actor.parse(first)), str(Actor.parse(second))
    if one == other:
        raise KeyStepRefusedError(
            why_en="This takes two persons: name two posts that differ.",
            why_zh="此操作须两人办理：请填写两个不同的岗位。",
        )
    return one, other


def revoke(
    store: KeyStore, evidence: Evidence, serial: str, order: Order, *, root: SigningKey | None = None
) -> tuple[Kept, int]:
    """Revoke the certificate with this serial number or key id and publish the list that says so.

    Returns it, and the index of its entry. One that is revoked already stays as it is, and its list is published again.
    *root*: the root's key, where it is kept apart and the certificate is an issuing CA's.

    Raises:
        CertificateUnknownError: there is none.
        KeyStepRefusedError: one person alone, or no ground, or a root: that one is revoked by no longer pinning it.
        RootApartError: the key of the authority that would say so is not on this machine.
    """
    order.check()
    now = store.clock().replace(microsecond=0)
    with store.changing() as connection:
        one = find(register.all_kept(connection), serial)
        if one.role == ROOT_ROLE:
            raise KeyStepRefusedError(
                why_en="A root is not revoked; verifiers stop pinning it.", why_zh="根证书不作撤销；由验证方停止信任。"
            )
        if order.since is not None and order.since > now:
            raise KeyStepRefusedError(why_en="--since lies in the future.", why_zh="--since 晚于当前时间。")
        authority = next((k for k in register.all_kept(connection) if k.key_id == one.issuer), None)
        if authority is None or (authority.keeper and authority.role != ROOT_ROLE):
            raise KeyStepRefusedError(
                why_en="Another authority made this certificate; it revokes it.",
                why_zh="该证书由外部机构签发，请由该机构撤销。",
            )
        key = _key(store, authority, root)
        index = one.log_index or 0
        if one.revoked_at is None:
            # The entry goes first; a crash after it leaves an entry of what was not done yet: doing it again adds one.
            index = evidence.append(
                REVOKED,
                actor=str(Actor.parse(order.by)),
                facts={
                    "key": one.key_id,
                    "name": one.name,
                    "serial": one.serial,
                    "reason": order.reason.value,
                    "ground": order.ground,
                    "second": str(Actor.parse(order.second)),
                    "since": (order.since or now).astimezone(UTC).isoformat(timespec="seconds"),
                },
            ).index
            register.update(
                connection,
                one.key_id,
                revoked_at=now,
                invalid_since=order.since,
                revoked_for=order.reason.value,
                ground=order.ground,
                log_index=index,
            )
            sign_list(evidence, connection, authority, key, now)
    publish_lists(store, evidence)
    return find(store.kept(), one.key_id), index


def find(kept: Iterable[Kept], serial: str) -> Kept:
    """The certificate with this serial number (hexadecimal) or key id, whole or its first 8 digits and more.

    Raises:
        CertificateUnknownError: none has it, or several have.
    """
    text = serial.replace(":", "").strip().lower()
    found = [k for k in kept if text in {k.serial, k.key_id}]
    found = found or [k for k in kept if len(text) >= 8 and (k.key_id.startswith(text) or k.serial.startswith(text))]  # noqa: PLR2004 - as the docstring says
    if len(found) != 1:
        raise CertificateUnknownError(name=serial)
    return found[0]


def renew_lists(store: KeyStore, evidence: Evidence, *, root: SigningKey | None = None) -> list[str]:
    """Sign and publish every list that is missing or past half its time; the names of those authorities.

    A root whose key is kept apart is passed by, unless *root* is its key. Keys that were made since get their entries.
    """
    record_made(store, evidence)
    now = store.clock().replace(microsecond=0)
    if _stale(store, now, root):
        with store.changing() as connection:
            for authority in (stale := _stale(store, now, root)):
                sign_list(evidence, connection, authority, _key(store, authority, root), now)
    else:
        stale = []
    publish_lists(store, evidence)
    return [a.name for a in stale]


def sign_list(evidence: Evidence, connection: Connection, authority: Kept, key: SigningKey, now: datetime) -> None:
    """The next list of *authority*: signed, logged, kept. Within `changing`; files are written after the commit.

    A crash before the commit leaves an entry of a list that nobody can have; its number is given again.
    """
    last = next((row for row in register.newest_lists(connection) if row["authority"] == authority.key_id), None)
    number = 1 if last is None else int(last["number"]) + 1
    revoked = [
        Revocation(int(k.serial, 16), k.revoked_at, Reason(k.revoked_for), k.invalid_since)
        for k in register.all_kept(connection)
        if k.issuer == authority.key_id and k.revoked_at is not None
    ]
    until = min(now + (ROOT_LIST_VALID if authority.role == ROOT_ROLE else ISSUING_LIST_VALID), authority.ends)
    der = revocation_list(key, revoked, number=number, this_update=now, next_update=until)
    facts = {
        "authority": authority.key_id,
        "number": number,
        "list": hashlib.sha256(der).hexdigest(),
        "until": until.isoformat(timespec="seconds"),
        "revoked": len(revoked),
    }
    index = evidence.append(PUBLISHED, actor="hub:licensing", facts=facts).index
    register.keep_list(
        connection, authority.key_id, number=number, this_update=now, next_update=until, der=der, log_index=index
    )


def publish_lists(store: KeyStore, evidence: Evidence) -> None:
    """Put the newest lists where verifiers fetch them, and beside what they pin. Safe to repeat."""
    with store.control.reading() as connection:
        rows = register.newest_lists(connection)
    for row in rows:
        path = list_file(store.settings, row["authority"])
        if not path.exists() or path.read_bytes() != row["der"]:
            replace_file(path, row["der"])
    if rows and store.roots():
        store.publish((evidence.verifier,))


def list_file(settings: Settings, authority: str) -> Path:
    """Where the list of the authority with this key id is published."""
    return settings.public / FOLDER / f"{authority[:16]}{SUFFIX}"


def _stale(store: KeyStore, now: datetime, root: SigningKey | None) -> list[Kept]:
    with store.control.reading() as connection:
        rows = {row["authority"]: row for row in register.newest_lists(connection)}
        kept = register.all_kept(connection)
    stale = []
    for one in kept:
        if not one.authority or one.ends <= now or not _at_hand(store, one, root):
            continue
        row = rows.get(one.key_id)
        if row is None or now > row["this_update"] + (row["next_update"] - row["this_update"]) / 2:
            stale.append(one)
    return stale


def _at_hand(store: KeyStore, one: Kept, root: SigningKey | None) -> bool:
    if root is not None and register.key_id_of(root.certificate) == one.key_id:
        return True
    return not one.keeper and store.path(one.name, one.suite, one.number).exists()


def _key(store: KeyStore, authority: Kept, root: SigningKey | None) -> SigningKey:
    if root is not None and register.key_id_of(root.certificate) == authority.key_id:
        return root
    if authority.keeper == APART:
        raise RootApartError(name=authority.name)
    return store.open(authority)
