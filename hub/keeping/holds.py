"""Holds bodies beyond their time (保全), releases them, and erases bodies on request (依申请删除); the log keeps all.

A hold is an entry (``bodies.held``): of which entries, or about which persons by their keyed hash, and on what ground;
its number is the entry's. It is in force until another entry releases it. Of held bodies none is erased, and those
whose time is over are carried on (`hub.keeping.expiring`).

The ground stands in the public log: it names a file or a law, and no person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from audit.entry import Entry
from audit.expiry import names, ranges_of
from audit.searching import Query, describe
from hub.errors import QueryInvalidError
from hub.keeping.errors import BodyHeldError, HoldUnknownError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from hub.auditsearch import Desk
    from hub.evidence import Evidence

HELD: Final = "bodies.held"
RELEASED: Final = "bodies.released"
MAX_GROUND_CHARS: Final = 200
MAX_ENTRIES: Final = 10_000  # of one hold or erasure; what is about persons is named by them
MAX_SUBJECTS: Final = 100


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold in force: entry *number* made it. *ranges* are first and last entries, *subjects* keyed hashes."""

    number: int
    at: datetime
    by: str
    ground: str
    ranges: Sequence[Sequence[int]]
    subjects: tuple[str, ...]

    def covers(self, index: int, subjects: Sequence[str]) -> bool:
        """Whether the body of entry *index*, which is about *subjects*, is held."""
        return names(self.ranges, index) or any(subject in self.subjects for subject in subjects)

    def to_plain(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "hold": self.number,
            "at": self.at.isoformat(),
            "by": self.by,
            "ground": self.ground,
            "entries": [list(pair) for pair in self.ranges],
            "subjects": list(self.subjects),
        }


def in_force(desk: Desk) -> tuple[Hold, ...]:
    """The holds that no entry of the desk's log has released, the oldest first.

    Raises:
        LogDamagedError, IndexDamagedError: it cannot be said; nothing may be dropped or erased.
    """
    found: dict[int, Hold] = {}
    for hit in desk.find(Query(kinds=(HELD, RELEASED))):
        entry = Entry.decode(hit.data)
        if entry.kind == RELEASED:
            found.pop(int(entry.facts["hold"]), None)
            continue
        found[hit.index] = Hold(
            hit.index,
            entry.at,
            entry.actor,
            str(entry.facts["ground"]),
            entry.facts["entries"],
            # Those that the entry names in its facts alone; it is not about them itself.
            tuple(entry.facts["held_subjects"]),
        )
    return tuple(found.values())


def hold(desk: Desk, numbers: Sequence[int], subjects: Sequence[str], ground: str) -> int:
    """Hold the bodies of the entries *numbers*, and of all about *subjects*, those to come, too; the hold's number.

    Raises:
        QueryInvalidError: nothing is named, or too much, or no ground.
        EntryMissingError: there is no such entry.
        EvidenceUnavailableError: it is not held.
    """
    evidence = _here(desk)
    _check_ground(ground)
    if not numbers and not subjects:
        raise QueryInvalidError(where="entries", why="nothing is named", why_zh="未指明条目或当事人")
    _check_many(numbers, subjects)
    for number in numbers:
        desk.log.entry(number)
    facts = {"entries": ranges_of(numbers), "held_subjects": sorted(set(subjects)), "ground": ground.strip()}
    return evidence.append(HELD, actor=desk.actor, facts=facts).index


def release(desk: Desk, number: int, ground: str) -> int:
    """End hold *number*; the entry that says so. Bodies whose time is over go with the next expiry.

    Raises:
        HoldUnknownError, QueryInvalidError, EvidenceUnavailableError
    """
    evidence = _here(desk)
    _check_ground(ground)
    if all(one.number != number for one in in_force(desk)):
        raise HoldUnknownError(hold=number)
    return evidence.append(RELEASED, actor=desk.actor, facts={"hold": number, "ground": ground.strip()}).index


def erase(desk: Desk, numbers: Sequence[int], ground: str) -> tuple[int, int]:
    """Erase the bodies of the entries *numbers*; the entry that says so, and how many bodies there were.

    What many calls have in common is kept: it holds nothing personal. The entry goes first: a crash after it leaves
    bodies that were said to go, and asking again erases them.

    Raises:
        BodyHeldError: one is held; none was erased.
        QueryInvalidError: nothing is named, or too much, or no ground.
        EntryMissingError, LogDamagedError: an entry is not there, or not what was logged.
        EvidenceUnavailableError, StorageFailedError: some may be left; ask again.
    """
    evidence = _here(desk)
    _check_ground(ground)
    if not numbers:
        raise QueryInvalidError(where="entries", why="nothing is named", why_zh="未指明条目")
    _check_many(numbers, ())
    holds = in_force(desk)
    digests: list[str] = []
    about: dict[str, None] = {}
    for number in sorted(set(numbers)):
        data = desk.log.entry(number)
        subjects = describe(data).subjects
        for one in holds:
            if one.covers(number, subjects):
                raise BodyHeldError(entry=number, hold=one.number, ground=one.ground)
        digest = Entry.decode(data).body_digest
        digests += [digest] if digest else []
        about.update(dict.fromkeys(subjects))
    facts: dict[str, Any] = {"entries": ranges_of(numbers), "ground": ground.strip()}
    one_person = next(iter(about)) if len(about) == 1 else ""
    if 1 < len(about) <= MAX_SUBJECTS:
        facts["subjects"] = list(about)
    entry = evidence.append("bodies.erased", actor=desk.actor, subject=one_person, facts=facts)
    return entry.index, sum(evidence.bodies.erase(digest) for digest in digests)


def bodies_of(desk: Desk, one: Hold) -> Iterator[tuple[Entry, str]]:
    """The entries that *one* holds, with the digests of their bodies; those without a body left out."""
    seen: set[int] = set()
    for first, last in one.ranges:
        seen.update(range(first, last + 1))
        for data in desk.log.entries(first, min(last + 1, desk.log.size)):
            entry = Entry.decode(data)
            if entry.body_digest:
                yield entry, entry.body_digest
    if not one.subjects:
        return
    for hit in desk.find(Query(subjects=one.subjects)):
        entry = hit.entry
        if hit.index not in seen and entry.body_digest:
            yield entry, entry.body_digest


def _here(desk: Desk) -> Evidence:
    if desk.evidence is None:
        raise QueryInvalidError(
            where="--log", why="this is done at the deployment alone", why_zh="只能在平台上办理，不能离线办理"
        )
    return desk.evidence


def _check_ground(ground: str) -> None:
    if not 1 <= len(ground.strip()) <= MAX_GROUND_CHARS or not ground.isprintable():
        raise QueryInvalidError(
            where="ground",
            why=f"a line of 1 to {MAX_GROUND_CHARS} characters is wanted: a file's number or a law, no person",
            why_zh=f"应为 1 至 {MAX_GROUND_CHARS} 字的一行文本：文号或法律依据，不得写个人信息",
        )


def _check_many(numbers: Sequence[int], subjects: Sequence[str]) -> None:
    if len(set(numbers)) > MAX_ENTRIES or len(set(subjects)) > MAX_SUBJECTS:
        raise QueryInvalidError(
            where="entries",
            why=f"{MAX_ENTRIES} entries and {MAX_SUBJECTS} persons fit at once",
            why_zh=f"一次至多 {MAX_ENTRIES} 个条目、{MAX_SUBJECTS} 名当事人",
        )
