"""The ``http-json`` kind: a department's paged JSON service, page after page straight to disk.

Leaves JSON to `connectors.json_text`, waiting to `connectors.retry`, matching of names to `connectors.records`.

Settings: ``base_url``; ``token`` = a secret's reference (sent as ``Authorization: Bearer``; ``token_header`` names
another header, which then holds the bare token); ``timeout_s`` (30); ``ca_file``; ``plain_http=allowed`` to send a
token over plain HTTP to another machine. Options (or settings): ``rows`` (``items``; a dotted path, empty when the
answer itself is the list), ``total`` (``total``; dotted path of the announced number of rows, ignored where absent),
``page_param`` (``page``), ``first_page`` (1), ``size_param`` (``page_size``), ``page_size`` (500), ``since_param``
(``updated_since``), ``max_pages`` (10000). The object is a path below ``base_url``.

Pages are asked for until the announced total is reached, or one comes back empty; a short page ends nothing, since
servers cap page sizes as they like. Proxies of the environment are not used and redirects not followed.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import ssl
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import httpx

from connectors import json_text
from connectors import options as opt
from connectors.cursor import tracker
from connectors.errors import (
    ConnectorError,
    ConnectorSettingsError,
    SourceDeniedError,
    SourceEncodingError,
    SourceIncompleteError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.files import Reading
from connectors.landing import land
from connectors.protocol import Batch
from connectors.records import RecordGatherer
from connectors.retry import Waiting, retry_after_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from connectors.protocol import ReadRequest

PAGE_BYTES = 64 * 1024 * 1024
PAGE_SIZE = 500
MOST_PAGES = 10_000
TIMEOUT_S = 30.0
RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class _Page:
    rows: list[dict[str, object]]
    total: int | None
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Paging:
    """The options of one read."""

    rows: str
    total: str
    page_param: str
    first_page: int
    size_param: str
    size: int
    since_param: str
    most: int

    @classmethod
    def of(cls, options: Mapping[str, str], where: str) -> _Paging:
        return cls(
            rows=options.get("rows", "items"),
            total=options.get("total", "total"),
            page_param=options.get("page_param", "page"),
            first_page=opt.integer(options, "first_page", 1, where),
            size_param=options.get("size_param", "page_size"),
            size=opt.integer(options, "page_size", PAGE_SIZE, where, least=1),
            since_param=options.get("since_param", "updated_since"),
            most=opt.integer(options, "max_pages", MOST_PAGES, where, least=1),
        )


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
    ) -> None:
        self._settings = dict(settings)
        self._base = opt.required(settings, "base_url", self.kind).rstrip("/")
        self._waiting = waiting or Waiting()
        self._transport = transport
        self._timeout_s = opt.seconds(settings, "timeout_s", TIMEOUT_S, self.kind)
        self._secrets = secrets
        url = httpx.URL(self._base)
        if url.scheme not in {"http", "https"} or not url.host:
            raise ConnectorSettingsError(
                problem="setting_invalid", where=self.kind, name="base_url", expected="http(s)://…"
            )
        plain_allowed = settings.get("plain_http", "") == "allowed" or _is_this_machine(url.host)
        if settings.get("token") and url.scheme == "http" and not plain_allowed:
            raise ConnectorSettingsError(problem="plain_http", where=self._base)

    def probe(self, object: str, options: Mapping[str, str]) -> tuple[str, ...]:  # noqa: A002  # the protocol's word
        """The names in the records of the first page."""
        url = self._url(object)
        paging = _Paging.of({**self._settings, **options}, url)
        with self._client() as client:
            page = self._page(client, url, paging, paging.first_page, None)
        return tuple(dict.fromkeys(name for row in page.rows for name in row))

    def read(self, request: ReadRequest, into: Path) -> Batch:
        """Land all pages; see `connectors.protocol.Connector.read`."""
        follow = tracker(request)
        url = self._url(request.object)
        paging = _Paging.of({**self._settings, **request.options}, url)
        reading = Reading(request, into.parent)
        with self._client() as client:
            landed = land(request, self._tables(client, url, paging, reading), into, follow)
        return Batch(into, landed.sha256, landed.rows, follow.value, tuple(reading.renamed), tuple(reading.extra))

    def _url(self, path: str) -> str:
        parts = PurePosixPath(path.lstrip("/")).parts
        if not parts or ".." in parts or any(mark in path for mark in ("://", "?", "#", "\\")):
            raise ConnectorSettingsError(problem="path_escapes", where=self._base, object=path)
        return f"{self._base}/{'/'.join(parts)}"

    def _client(self) -> httpx.Client:
        headers = {"Accept": "application/json"}
        reference = self._settings.get("token", "")
        if reference:
            token = self._secrets(reference)
            name = self._settings.get("token_header", "")
            headers[name or "Authorization"] = token if name else f"Bearer {token}"
        ca_file = self._settings.get("ca_file", "")
        return httpx.Client(
            headers=headers,
            timeout=self._timeout_s,
            transport=self._transport,
            # The environment of a scheduler must not be able to route departmental data elsewhere.
            trust_env=False,
            follow_redirects=False,
            verify=_trusting(ca_file) if ca_file else True,
        )

    def _tables(self, client: httpx.Client, url: str, paging: _Paging, reading: Reading) -> Iterator[pa.Table]:
        gatherer = RecordGatherer(reading, url)
        cursor = reading.request.cursor if reading.request.cursor_column else None
        seen: dict[bytes, int] = {}
        found = 0
        for number in range(paging.first_page, paging.first_page + paging.most):
            page = self._page(client, url, paging, number, cursor)
            if not page.rows:
                if page.total is not None and found < page.total:
                    raise SourceIncompleteError(problem="rows_missing", where=url, total=page.total, found=found)
                break
            if page.digest in seen:
                # A server that ignores the page number would feed us its first page for ever.
                raise SourceShapeError(problem="page_repeated", where=url, page=number, earlier=seen[page.digest])
            seen[page.digest] = number
            found += len(page.rows)
            for row in page.rows:
                gatherer.add(json_text.record(row))
            yield from gatherer.full()
            if page.total is not None and found >= page.total:
                break
        else:
            raise SourceShapeError(problem="too_many_pages", where=url, limit=paging.most)
        yield from gatherer.rest()

    def _page(self, client: httpx.Client, url: str, paging: _Paging, number: int, cursor: str | None) -> _Page:
        parameters = {paging.page_param: str(number), paging.size_param: str(paging.size)}
        if cursor is not None:
            parameters[paging.since_param] = cursor
        body = self._fetch(client, url, parameters, number)
        try:
            answer = json_text.parse(body)
        except UnicodeDecodeError:
            raise SourceEncodingError(problem="not_text", where=url) from None
        except json_text.JsonDuplicateError:
            raise SourceShapeError(problem="json_name_duplicate", where=url) from None
        except (json.JSONDecodeError, RecursionError):
            raise SourceIncompleteError(problem="page_truncated", where=url, page=number) from None
        rows = _at(answer, paging.rows)
        if not isinstance(rows, list):
            raise SourceShapeError(problem="rows_not_found", where=url, path=paging.rows or "(root)")
        objects = [row for row in rows if isinstance(row, dict)]
        if len(objects) != len(rows):
            raise SourceShapeError(problem="not_an_object", where=url)
        total = _at(answer, paging.total) if paging.total and isinstance(answer, dict) else None
        announced = int(total) if isinstance(total, json_text.Literal) and total.isdigit() else None
        return _Page(objects, announced, hashlib.sha256(json_text.compact(rows).encode(errors="replace")).digest())

    def _fetch(self, client: httpx.Client, url: str, parameters: Mapping[str, str], number: int) -> bytes:
        """One page's body, tried again while that may help."""
        waiting = self._waiting
        attempt = 1
        while True:
            wanted_s = None
            try:
                with client.stream("GET", url, params=parameters) as response:
                    if response.status_code not in RETRIED:
                        return self._body(response, url, number)
                    wanted_s = retry_after_s(response.headers.get("Retry-After"), response.headers.get("Date"))
                    failure: ConnectorError = SourceUnavailableError(
                        problem="server_error", where=url, status=response.status_code, attempts=attempt
                    )
            except (httpx.TransportError, httpx.DecodingError) as error:
                detail = type(error).__name__
                failure = SourceUnavailableError(problem="no_answer", where=url, attempts=attempt, detail=detail)
            if wanted_s is not None and wanted_s > waiting.most_s:
                raise SourceUnavailableError(problem="throttled", where=url, retry_after_s=wanted_s)
            if attempt >= waiting.attempts:
                raise failure
            # Never sooner than asked; otherwise growing steps.
            waiting.sleep(max(wanted_s or 0.0, waiting.backoff_s(attempt)))
            attempt += 1

    def _body(self, response: httpx.Response, url: str, number: int) -> bytes:
        _check_status(response.status_code, url)
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not content_type.endswith("json"):
            raise SourceUnavailableError(problem="not_json", where=url, content_type=content_type or "—")
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > PAGE_BYTES:
                raise SourceShapeError(problem="page_too_large", where=url, page=number, limit_bytes=PAGE_BYTES)
        return bytes(body)


def _check_status(status: int, url: str) -> None:
    if status in {401, 403}:
        raise SourceDeniedError(problem="unauthorised", where=url, status=status)
    if status in {404, 410}:
        raise SourceObjectMissingError(problem="not_found", where=url, status=status)
    if httpx.codes.is_redirect(status):
        raise SourceDeniedError(problem="redirected", where=url, status=status)
    if not httpx.codes.is_success(status):
        raise SourceShapeError(problem="request_refused", where=url, status=status)


def _at(answer: object, path: str) -> object:
    for name in path.split(".") if path else ():
        if not isinstance(answer, dict):
            return None
        answer = answer.get(name)
    return answer


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
