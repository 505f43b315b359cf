"""The ``http-json`` kind: a department's paged JSON service, page after page straight to disk.

Leaves JSON to `connectors.json_text`, the order of pages to `connectors.paging`, who we are to `connectors.signing`,
sending to `connectors.http_talk`, limits to `connectors.pace`, matching of names to `connectors.records`.

Settings: ``base_url``; the credentials (see `connectors.signing`); ``plain_http=allowed`` to send them over plain HTTP
to another machine; ``timeout_s`` (30) for each step of an answer, ``answer_s`` (300) for a whole one; ``ca_file``;
``requests_per_s`` and ``burst``; ``wait_s`` (900), how long one read may wait for a service that asks us to.

Options (or settings): ``method`` (``get``; ``post`` with ``body`` = ``json`` or ``form`` puts the parameters there),
``query`` (fixed parameters, as ``a=1&b=2``); ``rows`` (``items``; a dotted path, empty when the answer itself is the
list), ``total`` (``total``; dotted path of the announced number of rows, ignored where absent); ``paging``:

``page`` (default)  ``page_param`` (``page``), ``first_page`` (1)
``offset``          ``offset_param`` (``offset``), ``first_offset`` (0)
``cursor``          ``cursor_param`` (``cursor``), ``cursor_path`` (``next_cursor``): sent back until absent or empty
``link``            header ``Link: rel=next``, or a URL at ``link_path``; followed within the same origin only
``none``            one answer holds all

``size_param`` (``page_size``; empty: not sent), ``page_size`` (500); ``since_param`` (``updated_since``) and
``until_param`` (``updated_until``), empty: not sent, the range is taken here in any case; ``max_pages`` (10000),
``max_bytes`` (8 GiB over all pages, unpacked); ``measure=none`` not to tell the announced total of a full pull as the
source's own count; those of `connectors.cursor`. The object is a path below ``base_url``.

By page and offset, pages are asked for until the announced total is reached, or one comes back empty; a short page ends
nothing, since servers cap page sizes as they like. Whatever the paging, fewer rows than announced are an error.
Proxies of the environment are not used and redirects not followed. With ``cursor_time`` the cursor goes no further than
the service's own clock stood (``Date``) when the read began.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import httpx

from connectors import json_text
from connectors import options as opt
from connectors.cursor import not_beyond, since, tracker
from connectors.errors import (
    ConnectorSettingsError,
    SourceDeniedError,
    SourceEncodingError,
    SourceIncompleteError,
    SourceShapeError,
)
from connectors.files import Reading
from connectors.http_talk import Talk
from connectors.landing import land
from connectors.pace import bucket
from connectors.paging import Answer, Ask, Paging, at, count_at, paging
from connectors.protocol import Measures, Progress
from connectors.records import RecordGatherer
from connectors.retry import Waiting
from connectors.signing import credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from connectors.protocol import Batch, ReadRequest

PAGE_BYTES = 64 * 1024 * 1024
# All pages of one read, unpacked. A department's whole register in one pull is below that; an endless one is not.
MOST_BYTES = 8 * 1024**3
MOST_PAGES = 10_000
TIMEOUT_S = 30.0
ANSWER_S = 300.0
WAIT_S = 900.0
# JavaScript's, not JSON's (RFC 8259 §6).
NOT_NUMBERS = frozenset({"NaN", "Infinity", "-Infinity"})


@dataclass(frozen=True, slots=True)
class _Shape:
    """How requests and answers of one read look."""

    paging: Paging
    rows: str
    total: str
    most_pages: int
    most_bytes: int
    method: str
    in_body: str
    fixed: tuple[tuple[str, str], ...]
    since_param: str
    until_param: str

    @classmethod
    def of(cls, options: Mapping[str, str], where: str) -> _Shape:
        method = opt.choice(options, "method", ("get", "post"), where)
        return cls(
            paging=paging(options, where),
            rows=options.get("rows", "items"),
            total=options.get("total", "total"),
            most_pages=opt.integer(options, "max_pages", MOST_PAGES, where, least=1),
            most_bytes=opt.integer(options, "max_bytes", MOST_BYTES, where, least=1),
            method=method.upper(),
            in_body=opt.choice(options, "body", ("json", "form"), where) if method == "post" else "",
            fixed=tuple(parse_qsl(options.get("query", ""), keep_blank_values=True)),
            since_param=options.get("since_param", "updated_since"),
            until_param=options.get("until_param", "updated_until"),
        )

    def range(self, request: ReadRequest) -> dict[str, str]:
        """The parameters that ask for the range of *request*."""
        first, last = request.window or (since(request) if request.cursor_column else None, "")
        asked = {self.since_param: first or "", self.until_param: last}
        return {name: value for name, value in asked.items() if name and value}


@dataclass(frozen=True, slots=True)
class _Page:
    rows: list[dict[str, object]]
    answer: Answer
    digest: bytes


@dataclass(slots=True)
class _Pull:
    """One read under way."""

    talk: Talk
    url: str
    shape: _Shape
    range: Mapping[str, str]
    bytes: int = 0
    total: int | None = None


class HttpJsonConnector:
    """See the module; promises of `connectors.protocol.Connector`. *transport* stands in for the network."""

    kind = "http-json"

    def __init__(
        self,
        settings: Mapping[str, str],
        secrets: Callable[[str], str],
        *,
        waiting: Waiting | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = dict(settings)
        self._base = opt.required(settings, "base_url", self.kind).rstrip("/")
        self._waiting = waiting or Waiting()
        self._transport = transport
        self._timeout_s = opt.seconds(settings, "timeout_s", TIMEOUT_S, self.kind)
        self._answer_s = opt.seconds(settings, "answer_s", ANSWER_S, self.kind)
        self._wait_s = opt.seconds(settings, "wait_s", WAIT_S, self.kind)
        self._clock = clock
        self._rate = bucket(settings, "requests_per_s", self.kind, clock=clock, sleep=self._waiting.sleep)
        for name in ("base_url", "token_url"):
            _check_url(settings, name)
        self._credentials = credentials(settings, secrets, self.kind, clock=clock, now=now)

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """The names in the records of the first page."""
        url = self._url(object)
        shape = _Shape.of({**self._settings, **options}, url)
        with self._talk() as talk:
            page = self._page(_Pull(talk, url, shape, {}), shape.paging.first())
        return tuple(dict.fromkeys(name for row in page.rows for name in row))

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land all pages; see `connectors.protocol.Connector.read`."""
        follow = tracker(request)
        url = self._url(request.object)
        options = {**self._settings, **request.options}
        shape = _Shape.of(options, url)
        measured = opt.choice(options, "measure", ("count", "none", "columns"), url) != "none"
        reading = Reading(request, into.parent)
        with self._talk() as talk:
            pull = _Pull(talk, url, shape, shape.range(request))
            # Progress is told page by page here, with the total that only this kind knows.
            landed = land(replace(request, progress=None), self._tables(pull, reading), into, follow)
        whole = request.cursor is None and request.window is None
        # Of a part of the rows no service says how many they ought to be in our sense of the range.
        measures = Measures(pull.total) if measured and whole and pull.total is not None else None
        cursor = not_beyond(request, follow.value, talk.began)
        return replace(reading.batch(into, landed, cursor), measures=measures)

    def _url(self, path: str) -> str:
        parts = PurePosixPath(path.lstrip("/")).parts
        if not parts or ".." in parts or any(mark in path for mark in ("://", "?", "#", "\\")):
            raise ConnectorSettingsError(problem="path_escapes", where=self._base, object=path)
        return f"{self._base}/{'/'.join(parts)}"

    @contextmanager
    def _talk(self) -> Iterator[Talk]:
        ca_file = self._settings.get("ca_file", "")
        with httpx.Client(
            # One coding, and one that unpacks a bounded amount at a time.
            headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
            timeout=self._timeout_s,
            transport=self._transport,
            # The environment of a scheduler must not be able to route departmental data elsewhere.
            trust_env=False,
            follow_redirects=False,
            verify=_trusting(ca_file) if ca_file else True,
        ) as client:
            yield Talk(
                client,
                self._credentials,
                self._waiting,
                self._rate,
                self._clock,
                answer_s=self._answer_s,
                wait_s=self._wait_s,
            )

    def _tables(self, pull: _Pull, reading: Reading) -> Iterator[pa.Table]:
        shape, url = pull.shape, pull.url
        gatherer = RecordGatherer(reading, url)
        seen: dict[bytes, int] = {}
        found = 0
        ask: Ask | None = shape.paging.first()
        for pages in count(1):
            if ask is None:
                break
            if pages > shape.most_pages:
                raise SourceShapeError(problem="too_many_pages", where=url, limit=shape.most_pages)
            page = self._page(pull, ask)
            if page.rows and page.digest in seen:
                # A server that ignores the page number would feed us its first page for ever.
                raise SourceShapeError(problem="page_repeated", where=url, page=ask.number, earlier=seen[page.digest])
            seen[page.digest] = ask.number
            found += len(page.rows)
            for row in page.rows:
                gatherer.add(json_text.record(row))
            yield from gatherer.full()
            pull.total = page.answer.total
            if reading.request.progress is not None:
                reading.request.progress(Progress(found, pull.total))
            ask = shape.paging.after(ask, page.answer, found)
        if pull.total is not None and found < pull.total:
            raise SourceIncompleteError(problem="rows_missing", where=url, total=pull.total, found=found)
        yield from gatherer.rest()

    def _page(self, pull: _Pull, ask: Ask) -> _Page:
        shape, url = pull.shape, pull.url
        reply = pull.talk.ask(lambda: _request(pull, ask), url, ask.number, PAGE_BYTES)
        body = reply.body
        pull.bytes += len(body)
        if pull.bytes > shape.most_bytes:
            raise SourceShapeError(problem="too_many_bytes", where=url, limit_bytes=shape.most_bytes)
        answer = _parsed(body, url, ask.number)
        rows = at(answer, shape.rows)
        if not isinstance(rows, list):
            raise SourceShapeError(problem="rows_not_found", where=url, path=shape.rows or "(root)")
        objects = [row for row in rows if isinstance(row, dict)]
        if len(objects) != len(rows):
            raise SourceShapeError(problem="not_an_object", where=url)
        digest = hashlib.sha256(json_text.compact(rows).encode(errors="replace")).digest()
        return _Page(objects, Answer(answer, len(rows), count_at(answer, shape.total), reply.link), digest)


