"""The promises of `WalletStore`, kept by the one in memory and by the control database, in one process and in two."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hub.control import WalletCodeRow
from hub.wallets.store import ControlWalletStore
from licence.wallet.store import Access, Code, InMemoryWalletStore

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LATER = NOW + timedelta(minutes=10)
A, B = b"a" * 32, b"b" * 32
CODE = Code("dossier 7", ("K1", "K2"), LATER, b"t" * 32)
ACCESS = Access("dossier 7", ("K1", "K2"), LATER)
KEY = b"k" * 32


class Promises:
    """What every `WalletStore` keeps."""

    def test_nothing_is_replaced(self, store):
        assert store.put_code(A, CODE)
        assert not store.put_code(A, replace(CODE, subject="other"))
        assert store.try_code(A) == CODE
        assert store.put_access(A, ACCESS)
        assert not store.put_access(A, replace(ACCESS, subject="other"))
        assert store.access(A) == ACCESS
        assert store.put_nonce(A, LATER)
        assert not store.put_nonce(A, LATER)

    def test_what_is_not_there_is_not_found(self, store):
        assert store.try_code(A) is None
        assert store.access(A) is None
        assert not store.spend_code(A)
        assert not store.deliver(A, "K1")
        assert not store.spend_nonce(A, NOW)

    def test_every_try_is_counted(self, store):
        store.put_code(A, CODE)
        assert [store.try_code(A).tries for _ in range(3)] == [0, 1, 2]

    def test_things_are_spent_once(self, store):
        store.put_code(A, CODE)
        store.put_access(A, ACCESS)
        store.put_nonce(A, LATER)
        assert [store.spend_code(A) for _ in range(2)] == [True, False]
        assert store.try_code(A).spent
        assert [store.deliver(A, "K1") for _ in range(2)] == [True, False]
        assert store.deliver(A, "K2")
        assert [store.spend_nonce(A, NOW) for _ in range(2)] == [True, False]

    def test_a_nonce_runs_out(self, store):
        store.put_nonce(A, LATER)
        assert not store.spend_nonce(A, LATER)

    def test_of_many_at_once_one_spends(self, store):
        store.put_code(A, CODE)
        store.put_access(A, ACCESS)
        store.put_nonce(A, LATER)
        with ThreadPoolExecutor(4) as pool:
            for spend in (
                lambda _: store.spend_code(A),
                lambda _: store.deliver(A, "K"),
                lambda _: store.spend_nonce(A, NOW),
            ):
                assert sum(pool.map(spend, range(8))) == 1
            tries = list(pool.map(lambda _: store.try_code(A).tries, range(8)))
        assert sorted(tries) == list(range(8))

    def test_forgetting(self, store):
        for digest, ends in ((A, NOW), (B, LATER)):
            store.put_code(digest, replace(CODE, expires_at=ends))
            store.put_access(digest, replace(ACCESS, expires_at=ends))
            store.put_nonce(digest, ends)
            store.deliver(digest, "K1")
        assert store.forget(NOW) == 0
        assert store.forget(NOW + timedelta(seconds=1)) == 3
        assert store.access(A) is None
        assert store.access(B) == replace(ACCESS, expires_at=LATER)
        assert not store.deliver(B, "K1")


class TestInMemory(Promises):
    @pytest.fixture
    def store(self):
        return InMemoryWalletStore()


class TestInTheControlDatabase(Promises):
    @pytest.fixture
    def store(self, control):
        return ControlWalletStore(control, KEY)


SPEND = """
import sys
from dataclasses import replace
from datetime import datetime
from hub.control import Control
from hub.settings import Settings
from hub.wallets.store import ControlWalletStore
from pathlib import Path
home, url, what = sys.argv[1:]
settings = replace(Settings.at(Path(home)), control_url=url)
store = ControlWalletStore(Control.attach(settings), b"k" * 32)
at = datetime.fromisoformat("2026-03-02T00:00:00+00:00")
digest = b"a" * 32
print({"code": lambda: store.spend_code(digest), "nonce": lambda: store.spend_nonce(digest, at),
       "deliver": lambda: store.deliver(digest, "K1")}[what]())
"""


@pytest.mark.parametrize("what", ["code", "nonce", "deliver"])
def test_of_two_processes_one_spends(settings, control, what):
    store = ControlWalletStore(control, KEY)
    store.put_code(A, CODE)
    store.put_access(A, ACCESS)
    store.put_nonce(A, LATER)
    command = [sys.executable, "-c", SPEND, str(settings.home), settings.control_url, what]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(one.communicate(timeout=120)[0].strip() for one in running) == ["False", "True"]


def test_the_tables_hold_keyed_digests_alone(control):
    ControlWalletStore(control, KEY).put_code(A, CODE)
    with control.reading() as connection:
        kept = str(connection.execute(sa.select(WalletCodeRow.__table__)).all())
    assert A.hex() not in kept
    assert ControlWalletStore(control, b"other" * 8).try_code(A) is None
