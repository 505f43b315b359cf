"""What is looked for in a log, and finding it by reading every entry: the truth that `audit.searchindex` is held to.

An entry that is none (see `audit.entry`) is found by nothing but an empty query. Who may search, and turning a person
into the keyed hash that stands in an entry, is left to the callers.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .entry import Entry
from .errors import InputInvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .pinned import PinnedLog

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class QueryError(InputInvalidError):
    """Mend what is looked for."""

    en = "This cannot be searched for: {problem}."
    zh = "无法按此检索：{problem}。"


class About(NamedTuple):
    """What an entry can be found by. *at* is in microseconds since 1970; *subjects* are keyed hashes."""

    at: int
    kind: str
    actor: str
    resource: str
    purpose: str
    outcome: str
    subjects: tuple[str, ...]


NOTHING: Final = About(-1, "", "", "", "", "", ())
"""Of bytes that are no entry."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: one of the values of every criterion that has any.

    A kind that ends in a dot stands for all that begin so (``licence.``), an actor that ends in a colon for a
    department and all its posts (``RS:``). *since* and *until* are aware; the first is in the span, the last is not.
    """

    actors: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is None:
                raise QueryError(problem="a time without its zone")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise QueryError(problem="the span of time is empty")

    @property
    def span(self) -> tuple[int | None, int | None]:
        """*since* and *until* in microseconds since 1970."""
        since, until = self.since, self.until
        return None if since is None else micros(since), None if until is None else micros(until)

    def fits(self, about: About) -> bool:
        """Whether an entry that is *about* this is looked for."""
        since, until = self.span
        return (
            (not self.kinds or any(kind_fits(kind, about.kind) for kind in self.kinds))
            and (not self.actors or any(actor_fits(actor, about.actor) for actor in self.actors))
            and (not self.resources or about.resource in self.resources)
            and (not self.purposes or about.purpose in self.purposes)
            and (not self.outcomes or about.outcome in self.outcomes)
            and (not self.subjects or any(subject in self.subjects for subject in about.subjects))
            and (since is None or about.at >= since)
            and (until is None or (0 <= about.at < until))
        )

    def to_plain(self) -> dict[str, Any]:
        """JSON values, the criteria that are there alone; fit for the facts of an entry."""
        plain = {name: list(value) for name, value in asdict(self).items() if isinstance(value, tuple) and value}
        times = {name: getattr(self, name) for name in ("since", "until")}
        return {**plain, **{n: at.astimezone(UTC).isoformat() for n, at in times.items() if at is not None}}


CRITERIA: Final = tuple(f.name for f in fields(Query) if f.name not in ("since", "until"))


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that was found: its place, its bytes as they were proven to stand there, and what they say."""

    index: int
    data: bytes
    about: About

    @property
    def entry(self) -> Entry:
        """The entry. Raises: EntryInvalidError: the bytes are none."""
        return Entry.decode(self.data)


# Nearly every entry has no escape in it, so that quotes alone delimit its texts and its ends can be read by themselves:
# what stands before `facts` and what stands after them, whatever they hold. What has another form is parsed, which
# takes twice as long.
_BEFORE: Final = re.compile(
    r'\{"actor":"([^"]*+)","at":"([-0-9]{10}T[:0-9]{8})\.([0-9]{6})Z","body_digest":"[^"]*+","facts":\{'
)
_AFTER: Final = re.compile(r'([^"]*+)","purpose":"([^"]*+)","resource":"([^"]*+)","subject":"([^"]*+)"\}')
_TUPLE: Final = tuple.__new__
_END: Final = '},"kind":"'
_AT: Final = re.compile(r"[-0-9]{10}T[:0-9]{8}\.[0-9]{6}Z")
_OUTCOME: Final = re.compile(r'"outcome":"([^"]*+)"')
# Maps that are closed again, no brace being in a text: what comes after them is of the facts themselves.
_CLOSED: Final = re.compile(r'(?:[^"{}]++|"[^"{}]*+"|\{(?:[^"{}]++|"[^"{}]*+")*+\})*+')


def describe(data: bytes) -> About:
    """What an entry with these bytes can be found by; `NOTHING` of bytes that have not an entry's members.

    Quicker than `Entry.decode` and less strict: that the form is canonical is not looked at.
    """
    try:
        text = data.decode()
        before, end = _BEFORE.match(text), text.rfind(_END)
        after = _AFTER.fullmatch(text, end + len(_END))
        if before is None or after is None or end < before.end() or "\\" in text or '"subjects":' in text:
            return _parsed(text)
        actor, second, fraction = before.groups()
        kind, purpose, resource, subject = after.groups()
        outcome = ""
        place = text.find('"outcome":', before.end(), end)
        if place >= 0:
            inner = text.find("{", before.end(), place)
            found = _OUTCOME.match(text, place, end)
            nested = inner >= 0 and _CLOSED.fullmatch(text, inner, place) is None
            if nested or found is None or text.find('"outcome":', place + 1, end) >= 0:
                return _parsed(text)
            outcome = found[1]
        at = _second(second) + int(fraction)
    except ValueError:
        return NOTHING
    # As About(…) does, without its call of a function: a tenth of the time of all this.
    return _TUPLE(About, (at, kind, actor, resource, purpose, outcome, (subject,) if subject else ()))


def scan(log: PinnedLog, query: Query, start: int = 0, end: int | None = None) -> Iterator[Hit]:
    """The entries from *start* to *end* − 1 (default: all) that *query* looks for, in order, each of them read.

    Raises:
        LogDamagedError: an entry is not the one that was logged.
    """
    last = log.size if end is None else min(end, log.size)
    for index, data in enumerate(log.entries(min(start, last), last), start):
        about = describe(data)
        if query.fits(about):
            yield Hit(index, data, about)


def kind_fits(wanted: str, kind: str) -> bool:
    """Whether *kind* is *wanted*, or begins with it where it ends in a dot."""
    return kind == wanted or (wanted.endswith(".") and kind.startswith(wanted))


def actor_fits(wanted: str, actor: str) -> bool:
    """Whether *actor* is *wanted*, or the department or a post of it where that ends in a colon."""
    return actor == wanted or (wanted.endswith(":") and (actor == wanted[:-1] or actor.startswith(wanted)))


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - EPOCH) // _MICROSECOND


def moment_of(at: int) -> datetime:
    """The moment that is *at* microseconds after 1970."""
    return EPOCH + at * _MICROSECOND


def _parsed(text: str) -> About:
    try:
        plain = json.loads(text)
        facts, subject = plain["facts"], plain["subject"]
        outcome, many = facts.get("outcome", ""), facts.get("subjects")
        if not isinstance(outcome, str):
            outcome = ""
        subjects: tuple[str, ...] = (subject,) if subject else ()
        if isinstance(many, list):
            subjects = tuple(dict.fromkeys((*subjects, *(one for one in many if isinstance(one, str) and one))))
        words = (plain["kind"], plain["actor"], plain["resource"], plain["purpose"])
        # A word that is no text, or holds half a surrogate pair, could be kept nowhere.
        "".join((*words, outcome, *subjects)).encode()
        at = plain["at"]
        if _AT.fullmatch(at) is None:
            return NOTHING
        return About(_second(at[:19]) + int(at[20:26]), *words, outcome, subjects)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return NOTHING


@lru_cache(maxsize=64)
def _second(text: str) -> int:
    """Microseconds since 1970 of a second in UTC; entries of one second stand together."""
    return micros(datetime.fromisoformat(text).replace(tzinfo=UTC))
