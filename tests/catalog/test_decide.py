from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from catalog.decide import (
    REASONS,
    REMEDIES,
    AccessRequest,
    Grant,
    decide,
    decision_for_row,
    decision_from_plain,
    decision_to_plain,
    grant_from_plain,
    grant_to_plain,
    remedy,
    request_from_plain,
    request_to_plain,
)
from catalog.masks import RANK
from catalog.model import EVERYONE, Mask, Matter, Prohibition, ShareType
from catalog.rows import parse_rule

from .conftest import make_list, make_resource
from .strategies import T0, grant_sets, small_grants, small_requests

LIST = make_list()
GRANT = Grant(
    id="G1",
    consumer="D2",
    resource="R1",
    fields=("id", "name", "phone"),
    masks=(("name", Mask.SURNAME),),
    purposes=("M1",),
    actions=("query",),
    starts=T0,
    expires=T0 + timedelta(days=365),
    list_version=LIST.version,
    ground="《某条例》第五条",
)
REQUEST = AccessRequest("D2", "R1", "query", ("name",), ("id",), "M1")
NOON = T0 + timedelta(hours=12)


def codes(request=REQUEST, grants=(GRANT,), on=NOON, list_=LIST):
    decision = decide(request, list_, grants, on)
    assert not decision.allowed
    assert decision.fields == decision.masks == ()
    for reason in decision.reasons:
        assert reason.text("zh")
        assert reason.text("en")
    return [reason.code for reason in decision.reasons]


def test_a_request_within_its_grant_is_allowed():
    decision = decide(REQUEST, LIST, [GRANT], NOON)
    assert decision.allowed
    assert decision.fields == ("name",)
    assert decision.masks == (("name", Mask.SURNAME),)
    assert decision.determined_by == ("grant:G1", "line:R1/D1")
    assert [reason.code for reason in decision.reasons] == ["allowed"]


def test_without_fields_all_granted_ones_come_in_the_order_of_the_list():
    grant = replace(GRANT, fields=("phone", "id"))
    decision = decide(replace(REQUEST, fields=()), LIST, [grant], NOON)
    assert decision.fields == ("id", "phone")
    assert dict(decision.masks) == {"id": Mask.NONE, "phone": Mask.KEEP_LAST_4}


def test_a_field_no_longer_shared_is_withheld_and_said_so():
    grant = replace(GRANT, fields=("id", "secret", "gone"))
    decision = decide(replace(REQUEST, fields=()), LIST, [grant], NOON)
    assert decision.allowed
    assert decision.fields == ("id",)
    assert [(r.code, dict(r.params).get("field")) for r in decision.reasons] == [
        ("allowed", None),
        ("field_withheld", "gone"),
        ("field_withheld", "secret"),
    ]


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (replace(REQUEST, resource="Rx"), ["resource_unknown"]),
        (replace(REQUEST, resource="R2"), ["resource_not_shared"]),
        (replace(REQUEST, consumer="D1", purpose="M2"), ["purpose_not_on_list", "no_grant"]),
        (replace(REQUEST, consumer="Dx"), ["consumer_not_on_list", "no_grant"]),
        (replace(REQUEST, consumer=EVERYONE), ["consumer_not_on_list", "no_grant"]),
        (replace(REQUEST, purpose=None), ["purpose_missing"]),
        (replace(REQUEST, purpose=""), ["purpose_missing"]),
        (replace(REQUEST, purpose="Mx"), ["purpose_unknown"]),
        (replace(REQUEST, purpose=EVERYONE), ["purpose_unknown"]),
        (replace(REQUEST, purpose="M2"), ["purpose_not_on_list", "purpose_not_granted"]),
        (replace(REQUEST, fields=("capital",)), ["field_not_granted"]),
        (replace(REQUEST, fields=("nosuch",)), ["field_unknown"]),
        (replace(REQUEST, fields=("secret",)), ["field_not_shared"]),
        (replace(REQUEST, lookup=("name",)), ["lookup_not_allowed"]),
        (replace(REQUEST, lookup=("nosuch",)), ["lookup_not_allowed"]),
        (replace(REQUEST, lookup=()), ["lookup_missing"]),
        (replace(REQUEST, action="verify"), ["action_not_granted"]),
        (replace(REQUEST, action="copy"), ["action_not_granted"]),
        (replace(REQUEST, grant="G9"), ["no_grant"]),
        (replace(REQUEST, purpose=None, lookup=(), fields=("nosuch", "capital")),
         ["purpose_missing", "lookup_missing", "field_unknown"]),
    ],
)  # fmt: skip
def test_each_prohibition_has_its_reason(request_, expected):
    assert codes(request_) == expected


