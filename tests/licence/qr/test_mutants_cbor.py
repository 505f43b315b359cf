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


SPELLED = [
    (0, "00"), (23, "17"), (24, "1818"), (255, "18ff"), (256, "190100"), (65535, "19ffff"), (65536, "1a00010000"),
    (2**32 - 1, "1affffffff"), (2**32, "1b0000000100000000"), (2**64 - 1, "1bffffffffffffffff"),
    (-1, "20"), (-24, "37"), (-25, "3818"), (-256, "38ff"), (-257, "390100"), (-(2**64), "3bffffffffffffffff"),
    (b"", "40"), (b"\1\2", "420102"), (b"x" * 24, "5818" + "78" * 24), ("", "60"), ("ü", "62c3bc"),
    ("a" * 255, "78ff" + "61" * 255), ((), "80"), ((1, (2, b"")), "82018202" + "40"), ({}, "a0"),
    ({1: 2, -1: "a", b"k": (), "k": {}}, "a401022061614" + "16b80616ba0"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), SPELLED)
def test_each_value_has_one_spelling(value, text):
    data = bytes.fromhex(text)
    assert cbor.encode(value) == data
    assert cbor.decode(data, max_bytes=len(data)) == value
    assert type(cbor.decode(data, max_bytes=len(data))) is type(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0000", "trailing bytes"),
        ("", "ends early"),
        ("18", "ends early"),
        ("1901", "ends early"),
        ("420a", "ends early"),
        ("8101" + "00", "trailing bytes"),
        ("1817", "longer than needed"),
        ("1900ff", "longer than needed"),
        ("1a0000ffff", "longer than needed"),
        ("1b00000000ffffffff", "longer than needed"),
        ("5801" + "00", "longer than needed"),
        ("1d", "indefinite or reserved length"),
        ("1f", "indefinite or reserved length"),
        ("5f", "indefinite or reserved length"),
        ("a100", "length"),
        ("a101", "length"),
        ("8200", "length"),
        ("e0", "type"),
        ("f6", "length"),
        ("a1810001", "nesting"),
        ("a1a000", "map keys"),
        ("a201020002", "map keys"),
        ("a2616101" + "0101", "map keys"),
    ],
)
def test_other_spellings_are_told_by_what_is_wrong(text, problem):
    data = bytes.fromhex(text)
    with pytest.raises(FormatError) as caught:
        cbor.decode(data, max_bytes=len(data))
    assert caught.value.code == "cbor_invalid"
    assert caught.value.finding_params == {"problem": problem}


def test_how_many_bytes_are_allowed_is_told():
    assert cbor.decode(b"\x41x", max_bytes=2) == b"x"
    with pytest.raises(FormatError) as caught:
        cbor.decode(b"\x41x", max_bytes=1)
    assert caught.value.finding_params == {"what": "CBOR", "limit": "1"}


@pytest.mark.parametrize(
    "value", [True, False, None, 1.0, {1}, [True], {True: 1}, {1: None}, {(1,): 1}, 1 << 64, -(1 << 64) - 1]
)
def test_what_has_no_spelling_is_the_programs_error(value):
    with pytest.raises(ValueError, match=r"CBOR|64 bits"):
        cbor.encode(value)


def test_a_list_is_written_as_a_tuple_is():
    assert cbor.encode([1, [2]]) == cbor.encode((1, (2,)))


def test_values_are_written_eight_deep():
    deep = 0
    for _ in range(7):
        deep = [deep]
    assert cbor.encode(deep) == b"\x81" * 7 + b"\0"
    with pytest.raises(ValueError, match="CBOR"):
        cbor.encode([deep])
