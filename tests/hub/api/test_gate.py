"""What is no address, no request, or a fault: told as a problem, and logged without what it quotes."""

from __future__ import annotations

import json
import socket
import time

import pytest

from hub.api import problems
from tests.hub.world import CODE, IDS


def raw(http, sent):
    with socket.create_connection((http.base_url.host, http.base_url.port), timeout=20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def logged(caplog):
    """Wait until it is logged: the client is told first."""
    until = time.monotonic() + 10
    while "RuntimeError" not in caplog.text:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path", ["/%00", "/v1/catalog%0a", "/v1/log/%1b[2J", "/v1/status/%7f", "/v1/lists/a%0d%0ax:%20y", "/v1/%e2%80%ae"]
)
def test_an_address_that_cannot_be_printed_is_none(http, method, path):
    got = http.request(method, path, headers={"accept-language": "en"})
    assert (got.status_code, got.headers["content-type"]) == (404, problems.MEDIA_TYPE)
    assert (got.json()["code"], got.json()["title"]) == ("not_found", "Not found")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\x7f HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\x00: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HELLO\r\n\r\n",
    ],
)
def test_what_is_no_request_is_told_so_as_a_problem(http, sent):
    got = raw(http, sent)
    head, _, content = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    plain = json.loads(content)
    assert (plain["status"], plain["code"]) == (400, "request_unreadable")
    known = http.get(plain["type"]).json()
    assert known["zh"] == plain["detail"]


def test_a_fault_is_a_problem_and_its_text_is_nobodys(http, monkeypatch, caplog):
    def fail(*args, **named):
        raise RuntimeError(IDS[0]) from ValueError(IDS[1])

    monkeypatch.setattr("hub.api.public.catalogue", fail)
    got = http.get("/v1/catalog", headers={"accept-language": "en"})
    assert (got.status_code, got.headers["content-type"]) == (500, problems.MEDIA_TYPE)
    assert got.json()["code"] == "internal"
    logged(caplog)
    assert "in fail" in caplog.text
    assert IDS[0] not in caplog.text + got.text
    assert IDS[1] not in caplog.text + got.text


def test_a_fault_in_the_middle_of_an_answer_cuts_it_off(http, app, monkeypatch, caplog):
    async def half(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError(IDS[0])

    monkeypatch.setattr(app, "middleware_stack", half)
    got = raw(http, b"GET /v1/catalog HTTP/1.1\r\nHost: x\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.endswith(b"\r\n\r\nhalf")
    logged(caplog)
    assert IDS[0] not in caplog.text


def test_a_resource_that_cannot_be_printed_is_asked_for_in_vain_and_recorded(http, world):
    fields = {"authorization": f"Bearer {world.key}", "content-type": "application/json"}
    size = http.app.state.service.evidence.log.size
    got = http.post(f"/v1/resources/{CODE}%00:query", json={}, headers=fields)
    assert got.status_code in (404, 422)
    assert http.app.state.service.evidence.log.size == size + 1
