"""How hard a departmental system may be used: so many requests or rows a second, and only at the hours agreed.

Pure but for the clock and the sleep it is given. Leaves how many readers a system takes at once to the scheduler's
pools: limits hold for one connector in one process, so a system with several readers sees their sum.

Settings of any system: ``hours`` (``22:00-06:00``; several with ``;``; each may name its days first:
``mon-fri 22:00-06:00; sat,sun 00:00-24:00``; a window belongs to the day on which it opens), ``zone``
(``Asia/Shanghai``), ``rows_per_s``, and, for services, ``requests_per_s`` with ``burst``.

`connectors.registry.connect` puts a `Paced` around every connector, which looks at the hours before every probe and
read. A read that has begun is not cut off when its window closes. ``rows_per_s`` holds in the kinds that report their
progress while they read; ``requests_per_s`` in those that send requests (``http-json``).
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors import options as opt
from connectors.errors import ConnectorError, ConnectorSettingsError, SourceUnavailableError
from connectors.masking import keyed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from connectors.protocol import Acknowledges, Batch, Connector, Progress, ReadRequest

ZONE = "Asia/Shanghai"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
# A window of a weekday opens within a week; one more for an opening that a change of the clocks leaves out.
DAYS_AHEAD = 15
_WINDOW = re.compile(r"\s*(?:([a-z ,-]+?)\s+)?(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)\s*(?:;|$)", re.IGNORECASE)
HOURS_EXPECTED = "22:00-06:00; mon-fri 12:00-13:30"


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes of the day from *opens* to *closes*, on *days* (0 is Monday); past midnight where *closes* is less."""

    opens: int
    closes: int
    days: frozenset[int] = frozenset(range(7))

    def holds(self, weekday: int, minute: int) -> bool:
        """Whether *minute* (fractions dropped) of *weekday* lies in the window; its end is outside."""
        if self.opens < self.closes:
            return weekday in self.days and self.opens <= minute < self.closes
        late = weekday in self.days and minute >= self.opens
        early = (weekday - 1) % 7 in self.days and minute < self.closes
        return late or early


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours at which a system may be read, by the clocks of *zone*. No windows: at any time."""

    windows: tuple[Window, ...] = ()
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo(ZONE))
    text: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, str], where: str) -> Hours:
        """The settings ``hours`` and ``zone``.

        Raises:
            ConnectorSettingsError: one of them is not of the form above.
        """
        text = settings.get("hours", "").strip()
        name = settings.get("zone", "") or ZONE
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConnectorSettingsError(
                problem="setting_invalid", where=where, name="zone", expected="Asia/Shanghai | …"
            ) from None
        windows: list[Window] = []
        position = 0
        while position < len(text):
            found = _WINDOW.match(text, position)
            window = _window(found) if found else None
            if found is None or window is None:
                raise ConnectorSettingsError(
                    problem="setting_invalid", where=where, name="hours", expected=HOURS_EXPECTED
                )
            windows.append(window)
            position = found.end()
        return cls(tuple(windows), zone, text)

    def open_at(self, moment: datetime) -> bool:
        """Whether the system may be read at *moment* (aware)."""
        local = moment.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return not self.windows or any(window.holds(local.weekday(), minute) for window in self.windows)

    def opens(self, moment: datetime) -> datetime:
        """The first moment from *moment* on at which the system may be read, in UTC."""
        if self.open_at(moment):
            return moment.astimezone(UTC)
        today = moment.astimezone(self.zone).date()
        candidates = []
        for ahead in range(DAYS_AHEAD):
            day = today + timedelta(days=ahead)
            for window in self.windows:
                if day.weekday() in window.days:
                    hour, minute = divmod(window.opens, 60)
                    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                    candidates.append(local.astimezone(UTC))
        # An opening may fall into an hour that the clocks leave out; then it is no opening.
        later = [at for at in candidates if at > moment and self.open_at(at)]
        return min(later, default=moment.astimezone(UTC) + timedelta(days=DAYS_AHEAD))

    def check(self, moment: datetime, where: str) -> None:
        """Raise outside the hours.

        Raises:
            SourceUnavailableError: ``outside_hours``; ``params["retry_after_s"]`` says when the next window opens.
        """
        opens = self.opens(moment)
        wait_s = (opens - moment).total_seconds()
        if wait_s > 0:
            raise SourceUnavailableError(
                problem="outside_hours",
                where=where,
                hours=self.text,
                zone=self.zone.key,
                opens=opens.astimezone(self.zone).isoformat(timespec="minutes"),
                retry_after_s=wait_s,
            )


def _window(found: re.Match[str]) -> Window | None:
    opens, closes = int(found[2]) * 60 + int(found[3]), int(found[4]) * 60 + int(found[5])
    if int(found[3]) > 59 or int(found[5]) > 59 or opens >= DAY_MINUTES or closes > DAY_MINUTES or opens == closes:  # noqa: PLR2004 - minutes of an hour
        return None
    days: set[int] = set()
    for part in (found[1] or "mon-sun").lower().split(","):
        first, _, last = part.strip().partition("-")
        if first.strip() not in DAYS or (last.strip() or first.strip()) not in DAYS:
            return None
        begin, end = DAYS.index(first.strip()), DAYS.index(last.strip() or first.strip())
        # sat-mon runs over the end of the week.
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return Window(opens, closes, frozenset(days))


class Bucket:
    """A token bucket: `take` waits until so many may pass. May be used by several threads.

    Up to any moment t after the first, no more than ``burst + rate · t`` have passed, and one taking more than the
    burst is let through at once but paid for by those after it (a source hands over rows as it likes).
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._clock = clock
        self._sleep = sleep
        self._held = self._burst
        self._then: float | None = None
        self._lock = threading.Lock()

    def take(self, count: int = 1) -> float:
        """Wait until *count* may pass; the seconds waited."""
        with self._lock:
            now = self._clock()
            # A clock that steps back gives nothing, and takes nothing away.
            passed = 0.0 if self._then is None else max(0.0, now - self._then)
            self._then = now
            self._held = min(self._burst, self._held + passed * self._rate)
            wait_s = max(0.0, (min(count, self._burst) - self._held) / self._rate)
            # Taken before the wait is over: who comes next waits behind.
            self._held -= count
        if wait_s > 0:
            self._sleep(wait_s)
        return wait_s


