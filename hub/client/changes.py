"""Follows what changes in a resource, event by event, from a cursor that is kept between two runs.

What is told, and how a cursor behaves, is said in docs/api.md; going over the wire is `hub.client.wire`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from hub.errors import AnswerRefusedError
from hub.requests import parse_call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from hub.client.answers import Called
    from hub.client.lines import AsyncLine, Line
    from hub.client.talk import Talk, Talker

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
NOW: Final = "now"
PAGE: Final = 500  # events; the hub gives at most 1,000


@dataclass(frozen=True, slots=True)
class Change:
    """One *event*, as the hub told it, of a *page* with its grant, masks and receipt.

    *cursor* is where to go on once the event is worked on: after the last one of a page it is the next page's, after
    the others still the page's own, so that some may come again; they have the same `id` then.
    """

    event: Mapping[str, Any]
    cursor: str
    page: Called

    @property
    def id(self) -> str:
        """The same whenever the event is told."""
        return str(self.event["id"])

    @property
    def kind(self) -> str:
        """insert, update, delete, history, correction or recall."""
        return str(self.event["kind"])

    @property
    def view_changed(self) -> bool:
        """Whether fields, masks or rows are others than when the cursor was made: begin anew with all the rows."""
        return bool(self.page.plain.get("view_changed"))


class Walk(Protocol[T_co]):
    """A walk through pages, without any I/O."""

    more: bool

    def begin(self) -> None:
        """Set out, or go on where the last walk ended."""

    def page(self) -> Talk[Iterator[T_co]]:
        """What the next page holds, which says whether there is *more* once all of it was taken."""


class Position:
    """Where a follower is: *cursor*, from which it goes on, and whether there is *more* to be had at once."""

    def __init__(self, talker: Talker, code: str, cursor: str, limit: int, rest: dict[str, Any]) -> None:
        self.cursor = cursor
        self.more = True
        self._talker, self._code, self._limit, self._rest = talker, code, limit, rest

    def begin(self) -> None:
        """Ask at least once more."""
        self.more = True

    def page(self) -> Talk[Iterator[Change]]:
        """The events of the next page; the position moves on when the last of them has been worked on.

        Raises:
            AnswerRefusedError: the page's receipt is not about it, or it leads nowhere.
        """
        wire = self._talker.wire
        asked = wire.changes(self._code, self.cursor, self._limit, **self._rest)
        page = yield from self._talker.exchange(asked)
        body = dict(asked.body or {})
        cursor, limit = body.pop("cursor"), body.pop("limit")
        # As the hub digests it: the members of a query without the keys, which mean nothing here.
        call = parse_call("query", {**body, "keys": {"_": "_"}}).plain()
        del call["keys"]
        wire.promised(page.plain, {**call, "cursor": cursor, "limit": limit})
        if page.plain["more"] and page.plain["cursor"] == cursor:
            raise AnswerRefusedError(
                why="there is more, and its cursor leads to the same page again", why_zh="尚有内容，但游标仍指向同一页"
            )
        return self._told(page)

    def _told(self, page: Called) -> Iterator[Change]:
        events, after = page.plain["events"], str(page.plain["cursor"])
        for number, event in enumerate(events, 1):
            yield Change(event, after if number == len(events) else self.cursor, page)
        self.cursor, self.more = after, bool(page.plain["more"])


class Pages(Generic[T]):
    """What a walk comes to, as an iterator that ends where nothing more is there now."""

    def __init__(self, walk: Walk[T], line: Line) -> None:
        self._walk, self._line = walk, line

    def __iter__(self) -> Iterator[T]:
        """In order."""
        self._walk.begin()
        while self._walk.more:
            yield from self._line.run(self._walk.page())


class AsyncPages(Generic[T]):
    """As `Pages`, with ``async for``."""

    def __init__(self, walk: Walk[T], line: AsyncLine) -> None:
        self._walk, self._line = walk, line

    async def __aiter__(self) -> AsyncIterator[T]:
        """In order."""
        self._walk.begin()
        while self._walk.more:
            for one in await self._line.run(self._walk.page()):
                yield one


class Changes(Pages[Change]):
    """What changed, as an iterator that ends where nothing more is there now. Iterate again later to go on.

    Keep `Change.cursor` when an event has been worked on, and `cursor` at the end: it moves even if nothing happened.
    """

    def __init__(self, position: Position, line: Line) -> None:
        super().__init__(position, line)
        self._position = position

    @property
    def cursor(self) -> str:
        """Where to go on: `now` until something was asked."""
        return self._position.cursor


class AsyncChanges(AsyncPages[Change]):
    """As `Changes`, with ``async for``."""

    def __init__(self, position: Position, line: AsyncLine) -> None:
        super().__init__(position, line)
        self._position = position

    @property
    def cursor(self) -> str:
        """As `Changes.cursor`."""
        return self._position.cursor
