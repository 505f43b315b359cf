from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from itertools import combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import publish, tree
from audit.checkpoint import open_checkpoint
from audit.entry import seal_body
from audit.errors import (
    CheckpointInvalidError,
    EntryMissingError,
    EntryTooLargeError,
    EntryUnpublishedError,
    LogDamagedError,
    LogExistsError,
    LogLockedError,
    LogMissingError,
    LogReadOnlyError,
    ProofInvalidError,
)
from audit.files import locked
from audit.fsck import check_log
from audit.log import Log, LogProof
from audit.notes import SignerKey
from audit.store import BodyStore
from audit.tiles import read_widest

from .conftest import ORIGIN, entry_bytes


def batch(start, end):
    return [entry_bytes(n) for n in range(start, end)]


def test_an_empty_log_is_published(log, key):
    checkpoint = open_checkpoint(log.checkpoint, [key.verifier], ORIGIN)
    assert (checkpoint.size, checkpoint.root) == (0, tree.EMPTY_ROOT)
    assert (log.size, log.published_size, log.origin) == (0, 0, ORIGIN)
    assert log.publish() == log.checkpoint


def test_indexes_are_contiguous_and_entries_come_back(log):
    assert log.append(batch(0, 3)) == range(3)
    assert log.append([]) == range(3, 3)
    assert log.append(batch(3, 4)) == range(3, 4)
    assert (log.size, log.published_size) == (4, 0)
    assert [log.entry(n) for n in range(4)] == batch(0, 4)
    log.publish()
    log.append(batch(4, 6))
    assert list(log.entries(2, 6)) == batch(2, 6)
    for start, end in ((0, 7), (3, 2), (-1, 2)):
        with pytest.raises(EntryMissingError):
            list(log.entries(start, end))
    with pytest.raises(EntryMissingError):
        log.entry(6)


def test_every_entry_proves_at_every_publishing(log, key):
    notes = []
    for size in (1, 2, 255, 256, 257, 300, 512, 700):
        log.append(batch(log.size, size))
        notes.append((size, log.publish()))
        root = open_checkpoint(notes[-1][1], [key.verifier]).root
        assert root == tree.root(tree.leaf_hash(entry_bytes(n)) for n in range(size))
    for size, note in notes:
        for index in {0, size // 2, size - 1}:
            proof = LogProof.from_text(log.prove(index, note).to_text())
            assert proof.verify(entry_bytes(index), [key.verifier], ORIGIN).size == size
    for index in range(700):
        log.prove(index).verify(entry_bytes(index), [key.verifier])


def test_every_two_sizes_are_consistent(log, key):
    roots = {0: tree.EMPTY_ROOT}
    for size in (1, 3, 256, 257, 600):
        log.append(batch(log.size, size))
        roots[size] = open_checkpoint(log.publish(), [key.verifier]).root
    for (old, old_root), (new, new_root) in combinations_with_replacement(roots.items(), 2):
        tree.verify_consistency(old, new, old_root, new_root, log.consistency(old, new))
    with pytest.raises(EntryUnpublishedError):
        log.consistency(1, 601)
    with pytest.raises(EntryMissingError):
        log.consistency(5, 3)


def test_a_large_tree_has_the_root_of_its_leaves_and_reads_few_tiles(log, key, monkeypatch):
    size = 66_000  # Past 256²: three levels of tiles.
    entries = [n.to_bytes(3, "big") for n in range(size)]
    log.append(entries[:40_000])
    log.publish()
    log.append(entries[40_000:])
    checkpoint = open_checkpoint(log.publish(), [key.verifier])
    assert checkpoint.root == tree.root(tree.leaf_hash(entry) for entry in entries)
    with Log.open(log.folder) as reader:
        reads = []

        def counting(folder, paths):
            reads.append(paths[0])
            return read_widest(folder, paths)

        monkeypatch.setattr("audit.tiles.read_widest", counting)
        proof = reader.prove(12_345)
        monkeypatch.undo()
    proof.verify(entries[12_345], [key.verifier])
    assert 0 < len(reads) <= 6
    assert check_log(log.folder, [key.verifier]).faults == ()


@given(st.data())
def test_a_proof_of_something_else_fails(proved, data):
    proof, verifier = proved
    entry = entry_bytes(proof.index)
    text = proof.to_text()
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]
    with pytest.raises(ProofInvalidError):
        LogProof.from_text(changed).verify(entry, [verifier])
    place = data.draw(st.integers(0, len(entry) - 1))
    with pytest.raises(ProofInvalidError):
        proof.verify(entry[:place] + bytes([entry[place] ^ 1]) + entry[place + 1 :], [verifier])


