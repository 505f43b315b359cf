"""Backups: whole while others write, found out when changed, put back into a home that works."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from audit.entry import Entry
from audit.files import locked
from audit.fsck import check_log
from audit.log import Log
from hub.actors import Actor
from hub.api.problems import status_of
from hub.backups import making, sealing
from hub.backups.checking import check, find
from hub.backups.copying import copy_folder
from hub.backups.errors import BackupDamagedError, BackupRefusedError, BackupUnderWayError, BackupUnknownError
from hub.backups.manifest import CONTENT, FILES, KEYS, SUMMARY, read_summary
from hub.backups.recent import standing
from hub.backups.restoring import restore
from hub.evidence import log_verifiers
from hub.office import Office
from hub.settings import Settings

BY = Actor("GA", "administrator")
PASSPHRASE = b"a passphrase of some length"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def office(world):
    with Office.open(world.settings, clock=world.clock) as opened:
        yield opened


@pytest.fixture
def made(office, tmp_path):
    return making.make(office, tmp_path / "kept", by=BY, passphrase=PASSPHRASE)


def test_what_was_made_is_in_order_and_the_log_knows_its_digest(office, made):
    report = check(made.path, digest=made.summary.digest)
    assert report.faults == ()
    assert report.files == made.summary.count == len((made.path / FILES).read_text().splitlines())
    entry = Entry.decode(office.evidence.log.entry(made.log_index))
    assert (entry.kind, entry.actor) == ("backup.made", "GA:administrator")
    assert entry.facts["digest"] == made.summary.digest
    assert made.summary.log_size == made.log_index
    assert {part.name for part in made.summary.parts} >= {"control", "log", "bodies", "lists", "keys"}


def test_the_list_is_one_that_sha256sum_reads(made):
    done = subprocess.run(["sha256sum", "--check", "--strict", FILES], cwd=made.path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_nobody_else_reads_a_backup(made):
    assert {path.stat().st_mode & 0o077 for path in (made.path.parent, *made.path.rglob("*"))} == {0}


def test_a_new_home_works_as_the_old_one_did(world, office, made, tmp_path):
    home = tmp_path / "new" / "var"
    done = restore(made.path, home, passphrase=PASSPHRASE, digest=made.summary.digest)
    settings = Settings.at(home)
    assert check_log(settings.log, log_verifiers(settings)).faults == ()
    with Office.open(settings, clock=world.clock) as again:
        assert again.list_.version == office.list_.version
        assert again.evidence.log.size == made.log_index
        # The same keys: what the new home appends and signs is of the same log.
        assert again.evidence.append("x.done", facts={}, actor="GA:x").index == made.log_index
        assert again.evidence.publish().splitlines()[0] == office.evidence.origin
        for leaf in again.evidence.log.entries(0, made.log_index):
            entry = Entry.decode(leaf)
            assert not entry.body_digest or again.evidence.bodies.get(entry.body_digest) is not None
    assert oct(home.stat().st_mode & 0o777) == oct((home / "keys").stat().st_mode & 0o777) == "0o700"
    assert any("warehouse" in en for en, _ in done.left)


def test_a_flipped_byte_of_any_file_is_told_by_its_name(made, tmp_path):
    names = [line.split("  ", 1)[1] for line in (made.path / FILES).read_text().splitlines()]
    for name in (*names, FILES, SUMMARY):
        copy = tmp_path / "copy" / made.path.name
        shutil.copytree(made.path, copy)
        path = copy / name
        data = bytearray(path.read_bytes())
        if not data:
            data = bytearray(b"\0\0")
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        faults = check(copy).faults
        assert [fault.where for fault in faults] == [name], name
        with pytest.raises(BackupDamagedError):
            restore(copy, tmp_path / "never", passphrase=PASSPHRASE)
        assert not (tmp_path / "never").exists()
        shutil.rmtree(copy)


def test_what_is_missing_added_or_another_backup_is_told(made):
    assert [f.code for f in check(made.path, digest="0" * 64).faults] == ["digest"]
    (made.path / CONTENT / "log" / "added").write_text("x")
    assert [(f.code, f.where) for f in check(made.path).faults] == [("extra", "content/log/added")]
    (made.path / CONTENT / "log" / "added").unlink()
    (made.path / CONTENT / "log" / "checkpoint").unlink()
    assert [(f.code, f.where) for f in check(made.path).faults] == [("missing", "content/log/checkpoint")]
    assert "缺失" in check(made.path).faults[0].text("zh")
    (made.path / SUMMARY).unlink()
    assert [f.code for f in check(made.path).faults] == ["summary"]


def test_a_list_does_not_lead_out_of_the_backup(made):
    summary = read_summary(made.path)
    (made.path / FILES).write_text(f"{'0' * 64}  content/../../etc/passwd\n")
    assert check(made.path).faults[0].where == FILES
    assert summary.count > 1


def test_a_log_that_was_rewritten_in_whole_is_found_by_its_signatures(office, tmp_path):
    office.evidence.publish()
    folder = tmp_path / "home" / "log"
    shutil.copytree(office.settings.log, folder)
    shutil.copytree(office.settings.public, tmp_path / "home" / "public")
    bundle = next(path for path in sorted((folder / "tile" / "entries").rglob("*")) if path.is_file())
    data = bytearray(bundle.read_bytes())
    data[20] ^= 1
    bundle.write_bytes(data)
    from hub.backups.checking import check_copied_log

    assert list(check_copied_log(tmp_path / "home", "content"))


def test_entries_that_are_appended_meanwhile_stop_nothing_and_are_whole(office, tmp_path):
    stop = threading.Event()

    def write():
        while not stop.is_set():
            office.evidence.append("x.done", facts={"n": 1}, body={"n": 1}, actor="GA:x")
            office.evidence.publish()

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        paths = [making.make(office, tmp_path / f"kept{turn}", by=BY, passphrase=None).path for turn in range(4)]
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    for path in paths:
        assert check(path).faults == ()
        with Log.open(path / CONTENT / "log") as log:
            bodies = type(office.evidence.bodies)(path / CONTENT / "bodies")
            for leaf in log.entries(0, log.size):
                entry = Entry.decode(leaf)
                assert not entry.body_digest or bodies.get(entry.body_digest) is not None


def test_what_changes_between_the_turns_of_copying_is_copied_again(tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    for name in ("stays", "grows", "goes"):
        (source / "deep" / name).write_text("one")

    class Still:
        def __enter__(self):
            (source / "deep" / "grows").write_text("one and more")
            (source / "deep" / "goes").unlink()
            (source / "new").write_text("new")

        def __exit__(self, *_):
            return None

    copied = copy_folder(source, tmp_path / "target", "it", still=Still)
    assert [(one.path, one.size_bytes) for one in copied] == [
        ("it/deep/grows", 12),
        ("it/deep/stays", 3),
        ("it/new", 3),
    ]
    assert sorted(path.name for path in (tmp_path / "target").rglob("*") if path.is_file()) == ["grows", "new", "stays"]


def test_keys_are_sealed_under_the_passphrase_alone(made, tmp_path):
    sealed = (made.path / CONTENT / KEYS).read_bytes()
    assert b"scrypt" not in sealed
    assert not (made.path / CONTENT / "keys").exists()
    with pytest.raises(BackupRefusedError) as wrong:
        restore(made.path, tmp_path / "wrong", passphrase=b"another passphrase")
    assert "口令不符" in wrong.value.text("zh")
    assert not (tmp_path / "wrong").exists()
    done = restore(made.path, tmp_path / "without")
    assert not (tmp_path / "without" / "keys").exists()
    assert any("keys/" in en for en, _ in done.left)


@pytest.mark.parametrize("size", [0, 10, sealing.PIECE_BYTES - 1, sealing.PIECE_BYTES * 3])
def test_sealed_keys_come_back_and_a_cut_or_swapped_piece_does_not(tmp_path, size):
    folder, sealed = tmp_path / "keys", tmp_path / "sealed"
    (folder / "licence").mkdir(parents=True)
    (folder / "licence" / "a.key").write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    sealing.seal_folder(folder, sealed, PASSPHRASE)
    sealing.open_folder(sealed, tmp_path / "opened", PASSPHRASE)
    assert (tmp_path / "opened" / "licence" / "a.key").read_bytes() == (folder / "licence" / "a.key").read_bytes()
    data = sealed.read_bytes()
    piece = sealing.PIECE_BYTES + sealing.TAG_BYTES
    head = len(sealing.MAGIC) + sealing.SALT_BYTES + sealing.PREFIX_BYTES
    changed = [data[:-1], data[: head + piece], data + b"\0", data[: head - 1], b"x" + data[1:]]
    if len(data) > head + 2 * piece:
        changed.append(
            data[:head] + data[head + piece : head + 2 * piece] + data[head : head + piece] + data[head + 2 * piece :]
        )
    for number, bad in enumerate(changed):
        if bad == data:
            continue
        sealed.write_bytes(bad)
        with pytest.raises(BackupRefusedError):
            sealing.open_folder(sealed, tmp_path / f"bad{number}", PASSPHRASE)


def test_a_short_passphrase_is_refused_and_leaves_nothing(office, tmp_path):
    with pytest.raises(BackupRefusedError):
        making.make(office, tmp_path / "kept", by=BY, passphrase=b"short")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [making.LOCK]


def test_one_maker_at_a_time_and_what_a_killed_one_left_goes(office, tmp_path):
    folder = tmp_path / "kept"
    (folder / ".making-20200101T000000Z" / CONTENT).mkdir(parents=True)
    with locked(folder / making.LOCK), pytest.raises(BackupUnderWayError):
        making.make(office, folder, by=BY, passphrase=None)
    assert standing(folder, office.settings.home, office.now()).unfinished == 1
    made = making.make(office, folder, by=BY, passphrase=None)
    assert sorted(path.name for path in folder.iterdir()) == [making.LOCK, made.path.name]
    assert made.summary.keys == "left_out"


def test_a_home_that_holds_something_is_never_written_over(made, world):
    with pytest.raises(BackupRefusedError):
        restore(made.path, world.settings.home, passphrase=PASSPHRASE)


def test_only_whole_backups_are_found(made):
    for name in ("20200101T000000Z", "../kept", ".making-20200101T000000Z", ""):
        with pytest.raises(BackupUnknownError):
            find(made.path.parent, name)
    assert find(made.path.parent, made.path.name) == made.path


def test_a_full_disk_leaves_nothing(office, tmp_path, monkeypatch):
    from hub.errors import StorageFullHubError

    def full(*_):
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr("hub.backups.copying.write_all", full)
    with pytest.raises(StorageFullHubError):
        making.make(office, tmp_path / "kept", by=BY, passphrase=None)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == [making.LOCK]


def test_the_light_says_how_old_the_newest_is(office, made):
    folder, home, at = made.path.parent, office.settings.home, made.summary.made_at
    lights = [standing(folder, home, at + timedelta(hours=hours)).light for hours in (0, 29, 31, 53, 55)]
    assert lights == ["good", "good", "warn", "warn", "bad"]
    assert standing(folder / "none", home, at).light == "bad"
    (made.path / SUMMARY).write_text("{}")
    found = standing(folder, home, at)
    assert (found.light, found.newest, len(found.known)) == ("bad", None, 1)


def test_a_copy_of_the_database_has_what_was_committed_and_nothing_open(office, tmp_path):
    from hub.backups.databases import copy_control

    with office.control.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE later (x INTEGER)")
        copied = copy_control(office.settings.control_url, tmp_path)
    with sqlite3.connect(tmp_path / copied.path) as copy:
        assert copy.execute("SELECT count(*) FROM sqlite_master WHERE name = 'later'").fetchone() == (0,)
        assert copy.execute("SELECT count(*) FROM grants").fetchone()[0] > 0


@pytest.mark.slow
def test_killed_at_each_write_no_half_backup_has_the_name_of_a_whole_one(tmp_path):
    command = [sys.executable, "-m", "tests.hub.backups.maker", tmp_path]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    # Both outcomes were met: none, and a whole one without its entry.
    assert re.fullmatch(r"\[0, 1\] [1-9][0-9]+\n", told.stdout)


class TestCommands:
    @pytest.fixture
    def run(self, world, tmp_path, monkeypatch, capsys):
        from hub.cli import main

        monkeypatch.setenv("ZHENGTONG_HOME", str(world.settings.home))
        monkeypatch.setenv("ZHENGTONG_BACKUPS", str(tmp_path / "kept"))
        (tmp_path / "passphrase").write_text(PASSPHRASE.decode() + "\n")

        def run(*words, code=0):
            assert main([*words, "--json", "--lang", "en"]) == code
            return json.loads(capsys.readouterr().out)

        return run

    def test_make_list_check_restore(self, run, tmp_path):
        assert run("backup", "list", code=20)["backups"] == []
        file = str(tmp_path / "passphrase")
        made = run("backup", "make", "--by", "GA:administrator", "--passphrase-file", file)
        assert run("backup", "check", made["name"], "--digest", made["digest"])["ok"]
        assert run("backup", "list")["backups"][0]["digest"] == made["digest"]
        done = run("backup", "restore", made["name"], "--to", str(tmp_path / "new"), "--passphrase-file", file)
        assert (Path(done["home"]) / "keys" / "log.key").exists()
        (Path(made["path"]) / "content" / "log" / "checkpoint").write_text("x")
        found = run("backup", "check", made["name"], code=5)
        assert [fault["where"] for fault in found["faults"]] == ["content/log/checkpoint"]

    def test_what_is_left_unsaid_is_asked(self, run):
        assert run("backup", "make", "--by", "GA:administrator", code=2)["code"] == "usage"
        assert run("backup", "check", "nothing", code=3)["code"] == "backup_unknown"


def test_the_errors_have_statuses():
    refused, unknown = BackupRefusedError(why="", why_zh=""), BackupUnknownError(name="", folder="")
    assert [status_of(one) for one in (refused, unknown, BackupUnderWayError(folder=""))] == [422, 404, 503]


def test_control_tables_in_postgresql_are_dumped_by_its_own_tool(postgres, tmp_path):
    """Its password stands in no argument, where others could read it."""
    from hub.backups.databases import copy_control
    from hub.control import Control
    from tests.hub.databases import migrate

    first = postgres.create(postgres.prepared("head", migrate))
    try:
        url = postgres.url(first)
        control = Control.attach(replace(Settings.at(tmp_path), control_url=url))
        with control.writing() as connection:
            connection.exec_driver_sql("UPDATE control_state SET generation = 4711")
        control.close()
        copied = copy_control(url, tmp_path)
        assert copied.path == "control.pgdump"
        assert (tmp_path / copied.path).read_bytes()[:5] == b"PGDMP"
        listed = subprocess.run(["pg_restore", "--list", tmp_path / copied.path], capture_output=True, check=True)
        assert b"TABLE DATA public control_state" in listed.stdout
    finally:
        postgres.drop(first)


def test_a_database_that_cannot_be_dumped_is_told_without_its_password(tmp_path):
    from hub.backups.databases import copy_control
    from hub.backups.errors import DumpFailedError

    with pytest.raises(DumpFailedError) as failed:
        copy_control("postgresql+psycopg://somebody:hidden-word@127.0.0.1:1/none", tmp_path)
    assert "hidden-word" not in str(failed.value) + failed.value.text("zh")
