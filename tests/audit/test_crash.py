"""What a crash, a full disk or a tampering hand leaves behind, and what the log makes of it."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit import publish as publishing
from audit.checkpoint import open_checkpoint
from audit.errors import LogDamagedError, LogMissingError, StorageFailedError, StorageFullError
from audit.fsck import check_log
from audit.journal import Journal
from audit.log import Log

from .conftest import ORIGIN, entry_bytes

ROOT = Path(__file__).resolve().parents[2]


def batch(start, end):
    return [entry_bytes(n) for n in range(start, end)]


@pytest.mark.parametrize("writers", [1, 2])
def test_killed_at_random_moments_nothing_acknowledged_is_lost(tmp_path, key, writers):
    folder = tmp_path / "log"
    with Log.create(folder, ORIGIN, key):
        pass
    dice = random.Random(20260101 + writers)
    acknowledged: dict[int, str] = {}
    for turn in range(3):
        children = []
        for writer in range(writers):
            out = (tmp_path / f"{turn}-{writer}").open("w+")
            arguments = [sys.executable, "-m", "tests.audit.appender", folder, key.to_text(), f"t{turn}w{writer}"]
            child = subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=ROOT, text=True)
            children.append((child, out))
        for child, _ in children:
            assert child.stdout.readline() == "ready\n"
        for child, out in children:
            # Kill after a random number of acknowledgements, wherever in the next steps the child is then.
            for _ in range(dice.randrange(1, 40)):
                out.write(child.stdout.readline())
        for child, out in children:
            child.kill()
            out.write(child.stdout.read())
            child.wait()
            child.stdout.close()
            out.seek(0)
            for line in out.read().splitlines(keepends=True):
                if line.endswith("\n"):
                    first, *entries = line.split()
                    acknowledged |= {int(first) + n: entry for n, entry in enumerate(entries)}
            out.close()
        with Log.open(folder, key) as log:
            assert log.size > max(acknowledged)
            assert {n: log.entry(n).decode() for n in acknowledged} == acknowledged
            assert check_log(folder, [key.verifier]).faults == ()
    with Log.open(folder, key) as log:
        log.publish()
        assert check_log(folder, [key.verifier]).faults == ()
        assert len(set(log.entries(0, log.size))) == log.size


def test_a_journal_cut_at_every_byte_of_its_last_frame(tmp_path, key):
    folder = tmp_path / "log"
    with Log.create(folder, ORIGIN, key) as log:
        log.append([b"one", b"two"])
        before = (folder / "journal").stat().st_size
        log.append([b"three", b"four"])
    whole = (folder / "journal").read_bytes()
    for cut in range(before, len(whole)):
        (folder / "journal").write_bytes(whole[:cut])
        with Log.open(folder) as reader:
            assert reader.size == 2
        assert (folder / "journal").stat().st_size == cut  # A reader changes nothing.
        with Log.open(folder, key) as log:
            assert list(log.entries(0, log.size)) == [b"one", b"two"]
            assert log.append([b"again"]) == range(2, 3)
        with Log.open(folder, key) as log:
            assert list(log.entries(0, 3)) == [b"one", b"two", b"again"]


@pytest.mark.parametrize("filler", [b"\x00", b"\xff"])
def test_a_last_frame_of_which_only_some_pages_were_written(tmp_path, key, filler):
    folder = tmp_path / "log"
    with Log.create(folder, ORIGIN, key) as log:
        log.append([b"one"])
        before = (folder / "journal").stat().st_size
        log.append([b"x" * 9000])
    whole = (folder / "journal").read_bytes()
    for lost in range(before, len(whole), 512):
        torn = whole[:lost] + filler * min(512, len(whole) - lost) + whole[lost + 512 :]
        (folder / "journal").write_bytes(torn)
        with Log.open(folder, key) as log:
            assert list(log.entries(0, log.size)) == [b"one"]


def test_an_acknowledged_frame_that_was_altered_is_damage_not_a_crash(tmp_path, key):
    folder = tmp_path / "log"
    with Log.create(folder, ORIGIN, key) as log:
        header = (folder / "journal").stat().st_size
        log.append([b"one"])
        middle = (folder / "journal").stat().st_size
        log.append([b"two"])
    whole = (folder / "journal").read_bytes()
    for at in range(middle):
        (folder / "journal").write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(LogDamagedError, match="journal"):
            Log.open(folder, key)
        report = check_log(folder, [key.verifier])
        assert [fault.code for fault in report.faults] == ["journal_damaged"]
        assert len((folder / "journal").read_bytes()) == len(whole)
    assert header < middle


def test_a_missing_or_shortened_journal_is_damage(tmp_path, key):
    folder = tmp_path / "log"
    with Log.create(folder, ORIGIN, key) as log:
        log.append(batch(0, 3))
        log.publish()
        empty = (folder / "journal").read_bytes()[:48]
    (folder / "journal").write_bytes(empty)
    with pytest.raises(LogDamagedError, match="journal"):
        Log.open(folder, key)
    (folder / "journal").unlink()
    with pytest.raises(LogDamagedError, match="journal"):
        Log.open(folder, key)
    assert not (folder / "journal").exists()


class Stopped(BaseException):
    """Stands for the process dying at this point: no handler of ours may run on it."""


def stop_at(monkeypatch, name, number):
    """Let *number* calls of os.*name* pass, and die in the next."""
    real = getattr(os, name)
    calls = []

    def call(*arguments, **named):
        calls.append(name)
        if len(calls) > number:
            raise Stopped
        return real(*arguments, **named)

    monkeypatch.setattr(os, name, call)
    return calls


@pytest.mark.parametrize("name", ["pwrite", "fsync", "fdatasync", "replace"])
def test_stopped_at_every_step_of_publishing(tmp_path, key, monkeypatch, name):
    start = tmp_path / "start"
    with Log.create(start, ORIGIN, key) as log:
        log.append(batch(0, 300))
        log.publish()
        log.append(batch(300, 520))
    monkeypatch.setattr("audit.log.ROTATE_BYTES", 0)
    stops = 0
    for number in range(60):
        folder = tmp_path / f"log{number}"
        shutil.copytree(start, folder)
        with monkeypatch.context() as patch, Log.open(folder, key) as log:
            stop_at(patch, name, number)
            try:
                log.publish()
            except Stopped:
                stops += 1
            else:
                break
        with Log.open(folder, key) as log:
            assert list(log.entries(0, 520)) == batch(0, 520)
            assert log.published_size in (300, 520)
            report = check_log(folder, [key.verifier])
            assert (report.faults, report.size) == ((), log.published_size)
            log.append(batch(520, 530))
            log.publish()
            log.prove(525).verify(entry_bytes(525), [key.verifier])
        assert check_log(folder, [key.verifier]).faults == ()
        shutil.rmtree(folder)
    else:
        pytest.fail("publishing took more steps than expected")
    assert stops >= {"pwrite": 6, "fsync": 8, "fdatasync": 1, "replace": 6}[name]


def test_a_half_written_tile_beyond_the_checkpoint_is_written_anew(log, key):
    log.append(batch(0, 255))
    log.publish()
    for path in ("tile/0/000", "tile/entries/000", "tile/0/000.p/256", "tile/1/000.p/1"):
        (log.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (log.folder / path).write_bytes(b"half")
    log.append(batch(255, 300))
    log.publish()
    assert check_log(log.folder, [key.verifier]).faults == ()
    assert list(log.entries(0, 300)) == batch(0, 300)


@pytest.mark.parametrize("name", ["pwrite", "fdatasync"])
@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, StorageFullError), (errno.EIO, StorageFailedError)])
def test_a_full_disk_acknowledges_nothing_and_the_log_goes_on(log, monkeypatch, name, number, error):
    log.append(batch(0, 2))

    def full(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, name, full)
        with pytest.raises(error) as caught:
            log.append(batch(2, 4))
        assert "journal" in caught.value.text("zh")
        assert log.size == 2
    assert log.append(batch(2, 4)) == range(2, 4)
    with Log.open(log.folder) as again:
        assert list(again.entries(0, again.size)) == batch(0, 4)


def test_a_disk_that_fills_in_the_middle_of_a_write(log, key, monkeypatch):
    log.append(batch(0, 2))
    real = os.pwrite
    left = [100]

    def filling(fd, data, offset):
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = real(fd, bytes(data)[: left[0]], offset)
        left[0] -= done
        return done

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", filling)
        with pytest.raises(StorageFullError):
            log.append(batch(2, 4))
        with Log.open(log.folder) as reader:
            assert reader.size == 2
    assert log.append(batch(2, 4)) == range(2, 4)
    assert list(log.entries(0, 4)) == batch(0, 4)


def test_a_write_that_failed_and_cannot_be_taken_back_harms_nothing_acknowledged(log, key, monkeypatch):
    log.append(batch(0, 2))

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        patch.setattr(os, "ftruncate", broken)
        with pytest.raises(StorageFailedError):
            log.append([b"unsure"])
    # Written but reported failed: it may appear, as the docstring of Journal.write says, and order holds.
    places = log.append(batch(2, 4))
    assert places in (range(2, 4), range(3, 5))
    assert [log.entry(n) for n in (0, 1, *places)] == batch(0, 4)


@pytest.mark.parametrize("name", ["pwrite", "fsync"])
def test_a_full_disk_while_publishing_leaves_the_old_tree(log, key, monkeypatch, name):
    log.append(batch(0, 300))
    note = log.publish()
    log.append(batch(300, 600))
    real = getattr(os, name)
    for passed in range(0, 6, 2):
        calls = []

        def full(*arguments, calls=calls, passed=passed):
            calls.append(1)
            if len(calls) > passed:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(StorageFullError):
                log.publish()
        assert log.checkpoint == note
        assert check_log(log.folder, [key.verifier]).faults == ()
    log.publish()
    assert check_log(log.folder, [key.verifier]).size == 600


def test_every_altered_file_of_the_published_tree_stops_publishing(tmp_path, key):
    folder = tmp_path / "log"
    with Log.create(folder, ORIGIN, key) as log:
        log.append(batch(0, 600))
        log.publish()
        log.append(batch(600, 601))
    current = [
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ]
    checkpoint = (folder / "checkpoint").read_bytes()
    for path in current:
        whole = (folder / path).read_bytes()
        for damage in (whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], whole[:-1], b"", None):
            if damage is None:
                (folder / path).unlink()
            else:
                (folder / path).write_bytes(damage)
            with Log.open(folder, key) as log, pytest.raises(LogDamagedError) as caught:
                log.publish()
            assert caught.value.params["where"] == path
            assert (folder / "checkpoint").read_bytes() == checkpoint
            (folder / path).write_bytes(whole)
    with Log.open(folder, key) as log:
        assert open_checkpoint(log.publish(), [key.verifier]).size == 601


def test_a_large_published_tree_is_patrolled_in_turns(log, monkeypatch):
    monkeypatch.setattr(publishing, "PATROL_TILES", 1)
    log.append(batch(0, 5 * 256))
    log.publish()
    path = log.folder / "tile/entries/002"
    path.write_bytes(path.read_bytes().replace(b"330100", b"330199", 1))

    def publish_often():
        for turn in range(200):
            log.append([b"%d" % turn])
            log.publish()

    with pytest.raises(LogDamagedError) as caught:
        publish_often()
    assert caught.value.params["where"] == "tile/entries/002"


def test_what_the_disk_gives_back_altered_is_not_signed(log, monkeypatch):
    log.append(batch(0, 10))
    note = log.publish()
    log.append(batch(10, 20))
    real = publishing.replace_files

    def lying(files):
        real(files)
        for path, data in files:
            if "entries" in str(path):
                path.write_bytes(data.replace(b"330100", b"330199", 1))

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "replace_files", lying)
        with pytest.raises(LogDamagedError) as caught:
            log.publish()
    assert caught.value.params["where"] == "tile/entries/000.p/20"
    assert log.checkpoint == note


def test_creating_again_after_a_crash_works(tmp_path, key, monkeypatch):
    for number in range(20):
        folder = tmp_path / str(number)
        with monkeypatch.context() as patch:
            calls = stop_at(patch, "fsync", number)
            try:
                Log.create(folder, ORIGIN, key).close()
            except Stopped:
                pass
            else:
                break
        assert calls
        if not (folder / "checkpoint").exists():
            Log.create(folder, ORIGIN, key).close()
        with Log.open(folder, key) as log:
            assert log.append([b"x"]) == range(1)
    assert 2 < number < 19


def test_a_log_that_lost_its_checkpoint_is_not_created_over(log, key):
    log.append(batch(0, 3))
    (log.folder / "checkpoint").unlink()
    journal = (log.folder / "journal").read_bytes()
    with pytest.raises(LogMissingError):
        Log.open(log.folder, key)
    with pytest.raises(LogDamagedError, match="checkpoint"):
        Log.create(log.folder, ORIGIN, key)
    assert (log.folder / "journal").read_bytes() == journal


def test_a_rotation_that_dies_leaves_the_old_journal(tmp_path, key):
    folder = tmp_path / "log"
    with Log.create(folder, ORIGIN, key) as log:
        log.append(batch(0, 3))
        (folder / ".journal.tmp").write_bytes(b"half of a new one")
    with Log.open(folder, key) as log:
        assert list(log.entries(0, 3)) == batch(0, 3)
    Journal.create(folder / "journal", 0, (folder / "journal").read_bytes()[48:])
    with Log.open(folder, key) as log:
        assert list(log.entries(0, 3)) == batch(0, 3)
