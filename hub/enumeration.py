"""A budget against enumeration: how many wrong claims about one record may be made before nothing more is answered.

Who may verify what is `catalog.decide`'s affair; what a wrong claim is, `hub.matching`'s. Counted are mismatches, by
grant and record: an unknown tells nothing, and a match ends the guessing.

How late another process's count is seen: a miss is in the control database before its answer leaves, and every process
reads what is new there with the first call after `REFRESH_S`, which costs one query for all calls of that time. So
until at most that long after a miss (and the time of the query) another process may still answer. Within one process
no miss is ever late, and calls under way count as if they missed. With P processes one record can hence be asked about
at most P × limit times in the first seconds, and not again until the window has passed.
"""

from __future__ import annotations

import hashlib
import heapq
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol

import sqlalchemy as sa

from hub.control import VerifyMiss
from hub.errors import TooFastError, TryAgainError
from hub.settings import DEFAULT_VERIFY_MISSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from catalog.model import InformationResource
    from hub.control import Control
    from hub.matching.comparing import Wire

WINDOW_S = 3_600
REFRESH_S = 2.0
MOST = 200_000
"""Misses remembered at once: some 100 MB, and 55 a second for a whole hour."""

# Room between refusing to answer and being unable to count: more than any number of calls under way.
_SLACK = 2_000
# A transaction may commit after one that began later; none of ours takes as long.
_OVERLAP_S = 30.0
_FORGET_EVERY = 100
_UNDER_WAY_S = 1.0
_MOST_COUNTED = 10_000


class GuessesExhaustedError(TooFastError):
    """Too many claims about one record were wrong; nothing about it is verified under this grant for a while."""

    code = "guesses_exhausted"
    en = "Too many claims about this record did not match, so none is answered now. Try again in {seconds} s."
    zh = "针对该记录的核验不一致次数过多，暂不予应答。请在 {seconds} 秒后重试。"


class MissesFullError(TryAgainError):
    """More misses are remembered than there is room for, and none is old enough to be forgotten."""

    code = "misses_full"
    en = "Too many claims did not match in the last hour, and no more can be counted. Try again later."
    zh = "近一小时内核验不一致次数过多，已无法继续计数。请稍后重试。"
    retry_after_s = 60


class Miss(NamedTuple):
    """*claims* that did not match in one call, at *at* (POSIX seconds); *number* is the miss's own."""

    number: int
    key: bytes
    at: float
    claims: int


class Windows:
    """The misses of the last *window_s* seconds, in memory. Pure: the time is always given. For one thread at a time.

    The window slides, so that in no span of its length more than the limit is reached. What has not ended is never
    forgotten, whatever the number.
    """

    def __init__(self, window_s: float, most: int) -> None:
        self._window_s = window_s
        self._most = most
        self._misses: dict[bytes, dict[int, Miss]] = {}
        self._oldest: list[tuple[float, int, bytes]] = []

    @property
    def held(self) -> int:
        """How many misses are remembered."""
        return len(self._oldest)

    def add(self, miss: Miss, now: float) -> bool:
        """Remember *miss*, once however often it is added; False where there is no room for it."""
        if miss.at + self._window_s <= now or miss.number in self._misses.get(miss.key, {}):
            return True
        if not self.room(now):
            return False
        self._misses.setdefault(miss.key, {})[miss.number] = miss
        heapq.heappush(self._oldest, (miss.at, miss.number, miss.key))
        return True

    def room(self, now: float, slack: int = 0) -> bool:
        """Whether more than *slack* misses could be remembered, after what has ended is forgotten."""
        while self._oldest and self._oldest[0][0] + self._window_s <= now:
            _, number, key = heapq.heappop(self._oldest)
            left = self._misses[key]
            del left[number]
            if not left:
                del self._misses[key]
        return len(self._oldest) + slack < self._most

    def wait_s(self, key: bytes, limit: int, now: float) -> float:
        """In how many seconds fewer than *limit* (more than 0) wrong claims will be remembered of *key*; 0: now."""
        misses = self._misses.get(key)
        if misses is None:
            return 0.0
        lasting = sorted((m.at, m.claims) for m in misses.values() if m.at + self._window_s > now)
        total = sum(count for _, count in lasting)
        wait = 0.0
        for at, count in lasting:
            if total < limit:
                break
            total -= count
            wait = at + self._window_s - now
        return wait


