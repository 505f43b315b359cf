from __future__ import annotations

import errno
import os
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.entry import Entry, seal_body
from audit.errors import BodyDamagedError, CanonicalError, EntryInvalidError, StorageFullError
from audit.store import BodyStore

from .conftest import entry_bytes

SALT = bytes(range(16))
BODY = {"姓名": "测试", "rows": [{"a": 1}]}


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.text(st.characters(exclude_categories=("Cs",))),
    st.dictionaries(
        st.text(st.characters(exclude_categories=("Cs",))),
        st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    ),
)
def test_entries_read_back(at, actor, facts):
    entry = Entry("licence.issued", at, actor, "", "R", "P", facts, seal_body({}, SALT))
    assert Entry.decode(entry.encode()) == entry


def test_the_form_is_fixed():
    # Not our own output pasted back: composed by hand from RFC 8785 and the field list. Logs outlive versions.
    entry = Entry("key.pinned", datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "a", "", "r", "p", {"z": 1, "b": "é"})
    assert entry.encode() == (
        b'{"actor":"a","at":"2026-01-02T03:04:05.000006Z","body_digest":"","facts":{"b":"\xc3\xa9","z":1},'
        b'"kind":"key.pinned","purpose":"p","resource":"r","subject":""}'
    )


@pytest.mark.parametrize(
    "at",
    [datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8)))],  # noqa: DTZ001
)
def test_a_time_that_is_not_utc_is_refused(at):
    with pytest.raises(EntryInvalidError):
        Entry("a.b", at, "", "", "", "", {})


@pytest.mark.parametrize(("kind", "body"), [("", ""), ("Licence", ""), ("a..b", ""), ("a.b", "md5:00"), ("a.b\n", "")])
def test_other_kinds_and_digests_are_refused(kind, body):
    with pytest.raises(EntryInvalidError):
        Entry(kind, datetime(2026, 1, 1, tzinfo=UTC), "", "", "", "", {}, body)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d[:-1],
        lambda d: d + b" ",
        lambda d: d.replace(b'"actor":', b'"actor": '),
        lambda d: d.replace(b'"actor"', b'"actors"'),
        lambda d: d.replace(b'"number":1', b'"number":1.0'),
        lambda d: d.replace(b'"number":1', b'"number":NaN'),
        lambda d: d.replace(b'"number":1', b'"number":1,"number":1'),
        lambda d: d.replace(b"2026-01-01", b"2026-13-01"),
        lambda d: d.replace(b"000000Z", b"000Z"),
        lambda d: d.replace(b'"R1"', b"7"),
        lambda _: b"[]",
        lambda _: b"[" * 100_000,
        lambda _: b"\xff",
    ],
)
def test_what_is_not_canonical_is_no_entry(change):
    data = change(entry_bytes(1))
    with pytest.raises(EntryInvalidError):
        Entry.decode(data)


def test_the_seal_depends_on_salt_and_body():
    assert len({seal_body(BODY, SALT), seal_body(BODY, SALT[::-1]), seal_body({}, SALT)}) == 3
    with pytest.raises(EntryInvalidError):
        seal_body(BODY, b"short")


def test_a_body_comes_back_and_goes(tmp_path):
    store = BodyStore(tmp_path / "bodies")
    digest = store.put("call-1", SALT, BODY)
    assert digest == seal_body(BODY, SALT) == store.put("call-1", SALT, BODY)
    assert BodyStore(tmp_path / "bodies").get(digest) == (SALT, BODY)
    assert store.erase(digest)
    assert store.get(digest) is None
    assert not store.erase(digest)
    assert [p for p in (tmp_path / "bodies").rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[:-3], lambda d: d.replace(b'"a":1', b'"a":2')])
def test_a_damaged_body_is_never_returned(tmp_path, damage):
    store = BodyStore(tmp_path)
    digest = store.put("call-1", SALT, BODY)
    [file] = list(tmp_path.rglob("*.json"))
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(BodyDamagedError) as caught:
        store.get(digest)
    assert "测试" not in str(caught.value)


@pytest.mark.parametrize("digest", ["", "sha256:00", "sha256:" + "../" * 21 + "a", "sha256:" + "G" * 64])
def test_no_other_name_reaches_the_disk(tmp_path, digest):
    with pytest.raises(EntryInvalidError):
        BodyStore(tmp_path).get(digest)
    with pytest.raises(EntryInvalidError):
        BodyStore(tmp_path).erase(digest)


def test_a_body_that_is_no_json_is_refused(tmp_path):
    with pytest.raises(CanonicalError):
        BodyStore(tmp_path).put("k", SALT, {"x": object()})


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
def test_a_full_disk_keeps_nothing_and_says_so(tmp_path, monkeypatch, call):
    store = BodyStore(tmp_path)
    digest = seal_body(BODY, SALT)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StorageFullError):
            store.put("k", SALT, BODY)
    assert store.get(digest) is None
    assert store.put("k", SALT, BODY) == digest
    assert store.get(digest) == (SALT, BODY)


def test_many_threads_put_the_same_body(tmp_path):
    store = BodyStore(tmp_path)
    threads = [threading.Thread(target=store.put, args=("k", SALT, BODY)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get(seal_body(BODY, SALT)) == (SALT, BODY)
    assert len([p for p in tmp_path.rglob("*") if p.is_file()]) == 1
