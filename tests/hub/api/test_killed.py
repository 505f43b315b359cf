"""Serving processes that are killed under load: every receipt that left them is in the log (bench/kills_calls.py)."""

from __future__ import annotations

import asyncio
import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn

from audit.log import Log
from audit.store import BodyStore
from bench import kills_calls
from bench.calls.ledger import Asked, Got, Ledger
from hub.api import serving
from hub.evidence import Evidence
from hub.invocation import RefusedError
from hub.service import Service
from tests.hub import world as worlds
from tests.hub.world import CODE

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_killed_under_load_every_receipt_is_in_the_log(tmp_path):
    drill = kills_calls.Drill(tmp_path, workers=2, connections=6, seed=7)
    asyncio.run(drill.run([kills_calls.WORKER, kills_calls.PARENT], wait_s=1.0))
    tally = drill.ledger.tally
    assert drill.ledger.faults == []
    # Or it would have found nothing because nothing was there to be found.
    assert tally["answered"] > 20
    assert tally["receipts found"] == tally["answered"] + tally["refused"]
    assert min(tally["signed requests repeated"], tally["checkpoints seen"]) > 1


def test_a_worker_is_handed_nothing_that_is_long_to_import(settings, monkeypatch):
    # It answers its parent only after that, and a parent that waits too long for an answer kills it.
    told = {}
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))
    monkeypatch.setattr("hub.api.serving.uvicorn.run", lambda app, **named: told.update(named, app=app))
    serving.run("127.0.0.1", 0, workers=2)
    code = "import pickle, sys; pickle.load(sys.stdin.buffer); print([m for m in sys.modules if m.startswith('hub')])"
    handed = pickle.dumps(uvicorn.Config(**told))
    done = subprocess.run([sys.executable, "-c", code], input=handed, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_killed_at_each_write_of_evidence_no_entry_is_without_its_body(tmp_path):
    command = [sys.executable, "-m", "tests.hub.api.keeper", tmp_path]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    # Every outcome was met: nothing kept, the first call's two, and the second's too.
    assert re.fullmatch(r"\[0, 2, 3\] [1-9][0-9]+\n", told.stdout)


def asked(service, world, kind, **changes):
    request = b"POST / HTTP/1.1\r\n\r\n" + json.dumps(worlds.body(**changes)).encode()
    try:
        answer = service.invocation.query(world.key, CODE, request.partition(b"\r\n\r\n")[2])
    except RefusedError as refused:
        return Asked(kind, request), Got(403, b'{"receipt":%b}' % refused.receipt.encode())
    return Asked(kind, request), Got(200, answer.body())


class TestTheDrillFindsWhatIsMissing:
    @pytest.fixture
    def world(self, built, tmp_path):
        return worlds.copy(built, tmp_path / "world")

    @pytest.fixture
    def held(self, world):
        service = Service.open(world.settings, clock=world.clock)
        try:
            return [asked(service, world, "query"), asked(service, world, "denied", purpose={"matter": "SX002"})]
        finally:
            service.close()

    @pytest.fixture
    def look(self, held, world):
        def look(pairs=held):
            ledger = Ledger(world.settings)
            for one in pairs:
                ledger.take(*one)
            ledger.at_rest()
            ledger.note()
            ledger.at_the_end()
            return ledger

        return look

    def test_nothing_where_all_is_there(self, look):
        ledger = look()
        assert ledger.faults == []
        assert (len(ledger.known), ledger.tally["receipts found"]) == (2, 2)

    def test_an_entry_that_is_missing(self, held, look, world):
        # An older state of the log, as a restored copy would be: the last entry is gone.
        index = held[1][1].plain["receipt"]["entry"]
        with Log.open(world.settings.log) as log:
            assert log.size == index + 1
            leaves = list(log.entries(0, index))
        shutil.rmtree(world.settings.log)
        evidence = Evidence.open(world.settings)
        evidence.log.append(leaves)
        evidence.publish()
        evidence.log.close()
        assert look().faults[0] == f"entry {index} was promised, and is not in the log"

    def test_another_answer_than_was_logged(self, held, look):
        other = held[0][1].body.replace("张".encode(), "李".encode())
        assert other != held[0][1].body
        (fault,) = look([(held[0][0], Got(200, other))]).faults
        assert "another answer" in fault

    def test_an_entry_that_two_were_promised(self, held, look):
        assert "was given twice" in look([held[0], held[0]]).faults[0]

    def test_a_body_that_is_gone(self, held, look, world):
        index = held[0][1].plain["receipt"]["entry"]
        with Log.open(world.settings.log) as log:
            digest = json.loads(log.entry(index))["body_digest"]
        BodyStore(world.settings.bodies).erase(digest)
        assert look().faults == [f"entry {index}: its body, or the terms it names, are not there"]
