from __future__ import annotations

import json

import pytest

from audit.entry import Entry, seal_body
from hub.callers import issue_key
from hub.errors import DeniedError, RoleMissingError
from hub.invocation import RefusedError
from tests.hub.world import ABSENT, CODE, EMPTY_CODE, IDS, MATTER, NOW, body


def query(service, world, code=CODE, key=..., **changes):
    raw = json.dumps(body(**changes)).encode()
    return service.invocation.query(world.key if key is ... else key, code, raw)


def last_entry(service):
    return Entry.decode(service.evidence.log.entry(service.evidence.log.size - 1))


def test_a_granted_query_is_answered_masked_with_a_receipt(service, world):
    answer = query(service, world)
    plain = answer.plain()
    assert plain["records"] == [
        {
            "citizen_id": IDS[0][:6] + "********" + IDS[0][-4:],
            "name": "张**",
            "birth": "1990-01-01",
            "married": True,
            "income": "1200.50",
            "household": "H1",
        }
    ]
    assert plain["masked"] == {"citizen_id": "citizen_id", "name": "surname"}
    assert plain["grant"] == "G1"
    assert plain["list_version"] == world.list.version
    assert plain["snapshot"] == str(world.snapshot)
    assert plain["receipt"]["entry"] == service.evidence.log.size - 1
    assert plain["receipt"]["leaf"]["at"] == NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_the_entry_says_who_asked_what_why_and_nothing_about_whom(service, world):
    answer = query(service, world)
    entry = Entry.decode(service.evidence.log.entry(answer.receipt.index))
    assert (entry.kind, entry.actor, entry.resource, entry.purpose) == ("invocation.answered", "RS", CODE, MATTER)
    assert entry.facts["decision"] == "allowed"
    assert entry.facts["fields"] == list(world.grant.fields)
    assert entry.facts["masks"] == {"citizen_id": "citizen_id", "name": "surname"}
    assert entry.facts["snapshot"] == str(world.snapshot)
    text = entry.encode().decode()
    for personal in (IDS[0], IDS[0][:6], "张", "李", "BJ-1", "1990", world.key):
        assert personal not in text
    assert len(entry.subject) == 64


def test_the_receipt_opens_the_digests_of_the_entry(service, world):
    answer = query(service, world)
    entry = Entry.decode(service.evidence.log.entry(answer.receipt.index))
    sealed = seal_body(answer.content, bytes.fromhex(answer.receipt.answer_salt))
    assert sealed == answer.receipt.facts("answer_digest") == entry.facts["answer_digest"]
    # Equal answers have unequal digests: a yes cannot be told from another yes.
    again = query(service, world)
    assert again.content == answer.content
    assert again.receipt.facts("answer_digest") != answer.receipt.facts("answer_digest")
    # The subject is the same, so that a person's entries can be found with the key.
    assert Entry.decode(service.evidence.log.entry(again.receipt.index)).subject == entry.subject


def test_the_keys_may_be_typed_in_full_width_and_lower_case(service, world):
    wide = "".join(chr(ord(c) + 0xFEE0) for c in IDS[0].lower())
    assert query(service, world, keys={"citizen_id": f" {wide} "}).content == query(service, world).content


def test_all_keys_must_fit(service, world):
    found = query(service, world, keys={"household": "H2", "birth": "1990/1/5"}).content["records"]
    assert [record["name"] for record in found] == ["赵**"]
    assert query(service, world, keys={"household": "H1", "birth": "1990-01-05"}).content["records"] == []
    assert len(query(service, world, keys={"household": "H2"}).content["records"]) == 3


def test_no_record_is_an_answer(service, world):
    assert query(service, world, keys={"citizen_id": ABSENT}).content["records"] == []


def test_only_the_fields_asked_for_are_shown(service, world):
    assert query(service, world, fields=["birth"]).content["records"] == [{"birth": "1990-01-01"}]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"purpose": None}, "purpose_missing"),
        ({"purpose": {"case": "1"}}, "purpose_missing"),
        ({"purpose": {"matter": "SX002"}}, "purpose_not_granted"),
        ({"purpose": {"matter": "110105199001010015"}}, "purpose_unknown"),
        ({"fields": ["address"]}, "field_not_granted"),
        ({"fields": ["nonsense"]}, "field_unknown"),
        ({"keys": {"name": "张三"}}, "lookup_not_allowed"),
        ({"grant": "G9"}, "no_grant"),
    ],
)
def test_a_denial_says_why_and_is_an_entry(service, world, changes, code):
    size = service.evidence.log.size
    with pytest.raises(RefusedError) as caught:
        query(service, world, **changes)
    assert isinstance(caught.value.cause, DeniedError)
    assert code in [reason.code for reason in caught.value.cause.reasons]
    assert caught.value.receipt.index == size
    entry = last_entry(service)
    assert entry.kind == "invocation.denied"
    assert code in entry.facts["reasons"]
    assert "answer_digest" not in entry.facts
    # What the caller wrote in place of a matter or a field may be personal: it stays in the body.
    assert "110105199001010015" not in entry.encode().decode()
    assert "nonsense" not in entry.encode().decode()


