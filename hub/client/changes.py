"""Follows what changes in a resource, event by event, from a cursor that is kept between two runs.

What is told, and how a cursor behaves, is said in docs/api.md; going over the wire is `hub.client.wire`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hub.errors import AnswerRefusedError
from hub.requests import parse_call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

    from hub.client.answers import Called
    from hub.client.wire import Asked, Wire

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


class Position:
    """Where a follower is: *cursor*, from which it goes on, and whether there is *more* to be had at once."""

    def __init__(self, wire: Wire, code: str, cursor: str, limit: int, rest: dict[str, Any]) -> None:
        self.cursor = cursor
        self.more = True
        self._wire, self._code, self._limit, self._rest = wire, code, limit, rest

    def asked(self) -> Asked:
        """The request for the next page."""
        return self._wire.changes(self._code, self.cursor, self._limit, **self._rest)

    def told(self, asked: Asked, page: Called) -> Iterator[Change]:
        """The events of *page*; the position moves on when the last of them has been worked on.

        Raises:
            AnswerRefusedError: the page's receipt is not about it, or it leads nowhere.
        """
        body = dict(asked.body or {})
        cursor, limit = body.pop("cursor"), body.pop("limit")
        # As the hub digests it: the members of a query without the keys, which mean nothing here.
        call = parse_call("query", {**body, "keys": {"_": "_"}}).plain()
        del call["keys"]
        self._wire.promised(page.plain, {**call, "cursor": cursor, "limit": limit})
        events, after = page.plain["events"], str(page.plain["cursor"])
        if page.plain["more"] and after == self.cursor:
            raise AnswerRefusedError(why="there is more, and its cursor leads to the same page again")
        for number, event in enumerate(events, 1):
            yield Change(event, after if number == len(events) else self.cursor, page)
        self.cursor, self.more = after, bool(page.plain["more"])


class Changes:
    """What changed, as an iterator that ends where nothing more is there now. Iterate again later to go on.

    Keep `Change.cursor` when an event has been worked on, and `cursor` at the end: it moves even if nothing happened.
    """

    def __init__(self, position: Position, exchange: Callable[[Asked], Called]) -> None:
        self._position, self._exchange = position, exchange

    @property
    def cursor(self) -> str:
        """Where to go on: `now` until something was asked."""
        return self._position.cursor

    def __iter__(self) -> Iterator[Change]:
        """The changes, in order."""
        position = self._position
        position.more = True
        while position.more:
            asked = position.asked()
            yield from position.told(asked, self._exchange(asked))


class AsyncChanges:
    """As `Changes`, with ``async for``."""

    def __init__(self, position: Position, exchange: Callable[[Asked], Awaitable[Called]]) -> None:
        self._position, self._exchange = position, exchange

    @property
    def cursor(self) -> str:
        """As `Changes.cursor`."""
        return self._position.cursor

    async def __aiter__(self) -> AsyncIterator[Change]:
        """The changes, in order."""
        position = self._position
        position.more = True
        while position.more:
            asked = position.asked()
            page = await self._exchange(asked)
            for change in position.told(asked, page):
                yield change