@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        (replace(GRANT, expires=NOON), "grant_expired"),
        (replace(GRANT, starts=NOON + timedelta(seconds=1)), "grant_not_started"),
        (replace(GRANT, revoked_at=NOON), "grant_revoked"),
        (replace(GRANT, suspended_at=NOON), "grant_suspended"),
        (replace(GRANT, suspended_at=NOON, revoked_at=NOON), "grant_revoked"),
        (replace(GRANT, suspended_at=NOON, expires=NOON), "grant_expired"),
        (replace(GRANT, suspended_at=T0, starts=NOON + timedelta(days=1)), "grant_suspended"),
        (replace(GRANT, purposes=("M2",)), "purpose_not_granted"),
        (replace(GRANT, purposes=()), "purpose_not_granted"),
        (replace(GRANT, actions=("verify",)), "action_not_granted"),
        (replace(GRANT, fields=()), "field_not_granted"),
        (replace(GRANT, resource="R2"), "no_grant"),
    ],
)
def test_a_grant_that_does_not_cover_the_request_is_named(grant, expected):
    assert codes(grants=[grant]) == [expected]


def test_a_grant_holds_from_its_start_to_just_before_its_end_or_revocation():
    just = timedelta(microseconds=1)
    for grant in (
        replace(GRANT, starts=NOON),
        replace(GRANT, expires=NOON + just),
        replace(GRANT, revoked_at=NOON + just),
        replace(GRANT, suspended_at=NOON + just),
    ):
        assert decide(REQUEST, LIST, [grant], NOON).allowed


def test_a_wildcard_grant_still_needs_a_matter_of_the_list():
    wide = replace(GRANT, purposes=(EVERYONE,))
    assert decide(REQUEST, LIST, [wide], NOON).allowed
    assert codes(replace(REQUEST, purpose="Mx"), [wide]) == ["purpose_unknown"]


def test_a_line_for_everyone_lets_every_department_in_but_no_stranger():
    line = replace(LIST.responsibilities[0], consumers=(EVERYONE,), purposes=(EVERYONE,))
    list_ = make_list(responsibilities=(line,))
    one = replace(REQUEST, consumer="D1", purpose="M2")
    grant = replace(GRANT, consumer="D1", purposes=("M2",))
    assert decide(one, list_, [grant], NOON).allowed
    stranger = replace(one, consumer="Dx")
    assert codes(stranger, [replace(grant, consumer="Dx")], list_=list_) == ["consumer_not_on_list"]


def test_a_provider_may_use_its_own_resource_for_its_own_matters_under_a_grant():
    list_ = make_list(matters=(*LIST.matters, Matter("M3", "营业执照核发", "Business licence", "D1")))
    own = replace(REQUEST, consumer="D1", purpose="M3")
    grant = replace(GRANT, consumer="D1", purposes=(EVERYONE,))
    assert decide(own, list_, [grant], NOON).allowed
    assert codes(own, [], list_=list_) == ["no_grant"]
    assert codes(replace(own, purpose="M2"), [grant], list_=list_) == ["purpose_not_on_list"]


def test_grants_for_one_purpose_add_up_and_the_less_masked_counts():
    more = replace(GRANT, id="G2", fields=("capital", "name"), masks=())
    decision = decide(replace(REQUEST, fields=("name", "capital", "phone")), LIST, [GRANT, more], NOON)
    assert decision.allowed
    assert decision.masks == (("name", Mask.NONE), ("capital", Mask.NONE), ("phone", Mask.KEEP_LAST_4))
    assert decision.determined_by == ("grant:G1", "grant:G2", "line:R1/D1")


def test_the_masks_of_list_and_grant_both_hold():
    harder = replace(GRANT, masks=(("phone", Mask.KEEP_FIRST_4),))
    assert decide(replace(REQUEST, fields=("phone",)), LIST, [harder], NOON).masks == (("phone", Mask.REDACT),)


