"""The store of e-materials as files and rows: compared with each other, and let go of when their time is over.

How one file is kept is `hub.materials.files`'; what departments do with materials `hub.materials.desk`'s.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from hub.actors import Actor
from hub.auditsearch import Desk
from hub.control import MaterialRow, row_dict
from hub.keeping.holds import in_force
from hub.keyring import Keyring
from hub.materials.files import DamagedFileError, MaterialFiles
from hub.materials.rows import update_row, uses_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from hub.control import Control
    from hub.evidence import Evidence
    from hub.keeping.holds import Hold
    from hub.office import Office

ERASED: Final = "material.erased"
FOLDER: Final = "materials"
ACTOR: Final = "hub:materials"
# In the keyring.
SECRET: Final = "materials"  # noqa: S105 - a name, not a secret
_ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What `Store.check` found. *missing* and *altered* name materials, *orphans* the digests of files.

    *lying_open*: files of earlier versions that are not encrypted; cleaning encrypts them.
    """

    materials: int
    files: int
    missing: tuple[str, ...]
    altered: tuple[str, ...]
    orphans: tuple[str, ...]
    strays: int
    cleaned: bool
    lying_open: int = 0

    @property
    def sound(self) -> bool:
        """Whether every material has its file as it was taken in; files too many do no harm."""
        return not self.missing and not self.altered


class Store:
    """The files of one deployment and the rows that name them. Safe for many threads and processes."""

    def __init__(self, office: Office) -> None:
        self._control: Control = office.control
        self._evidence: Evidence = office.evidence
        self._settings = office.settings
        self._files = MaterialFiles(office.settings.home / FOLDER, self._secret)
        self._opened: bytes | None = None

    def check(self, *, clean: bool = False) -> StoreReport:
        """Hash every file anew and compare files with rows; *clean*: take away what no row names, encrypt what is not.

        Raises:
            KeyFileError: the secret cannot be opened; nothing can be said of the files.
        """
        named: dict[str, list[str]] = {}
        gone: set[str] = set()
        with self._files.sweeping():
            with self._control.reading() as connection:
                for row in connection.execute(
                    sa.select(MaterialRow.identifier, MaterialRow.digest, MaterialRow.erased_at)
                ).yield_per(_ROWS):
                    if row.erased_at is None:
                        named.setdefault(row.digest, []).append(row.identifier)
                    else:
                        gone.add(row.identifier)
            there = set(self._files.digests())
            missing = [one for digest in named.keys() - there for one in named[digest]]
            altered = [
                one for digest in sorted(named.keys() & there) if self._is_altered(digest) for one in named[digest]
            ]
            orphans, strays = sorted(there - named.keys()), self._files.strays()
            lying_open = [digest for digest in sorted(named.keys() & there) if self._files.is_open(digest)]
            if clean:
                for digest in lying_open:
                    # One that is altered stays as it is, for whoever looks into it.
                    with contextlib.suppress(DamagedFileError):
                        self._files.seal(digest)
                for digest in orphans:
                    self._files.remove(digest)
                for path in strays:
                    path.unlink(missing_ok=True)
        count = sum(map(len, named.values())) + len(gone)
        return StoreReport(
            count,
            len(there),
            tuple(sorted(missing)),
            tuple(sorted(altered)),
            tuple(orphans),
            len(strays),
            clean,
            len(lying_open),
        )

    def expire(self, days: int) -> list[str]:
        """Let go of the files of materials that are void or out of time since *days*; 0 keeps them for ever.

        The entry goes first; a crash after it leaves a file whose erasure was logged, and the next run erases it. A
        file that another material names stays. What is known of the material, its uses and its proof, is kept.

        A hold (`hub.keeping.holds`) on its holder, or on an entry of it or of a use of it, keeps the file until the
        hold is released.

        Raises:
            LogDamagedError, IndexDamagedError: which holds are in force cannot be said; nothing was let go.
        """
        if not days:
            return []
        before = self._evidence.clock() - timedelta(days=days)
        done = []
        with self._files.sweeping(), self._control.writing() as connection:
            ended = sa.or_(MaterialRow.voided_at < before, MaterialRow.valid_until < before)
            query = sa.select(MaterialRow.__table__).where(MaterialRow.erased_at.is_(None), ended)
            due = [row_dict(one) for one in connection.execute(query)]
            # Looked up only where something is due: it publishes the log, so that no hold written so far is missed.
            holds = in_force(Desk.here(self._settings, self._evidence, Actor.parse(ACTOR))) if due else ()
            for row in due:
                if any(_is_held(connection, row, one) for one in holds):
                    continue
                self._evidence.append(
                    ERASED,
                    actor=ACTOR,
                    subject=row["holder_hash"],
                    facts={"material": row["identifier"], "digest": row["digest"]},
                )
                update_row(connection, row["identifier"], erased_at=self._evidence.clock(), standing=None)
                done.append(row)
        # Only now that no row says that it is there; a crash here leaves an orphan, which `check` clears away.
        with self._files.sweeping():
            for digest in {row["digest"] for row in done}:
                if not self._is_named(digest):
                    self._files.remove(digest)
        return [row["identifier"] for row in done]

    def _secret(self) -> bytes:
        if self._opened is None:
            self._opened = Keyring(self._settings.keys).secret(SECRET)
        return self._opened

    def _is_named(self, digest: str) -> bool:
        query = sa.select(sa.func.count()).where(MaterialRow.digest == digest, MaterialRow.erased_at.is_(None))
        with self._control.reading() as connection:
            return bool(connection.execute(query).scalar_one())

    def _is_altered(self, digest: str) -> bool:
        try:
            self._files.read(digest)
        except DamagedFileError:
            return True
        return False


def _is_held(connection: Connection, row: dict[str, Any], hold: Hold) -> bool:
    numbers = [row["log_index"], *(one["log_index"] for one in uses_of(connection, row["identifier"]))]
    numbers += [] if row["void_log_index"] is None else [row["void_log_index"]]
    return any(hold.covers(number, (row["holder_hash"],)) for number in numbers)