@pytest.fixture(scope="module")
def proved(tmp_path_factory):
    key = SignerKey(ORIGIN, b"\x07" * 32)
    with Log.create(tmp_path_factory.mktemp("proved") / "log", ORIGIN, key) as log:
        log.append(batch(0, 21))
        log.publish()
        return log.prove(13), key.verifier


def test_a_proof_needs_somebody_trusted(proved):
    proof, verifier = proved
    with pytest.raises(CheckpointInvalidError):
        proof.verify(entry_bytes(13), [])
    with pytest.raises(CheckpointInvalidError):
        proof.verify(entry_bytes(13), [SignerKey.generate(ORIGIN).verifier])
    with pytest.raises(CheckpointInvalidError):
        proof.verify(entry_bytes(13), [verifier], "another.example/log")


def test_the_text_form_is_that_of_the_specification(proved):
    proof, _ = proved
    lines = proof.to_text().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 13"]
    blank = lines.index("")
    assert len(lines[2:blank]) == len(proof.path)
    assert "\n".join(lines[blank + 1 :]) == proof.checkpoint
    extra = LogProof(proof.index, proof.path, proof.checkpoint, b"more")
    assert LogProof.from_text(extra.to_text()) == extra


@pytest.mark.parametrize("text", ["", "c2sp.org/tlog-proof@v1\n", "c2sp.org/tlog-proof@v1\nindex 01\n\nx"])
def test_malformed_proofs_are_refused(text):
    with pytest.raises(ProofInvalidError):
        LogProof.from_text(text)


def test_what_is_not_published_cannot_be_proven_yet(log):
    log.append(batch(0, 2))
    with pytest.raises(EntryUnpublishedError):
        log.prove(1)
    with pytest.raises(EntryMissingError):
        log.prove(2)
    old = log.publish()
    log.append(batch(2, 3))
    log.publish()
    with pytest.raises(EntryUnpublishedError):
        log.prove(2, old)


def test_a_checkpoint_of_another_log_is_refused(log, tmp_path, key):
    log.append(batch(0, 2))
    log.publish()
    with Log.create(tmp_path / "other", "other.example/log", key) as other:
        other.append(batch(0, 1))
        note = other.publish()
    with pytest.raises(CheckpointInvalidError):
        log.prove(0, note)


def test_the_largest_entry_fits_and_a_larger_is_refused(log):
    largest = b"x" * 65_535
    with pytest.raises(EntryTooLargeError, match="65536"):
        log.append([b"small", largest + b"x"])
    assert log.size == 0
    log.append([largest] * 300)  # More than one frame.
    log.publish()
    assert log.entry(299) == largest


def test_a_read_only_log_works_from_files_alone(log, tmp_path, key):
    log.append(batch(0, 300))
    log.publish()
    for name in ("journal", "journal.lock", "publish.lock"):
        (log.folder / name).unlink()
    log.folder.chmod(0o555)
    try:
        with Log.open(log.folder) as reader:
            assert (reader.size, reader.published_size) == (300, 300)
            assert list(reader.entries(0, 300)) == batch(0, 300)
            reader.prove(299).verify(entry_bytes(299), [key.verifier])
            for write in (reader.publish, lambda: reader.append([b"x"])):
                with pytest.raises(LogReadOnlyError):
                    write()
    finally:
        log.folder.chmod(0o755)


