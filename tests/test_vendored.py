"""What the portal serves beside its pages is what its script makes of the packages that are locked."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "hub" / "portal" / "static"


def test_the_files_are_those_that_are_listed():
    listed = json.loads((STATIC / "VENDOR.json").read_text("utf-8"))["sha256"]
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in STATIC.iterdir()}
    del there["VENDOR.json"]
    assert there == listed


@pytest.mark.parametrize("name", ["portal.css", "portal.js", "early.js", "icon.svg"])
def test_nothing_is_loaded_from_elsewhere(name):
    text = (STATIC / name).read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    for word in ("@import", "url(http", "url(//", "GDS Transport", "crest", "crown"):
        assert word not in text


def test_locked_packages_name_no_registry():
    assert "resolved" not in (ROOT / "hub/portal/assets/package-lock.json").read_text("utf-8")


@pytest.mark.slow
def test_the_script_makes_the_same_bytes():
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed; only whoever changes the portal's looks needs it")
    if subprocess.run(["npm", "ping", "--silent"], capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("npm's registry cannot be reached")
    done = subprocess.run(
        [sys.executable, "scripts/vendor_portal.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
