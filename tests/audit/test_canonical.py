from __future__ import annotations

import json
import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import MAX_INTEGER, digest, encode, encode_json
from audit.errors import CanonicalError

# RFC 8785 Appendix B: IEEE 754 bits of a double, and its form.
APPENDIX_B = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "form"), APPENDIX_B)
def test_numbers_of_appendix_b(bits, form):
    assert encode(struct.unpack(">d", bytes.fromhex(bits))[0]) == form.encode()


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_nan_and_infinity_are_refused(bits):
    with pytest.raises(CanonicalError):
        encode({"x": [struct.unpack(">d", bytes.fromhex(bits))[0]]})


def test_the_example_of_section_3_2_2():
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert encode(value) == expected.encode()


def test_the_sorting_of_section_3_2_3():
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(encode(value)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


@pytest.mark.parametrize(
    "value",
    [
        MAX_INTEGER + 1,
        -MAX_INTEGER - 1,
        "\ud800",
        {"\udc00": 1},
        {1: "x"},
        b"bytes",
        datetime(2026, 1, 1, tzinfo=UTC),
        {"a": {"b": [object()]}},
    ],
)
def test_what_has_no_form_is_refused(value):
    with pytest.raises(CanonicalError) as caught:
        encode(value)
    assert caught.value.text("zh") != caught.value.text("en")


def test_the_refusal_says_where():
    with pytest.raises(CanonicalError, match="/a/b/1"):
        encode({"a": {"b": [0, float("nan")]}})


def test_deep_nesting_is_refused_not_a_crash():
    value: object = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(CanonicalError):
        encode(value)


def test_the_largest_integer_is_kept():
    assert encode([MAX_INTEGER, -MAX_INTEGER]) == b"[9007199254740992,-9007199254740992]"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_it_reads_back_equal_and_encodes_again_the_same(value):
    data = encode(value)
    # An integral double beyond 2^53 has an integer's form; read as the double it was.
    parsed = json.loads(data, parse_int=float)
    assert parsed == value
    assert encode(parsed) == data


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_reads_back(value):
    assert float(encode(value)) == value


def test_digest_is_of_the_canonical_form():
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1.0})
    assert digest({}).startswith("sha256:44136fa355b3678a")


@given(json_values)
def test_the_quick_writer_writes_the_same(value):
    assert encode_json(value) == encode(value)


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        -0.0,
        1e22,
        [1e-7],
        {"a": 2**53},
        "1.5",
        ":1234567890123456",
        {"\ue000": 1, "\U0001f600": 2},
        "\x00\x1f\x7f\u2028",
    ],
)
def test_the_quick_writer_knows_what_it_does_not_know(value):
    assert encode_json(value) == encode(value)


@pytest.mark.parametrize(
    "value", [2**53 + 1, -(2**60), float("nan"), [float("inf")], "\ud800", {"a": b""}, {"a": {1, 2}}]
)
def test_the_quick_writer_refuses_the_same(value):
    with pytest.raises(CanonicalError):
        encode_json(value)


def test_the_quick_writer_refuses_deep_nesting():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(CanonicalError):
        encode_json(deep)
