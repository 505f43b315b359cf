from __future__ import annotations

import shutil

import pytest

from audit import tree
from audit.checkpoint import Checkpoint, open_checkpoint
from audit.errors import AuditError
from audit.fsck import FAULTS, check_log
from audit.log import Log
from audit.notes import SignerKey
from audit.tiles import encode_entries

from .conftest import ORIGIN, entry_bytes


def test_a_clean_log(log, key):
    log.append([entry_bytes(n) for n in range(300)])
    log.append([entry_bytes(n, "licence.issued") for n in range(4)] + [b"no entry", b'{"kind":"x"}'])
    checkpoint = open_checkpoint(log.publish(), [key.verifier])
    log.append([b"later"])
    report = check_log(log.folder, [key.verifier])
    assert report.faults == ()
    assert (report.size, report.root, report.unpublished) == (306, checkpoint.root, 1)
    assert report.entries_by_kind == {"": 2, "invocation.answered": 300, "licence.issued": 4}


def test_an_empty_log_is_clean(log, key):
    report = check_log(log.folder, [key.verifier])
    assert (report.faults, report.size, report.root) == ((), 0, tree.EMPTY_ROOT)


def test_kinds_are_those_of_the_entries_and_not_of_their_facts(log, key):
    tricky = entry_bytes(1).replace(b'{"number":1}', b'{"a":{"kind":"no","purpose":"","resource":"","subject":""}}')
    quoted = entry_bytes(2).replace(b'"M1"', b'"\\",\\"kind\\":\\"no\\""')
    log.append([tricky, quoted])
    log.publish()
    assert check_log(log.folder, [key.verifier]).entries_by_kind == {"invocation.answered": 2}


def test_every_flipped_byte_of_every_file_is_found(tmp_path, key):
    folder = tmp_path / "log"
    with Log.create(folder, ORIGIN, key) as log:
        for start, end in ((0, 3), (3, 9), (9, 13)):
            log.append([b"%d" % n for n in range(start, end)])
            log.publish()
    files = [folder / "checkpoint", *(p for p in (folder / "tile").rglob("*") if p.is_file())]
    # The bundle and the tile of today, and their narrower forms, served for the two older checkpoints.
    assert len(files) == 7
    flipped = 0
    for file in files:
        whole = file.read_bytes()
        for at in range(len(whole)):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            report = check_log(folder, [key.verifier])
            assert report.faults, f"byte {at} of {file}"
            flipped += 1
        file.write_bytes(whole)
    assert flipped > 800
    assert check_log(folder, [key.verifier]).faults == ()


def test_a_flipped_byte_of_every_hash_of_a_larger_log_is_found(large, key):
    flipped = 0
    for file in (p for p in (large / "tile").rglob("*") if p.is_file()):
        whole = file.read_bytes()
        for at in range(7, len(whole), 811 if len(whole) > 1000 else 32):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            assert check_log(large, [key.verifier]).faults, f"byte {at} of {file}"
            flipped += 1
        file.write_bytes(whole)
    assert flipped > 100


def prove_all(folder, key):
    with Log.open(folder) as reader:
        for index, entry in enumerate(reader.entries(0, 8)):
            reader.prove(index).verify(entry, [key.verifier])