def test_a_reader_follows_a_writer(log):
    with Log.open(log.folder) as reader:
        log.append(batch(0, 5))
        assert reader.size == 5
        assert reader.entry(4) == entry_bytes(4)
        log.publish()
        assert reader.published_size == 5
        assert list(reader.entries(0, 5)) == batch(0, 5)


def test_there_is_one_log_in_a_folder(log, tmp_path, key):
    with pytest.raises(LogExistsError):
        Log.create(log.folder, ORIGIN, key)
    with pytest.raises(LogMissingError):
        Log.open(tmp_path / "nowhere", key)


def test_another_key_does_not_open_it_for_writing(log):
    with pytest.raises(CheckpointInvalidError):
        Log.open(log.folder, SignerKey.generate(ORIGIN))


def test_a_held_lock_is_reported(log, key):
    with (
        Log.open(log.folder, key, lock_timeout_s=0) as impatient,
        locked(log.folder / "journal.lock"),
        pytest.raises(LogLockedError),
    ):
        impatient.append(batch(0, 1))
    assert log.append(batch(0, 1)) == range(1)


def test_those_who_wait_for_a_sync_share_the_next(log, monkeypatch):
    real = os.fdatasync
    first, syncs = threading.Event(), []

    def slow(fd):
        syncs.append(fd)
        if len(syncs) == 1:
            first.set()
            # The disk is busy until the seven others have queued.
            while log._group.waiting < 7:
                os.sched_yield()
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    threads = [threading.Thread(target=log.append, args=([b"%d" % n],)) for n in range(8)]
    threads[0].start()
    assert first.wait(30)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(syncs) == 2
    assert sorted(log.entries(0, 8)) == [b"%d" % n for n in range(8)]


