"""Bodies beside the log: kept, found, erased and dropped, whatever stops in between."""

from __future__ import annotations

import errno
import itertools
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit import bodyindex, bodywriter, canonical, segments
from audit.entry import seal_body
from audit.errors import (
    BodyDamagedError,
    CanonicalError,
    EntryInvalidError,
    InputInvalidError,
    LogDamagedError,
    StorageFailedError,
    StorageFullError,
)
from audit.store import BodyStore

from .putter import sealed

ROOT = Path(__file__).resolve().parents[2]
SALT = bytes(range(16))
BODY = {"姓名": "测试", "rows": [{"a": 1}]}
START = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


def many(start, end, name="n"):
    return [sealed(name, number) for number in range(start, end)]


def kept(bodies, item):
    digest, salt, body = item
    found = bodies.get(digest)
    return found is not None and found[0] == salt and canonical.encode(found[1]) == body


def segment_files(folder):
    return sorted(folder.glob("*.bodies"))


def everything(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def small(monkeypatch):
    """Segments of few bodies, so that a small store has many."""
    monkeypatch.setattr(bodywriter, "SEGMENT_BODIES", 10)


def put_as_before(folder, salt, body, written=START):
    """What versions before segments wrote."""
    digest = seal_body(body, salt)
    path = folder / digest[7:9] / f"{digest[9:]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(canonical.encode({"body": body, "entry_key": "k", "salt": salt.hex()}))
    os.utime(path, (written.timestamp(), written.timestamp()))
    return digest


def test_a_body_comes_back_and_goes(tmp_path):
    bodies = BodyStore(tmp_path / "bodies")
    assert bodies.get(seal_body(BODY, SALT)) is None
    assert not bodies.erase(seal_body(BODY, SALT))
    assert not (tmp_path / "bodies").exists()
    digest = bodies.put("call-1", SALT, BODY)
    assert digest == seal_body(BODY, SALT) == bodies.put("call-1", SALT, BODY)
    assert BodyStore(tmp_path / "bodies").get(digest) == bodies.get(digest) == (SALT, BODY)
    assert bodies.erase(digest)
    assert bodies.get(digest) is None
    assert BodyStore(tmp_path / "bodies").get(digest) is None
    assert not bodies.erase(digest)
    content = everything(tmp_path)
    assert SALT not in content
    assert "测试".encode() not in content


def test_nothing_of_a_body_is_left_after_erasing_and_its_neighbours_are(tmp_path):
    items = many(0, 12)
    bodies = BodyStore(tmp_path)
    bodies.put_many(items[:5])
    for item in items[5:]:
        bodies.put_many([item])
    for digest, salt, body in items[::3]:
        assert bodies.erase(digest)
        assert salt not in everything(tmp_path)
        assert body not in everything(tmp_path)
    for reader in (bodies, BodyStore(tmp_path)):
        assert [kept(reader, item) for item in items] == [number % 3 != 0 for number in range(12)]
    bodies.put_many([items[0]])
    assert kept(BodyStore(tmp_path), items[0])


@pytest.mark.parametrize("body", [{}, {"x": "长" * 20_000}, {"n": [2**53, -1.5, 1e20, 1e-7, 0.0]}])
def test_bodies_of_any_size_and_number_come_back(tmp_path, body):
    bodies = BodyStore(tmp_path)
    digest = bodies.put("k", SALT, body)
    salt, found = BodyStore(tmp_path).get(digest)
    assert seal_body(found, salt) == digest


def test_an_empty_body_is_held_and_told_to_be_no_object(tmp_path):
    import hashlib

    digest = "sha256:" + hashlib.sha256(SALT).hexdigest()
    bodies = BodyStore(tmp_path)
    bodies.put_many([(digest, SALT, b"")])
    with pytest.raises(BodyDamagedError):
        bodies.get(digest)
    assert bodies.erase(digest)
    assert bodies.get(digest) is None


@pytest.mark.parametrize(
    "digest", ["", "sha256:00", "sha256:" + "../" * 21 + "a", "sha256:" + "G" * 64, "a" * 71, "sha256:" + "AB" * 32]
)
def test_what_is_no_digest_is_refused(tmp_path, digest):
    bodies = BodyStore(tmp_path)
    for call in (bodies.get, bodies.erase, lambda d: bodies.put_many([(d, SALT, b"{}")])):
        with pytest.raises(EntryInvalidError):
            call(digest)


def test_what_cannot_be_kept_is_refused_and_nothing_of_its_group_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "MAX_BODY_BYTES", 100)
    bodies = BodyStore(tmp_path)
    with pytest.raises(CanonicalError):
        bodies.put("k", SALT, {"x": object()})
    with pytest.raises(EntryInvalidError, match="16"):
        bodies.put("k", b"short", {})
    item = sealed("n", 0)
    with pytest.raises(EntryInvalidError, match="100"):
        bodies.put_many([item, sealed("n", 1)])
    assert bodies.get(item[0]) is None
    bodies.put_many([])
    assert not list(tmp_path.iterdir())


