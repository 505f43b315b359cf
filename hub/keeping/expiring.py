"""Lets bodies go whose time is over (保存期满), but for those that are held, and says so in the log.

How bodies lie in segments, and how those are dropped, is `audit.store`'s; who holds what, `hub.keeping.holds`'.

The steps of `expire`, by number:

    1. bodies of earlier versions are moved into segments, which alone are dropped
    2. which segments are due is looked up; where none is, that is all
    3. held bodies that lie nowhere else are put again, with the time of today
    4. a mark is left that bodies are going; they go; the log says how many; the mark is taken away

A crash after 3 leaves bodies in two places, which harms nobody. A crash within 4 leaves the mark, and the next run
writes the entry even if nothing is left to go: bodies never go without the log saying so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from audit.bodyfinder import Finder
from audit.canonical import encode_json
from audit.errors import AuditError, BodyDamagedError, LogDamagedError
from audit.expiry import due
from audit.pinned import PinnedLog
from audit.searchindex import SearchIndex
from hub.auditsearch import Desk
from hub.evidence import log_verifiers
from hub.files import replace_file
from hub.keeping.fates import index_file
from hub.keeping.holds import bodies_of, in_force

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from audit.store import BodyStore
    from hub.office import Office
    from hub.settings import Settings

ACTOR: Final = "hub:upkeep"
# What calls of a day have in common is put once that day, before them, and must not go before the last of them.
COMMON: Final = timedelta(days=1)
_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Expired:
    """What an expiry did: bodies *moved* from earlier forms, *expired*, and *held* ones put again."""

    moved: int = 0
    expired: int = 0
    held: int = 0

    def to_plain(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


def limit_of(settings: Settings, now: datetime) -> datetime | None:
    """Bodies put before this moment go; None: they are kept for ever."""
    days = settings.body_days
    return now - timedelta(days=days) - COMMON if days > 0 else None


def expire(office: Office) -> Expired:
    """Let go what is due by the settings of *office*. For one at a time; safe to repeat.

    Raises:
        StorageFullError, StorageFailedError, LogLockedError, EvidenceUnavailableError: some are left; try again.
        LogDamagedError, BodyDamagedError: after all else was done; call a person.
    """
    bodies, settings = office.evidence.bodies, office.settings
    moved, damage = _moved(bodies)  # step 1
    before = limit_of(settings, office.now())
    expired = held = 0
    mark = settings.home / "run" / "bodies-expiring"
    if before is not None:
        going = due(settings.bodies, before)  # step 2
        if going or mark.exists():
            held = _carried(office, going)  # step 3
            expired, fault = _dropped(office, before, mark, held)  # step 4
            damage = damage or fault
    if damage is not None:
        raise damage
    return Expired(moved, expired, held)


def _moved(bodies: BodyStore) -> tuple[int, AuditError | None]:
    try:
        return bodies.migrate(), None
    except BodyDamagedError as error:
        # The others were moved; what is damaged stays where it is.
        return 0, error


def _carried(office: Office, going: frozenset[int]) -> int:
    """Put held bodies again that lie in no other segment than those *going*; how many."""
    evidence = office.evidence
    evidence.publish()
    log = PinnedLog(office.settings.log, log_verifiers(office.settings))
    desk = Desk(log, SearchIndex(index_file(office.settings.log), log), evidence, ACTOR)
    desk.cover()
    finder = Finder(office.settings.bodies)
    done: set[str] = set()
    again: list[tuple[str, bytes, bytes]] = []
    for one in in_force(desk):
        for _, digest in bodies_of(desk, one):
            again += _copies(evidence.bodies, finder, digest, going, done)
            if len(again) >= _AT_ONCE:
                evidence.bodies.put_many(again)
                again.clear()
    evidence.bodies.put_many(again)
    return len(done)


def _copies(
    bodies: BodyStore, finder: Finder, digest: str, going: frozenset[int], done: set[str]
) -> list[tuple[str, bytes, bytes]]:
    """The body with this *digest* and what it names, as far as they would go; noted in *done*."""
    places = {segment for segment, _ in finder.places(bytes.fromhex(digest.removeprefix("sha256:")))}
    found = bodies.get(digest) if digest not in done and places <= going else None
    if found is None:
        return []
    done.add(digest)
    salt, body = found
    named = str(body.get("terms", ""))
    more = _copies(bodies, finder, named, going, done) if named else []
    return [*more, (digest, salt, encode_json(body))]


def _dropped(office: Office, before: datetime, mark: Path, held: int) -> tuple[int, AuditError | None]:
    damage: AuditError | None = None
    gone = 0
    mark.parent.mkdir(parents=True, exist_ok=True)
    replace_file(mark, before.isoformat().encode())
    try:
        gone = office.evidence.bodies.expire(before)
    except LogDamagedError as error:
        # Sound segments went all the same, and were counted by nobody.
        damage = error
    facts: dict[str, Any] = {
        "before": before.isoformat(),
        "days": office.settings.body_days,
        "count": gone,
        "held": held,
    }
    facts |= {} if damage is None else {"damaged": True}
    office.evidence.append("bodies.expired", actor=ACTOR, facts=facts)
    mark.unlink(missing_ok=True)
    return gone, damage
