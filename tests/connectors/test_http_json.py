from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest

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
from connectors.http_json import HttpJsonConnector
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from connectors.retry import Waiting, retry_after_s
from tests.connectors.kinds import HttpJsonKind, Service
from tests.contracts.connector_suite import SECRET, landed

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [{"id": n, "name": f"人{n}", "at": f"2024-01-{n:02d}"} for n in range(1, 8)]


@pytest.fixture
def kind() -> HttpJsonKind:
    kind = HttpJsonKind()
    kind.service = Service([dict(record) for record in RECORDS])
    return kind


def request(*names: str, cursor: str | None = None, cursor_column: str = "", **options: str) -> ReadRequest:
    columns = tuple(Column(name) for name in names or ("id", "name"))
    return ReadRequest("R", "rows", columns, cursor, cursor_column, options)


def fails(kind: HttpJsonKind, into: Path, error: type[ConnectorError], **options: str) -> ConnectorError:
    with pytest.raises(error) as caught:
        kind.connector().read(request(**options), into)
    assert not into.exists()
    for text in (caught.value.text("en"), caught.value.text("zh"), repr(caught.value.params)):
        assert SECRET not in text
        assert "demo-token" not in text
    return caught.value


def page(payload: object, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=payload, headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_a_capped_page_size_loses_no_rows(kind: HttpJsonKind, into: Path) -> None:
    batch = kind.connector().read(request(), into)
    assert [row[1] for row in landed(batch)] == [str(n) for n in range(1, 8)]
    assert [dict(sent.url.params)["page"] for sent in kind.service.seen] == ["1", "2", "3", "4"]


def test_without_a_total_pages_are_read_until_an_empty_one(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({"items": RECORDS[:3]}), page({"items": RECORDS[3:4]}), page({"items": []})]
    assert kind.connector().read(request(), into).rows == 4
    assert len(kind.service.seen) == 3


def test_values_keep_the_text_of_their_source(kind: HttpJsonKind, into: Path) -> None:
    record = '{"a":1.10,"b":1e3,"c":-0,"d":12345678901234567890,"e":true,"f":null,"g":{"x":[1.50,"é\\n"]},"h":""}'
    body = f'{{"items":[{record}]}}'
    headers = {"Content-Type": "application/json; charset=utf-8"}
    kind.service.script = [httpx.Response(200, content=body.encode(), headers=headers), page({"items": []})]
    batch = kind.connector().read(request(*"abcdefgh"), into)
    assert landed(batch)[0][1:] == (
        "1.10", "1e3", "-0", "12345678901234567890", "true", None, '{"x":[1.50,"é\\n"]}', "",
    )  # fmt: skip


def test_the_rows_may_lie_anywhere(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({"data": {"list": RECORDS, "count": 7}})]
    options = {"rows": "data.list", "total": "data.count"}
    assert kind.connector().read(request(**options), into).rows == 7
    kind.service.script = [page(RECORDS), page([])]
    assert kind.connector().read(request(rows=""), into).rows == 7


def test_429_waits_as_long_as_asked_and_goes_on(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({}, 429, Retry_After="7"), page({}, 503)]
    connector = kind.connector()
    assert connector.read(request(), into).rows == 7
    assert kind.slept == [7.0, 0.75]


def test_retry_after_as_a_date_is_taken_against_the_answers_own_date(kind: HttpJsonKind, into: Path) -> None:
    date, until = "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:42 GMT"
    kind.service.script = [page({}, 429, Retry_After=until, Date=date)]
    assert kind.connector().read(request(), into).rows == 7
    assert kind.slept == [42.0]


@pytest.mark.parametrize("header", [None, "", "soon", "-3", "1.5", "²"])
def test_a_retry_after_that_says_nothing_is_none(header: str | None) -> None:
    assert retry_after_s(header, None) is None


def test_who_asks_for_longer_than_a_read_may_wait_is_left_to_the_scheduler(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({}, 429, Retry_After="3600")]
    error = fails(kind, into, SourceUnavailableError)
    assert (error.problem, error.params["retry_after_s"], kind.slept) == ("throttled", 3600.0, [])


def test_tries_are_bounded(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({}, 500) for _ in range(50)]
    error = fails(kind, into, SourceUnavailableError)
    assert (error.params["status"], len(kind.service.seen)) == (500, 5)
    kind.service.script = [httpx.ReadTimeout("slow") for _ in range(50)]
    assert fails(kind, into, SourceUnavailableError).problem == "no_answer"


def test_backoff_grows_is_jittered_and_bounded() -> None:
    assert [Waiting(jitter=lambda: 0.0).backoff_s(n) for n in (1, 2, 3)] == [0.25, 0.5, 1.0]
    assert Waiting(jitter=lambda: 0.999).backoff_s(99) < 60.0


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token_is_denied_at_once(kind: HttpJsonKind, into: Path, status: int) -> None:
    kind.service.script = [page({"who": SECRET}, status)]
    error = fails(kind, into, SourceDeniedError)
    assert (error.params["status"], len(kind.service.seen), error.retryable) == (status, 1, False)


def test_the_token_goes_nowhere_else(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({}, 302, Location="https://elsewhere.example/")]
    assert fails(kind, into, SourceDeniedError).problem == "redirected"
    assert {sent.url.host for sent in kind.service.seen} == {"dept.example"}


def test_a_token_header_of_its_own(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({"items": []})]
    kind.connector(token_header="X-Token").read(request(), into)
    assert kind.service.seen[0].headers["X-Token"] == "demo-token"
    assert "Authorization" not in kind.service.seen[0].headers


def test_an_html_page_is_not_taken_for_data(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [httpx.Response(200, html=f"<html>{SECRET}")]
    error = fails(kind, into, SourceUnavailableError)
    assert (error.problem, error.params["content_type"]) == ("not_json", "text/html")


def test_a_page_that_repeats_itself_is_an_error(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({"items": RECORDS[:2]}) for _ in range(9)]
    error = fails(kind, into, SourceShapeError)
    assert (error.params["page"], error.params["earlier"], len(kind.service.seen)) == (2, 1, 2)


def test_pages_are_bounded(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({"items": [{"id": n, "name": "x"}]}) for n in range(9)]
    error = fails(kind, into, SourceShapeError, max_pages="3")
    assert (error.problem, len(kind.service.seen)) == ("too_many_pages", 3)


def test_a_page_is_bounded(kind: HttpJsonKind, into: Path, monkeypatch) -> None:
    monkeypatch.setattr("connectors.http_json.PAGE_BYTES", 100)
    assert fails(kind, into, SourceShapeError).problem == "page_too_large"


def test_fewer_rows_than_announced_are_incomplete(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({"items": RECORDS, "total": 9}), page({"items": [], "total": 9})]
    error = fails(kind, into, SourceIncompleteError)
    assert (error.params["total"], error.params["found"]) == (9, 7)


@pytest.mark.parametrize(
    ("body", "error", "problem"),
    [
        (b'{"rows":[]}', SourceShapeError, "rows_not_found"),
        (b'{"items":[1]}', SourceShapeError, "not_an_object"),
        (b'{"items":[{"id":1,"id":2}]}', SourceShapeError, "json_name_duplicate"),
        (b'{"items":[{"id":NaN}]}', SourceShapeError, "json_not_number"),
        (b'{"items":' + b"[" * 200_000, SourceIncompleteError, "page_truncated"),
        (b'{"items":[{"id":1,"name":"\xff"}]}', SourceEncodingError, "not_text"),
        (b'{"items":[{"id":1,"name":"\\ud800"}]}', SourceEncodingError, "not_text"),
        (b"", SourceIncompleteError, "page_truncated"),
    ],
    ids=range(8),
)
def test_pages_that_are_not_what_they_should_be(
    kind: HttpJsonKind, into: Path, body: bytes, error: type[ConnectorError], problem: str
) -> None:
    headers = {"Content-Type": "application/json"}
    kind.service.script = [httpx.Response(200, content=body, headers=headers), page({"items": []})]
    assert fails(kind, into, error).problem == problem


def test_other_refusals(kind: HttpJsonKind, into: Path) -> None:
    kind.service.script = [page({}, 400)]
    assert fails(kind, into, SourceShapeError).problem == "request_refused"
    kind.service.script = [page({}, 404)]
    assert fails(kind, into, SourceObjectMissingError).problem == "not_found"


def test_the_cursor_is_sent_and_the_range_taken_here_too(kind: HttpJsonKind, into: Path) -> None:
    batch = kind.connector().read(request("id", "at", cursor="2024-01-05", cursor_column="at"), into)
    assert [row[1] for row in landed(batch)] == ["5", "6", "7"]
    assert dict(kind.service.seen[0].url.params)["updated_since"] == "2024-01-05"
    assert [row[0] for row in landed(batch)] == [5, 6, 7]
    assert batch.cursor == "2024-01-07"


def test_the_object_is_a_path_below_the_base(kind: HttpJsonKind) -> None:
    for name in ("../secret", "https://elsewhere.example/x", "rows?page=1", ""):
        with pytest.raises(ConnectorSettingsError):
            kind.connector().probe(name, {})


def test_a_token_does_not_travel_in_the_clear() -> None:
    settings = {"base_url": "http://dept.example/api", "token": "env:TOKEN"}
    with pytest.raises(ConnectorSettingsError) as caught:
        connect("http-json", settings, str)
    assert caught.value.problem == "plain_http"
    for allowed in ({"base_url": "http://127.0.0.1:9/api"}, {"plain_http": "allowed"}):
        assert connect("http-json", {**settings, **allowed}, str).kind == "http-json"


def test_over_a_real_socket(into: Path) -> None:
    service = Service(RECORDS)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = f"http://{self.headers['Host']}{self.path}"
            answer = service(httpx.Request("GET", url, headers=dict(self.headers)))
            body = answer.read()
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            settings = {"base_url": f"http://127.0.0.1:{server.server_port}/api", "token": "env:TOKEN"}
            connector = HttpJsonConnector(settings, {"env:TOKEN": "demo-token"}.__getitem__)
            assert connector.read(request(), into).rows == 7
            assert connector.probe("rows", {}) == ("id", "name", "at")
        finally:
            server.shutdown()
            thread.join()
