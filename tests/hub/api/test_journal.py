"""The journal: a line for each request that says how it ended, and nothing of what was asked or told."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from msgspec.structs import asdict

from hub.api import create_app, journal
from hub.api.journal import REQUEST_ID, Direct, Journal, LogSettingsError, Seen, Sink, line_of
from hub.api.metrics import STAGES, Metrics
from hub.invocation import RefusedError
from hub.service import Service
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.world import CODE, IDS, PEOPLE, body

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
QUERY = f"/v1/resources/{CODE}:query"


class Written:
    """A server with a journal, and what it has written."""

    def __init__(self, http, world, file):
        self.http = http
        self.world = world
        self.file = file

    def lines(self, count, wait_s=10):
        """The lines since the last time, once there are *count* of requests."""
        until = time.monotonic() + wait_s
        while True:
            text = self.file.read_text(encoding="utf-8") if self.file.exists() else ""
            found = [json.loads(line) for line in text.splitlines()]
            if len([one for one in found if "door" in one]) >= count:
                self.file.unlink()
                return found
            assert time.monotonic() < until, text
            time.sleep(0.02)

    def call(self, plain=None, path=QUERY, **fields):
        fields = {"authorization": f"Bearer {self.world.key}", "content-type": "application/json"} | fields
        return self.http.post(path, content=json.dumps(plain or body()).encode(), headers=fields)


@contextmanager
def writing(world, folder, **settings):
    copied = worlds.copy(world, folder / "own")
    chosen = replace(copied.settings, **({"log_format": "json", "log_file": folder / "journal.jsonl"} | settings))
    app = create_app(chosen, open_service=lambda given: Service.open(given, clock=copied.clock))
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as http:
        http.app = app
        yield Written(http, copied, folder / "journal.jsonl")


@pytest.fixture(scope="module")
def written(world, tmp_path_factory):
    with writing(world, tmp_path_factory.mktemp("journal")) as found:
        yield found


class TestCalls:
    def test_an_answered_call_says_how_it_ended_and_who_asked_in_codes(self, written):
        got = written.call(traceparent=f"00-{TRACE}-{SPAN}-01")
        (line,) = written.lines(1)
        leaf = got.json()["receipt"]["leaf"]
        assert (line["door"], line["outcome"], line["status"], line["level"]) == ("query", "answered", 200, "info")
        assert (line["department"], line["client"], line["resource"]) == ("RS", leaf["facts"]["caller"], CODE)
        assert line["entry"] == got.json()["receipt"]["entry"]
        assert tuple(line["stages_us"]) == STAGES
        assert 0 < sum(line["stages_us"].values()) <= 1_000 * line["ms"]
        assert line["id"] == TRACE == got.headers[REQUEST_ID.decode()]
        assert "problem" not in line

    def test_a_refused_call_says_why(self, written):
        got = written.call(body(fields=["address"]))
        (line,) = written.lines(1)
        assert (line["outcome"], line["problem"], line["status"], line["department"]) == ("denied", "denied", 403, "RS")
        assert line["entry"] == got.json()["receipt"]["entry"]
        assert "stages_us" not in line

    def test_of_a_stranger_and_of_what_is_not_on_the_list_nothing_is_named(self, written):
        written.call(authorization="Bearer zt_" + "x" * 43)
        written.call(path="/v1/resources/%E5%BC%A0%E4%B8%89:query")
        stranger, elsewhere = sorted(written.lines(2), key=lambda one: one["status"])
        assert (stranger["problem"], stranger["department"]) == ("key_refused", "unknown")
        assert "client" not in stranger
        assert elsewhere["problem"] == "resource_unknown"
        assert "resource" not in elsewhere

    def test_what_is_turned_away_is_there_too(self, written):
        room = written.http.app.state.fast.room
        most, room.most = room.most, 0
        try:
            written.call()
        finally:
            room.most = most
        (line,) = written.lines(1)
        assert (line["outcome"], line["problem"], line["status"]) == ("unavailable", "busy", 503)
        assert line["level"] == "warning"

    def test_of_the_sandbox_there_is_no_entry(self, written):
        written.call(path=f"/v1/sandbox/resources/{CODE}:query")
        (line,) = written.lines(1)
        assert (line["door"], line["status"], line["department"]) == ("sandbox query", 200, "RS")
        assert "entry" not in line

    def test_a_fault_is_one(self, written, monkeypatch):
        def fail(*args):
            raise RuntimeError(IDS[0])

        monkeypatch.setattr("hub.standing.View.rights", fail)
        assert written.call().status_code == 500
        found = written.lines(1)
        (line,) = [one for one in found if "door" in one]
        assert (line["outcome"], line["level"], line["problem"]) == ("fault", "error", "internal")
        (message,) = [one for one in found if "logger" in one]
        assert "RuntimeError" in message["message"]
        assert IDS[0] not in json.dumps(found)


class TestRequests:
    def test_an_address_is_named_by_its_pattern(self, written):
        written.http.get(f"/v1/resources/{CODE}?x={IDS[0]}")
        written.http.get("/v1/problems/denied")
        first, second = written.lines(2)
        assert (first["door"], first["resource"], first["status"]) == ("GET /v1/resources/{code}", CODE, 200)
        assert second["door"] == "GET /v1/problems/{code}"
        assert "resource" not in second

    def test_one_that_there_is_not_is_not_named(self, written):
        written.http.get(f"/{IDS[0]}")
        written.http.get("/v1/catalog%00")
        for line in written.lines(2):
            assert (line["door"], line["status"], line["outcome"]) == ("none", 404, "refused")

    def test_who_asks_is_named_by_codes_and_the_problem_by_its_own(self, written):
        key = {"authorization": f"Bearer {written.world.key}"}
        written.http.get("/v1/batches/none", headers=key)
        (line,) = written.lines(1)
        assert (line["department"], line["problem"], line["status"]) == ("RS", "batch_unknown", 404)
        assert line["client"]

    def test_a_fault_is_logged_and_told_without_its_text(self, written, monkeypatch):
        def fail(*args, **named):
            raise RuntimeError(IDS[0])

        monkeypatch.setattr("hub.api.public.catalogue", fail)
        got = written.http.get("/v1/catalog")
        assert (got.status_code, got.json()["code"]) == (500, "internal")
        found = written.lines(1)
        assert [one["outcome"] for one in found if "door" in one] == ["fault"]
        (message,) = [one for one in found if "logger" in one]
        assert message["logger"] == "hub.api.gate"
        assert "RuntimeError" in message["message"]
        assert IDS[0] not in json.dumps(found)


PERSONAL = [
    IDS[0],
    IDS[1],
    "张三",
    "BJ-1",
    "李",
    *(value for row in PEOPLE for value in row if value and len(value) > 5),
]
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C",), exclude_characters="/?#%\\"), min_size=6, max_size=30
)


class TestNobodyIsInIt:
    @given(text=TEXTS)
    @how(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_key_value_name_or_word_of_a_search(self, written, text):
        marked = f"查{text}询"
        http, world = written.http, written.world
        key = {"authorization": f"Bearer {world.key}"}
        written.call(body(keys={"citizen_id": marked}))
        written.call(body(purpose={"matter": marked, "case": marked, "operator": marked}))
        written.call(body(claims={"name": marked}), path=f"/v1/resources/{CODE}:verify")
        written.call({marked: marked})
        written.call(authorization="Bearer " + marked.encode().hex())
        http.get("/v1/search", params={"q": marked})
        http.get("/v1/search", params={marked: marked}, headers={"x-note": marked.encode().hex()})
        http.get("/v1/resources/" + marked, headers=key)
        http.post("/v1/mydata", json={"keys": {"citizen_id": marked}}, headers=key)
        http.get("/" + marked)
        text = json.dumps(written.lines(10), ensure_ascii=False)
        for one in (marked, json.dumps(marked)[1:-1], marked.encode().hex(), world.key, "127.0.0.1"):
            assert one not in text

    def test_nothing_of_a_row_that_was_told(self, written):
        assert "张" in written.call(body(keys=[{"citizen_id": one} for one in IDS])).text
        written.call(body(claims={"name": "张三"}), path=f"/v1/resources/{CODE}:verify")
        text = json.dumps(written.lines(2), ensure_ascii=False)
        assert [one for one in PERSONAL if one in text] == []


class TestNames:
    @pytest.mark.parametrize(
        "said",
        [
            f"00-{TRACE}-{SPAN}",
            f"00-{TRACE}-{SPAN}-01-more",
            f"00-{TRACE.upper()}-{SPAN}-01",
            f"00-{'0' * 32}-{SPAN}-01",
            f"00-{TRACE}-{'0' * 16}-01",
            f"ff-{TRACE}-{SPAN}-01",
            f"00-{TRACE}-{SPAN}-01\n",
            "",
        ],
    )
    def test_what_names_no_trace_gets_a_name_of_ours(self, said):
        seen = Seen("GET", [(b"traceparent", said.encode())])
        assert seen.id != TRACE
        assert (len(seen.id), seen.parent) == (32, None)

    def test_two_are_as_good_as_none(self):
        line = (b"traceparent", f"00-{TRACE}-{SPAN}-01".encode())
        assert Seen("GET", [line]).id == TRACE
        assert Seen("GET", [line, line]).id != TRACE

    def test_a_later_version_is_read_as_far_as_it_is_known(self):
        seen = Seen("GET", [(b"traceparent", f"cc-{TRACE}-{SPAN}-01-what-follows".encode())])
        assert (seen.id, seen.parent) == (TRACE, (SPAN, 1))

    def test_nobody_has_anothers(self):
        assert len({Seen("GET", []).id for _ in range(1_000)}) == 1_000


class Slow:
    """A sink that stands still until it is let go."""

    def __init__(self):
        self.go = threading.Event()
        self.data = b""

    def write(self, data):
        self.go.wait()
        self.data += data

    def close(self):
        pass


def seen(door="query"):
    return Seen("POST", [], door)


class TestWriting:
    def test_who_does_not_read_holds_nobody_up_and_what_is_lost_is_counted(self, monkeypatch):
        monkeypatch.setattr(journal, "MAX_WAITING", 50)
        metrics, sink = Metrics(), Slow()
        kept = Journal(sink, lost=metrics.lost)
        kept.start()
        for _ in range(200):
            kept.ended(seen(), 200)
        sink.go.set()
        kept.stop()
        lines = sink.data.splitlines()
        assert len(lines) < 200
        text = metrics.text(under_way=0, log_size=0, published=0, merge_delay_s=0).decode()
        assert f"zhengtong_journal_lost_total {float(200 - len(lines))}" in text

    def test_a_sink_that_never_reads_does_not_keep_the_process_from_ending(self, monkeypatch):
        monkeypatch.setattr(journal, "_STOP_WAIT_S", 0.1)
        sink = Slow()
        kept = Journal(sink, lost=lambda lines: None)
        kept.start()
        kept.ended(seen(), 200)
        kept.stop()
        sink.go.set()

    def test_a_disk_that_is_full_is_counted_and_written_to_again(self):
        lost, data = [], []

        class Full:
            def write(self, piece):
                if not lost:
                    raise OSError(28, "full")
                data.append(piece)

            def close(self):
                pass

        kept = Journal(Full(), lost=lost.append)
        for _ in range(2):
            kept.ended(seen(), 200)
            kept._write()
        assert lost == [1]
        assert len(data) == 1

    def test_a_tracer_that_fails_costs_its_request_alone(self):
        lost, sink = [], Slow()
        sink.go.set()

        class Broken:
            def span(self, seen, line):
                if seen.door == "verify":
                    raise RuntimeError

        kept = Journal(sink, lost=lost.append, tracer=Broken())
        for door in ("query", "verify", "query"):
            kept.ended(seen(door), 200)
        kept._write()
        assert (len(sink.data.splitlines()), lost) == (2, [1])

    @pytest.mark.parametrize(
        ("level", "statuses"), [("info", [200, 403, 503, 500]), ("warning", [503, 500]), ("error", [500])]
    )
    def test_a_level_leaves_out_what_is_below_it(self, level, statuses):
        sink = Slow()
        sink.go.set()
        kept = Journal(sink, lost=lambda lines: None, level=level)
        for status in (200, 403, 503, 500):
            kept.ended(seen(), status)
        kept._write()
        assert [json.loads(line)["status"] for line in sink.data.splitlines()] == statuses

    def test_a_file_that_was_moved_away_is_made_anew(self, tmp_path):
        file = tmp_path / "journal.jsonl"
        sink = Sink(file)
        sink.write(b"1\n")
        file.rename(tmp_path / "old")
        sink.write(b"2\n")
        sink.close()
        assert ((tmp_path / "old").read_bytes(), file.read_bytes()) == (b"1\n", b"2\n")

    def test_a_pipe_gets_whole_lines_in_pieces_that_do_not_mix(self, monkeypatch):
        reading, writing = os.pipe()
        monkeypatch.setattr(journal, "_STDERR", writing)
        pieces, real = [], os.write
        monkeypatch.setattr(os, "write", lambda file, data: pieces.append(bytes(data)) or real(file, data))
        lines = b"".join(b'{"n":%d}\n' % n for n in range(2_000))
        Sink(None).write(lines)
        os.close(writing)
        with os.fdopen(reading, "rb") as end:
            assert end.read() == lines
        assert len(pieces) > 4
        assert all(len(piece) <= 4_096 and piece.endswith(b"\n") for piece in pieces)

    @pytest.mark.parametrize(
        "wrong", [{"log_format": "xml"}, {"log_level": "loud"}, {"log_format": "json", "log_file": os.devnull + "/x"}]
    )
    def test_a_setting_that_is_none_is_told_at_the_start(self, settings, tmp_path, wrong):
        from pathlib import Path

        wrong = {name: Path(value) if name == "log_file" else value for name, value in wrong.items()}
        with pytest.raises(LogSettingsError):
            Journal.open(replace(settings, **wrong), lost=lambda lines: None)

    def test_where_none_is_asked_for_there_is_none(self, settings, http):
        assert Journal.open(settings, lost=lambda lines: None) is None
        assert http.app.journal is None
        assert REQUEST_ID.decode() not in http.get("/healthz").headers

    def test_a_line_is_of_the_entry_and_not_of_the_answer(self, service, world):
        one = seen()
        answer = service.invocation.query(world.key, CODE, json.dumps(body()).encode())
        one.call("answered", "", answer.receipt, (1_000_000,) * len(STAGES))
        one.ends(200)
        assert line_of(one).entry == answer.receipt.index
        assert asdict(line_of(one).stages_us) == dict.fromkeys(STAGES, 1_000)
        with pytest.raises(RefusedError) as caught:
            service.invocation.query(world.key, CODE, json.dumps(body(fields=["address"])).encode())
        one.call("denied", caught.value.cause.code, caught.value.receipt)
        assert (line_of(one).department, line_of(one).problem) == ("RS", "denied")


class TestMessages:
    def message(self, name, text, *args, error=None):
        sink = Slow()
        sink.go.set()
        kept = Journal(sink, lost=lambda lines: None)
        info = None
        if error is not None:
            try:
                raise error
            except type(error) as raised:
                info = (type(raised), raised, raised.__traceback__)
        kept.say(logging.LogRecord(name, logging.WARNING, "f.py", 1, text, args, info))
        kept._write()
        return json.loads(sink.data)

    def test_ours_are_told_and_errors_by_their_kind_and_place(self):
        said = self.message("hub.evidence", "gone: %s", "log", error=ValueError(IDS[0]))
        assert (said["message"], said["error"], said["level"]) == ("gone: log", "ValueError", "warning")
        assert said["where"][-1].endswith(" message")
        assert IDS[0] not in json.dumps(said)

    def test_of_others_only_what_never_changes(self):
        said = self.message("sqlalchemy.engine", "parameters: %s", IDS[0])
        assert said["message"] == "parameters: %s"

    def test_a_number_of_a_person_is_not_told_even_of_ours(self):
        assert IDS[0] not in self.message("hub.x", "row %s", IDS[0])["message"]

    def test_before_there_is_a_journal_they_go_to_standard_error_in_the_same_form(self, settings, capfd, monkeypatch):
        monkeypatch.setattr(logging.getLogger(), "handlers", [])
        for name in journal._OURS:
            monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
        journal.speak(settings)
        assert logging.getLogger().handlers == []
        journal.speak(replace(settings, log_format="json"))
        journal.speak(replace(settings, log_format="json"))
        assert [type(one) for one in logging.getLogger().handlers] == [Direct]
        logging.getLogger("hub.start").warning("begun")
        said = json.loads(capfd.readouterr().err)
        assert (said["logger"], said["message"]) == ("hub.start", "begun")
