"""Told to stop, a served process answers what has begun, keeps its evidence, and says meanwhile that it stops."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections import Counter

import httpx
import pytest

from audit.errors import EntryMissingError
from hub.api import create_app, health
from hub.errors import ControlUnavailableError
from hub.evidence import Evidence
from hub.service import Service
from hub.settings import Settings
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.api.processes import granted_now, served
from tests.hub.world import CODE, IDS, body

QUERY = f"/v1/resources/{CODE}:query"
CALLERS = 6


@pytest.fixture
def world(built, tmp_path):
    """A world of its own for each: what is done to it here, others must not meet."""
    return worlds.copy(built, tmp_path / "world")


def request(world, plain=None):
    content = json.dumps(plain or body()).encode()
    head = (
        f"POST {QUERY} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Caller(threading.Thread):
    """Calls without pause on one connection until it is closed; remembers what came of every call."""

    def __init__(self, world, url):
        super().__init__(daemon=True)
        self.address = (httpx.URL(url).host, httpx.URL(url).port)
        self.sent = request(world)
        self.answered, self.cut, self.statuses = [], 0, Counter()

    def run(self):
        with socket.create_connection(self.address, timeout=60) as connection:
            while True:
                try:
                    connection.sendall(self.sent)
                except OSError:
                    return
                got = self.read(connection)
                if got is None:
                    return
                status, entry = got
                self.statuses[status] += 1
                self.answered.append(entry)

    def read(self, connection):
        """The answer, or None where the connection ended before one began."""
        got = b""
        while b"\r\n\r\n" not in got or len(got) < self.end(got):
            try:
                more = connection.recv(65_536)
            except ConnectionResetError:
                more = b""
            if not more:
                self.cut += bool(got)
                return None
            got += more
        return int(got[9:12]), json.loads(got.partition(b"\r\n\r\n")[2])["receipt"]["entry"]

    @staticmethod
    def end(got):
        head = got.partition(b"\r\n\r\n")[0]
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        return len(head) + 4 + length


def log_of(settings):
    evidence = Evidence.open(settings)
    try:
        return evidence.log.size, evidence.log.published_size
    finally:
        evidence.log.close()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_under_load_every_call_that_began_is_answered_and_in_the_log(world, workers):
    granted_now(world)
    before, _ = log_of(world.settings)
    with served(world.settings, "--workers", workers) as hub:
        callers = [Caller(world, hub.url) for _ in range(CALLERS)]
        for one in callers:
            one.start()
        time.sleep(1)
        code = hub.stop()
        for one in callers:
            one.join(30)
    assert code in (0, -signal.SIGTERM)
    assert [one.cut for one in callers] == [0] * CALLERS
    assert sum((one.statuses for one in callers), Counter()).keys() == {200}
    entries = sorted(entry for one in callers for entry in one.answered)
    # No entry is of an answer that nobody got, and none is without a checkpoint.
    assert entries == list(range(before, before + len(entries)))
    assert len(entries) > 4 * CALLERS
    assert log_of(world.settings) == (before + len(entries),) * 2


@pytest.mark.slow
def test_a_request_of_which_a_part_is_there_is_answered_and_an_idle_connection_closed(world):
    granted_now(world)
    sent = request(world)
    with served(world.settings) as hub:
        address = (httpx.URL(hub.url).host, httpx.URL(hub.url).port)
        parts = [sent[:10], sent[: sent.index(b"\r\n\r\n") - 5], sent[:-5]]
        lines = [socket.create_connection(address, timeout=30) for _ in (*parts, b"")]
        for line, part in zip(lines, parts, strict=False):
            line.sendall(part)
        time.sleep(0.3)
        hub.process.send_signal(signal.SIGTERM)
        assert lines[-1].recv(1) == b""
        for line, part in zip(lines, parts, strict=False):
            line.sendall(sent[len(part) :])
            got = b"".join(iter(lambda line=line: line.recv(65_536), b""))
            assert got.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nconnection: close\r\n" in got
        assert hub.process.wait(30) in (0, -signal.SIGTERM)
        for line in lines:
            line.close()


@pytest.mark.slow
def test_for_the_time_that_is_set_it_says_that_it_stops_and_goes_on(world):
    granted_now(world)
    fields = {"authorization": f"Bearer {world.key}", "content-type": "application/json"}
    with (
        served(world.settings, ZHENGTONG_STOP_SECONDS="2", ZHENGTONG_LOG_FORMAT="json") as hub,
        httpx.Client(base_url=hub.url, trust_env=False) as http,
    ):
        assert http.get("/readyz").status_code == 200
        told = time.monotonic()
        hub.process.send_signal(signal.SIGTERM)
        until = told + 1.5
        while (got := http.get("/readyz")).status_code == 200:
            assert time.monotonic() < until
        assert (got.status_code, got.json()["code"]) == (503, "stopping")
        assert "retry-after" in got.headers
        assert http.get("/healthz").status_code == 200
        assert http.post(QUERY, content=json.dumps(body()).encode(), headers=fields).status_code == 200
        hub.process.wait(30)
        assert time.monotonic() - told >= 2
    # Whatever it had to say meanwhile, it said in one form.
    lines = [json.loads(line) for line in hub.errors.read_text().splitlines() if line.startswith("{")]
    assert {"GET /readyz", "GET /healthz", "query"} <= {line["door"] for line in lines}
    assert IDS[0] not in hub.errors.read_text()


class TestReadiness:
    @pytest.fixture
    def own(self, world):
        app = create_app(world.settings, open_service=lambda given: Service.open(given, clock=world.clock))
        with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as http:
            http.app = app
            yield http

    def asked(self, http):
        got = http.get("/readyz", headers={"accept-language": "en"})
        return got.status_code, got.json().get("code", "")

    def test_it_is_ready_when_nothing_is_wrong(self, own):
        assert self.asked(own) == (200, "")
        own.app.state.stopping.heard = True
        assert self.asked(own) == (503, "stopping")

    def test_not_when_the_disk_of_the_log_is_full(self, own, monkeypatch):
        real = os.statvfs

        def full(folder):
            found = list(real(folder))
            if str(folder).endswith("log"):
                found[4] = health.LEAST_FREE_BYTES // found[1] - 1
            return os.statvfs_result(found)

        monkeypatch.setattr(os, "statvfs", full)
        assert self.asked(own) == (503, "storage_full")

    def test_not_when_a_folder_of_evidence_cannot_be_written(self, own, world, monkeypatch):
        monkeypatch.setattr(os, "access", lambda folder, how: folder != world.settings.bodies)
        assert self.asked(own) == (503, "evidence_unavailable")

    def test_not_when_one_is_gone(self, own, world):
        world.settings.bodies.rename(world.settings.home / "moved")
        assert self.asked(own) == (503, "evidence_unavailable")
        (world.settings.home / "moved").rename(world.settings.bodies)
        assert self.asked(own) == (200, "")

    def test_not_when_the_log_cannot_be_read(self, own, monkeypatch):
        def gone(log, now):
            raise EntryMissingError(index=0, size=0)

        monkeypatch.setattr(health, "merge_delay", gone)
        assert self.asked(own) == (503, "evidence_unavailable")

    def test_not_when_the_control_database_does_not_answer(self, own, monkeypatch):
        def gone(self):
            raise ControlUnavailableError

        monkeypatch.setattr("hub.control.Control.generation", gone)
        assert self.asked(own) == (503, "control_unavailable")

    def test_alive_is_alive_all_the_same(self, own, monkeypatch):
        monkeypatch.setattr(os, "access", lambda folder, how: False)
        assert own.get("/healthz").status_code == 200


def test_without_a_list_it_is_not_ready_and_a_signal_is_heard_by_who_listens(tmp_path):
    with serving(create_app(Settings.at(tmp_path / "var"))) as url:
        got = httpx.get(f"{url}/readyz", trust_env=False)
    assert (got.status_code, got.json()["code"]) == (503, "list_missing")


def test_a_second_signal_is_not_waited_for(monkeypatch):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *how: heard.append(how))

    class Loop:
        def call_soon_threadsafe(self, *how):
            heard.append("later")

        call_later = None

    stopping = health.Stopping(60)
    try:
        stopping.listen(Loop())
        assert not stopping.heard
        signal.raise_signal(signal.SIGTERM)
        assert (stopping.heard, heard) == (True, ["later"])
        signal.raise_signal(signal.SIGTERM)
        assert len(heard) == 2
        stopping.leave()
        signal.raise_signal(signal.SIGTERM)
        assert len(heard) == 3
    finally:
        signal.signal(signal.SIGTERM, before)
