"""What must hold of decisions in every world: random lists with prohibitions, grants with rows, and requests."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from catalog.decide import (
    AccessRequest,
    Policy,
    decide,
    decision_for_row,
    decision_from_plain,
    decision_to_plain,
    grant_from_plain,
    grant_to_plain,
    request_from_plain,
    request_to_plain,
)
from catalog.masks import RANK
from catalog.model import EVERYONE, Prohibition
from catalog.rows import parse_rule

from .conftest import make_list
from .strategies import DEPARTMENTS, MATTERS, NAMES, T0, small_grants, small_requests, tuples

LIST = make_list()
LINE = LIST.responsibilities[0]
R1 = LIST.by_code["R1"]
PROPERTY = settings(max_examples=80, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink])
RULES = [parse_rule(text) for text in ("id prefix 1", "id in 1, 21", "name in x", "capital >= 5", "ghost in 1")]
ROWS = [
    {"id": id_, "name": name, "phone": "1", "secret": "s", "capital": capital, "changed": None}
    for id_ in ("1", "12", "21", None)
    for name in ("x", None)
    for capital in ("4.99", "5.00")
]

some_departments = st.sampled_from([(EVERYONE,), ("D1",), ("D2",), ("D1", "D2")])
some_matters = st.sampled_from([(EVERYONE,), ("M1",), ("M2",), ("M1", "M2")])
prohibitions = st.builds(
    Prohibition,
    st.sampled_from(["R1", "R1", "R2"]),
    some_departments,
    some_matters,
    st.sampled_from(["《某法》", "《另一法》"]),
    tuples(st.sampled_from(NAMES), 2),
)
lines = st.builds(
    lambda provider, consumers, purposes: replace(LINE, provider=provider, consumers=consumers, purposes=purposes),
    st.sampled_from(["D1", "D2"]),
    some_departments,
    some_matters,
)


@st.composite
def grants(draw, id_):
    return replace(
        draw(small_grants(id_)),
        consumer=draw(st.sampled_from(["D2", "D2", *DEPARTMENTS])),
        purposes=draw(st.sampled_from([("M1",), (EVERYONE,)]) | tuples(st.sampled_from(MATTERS), 3)),
        actions=draw(tuples(st.sampled_from(["query", "query", "verify", "batch", "subscribe"]), 3)),
        rows=draw(st.just(()) | tuples(st.sampled_from(RULES), 2)),
        suspended_at=draw(st.none() | st.sampled_from([T0, T0 + timedelta(days=1)])),
        quota_per_day=draw(st.sampled_from([0, 100])),
        application=draw(st.sampled_from(["", "A1"])),
        predecessor=draw(st.sampled_from(["", "G9"])),
    )


@st.composite
def worlds(draw):
    """A list and grants of which several may cover one request."""
    list_ = make_list(
        responsibilities=draw(st.just((LINE,)) | tuples(lines, 3)),
        prohibitions=draw(st.just(()) | tuples(prohibitions, 2)),
    )
    return list_, tuple(draw(grants(f"G{index % 3}")) for index in range(draw(st.integers(0, 4))))


@st.composite
def requests(draw):
    request = draw(small_requests())
    return replace(request, action=draw(st.just(request.action) | st.sampled_from(["batch", "subscribe"])))


times = st.integers(-3, 6).map(lambda half_days: T0 + timedelta(hours=12 * half_days))


def no_more(less, more):
    """Whether *less* shows nothing in any row that *more* does not: fields, rows and masks."""
    if not less.allowed:
        return True
    if not more.allowed:
        return False
    for row in ROWS:
        little, much = decision_for_row(less, R1, row) or {}, decision_for_row(more, R1, row) or {}
        if any(name not in much or RANK[mask] < RANK[much[name]] for name, mask in little.items()):
            return False
    return True


def test_no_more_tells_fields_masks_and_rows_apart():
    """The properties below rest on it."""
    from .test_decide import GRANT, NOON, REQUEST

    def shown(**changes):
        request = replace(REQUEST, fields=changes.pop("asked", ()))
        return decide(request, LIST, [replace(GRANT, **changes)], NOON)

    whole = shown()
    for part in (shown(asked=("id",)), shown(rows=(RULES[0],)), shown(actions=())):
        assert no_more(part, whole)
        assert not no_more(whole, part)
    assert not no_more(shown(masks=()), whole)
    assert no_more(whole, shown(masks=()))


@PROPERTY
@given(worlds(), requests(), times, prohibitions, st.integers(0, 2))
def test_adding_a_prohibition_never_allows_more(world, request_, on, further, place):
    list_, held = world
    known = list_.prohibitions
    bound = replace(list_, prohibitions=(*known[:place], further, *known[place:]))
    assert no_more(decide(request_, bound, held, on), decide(request_, list_, held, on))


@PROPERTY
@given(worlds(), requests(), times)
def test_what_is_prohibited_is_never_shown(world, request_, on):
    list_, held = world
    decision = decide(request_, list_, held, on)
    for prohibition in list_.prohibitions_by_resource.get(request_.resource, ()):
        if {EVERYONE, request_.consumer} & {*prohibition.consumers} and (
            {EVERYONE, request_.purpose} & {*prohibition.purposes}
        ):
            assert prohibition.fields or not decision.allowed
            assert not {*prohibition.fields} & {*decision.fields}


@PROPERTY
@given(worlds(), requests(), times, st.data())
def test_removing_a_grant_never_allows_more(world, request_, on, data):
    list_, held = world
    left = [grant for grant in held if data.draw(st.booleans())]
    assert no_more(decide(request_, list_, left, on), decide(request_, list_, held, on))


@PROPERTY
@given(worlds(), requests(), times, st.data())
def test_ending_resting_or_narrowing_a_grant_never_allows_more(world, request_, on, data):
    list_, held = world
    changes = st.one_of(
        st.builds(dict, revoked_at=st.sampled_from([on, on - timedelta(days=1)])),
        st.builds(dict, suspended_at=st.sampled_from([on, on - timedelta(days=1)])),
        st.builds(dict, expires=st.just(on)),
    )
    less = [replace(grant, **data.draw(changes)) if data.draw(st.booleans()) else grant for grant in held]
    less = [
        replace(g, rows=(*g.rows, data.draw(st.sampled_from(RULES)))) if data.draw(st.booleans()) else g for g in less
    ]
    assert no_more(decide(request_, list_, less, on), decide(request_, list_, held, on))


@PROPERTY
@given(worlds(), requests(), times, st.randoms())
def test_the_order_of_grants_and_lines_never_matters(world, request_, on, random):
    list_, held = world
    names = ("responsibilities", "resources", "departments", "matters")
    shuffled = [list(items) for items in (held, *(getattr(list_, name) for name in names))]
    for items in shuffled:
        random.shuffle(items)
    other, *rest = map(tuple, shuffled)
    reordered = replace(list_, **dict(zip(names, rest, strict=True)))
    assert decide(request_, reordered, other, on) == decide(request_, list_, held, on)


@PROPERTY
@given(worlds(), requests(), times)
def test_replay_equals_the_first_answer(world, request_, on):
    list_, held = world
    decision = decide(request_, list_, held, on)

    def through_json(plain):
        return json.loads(json.dumps(plain))

    read = [grant_from_plain(through_json(grant_to_plain(grant))) for grant in held]
    assert tuple(read) == held
    again = decide(request_from_plain(through_json(request_to_plain(request_))), list_, read, on)
    assert again == decision
    assert decision_from_plain(through_json(decision_to_plain(decision))) == decision
    assert decision_to_plain(again) == decision_to_plain(decision)


@PROPERTY
@given(worlds(), st.lists(st.tuples(requests(), times), max_size=8))
def test_a_policy_answers_as_if_asked_for_the_first_time(world, asked):
    list_, held = world
    whole = Policy(list_, held)
    over = Policy.over(list_, lambda consumer, code: reversed(held), like=whole)
    for request_, on in asked:
        expected = decide(request_, list_, held, on)
        assert whole.decide(request_, on) == expected
        assert over.decide(request_, on) == expected
        assert whole.rights(request_.consumer, request_.resource).decide(request_, on) == expected


@PROPERTY
@given(worlds(), requests(), times)
def test_every_decision_is_well_formed(world, request_, on):
    list_, held = world
    decision = decide(request_, list_, held, on)
    assert decision.reasons
    assert ("allowed" in [reason.code for reason in decision.reasons]) == decision.allowed
    assert tuple(name for name, _ in decision.masks) == decision.fields
    assert bool(decision.fields) == decision.allowed
    assert all(reason.text("en") != reason.text("zh") for reason in decision.reasons)
    for scope in decision.scopes:
        assert f"grant:{scope.grant}" in decision.determined_by
        assert {name for name, _ in scope.masks} <= {*decision.fields}
    # The whole is the most that any row may show.
    for row in ROWS:
        visible = decision_for_row(decision, R1, row)
        assert visible is None or all(RANK[m] >= RANK[dict(decision.masks)[n]] for n, m in visible.items())


_any = st.text(max_size=5) | st.sampled_from(["D2", "R1", "M1", "query", "batch", "id"])
_anys = st.lists(_any, max_size=3).map(tuple)


@PROPERTY
@given(worlds(), st.builds(AccessRequest, _any, _any, _any, _anys, _anys, st.none() | _any, st.none() | _any), times)
def test_it_is_total_over_all_texts(world, request_, on):
    list_, held = world
    decision = decide(request_, list_, held, on)
    assert all(reason.text("zh") for reason in decision.reasons)


# Policy.


def a_policy():
    from .test_decide import GRANT

    return Policy(LIST, [GRANT])


def test_what_callers_invent_is_not_kept():
    from .test_decide import NOON, REQUEST

    policy = a_policy()
    for number in range(50):
        for change in ({"consumer": f"D{number}x"}, {"resource": f"R{number}x"}, {"purpose": f"M{number}x"}):
            policy.decide(replace(REQUEST, **change), NOON)
        for change in ({"action": f"a{number}"}, {"grant": f"G{number}x"}, {"fields": (f"f{number}",)}):
            policy.decide(replace(REQUEST, **change), NOON)
    assert len(policy._rights) <= 1
    assert len(policy._terms) <= 1


def test_what_is_kept_is_bounded(monkeypatch):
    from .test_decide import NOON, REQUEST

    monkeypatch.setattr("catalog.policy._MAX_TERMS", 3)
    policy = a_policy()
    for purpose in ("M1", "M2", None):
        for action in ("query", "verify", "batch"):
            request_ = replace(REQUEST, purpose=purpose, action=action)
            assert policy.decide(request_, NOON) == decide(request_, LIST, policy.rights("D2", "R1").grants, NOON)
            assert len(policy._terms) <= 3


def test_rights_decide_for_their_own_pair_alone_and_at_a_known_time():
    from .test_decide import NOON, REQUEST

    rights = a_policy().rights("D2", "R1")
    assert rights is not None
    assert rights.decide(REQUEST, NOON).allowed
    for change in ({"consumer": "D1"}, {"resource": "R2"}):
        with pytest.raises(ValueError, match="another"):
            rights.decide(replace(REQUEST, **change), NOON)
    for ask in (rights.decide, a_policy().decide):
        with pytest.raises(ValueError, match="zone"):
            ask(REQUEST, NOON.replace(tzinfo=None))


def test_grants_are_sought_once_for_a_pair():
    from .test_decide import GRANT, NOON, REQUEST

    sought = []

    def find(consumer, resource):
        sought.append((consumer, resource))
        return [GRANT]

    policy = Policy.over(LIST, find)
    for _ in range(3):
        assert policy.decide(REQUEST, NOON).allowed
    # A store that gives another's grants away by mistake opens nothing.
    assert not policy.decide(replace(REQUEST, consumer="D1"), NOON).allowed
    assert sought == [("D2", "R1"), ("D1", "R1")]


def test_what_was_worked_out_once_is_not_worked_out_again(monkeypatch):
    from .test_decide import GRANT, NOON, REQUEST

    others = [replace(GRANT, id=f"G{number}", consumer="D1") for number in range(2_000)]
    policy = Policy(LIST, [*others, GRANT])
    assert policy.decide(REQUEST, NOON).allowed
    assert policy.rights("D2", "R1").grants == (GRANT,)
    monkeypatch.setattr("catalog.policy.against_list", None)
    monkeypatch.setattr("catalog.policy._Terms._span_at", None)
    for fields in ((), ("id",), ("name", "phone"), ("phone", "id", "phone")):
        assert policy.decide(replace(REQUEST, fields=fields), NOON).allowed
    for change in ({"fields": ("nosuch",)}, {"lookup": ()}):
        assert not policy.decide(replace(REQUEST, **change), NOON).allowed


def test_a_grant_begins_and_ends_for_a_policy_that_was_asked_before():
    from .test_decide import GRANT, REQUEST

    start, rest = T0 + timedelta(days=1), T0 + timedelta(days=2)
    policy = Policy(LIST, [replace(GRANT, starts=start, suspended_at=rest)])
    just = timedelta(microseconds=1)
    moments = [(start - just, False), (start, True), (rest - just, True), (rest, False)]
    for on, allowed in [*moments, *reversed(moments)]:
        assert policy.decide(REQUEST, on).allowed is allowed
