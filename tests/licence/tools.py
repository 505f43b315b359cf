"""The openssl command line as a peer of tests: skipped by name where it is missing, demanded where services are."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None and os.environ.get("ZHENGTONG_REQUIRE_SERVICES") != "1",
    reason="the openssl command line is not installed",
)


def openssl(folder, *arguments):
    """What it prints; raises when it does not end well."""
    done = subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    return done.stdout