def test_threads_keep_their_order(log):
    given_out = {}
    start = threading.Barrier(8)

    def work(worker):
        start.wait()
        given_out[worker] = [log.append([f"{worker}:{n}".encode(), b"!"]) for n in range(50)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.size == 800
    for worker, ranges in given_out.items():
        assert [log.entry(r.start) for r in ranges] == [f"{worker}:{n}".encode() for n in range(50)]
        assert [r.start for r in ranges] == sorted(r.start for r in ranges)
        assert all(log.entry(r.start + 1) == b"!" for r in ranges)


def append_many(folder, key, name, results):
    with Log.open(folder, key) as log:
        places = []
        for n in range(30):
            places += list(log.append([f"{name}:{n}".encode()]))
            if n % 10 == 9:
                log.publish()
        results.put((name, places))


def test_two_processes_append_and_publish_at_once(log, key):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=append_many, args=(log.folder, key, name, results)) for name in "ab"]
    for worker in workers:
        worker.start()
    found = dict(results.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert sorted(found["a"] + found["b"]) == list(range(60))
    log.publish()
    for name, places in found.items():
        assert places == sorted(places)
        assert [log.entry(place) for place in places] == [f"{name}:{n}".encode() for n in range(30)]
    assert check_log(log.folder, [key.verifier]).faults == ()


def test_a_forked_child_may_go_on_with_the_log(log, key):
    log.append([b"parent"])
    child = os.fork()
    if child == 0:
        status = 1
        try:
            log.append([b"child"])
            status = 0
        finally:
            os._exit(status)
    log.append([b"parent again"])
    assert os.waitpid(child, 0)[1] == 0
    assert sorted(log.entries(0, 3)) == [b"child", b"parent", b"parent again"]
    log.publish()
    assert check_log(log.folder, [key.verifier]).faults == ()


def test_the_journal_is_rotated_and_nothing_is_lost(log, key, monkeypatch):
    monkeypatch.setattr("audit.log.ROTATE_BYTES", 2000)
    with Log.open(log.folder, key) as other, Log.open(log.folder) as reader:
        expected = []
        for turn in range(6):
            for writer in (log, other):
                entries = batch(len(expected), len(expected) + 7)
                writer.append(entries)
                expected += entries
            kept = reader.entries(0, reader.size)
            first = next(kept)  # A reader under way keeps what it was promised.
            (log, other)[turn % 2].publish()
            assert [first, *kept] == expected
        assert (log.folder / "journal").stat().st_size < 2000
        assert log.size == other.size == reader.size == len(expected)
        assert list(other.entries(0, len(expected))) == expected
    assert check_log(log.folder, [key.verifier]).faults == ()


def test_entries_appended_while_publishing_stay_in_the_rotated_journal(log, key, monkeypatch):
    monkeypatch.setattr("audit.log.ROTATE_BYTES", 0)
    log.append(batch(0, 10))
    real = publish.extend

    def extend(*arguments):
        note = real(*arguments)
        log.append(batch(10, 13))
        return note

    monkeypatch.setattr(publish, "extend", extend)
    log.publish()
    assert (log.published_size, log.size) == (10, 13)
    with Log.open(log.folder, key) as again:
        assert list(again.entries(0, 13)) == batch(0, 13)
    report = check_log(log.folder, [key.verifier])
    assert (report.faults, report.size, report.unpublished) == ((), 10, 3)


def test_partial_tiles_stay_until_the_full_one_exists(log):
    def partials():
        return sorted(str(p.relative_to(log.folder)) for p in log.folder.rglob("*.p/*"))

    notes = []
    for size in (3, 200, 255):
        log.append(batch(log.size, size))
        notes.append(log.publish())
    kept = [f"tile/{kind}/000.p/{width}" for kind in ("0", "entries") for width in (200, 255, 3)]
    assert partials() == kept
    log.append(batch(255, 257))
    log.publish()
    assert partials() == ["tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/001.p/1"]
    for note in notes:
        assert log.prove(2, note).checkpoint == note


def test_erasing_a_body_leaves_proofs_valid(log, tmp_path, key):
    store = BodyStore(tmp_path / "bodies")
    salt = b"\x01" * 16
    digest = store.put("k", salt, {"姓名": "测试"})
    assert digest == seal_body({"姓名": "测试"}, salt)
    entry = entry_bytes(0).replace(b'"body_digest":""', b'"body_digest":"' + digest.encode() + b'"')
    log.append([entry])
    log.publish()
    proof = log.prove(0)
    store.erase(digest)
    proof.verify(entry, [key.verifier])
    assert check_log(log.folder, [key.verifier]).faults == ()


def test_a_checkpoint_put_back_to_an_older_one_is_noticed(log, key):
    log.append(batch(0, 3))
    old = log.publish()
    log.append(batch(3, 5))
    log.publish()
    (log.folder / "checkpoint").write_text(old)
    with pytest.raises(LogDamagedError, match="checkpoint"):
        log.publish()


PUBLISH_AND_CHECK = """
import gc, sys, tracemalloc
from pathlib import Path
import audit.publish
from audit.fsck import check_log
from audit.log import Log
from audit.notes import SignerKey
# The bounds of a group, made small here so that a small log is many groups.
audit.publish.GROUP_BYTES, audit.publish.GROUP_FILES = 2**20, 8
folder, key = Path(sys.argv[1]), SignerKey.from_text(sys.argv[2])
gc.collect()
tracemalloc.start()
with Log.open(folder, key) as other:
    other.publish()
check_log(folder, [key.verifier])
print(tracemalloc.get_traced_memory()[1])
"""


def test_memory_stays_flat(log, key):
    entries = [n.to_bytes(4, "big") * 500 for n in range(250)]
    for _ in range(20):
        log.append(entries)
    # In a process of its own: what threads of other tests hold is not counted.
    program = [sys.executable, "-c", PUBLISH_AND_CHECK, str(log.folder), key.to_text()]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    # 10 MB of entries were published and checked.
    assert int(done.stdout) < 5 * 2**20