def bucket(
    settings: Mapping[str, str],
    name: str,
    where: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Bucket | None:
    """The bucket of the setting *name* (so many a second; ``burst``: how many at once), or None where it is not set.

    Raises:
        ConnectorSettingsError: it is not a positive number.
    """
    if not settings.get(name):
        return None
    rate = opt.positive(settings, name, 1.0, where)
    burst = opt.positive(settings, "burst", max(1.0, rate), where) if name == "requests_per_s" else rate
    return Bucket(rate, burst, clock=clock, sleep=sleep)


class Paced:
    """A connector that keeps the hours, the rows a second and the landing key of its system; else the one inside.

    Errors leave it without the exceptions that they came from: a driver's own may hold the connection, and with it
    the password, for whoever prints all that hangs on an error.
    """

    def __init__(
        self,
        inner: Connector,
        *,
        hours: Hours,
        rows: Bucket | None = None,
        landing_key: Callable[[], str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._inner = inner
        self._hours = hours
        self._rows = rows
        self._landing_key = landing_key
        self._now = now

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the connector inside offers beyond the protocol
        # Copying and unpickling ask before there is an inner one; that must not go round for ever.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._inner, name)

    @property
    def kind(self) -> str:
        """The kind of the connector inside."""
        return self._inner.kind

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """As the connector inside.

        Raises:
            SourceUnavailableError: it is outside the system's hours; else as the connector inside.
        """
        self._hours.check(self._now(), self._inner.kind)
        with _severed():
            return self._inner.probe(object, options)

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """As the connector inside.

        Raises:
            SourceUnavailableError: it is outside the system's hours; else as the connector inside.
        """
        self._hours.check(self._now(), self._inner.kind)
        if self._rows is not None:
            request = replace(request, progress=_slowed(self._rows, request.progress))
        with keyed(self._landing_key), _severed():
            return self._inner.read(request, into)


class PacedAcknowledging(Paced):
    """The same around a kind that is told of commits. Telling keeps no hours: a flag or a slot left behind costs more.

    A class of its own, because `Acknowledges` is recognised by the method.
    """

    def acknowledge(self, object: str, options: Mapping[str, str], cursor: str | None) -> None:  # noqa: A002  # as above
        """As the connector inside."""
        inner: Acknowledges = self._inner  # type: ignore[assignment]  # `registry.connect` chose this class by it
        with _severed():
            inner.acknowledge(object, options, cursor)


@contextmanager
def _severed() -> Iterator[None]:
    try:
        yield
    except ConnectorError as error:
        error.__cause__ = error.__context__ = None
        raise


def _slowed(rows: Bucket, told: Callable[[Progress], None] | None) -> Callable[[Progress], None]:
    seen = 0

    def progress(now: Progress) -> None:
        nonlocal seen
        if now.rows > seen:
            rows.take(now.rows - seen)
            seen = now.rows
        if told is not None:
            told(now)

    return progress
