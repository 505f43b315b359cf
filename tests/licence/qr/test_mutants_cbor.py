"""CBOR where a check stands alone: what is refused for which reason, and the values next to each limit."""

from __future__ import annotations

import pytest

from licence.errors import FormatError
from licence.qr import cbor


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("62c328", "text is not UTF-8"),
        ("9bffffffffffffffff", "length"),
        ("82", "length"),
        ("a301020304", "length"),
        ("c0", "type"),
        ("1c", "indefinite or reserved length"),
        ("a201020103", "map keys"),
    ],
)
def test_what_is_wrong_is_said(text, problem):
    with pytest.raises(FormatError) as caught:
        cbor.decode(bytes.fromhex(text), max_bytes=100)
    assert caught.value.finding_params["problem"] == problem


def test_more_bytes_than_allowed_are_not_read():
    with pytest.raises(FormatError) as caught:
        cbor.decode(bytes(11), max_bytes=10)
    assert caught.value.code == "too_large"


def test_members_may_stand_in_any_order_where_the_caller_says_so_but_not_twice():
    assert cbor.decode(bytes.fromhex("a202010102"), max_bytes=100, ordered=False) == {2: 1, 1: 2}
    with pytest.raises(FormatError):
        cbor.decode(bytes.fromhex("a201020103"), max_bytes=100, ordered=False)


@pytest.mark.parametrize(
    ("value", "text"), [(255, "18ff"), (256, "190100"), (1 << 16, "1a00010000"), (1 << 32, "1b0000000100000000")]
)
def test_a_head_is_as_short_as_its_number_allows(value, text):
    assert cbor.encode(value).hex() == text


def test_values_are_nested_eight_deep_and_no_deeper():
    for head in (b"\x81", b"\xa1\x01"):
        data = head * 7 + b"\0"
        assert cbor.encode(cbor.decode(data, max_bytes=100)) == data
        with pytest.raises(FormatError):
            cbor.decode(head + data, max_bytes=100)
    deep = 0
    for _ in range(8):
        deep = {1: deep}
    with pytest.raises(ValueError, match="CBOR"):
        cbor.encode(deep)
