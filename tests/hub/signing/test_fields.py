"""Structured fields: what is written can be read, and what is not one is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.signing.errors import FieldMalformedError
from hub.signing.fields import (
    InnerList,
    Item,
    Token,
    parse_dictionary,
    parse_inner_lists,
    parse_signatures,
    write,
    write_dictionary,
)

KEYS = st.from_regex(r"[a-z*][a-z0-9_.*-]{0,8}", fullmatch=True)
BARE = st.one_of(
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.booleans(),
    st.binary(max_size=40),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    st.from_regex(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]{0,8}", fullmatch=True).map(Token),
)
PARAMETERS = st.dictionaries(KEYS, BARE, max_size=4)
ITEMS = st.builds(Item, BARE, PARAMETERS)
LISTS = st.builds(
    lambda items, parameters: InnerList(tuple(items), parameters), st.lists(ITEMS, max_size=4), PARAMETERS
)


@given(st.dictionaries(KEYS, st.one_of(ITEMS, LISTS), max_size=5))
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read_as_it_was(members):
    text = write_dictionary(members)
    found = parse_dictionary(text)
    assert found == members
    assert write_dictionary(found) == text
    for member in found.values():
        if isinstance(member, InnerList):
            assert member.text == write(member)


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(text):
    try:
        found = parse_dictionary(text)
    except FieldMalformedError:
        return
    assert parse_dictionary(write_dictionary(found)) == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("a=1", {"a": Item(1)}),
        ("a", {"a": Item(True)}),
        ("a;x=?0, b=?0", {"a": Item(True, {"x": False}), "b": Item(False)}),
        ("a=1 ,\tb=tok:/en", {"a": Item(1), "b": Item(Token("tok:/en"))}),
        ('a="q\\"\\\\"', {"a": Item('q"\\')}),
        ("a=::", {"a": Item(b"")}),
        ("a=(  1   2 );x", {"a": InnerList((Item(1), Item(2)), {"x": True})}),
        ("a=();  x=1", {"a": InnerList((), {"x": 1})}),
        ("a=-999999999999999", {"a": Item(-999999999999999)}),
    ],
)
def test_spellings_that_there_are(text, expected):
    assert parse_dictionary(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "A=1", "a=", "a=1,", ",", "a=1 b=2", "a=1,,b=2", "a=1, a=2", "a;x;x", "a=1.5", "a=1000000000000000", "a=-",
        "a=--1",
        'a="', 'a="\\x"', 'a="\x7f"', 'a="é"', "a=:x:", "a=:YQ:", "a=:YR==:", "a=:YQ==", "a=?2", "a=@1", "a=(1",
        "a=(1,2)",
        "a=(1)2", "a=((1))", 'a=("x""y")', "a=1;", "a=1;X", "a=1;;x", "a =1", "\na=1", "a=1\n", 'a=%"x"',
        "a=1" + " " * 9000, ",".join(f"k{n}=1" for n in range(17)), f"a=({' '.join('1' for _ in range(65))})",
    ],
)  # fmt: skip
def test_what_is_none_is_refused(text):
    with pytest.raises(FieldMalformedError) as caught:
        parse_dictionary(text)
    assert "RFC 9651" in caught.value.text("en")


@pytest.mark.parametrize("value", ["é", "\n", Token("1a"), Token(""), 10**15])
def test_what_has_no_spelling_is_not_written(value):
    with pytest.raises(FieldMalformedError):
        write(Item(value))
    with pytest.raises(FieldMalformedError):
        write(Item(1, {"X": 1}))


NAMED = st.from_regex(r'"[@a-zA-Z0-9;_-]{0,6}"', fullmatch=True)
SAID = st.from_regex(r';[a-zA]{1,3}=("[ -~]{0,6}"|[0-9]{1,17}|\?1|:YQ==:)?', fullmatch=True)


@given(st.lists(NAMED, max_size=4), st.lists(SAID, max_size=4), st.sampled_from([" ", "  ", ""]))
@settings(max_examples=300, deadline=None)
def test_the_quick_way_reads_what_the_long_way_reads(names, said, between):
    text = f"call=({between.join(names)}){''.join(said)}"
    try:
        expected = parse_dictionary(text)
    except FieldMalformedError:
        with pytest.raises(FieldMalformedError):
            parse_inner_lists(text)
        return
    found = parse_inner_lists(text)
    assert found == expected
    assert found["call"].text == expected["call"].text


@given(st.binary(min_size=62, max_size=66), st.integers(0, 90), st.sampled_from("ABQgw=:+ "))
@settings(max_examples=300, deadline=None)
def test_a_signature_is_read_as_any_bytes_are(value, at, other):
    text = write_dictionary({"call": Item(value)})
    for one in (text, text[:at] + other + text[at + 1 :]):
        try:
            expected = parse_dictionary(one)
        except FieldMalformedError:
            with pytest.raises(FieldMalformedError):
                parse_signatures(one)
        else:
            assert parse_signatures(one) == expected


def test_more_than_is_read_is_refused_by_either_way():
    names = " ".join(f'"a{n}"' for n in range(65))
    for text in (f"c=({names})", f'c=("a"){"".join(f";p{chr(97 + n)}=1" for n in range(17))}', f'c=("{"a" * 9000}")'):
        with pytest.raises(FieldMalformedError):
            parse_inner_lists(text)