def _request(pull: _Pull, ask: Ask) -> httpx.Request:
    shape, client = pull.shape, pull.talk.client
    if ask.url:
        # A link holds its parameters already, whatever the method of the first request.
        try:
            return client.build_request("GET", ask.url)
        except httpx.InvalidURL:
            raise SourceDeniedError(problem="link_elsewhere", where=pull.url) from None
    parameters: dict[str, str | int] = {**dict(shape.fixed), **pull.range, **ask.parameters}
    if shape.in_body == "json":
        return client.build_request(shape.method, pull.url, json=parameters)
    texts = {name: str(value) for name, value in parameters.items()}
    if shape.in_body == "form":
        return client.build_request(shape.method, pull.url, data=texts)
    return client.build_request(shape.method, pull.url, params=texts)


def _parsed(body: bytes, where: str, number: int) -> object:
    try:
        return json_text.parse(body)
    except UnicodeDecodeError:
        raise SourceEncodingError(problem="not_text", where=where) from None
    except json_text.JsonDuplicateError:
        raise SourceShapeError(problem="json_name_duplicate", where=where) from None
    except json.JSONDecodeError as error:
        if error.msg in NOT_NUMBERS:
            # Asking again would bring the same; a page that merely ends too soon it may mend.
            raise SourceShapeError(problem="json_not_number", where=where, word=error.msg) from None
        raise SourceIncompleteError(problem="page_truncated", where=where, page=number) from None
    except RecursionError:
        raise SourceIncompleteError(problem="page_truncated", where=where, page=number) from None


def _check_url(settings: Mapping[str, str], name: str) -> None:
    """Refuse an address that is none, and one over which credentials would travel in the clear."""
    text = settings.get(name, "")
    if not text:
        return
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise ConnectorSettingsError(problem="setting_invalid", where="http-json", name=name, expected="http(s)://…")
    plain_allowed = settings.get("plain_http", "") == "allowed" or _is_this_machine(url.host)
    has_credentials = bool(settings.get("token")) or settings.get("auth", "none") != "none"
    if has_credentials and url.scheme == "http" and not plain_allowed:
        raise ConnectorSettingsError(problem="plain_http", where=text)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _trusting(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise ConnectorSettingsError(
            problem="setting_invalid", where="http-json", name="ca_file", expected="PEM"
        ) from None