def test_whatever_is_altered_is_never_proven_or_returned(tmp_path, key):
    folder = tmp_path / "log"
    entries = [b"%d" % n for n in range(8)]
    with Log.create(folder, ORIGIN, key) as log:
        log.append(entries)
        log.publish()
    prove_all(folder, key)
    for name in ("checkpoint", "tile/0/000.p/8", "tile/entries/000.p/8"):
        whole = (folder / name).read_bytes()
        for at in range(len(whole)):
            (folder / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(AuditError):
                prove_all(folder, key)
        (folder / name).write_bytes(whole)


@pytest.fixture
def large(tmp_path, key):
    folder = tmp_path / "log"
    with Log.create(folder, ORIGIN, key) as log:
        log.append([entry_bytes(n) for n in range(600)])
        log.publish()
    return folder


@pytest.mark.parametrize(
    ("path", "change", "expected"),
    [
        ("tile/entries/001", b"330199", ("entry_altered", "tile/entries/001")),
        ("tile/entries/002.p/88", b"330199", ("entry_altered", "tile/entries/002.p/88")),
        ("tile/entries/000", None, ("file_damaged", "tile/entries/000")),
        ("tile/0/001", b"", ("tile_altered", "tile/0/001")),
        ("tile/0/002.p/88", b"", ("tile_altered", "tile/0/002.p/88")),
        ("tile/1/000.p/2", b"", ("tile_altered", "tile/1/000.p/2")),
        ("tile/1/000.p/2", None, ("file_damaged", "tile/1/000.p/2")),
        ("checkpoint", None, ("checkpoint_missing", "checkpoint")),
    ],
)
def test_the_file_to_blame_is_named(large, key, path, change, expected):
    file = large / path
    if change is None:
        file.unlink()
    elif change:
        file.write_bytes(file.read_bytes().replace(b"330100", change, 1))
    else:
        file.write_bytes(b"\x00" + file.read_bytes()[1:])
    report = check_log(large, [key.verifier])
    assert (report.faults[0].code, report.faults[0].where) == expected
    others = {fault.code for fault in report.faults[1:]}
    assert others <= {"root_mismatch"} | ({"journal_damaged", "journal_differs"} if "checkpoint" in path else set())


def test_the_altered_entry_is_named(large, key):
    file = large / "tile/entries/001"
    data = file.read_bytes()
    file.write_bytes(data.replace(entry_bytes(300), entry_bytes(301)))
    fault = check_log(large, [key.verifier]).faults[0]
    assert dict(fault.params) == {"index": "300"}
    assert "300" in fault.text("en")
    assert "300" in fault.text("zh")


def test_a_whole_other_log_signed_by_nobody_trusted_is_found(large, key):
    assert check_log(large, [SignerKey.generate(ORIGIN).verifier]).faults[0].code == "checkpoint_invalid"
    assert check_log(large, []).faults[0].code == "checkpoint_invalid"


def test_an_entry_and_its_tile_altered_together_are_found_by_the_root(large, key):
    bundle, tile = large / "tile/entries/002.p/88", large / "tile/0/002.p/88"
    entries = [entry_bytes(n) for n in range(512, 600)]
    entries[3] = entry_bytes(7)
    bundle.write_bytes(encode_entries(entries))
    tile.write_bytes(b"".join(tree.leaf_hash(entry) for entry in entries))
    shutil.rmtree(large / "tile/1")
    report = check_log(large, [key.verifier])
    assert "root_mismatch" in {fault.code for fault in report.faults}
    assert report.root != open_checkpoint((large / "checkpoint").read_text(), [key.verifier]).root


def test_a_forged_size_does_not_keep_the_check_busy(large):
    forged = Checkpoint(ORIGIN, 10**18, bytes(32)).sign([SignerKey.generate(ORIGIN)])
    (large / "checkpoint").write_text(forged)
    report = check_log(large, [])
    assert report.size == 0
    assert report.faults[0].code == "checkpoint_invalid"


def test_a_journal_that_says_something_else_is_found(tmp_path, large, key):
    with Log.create(tmp_path / "other", ORIGIN, key) as other:
        other.append([entry_bytes(n + 1) for n in range(600)])
    shutil.copy(tmp_path / "other/journal", large / "journal")
    report = check_log(large, [key.verifier])
    assert {fault.code for fault in report.faults} == {"journal_differs"}
    with Log.create(tmp_path / "short", ORIGIN, key):
        pass
    shutil.copy(tmp_path / "short/journal", large / "journal")
    assert {fault.code for fault in check_log(large, [key.verifier]).faults} == {"journal_damaged"}


def test_every_fault_speaks_both_languages():
    for english, chinese in FAULTS.values():
        assert english.isascii()
        assert not chinese.isascii()
