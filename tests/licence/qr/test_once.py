from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from licence.errors import FormatError, IssueRefusedError
from licence.qr import once
from licence.qr.once import InMemoryOnce, mint, redeem
from tests.licence import world as w

KEY = b"k" * 32
HANDLE = bytes(range(16))
NOW = w.ISSUED
SECOND = timedelta(seconds=1)


@pytest.fixture
def store():
    return InMemoryOnce()


def code_of(store, text, now=NOW, keys=(KEY,)):
    with pytest.raises(FormatError) as caught:
        redeem(store, keys, text, now=now)
    return caught.value.code


def test_a_code_is_redeemed_once(store):
    shown = mint(store, KEY, "L", now=NOW, random=HANDLE)
    assert shown.expires_at == NOW + 60 * SECOND
    held = redeem(store, [KEY], shown.text, now=NOW + 59 * SECOND)
    assert (held.licence, held.spent_at) == ("L", NOW + 59 * SECOND)
    assert code_of(store, shown.text, NOW + 59 * SECOND) == "once_spent"


def test_after_a_minute_it_is_worth_nothing(store):
    shown = mint(store, KEY, "L", now=NOW, random=HANDLE)
    assert code_of(store, shown.text, NOW + 60 * SECOND) == "once_expired"
    assert code_of(store, shown.text, NOW) == "once_spent"


def test_a_clock_set_far_back_redeems_nothing(store):
    shown = mint(store, KEY, "L", now=NOW, random=HANDLE)
    assert code_of(store, shown.text, NOW - 6 * SECOND) == "once_expired"


def test_the_store_knows_no_handle(store):
    shown = mint(store, KEY, "L", now=NOW, random=HANDLE)
    assert HANDLE not in store._held
    assert shown.text not in repr(store._held)
    assert "L" not in shown.text.removeprefix(once.PREFIX)
    assert code_of(store, shown.text, keys=[b"other"]) == "once_unknown"
    assert redeem(store, [b"newer", KEY], shown.text, now=NOW).licence == "L"


def test_randomness_is_fresh_and_whole(store):
    mint(store, KEY, "L", now=NOW, random=HANDLE)
    for random, expected in [(HANDLE, "once_repeated"), (b"short", "once_randomness"), (bytes(17), "once_randomness")]:
        with pytest.raises(IssueRefusedError) as caught:
            mint(store, KEY, "M", now=NOW, random=random)
        assert caught.value.code == expected


@pytest.mark.parametrize(
    "text", ["", "ZT1D:", "ZT1:AB", "ZT1D:AB", "ZT1D:" + "0" * 25, "ZT1D:" + "0" * 21, "ZT1D:" + ":" * 24]
)
def test_other_texts_are_no_codes(store, text):
    assert code_of(store, text) == "once_malformed"


def test_each_bit_of_a_handle_counts(store):
    mint(store, KEY, "L", now=NOW, random=HANDLE)
    for at in range(16):
        other = HANDLE[:at] + bytes([HANDLE[at] ^ 1]) + HANDLE[at + 1 :]
        assert code_of(store, once.PREFIX + once.base45.encode(other)) == "once_unknown"


def test_of_many_who_redeem_at_once_one_succeeds(store):
    text = mint(store, KEY, "L", now=NOW, random=HANDLE).text
    found = []
    gate = threading.Barrier(8)

    def take():
        gate.wait()
        try:
            found.append(redeem(store, [KEY], text, now=NOW).licence)
        except FormatError as fault:
            found.append(fault.code)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["L", *["once_spent"] * 7]


def test_what_ran_out_is_forgotten_later(store):
    text = mint(store, KEY, "L", now=NOW, random=HANDLE).text
    assert store.forget(NOW + 60 * SECOND) == 0
    assert store.forget(NOW + 61 * SECOND) == 1
    assert code_of(store, text) == "once_unknown"
