from __future__ import annotations

import json
import subprocess
import sys
import threading

import pytest

from audit.entry import Entry
from audit.errors import StorageFullError
from audit.log import Log
from hub.errors import EvidenceUnavailableError, KeyFileError, StorageFullHubError
from hub.keyring import Keyring
from tests.hub.world import CODE, IDS, body


def query(service, world, keys=None):
    return service.invocation.query(world.key, CODE, json.dumps(body(keys=keys or {"citizen_id": IDS[0]})).encode())


@pytest.mark.parametrize(
    "failure",
    [
        (OSError(28, "No space left on device"), StorageFullHubError),
        (StorageFullError(where="journal"), StorageFullHubError),
        (OSError(5, "Input/output error"), EvidenceUnavailableError),
    ],
)
@pytest.mark.parametrize("part", ["log", "bodies"])
def test_without_evidence_there_is_no_answer(service, world, monkeypatch, part, failure):
    error, expected = failure

    def fail(*args):
        raise error

    size = service.evidence.log.size
    target, name = (service.evidence.log, "append") if part == "log" else (service.evidence.bodies, "put_many")
    monkeypatch.setattr(target, name, fail) if part == "log" else monkeypatch.setattr(type(target), name, fail)
    with pytest.raises(expected):
        query(service, world)
    monkeypatch.undo()
    assert service.evidence.log.size == size
    assert query(service, world).receipt.index == size


def test_a_denial_without_evidence_is_an_unavailability_too(service, world, monkeypatch):
    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(service.evidence.log, "append", fail)
    with pytest.raises(EvidenceUnavailableError):
        service.invocation.query("wrong", CODE, b"{}")


CHILD = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from hub.settings import Settings
from hub.service import Service
from hub.invocation import Invocation
service = Service.open(Settings.at(Path(sys.argv[1])), clock=lambda: datetime(2026, 3, 2, 1, 30, tzinfo=UTC))
# The moment between step 7 and step 8: the evidence is durable, the answer is not out.
Invocation.finish = lambda *args: os._exit(9)
service.invocation.query(sys.argv[2], sys.argv[3], sys.argv[4].encode())
"""


def test_a_kill_between_evidence_and_answer_loses_nothing(service, world):
    size = service.evidence.log.size
    world_body = json.dumps(body())
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(world.settings.home), world.key, CODE, world_body], check=False
    )
    assert done.returncode == 9
    with Log.open(world.settings.log) as log:
        assert log.size == size + 1
        entry = Entry.decode(log.entry(size))
    assert entry.kind == "invocation.answered"
    assert service.evidence.bodies.get(entry.body_digest) is not None
    assert query(service, world).receipt.index == size + 1


def test_concurrent_callers_share_syncs_and_every_receipt_is_its_own(service, world):
    receipts, failures = [], []

    def work(person):
        try:
            for _ in range(10):
                answer = query(service, world, {"citizen_id": IDS[person]})
                receipts.append((answer.receipt.index, answer.receipt.facts("answer_digest")))
        except Exception as error:  # noqa: BLE001 - whatever failed in a thread must fail the test
            failures.append(error)

    size = service.evidence.log.size
    threads = [threading.Thread(target=work, args=(n % 5,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(entry for entry, _ in receipts) == list(range(size, size + 60))
    for entry, digest in receipts:
        assert Entry.decode(service.evidence.log.entry(entry)).facts["answer_digest"] == digest


def test_published_proofs_hold(service, world):
    answer = query(service, world)
    service.evidence.publish_through(answer.receipt.index)
    proof = service.evidence.log.prove(answer.receipt.index)
    leaf = service.evidence.log.entry(answer.receipt.index)
    assert proof.verify(leaf, [service.evidence.verifier]).origin == answer.receipt.origin


def test_a_key_file_does_not_open_under_another_passphrase_or_name(tmp_path):
    ring = Keyring(tmp_path, b"one")
    secret = ring.secret("a")
    assert Keyring(tmp_path, b"one").secret("a") == secret
    assert secret not in (tmp_path / "a.key").read_bytes()
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError):
        Keyring(tmp_path, b"two").secret("a")
    (tmp_path / "b.key").write_bytes((tmp_path / "a.key").read_bytes())
    with pytest.raises(KeyFileError):
        ring.secret("b")
    (tmp_path / "c.key").write_text("{}")
    with pytest.raises(KeyFileError):
        ring.secret("c")


def test_of_many_that_make_a_key_at_once_one_wins(tmp_path):
    found = []
    ring = Keyring(tmp_path)
    threads = [threading.Thread(target=lambda: found.append(ring.secret("s"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert not list(tmp_path.glob("*.tmp"))
