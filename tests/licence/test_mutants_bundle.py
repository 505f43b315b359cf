"""A bundle at the limits of its form, and each of its parts read back."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from licence.bundle import SUFFIX, LicenceBundle
from licence.errors import FormatError
from licence.second import SecondSignature

MIB = 1024 * 1024
BARE = LicenceBundle("1.2.3", "凭~", (b"leaf", b"above"), "日志".encode(), "proof")
STATUS = {"status_token": "a.b.c", "status_entry": "状态".encode(), "status_proof": "other proof"}
ADDED = {
    "crls": (b"list", b"another"),
    "timestamp": b"token",
    "documents": {"pdf": b"%PDF", "ofd": b"PK"},
    "second": SecondSignature("ml-dsa-65", "0" * 64, b"signature"),
}


def b64(data):
    return base64.b64encode(data).decode()


def plain(bundle=BARE):
    return json.loads(bundle.to_json())


def refused(document):
    text = document if isinstance(document, str | bytes) else json.dumps(document)
    with pytest.raises(FormatError) as caught:
        LicenceBundle.from_json(text)
    return caught.value


def form_of(document):
    """That it is refused for its form, and not by chance."""
    return refused(document).code == "bundle_unknown_format"


def read(document):
    return LicenceBundle.from_json(json.dumps(document))


def test_the_text_of_the_first_format_is_this():
    assert SUFFIX == ".licence.json"
    whole = replace(BARE, chain=(b"leaf",), **STATUS)
    assert whole.to_json() == (
        '{\n "format": "zhengtong-licence-bundle/1",\n "identifier": "1.2.3",\n "credential": "凭~",\n'
        ' "chain": [\n  "bGVhZg=="\n ],\n "log": {\n  "entry": "日志",\n  "proof": "proof"\n },\n'
        ' "status": {\n  "token": "a.b.c",\n  "entry": "状态",\n  "proof": "other proof"\n }\n}\n'
    )


def test_the_text_of_the_second_format_is_this():
    added = plain(replace(BARE, **ADDED))
    assert list(added.items())[5:] == [
        ("crls", ["bGlzdA==", "YW5vdGhlcg=="]),
        ("timestamp", "dG9rZW4="),
        ("documents", {"ofd": "UEs=", "pdf": "JVBERg=="}),
        ("second", {"suite": "ml-dsa-65", "key": "0" * 64, "signature": "c2lnbmF0dXJl"}),
    ]
    assert added["format"] == "zhengtong-licence-bundle/2"
    assert list(added["documents"]) == ["ofd", "pdf"]


@pytest.mark.parametrize("names", [(), ("status_token",), ("status_token", "status_entry"), tuple(STATUS)])
@pytest.mark.parametrize("added", [(), *((name,) for name in ADDED), tuple(ADDED)])
def test_each_part_reads_back_and_what_is_not_there_is_none(names, added):
    bundle = replace(BARE, **{n: STATUS[n] for n in names}, **{n: ADDED[n] for n in added})
    assert LicenceBundle.from_json(bundle.to_json()) == bundle
    assert LicenceBundle.from_json(bundle.to_json().encode()) == bundle


def test_each_member_that_is_required_is():
    for name in ("format", "identifier", "credential", "chain", "log"):
        assert form_of({k: v for k, v in plain().items() if k != name})
    for name in ("entry", "proof"):
        assert form_of(plain() | {"log": {name: "x"}})
    assert form_of(plain() | {"status": {"entry": "x", "proof": "x"}})


@pytest.mark.parametrize(
    "changes",
    [
        {"more": 1},
        {"log": {"entry": "x", "proof": "x", "token": "x"}},
        {"log": []},
        {"log": "entry"},
        {"log": {"entry": 5, "proof": "x"}},
        {"log": {"entry": "x", "proof": 5}},
        {"status": {"token": "x", "more": "x"}},
        {"status": {"token": 5}},
        {"status": {"token": "x", "entry": 5}},
        {"status": {"token": "x", "proof": None}},
        {"status": None},
        {"identifier": 5},
        {"credential": None},
        {"chain": {}},
        {"chain": {"bGVhZg==": 1}},
        {"chain": "bGVhZg=="},
        {"chain": []},
        {"chain": ["bGVhZg=="] * 5},
        {"format": "zhengtong-licence-bundle/2"},
        {"format": "zhengtong-licence-bundle/3"},
    ],
)
def test_members_are_of_their_kind(changes):
    assert form_of(plain() | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "zhengtong-licence-bundle/1"},
        {"crls": []},
        {"crls": {"bGlzdA==": 1}},
        {"crls": "bGlzdA=="},
        {"crls": ["bGlzdA=="] * 17},
        {"documents": {}},
        {"documents": []},
        {"documents": {"txt": "UEs="}},
        {"documents": {"pdf": "UEs=", "ofd": "UEs="}},
    ],
)
def test_members_of_the_second_format_are_of_their_kind(changes):
    assert form_of(plain(replace(BARE, **ADDED)) | changes)


def test_four_certificates_and_sixteen_lists_are_the_most():
    most = replace(BARE, chain=(b"c",) * 4, crls=(b"l",) * 16)
    assert LicenceBundle.from_json(most.to_json()) == most


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"chain": ["!"]}, "chain"),
        ({"chain": [5]}, "chain"),
        ({"crls": ["!"]}, "crls"),
        ({"timestamp": "!"}, "timestamp"),
        ({"timestamp": None}, "timestamp"),
        ({"documents": {"pdf": "!"}}, "documents"),
    ],
)
def test_what_is_not_base64_is_named(changes, what):
    fault = refused(plain(replace(BARE, **ADDED)) | changes)
    assert (fault.code, fault.finding_params["what"]) == ("base64_not_canonical", what)


@pytest.mark.parametrize(
    ("name", "limit"),
    [("chain", 8 * 1024), ("crls", 4 * MIB), ("timestamp", 64 * 1024), ("documents", 8 * MIB)],
)
def test_each_part_has_a_size(name, limit):
    def sized(size):
        text = b64(bytes(size))
        return plain(replace(BARE, **ADDED)) | {
            name: {"chain": [text], "crls": [text], "timestamp": text, "documents": {"ofd": text}}[name]
        }

    assert read(sized(limit))
    assert refused(sized(limit + 1)).code == "base64_not_canonical"


def test_a_bundle_has_thirty_two_mebibytes_and_no_byte_more():
    text = BARE.to_json()
    limit = 32 * MIB
    text += " " * (limit - len(text))
    assert LicenceBundle.from_json(text) == BARE
    fault = refused(text + " ")
    assert (fault.code, fault.finding_params) == ("too_large", {"what": "bundle", "limit": str(limit)})


def test_what_is_no_json_is_told_of_the_bundle():
    assert refused("{").finding_params["what"] == "bundle"
    assert form_of("[]")
