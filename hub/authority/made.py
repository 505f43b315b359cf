"""Puts first-made keys on record: a certificate that no entry of the log tells of yet gets one.

Keys are made wherever one is first asked for, without the log at hand; the daily task comes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub.authority import register

if TYPE_CHECKING:
    from hub.authority.store import KeyStore
    from hub.evidence import Evidence

MADE: Final = "keys.made"


def record_made(store: KeyStore, evidence: Evidence) -> list[str]:
    """Log every certificate that is not on record; their key ids.

    Safe to repeat: an entry goes before its row, and a crash between leaves one that is made a second time.
    """
    if all(one.log_index is not None for one in store.kept()):
        return []
    done = []
    with store.changing() as connection:
        for one in register.all_kept(connection):
            if one.log_index is not None:
                continue
            facts = {
                "name": one.name,
                "role": one.role,
                "suite": one.suite,
                "key": one.key_id,
                "issuer": one.issuer,
                "until": one.ends.isoformat(timespec="seconds"),
            }
            recorded = evidence.append(MADE, actor="hub:licensing", facts=facts)
            register.update(connection, one.key_id, log_index=recorded.index)
            done.append(one.key_id)
    return done
