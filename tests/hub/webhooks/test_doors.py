"""Follow a resource over HTTP, be called by a real service's threads, and look at it all from the command line."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from hub.api import create_app
from hub.cli.app import run
from hub.service import Service
from hub.webhooks.post import TOO_SLOW, NotSentError
from hub.webhooks.worker import HookWorker
from tests.hub.api.conftest import serving
from tests.hub.changes.parts import CODE
from tests.hub.webhooks.conftest import Receiver
from tests.hub.webhooks.test_hooks import ACTOR, CALL, URL, change, given, later

__all__ = ["given"]

PURPOSE = {"purpose": {"matter": "SX001"}}


def until(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def inbox():
    """A department's receiver, and what came in."""
    came = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            plain = json.loads(self.rfile.read(int(self.headers["content-length"])))
            came.append(plain)
            body = json.dumps({"challenge": plain.get("challenge")}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            del words

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/in", came
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def http(given):
    settings = replace(given.settings, hook_networks="127.0.0.0/8")
    app = create_app(settings, open_service=lambda settings: Service.open(settings, clock=given.clock))
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        client.headers["authorization"] = f"Bearer {given.key}"
        yield client


def test_a_department_follows_and_is_called(given, http, inbox):
    url, came = inbox
    first = http.post(f"/v1/resources/{CODE}:changes", json=PURPOSE)
    assert (first.status_code, first.headers["retry-after"]) == (200, "300")
    assert first.headers["zhengtong-receipt"].startswith(f"entry={first.json()['receipt']['entry']}")
    made = http.post("/v1/hooks", json={"resource": CODE, "url": url, **PURPOSE})
    assert made.status_code == 201
    hook = made.json()["id"]
    until(lambda: http.get(f"/v1/hooks/{hook}").json()["state"] == "active")
    change(given)
    later(given)
    until(lambda: [one["type"] for one in came] == ["challenge", "changes"])
    page = http.post(f"/v1/resources/{CODE}:changes", json={**PURPOSE, "cursor": came[-1]["cursor"]}).json()
    assert [event["kind"] for event in page["events"]] == ["update"]
    until(lambda: http.get(f"/v1/hooks/{hook}/deliveries").json()["deliveries"][0]["state"] == "delivered")
    rows = http.get(f"/v1/hooks/{hook}/deliveries").json()["deliveries"]
    assert [(row["kind"], row["tries"], row["outcome"]) for row in rows] == [
        ("changes", 1, "answered"),
        ("challenge", 1, "answered"),
    ]
    for step, state in (("pause", "paused"), ("resume", "active"), ("end", "ended")):
        assert http.post(f"/v1/hooks/{hook}:{step}", json={}).json()["state"] == state
    assert http.get("/v1/hooks").json() == {"hooks": []}
    assert [one["id"] for one in http.get("/v1/hooks?ended=true").json()["hooks"]] == [hook]


REFUSED = (
    ("POST", f"/v1/resources/{CODE}:changes", {**PURPOSE, "cursor": "QUJD"}, 422, "cursor_invalid"),
    ("POST", f"/v1/resources/{CODE}:changes", {}, 403, "denied"),
    ("POST", "/v1/resources/none:changes", PURPOSE, 404, "resource_unknown"),
    ("POST", "/v1/hooks", {"resource": CODE, "url": "http://10.0.0.1/", **PURPOSE}, 422, "hook_address"),
    ("POST", "/v1/hooks", {"resource": CODE, **PURPOSE}, 422, "request_invalid"),
    ("POST", "/v1/hooks", {"resource": "none", "url": "http://127.0.0.1:1/", **PURPOSE}, 404, "resource_unknown"),
    ("POST", "/v1/hooks", {"resource": CODE, "url": "http://127.0.0.1:1/"}, 403, "denied"),
    ("GET", "/v1/hooks/W0", None, 404, "hook_unknown"),
    ("POST", "/v1/hooks/W0:pause", {}, 404, "hook_unknown"),
    ("POST", "/v1/hooks/W0:hide", {}, 404, "not_found"),
)


def test_what_is_refused_says_why(http):
    for method, path, body, status, code in REFUSED:
        answered = http.request(method, path, json=body)
        assert (answered.status_code, answered.json()["code"]) == (status, code), path


def test_without_a_key_nothing_is_told(http):
    for method, path in (("POST", f"/v1/resources/{CODE}:changes"), ("GET", "/v1/hooks"), ("POST", "/v1/hooks")):
        assert http.request(method, path, json=PURPOSE, headers={"authorization": "Bearer x"}).status_code == 401


class Slow(Receiver):
    """One address never answers; the others do."""

    def __init__(self):
        super().__init__()
        self.stop = threading.Event()

    def __call__(self, address, *args, **more):
        if address.host.startswith("slow"):
            self.stop.wait(20)
            raise NotSentError(TOO_SLOW)
        return super().__call__(address, *args, **more)


def test_who_never_answers_holds_nobody_up(given, hooks, queue):
    slow = Slow()
    for number in range(3):
        hooks.register(ACTOR, resource=CODE, url=f"https://slow{number}.example.cn/", call=CALL)
    # They have been tried once and are tried again now; one thread of the two is kept for who was not tried yet.
    dead = replace(queue, send_to=lambda *args, **more: (_ for _ in ()).throw(NotSentError(TOO_SLOW)))
    while dead.send():
        pass
    later(given)
    worker = HookWorker(replace(queue, send_to=slow), threads=2, idle_s=0.01)
    worker.start()
    try:
        made = hooks.register(ACTOR, resource=CODE, url=URL, call=CALL)
        until(lambda: hooks.get(made.id).state == "active", seconds=10)
        assert not slow.stop.is_set()
    finally:
        slow.stop.set()
        worker.stop()


def test_a_round_that_fails_does_not_end_the_thread(given, hooks, queue, monkeypatch, caplog):
    failing = replace(queue, send_to=lambda *args, **more: 1 // 0)
    worker = HookWorker(failing, threads=1, idle_s=0.01)
    made = hooks.register(ACTOR, resource=CODE, url=URL, call=CALL)
    worker.start()
    try:
        until(lambda: "ZeroDivisionError" in caplog.text)
    finally:
        worker.stop()
    assert URL not in caplog.text
    assert hooks.get(made.id).state == "pending"


def test_the_command_line_lists_shows_and_steps(given, hooks, queue, monkeypatch, capsys):
    monkeypatch.setenv("ZHENGTONG_HOME", str(given.settings.home))
    made = hooks.register(ACTOR, resource=CODE, url=URL, call=CALL)
    queue.send()
    assert run(["hooks", "list", "--json"]) == 0
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [made.id]
    for lang in ("zh", "en"):
        assert run(["hooks", "show", made.id, "--lang", lang]) == 0
        assert URL in capsys.readouterr().out.replace("\n", "")
    assert run(["hooks", "pause", made.id, "--by", "RS:window", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "paused"
    assert run(["hooks", "retry", made.id, "--by", "RS:window"]) != 0
    assert run(["hooks", "resume", made.id, "--by", "GA:desk"]) != 0
    assert run(["hooks", "resume", made.id, "--by", "RS:window"]) == 0
    assert run(["hooks", "end", made.id, "--by", "RS:window"]) == 0
    assert hooks.get(made.id).state == "ended"