def test_many_threads_share_syncs(tmp_path, monkeypatch):
    bodies = BodyStore(tmp_path)
    bodies.put_many(many(0, 1))
    syncs = []
    real = os.fdatasync
    first = threading.Event()

    def slow(fd):
        syncs.append(fd)
        first.wait(5) if len(syncs) == 1 else None
        real(fd)

    monkeypatch.setattr(os, "fdatasync", slow)
    threads = [threading.Thread(target=bodies.put_many, args=(many(n * 10, n * 10 + 10),)) for n in range(1, 9)]
    for thread in threads:
        thread.start()
    while bodies._group.waiting < 7:
        pass
    first.set()
    for thread in threads:
        thread.join()
    assert len(syncs) == 2
    assert all(kept(bodies, item) for item in many(10, 90))


def test_a_group_larger_than_a_frame_is_written_in_several(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "MAX_FRAME_BYTES", 5000)
    items = many(0, 40)
    BodyStore(tmp_path).put_many(items)
    with segments.opened(tmp_path, 1) as fd:
        found = list(itertools.islice(segments.frames_from(fd, 48, 2**40), 100))
    assert len(found) > 5
    assert sum(frame.bodies for frame in found) == 40
    assert all(kept(BodyStore(tmp_path), item) for item in items)


@pytest.mark.usefixtures("small")
def test_segments_are_sealed_at_their_size_and_found_through_their_indexes(tmp_path):
    items = many(0, 95)
    bodies = BodyStore(tmp_path)
    for start in range(0, 95, 5):
        bodies.put_many(items[start : start + 5])
    bodies.close()
    assert len(segment_files(tmp_path)) == 10
    assert all(kept(bodies, item) for item in items)
    reader = BodyStore(tmp_path)
    assert all(kept(reader, item) for item in items)
    assert {path.name for path in tmp_path.glob("*.index")} >= {f"{n:08d}-{n:08d}.index" for n in range(1, 10)}
    for path in tmp_path.glob("*.index"):
        path.unlink()
    again = BodyStore(tmp_path)
    assert again.get(sealed("none", 1)[0]) is None
    assert all(kept(again, item) for item in items)
    assert len(list(tmp_path.glob("*.index"))) == 9


@pytest.mark.usefixtures("small")
def test_segments_are_sealed_at_their_age(tmp_path):
    clock = Clock()
    bodies = BodyStore(tmp_path, clock=clock)
    bodies.put_many(many(0, 1))
    clock.now += timedelta(days=30)
    bodies.put_many(many(1, 2))
    assert len(segment_files(tmp_path)) == 1
    clock.now += timedelta(days=1)
    bodies.put_many(many(2, 3))
    assert len(segment_files(tmp_path)) == 2


