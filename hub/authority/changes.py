"""Changes keys with overlap: the next key is made before the last one ends, and signs from a day that is planned.

The last one goes on verifying; its file stays. What a revocation means is `hub.authority.revocations`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from hub.actors import Actor
from hub.authority import register
from hub.authority.errors import CertificateUnknownError, KeyStepRefusedError
from hub.authority.making import Wish
from hub.authority.names import DEPARTMENT, ISSUING, ROOT
from hub.authority.revocations import sign_list
from licence.authority import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub.authority.register import Kept
    from hub.authority.store import KeyStore
    from hub.evidence import Evidence
    from licence.keys import SigningKey

# A production CA takes some weeks; two months leave time for a second try.
DUE: Final = timedelta(days=60)
CHANGED: Final = "keys.rotated"


@dataclass(frozen=True, slots=True)
class Standing:
    """A certificate and how it stands: ``signs``, ``planned``, ``replaced``, ``revoked``, ``ended`` or ``trusted``.

    *due*: it signs, ends soon, and nothing is planned after it.
    """

    kept: Kept
    state: str
    due: bool


def standings(store: KeyStore, kept: Iterable[Kept], now: datetime) -> tuple[Standing, ...]:
    """How each certificate stands at *now*."""
    kept = tuple(kept)
    return tuple(_standing(store, kept, one, now) for one in kept)


def rotate(
    store: KeyStore,
    evidence: Evidence,
    name: str,
    *,
    by: str,
    signs_from: datetime | None = None,
    root: SigningKey | None = None,
) -> Kept:
    """Make the next key of *name* (a key's name or a department's code), which signs from *signs_from* (default: now).

    Safe to repeat after a crash: the file that was made is taken up. *root*: the root's key where it is kept apart and
    the next issuing CA is asked for.

    Raises:
        CertificateUnknownError: there is no key of this name.
        KeyStepRefusedError: others keep it; or the next one is planned already.
        RootApartError: the root's key is needed.
    """
    now = store.clock()
    whose = resolve(store, name)
    actor = str(Actor.parse(by))
    if whose in store.named():
        raise KeyStepRefusedError(
            why_en=f"Others keep the key of `{whose}`. Enter its next certificate in the file of signers.",
            why_zh=f"`{whose}` 的密钥由外部保管。请在签名者文件中更新其证书。",
        )
    with store.changing() as connection:
        kept = register.all_kept(connection)
        suites = {k.suite for k in kept if k.name == whose}
        suite = store.policy if store.policy in suites else min(suites)
        mine = [k for k in kept if k.name == whose and k.suite == suite]
        planned = next((k for k in mine if k.signs_from > now and k.revoked_at is None), None)
        if planned is not None:
            raise KeyStepRefusedError(
                why_en=f"The next key of `{whose}` is there already and signs from {planned.signs_from:%Y-%m-%d}.",
                why_zh=f"`{whose}` 的下一个密钥已生成，自 {planned.signs_from:%Y-%m-%d} 起签名。",
            )
        last = max(mine, key=lambda k: k.number)
        if whose == ROOT:
            raise KeyStepRefusedError(
                why_en="A root is made in a ceremony: `zhengtong licence keys ceremony`.",
                why_zh="根证书须经密钥仪式生成：`zhengtong licence keys ceremony`。",
            )
        if whose == ISSUING:
            above = root or store.root_key(connection, suite, now)
            one = store.next_issuing(connection, above, suite, now, signs_from)
            sign_list(evidence, connection, one, store.open(one), now.replace(microsecond=0))
        else:
            department = store.known_department(last.department)
            one = store.leaf(connection, Wish(whose, Role(last.role), department, suite), now, signs_from=signs_from)
        recorded = evidence.append(
            CHANGED,
            actor=actor,
            facts={
                "name": whose,
                "suite": suite,
                "key": one.key_id,
                "replaces": last.key_id,
                "signs_from": one.signs_from.astimezone(UTC).isoformat(timespec="seconds"),
                "until": one.ends.isoformat(timespec="seconds"),
            },
        )
        register.update(connection, one.key_id, log_index=recorded.index)
    store.publish((evidence.verifier,))
    return replace(one, log_index=recorded.index)


def resolve(store: KeyStore, name: str) -> str:
    """The name of a key from what a person says: its name, a role, or a department's code.

    Raises:
        CertificateUnknownError: none is called so.
    """
    known = {k.name for k in store.kept()}
    for candidate in (name, f"{DEPARTMENT}{name}", _ROLE_NAMES.get(name, name)):
        if candidate in known:
            return candidate
    raise CertificateUnknownError(name=name)


_ROLE_NAMES: Final = {Role.STATUS.value: "status", Role.SEAL_MAKING.value: "seal-maker"}


def _standing(store: KeyStore, kept: tuple[Kept, ...], one: Kept, now: datetime) -> Standing:
    if one.revoked_at is not None:
        return Standing(one, "revoked", due=False)
    if one.ends <= now:
        return Standing(one, "ended", due=False)
    if one.name == ROOT or one.name.startswith("outside-"):
        return Standing(one, "trusted", due=one.ends < now + DUE)
    if one.signs_from > now and one.number > 1:
        return Standing(one, "planned", due=False)
    chosen = store.chosen(kept, one.name, one.suite, now)
    if chosen is None or chosen.key_id != one.key_id:
        return Standing(one, "replaced", due=False)
    follows = any(k.name == one.name and k.suite == one.suite and k.number > one.number for k in kept)
    return Standing(one, "signs", due=one.ends < now + DUE and not follows)
