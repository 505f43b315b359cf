"""Publishes the register of seals, each version counted and chained to the one before, so that one left out shows.

The steps of publishing a version, by number, all while the register's row is held:

    1. find out whether a version that a crash cut short is in the log; if so it counts
    2. sign the register as the seals stand
    3. keep it under its number
    4. log its digest with its number and the digest of the one before
    5. put it where verifiers fetch it, and write the row

What a version says is `licence.seals.published`'s.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.authority import BASE_URI
from hub.control import SealRegisterRow, SealRow, row_dict
from hub.files import replace_file
from hub.seals import store
from hub.seals.keepers import Keepers
from licence.seals.published import ENTRY, PublishedSeal, register_digest, sign_register

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

REGISTER_URI: Final = f"{BASE_URI}/seals"
# As status lists: a day, and made anew from its half on.
REGISTER_VALID: Final = timedelta(days=1)
FOLDER, CURRENT, SUFFIX = "seals", "register", ".jwt"


class Publishing(Keepers):
    """The room that publishes. Safe for many processes."""

    @property
    def register_file(self) -> Path:
        """Where verifiers fetch the newest version."""
        return self.settings.public / FOLDER / f"{CURRENT}{SUFFIX}"

    def kept_register(self, version: int) -> Path:
        """Where a published version is kept, for good: what proves a past state."""
        return self.settings.public / FOLDER / "history" / f"{version}{SUFFIX}"

    def refresh(self) -> int | None:
        """Publish the register if a seal changed since, or it is past half its validity; its number if so."""
        with self.control.reading() as connection:
            found = connection.execute(sa.select(SealRegisterRow.__table__)).first()
        # None: no seal was ever asked for, and there is nothing to tell.
        if found is None or not (found.dirty or found.valid_until < self.clock() + REGISTER_VALID / 2):
            return None
        return self.publish()

    def publish(self) -> int:
        """Sign and publish the register as the seals stand; its number.

        The entry goes before the file: no verifier ever sees a version that is not in the log.
        """
        now, key = self.clock(), self.keys.status()
        with self.control.writing() as connection:
            row = store.register_row(connection)
            before, previous = self._last(row)  # step 1
            version = before + 1
            token = sign_register(  # step 2
                _published(connection),
                key=key,
                uri=REGISTER_URI,
                version=version,
                previous=previous,
                issued_at=now,
                expires_at=now + REGISTER_VALID,
            )
            digest = register_digest(token)
            # A crash from here on leaves this file, and the next to publish looks whether the log has its entry.
            replace_file(self.kept_register(version), token.encode())  # step 3
            recorded = self.evidence.append(  # step 4
                ENTRY,
                actor="hub:seals",
                facts={"version": version, "digest": digest, "previous": previous},
            )
            replace_file(self.register_file, token.encode())  # step 5
            connection.execute(
                sa.update(SealRegisterRow).values(
                    version=version,
                    digest=digest,
                    dirty=False,
                    published_at=now,
                    valid_until=now + REGISTER_VALID,
                    log_index=recorded.index,
                )
            )
        self.evidence.publish_through(recorded.index)
        return version

    def _last(self, row: dict[str, Any]) -> tuple[int, str]:
        """The number and the digest of the last version that the log has; 0 and "" before the first."""
        version, digest = int(row["version"]), str(row["digest"])
        while (kept := self.kept_register(version + 1)).exists():
            found = register_digest(kept.read_text(encoding="ascii"))
            facts = {"version": version + 1, "digest": found, "previous": digest}
            if self.evidence.look_back(ENTRY, resource="", facts=facts) is None:
                break
            version, digest = version + 1, found
        return version, digest


def _published(connection: Connection) -> list[PublishedSeal]:
    query = sa.select(SealRow.__table__).where(SealRow.seal_digest != "").order_by(SealRow.code)
    rows = [row_dict(row) for row in connection.execute(query)]
    return [
        PublishedSeal(
            row["code"],
            row["seal_digest"],
            row["department"],
            row["state"],
            row["changed_at"],
            row["valid_from"],
            row["valid_until"],
        )
        for row in rows
    ]
