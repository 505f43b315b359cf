"""Log entries about licences, fact by fact, at the limits of their form."""

from __future__ import annotations

import pytest

from audit.entry import Entry
from licence.errors import FormatError
from licence.lifecycle import Action, State
from licence.model import StatusRef
from licence.status.events import Bound, Changed, Issued, Published, published_facts, read_event
from tests.licence import world as w

DIGEST, OTHER = "sha256:" + "0" * 64, "sha256:" + "1" * 64
URI = "https://licences.city.example/status/1"
LICENCE = {"licence": "L", "credential": DIGEST, "kind": "K", "status": {"uri": URI, "idx": 7}}
FACTS = {
    "licence.issued": LICENCE,
    "licence.bound": LICENCE,
    "licence.status": {"licence": "L", "action": "revoke", "state": "03"},
    "status.published": {"uri": URI, "token": DIGEST, "version": 2, "previous": OTHER},
}
EVENTS = {
    "licence.issued": Issued(9, w.AT, "L", DIGEST, "K", StatusRef(URI, 7), "5a"),
    "licence.bound": Bound(9, w.AT, "L", DIGEST, "K", StatusRef(URI, 7)),
    "licence.status": Changed(9, w.AT, "L", Action.REVOKE, State.REVOKED),
    "status.published": Published(9, w.AT, URI, DIGEST, 2, OTHER),
}


def entry(kind, /, **changes):
    facts = {name: value for name, value in (FACTS[kind] | changes).items() if value is not ...}
    return Entry(kind, w.AT, "a", "5a", "R1", "", facts).encode()


def refused(data, index=9):
    """Which fact is said to be wrong."""
    with pytest.raises(FormatError) as caught:
        read_event(data, index)
    assert caught.value.code == "licence_entry_malformed"
    assert caught.value.finding_params["index"] == str(index)
    return caught.value.finding_params["fact"]


@pytest.mark.parametrize("kind", FACTS)
def test_each_fact_of_an_event_is_read(kind):
    assert read_event(entry(kind), 9) == EVENTS[kind]


@pytest.mark.parametrize("kind", FACTS)
def test_each_fact_is_there_and_of_its_kind(kind):
    for name in FACTS[kind]:
        if name not in {"version", "previous"}:
            assert refused(entry(kind, **{name: ...})) == name
        for other in (None, [], {"a": 1}):
            assert refused(entry(kind, **{name: other})) == name


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k, facts in FACTS.items() for n in facts])
def test_texts_have_512_characters_at_most(kind, name):
    if name in {"licence", "kind", "uri"}:
        assert getattr(read_event(entry(kind, **{name: "x" * 512}), 9), name) == "x" * 512
        assert refused(entry(kind, **{name: "x" * 513})) == name
        assert refused(entry(kind, **{name: ""})) == name
        assert refused(entry(kind, **{name: 5})) == name
    elif name in {"credential", "token", "previous"}:
        for other in ("", "sha256:" + "0" * 63, "sha256:" + "0" * 65, "sha256:" + "A" * 64, 5):
            assert refused(entry(kind, **{name: other})) == name
    elif name in {"action", "state"}:
        for other in ("eat", "", 5):
            assert refused(entry(kind, **{name: other})) == name


@pytest.mark.parametrize("kind", ["licence.issued", "licence.bound"])
def test_a_place_in_a_list_is_an_address_and_a_number_of_32_bits(kind):
    for idx in (0, 2**32 - 1):
        assert read_event(entry(kind, status={"uri": URI, "idx": idx}), 9).status == StatusRef(URI, idx)
    for idx in (-1, 2**32, True, "1", None):
        assert refused(entry(kind, status={"uri": URI, "idx": idx})) == "status.idx"
    for other in ({"uri": URI}, {"idx": 1}, {"uri": URI, "idx": 1, "more": 1}, ["uri", "idx"], "x"):
        assert refused(entry(kind, status=other)) == "status"
    assert refused(entry(kind, status={"uri": "", "idx": 1})) == "uri"


def test_a_version_counts_from_nothing_and_may_be_left_out():
    def read(**changes):
        return read_event(entry("status.published", **changes), 9)

    assert (read(version=0).version, read(version=1).version, read(version=...).version) == (0, 1, 0)
    assert read(previous=...).previous == ""
    for other in (-1, True, "1", 1.5):
        assert refused(entry("status.published", version=other)) == "version"


def test_the_facts_of_a_first_version_name_none_before_it():
    first = published_facts(URI, DIGEST, version=1, previous="")
    assert first == {"uri": URI, "token": DIGEST, "version": 1}
    assert published_facts(URI, DIGEST, version=2, previous=OTHER) == FACTS["status.published"]


def test_what_has_no_mark_of_ours_is_not_even_read():
    assert read_event(b"junk", 0) is None
    assert read_event(b'{"kind":"grant.given"}', 0) is None


@pytest.mark.parametrize("kind", FACTS)
def test_what_has_a_mark_and_is_no_entry_is_told(kind):
    for data in (b'{"kind":"%s"}' % kind.encode(), b'"kind":"%s"' % kind.encode(), entry(kind) + b" "):
        assert refused(data, 3) == "-"


def test_a_mark_in_a_text_of_another_entry_is_none():
    text = Entry("grant.given", w.AT, "a", "", "R1", "", {"text": '"kind":"licence.issued"', "kind": "licence.issued"})
    assert b'"kind":"licence.issued"' in text.encode()
    assert read_event(text.encode(), 0) is None
