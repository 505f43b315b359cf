"""What is read without the general parser is read as that reads it, and nothing else is taken."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.errors import ProofInvalidError
from audit.proof import LogProof
from licence import jose
from licence.credential import Disclosure
from licence.errors import FormatError

SALT = "A" * 22
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,10}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def disclosed(data):
    return Disclosure.parse(jose.b64url(data))


@given(name=names, value=texts | st.booleans(), escaped=st.booleans(), spaced=st.booleans())
def test_a_disclosure_says_what_its_json_says(name, value, escaped, spaced):
    text = json.dumps([SALT, name, value], ensure_ascii=escaped, separators=(", " if spaced else ",", ":"))
    if name in {"iss", "jti", "iat", "nbf", "vct", "status", "exp", "cnf"}:
        with pytest.raises(FormatError):
            disclosed(text.encode())
        return
    found = disclosed(text.encode())
    assert (found.name, found.value) == (name, value)


@given(st.lists(st.tuples(names, texts | st.booleans(), st.booleans()), max_size=5))
def test_several_disclosures_are_read_as_each_of_them(made):
    encoded = [
        jose.b64url(json.dumps([SALT, name, value], ensure_ascii=escaped).encode()) for name, value, escaped in made
    ]
    try:
        one_by_one = tuple(Disclosure.parse(one) for one in encoded)
    except FormatError:
        with pytest.raises(FormatError):
            Disclosure.parse_each(encoded)
        return
    assert Disclosure.parse_each(encoded) == one_by_one


@pytest.mark.parametrize(
    "parts",
    [
        ("{a}\n{b}",),
        ("{a}\n{b}", ""),
        ("", "{a}\n{b}"),
        ("{a}\n",),
        ("\n{a}",),
        ("{a}", "{b}\n"),
        ("{a}\n{b}", "{a}", "{b}\n{a}"),
        ("{a}\nx\n",),
        ("{a}\n\nx",),
        ("{a} ", "{b}"),
        ("{a}", "x{b}"),
    ],
)
def test_no_end_of_a_line_makes_two_disclosures_of_one(parts):
    known = {"a": f'["{SALT}","one","1"]', "b": f'["{SALT}","two","2"]'}
    encoded = [jose.b64url(part.format(**known).encode()) for part in parts]
    if any(part.strip("\n ") not in {"{a}", "{b}"} for part in parts):
        with pytest.raises(FormatError):
            Disclosure.parse_each(encoded)
    else:
        # White space around a value is JSON's own affair.
        assert Disclosure.parse_each(encoded) == tuple(map(Disclosure.parse, encoded))


@given(st.binary(max_size=12), st.integers(0, 60))
def test_no_bytes_are_taken_that_are_no_json(piece, at):
    good = f'["{SALT}","name","张三"]'.encode()
    data = good[:at] + piece + good[at:]
    try:
        parts = json.loads(data.decode("utf-8"))
    except ValueError:
        with pytest.raises(FormatError):
            disclosed(data)
        return
    try:
        found = disclosed(data)
    except FormatError:
        return
    assert parts[1:] == [found.name, found.value]


@pytest.mark.parametrize(
    "data",
    [
        f'["{SALT}","name","a\x1fb"]'.encode(),
        f'["{SALT}","name","a"b"]'.encode(),
        f'["{SALT}","name","a\\"]'.encode(),
        f'["{SALT}","name","'.encode() + b'\xff"]',
        f'["{SALT}","name","'.encode() + b'\xed\xa0\x80"]',
        f'["{SALT[1:]}","name","a"]'.encode(),
        f'["{SALT}","1name","a"]'.encode(),
        f'["{SALT}","name","a"]\n'.encode() + b"x",
    ],
)
def test_what_is_no_disclosure_is_refused(data):
    with pytest.raises(FormatError):
        disclosed(data)


def nested(depth):
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("long", ["", "x" * 5000, "张" * 5000], ids=["short", "long", "long and wide"])
@pytest.mark.parametrize("escape", ['"\ud800"', r'"\ud800"', r'{"\udfff":1}', '{"\udfff":1}'], ids=ascii)
def test_a_lone_surrogate_is_refused_in_a_text_of_any_length(long, escape):
    with pytest.raises(FormatError, match="JSON"):
        jose.strict_json(f'["{long}",{escape}]', "it")


@pytest.mark.parametrize("long", ["", "x" * 5000, "张" * 5000], ids=["short", "long", "long and wide"])
def test_nesting_is_bounded_in_a_text_of_any_length(long):
    assert jose.strict_json(f'["{long}",{nested(15)}]', "it")
    with pytest.raises(FormatError):
        jose.strict_json(f'["{long}",{nested(16)}]', "it")


HASH = base64.b64encode(bytes(range(32))).decode()
PROOF = f"c2sp.org/tlog-proof@v1\nindex 5\n{HASH}\n{HASH}\n\nnote\n"


@given(st.integers(0, len(PROOF)), st.text("ABw048=\n extra+/-_", max_size=3), st.integers(0, 3))
def test_a_proof_is_taken_in_its_one_form(at, piece, cut):
    """But for an `extra` line, which the caller refuses, whatever is taken is written again as it was."""
    text = PROOF[:at] + piece + PROOF[at + cut :]
    try:
        found = LogProof.from_text(text)
    except ProofInvalidError:
        return
    assert "\nextra " in text or found.to_text() == text


@pytest.mark.parametrize("hashes", [HASH + HASH, HASH[:-2] + "9=", HASH[:-1], f"{HASH} ", f"{HASH}\r"])
def test_a_path_of_another_form_is_refused(hashes):
    with pytest.raises(ProofInvalidError):
        LogProof.from_text(f"c2sp.org/tlog-proof@v1\nindex 5\n{hashes}\n\nnote\n")


def test_a_path_may_be_empty():
    assert LogProof.from_text("c2sp.org/tlog-proof@v1\nindex 0\n\nnote\n").path == ()