def test_a_grant_of_which_nothing_is_shared_any_more_denies():
    assert codes(replace(REQUEST, fields=()), [replace(GRANT, fields=("secret",))]) == ["no_field_left"]


@pytest.mark.parametrize(
    ("request_", "grants", "expected"),
    [
        # What the caller stands on and was looked at is named, also when the answer is no.
        (REQUEST, [], ("line:R1/D1",)),
        (REQUEST, [replace(GRANT, expires=NOON)], ("grant:G1", "line:R1/D1")),
        (replace(REQUEST, lookup=()), [GRANT], ("grant:G1", "line:R1/D1")),
        (replace(REQUEST, purpose="M2"), [GRANT], ("grant:G1", "line:R1/D1")),
        (replace(REQUEST, resource="R2"), [GRANT], ("resource:R2",)),
        (replace(REQUEST, consumer="Dx"), [], ()),
    ],
)
def test_a_denial_names_the_lines_and_grants_that_determined_it(request_, grants, expected):
    decision = decide(request_, LIST, grants, NOON)
    assert not decision.allowed
    assert decision.determined_by == expected


# Prohibitions.


def prohibiting(*fields, consumers=("D2",), purposes=(EVERYONE,), more=()):
    return make_list(prohibitions=(Prohibition("R1", consumers, purposes, "《某法》第九条", fields), *more))


def test_a_prohibited_resource_is_denied_whatever_line_and_grant_say():
    decision = decide(REQUEST, prohibiting(), [GRANT], NOON)
    assert [(r.code, dict(r.params)["ground"]) for r in decision.reasons] == [("prohibited", "《某法》第九条")]
    assert decision.determined_by == ("prohibition:R1/1",)
    assert "《某法》第九条" in decision.reasons[0].text("zh")
    assert "R1" in decision.reasons[0].text("en")


def test_a_prohibition_binds_those_and_that_which_it_names():
    for list_ in (prohibiting(consumers=("D1",)), prohibiting(purposes=("M2",)), prohibiting("phone")):
        assert decide(REQUEST, list_, [GRANT], NOON).allowed
    for list_ in (prohibiting(consumers=(EVERYONE,)), prohibiting(purposes=("M1",)), prohibiting("phone", "name")):
        assert not decide(REQUEST, list_, [GRANT], NOON).allowed


def test_a_prohibited_field_asked_for_by_name_denies():
    list_ = prohibiting("phone", more=(Prohibition("R1", ("D2",), ("M1",), "《另一法》", ("name", "phone")),))
    decision = decide(replace(REQUEST, fields=("phone", "id")), list_, [GRANT], NOON)
    assert [(r.code, dict(r.params)["fields"]) for r in decision.reasons] == [("prohibited", "phone")] * 2
    assert decision.determined_by == ("grant:G1", "line:R1/D1", "prohibition:R1/1", "prohibition:R1/2")
    assert "`phone`" in decision.reasons[0].text("zh")


def test_a_prohibited_field_is_withheld_from_who_asks_for_all_and_said_so():
    decision = decide(replace(REQUEST, fields=()), prohibiting("phone", "capital"), [GRANT], NOON)
    assert decision.fields == ("id", "name")
    assert [(r.code, dict(r.params).get("field")) for r in decision.reasons] == [
        ("allowed", None),
        ("field_prohibited", "phone"),
    ]
    assert "prohibition:R1/1" in decision.determined_by
    # Asking for the rest by name is not touched by it.
    assert decide(REQUEST, prohibiting("phone"), [GRANT], NOON).determined_by == ("grant:G1", "line:R1/D1")


def test_a_grant_of_which_all_is_prohibited_denies_and_says_by_what():
    decision = decide(replace(REQUEST, fields=()), prohibiting("id", "name", "phone"), [GRANT], NOON)
    assert [r.code for r in decision.reasons] == ["prohibited", "no_field_left"]
    assert "prohibition:R1/1" in decision.determined_by


def test_a_provider_is_bound_too():
    list_ = make_list(
        matters=(*LIST.matters, Matter("M3", "营业执照核发", "Business licence", "D1")),
        prohibitions=(Prohibition("R1", (EVERYONE,), (EVERYONE,), "《某法》"),),
    )
    grant = replace(GRANT, consumer="D1", purposes=(EVERYONE,))
    assert codes(replace(REQUEST, consumer="D1", purpose="M3"), [grant], list_=list_) == ["prohibited"]