class Misses(Protocol):
    """Where processes tell each other of misses. Promise: what `append` returned from, every later `since` gives."""

    def append(self, key: bytes, at: datetime, count: int) -> int:
        """Keep a miss durably; the number under which others find it, rising with time but for some seconds."""

    def since(self, number: int, after: datetime, most: int) -> Sequence[Miss]:
        """At most *most* misses with higher numbers than *number*, later than *after*, by number."""


class ControlMisses:
    """Misses in the control database. Safe for many threads and processes."""

    def __init__(self, control: Control, *, window_s: float = WINDOW_S) -> None:
        self._control = control
        self._window_s = window_s

    def append(self, key: bytes, at: datetime, count: int) -> int:
        """See `Misses`. Now and then those that have ended are deleted.

        A crash before the commit leaves no miss and no answer; after it, a miss that nobody was told of.
        """
        with self._control.writing() as connection:
            values = {"key": key.hex(), "at": at, "count": count}
            number = int(connection.execute(sa.insert(VerifyMiss).values(values).returning(VerifyMiss.id)).scalar_one())
            if number % _FORGET_EVERY == 0:
                ended = at - timedelta(seconds=2 * self._window_s)
                connection.execute(sa.delete(VerifyMiss).where(VerifyMiss.at < ended))
        return number

    def since(self, number: int, after: datetime, most: int) -> Sequence[Miss]:
        """See `Misses`."""
        query = (
            sa.select(VerifyMiss.id, VerifyMiss.key, VerifyMiss.at, VerifyMiss.count)
            .where(VerifyMiss.id > number, VerifyMiss.at > after)
            .order_by(VerifyMiss.id)
            .limit(most)
        )
        with self._control.reading() as connection:
            rows = connection.execute(query).all()
        return [Miss(number, bytes.fromhex(key), when.timestamp(), claims) for number, key, when, claims in rows]


def subjects_of(
    resource: InformationResource,
    rows: Iterable[Mapping[str, Wire]],
    hashed: Callable[[Mapping[str, str]], str],
) -> list[str]:
    """The keyed hash of each record that a call is about, by its own key.

    By what is stored, not by what was asked: whoever asks by another look-up field, by more of them, in another width,
    for another case or through another operator asks about the same record. *hashed* is `Evidence.subject`.
    """
    # No field's name is empty, so that no hash of a call's own keys is ever one of these.
    return [hashed({"": resource.code, **{f.name: str(row[f.name]) for f in resource.key}}) for row in rows]


