"""What to ask a service for next: by page, offset, cursor or link, and when it has told all.

Values in, values out. Leaves asking, and bounding how often, to ``http-json``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urljoin, urlsplit

from connectors import json_text
from connectors import options as opt
from connectors.errors import SourceDeniedError, SourceShapeError

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE_SIZE = 500
PAGINGS = ("page", "offset", "cursor", "link", "none")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: where to and with what parameters beside those of the whole read. *number* names it to people."""

    number: int
    parameters: Mapping[str, str | int] = field(default_factory=dict)
    url: str = ""
    """A link to follow as it is, with no parameter of ours; "" for the object itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request brought, as far as paging looks at it."""

    body: object
    rows: int
    total: int | None
    link: str = ""
    """The ``Link`` header."""


class Paging(Protocol):
    """The order of the asking. *found* counts the rows of all answers so far, this one's among them."""

    def first(self) -> Ask:
        """The first request."""

    def after(self, ask: Ask, answer: Answer, found: int) -> Ask | None:
        """The request after *ask*, or None: that was all."""


def paging(options: Mapping[str, str], where: str) -> Paging:
    """The paging that the options ask for; see ``http-json``.

    Raises:
        ConnectorSettingsError: an option is not one of its words.
    """
    kind = opt.choice(options, "paging", PAGINGS, where)
    size_param = options.get("size_param", "page_size")
    size = {size_param: opt.integer(options, "page_size", PAGE_SIZE, where, least=1)} if size_param else {}
    if kind == "page":
        return _ByPage(options.get("page_param", "page"), opt.integer(options, "first_page", 1, where), size)
    if kind == "offset":
        return _ByOffset(options.get("offset_param", "offset"), opt.integer(options, "first_offset", 0, where), size)
    if kind == "cursor":
        path = options.get("cursor_path", "next_cursor")
        return _ByCursor(options.get("cursor_param", "cursor"), path, size, where)
    if kind == "link":
        return _ByLink(options.get("link_path", ""), size, where)
    return _AtOnce()


@dataclass(frozen=True, slots=True)
class _ByPage:
    """Until the announced total is reached, or a page comes back empty.

    A short page ends nothing, since servers cap page sizes as they like.
    """

    param: str
    begin: int
    size: Mapping[str, int]

    def first(self) -> Ask:
        return Ask(self.begin, {self.param: self.begin, **self.size})

    def after(self, ask: Ask, answer: Answer, found: int) -> Ask | None:
        if not answer.rows or (answer.total is not None and found >= answer.total):
            return None
        return Ask(ask.number + 1, {self.param: ask.number + 1, **self.size})


@dataclass(frozen=True, slots=True)
class _ByOffset:
    """As by page, from the row after those that came: a server that caps its pages loses none."""

    param: str
    begin: int
    size: Mapping[str, int]

    def first(self) -> Ask:
        return Ask(1, {self.param: self.begin, **self.size})

    def after(self, ask: Ask, answer: Answer, found: int) -> Ask | None:
        if not answer.rows or (answer.total is not None and found >= answer.total):
            return None
        return Ask(ask.number + 1, {self.param: self.begin + found, **self.size})


@dataclass(frozen=True, slots=True)
class _ByCursor:
    """With the token that the answer before held; the end is an answer whose token is absent, null or empty."""

    param: str
    path: str
    size: Mapping[str, int]
    where: str

    def first(self) -> Ask:
        return Ask(1, self.size)

    def after(self, ask: Ask, answer: Answer, found: int) -> Ask | None:
        del found
        token = at(answer.body, self.path)
        if token is None or token == "" or token is False:
            return None
        if not isinstance(token, str):
            raise SourceShapeError(problem="token_not_text", where=self.where, path=self.path)
        return Ask(ask.number + 1, {self.param: str(token), **self.size})


@dataclass(frozen=True, slots=True)
class _ByLink:
    """To the link of relation ``next`` (RFC 8288), or the one at a path in the answer; only within the same origin."""

    path: str
    size: Mapping[str, int]
    where: str

    def first(self) -> Ask:
        return Ask(1, self.size)

    def after(self, ask: Ask, answer: Answer, found: int) -> Ask | None:
        del found
        link: object = at(answer.body, self.path) if self.path else next_link(answer.link)
        if link is None or link == "" or link is False:
            return None
        if type(link) is not str:
            raise SourceShapeError(problem="token_not_text", where=self.where, path=self.path)
        return Ask(ask.number + 1, url=within(self.where, ask.url or self.where, link))


@dataclass(frozen=True, slots=True)
class _AtOnce:
    """One answer holds all."""

    def first(self) -> Ask:
        return Ask(1)

    def after(self, ask: Ask, answer: Answer, found: int) -> Ask | None:
        del ask, answer, found
        return None


def at(answer: object, path: str) -> object:
    """What stands at the dotted *path* in *answer*; None where nothing does."""
    for name in path.split(".") if path else ():
        if not isinstance(answer, dict):
            return None
        answer = answer.get(name)
    return answer


def count_at(answer: object, path: str) -> int | None:
    """The number of rows announced at *path*, as a JSON number or as digits in a text; None where none is."""
    total = at(answer, path) if path and isinstance(answer, dict) else None
    # Twenty digits are beyond any count of rows, and int() of a million of them would take its time.
    if isinstance(total, json_text.Literal | str) and total.isascii() and total.isdigit() and len(total) < 20:  # noqa: PLR2004
        return int(total)
    return None


def within(origin: str, base: str, link: str) -> str:
    """*link* resolved against *base* (RFC 3986 §5), without its fragment.

    Raises:
        SourceDeniedError: it leads to another origin than *origin* (scheme, host, port), where our credentials would
            go with it.
    """
    try:
        target = urljoin(base, link)
        there, here = urlsplit(target), urlsplit(origin)
        same = _origin(there.scheme, there.hostname, there.port) == _origin(here.scheme, here.hostname, here.port)
    except ValueError:
        raise SourceDeniedError(problem="link_elsewhere", where=origin) from None
    if not same or "@" in there.netloc or "\\" in target:
        raise SourceDeniedError(problem="link_elsewhere", where=origin)
    return there._replace(fragment="").geturl()


def _origin(scheme: str, host: str | None, port: int | None) -> tuple[str, str, int]:
    return scheme, (host or "").lower(), port or {"https": 443, "http": 80}.get(scheme, 0)


_TARGET = re.compile(r"\s*,*\s*<([^<>]*)>")
_PARAMETER = re.compile(r'\s*;\s*([^\s=;,"<>]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"<>]*)))?')


def next_link(header: str) -> str | None:
    """The target of the first link of relation ``next`` in a ``Link`` header (RFC 8288 §3), or None.

    A link that speaks of another context than the answer (``anchor``) is passed over; so is what does not parse.
    """
    position = 0
    while found := _TARGET.match(header, position):
        position = found.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            position = parameter.end()
            value = parameter[3] if parameter[2] is None else re.sub(r"\\(.)", r"\1", parameter[2])
            # §3.3: a relation said twice counts as it was said first.
            parameters.setdefault(parameter[1].lower(), value or "")
        if "next" in parameters.get("rel", "").lower().split() and "anchor" not in parameters:
            return found[1]
    return None
