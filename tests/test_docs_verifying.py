"""The page on verifying works as it is written: each way is run against a licence, and against an altered one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from licence.bundle import FORMAT_2
from licence.status.history import to_json
from licence.suites import SM2_SM3
from tests.licence import test_status_history as past
from tests.licence import world as w
from tests.licence.seals import city as c
from tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs" / "verifying.md"
BLOCKS = blocks(PAGE)
COMMAND, OPTIONS, SIGNATURE, FIELDS, SM2, STATUS = (body for info, body in BLOCKS if info == "sh")
NEEDS = shutil.which("openssl") is not None


def filled(folder, value=0):
    world = w.make_world()
    sealed = w.seal(world.agriculture)
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key, value))
    (folder / "one.licence.json").write_text(bundle.to_json(), "utf-8")
    world.trust.save(folder / "trust")
    (folder / "past").mkdir(exist_ok=True)
    (folder / "past" / "20.json").write_text(to_json(w.STATUS_URI, past.make(world)), "utf-8")
    return folder


@pytest.fixture
def folder(tmp_path):
    return filled(tmp_path)


def run(folder, command):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=120)


def alter(folder, old, new):
    path = folder / "one.licence.json"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_both_languages_have_the_same_blocks():
    assert blocks(ROOT / "docs" / "zh" / "verifying.md") == BLOCKS


def test_five_lines_of_python(folder):
    (text,) = [body for info, body in BLOCKS if info == "python"]
    assert len([line for line in text.splitlines() if line.strip()]) == 5
    done = run(folder, [sys.executable, "-W", "error", "-c", text])
    # Its status list is of a day that is long over.
    assert (done.returncode, "INDETERMINATE" in done.stdout) == (0, True), done.stderr


def test_the_command(folder):
    assert run(folder, ["sh", "-ec", COMMAND]).returncode == 11
    assert run(folder, ["sh", "-ec", f"{COMMAND.strip()} --at {w.AT.isoformat()}"]).returncode == 0


def test_as_it_was(folder):
    ask, signing = OPTIONS.strip().splitlines()
    for hours, code in ((0.5, 0), (1.5, 12)):
        at = (w.ISSUED + timedelta(hours=hours)).isoformat()
        asked = ask.replace("2026-07-01T08:00:00+08:00", at)
        assert asked != ask
        assert run(folder, ["sh", "-ec", asked]).returncode == code
    done = run(folder, ["sh", "-ec", signing.replace("copy.pdf", "one.licence.json")])
    assert (done.returncode, "2025-03-01T08:00:00+00:00" in done.stderr) == (0, True), done.stdout


@pytest.mark.parametrize("value", [0, 1, 2])
def test_the_status_by_hand(tmp_path, value):
    folder = filled(tmp_path, value)
    assert run(folder, ["sh", "-ec", STATUS]).stdout == f"status {value}\n"
    text = (folder / "one.licence.json").read_text("utf-8")
    token = text.split('"token": "')[1].split('"')[0]
    other = w.status_token(w.make_world().status_key, uri="https://other.example/1")
    alter(folder, token, other)
    assert run(folder, ["sh", "-ec", STATUS]).returncode != 0


def test_the_bundle_it_names_is_the_one_there_is():
    for page in (PAGE, ROOT / "docs" / "zh" / "verifying.md"):
        assert f"`{FORMAT_2}`" in page.read_text("utf-8")


@pytest.fixture
def by_hand():
    if not NEEDS:
        if os.environ.get("ZHENGTONG_REQUIRE_SERVICES") == "1":
            pytest.fail("openssl is missing")
        pytest.skip("openssl is missing")
    return f"{SIGNATURE}\n{FIELDS}"


def test_by_hand(folder, by_hand):
    done = run(folder, ["sh", "-ec", by_hand])
    assert done.returncode == 0, done.stderr
    assert "Verified OK" in done.stdout
    assert "certificate-1.pem: OK" in done.stdout
    assert done.stdout.count("signed: ") >= 3


def test_sm2_by_hand(by_hand, tmp_path, monkeypatch):
    monkeypatch.setattr(w, "private_key", lambda label: c.private_key(label, SM2_SM3))
    folder = filled(tmp_path)
    *before, _, _ = SIGNATURE.strip().splitlines()
    script = "\n".join([*before, SM2, FIELDS])
    done = run(folder, ["sh", "-ec", script])
    assert done.returncode == 0, done.stderr
    assert "Verified OK" in done.stdout
    assert done.stdout.count(".pem: OK") == done.stdout.count("certificate-") >= 2
    assert done.stdout.count("signed: ") >= 3
    assert run(folder, ["sh", "-ec", script.replace("12345678 -verify", "12345679 -verify")]).returncode != 0


def test_by_hand_what_was_altered_is_found(folder, by_hand):
    text = (folder / "one.licence.json").read_text("utf-8")
    credential = text.split('"credential": "')[1].split('"')[0]
    jwt, first, *_ = credential.split("~")
    alter(folder, f"~{first}~", f"~{first[:-2]}{'A' if first[-2] != 'A' else 'B'}{first[-1]}~")
    assert "NOT SIGNED" in run(folder, ["sh", "-ec", by_hand]).stdout
    payload = jwt.split(".")[1]
    spoilt = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    alter(folder, payload, spoilt)
    assert run(folder, ["sh", "-ec", by_hand]).returncode != 0
