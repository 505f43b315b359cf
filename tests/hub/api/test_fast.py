"""Calls over HTTP: what goes with an answer, and what happens when too much is asked."""

from __future__ import annotations

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from audit.entry import Entry
from hub import receipts
from hub.actors import Role
from hub.api import create_app, fast
from hub.api.limits import STRANGER_BURST, Buckets, Room
from hub.callers import issue_key
from hub.errors import BusyError
from hub.service import Service
from hub.signatures import AnswerVerifier
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.world import CODE, IDS, body

QUERY = f"/v1/resources/{CODE}:query"


def post(http, world, path=QUERY, plain=None, **headers):
    fields = {"authorization": f"Bearer {world.key}", "content-type": "application/json"}
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    return http.post(path, content=json.dumps(plain or body()).encode(), headers=fields)


def log_size(http):
    return http.app.state.service.evidence.log.size


@pytest.fixture
def own(world, tmp_path):
    """A server of its own for a test that changes what others rest on; what it is given may be changed first."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(**settings):
            copied = worlds.copy(world, tmp_path / "own")
            chosen = replace(copied.settings, **settings)
            app = create_app(chosen, open_service=lambda given: Service.open(given, clock=copied.clock))
            url = stack.enter_context(serving(app))
            client = stack.enter_context(httpx.Client(base_url=url, trust_env=False))
            client.app = app
            return client, copied

        yield start


def test_several_are_answered_in_one_call(http, world):
    got = post(http, world, plain=body(keys=[{"citizen_id": one} for one in IDS]))
    assert [len(one["records"]) for one in got.json()["answers"]] == [1] * 5


def test_the_state_that_was_answered_from_has_a_tag(http, world):
    tags = {post(http, world, plain=body(keys={"citizen_id": one})).headers["etag"] for one in IDS}
    assert len(tags) == 1
    assert post(http, world, plain=body(fields=["name"])).headers["etag"] not in tags


def test_each_stage_is_timed(http, world):
    said = post(http, world).headers["server-timing"]
    assert re.findall(r"(\w+);dur=[0-9.]+", said) == ["auth", "decide", "lookup", "mask", "write", "log", "sign"]


def test_a_named_call_is_answered_once(http, world):
    first = post(http, world, idempotency_key='"a-1"')
    size = log_size(http)
    assert post(http, world, idempotency_key='"a-1"').content == first.content
    assert log_size(http) == size
    other = post(http, world, plain=body(fields=["name"]), idempotency_key="a-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


class TestTheSandbox:
    def test_it_answers_made_up_rows_and_records_nothing(self, http, world):
        size = log_size(http)
        sample = http.app.state.service.trial.rows(world.list).sample_keys(world.list.by_code[CODE])
        key = {"citizen_id": sample["citizen_id"][0]}
        got = post(http, world, path=f"/v1/sandbox/resources/{CODE}:query", plain=body(keys=key))
        plain = got.json()
        assert len(plain["records"]) == 1
        assert plain["grant"] == "SANDBOX"
        assert log_size(http) == size
        receipt = receipts.read(plain.pop("receipt"))
        receipts.check(
            receipt,
            [AnswerVerifier.from_text(http.get("/v1/keys").json()["answers"][0])],
            answer=plain,
        )
        assert receipt.origin.endswith("/sandbox")

    def test_nobody_who_is_real_is_in_it(self, http, world):
        got = post(http, world, path=f"/v1/sandbox/resources/{CODE}:query")
        assert got.json()["records"] == []

    def test_the_list_decides_there_as_it_does_here(self, http, world):
        got = post(http, world, path=f"/v1/sandbox/resources/{CODE}:query", plain=body(purpose={"matter": "none"}))
        assert got.status_code == 403
        got = post(http, world, path="/v1/sandbox/resources/none:verify")
        assert got.status_code in (404, 422)

    def test_a_stranger_has_no_sandbox(self, http, world):
        got = post(http, world, path=f"/v1/sandbox/resources/{CODE}:query", authorization="Bearer x")
        assert got.status_code == 401


class TestExplaining:
    def ask(self, http, world, **changes):
        plain = {"keys": ["citizen_id"], "purpose": {"matter": "SX001"}, **changes}
        return post(http, world, path=f"/v1/resources/{CODE}:explain", plain=plain, accept_language="en")

    def test_what_would_be_answered(self, http, world):
        size = log_size(http)
        plain = self.ask(http, world, fields=["name"]).json()
        assert plain["allowed"] is True
        assert plain["fields"] == [{"name": "name", "mask": "surname"}]
        assert plain["grants"] == ["G1"]
        assert log_size(http) == size

    def test_why_not(self, http, world):
        plain = self.ask(http, world, fields=["address"]).json()
        assert plain["allowed"] is False
        assert [(one["code"], one["remedy"]) for one in plain["reasons"]] == [("field_not_granted", "apply")]

    @pytest.mark.parametrize("action", ["verify", "batch", "subscribe"])
    def test_of_every_action(self, http, world, action):
        changes = {"claims": ["name"]} if action == "verify" else {}
        got = self.ask(http, world, action=action, **changes)
        assert got.json()["allowed"] is (action == "verify")

    def test_what_is_no_question_is_refused(self, http, world):
        assert self.ask(http, world, action="drop").status_code == 422
        assert self.ask(http, world, keys=[1]).status_code == 422
        assert post(http, world, path="/v1/resources/none:explain").status_code == 404


class TestTooMuch:
    def test_more_at_once_than_there_is_room_for_are_told_to_come_again(self, http, world):
        room = http.app.state.fast.room
        most, room.most = room.most, 0
        try:
            got = post(http, world)
        finally:
            room.most = most
        assert (got.status_code, got.json()["code"], got.headers["retry-after"]) == (503, "busy", "1")
        assert post(http, world).status_code == 200
        assert room.taken == 0

    def test_one_caller_does_not_take_it_all(self, own):
        http, world = own(calls_per_second=2)
        found = [post(http, world).status_code for _ in range(8)]
        assert found[:4] == [200] * 4
        assert 429 in found
        got = next(got for got in iter(lambda: post(http, world), None) if got.status_code == 429)
        assert got.json()["code"] == "too_fast"
        assert int(got.headers["retry-after"]) >= 1

    def test_a_stranger_fills_no_log(self, own):
        http, world = own()
        size = log_size(http)
        wrong = [post(http, world, authorization=f"Bearer zt_{n:043}").status_code for n in range(STRANGER_BURST + 10)]
        assert wrong == [401] * STRANGER_BURST + [429] * 10
        assert log_size(http) == size + STRANGER_BURST
        named = post(http, world, authorization="Bearer zt_x", idempotency_key="a")
        assert (named.status_code, log_size(http)) == (429, size + STRANGER_BURST)
        # Whoever has a key is answered from the same address.
        assert post(http, world).status_code == 200
        assert post(http, world, idempotency_key="a").status_code == 200

    def test_buckets_hold_a_bounded_number(self, monkeypatch):
        monkeypatch.setattr("hub.api.limits._MAX_BUCKETS", 100)
        now = [0.0]
        buckets = Buckets(2, 1, clock=lambda: now[0])
        for name in range(1_000):
            buckets.take(name)
        assert len(buckets._levels) <= 100
        assert [buckets.take("a") for _ in range(3)] == [0, 0, 1]
        now[0] += 1
        assert buckets.wait_s("a") == 0

    def test_a_room_is_full_at_its_limit(self):
        room = Room(1)
        room.enter()
        with pytest.raises(BusyError):
            room.enter()
        room.leave()
        room.enter()


class TestSlowAndStrange:
    @pytest.mark.parametrize(
        "sent",
        [
            b"",
            b"POST /v1",
            b"POST " + QUERY.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
            b"POST " + QUERY.encode() + b" HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{",
        ],
    )
    def test_a_request_that_does_not_come_is_not_waited_for(self, http, monkeypatch, sent):
        monkeypatch.setattr("hub.api.serving.REQUEST_WAIT_S", 0.3)
        with socket.create_connection((http.base_url.host, http.base_url.port)) as connection:
            connection.sendall(sent)
            got = b"".join(iter(lambda: connection.recv(65536), b""))
        assert got.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 401 "))

    def test_a_body_that_stops_is_not_waited_for(self, http, world, monkeypatch):
        monkeypatch.setattr(fast, "BODY_WAIT_S", 0.2)
        with socket.create_connection((http.base_url.host, http.base_url.port)) as connection:
            head = f"POST {QUERY} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
            connection.sendall(head.encode() + b'{"keys"')
            got = b""
            while b"body_too_slow" not in got:
                more = connection.recv(65536)
                assert more, got
                got += more
        assert got.startswith(b"HTTP/1.1 503 ")

    def test_a_list_that_is_handed_in_has_its_reader_s_patience(self, http, world, monkeypatch):
        monkeypatch.setattr("hub.api.serving.REQUEST_WAIT_S", 0.2)
        opened = http.app.state.service
        how = {"department": "GA", "name": "editor", "by": "office", "roles": (Role.OFFICE,)}
        key = issue_key(opened.control, opened.evidence, world.list, **how).key
        with socket.create_connection((http.base_url.host, http.base_url.port)) as connection:
            fields = (
                f"Host: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/yaml\r\nContent-Length: 2\r\n"
            )
            connection.sendall(f"POST /v1/lists HTTP/1.1\r\n{fields}\r\n".encode() + b"{")
            connection.settimeout(0.6)
            # Nothing is said while it is being read.
            with pytest.raises(TimeoutError):
                raise AssertionError(connection.recv(65536))
            connection.settimeout(20)
            connection.sendall(b"}")
            assert connection.recv(65536).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 415 ", b"HTTP/1.1 422 "))

    def test_a_head_without_end_is_not_read_to_its_end(self, http):
        with socket.create_connection((http.base_url.host, http.base_url.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)
            assert connection.recv(65536).startswith(b"HTTP/1.1 431 ")

    def test_a_fault_is_logged_without_what_it_says(self, http, world, monkeypatch, caplog):
        def fail(*args):
            raise RuntimeError(IDS[0])

        monkeypatch.setattr("hub.standing.View.rights", fail)
        assert post(http, world).status_code == 500
        assert "RuntimeError" in caplog.text
        assert IDS[0] not in caplog.text


class TestMetrics:
    def test_they_count_and_name_nobody(self, http, world):
        post(http, world)
        text = http.get("/metrics").text
        assert 'zhengtong_calls_total{action="query",outcome="answered"}' in text
        assert "zhengtong_stage_seconds_total" in text
        for personal in (IDS[0], world.key, "张", "BJ-1", "G1"):
            assert personal not in text

    def test_they_are_told_to_whom_the_deployment_says(self, own):
        http, _ = own(metrics_from="10.0.0.0/8")
        assert http.get("/metrics").status_code == 404


class TestRevoking:
    def test_what_was_revoked_before_a_call_began_never_answers_it(self, own):
        http, world = own()
        assert post(http, world).status_code == 200  # warm: decided on the loop, by what is remembered
        service = http.app.state.service
        worlds.end(world.settings, service.control, service.evidence, "G1")
        got = post(http, world)
        assert (got.status_code, got.json()["code"]) == (403, "denied")

    def test_a_call_prepared_under_what_has_changed_is_prepared_anew(self, own, monkeypatch):
        http, world = own()
        assert post(http, world).status_code == 200
        service, prepare, seen = http.app.state.service, type(http.app.state.service.invocation).prepare, []

        def revoked_meanwhile(self, *args, **named):
            prepared = prepare(self, *args, **named)
            if not seen:
                # After it was decided and before its evidence is kept: the answer is not out yet.
                worlds.end(world.settings, service.control, service.evidence, "G1")
            seen.append(prepared.error)
            return prepared

        monkeypatch.setattr(type(service.invocation), "prepare", revoked_meanwhile)
        assert post(http, world).status_code == 403
        assert len(seen) == 2

    def test_many_at_once_have_entries_of_their_own(self, own):
        http, world = own()
        size = log_size(http)
        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(lambda n: post(http, world, plain=body(keys={"citizen_id": IDS[n % 5]})), range(80)))
        assert {got.status_code for got in found} == {200}
        assert sorted(got.json()["receipt"]["entry"] for got in found) == list(range(size, size + 80))
        log = http.app.state.service.evidence.log
        for got in found:
            receipt = got.json()["receipt"]
            assert json.loads(log.entry(receipt["entry"])) == receipt["leaf"]
            assert Entry.decode(log.entry(receipt["entry"])).kind == "invocation.answered"


def test_a_replay_does_not_pass_because_something_changed_meanwhile(own, monkeypatch):
    from hub import clients
    from hub.actors import Actor
    from hub.client.wire import Wire
    from hub.signing import keyfiles
    from tests.hub.world import MATTER

    http, world = own()
    world.clock.now += timedelta(seconds=2)
    monkeypatch.setattr("hub.client.wire.utc_now", lambda: world.clock.now)
    office, by = http.app.state.service.office, Actor("GA", "office")
    key, _ = keyfiles.generate("ed25519")
    system = clients.register(office, department="RS", name="window", contact="officer", by=by)
    clients.add_key(office, system.id, key.public, keyfiles.prove_possession(system.id, key), by=by)
    wire = Wire(str(http.base_url), key, http.get("/v1/keys").json()["answers"][0])
    sent = wire.sent(wire.query(CODE, {"citizen_id": IDS[0]}, matter=MATTER))

    def send():
        return httpx.post(sent.url, content=sent.content, headers=sent.fields, trust_env=False)

    assert send().status_code == 200
    # The replay is first looked at under a state in which its key is unknown, and then, anew, under the present one.
    service = http.app.state.service
    standing, old = service.standing, service.standing.latest()
    clients.register(office, department="RS", name="other", contact="officer", by=by)
    real = type(old).credentials
    monkeypatch.setattr(
        type(old), "credentials", lambda self, *how: () if self.generation == old.generation else real(self, *how)
    )
    got = send()
    assert (got.status_code, got.json()["code"]) == (401, "signature_replayed")
    assert standing.latest().generation > old.generation
