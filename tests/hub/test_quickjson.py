from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import canonical
from audit.errors import CanonicalError
from hub import quickjson

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


@settings(max_examples=300)
@given(values)
def test_it_writes_what_the_slow_writer_writes(value):
    assert quickjson.encode(value) == canonical.encode(value)


def test_every_character_is_written_alike():
    for number in range(0x110000):
        if not 0xD800 <= number < 0xE000:
            assert quickjson.encode(chr(number)) == canonical.encode(chr(number)), hex(number)


def test_keys_past_the_surrogates_are_sorted_as_utf_16():
    value = {"\ue000": 1, "\U0001f600": 2, "一": 3}
    assert quickjson.encode(value) == canonical.encode(value)


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(CanonicalError):
        quickjson.encode({"a": "\ud800"})


def test_what_is_written_out_already_stands_as_it_is():
    inner = {"name": "𬱖", "b": [1], "a": None}
    for value in (inner, {"name": "x"}):
        raw = quickjson.Raw(quickjson.encode(value))
        assert quickjson.encode({"z": "𬱖", "call": raw}) == canonical.encode({"z": "𬱖", "call": value})
        assert quickjson.encode({"z": 1, "call": raw}) == canonical.encode({"z": 1, "call": value})