# Actions.


@pytest.mark.parametrize("action", ["batch", "subscribe"])
def test_what_is_handed_out_whole_needs_no_key_but_the_action_granted(action):
    request = replace(REQUEST, action=action, lookup=())
    assert codes(request) == ["action_not_granted"]
    assert decide(request, LIST, [replace(GRANT, actions=(action,))], NOON).allowed
    assert codes(replace(request, lookup=("name",)), [replace(GRANT, actions=(action,))]) == ["lookup_not_allowed"]
    assert codes(replace(request, action="query"), [replace(GRANT, actions=(action, "query"))]) == ["lookup_missing"]


# Rows.

NORTH, SOUTH = (parse_rule("id prefix N"),), (parse_rule("id prefix S"),)
R1 = LIST.by_code["R1"]
ROW = {"id": "N1", "name": "甲", "phone": "123", "capital": "1.00", "changed": None}


def test_a_grant_for_some_rows_gives_nothing_of_the_others():
    decision = decide(REQUEST, LIST, [replace(GRANT, rows=NORTH)], NOON)
    assert decision.allowed
    (scope,) = decision.scopes
    assert (scope.grant, scope.rows, scope.masks) == ("G1", NORTH, decision.masks)
    assert decision_for_row(decision, R1, ROW) == {"name": Mask.SURNAME}
    for other in ("S1", "", None):
        assert decision_for_row(decision, R1, {**ROW, "id": other}) is None


def test_without_rows_a_decision_has_no_scopes_and_holds_for_every_row():
    decision = decide(REQUEST, LIST, [GRANT], NOON)
    assert decision.scopes == ()
    assert decision_for_row(decision, R1, ROW) == decision_for_row(decision, R1, {}) == {"name": Mask.SURNAME}
    assert decision_for_row(decide(REQUEST, LIST, [], NOON), R1, ROW) is None


def test_grants_add_up_row_by_row():
    north = replace(GRANT, rows=NORTH, fields=("name", "phone"), masks=())
    south = replace(GRANT, id="G2", rows=SOUTH, fields=("name", "capital"))
    all_ = replace(GRANT, id="G3", fields=("id",))
    decision = decide(replace(REQUEST, fields=()), LIST, [north, south, all_], NOON)
    assert decide(replace(REQUEST, fields=()), LIST, [all_, south, north], NOON) == decision
    assert [scope.grant for scope in decision.scopes] == ["G1", "G2", "G3"]
    assert decision.fields == ("id", "name", "phone", "capital")
    assert dict(decision.masks)["name"] is Mask.NONE
    assert decision_for_row(decision, R1, ROW) == {"id": Mask.NONE, "name": Mask.NONE, "phone": Mask.KEEP_LAST_4}
    assert decision_for_row(decision, R1, {**ROW, "id": "S"}) == {
        "id": Mask.NONE,
        "name": Mask.SURNAME,
        "capital": Mask.NONE,
    }
    assert decision_for_row(decision, R1, {**ROW, "id": "W"}) == {"id": Mask.NONE}
    # A grant for some rows that is not used restricts nothing.
    assert decide(replace(REQUEST, fields=("id",)), LIST, [north, south, all_], NOON).scopes == ()


def test_a_rule_over_a_field_that_is_no_more_opens_nothing():
    decision = decide(REQUEST, LIST, [replace(GRANT, rows=(parse_rule("gone in 1"),))], NOON)
    assert decision_for_row(decision, R1, {**ROW, "gone": "1"}) is None


def test_every_reason_has_a_remedy_with_words():
    assert {remedy(code) for code in REASONS} <= REMEDIES.keys()
    assert remedy("grant_expired") == "renew"
    assert remedy("prohibited") == "ask_office"
    for english, chinese in REMEDIES.values():
        assert english.isascii()
        assert not chinese.isascii()


def test_a_time_without_a_zone_is_refused():
    naive = datetime(2024, 1, 1)  # noqa: DTZ001 - the point
    for name in ("revoked_at", "suspended_at"):
        with pytest.raises(ValueError, match="zone"):
            replace(GRANT, **{name: naive})
    with pytest.raises(ValueError, match="zone"):
        decide(REQUEST, LIST, [GRANT], naive)


