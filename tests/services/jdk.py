"""A Java development kit for tests, of which `java FILE.java` needs the compiler: version 17 or later.

Installing it is `tests/services/install`. Without it such tests are skipped, and say so;
``ZHENGTONG_REQUIRE_SERVICES=1`` makes that a failure.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from tests.services.postgres import REQUIRED

LEAST = 17


def missing():
    """Why no Java source can be run here, or None."""
    java = shutil.which("java")
    if java is None:
        return "Java is not installed; tests/services/install does it"
    modules = subprocess.run([java, "--list-modules"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"^jdk\.compiler@(\d+)", modules, re.MULTILINE)
    if found is None:
        return "Java has no compiler here; tests/services/install installs one"
    return None if int(found[1]) >= LEAST else f"Java is older than {LEAST}"


def require():
    """End the test that asked for Java where there can be none."""
    why = missing()
    if why is not None:
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(why)
