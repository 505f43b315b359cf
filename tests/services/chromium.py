"""A real browser for tests: the system's Chromium, driven by Playwright.

Installing it is `tests/services/install`. Without it such tests are skipped, and say so;
``ZHENGTONG_REQUIRE_SERVICES=1`` makes that a failure.
"""

from __future__ import annotations

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

from tests.services.postgres import REQUIRED

# In a container there may be no room for a sandbox of its own; what is loaded is the pages of the tests alone.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"]


def program():
    """The browser, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def chromium():
    """A browser for the tests of a module."""
    path = program()
    if path is None:
        why = "Chromium is not installed; tests/services/install does it"
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(why)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
