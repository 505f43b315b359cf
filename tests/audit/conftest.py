"""A signing key, a log made of the entries asked for, and a copy of a folder to damage."""

from __future__ import annotations

import hashlib
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from audit.entry import Entry
from audit.log import Log
from audit.notes import SignerKey

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN = "log.city.example/audit"


def entry_bytes(number: int, kind: str = "invocation.answered") -> bytes:
    return Entry(
        kind=kind,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        actor="330100-GA",
        subject=hashlib.sha256(number.to_bytes(8, "big")).hexdigest(),
        resource="R1",
        purpose="M1",
        facts={"number": number},
    ).encode()


@pytest.fixture
def tmp_path(tmp_path) -> Iterator[Path]:
    """In memory where there is such a folder: these tests kill processes, not the power, and sync very often."""
    shared = Path("/dev/shm")  # noqa: S108 - the folder made in it has a name of its own
    if not os.access(shared, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared, prefix="zhengtong-audit-") as folder:
        yield Path(folder)


@pytest.fixture
def key() -> SignerKey:
    return SignerKey(ORIGIN, hashlib.sha256(b"a key for tests").digest())


@pytest.fixture
def log(tmp_path, key):
    with Log.create(tmp_path / "log", ORIGIN, key) as made:
        yield made
