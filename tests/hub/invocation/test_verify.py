from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.entry import Entry
from catalog.model import Field, FieldKind, FieldType
from hub.invocation import RefusedError
from hub.matching.comparing import agrees, fits, lookup_value
from tests.hub.world import ABSENT, CODE, IDS, body


def verify(service, world, claims, keys=None):
    raw = json.dumps(body(claims=claims, keys=keys or {"citizen_id": IDS[0]})).encode()
    return service.invocation.verify(world.key, CODE, raw)


def test_claims_are_answered_field_by_field_and_no_value_is_shown(service, world):
    answer = verify(service, world, {"name": "张三", "birth": "1991-01-01", "married": True})
    assert answer.content["results"] == {"name": "match", "birth": "mismatch", "married": "match"}
    assert "records" not in answer.content
    text = json.dumps(answer.plain(), ensure_ascii=False)
    assert "张" not in text
    assert "1990" not in text
    entry = Entry.decode(service.evidence.log.entry(answer.receipt.index))
    assert (entry.kind, entry.facts["action"]) == ("invocation.answered", "verify")
    assert "match" not in entry.encode().decode()


def test_no_record_and_no_value_are_unknown(service, world):
    assert verify(service, world, {"name": "张三"}, {"citizen_id": ABSENT}).content["results"] == {"name": "unknown"}
    assert verify(service, world, {"income": "1", "name": "王五"}, {"citizen_id": IDS[2]}).content["results"] == {
        "income": "unknown",
        "name": "match",
    }


@pytest.mark.parametrize(
    ("person", "claims"),
    [
        (3, {"name": "abc有限"}),
        (3, {"name": " Ａbc　有 限"}),
        (0, {"income": "1200.5"}),
        (0, {"income": "１２００．５００"}),
        (1, {"income": 8}),
        (0, {"birth": "19900101"}),
        (0, {"birth": "1990年1月1日"}),
        (0, {"married": "是"}),
        (1, {"married": False}),
        (0, {"citizen_id": IDS[0]}),
    ],
)
def test_width_case_spaces_and_notation_do_not_matter(service, world, person, claims):
    name = next(iter(claims))
    assert verify(service, world, claims, {"citizen_id": IDS[person]}).content["results"] == {name: "match"}


def test_several_records_agree_if_one_does(service, world):
    keys = {"household": "H2"}
    assert verify(service, world, {"name": "赵六"}, keys).content["results"] == {"name": "match"}
    assert verify(service, world, {"name": "张三"}, keys).content["results"] == {"name": "mismatch"}


def test_a_claim_about_a_field_outside_the_grant_is_denied(service, world):
    with pytest.raises(RefusedError) as caught:
        verify(service, world, {"address": "x"})
    assert [r.code for r in caught.value.cause.reasons] == ["field_not_granted"]


@pytest.mark.parametrize("claims", [None, {}, {"name": None}, {"name": ["张三"]}])
def test_claims_of_another_form_are_refused(service, world, claims):
    with pytest.raises(RefusedError) as caught:
        service.invocation.verify(world.key, CODE, json.dumps(body() | {"claims": claims}).encode())
    assert caught.value.cause.code == "request_invalid"


FIELDS = [Field("f", "f", FieldType(kind, 12, 2)) for kind in FieldKind]


@given(st.sampled_from(FIELDS), st.text(max_size=20), st.one_of(st.text(max_size=20), st.integers(), st.booleans()))
def test_comparing_is_total_and_a_value_agrees_with_itself(field, stored, claim):
    assert agrees(field, stored, claim) in (True, False)
    assert agrees(field, stored, stored) is True
    assert agrees(field, None, claim) is False


@given(st.sampled_from(FIELDS), st.text(max_size=20))
def test_a_look_up_value_is_stable(field, text):
    once = lookup_value(field, text)
    assert lookup_value(field, once) == once
    assert fits(once, once)


def test_numbers_compare_by_value_and_infinity_is_none():
    amount = Field("f", "f", FieldType(FieldKind.DECIMAL, 12, 2))
    assert agrees(amount, "0.10", "0.1")
    assert not agrees(amount, "0.10", "0.11")
    assert not agrees(amount, "0.10", "NaN")
    assert not agrees(amount, "1.00", "Infinity")
