"""Alerts: each told once to each channel, kept until cleared, and never lost to a channel that is down."""

import hashlib
import hmac
import json
import socketserver
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from hub import alerts
from hub.alertwords import ALERTS
from hub.errors import AlertsFileError

AT = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
HOOK = alerts.Channel("duty", alerts.WEBHOOK, {"url": "https://duty.example/hook", "secret": "env:HOOK"})


def secret(reference):
    return {"env:HOOK": "hook-secret", "env:MAIL": "mail-secret"}[reference]


class Hook:
    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.taken = []

    def __call__(self, request):
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.taken.append(request)
        return httpx.Response(status)


def opened(control, code="R1", kind="load_failed", at=AT):
    params = {"error_en": "it broke", "error_zh": "坏了"}
    return alerts.raise_alert(control, kind, key=f"{kind}:{code}", at=at, resource=code, department="D1", params=params)


def deliver(control, hook, at=AT, channels=(HOOK,)):
    return alerts.deliver(control, channels, at=at, secret=secret, transport=httpx.MockTransport(hook))


def test_an_occasion_is_raised_once_and_counted(control):
    assert opened(control)
    assert not opened(control, at=AT + timedelta(hours=1))
    (one,) = alerts.open_alerts(control)
    assert (one.times, one.at, one.last_at) == (2, AT, AT + timedelta(hours=1))


def test_a_cleared_alert_may_come_again_as_a_new_one(control):
    opened(control)
    assert alerts.clear(control, "load_failed:R1", at=AT)
    assert not alerts.clear(control, "load_failed:R1", at=AT)
    assert alerts.open_alerts(control) == []
    assert opened(control)
    assert alerts.open_alerts(control)[0].id == 2


def test_each_channel_gets_each_alert_once(control):
    hook = Hook()
    opened(control)
    assert deliver(control, hook).delivered == {"duty": 1}
    opened(control)
    assert deliver(control, hook).delivered == {}
    body = json.loads(hook.taken[0].content)
    assert (body["kind"], body["resource"], body["severity"]) == ("load_failed", "R1", "ticket")
    assert body["what_to_do"] == ALERTS["load_failed"].remedy("zh")


def test_a_web_hook_is_signed_over_its_bytes(control):
    hook = Hook()
    opened(control)
    deliver(control, hook)
    sent = hook.taken[0]
    expected = hmac.new(b"hook-secret", sent.content, hashlib.sha256).hexdigest()
    assert sent.headers[alerts.SIGNATURE] == f"sha256={expected}"


def test_a_channel_that_is_down_is_tried_again_with_growing_pauses(control):
    hook = Hook(500, 500)
    opened(control)
    assert deliver(control, hook).failed == {"duty": "HTTPStatusError"}
    assert deliver(control, hook, AT + timedelta(seconds=30)).failed == {}
    assert deliver(control, hook, AT + timedelta(minutes=1)).failed == {"duty": "HTTPStatusError"}
    assert deliver(control, hook, AT + timedelta(minutes=2)).delivered == {}
    assert deliver(control, hook, AT + timedelta(minutes=3)).delivered == {"duty": 1}


def test_one_channel_down_holds_no_other_up(control):
    other = alerts.Channel("other", alerts.WEBHOOK, {"url": "https://other.example/hook"})
    hook = Hook(500)
    opened(control)
    outcome = deliver(control, hook, channels=(HOOK, other))
    assert (outcome.delivered, list(outcome.failed)) == ({"other": 1}, ["duty"])
    assert deliver(control, hook, AT + timedelta(minutes=1), (HOOK, other)).delivered == {"duty": 1}


def test_a_channel_gets_only_what_it_wants(control):
    hook = Hook()
    opened(control)
    opened(control, kind="late")
    narrow = alerts.Channel(
        "narrow", alerts.WEBHOOK, {"url": "https://n.example"}, kinds=("late",), departments=("D1",)
    )
    elsewhere = alerts.Channel("elsewhere", alerts.WEBHOOK, {"url": "https://e.example"}, departments=("D2",))
    with pytest.raises(KeyError):
        alerts.open_alerts(control)[0].text("en")  # `late` wants its own parameters, and was given none
    alerts.clear(control, "late:R1", at=AT)
    alerts.raise_alert(
        control, "late", key="late:R2", at=AT, resource="R2", department="D1", params={"success": "—", "due": "—"}
    )
    hook.taken.clear()
    alerts.clear(control, "load_failed:R1", at=AT)
    assert "R2" in alerts.open_alerts(control)[0].text("en")
    assert narrow.wants(alerts.open_alerts(control)[0])
    assert not elsewhere.wants(alerts.open_alerts(control)[0])


class Mailbox(socketserver.StreamRequestHandler):
    """A mail server that takes one message after another."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        data = False
        for line in self.rfile:
            if data:
                self.server.lines.append(line)
                if line == b".\r\n":
                    data = False
                    self.wfile.write(b"250 taken\r\n")
                continue
            command = line.split()[0].upper()
            if command == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            data = command == b"DATA"
            self.wfile.write(b"354 go on\r\n" if data else b"250 ok\r\n")


@pytest.fixture
def mail():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox)
    server.daemon_threads = True
    server.lines = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_mail_says_what_happened_and_what_to_do(control, mail):
    import email
    from email import policy

    settings = {
        "host": "127.0.0.1",
        "port": str(mail.server_address[1]),
        "starttls": "false",
        "sender": "hub@city.example",
        "to": "duty@city.example",
    }
    opened(control)
    outcome = deliver(control, Hook(), channels=(alerts.Channel("mail", alerts.EMAIL, settings, language="en"),))
    assert outcome.delivered == {"mail": 1}
    message = email.message_from_bytes(b"".join(mail.lines), policy=policy.default)
    assert message["Subject"] == "[Zhengtong] the load of `R1` failed: it broke"
    assert ALERTS["load_failed"].remedy("en") in message.get_content().replace("\n", " ")


def test_the_file_of_channels_is_read_strictly(tmp_path):
    path = tmp_path / "alerts.yaml"
    assert alerts.channels(None) == ()
    path.write_text("channels:\n  - {name: duty, kind: webhook, url: 'https://x', kinds: [late]}\n", encoding="utf-8")
    assert alerts.channels(path) == (alerts.Channel("duty", "webhook", {"url": "https://x"}, ("late",)),)
    for wrong in (
        "channels:\n  - {name: duty, kind: webhook}\n",
        "channels:\n  - {name: duty, kind: pigeon, url: x}\n",
        "channels:\n  - {name: duty, kind: webhook, url: 'https://x', kinds: [no_such]}\n",
        "channels:\n  - {name: duty, kind: webhook, url: 'https://x', secret: in-the-clear}\n",
        "channels: [\n",
    ):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(AlertsFileError) as refused:
            alerts.channels(path)
        assert "in-the-clear" not in str(refused.value)
    with pytest.raises(AlertsFileError):
        alerts.channels(tmp_path / "absent.yaml")


def test_every_kind_is_said_in_both_languages_and_says_what_to_do():
    named = ("resource", "error_en", "error_zh", "success", "due", "what_en", "what_zh", "hook", "consumer", "why")
    params = dict.fromkeys((*named, "witness", "minutes", "seconds", "promised", "name", "until"), "x")
    for kind, words in ALERTS.items():
        for lang in ("en", "zh"):
            assert "{" not in words.text(lang, lag_mb="1", state="lost", findings="2", **params), kind
            assert words.remedy(lang), kind