def test_the_chinese_reason_reads_well():
    (reason,) = decide(REQUEST, LIST, [], NOON).reasons
    assert reason.text("zh") == "`D2` 没有信息资源 `R1` 的授权，请提出申请"


def test_what_was_added_is_left_out_of_stored_forms_while_it_says_nothing():
    plain = grant_to_plain(GRANT)
    assert plain.keys() & {"rows", "quota_per_day", "suspended_at", "application", "predecessor"} == set()
    assert "scopes" not in decision_to_plain(decide(REQUEST, LIST, [GRANT], NOON))
    whole = replace(
        GRANT, rows=NORTH, quota_per_day=5, suspended_at=NOON, application="A1", predecessor="G0", revoked_at=NOON
    )
    assert grant_from_plain(json.loads(json.dumps(grant_to_plain(whole)))) == whole


# Properties.

PROPERTY = settings(max_examples=100, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])


def _no_more(less, more):
    """Whether *less* shows nothing that *more* does not."""
    if not less.allowed:
        return True
    shown = dict(more.masks)
    return more.allowed and all(name in shown and RANK[mask] >= RANK[shown[name]] for name, mask in less.masks)


@PROPERTY
@given(small_requests(), grant_sets(), st.data())
def test_removing_a_grant_never_allows_more(request_, grants, data):
    whole = decide(request_, LIST, grants, T0)
    left = [grant for grant in grants if data.draw(st.booleans())]
    assert _no_more(decide(request_, LIST, left, T0), whole)


@PROPERTY
@given(small_requests(), grant_sets(), st.randoms())
def test_the_order_of_grants_never_matters(request_, grants, random):
    shuffled = list(grants)
    random.shuffle(shuffled)
    assert decide(request_, LIST, shuffled, T0) == decide(request_, LIST, grants, T0)


@PROPERTY
@given(small_requests(), grant_sets())
def test_what_is_not_shared_is_never_shown(request_, grants):
    closed = make_list(resources=(make_resource("R1", ShareType.NOT_SHARED),), responsibilities=LIST.responsibilities)
    assert not decide(request_, closed, grants, T0).allowed
    assert "secret" not in decide(request_, LIST, grants, T0).fields


@PROPERTY
@given(small_requests(), grant_sets())
def test_every_decision_has_a_reason_and_a_mask_for_each_field(request_, grants):
    decision = decide(request_, LIST, grants, T0)
    assert decision.reasons
    assert ("allowed" in [reason.code for reason in decision.reasons]) == decision.allowed
    assert tuple(name for name, _ in decision.masks) == decision.fields
    assert bool(decision.fields) == decision.allowed
    for reason in decision.reasons:
        assert reason.code in REASONS
        assert reason.text("en") != reason.text("zh")


_any = st.text(max_size=5) | st.sampled_from(["D2", "R1", "M1", "query", "id"])
_anys = st.lists(_any, max_size=3).map(tuple)


@PROPERTY
@given(st.builds(AccessRequest, _any, _any, _any, _anys, _anys, st.none() | _any, st.none() | _any), st.booleans())
def test_it_is_total_over_all_texts(request_, granted):
    decision = decide(request_, LIST, [GRANT] if granted else [], NOON)
    assert decision.reasons
    assert all(reason.text("zh") for reason in decision.reasons)


@PROPERTY
@given(small_requests(), small_grants("G0"))
def test_stored_forms_read_back(request_, grant):
    decision = decide(request_, LIST, [grant], T0)

    def through_json(plain):
        return json.loads(json.dumps(plain))

    assert grant_from_plain(through_json(grant_to_plain(grant))) == grant
    assert request_from_plain(through_json(request_to_plain(request_))) == request_
    assert decision_from_plain(through_json(decision_to_plain(decision))) == decision


def test_the_time_of_a_decision_does_not_grow_with_the_list():
    def best(list_):
        times = []
        for _ in range(300):
            start = time.perf_counter()
            decide(REQUEST, list_, [GRANT], NOON)
            times.append(time.perf_counter() - start)
        return min(times)

    line = LIST.responsibilities[0]
    many = make_list(
        resources=tuple(make_resource(f"R{number}") for number in range(1, 3001)),
        responsibilities=tuple(replace(line, resource=f"R{number}") for number in range(1, 3001)),
    )
    # A scan over 3,000 resources or lines alone would take longer than ten small decisions.
    assert best(many) < 5 * best(LIST)
