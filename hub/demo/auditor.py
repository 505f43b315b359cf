"""The auditor of the demonstration, and a person who asks who used their data: everything out of the log.

Each step is the use case that the command line calls. What is asked of the log is recorded in it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from audit.checkpoints import kept, prove_growth
from audit.fsck import check_log
from audit.pack import check_pack
from audit.policy import Quorum
from audit.searching import Query
from audit.verifiers import Trust
from hub import mydata
from hub.actors import Actor
from hub.anomalies import Limits
from hub.auditsearch import Desk, lookup_of, replay_all
from hub.auditviews import look
from hub.evidence import log_verifier, log_verifiers
from hub.files import replace_file
from hub.packing import pack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from audit.checkpoint import Checkpoint
    from audit.fsck import LogReport
    from audit.keys import WitnessVerifierKey
    from audit.packreport import PackReport
    from audit.searching import Hit
    from hub.anomalies import Finding
    from hub.auditsearch import Drawn
    from hub.mydata import MyData
    from hub.office import Office

AUDITOR: Final = "SZJ:auditor"
HALL: Final = "SZJ:service-hall"
SEED: Final = "阜阳 2026-03-02"
DRAWN: Final = 10
PACK: Final = "evidence.zip"
PERIOD: Final = timedelta(days=7)
WITNESS_WAIT_S: Final = 30.0
_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Auditor:
    """The auditor at *office*. *folder* takes what leaves it."""

    office: Office
    folder: Path

    def search(self, resource: str, person: str) -> list[Hit]:
        """Every entry about *person* and *resource*, whoever asked."""
        desk = self._desk(AUDITOR)
        keys = lookup_of(self.office.list_, {"citizen_id": person}, resource)
        subject = self.office.evidence.subject(keys)
        return list(desk.search(Query(subjects=(subject,), resources=(resource,))))

    def pack(self, places: Sequence[int], receipt: bytes) -> tuple[Path, PackReport]:
        """Put the entries *places* into one file with all that proves them, and check it as its reader would."""
        desk, verifiers = self._desk(AUDITOR), log_verifiers(self.office.settings)
        keys = {("log" if not number else f"log-{number + 1}"): key.to_text() for number, key in enumerate(verifiers)}
        data = pack(desk, self.office.settings, places, query=Query(), receipts=[receipt], keys=keys)
        file = self.folder / PACK
        # With bodies: they hold what was asked about whom.
        replace_file(file, data, mode=0o600)
        return file, check_pack(file.read_bytes(), Trust(verifiers))

    def sample(self) -> list[Drawn]:
        """Entries that nobody chose, each call among them done again."""
        desk = self._desk(AUDITOR)
        return list(replay_all(self.office.settings, desk.log, desk.draw(SEED, DRAWN, Query())))

    def anomalies(self) -> list[Finding]:
        """What of the last days is out of the ordinary."""
        now, calendar = self.office.now(), self.office.clocks.calendar
        desk = self._desk(AUDITOR)
        return look(desk, calendar, Limits(), since=now - PERIOD, until=now, office=self.office)

    def growth(self) -> tuple[Checkpoint, Checkpoint]:
        """The first checkpoint that was published and the newest, of which the second is proven to continue the first.

        Raises:
            ProofInvalidError, CheckpointInvalidError: it does not.
        """
        verifiers = (log_verifier(self.office.settings),)
        first = next(iter(kept(self.office.settings.log)))
        # From the files alone, as somebody would who has copied them.
        return prove_growth(self._desk(AUDITOR).log, first.note).verify(verifiers)

    def witnessed(self, witness: WitnessVerifierKey, entry: int) -> LogReport:
        """The whole log, recomputed, once *witness* has cosigned a checkpoint with *entry* in it."""
        trust = Trust(log_verifiers(self.office.settings), (), Quorum(1, (witness,)))
        deadline = time.monotonic() + WITNESS_WAIT_S
        while True:
            report = check_log(self.office.settings.log, trust)
            if (report.witnessed or 0) > entry or time.monotonic() > deadline:
                return report
            time.sleep(_POLL_S)

    def told(self, person: str) -> MyData:
        """What the service hall shows *person* of the use of their data."""
        return mydata.show(self.office, self._desk(HALL), {"citizen_id": person})

    def _desk(self, actor: str) -> Desk:
        desk = Desk.here(self.office.settings, self.office.evidence, Actor.parse(actor))
        desk.cover()
        return desk
