"""Nonces in a file: of whatever processes try one, a single one has it, and nothing is let in again."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.signing import nonces_file
from hub.signing.errors import NoncesForgottenError, NoncesFullError, SignatureReplayedError
from hub.signing.nonces import LIFETIME_S
from hub.signing.nonces_file import FileNonces

NOW = 1_772_352_000.0
# Tries every name in order and prints those that it took; told to die, it does so holding the lock.
CHILD = """
import os, signal, sys
from pathlib import Path
from hub.signing.errors import SignatureReplayedError
from hub.signing.nonces_file import FileNonces
path, now, dies = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "dies"
nonces = FileNonces(path, started=0)
taken = []
for n in range(400):
    try:
        nonces.take("k", f"name-{n}", until=now + 300, now=now)
    except SignatureReplayedError:
        continue
    taken.append(n)
if dies:
    import fcntl
    print(*taken, flush=True)
    fcntl.flock(nonces._file, fcntl.LOCK_EX)
    os.kill(os.getpid(), signal.SIGKILL)
print(*taken)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "nonces"


@pytest.fixture
def opened(path):
    made = []

    def open_(**more):
        made.append(FileNonces(path, **{"started": 0, "buckets": 4, **more}))
        return made[-1]

    yield open_
    for one in made:
        one.close()


def take(nonces, name="a" * 16, *, key="k", created=NOW, now=NOW):
    nonces.take(key, name, until=created + LIFETIME_S, now=now)


def test_a_name_is_taken_once_also_by_another_who_opened_the_file(opened, path):
    first, second = opened(), opened()
    take(first)
    for one in (first, second):
        with pytest.raises(SignatureReplayedError):
            take(one)
    take(second, key="other")
    assert path.stat().st_mode & 0o777 == 0o600


def test_processes_share_one_memory_which_outlives_them(path):
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(path), str(NOW), end], stdout=subprocess.PIPE, text=True)
        for end in ("ends", "dies")
    ]
    told = [child.communicate(timeout=60)[0].split() for child in children]
    # Who died with the lock in its hand left it to the others.
    assert children[1].returncode == -9
    assert sorted(map(int, told[0] + told[1])) == list(range(400))
    later = FileNonces(path, started=NOW)
    with pytest.raises(SignatureReplayedError):
        take(later, "name-7")
    take(later, "name-401")
    later.close()


def test_of_many_threads_one_has_it(opened):
    nonces = opened()

    def attempt(_):
        try:
            take(nonces)
        except SignatureReplayedError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(64))) == 1


def test_a_full_bucket_takes_nothing_unremembered_and_is_free_again_in_time(opened):
    nonces = opened(buckets=1)
    for n in range(63):
        take(nonces, f"n-{n}")
    with pytest.raises(NoncesFullError):
        take(nonces, "n-63")
    with pytest.raises(SignatureReplayedError):
        take(nonces, "n-0")
    later = NOW + LIFETIME_S + 1
    take(nonces, "n-63", created=later, now=later)
    # What made room can be taken by no clock any more.
    with pytest.raises(NoncesForgottenError):
        take(nonces, "n-0")


def test_after_a_restart_of_the_machine_what_could_have_been_taken_is_refused(opened, monkeypatch, tmp_path):
    take(opened())
    (tmp_path / "boot").write_text("another boot\n")
    monkeypatch.setattr(nonces_file, "_BOOT", tmp_path / "boot")
    nonces = opened(started=NOW + 10)
    for created in (NOW, NOW + 10, NOW + 40):
        with pytest.raises(NoncesForgottenError):
            take(nonces, f"fresh-{created}", created=created, now=NOW + 12)
    take(nonces, created=NOW + 41, now=NOW + 41)


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 5000])
def test_a_file_that_is_none_is_made_anew(opened, path, damage):
    path.parent.mkdir()
    path.write_bytes(damage)
    nonces = opened(started=NOW)
    with pytest.raises(NoncesForgottenError):
        take(nonces, created=NOW)
    take(nonces, created=NOW + 31, now=NOW + 31)


def test_the_file_keeps_its_size_whoever_opens_it(opened, path):
    take(opened(buckets=4))
    with pytest.raises(SignatureReplayedError):
        take(opened(buckets=8))


def test_it_is_not_carried_over_a_fork(opened, monkeypatch):
    nonces = opened()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(RuntimeError, match="fork"):
        take(nonces)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 900), st.integers(-40, 400)), max_size=60))
@settings(max_examples=25, deadline=None)
def test_whatever_the_clock_does_nothing_is_taken_twice(tmp_path_factory, tries):
    nonces = FileNonces(tmp_path_factory.mktemp("n") / "nonces", started=-10_000, buckets=1)
    taken = set()
    for name, created, late in tries:
        now = created + late
        if not now - LIFETIME_S < created <= now + 30:
            continue
        try:
            nonces.take("k", f"{name}-{created}", until=created + LIFETIME_S, now=now)
        except (SignatureReplayedError, NoncesForgottenError, NoncesFullError):
            continue
        assert (name, created) not in taken
        taken.add((name, created))
    nonces.close()
