"""Calls that their callers named: each answered and counted once."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from hub.again import AnswerGoneForGoodError
from hub.control import NamedCall
from hub.errors import EvidenceUnavailableError
from hub.invocation import RefusedError
from hub.once import PATIENCE_S, NameReusedError, Names, NameUnderWayError
from hub.usage import Usage
from tests.hub.databases import database
from tests.hub.world import CODE, IDS, NOW, body

__all__ = ["database"]


def call(service, world, name="order-1", action="query", **changes):
    return service.named.call(action, world.key, CODE, json.dumps(body(**changes)).encode(), name)


def test_a_repetition_gets_the_same_bytes_and_counts_once(service, world):
    first = call(service, world)
    size = service.evidence.log.size
    again = call(service, world)
    assert again.body() == first.body()
    assert service.evidence.log.size == size
    assert Usage(service.control, service.evidence.log).today("G1", NOW) == 1
    # Quoted, as the field's standard has it, it is the same name.
    assert call(service, world, name='"order-1"').body() == first.body()


def test_a_verification_is_repeated_too(service, world):
    first = call(service, world, action="verify", claims={"name": "张三"})
    assert call(service, world, action="verify", claims={"name": "张三"}).body() == first.body()


def test_another_call_under_the_name_is_refused(service, world):
    call(service, world)
    with pytest.raises(NameReusedError):
        call(service, world, keys={"citizen_id": IDS[1]})


def test_neither_the_name_nor_what_was_asked_is_kept(service, world):
    answer = call(service, world, name="BJ-2026-0001")
    kept = service.control.engine.connect().execute(NamedCall.__table__.select()).one()
    assert "BJ-2026-0001" not in str(kept)
    assert b"BJ-2026-0001" not in answer.receipt.leaf
    assert kept.log_index == answer.receipt.index


def test_a_refusal_is_not_remembered(service, world):
    with pytest.raises(RefusedError):
        call(service, world, fields=["address"])
    assert call(service, world).content["records"]


@pytest.mark.parametrize("name", ["", " ", "a b", "x" * 256, "é"])
def test_what_is_no_name_is_refused(service, world, name):
    with pytest.raises(RefusedError) as caught:
        call(service, world, name=name)
    assert caught.value.cause.code == "request_invalid"


def test_while_the_first_is_under_way_others_wait(service, world, monkeypatch):
    keep, held, go = type(service.evidence).keep, threading.Event(), threading.Event()

    def slow(self, drafts):
        held.set()
        go.wait(30)
        return keep(self, drafts)

    monkeypatch.setattr(type(service.evidence), "keep", slow)
    found = []
    thread = threading.Thread(target=lambda: found.append(call(service, world)))
    thread.start()
    held.wait(30)
    with pytest.raises(NameUnderWayError):
        call(service, world)
    go.set()
    thread.join()
    monkeypatch.undo()
    assert call(service, world).body() == found[0].body()


def test_without_evidence_the_name_is_free_again(service, world, monkeypatch):
    def fail(self, drafts):
        raise EvidenceUnavailableError

    monkeypatch.setattr(type(service.evidence), "keep", fail)
    with pytest.raises(EvidenceUnavailableError):
        call(service, world)
    monkeypatch.undo()
    assert call(service, world).content["records"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_crash_before_the_place_is_written_is_looked_up_in_the_log(service, world, monkeypatch, kept):
    class DiedError(Exception):
        pass

    def die(*_):
        raise DiedError

    # What stands after each of the two: the evidence and no place, or neither.
    target = (Names, "answered") if kept else (type(service.evidence), "keep")
    monkeypatch.setattr(*target, die)
    with pytest.raises(DiedError):
        call(service, world)
    monkeypatch.undo()
    size = service.evidence.log.size
    with pytest.raises(NameUnderWayError):
        call(service, world)
    world.clock.now += timedelta(seconds=PATIENCE_S + 1)
    answer = call(service, world)
    assert service.evidence.log.size == (size if kept else size + 1)
    assert call(service, world).body() == answer.body()


def test_what_cannot_be_made_again_is_said(service, world):
    answer = call(service, world)
    service.evidence.bodies.erase(answer.receipt.entry.body_digest)
    with pytest.raises(AnswerGoneForGoodError):
        call(service, world)
