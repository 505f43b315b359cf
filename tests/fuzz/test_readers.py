"""A short round of `bench/fuzz.py`: readers of strangers' bytes refuse them as they document, or take what is good."""

from __future__ import annotations

import json

import pytest

from bench import fuzz
from bench.fuzz import Target, run, targets

EXAMPLES = 25


@pytest.mark.parametrize("name", targets())
def test_only_documented_errors_leave_a_reader(name):
    run(targets()[name], EXAMPLES)


@pytest.mark.parametrize("name", targets())
def test_it_takes_what_is_good(name):
    target = targets()[name]
    assert target(target.samples[0])


@pytest.mark.parametrize("name", [name for name, one in targets().items() if one.whole])
def test_no_changed_byte_is_taken(name):
    target = targets()[name]
    good = target.samples[0]
    for at in range(0, len(good), 1 + len(good) // 400):
        for bit in (1, 0x20, 0x80):
            # Taken it may be only if it says the very same, which the target sees to.
            target(good[:at] + bytes([good[at] ^ bit]) + good[at + 1 :])


def test_a_reader_that_breaks_its_promise_is_found(capsys, monkeypatch):
    def read(data):
        if b"\xff" in data:
            raise KeyError(data)

    broken = Target("broken", read, (ValueError,), (b"good",))
    with pytest.raises(KeyError) as caught:
        run(broken, 2_000)
    assert "broken was fed" in caught.value.__notes__[0]
    monkeypatch.setattr(fuzz, "targets", lambda: {"broken": broken})
    assert fuzz.main(["--minutes", "0.1", "--seed", "1"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert "broken: KeyError" in said[1]
    assert json.loads(said[-1])["broken"] == ["broken"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        # Each was let through, or let another error through, when it was found.
        ("verify_answer", lambda good: good.replace(b"Q==:\n", b"R==:\n")),
        ("receipt", lambda good: good.replace(b'"log":"', b'"log":"\\ud800')),
    ],
)
def test_what_was_found_once_is_refused(name, data):
    target = targets()[name]
    changed = data(target.samples[0])
    assert changed != target.samples[0]
    assert not target(changed)
