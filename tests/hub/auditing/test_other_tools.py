"""The paper on the log's format tells how to check a pack without us; its own lines are run here, as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit.entry import Entry
from audit.searching import Query
from hub.packing import pack

PAPER = Path(__file__).parents[3] / "docs" / "log-format.md"
SECTION = PAPER.read_text("utf-8").split("\n## Check it with other people's tools\n")[1].split("\n## ")[0]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
SUMS, SIGNATURE, PROOF, BODY = [body for info, body in BLOCKS if info == "sh"]
(SCRIPT,) = [body for info, body in BLOCKS if info == "python"]


def needs(*tools):
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed here")


@pytest.fixture
def place(service, world, desk, calls, tmp_path):
    """A machine with a pack and the log's key; gives its folder and the number of the entry."""
    index = calls()
    keys = {"log": service.evidence.verifier.to_text()}
    data = pack(desk(), world.settings, [index], query=Query(), keys=keys)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "PACK.zip").write_bytes(data)
    (folder / "proof.py").write_text(SCRIPT)
    shutil.copy(world.settings.public / "log.vkey", folder / "log.vkey")
    shutil.unpack_archive(folder / "PACK.zip", folder / "pack")
    return folder, index


def run(place, text):
    folder, index = place
    text = text.replace("N.json", f"{index}.json").replace("N.proof", f"{index}.proof")
    text = text.replace("python3 ", f"{sys.executable} ")
    return subprocess.run(["sh", "-ec", text], cwd=folder, capture_output=True, text=True, check=False)


def alter(place, name, old, new):
    path = place[0] / "pack" / name.replace("N.", f"{place[1]}.")
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


@needs("unzip", "sha256sum")
def test_the_sums(place):
    shutil.rmtree(place[0] / "pack")
    assert run(place, SUMS).returncode == 0
    alter(place, "summary.html", b"<h1>", b"<h2>")
    assert run(place, SUMS.replace("unzip", ": unzip")).returncode == 1


@needs("openssl", "base64")
def test_the_signature(place):
    assert "Verified Successfully" in run(place, SIGNATURE).stdout
    alter(place, "checkpoint", b".local", b".lokal")
    assert run(place, SIGNATURE).returncode != 0


def test_the_proof_in_so_many_lines_of_python(place):
    assert len(SCRIPT.splitlines()) <= 40
    assert re.findall(r"^(?:import|from) (\w+)", SCRIPT, re.MULTILINE) == ["base64", "hashlib", "sys"]
    assert run(place, PROOF).stdout == "in zhengtong.local/log\n"
    alter(place, "entries/N.json", b'"RS"', b'"MZ"')
    assert "the entry is not in the log" in run(place, PROOF).stderr


@needs("sha256sum", "xxd")
def test_the_body(place):
    entry = Entry.decode((place[0] / f"pack/entries/{place[1]}.json").read_bytes())
    assert run(place, BODY).stdout.split()[0] == entry.body_digest.removeprefix("sha256:")
    alter(place, "bodies/N.json", b'"action":"query"', b'"action":"qu3ry"')
    assert run(place, BODY).stdout.split()[0] != entry.body_digest.removeprefix("sha256:")