def test_many_indexes_become_few(tmp_path, monkeypatch):
    monkeypatch.setattr(bodywriter, "SEGMENT_BODIES", 2)
    monkeypatch.setattr(bodyindex, "MERGED_AT_ONCE", 4)
    monkeypatch.setattr(bodyindex, "_WIDEST", 16)
    items = many(0, 80)
    bodies = BodyStore(tmp_path)
    for start in range(0, 80, 2):
        bodies.put_many(items[start : start + 2])
    bodies.close()
    assert all(kept(bodies, item) for item in items)
    bodyindex.tidy(tmp_path)
    ranges = sorted(tuple(int(part) for part in path.stem.split("-")) for path in tmp_path.glob("*.index"))
    assert ranges == [(1, 16), (17, 32), (33, 36), (37, 37), (38, 38), (39, 39)]
    for reader in (bodies, BodyStore(tmp_path)):
        assert all(kept(reader, item) for item in items)
        assert reader.get(sealed("none", 1)[0]) is None
    # A crash between the rename of a merged index and the removal of what it covers leaves both.
    bodyindex.build(tmp_path, 3)
    (tmp_path / ".half.index.tmp").write_bytes(b"half")
    os.utime(tmp_path / ".half.index.tmp", (0, 0))
    assert all(kept(BodyStore(tmp_path), item) for item in items)
    bodyindex.tidy(tmp_path)
    assert len(list(tmp_path.glob("*.index"))) == 6
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("damage", ["entry", "start", "cut", "header"])
def test_a_damaged_index_is_made_anew_before_a_miss_is_believed(tmp_path, damage):
    items = many(0, 25)
    bodies = BodyStore(tmp_path)
    for item in items:
        bodies.put_many([item])
    bodies.close()
    path = tmp_path / "00000001-00000001.index"
    whole = path.read_bytes()
    at = {"entry": len(whole) - 3, "start": 56 + 4 * 4000, "header": 20, "cut": None}[damage]
    # Another file under the name, as a copy restored by hand is.
    path.unlink()
    path.write_bytes(whole[:-5] if at is None else whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
    reader = BodyStore(tmp_path)
    assert all(kept(reader, item) for item in items)
    assert reader.get(sealed("none", 1)[0]) is None
    assert all(kept(reader, item) for item in items)
    assert path.read_bytes() == whole


def test_each_byte_of_a_segment_flipped_never_gives_another_body(tmp_path):
    items = [sealed("n", 0), sealed("n", 11), sealed("n", 22)]
    folder = tmp_path / "bodies"
    BodyStore(folder).put_many(items[:2])
    BodyStore(folder).put_many(items[2:])
    [path] = segment_files(folder)
    whole = path.read_bytes()
    head, row = 56, 42
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        reader = BodyStore(folder)
        found = []
        for item in items:
            try:
                found.append(kept(reader, item) or None)
            except LogDamagedError:
                found.append("damaged")
        assert False not in found
        if at < 48 + head + 2 * row:
            # The header, or the frame's head or table, with a good frame behind it: damage, and nothing is cut.
            assert found == ["damaged"] * 3
            with pytest.raises(LogDamagedError):
                BodyStore(folder).put_many([sealed("n", 3)])
            assert path.stat().st_size == len(whole)
        else:
            assert found.count(True) >= 2 or found[:2] == [True, True]
            assert found.count(True) < 3
    path.write_bytes(whole)
    assert all(kept(BodyStore(folder), item) for item in items)


def test_a_damaged_body_is_never_returned_nor_told(tmp_path):
    bodies = BodyStore(tmp_path)
    digest = bodies.put("call-1", SALT, BODY)
    [path] = segment_files(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"a":1', b'"a":2'))
    with pytest.raises(BodyDamagedError) as caught:
        bodies.get(digest)
    assert "测试" not in str(caught.value)
    assert bodies.erase(digest)  # It can still be erased: the frame's table says where it ends.
    assert bodies.get(digest) is None
    assert "测试".encode() not in everything(tmp_path)


def test_a_row_with_an_altered_length_does_not_erase_a_neighbour(tmp_path):
    items = many(0, 3)
    bodies = BodyStore(tmp_path)
    bodies.put_many(items)
    [path] = segment_files(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[48 + 56 + 42 - 2] ^= 1  # The length of the first body.
    path.write_bytes(whole)
    with pytest.raises(BodyDamagedError, match="safely"):
        bodies.erase(items[0][0])
    assert path.read_bytes() == whole
    assert [kept(bodies, item) for item in items[1:]] == [True, True]
    bodies.put_many(many(3, 4))  # What cannot be erased does not stop others.


def test_a_segment_cut_at_every_byte_of_its_last_frame(tmp_path):
    folder = tmp_path / "bodies"
    items = many(0, 4)
    BodyStore(folder).put_many(items[:2])
    [path] = segment_files(folder)
    before = path.stat().st_size
    BodyStore(folder).put_many(items[2:])
    whole = path.read_bytes()
    for cut in range(before, len(whole), 31):
        path.write_bytes(whole[:cut])
        reader = BodyStore(folder)
        assert [kept(reader, item) for item in items] == [True, True, False, False]
        assert path.stat().st_size == cut  # A reader changes nothing.
        BodyStore(folder).put_many(items[3:])
        assert [kept(reader, item) for item in items] == [True, True, False, True]
        assert [kept(BodyStore(folder), item) for item in items] == [True, True, False, True]


@pytest.mark.parametrize("filler", [b"\x00", b"\xff"])
def test_a_last_frame_of_which_only_some_pages_were_written(tmp_path, filler):
    folder = tmp_path / "bodies"
    first, last = many(0, 2), many(2, 40)
    BodyStore(folder).put_many(first)
    [path] = segment_files(folder)
    before = path.stat().st_size
    BodyStore(folder).put_many(last)
    whole = path.read_bytes()
    for lost in range(before, len(whole), 4096):
        path.write_bytes(whole[:lost] + filler * min(4096, len(whole) - lost) + whole[lost + 4096 :])
        bodies = BodyStore(folder)
        bodies.put_many(many(40, 41))
        assert all(kept(bodies, item) for item in (*first, *many(40, 41)))


@pytest.mark.parametrize("name", ["pwrite", "fdatasync", "fsync"])
@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, StorageFullError), (errno.EIO, StorageFailedError)])
def test_a_full_disk_keeps_nothing_and_says_so(tmp_path, monkeypatch, name, number, error):
    def full(*_):
        raise OSError(number, os.strerror(number))

    bodies = BodyStore(tmp_path / "bodies")
    for item in many(0, 2):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            if name == "fsync" and item != sealed("n", 0):
                continue  # Nothing but making a segment calls it.
            with pytest.raises(error) as caught:
                bodies.put_many([item])
        assert "bodies" in caught.value.text("zh")
        assert bodies.get(item[0]) is None
        bodies.put_many([item])
        assert kept(bodies, item)
        assert kept(BodyStore(tmp_path / "bodies"), item)


