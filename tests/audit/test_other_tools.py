"""The paper on the log's format tells how to check a whole log without us; its own lines are run here."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit.checkpoint import Checkpoint
from audit.keys import MlDsaSignerKey
from audit.log import Log
from tests.audit.conftest import ORIGIN, entry_bytes

PAPER = Path(__file__).parents[2] / "docs" / "log-format.md"
TITLE = "Check the whole log with other people's tools"
SECTION = PAPER.read_text("utf-8").split(f"\n## {TITLE}\n")[1].split("\n## ")[0]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
SIGNATURE, PYTHON, GO = [body for info, body in BLOCKS if info == "sh"]
(SCRIPT,) = [body for info, body in BLOCKS if info == "python"]
(PROGRAM,) = [body for info, body in BLOCKS if info == "go"]
OLDER, SIZE = 300, 600  # two full bundles and a part of a third


def needs(*tools):
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed here")


@pytest.fixture
def place(tmp_path, key):
    """A machine with a copy of a log that signs twice, an older checkpoint of it, and its key."""
    with Log.create(tmp_path / "made", ORIGIN, key, second=MlDsaSignerKey(ORIGIN, bytes(32))) as log:
        log.append([entry_bytes(n) for n in range(OLDER)])
        kept = log.publish()
        log.append([entry_bytes(n) for n in range(OLDER, SIZE)])
        log.publish()
    folder = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "made" / "tile", folder / "log" / "tile")
    shutil.copy(tmp_path / "made" / "checkpoint", folder / "log" / "checkpoint")
    (folder / "kept").write_text(kept)
    (folder / "log.vkey").write_text(key.verifier.to_text() + "\n")
    (folder / "whole.py").write_text(SCRIPT)
    (folder / "main.go").write_text(PROGRAM)
    return folder


def run(place, text, **environ):
    text = text.replace("python3 ", f"{sys.executable} ")
    return subprocess.run(
        ["sh", "-ec", text], cwd=place, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )


def alter(path, old, new):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def sign_again(place, key, entries):
    """Put another history beside the checkpoint that was kept: the hub's own key, other entries."""
    shutil.rmtree(place / "log")
    with Log.create(place / "log", ORIGIN, key) as log:
        log.append(entries)
        log.publish()


@needs("openssl", "base64")
def test_the_signature(place):
    assert "Verified Successfully" in run(place, SIGNATURE).stdout
    alter(place / "log/checkpoint", f"\n{SIZE}\n".encode(), f"\n{SIZE + 1}\n".encode())
    assert run(place, SIGNATURE).returncode != 0


def test_the_script_needs_nothing_but_python():
    assert len(SCRIPT.splitlines()) <= 50
    assert re.findall(r"^(?:import|from) (\w+)", SCRIPT, re.MULTILINE) == ["base64", "hashlib", "sys", "pathlib"]


def test_the_script_accepts_the_log(place):
    done = run(place, PYTHON)
    assert (done.stdout, done.stderr) == (f"{SIZE} entries of {ORIGIN}\n", "")


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("tile/entries/000", "tile 0/0 is false"),
        ("tile/entries/002.p/88", "tile 0/2 is false"),
        ("tile/0/001", "tile 0/1 is false"),
        ("tile/1/000.p/2", "tile 1/0 is false"),
        ("checkpoint", "the entries are not those of the checkpoint"),
    ],
)
def test_the_script_finds_one_wrong_byte(place, file, why):
    path = place / "log" / file
    if file == "checkpoint":
        root = path.read_text("utf-8").split("\n")[2]
        other = base64.b64encode(hashlib.sha256(base64.b64decode(root)).digest()).decode()
        alter(path, root.encode(), other.encode())
    else:
        data = bytearray(path.read_bytes())
        data[40] ^= 1
        path.write_bytes(data)
    assert why in run(place, PYTHON).stderr


def test_the_script_finds_a_log_that_was_rewritten_or_rolled_back(place, key):
    sign_again(place, key, [entry_bytes(n + 1) for n in range(SIZE)])
    assert "the log was rewritten" in run(place, PYTHON).stderr
    sign_again(place, key, [entry_bytes(n) for n in range(OLDER - 1)])
    assert "the log was rolled back" in run(place, PYTHON).stderr


@pytest.mark.parametrize("size", [1, 255, 256, 257, 512])
def test_the_script_reads_logs_of_every_shape(place, key, size):
    sign_again(place, key, [entry_bytes(n) for n in range(size)])
    (place / "kept").write_text(Checkpoint(ORIGIN, 0, hashlib.sha256(b"").digest()).sign([key]))
    assert run(place, PYTHON).stdout == f"{size} entries of {ORIGIN}\n"


@pytest.mark.slow
def test_the_script_reads_the_third_level_of_tiles(place, key):
    size = 256 * 256 + 257
    sign_again(place, key, [b"%d" % n for n in range(size)])
    (place / "kept").write_text((place / "log/checkpoint").read_text("utf-8"))
    assert (place / "log/tile/2/000.p/1").exists()
    assert run(place, PYTHON).stdout == f"{size} entries of {ORIGIN}\n"


class TestGo:
    """Go's own checker of its log of modules, which must be fetched."""

    @pytest.fixture
    def go(self, place):
        init, get, check = GO.splitlines()
        done = run(place, f"{init}\n{get}", GOTOOLCHAIN="local")
        if done.returncode:
            pytest.skip(f"Go cannot fetch golang.org/x/mod here: {done.stderr.strip().splitlines()[-1]}")
        return lambda: run(place, check, GOTOOLCHAIN="local")

    @needs("go")
    @pytest.mark.slow
    def test_it_accepts_the_log_and_finds_what_is_wrong(self, go, place, key):
        done = go()
        assert (done.stdout, done.stderr) == (f"{SIZE} entries\n", "")

        bundle = place / "log/tile/entries/002.p/88"
        whole = bundle.read_bytes()
        bundle.write_bytes(whole.replace(b'"330100-GA"', b'"330100-MZ"', 1))
        assert "entry 512 is not in the log" in go().stderr
        bundle.write_bytes(whole)

        tile = place / "log/tile/0/000"
        whole = tile.read_bytes()
        tile.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        assert go().returncode != 0
        tile.write_bytes(whole)

        checkpoint = place / "log/checkpoint"
        alter(checkpoint, f"\n{SIZE}\n".encode(), f"\n{SIZE - 1}\n".encode())
        assert "invalid signature" in go().stderr

        sign_again(place, key, [entry_bytes(n + 1) for n in range(SIZE)])
        assert "the log was rewritten" in go().stderr
