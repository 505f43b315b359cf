"""The auditor's desk: a log that may be searched, by keyed hashes and not by names, and the record of what was asked.

At the deployment itself every question is an entry of the log before it is answered (``audit.searched``). Over copied
files there is nothing to write it to, and the desk says so. Finding is `audit.searchindex`'s, drawing is
`audit.sampling`'s, doing a call again `hub.auditing`'s.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from audit.canonical import encode
from audit.errors import AuditError, LogUnavailableError
from audit.pinned import PinnedLog
from audit.sampling import sample
from audit.searchindex import SearchIndex
from audit.searching import Hit, describe, scan
from hub.auditing import KINDS, replay
from hub.evidence import log_verifiers
from hub.keeping.fates import index_file
from hub.matching.comparing import lookup_value
from hub.storing import open_warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from audit.notes import Verifier
    from audit.searching import Query
    from catalog.model import ResponsibilityList
    from hub.actors import Actor
    from hub.evidence import Evidence
    from hub.replaying import ReplayReport
    from hub.settings import Settings

SEARCHED: Final = "audit.searched"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """*total* entries, or *more* than that, fit; these are some of them."""

    total: int
    more: bool
    hits: list[Hit]


@dataclass(frozen=True, slots=True)
class Desk:
    """A log that is searched, and by whom. *evidence* is None over copied files: nothing is recorded then.

    The log is as it was when the desk was set up; entries that are made meanwhile, its own among them, are not seen.
    """

    log: PinnedLog
    index: SearchIndex
    evidence: Evidence | None = None
    actor: str = ""

    @classmethod
    def here(cls, settings: Settings, evidence: Evidence, actor: Actor) -> Desk:
        """The desk at the deployment of *settings*, over everything that happened until now.

        Raises:
            EvidenceUnavailableError: it cannot be published now.
        """
        evidence.publish()
        log = PinnedLog(settings.log, log_verifiers(settings))
        return cls(log, SearchIndex(index_file(settings.log), log), evidence, str(actor))

    @classmethod
    def away(cls, folder: Path, verifiers: Sequence[Verifier], index: Path | None = None) -> Desk:
        """A desk over a copy of a log in *folder*, with the keys that its reader pins.

        Raises:
            LogMissingError, LogDamagedError, CheckpointInvalidError: see `PinnedLog`.
        """
        log = PinnedLog(folder, verifiers)
        return cls(log, SearchIndex(index or index_file(folder), log))

    def record(self, view: str, query: Query, **facts: Any) -> None:  # noqa: ANN401 - JSON values
        """Write down that this is asked, before it is answered; nothing where there is nothing to write it to.

        The entry is about the persons who are asked about, so that it is found with theirs.

        Raises:
            EvidenceUnavailableError: nothing may be answered.
        """
        if self.evidence is None:
            return
        plain = query.to_plain()
        subjects = plain.pop("subjects", [])
        if len(subjects) > 1:
            facts["subjects"] = subjects
        self.evidence.append(
            SEARCHED,
            actor=self.actor,
            subject=subjects[0] if len(subjects) == 1 else "",
            facts={"view": view, "query": plain, "size": self.log.size, **facts},
        )

    def search(self, query: Query, *, reading: bool = False) -> Iterator[Hit]:
        """The entries that *query* looks for, by the index unless *reading* all of them is wanted. Recorded first.

        Raises:
            EvidenceUnavailableError, LogDamagedError, IndexDamagedError
        """
        self.record("search", query)
        return self.find(query, reading=reading)

    def find(self, query: Query, *, reading: bool = False) -> Iterator[Hit]:
        """As `search`, for a view that has recorded what it asks."""
        return scan(self.log, query) if reading else self.index.find(query)

    def newest(self, query: Query, *, skip: int, limit: int) -> Found:
        """As `search`, the newest first: how many there are, and *limit* of them after *skip*. Recorded first.

        Their number is the index's word; each entry is read and proven. Where the index cannot be written, all is read.
        Of a query by several things no more than `audit.searchindex.COUNTED` are counted.

        Raises:
            EvidenceUnavailableError, LogDamagedError, IndexDamagedError
        """
        self.record("search", query, skip=skip)
        if not self.cover():
            every = list(scan(self.log, query))
            return Found(len(every), more=False, hits=every[::-1][skip : skip + limit])
        newest = self.index.newest(query, skip=skip, limit=limit)
        found = _fitting(query, ((place, self.log.entry(place)) for place in newest.places))
        return Found(newest.total, newest.more, list(found))

    def tally(self, part: str) -> dict[str, int]:
        """How many entries have each word of *part*, one of `audit.searchindex.PARTS`; nothing without an index."""
        return self.index.tally(part) if self.index.covered() else {}

    def cover(self, progress: Callable[[int, int], None] | None = None) -> bool:
        """Bring the index up to the log; False where it cannot be written, so that the rest will be read."""
        try:
            if progress is None:
                self.index.extend()
            else:
                self.index.extend(progress)
        except LogUnavailableError:
            return False
        return True

    def draw(self, seed: str, wanted: int, query: Query, *, reading: bool = False) -> list[int]:
        """A sample by the rule of `audit.sampling`. Recorded first, with its seed.

        Raises:
            QueryError: the seed is none.
            EvidenceUnavailableError, LogDamagedError, IndexDamagedError
        """
        self.record("sample", query, seed=seed, wanted=wanted)
        return sample(self.log, seed, wanted, query, None if reading else self.index)


def every(settings: Settings, evidence: Evidence, query: Query) -> Iterator[Hit]:
    """Every entry until now that *query* looks for, in order, those among them that no checkpoint covers yet.

    Not recorded: it is for the hub's own work. By the index, which is brought up to the log first; what it does not
    cover is read, and everything where it cannot be asked. What an index was made to hide is not found:
    `SearchIndex.check` tells.

    Raises:
        LogDamagedError: an entry is not the one that was logged.
    """
    covered, places, pinned = 0, [], None
    try:
        pinned = PinnedLog(settings.log, log_verifiers(settings))
        index = SearchIndex(index_file(settings.log), pinned)
        with suppress(LogUnavailableError):
            index.extend()
        covered = index.covered()
        # All at once: of one that fails half-way nothing is believed.
        places = [place for place in index.places(query) if place < covered] if covered else []
    except (AuditError, OSError) as error:
        covered, places = 0, []
        _logger.warning("the log is read from its beginning, for its index cannot be used: %s", error)
    if pinned is not None:
        yield from _fitting(query, ((place, pinned.entry(place)) for place in places))
    # In the canonical form a member is written in one way only: most entries are passed over by their bytes alone.
    marks = [encode({"resource": one})[1:-1] for one in query.resources]
    rest = enumerate(evidence.log.entries(covered, evidence.log.size), covered)
    yield from _fitting(query, (one for one in rest if not marks or any(mark in one[1] for mark in marks)))


def _fitting(query: Query, entries: Iterable[tuple[int, bytes]]) -> Iterator[Hit]:
    for place, data in entries:
        about = describe(data)
        # The index finds by a part of a subject's hash; and it may lie.
        if query.fits(about):
            yield Hit(place, data, about)


def lookup_of(list_: ResponsibilityList, keys: Mapping[str, str], resource: str = "") -> dict[str, str]:
    """What a call with these *keys* looks up, in stored form: what its subject is the keyed hash of.

    The form is that of the field of *resource*; without one, of the first resource that is looked up by such a field.
    """
    found = {}
    for name, text in sorted(keys.items()):
        fields = [
            field
            for one in list_.resources
            if resource in ("", one.code)
            for field in one.lookup_fields
            if field.name == name
        ]
        found[name] = lookup_value(fields[0], text) if fields else text.strip()
    return found


@dataclass(frozen=True, slots=True)
class Drawn:
    """An entry that was drawn, and what doing it again came to; None where it is of a kind that cannot be."""

    index: int
    kind: str
    report: ReplayReport | None

    @property
    def verdict(self) -> str:
        """That of the replay; ``logged`` where there is none: the entry is proven to be in the log."""
        return "logged" if self.report is None else self.report.verdict

    def to_plain(self) -> dict[str, Any]:
        """JSON values."""
        plain: dict[str, Any] = {"index": self.index, "kind": self.kind, "verdict": self.verdict}
        return plain if self.report is None else {**plain, "steps": self.report.to_plain()["steps"]}


def replay_all(settings: Settings, log: PinnedLog, indexes: Sequence[int]) -> Iterator[Drawn]:
    """Do each of the entries *indexes* again that is of a kind that can be, one after the other.

    Raises:
        LogDamagedError: one is not the one that was logged.
    """
    with open_warehouse(settings) as warehouse:
        for index in indexes:
            kind = describe(log.entry(index)).kind
            report = replay(settings, index, warehouse=warehouse) if kind in KINDS else None
            yield Drawn(index, kind, report)