def test_a_disk_that_fills_in_the_middle_of_a_write(tmp_path, monkeypatch):
    bodies, reader = BodyStore(tmp_path), BodyStore(tmp_path)
    bodies.put_many(many(0, 2))
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
            bodies.put_many(many(2, 4))
    assert [kept(reader, item) for item in many(0, 4)] == [True, True, False, False]
    bodies.put_many(many(3, 5))
    assert [kept(reader, item) for item in many(0, 5)] == [True, True, False, True, True]


def test_a_reader_that_saw_a_write_which_was_taken_back(tmp_path, monkeypatch):
    bodies, reader = BodyStore(tmp_path), BodyStore(tmp_path)
    bodies.put_many(many(0, 2))

    def seen_and_failed(_fd):
        assert kept(reader, sealed("n", 2))
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", seen_and_failed)
        with pytest.raises(StorageFailedError):
            bodies.put_many(many(2, 3))
    bodies.put_many(many(13, 14))  # Of the same length as what was taken back.
    assert [kept(reader, sealed("n", n)) for n in (0, 1, 2, 13)] == [True, True, False, True]


def test_a_write_that_failed_and_cannot_be_taken_back_harms_nothing_acknowledged(tmp_path, monkeypatch):
    bodies = BodyStore(tmp_path)
    bodies.put_many(many(0, 2))

    def broken(*_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", broken)
        patch.setattr(os, "ftruncate", broken)
        with pytest.raises(StorageFailedError):
            bodies.put_many(many(2, 3))
    bodies.put_many(many(3, 5))
    for reader in (bodies, BodyStore(tmp_path)):
        assert [kept(reader, sealed("n", n)) for n in (0, 1, 3, 4)] == [True] * 4


class Stopped(BaseException):
    """Stands for the process dying at this point: no handler of ours may run on it."""


def stop_at(monkeypatch, name, number):
    """Let *number* calls of os.*name* pass; the next does half its work, if it is a write, and dies."""
    real = getattr(os, name)
    calls = []

    def call(*arguments, **named):
        calls.append(name)
        if len(calls) > number:
            if name == "pwrite" and number % 2:
                fd, data, offset = arguments
                real(fd, bytes(data)[: len(data) // 2], offset)
            raise Stopped
        return real(*arguments, **named)

    monkeypatch.setattr(os, name, call)


@pytest.mark.parametrize("name", ["pwrite", "fdatasync"])
def test_stopped_at_every_step_of_erasing(tmp_path, monkeypatch, name):
    start = tmp_path / "start"
    items = many(0, 6)
    BodyStore(start).put_many(items)
    BodyStore(start).put_many(items[2:3])  # A copy, as a caller leaves that was not told of the first.
    stops = 0
    for number in range(20):
        folder = tmp_path / str(number)
        shutil.copytree(start, folder)
        with monkeypatch.context() as patch:
            stop_at(patch, name, number)
            try:
                BodyStore(folder).erase(items[2][0])
            except Stopped:
                stops += 1
            else:
                break
        begun = (folder / "erasing").read_bytes() == bytes.fromhex(items[2][0][7:])
        begun = begun or not kept(BodyStore(folder), items[2])
        BodyStore(folder).put_many(many(6, 7))  # Whoever writes next finishes it.
        content = everything(folder)
        assert (items[2][1] in content, items[2][2] in content) == (not begun, not begun)
        assert BodyStore(folder).erase(items[2][0]) != begun
        assert BodyStore(folder).get(items[2][0]) is None
        assert all(kept(BodyStore(folder), item) for item in many(0, 7) if item != items[2])
        shutil.rmtree(folder)
    else:
        pytest.fail("erasing took more steps than expected")
    assert stops >= 4


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["pwrite", "fdatasync", "fsync", "replace"])
def test_stopped_at_every_step_of_sealing(tmp_path, monkeypatch, name):
    start = tmp_path / "start"
    items = many(0, 11)
    bodies = BodyStore(start)
    bodies.put_many(items[:10])
    stops = 0
    for number in range(20):
        folder = tmp_path / str(number)
        shutil.copytree(start, folder)
        with monkeypatch.context() as patch:
            patch.setattr("audit.bodyfinder.Finder.index_sealed", lambda _: None)  # Its steps are nobody's steps.
            stop_at(patch, name, number)
            try:
                BodyStore(folder).put_many(items[10:])
            except Stopped:
                stops += 1
            else:
                break
        assert all(kept(BodyStore(folder), item) for item in items[:10])
        for item in many(11, 24):
            BodyStore(folder).put_many([item])
        assert all(kept(BodyStore(folder), item) for item in many(11, 24) + items[:10])
        shutil.rmtree(folder)
    assert stops >= 1


@pytest.mark.usefixtures("small")
def test_a_damaged_sealed_segment_without_its_index_is_told_and_others_are_found(tmp_path):
    items = many(0, 35)
    bodies = BodyStore(tmp_path)
    for item in items:
        bodies.put_many([item])
    bodies.close()
    for path in tmp_path.glob("*.index"):
        path.unlink()
    path = segment_files(tmp_path)[1]
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    reader = BodyStore(tmp_path)
    assert all(kept(reader, item) for item in items[:10] + items[20:])
    with pytest.raises(LogDamagedError, match="00000002"):
        reader.get(items[15][0])
    path.write_bytes(whole)
    assert kept(BodyStore(tmp_path), items[15])


@pytest.mark.usefixtures("small")
def test_expiring_drops_whole_segments_and_says_how_many_bodies_went(tmp_path):
    clock = Clock()
    bodies, reader = BodyStore(tmp_path, clock=clock), BodyStore(tmp_path)
    items = many(0, 38)
    for item in items:
        bodies.put_many([item])
        clock.now += timedelta(hours=1)
    bodies.close()
    assert kept(reader, items[0])
    bodies.erase(items[3][0])
    with pytest.raises(InputInvalidError):
        bodies.expire(datetime(2026, 1, 1))  # noqa: DTZ001
    assert bodies.expire(START) == 0
    assert bodies.expire(START + timedelta(hours=25)) == 19
    assert bodies.expire(START + timedelta(hours=25)) == 0
    for one in (bodies, reader, BodyStore(tmp_path)):
        assert [kept(one, item) for item in items] == [number >= 20 for number in range(38)]
    assert [path.name for path in segment_files(tmp_path)] == ["00000003.bodies", "00000004.bodies"]
    # Everything is due: the newest segment too, though it is not full.
    assert bodies.expire(clock.now) == 18
    assert [path.name for path in segment_files(tmp_path)] == ["00000005.bodies"]
    bodies.close()
    for one in (bodies, reader, BodyStore(tmp_path)):
        assert not any(kept(one, item) for item in items)
    reader.put_many(items[:1])
    assert kept(bodies, items[0])
    assert not BodyStore(tmp_path / "none").expire(START)


@pytest.mark.usefixtures("small")
def test_a_damaged_segment_does_not_keep_others_from_expiring(tmp_path):
    clock = Clock()
    bodies = BodyStore(tmp_path, clock=clock)
    for item in many(0, 31):
        bodies.put_many([item])
    bodies.close()
    clock.now += timedelta(days=1)
    path = segment_files(tmp_path)[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    with pytest.raises(LogDamagedError, match="00000001"):
        bodies.expire(clock.now)
    assert [path.name for path in segment_files(tmp_path)] == ["00000001.bodies", "00000005.bodies"]
    bodies.close()


def test_bodies_of_earlier_versions_are_read_erased_and_moved(tmp_path, monkeypatch):
    monkeypatch.setattr("audit.store._MIGRATED_AT_ONCE", 1)  # Some folders have more than one.
    clock = Clock()
    clock.now += timedelta(days=400)
    old = [put_as_before(tmp_path, bytes([n]) * 16, {"n": n}, START + timedelta(days=n)) for n in range(100)]
    big = put_as_before(tmp_path, SALT, {"n": 1e20})
    (tmp_path / old[5][7:9] / ".crashed.1.1.tmp").write_bytes(b"half a body")
    bodies = BodyStore(tmp_path, clock=clock)
    assert bodies.get(old[0]) == (bytes(16), {"n": 0})
    assert bodies.get(big) == (SALT, {"n": 1e20})
    assert bodies.erase(old[1])
    assert bodies.get(old[1]) is None
    bodies.put_many(many(0, 3))
    assert bodies.migrate() == 100
    assert bodies.migrate() == 0
    bodies.close()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    for reader in (bodies, BodyStore(tmp_path)):
        assert [reader.get(digest) for digest in old] == [
            None if n == 1 else (bytes([n]) * 16, {"n": n}) for n in range(100)
        ]
        assert reader.get(big) == (SALT, {"n": 1e20})
        assert all(kept(reader, item) for item in many(0, 3))
    # The times of the files went along, to the month.
    assert 30 <= bodies.expire(START + timedelta(days=65)) <= 66
    assert bodies.get(old[99]) is not None
    assert bodies.erase(old[99])
    bodies.close()


def test_a_move_that_is_stopped_anywhere_loses_nothing(tmp_path, monkeypatch):
    start = tmp_path / "start"
    old = [put_as_before(start, bytes([n]) * 16, {"n": n}) for n in range(8)]
    for name in ("pwrite", "fdatasync", "unlink", "rmdir"):
        stops = 0
        for number in itertools.count():
            folder = tmp_path / f"{name}{number}"
            shutil.copytree(start, folder)
            with monkeypatch.context() as patch:
                stop_at(patch, name, number)
                try:
                    BodyStore(folder).migrate()
                except Stopped:
                    stops += 1
            bodies = BodyStore(folder)
            assert all(bodies.get(digest) == (bytes([n]) * 16, {"n": n}) for n, digest in enumerate(old))
            bodies.migrate()
            assert all(bodies.get(digest) == (bytes([n]) * 16, {"n": n}) for n, digest in enumerate(old))
            assert bodies.erase(old[3])
            assert BodyStore(folder).get(old[3]) is None
            assert not list(folder.rglob("*.json"))
            shutil.rmtree(folder)
            if stops <= number:
                break
        assert stops >= 4


@pytest.mark.parametrize("damage", [lambda _: b"", lambda d: d[:-3], lambda d: d.replace(b'"n":1', b'"n":2')])
def test_a_damaged_body_of_an_earlier_version_stays_and_is_told(tmp_path, damage):
    old = [put_as_before(tmp_path, SALT, {"n": n}) for n in range(3)]
    path = tmp_path / old[1][7:9] / f"{old[1][9:]}.json"
    path.write_bytes(damage(path.read_bytes()))
    bodies = BodyStore(tmp_path)
    for call in (lambda: bodies.get(old[1]), bodies.migrate):
        with pytest.raises(BodyDamagedError) as caught:
            call()
        assert caught.value.params["where"] == old[1]
    assert path.exists()
    assert [bodies.get(old[n]) for n in (0, 2)] == [(SALT, {"n": 0}), (SALT, {"n": 2})]
    assert not (tmp_path / old[0][7:9] / f"{old[0][9:]}.json").exists()


def test_two_stores_on_one_folder_see_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(bodywriter, "SEGMENT_BODIES", 7)
    one, two, reader = BodyStore(tmp_path), BodyStore(tmp_path), BodyStore(tmp_path)
    items = many(0, 60)
    for number, item in enumerate(items):
        (one, two)[number % 2].put_many([item])
        assert kept(reader, item)
        assert kept(one, item)
        assert kept(two, item)
        if number % 9 == 0:
            assert (two, one)[number % 2].erase(item[0])
            assert reader.get(item[0]) is None
    for bodies in (one, two, reader):
        assert [kept(bodies, item) for item in items] == [number % 9 != 0 for number in range(60)]
        bodies.close()


def put_some(folder, name):
    bodywriter.SEGMENT_BODIES = 20
    bodies = BodyStore(folder)
    for start in range(0, 90, 3):
        bodies.put_many(many(start, start + 3, name))
        assert all(kept(bodies, item) for item in many(start, start + 3, name))
    bodies.close()


def test_processes_put_side_by_side_beside_a_reader(tmp_path):
    context = multiprocessing.get_context("forkserver")
    children = [context.Process(target=put_some, args=(tmp_path, name)) for name in ("a", "b")]
    for child in children:
        child.start()
    reader = BodyStore(tmp_path)
    seen = set()
    while any(child.is_alive() for child in children):
        for name in ("a", "b"):
            for item in many(0, 90, name):
                found = kept(reader, item)
                assert found or item[0] not in seen
                if found:
                    seen.add(item[0])
    assert [child.exitcode for child in children] == [0, 0]
    assert all(kept(reader, item) for name in ("a", "b") for item in many(0, 90, name))


@pytest.mark.usefixtures("small")
def test_a_reader_that_may_not_write_makes_its_indexes_for_itself(tmp_path, monkeypatch):
    items = many(0, 25)
    with BodyStore(tmp_path) as bodies:
        for item in items:
            bodies.put_many([item])
    for path in tmp_path.glob("*.index"):
        path.unlink()

    def refused(**_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refused)
    reader = BodyStore(tmp_path)
    assert all(kept(reader, item) for item in items)
    assert reader.get(sealed("none", 0)[0]) is None
    assert not list(tmp_path.glob("*.index"))
    for item in many(25, 45):  # Sealing goes on without index files.
        bodies.put_many([item])
    assert all(kept(one, item) for one in (reader, bodies) for item in many(0, 45))
    bodies.close()


def test_a_child_forked_while_threads_put_can_put_too(tmp_path):
    bodies = BodyStore(tmp_path)
    stop = threading.Event()

    def work(name):
        for number in itertools.count():
            if stop.is_set():
                return
            bodies.put_many([sealed(name, number)])

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        context = multiprocessing.get_context("fork")
        for turn in range(5):
            child = context.Process(target=bodies.put_many, args=(many(0, 3, f"c{turn}"),))
            child.start()
            child.join(20)
            assert child.exitcode == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert all(kept(bodies, item) for turn in range(5) for item in many(0, 3, f"c{turn}"))


@pytest.mark.parametrize("writers", [1, 2])
def test_killed_at_random_moments_nothing_acknowledged_is_lost(tmp_path, writers):
    folder = tmp_path / "bodies"
    dice = random.Random(20260101 + writers)
    there, gone = set(), set()
    for turn in range(3):
        names = [f"t{turn}w{writer}" for writer in range(writers)]
        children = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.audit.putter", folder, name], stdout=subprocess.PIPE, cwd=ROOT, text=True
            )
            for name in names
        ]
        told = {name: [] for name in names}
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for name, child in zip(names, children, strict=True):
            for _ in range(dice.randrange(1, 60)):
                told[name].append(child.stdout.readline())
        for name, child in zip(names, children, strict=True):
            child.kill()
            told[name] += child.stdout.read().splitlines(keepends=True)
            child.wait()
            child.stdout.close()
            for line in told[name]:
                word, number, *count = line.split() if line.endswith("\n") else ("", 0)
                if word == "put":
                    there |= {(name, int(number) + part) for part in range(int(count[0]))}
                if word == "erased":
                    gone.add((name, int(number)))
        reader = BodyStore(folder)
        assert not any(kept(reader, sealed(*one)) for one in gone)
        # The last one erased may be so without having been told.
        missing = [one for one in there - gone if not kept(reader, sealed(*one))]
        assert len(missing) <= writers
        assert all(number % 7 == 0 for _, number in missing)
        there -= set(missing)
        BodyStore(folder).put_many(many(turn, turn + 1, "after"))
        content = everything(folder)
        assert not any(sealed(*one)[1] in content for one in gone)
    assert there
