"""What somebody should see to: keys and certificates that end soon, revocation lists that were not renewed.

Raising alerts of it is `hub.watching`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.authority import register
from hub.authority.changes import DUE, standings
from hub.authority.names import DEPARTMENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from hub.authority.store import KeyStore

KEY_DUE: Final = "key_due"
CRL_ENDS: Final = "crl_ends"
# A list of a week is renewed at its half: a quarter left means that this failed for two days.
_LEAST_LEFT: Final = 4
_TOLD = tuple[str, str, str, dict[str, str]]


def about_keys(store: KeyStore, at: datetime) -> Iterator[_TOLD]:
    """Of each key and each revocation list: the alert's key, its kind or "" to clear it, "", its words.

    A key that others keep is told of, too: they make its next certificate, but somebody here has to ask them.
    """
    with store.control.reading() as connection:
        kept, lists = register.all_kept(connection), register.newest_lists(connection)
    due: dict[str, register.Kept] = {}
    for one in standings(store, kept, at):
        mine = one.kept
        # Keys of persons are in no file of the store, so that none of them is ever the one that signs for a name.
        personal = mine.name.startswith("signer-") and mine.revoked_at is None and at < mine.ends < at + DUE
        if one.due or personal:
            due[f"{mine.name}@{mine.suite}"] = mine
    for name in sorted({f"{k.name}@{k.suite}" for k in kept}):
        found = due.get(name)
        told = {} if found is None else {"name": _shown(found), "until": f"{found.ends:%Y-%m-%d}"}
        yield f"{KEY_DUE}:{name}", KEY_DUE if found is not None else "", "", told
    authorities = {k.key_id: k for k in kept if k.ends > at}
    for row in lists:
        authority = authorities.get(row["authority"])
        least = min(DUE, (row["next_update"] - row["this_update"]) / _LEAST_LEFT)
        ends = authority is not None and row["next_update"] < at + least
        told = {
            "name": "" if authority is None else authority.name,
            "until": f"{row['next_update']:%Y-%m-%d %H:%M} UTC",
        }
        yield f"{CRL_ENDS}:{row['authority'][:16]}", CRL_ENDS if ends else "", "", told


def _shown(one: register.Kept) -> str:
    return one.name.removeprefix(DEPARTMENT) if one.name.startswith(DEPARTMENT) else one.name