class Budget:
    """How many wrong claims are left, by grant and record. Safe for many threads.

    Where several grants allow a call together, *grant* names them with commas between, and each counts on its own: who
    puts grants together in other ways finds nothing new. Where no grant decided, it is the consumer's department.
    With a *limit* of 0 nothing is counted and nothing refused.
    """

    def __init__(
        self,
        limit: int = DEFAULT_VERIFY_MISSES,
        *,
        window_s: float = WINDOW_S,
        most: int = MOST,
        misses: Misses | None = None,
        refresh_s: float = REFRESH_S,
    ) -> None:
        self._limit = limit
        self._window_s = window_s
        self._most = most
        self._misses = misses
        self._refresh_s = refresh_s
        self._windows = Windows(window_s, most)
        self._under_way: Counter[bytes] = Counter()
        self._lock = threading.Lock()
        self._reading = threading.Lock()
        self._read_at: float | None = None
        # (when, up to which number) of the last readings: what is read begins before the last one.
        self._marks: list[tuple[float, int]] = []
        self._own = 0

    def check(self, grant: str, subject: str, at: datetime) -> None:
        """Refuse to answer about *subject* if its wrong claims are used up. To be asked before every answer.

        A match is refused as well: were it answered, a refusal would tell a mismatch.

        Raises:
            GuessesExhaustedError: wait, for as long as the error says.
            MissesFullError: no miss could be counted, so none may be told.
            ControlUnavailableError: what other processes counted cannot be read.
        """
        if self._limit:
            self._follow(at)
            now = at.timestamp()
            with self._lock:
                self._refuse(_keys(grant, [subject]), now)

    def missed(self, grant: str, subject: str, at: datetime, count: int = 1) -> None:
        """Count *count* wrong claims about *subject*; the answer that tells of them may leave when this returns.

        Raises:
            MissesFullError, ControlUnavailableError: they could not be counted; do not tell of them.
        """
        if not self._limit or count < 1:
            return
        now = at.timestamp()
        for key in _keys(grant, [subject]):
            counted = min(count, _MOST_COUNTED)
            number = 0
            try:
                if self._misses is not None:
                    number = self._misses.append(key, at, counted)
            finally:
                # Even what others are not told of counts here.
                with self._lock:
                    self._own -= 1
                    added = self._windows.add(Miss(number or self._own, key, now, counted), now)
            if not added:
                raise MissesFullError

    @contextmanager
    def turn(self, grant: str, subjects: Sequence[str], at: datetime) -> Iterator[Callable[[str, int], None]]:
        """`check` for every one of *subjects*; within it, what it gives is `missed` (subject, count) for this call.

        Calls under way count as one miss each until they end, so that many at once find out no more than one by one.

        Raises:
            GuessesExhaustedError, MissesFullError, ControlUnavailableError: as `check`.
        """
        if not self._limit:
            yield lambda *_: None
            return
        self._follow(at)
        keys = _keys(grant, subjects)
        with self._lock:
            self._refuse(keys, at.timestamp())
            self._under_way.update(keys)
        try:
            yield lambda subject, count: self.missed(grant, subject, at, count)
        finally:
            with self._lock:
                for key in keys:
                    self._under_way[key] -= 1
                    if not self._under_way[key]:
                        del self._under_way[key]

    def _refuse(self, keys: Sequence[bytes], now: float) -> None:
        if not self._windows.room(now, min(_SLACK, self._most // 10)):
            raise MissesFullError
        wait = max((self._windows.wait_s(key, self._limit, now) for key in keys), default=0.0)
        if wait > 0:
            raise GuessesExhaustedError(wait)
        for key in keys:
            under_way = self._under_way.get(key, 0)
            if under_way and self._windows.wait_s(key, max(1, self._limit - under_way), now) > 0:
                raise GuessesExhaustedError(_UNDER_WAY_S)
            if under_way >= self._limit:
                raise GuessesExhaustedError(_UNDER_WAY_S)

    def _follow(self, at: datetime) -> None:
        """Take over what other processes have counted, unless it was just done. The first call waits for it."""
        misses, now = self._misses, at.timestamp()
        if misses is None:
            return
        first = self._read_at is None
        if not first and self._read_at is not None and 0 <= now - self._read_at < self._refresh_s:
            return
        if not self._reading.acquire(blocking=first):
            return  # another thread is at it
        try:
            if first and self._read_at is not None:
                return
            begin = max((number for when, number in self._marks if when <= now - _OVERLAP_S), default=0)
            found = misses.since(begin, at - timedelta(seconds=self._window_s), self._most + 1)
            with self._lock:
                for miss in found:
                    self._windows.add(miss, now)
            last = max((miss.number for miss in found), default=begin)
            kept = [mark for mark in self._marks if now - mark[0] < 2 * _OVERLAP_S]
            self._marks = [*kept, (now, last)]
            self._read_at = now
        finally:
            self._reading.release()


def _keys(grant: str, subjects: Sequence[str]) -> list[bytes]:
    """What is counted by: one for every grant and subject. Neither can be told from it."""
    return [
        hashlib.blake2b(f"{one}\n{subject}".encode(), digest_size=16).digest()
        for one in dict.fromkeys(grant.split(","))
        for subject in dict.fromkeys(subjects)
    ]
