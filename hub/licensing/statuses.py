"""Publishes the status lists, each version counted and chained to the one before, so that one left out shows.

The steps of publishing a version, by number, all while the list's row is held:

    1. find out whether a version that a crash cut short is in the log; if so it counts
    2. sign the list as its licences stand
    3. keep the token under its number
    4. log its digest with its number and the digest of the one before
    5. put it where verifiers fetch it, and write the row

What a list says is `licence.status`'s, what a log entry means `licence.status.events`'s.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hub.authority import BASE_URI
from hub.authority.errors import SigningKeyMissingError
from hub.control import StatusListRow
from hub.files import replace_file
from hub.licensing.desk import STATUS_SLOTS, Desk
from hub.licensing.lookups import states_in, status_list_row, update_status_list
from licence.lifecycle import status_of
from licence.profile import STATUS_ENTRY
from licence.status import StatusList, sign_status_list, to_cwt, token_digest
from licence.status.cwt import with_chain
from licence.status.events import Published, published_facts, read_event

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from licence.keys import SigningKey

__all__ = ["STATUS_SLOTS", "STATUS_TTL_S", "STATUS_VALID", "Statuses", "status_uri"]

# A list is valid for a day and re-read by verifiers each minute: revocation shows within the minute it is published.
STATUS_VALID = timedelta(days=1)
STATUS_TTL_S = 60
SUFFIX = ".jwt"
# The same version as a CWT; as a JWT that wallets read, where the other is of another suite; and its log entry's index.
COMPACT, WALLET, ENTRY = ".cwt", ".wallet", ".entry"
HISTORY = "status-history"


class Statuses(Desk):
    """The room that publishes. Safe for many processes."""

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
        now, uri = self.clock(), status_uri(name)
        with self.control.writing() as connection:
            row = status_list_row(connection, name)
            before, previous = self._last(name, row)  # step 1
            listed = StatusList.build(
                row["size"], {i: int(status_of(s)) for i, s in states_in(connection, name).items()}
            )
            token = _signed(listed, self.keys.status(), uri, now)  # step 2
            digest, version = token_digest(token), before + 1
            kept, others = self.kept_status(name, version), self._other_forms(listed, uri, now)
            # A crash from here on leaves this file, and the next to publish looks whether the log has its entry.
            replace_file(kept, token.encode())  # step 3
            for suffix, data in others.items():
                _replace(kept.with_suffix(suffix), data)
            recorded = self.evidence.append(  # step 4
                STATUS_ENTRY,
                actor="hub:licensing",
                facts=published_facts(uri, digest, version=version, previous=previous if before else "")
                | {suffix.removeprefix("."): token_digest(data) for suffix, data in others.items() if data},
            )
            replace_file(kept.with_suffix(ENTRY), str(recorded.index).encode())
            for suffix, data in others.items():
                _replace(self.settings.status / f"{name}{suffix}", data)  # step 5
            replace_file(self.settings.status / f"{name}{SUFFIX}", token.encode())
            update_status_list(
                connection,
                name,
                published_at=now,
                valid_until=now + STATUS_VALID,
                token_digest=digest,
                log_index=recorded.index,
                version=version,
                last_digest=digest,
            )
        self.evidence.publish_through(recorded.index)
        return token, recorded.index

    def kept_status(self, name: str, version: int) -> Path:
        """Where the token of a published version of list *name* is kept, for good: what proves a past status."""
        return self.settings.public / HISTORY / name / f"{version}{SUFFIX}"

    def _other_forms(self, listed: StatusList, uri: str, now: datetime) -> dict[str, bytes]:
        """The same version in the other forms, by suffix; b"" where there is none.

        Both are of P-256, which wallets read: a CWT without its chain, and, where the policy's suite is another, a JWT.
        """
        try:
            key = self.keys.wallet_status()
        except SigningKeyMissingError:
            # Others keep the operator's key and have named none for wallets. Revocations must show all the same.
            return {COMPACT: b"", WALLET: b""}
        token = _signed(listed, key, uri, now)
        compact = with_chain(to_cwt(token, key=key), ())
        return {COMPACT: compact, WALLET: b"" if key.suite == self.keys.policy else token.encode()}

    def _last(self, name: str, row: dict[str, Any]) -> tuple[int, str]:
        """The number and the digest of the last version of list *name* that the log has; 0 and "" before the first.

        The row may be behind: a crash after the entry and before the commit. Leaving it there would put the same
        number into the log twice, and whoever checks the history would find it broken for ever.
        """
        version, digest = int(row["version"]), str(row["last_digest"])
        if not self.kept_status(name, version + 1).exists():
            return version, digest
        start = 0 if row["log_index"] is None else int(row["log_index"]) + 1
        for index, leaf in enumerate(self.evidence.log.entries(start, self.evidence.log.size), start):
            event = read_event(leaf, index)
            if isinstance(event, Published) and event.uri == status_uri(name) and event.version > version:
                version, digest = event.version, event.token
                replace_file(self.kept_status(name, version).with_suffix(ENTRY), str(index).encode())
        return version, digest


def _signed(listed: StatusList, key: SigningKey, uri: str, now: datetime) -> str:
    return sign_status_list(listed, key=key, uri=uri, issued_at=now, expires_at=now + STATUS_VALID, ttl_s=STATUS_TTL_S)


def _replace(path: Path, data: bytes) -> None:
    """Keep another form, or none: one of an older version must not stay beside a newer token."""
    if data:
        replace_file(path, data)
    else:
        path.unlink(missing_ok=True)


def status_uri(name: str) -> str:
    """The URI that licences name for their status list; an address, not necessarily a reachable one."""
    return f"{BASE_URI}/status/{name}"