def test_an_unknown_resource_is_an_entry_that_does_not_repeat_it(service, world):
    with pytest.raises(RefusedError) as caught:
        query(service, world, code="110105199001010015")
    assert caught.value.cause.code == "resource_unknown"
    entry = last_entry(service)
    assert (entry.kind, entry.resource, entry.actor) == ("invocation.denied", "", "RS")
    assert entry.facts["reasons"] == ["resource_unknown"]


@pytest.mark.parametrize("key", [None, "", "zt_" + "A" * 43, "no key at all"])
def test_a_wrong_key_is_an_entry_without_key_material(service, world, key):
    with pytest.raises(RefusedError) as caught:
        query(service, world, key=key)
    assert caught.value.cause.code == "key_refused"
    entry = last_entry(service)
    assert (entry.kind, entry.actor) == ("invocation.denied", "unknown")
    assert entry.facts["reasons"] == ["key_refused"]
    stored = service.evidence.bodies.get(entry.body_digest)
    assert "AAAA" not in str(entry) + str(stored)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "request_malformed"),
        (b'{"keys":{"citizen_id":"1"},"keys":{}}', "request_malformed"),
        (b'{"keys":{"citizen_id":NaN}}', "request_malformed"),
        (b'{"keys":{"citizen_id":1.5}}', "request_malformed"),
        (b'{"keys":{"citizen_id":9007199254740993}}', "request_malformed"),
        (b'{"keys":{"citizen_id":"\xff"}}', "request_malformed"),
        (b'{"keys":{"citizen_id":"\\ud800"}}', "request_malformed"),
        (b"[" * 50_000, "request_malformed"),
        (b"[]", "request_invalid"),
        (b'{"keys":{}}', "request_invalid"),
        (b'{"keys":{"citizen_id":null}}', "request_invalid"),
        (b'{"keys":{"citizen_id":true}}', "request_invalid"),
        (b'{"keys":{"citizen_id":"1"},"sql":"x"}', "request_invalid"),
        (b'{"keys":{"citizen_id":"1"},"claims":{"name":"x"}}', "request_invalid"),
        (b'{"keys":{"citizen_id":"1"},"fields":[]}', "request_invalid"),
        (b'{"keys":{"citizen_id":"1"},"fields":["name","name"]}', "request_invalid"),
        (b'{"keys":{"citizen_id":"1"},"purpose":{"matter":"m","note":"x"}}', "request_invalid"),
    ],
)
def test_a_body_that_is_not_asked_for_is_refused_and_recorded(service, world, raw, code):
    with pytest.raises(RefusedError) as caught:
        service.invocation.query(world.key, CODE, raw)
    assert caught.value.cause.code == code
    assert last_entry(service).facts["reasons"] == [code]


def test_messages_do_not_repeat_the_body(service, world):
    secret = "110105199001010015"
    for raw in (f'{{"keys":{{"citizen_id":"{secret}"', f'{{"keys":{{"{secret}":null}}}}', f'{{"{secret}":1}}'):
        with pytest.raises(RefusedError) as caught:
            service.invocation.query(world.key, CODE, raw.encode())
        assert secret not in caught.value.cause.text("en") + caught.value.cause.text("zh")


def test_without_an_index_nothing_is_answered_and_that_is_recorded(service, world):
    from hub.control import Control  # noqa: F401 - the grant for the resource without a table
    from tests.hub.world import give, make_grant

    give(world.settings, service.control, service.evidence, make_grant(world.list, id="G2", resource=EMPTY_CODE))
    with pytest.raises(RefusedError) as caught:
        query(service, world, code=EMPTY_CODE)
    assert caught.value.cause.code == "index_unavailable"
    entry = last_entry(service)
    assert entry.kind == "invocation.denied"
    assert (entry.facts["decision"], entry.facts["outcome"]) == ("allowed", "unavailable")


def test_too_many_records_are_refused_rather_than_cut(service, world, monkeypatch):
    monkeypatch.setattr("hub.answers.MAX_RECORDS", 2)
    monkeypatch.setattr("hub.invocation.MAX_RECORDS", 2)
    with pytest.raises(RefusedError) as caught:
        query(service, world, keys={"household": "H2"})
    assert caught.value.cause.code == "too_many_records"
    assert len(query(service, world, keys={"household": "H1"}).content["records"]) == 2


def test_a_key_for_another_door_opens_none_here_and_that_is_recorded(service, world):
    issued = issue_key(
        service.control, service.evidence, world.list, department="RS", name="n", roles=("person",), by="office"
    )
    for sought in (service.invocation, service.trial):
        for action in ("query", "verify"):
            with pytest.raises(RefusedError) as caught:
                sought.call(action, issued.key, CODE, json.dumps(body()).encode())
            assert isinstance(caught.value.cause, RoleMissingError)
            entry = caught.value.receipt.entry
            assert (entry.kind, entry.actor, entry.facts["reasons"]) == ("invocation.denied", "RS", ["role_missing"])
            assert entry.facts["outcome"] == "denied"
