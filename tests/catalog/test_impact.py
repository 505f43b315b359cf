"""What a change takes from whom: everything that is lost is named, and nothing else, as `decide` itself has it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.decide import AccessRequest, Grant, decide
from catalog.diff import compare
from catalog.impact import GRANT, LICENCE_KIND, NEED, PIPELINE, Dependent, Effect, impact, summary
from catalog.model import (
    FieldKind,
    FieldType,
    Mask,
    Prohibition,
    ResponsibilityList,
    ShareType,
)
from tests.catalog.conftest import make_list, make_resource

OLD = replace(make_list(), responsibilities=(replace(make_list().responsibilities[0], purposes=("M1", "M2")),))
G1 = Dependent(GRANT, "G1", "D2", "R1", ("name", "phone"), ("M1", "M2"), "社保大厅")
G2 = Dependent(GRANT, "G2", "D2", "R1", ("name",), ("M2",))
DAG = Dependent(
    PIPELINE, "R1", "", "R1", ("id", "name", "phone", "secret", "capital", "changed"), (), vital=("id", "changed")
)
KIND = Dependent(
    LICENCE_KIND, "营业执照", "D1", "R1", ("name", "capital"), ("*",), vital=("id", "name"), lookup=("id",)
)
NEEDED = Dependent(NEED, "M1/R1", "D2", "R1", ("name",), ("M1",))
OWN = Dependent(GRANT, "G3", "D1", "R1", ("name",), ("M3",))
ALL = (G1, G2, DAG, NEEDED)


def found(new, *dependents, old=OLD):
    return impact(compare(old, new), new, dependents, old=old)


def without_field(name):
    resource = make_resource()
    return make_resource(fields=tuple(f for f in resource.fields if f.name != name))


def with_field(name, **changes):
    return make_resource(fields=tuple(replace(f, **changes) if f.name == name else f for f in make_resource().fields))


def with_resource(resource, **changes):
    return replace(OLD, resources=(resource, *OLD.resources[1:]), **changes)


def line(**changes):
    return replace(OLD, responsibilities=(replace(OLD.responsibilities[0], **changes),))


def test_a_dropped_field_is_told_to_each_who_reads_it_and_to_nobody_else():
    breaks = found(with_resource(without_field("phone")), *ALL)
    assert [(b.dependent.id, b.effect, b.fields) for b in breaks] == [
        ("G1", Effect.NARROWED, ("phone",)),
        ("R1", Effect.NARROWED, ("phone",)),
    ]
    breaks = found(with_resource(without_field("name")), *ALL)
    assert [(b.dependent.id, b.effect) for b in breaks] == [
        ("G1", Effect.NARROWED),
        ("G2", Effect.LOST),
        ("R1", Effect.NARROWED),
        ("M1/R1", Effect.LOST),
    ]
    assert summary(breaks, "en") == (
        "1 grant loses it; 1 need of a matter loses it; 1 grant is narrowed; 1 pipeline is narrowed"
    )
    assert summary(breaks, "zh") == "1 项授权失效；1 项事项用数失效；1 项授权范围缩小；1 个归集任务范围缩小"
    assert breaks[1].text("en").startswith("grant `G2` loses it, of name: Market Supervision (D1) no longer owes")
    assert breaks[0].text("zh").startswith("授权 `G1`（社保大厅）范围缩小，涉及信息项 name：")


def test_a_dropped_purpose_takes_it_alone():
    (first, second) = found(line(purposes=("M1",)), G1, G2)
    assert (first.effect, first.purposes, first.fields) == (Effect.NARROWED, ("M2",), ("name", "phone"))
    assert (second.effect, second.purposes) == (Effect.LOST, ())
    assert found(line(purposes=("*",)), G1, G2) == ()


def test_what_another_line_still_gives_is_not_lost():
    first = OLD.responsibilities[0]
    other = replace(first, consumers=("*",), purposes=("M1",), ground="另一依据")
    old = replace(OLD, responsibilities=(first, other))
    breaks = found(replace(OLD, responsibilities=(other,)), G1, G2, NEEDED, old=old)
    assert [(b.dependent.id, b.effect, b.purposes) for b in breaks] == [
        ("G1", Effect.NARROWED, ("M2",)),
        ("G2", Effect.LOST, ()),
    ]


def test_what_was_lost_earlier_is_not_told_again():
    before = line(purposes=("M1",))
    after = with_resource(without_field("phone"), responsibilities=before.responsibilities)
    breaks = found(after, G1, G2, old=before)
    assert [(b.dependent.id, b.fields, b.purposes) for b in breaks] == [("G1", ("phone",), ("M1",))]


@pytest.mark.parametrize(
    ("new", "effects"),
    [
        (replace(OLD, resources=OLD.resources[1:], responsibilities=()), {Effect.LOST}),
        (with_resource(make_resource(share_type=ShareType.NOT_SHARED)), {Effect.LOST}),
        (replace(OLD, responsibilities=()), {Effect.LOST}),
        (line(consumers=("D1",)), {Effect.LOST}),
        (replace(OLD, matters=()), {Effect.LOST}),
        (replace(OLD, prohibitions=(Prohibition("R1", ("*",), ("*",), "《某法》"),)), {Effect.LOST}),
        (with_resource(with_field("id", lookup=False)), {Effect.LOST}),
        (with_resource(replace(make_resource(), code="R9")), {Effect.MUST_BE_REDRAWN}),
        (with_resource(with_field("name", mask=Mask.REDACT)), {Effect.NARROWED}),
        (with_resource(with_field("name", type=FieldType(FieldKind.INTEGER))), {Effect.MUST_BE_REDRAWN}),
        (
            replace(OLD, departments=(OLD.departments[0], replace(OLD.departments[1], code="D9"))),
            {Effect.MUST_BE_REDRAWN},
        ),
        (with_resource(make_resource(share_type=ShareType.UNCONDITIONAL)), set()),
        (with_resource(with_field("name", grade=4)), set()),
        (with_resource(with_field("name", mask=Mask.NONE)), set()),
    ],
)
def test_what_becomes_of_a_grant(new, effects):
    assert {b.effect for b in found(new, G2)} == effects


def test_a_grant_that_masks_already_loses_nothing_to_the_same_mask():
    new = with_resource(with_field("name", mask=Mask.SURNAME))
    assert found(new, replace(G2, masks=(("name", Mask.SURNAME),))) == ()
    assert len(found(new, replace(G2, masks=(("name", Mask.YEAR),)))) == 1


def test_rows_and_regions_that_a_grant_rests_on():
    by_region = replace(G2, vital=("capital",))
    (lost,) = found(with_resource(without_field("capital")), by_region)
    assert (lost.effect, lost.fields) == (Effect.LOST, ("name", "capital"))
    old = with_resource(make_resource(region_field="capital"))
    (redrawn,) = found(with_resource(make_resource(region_field="name")), by_region, G2, old=old)
    assert redrawn.effect is Effect.MUST_BE_REDRAWN


def test_a_provider_keeps_its_own_use_as_long_as_it_owes():
    old = replace(OLD, matters=(*OLD.matters, replace(OLD.matters[0], code="M3", department="D1")))
    moved = replace(old, responsibilities=(replace(OLD.responsibilities[0], provider="D2"),))
    (lost,) = found(moved, OWN, old=old)
    assert (lost.effect, lost.change.code) == (Effect.LOST, "provider_changed")
    given = replace(old, matters=(*OLD.matters, replace(OLD.matters[0], code="M3", department="D2")))
    (lost,) = found(given, OWN, old=old)
    assert (lost.effect, lost.change.attribute) == (Effect.LOST, "department")


@pytest.mark.parametrize(
    ("resource", "effects"),
    [
        (without_field("changed"), [Effect.MUST_BE_REDRAWN]),
        (without_field("capital"), [Effect.NARROWED]),
        (with_field("name", key=True), [Effect.MUST_BE_REDRAWN]),
        (with_field("name", type=FieldType(FieldKind.INTEGER)), [Effect.MUST_BE_REDRAWN]),
        (with_field("name", type=FieldType(FieldKind.STRING, 3)), [Effect.NARROWED]),
        (with_field("name", mask=Mask.REDACT), []),
        (replace(make_resource(), code="R9"), [Effect.MUST_BE_REDRAWN]),
        (make_resource(share_type=ShareType.NOT_SHARED), []),
    ],
)
def test_what_becomes_of_a_pipeline(resource, effects):
    assert [b.effect for b in found(with_resource(resource), DAG)] == effects
    dropped = replace(OLD, resources=OLD.resources[1:], responsibilities=())
    assert [b.effect for b in found(dropped, DAG)] == [Effect.LOST]


def test_what_becomes_of_a_licence_kind():
    old = replace(OLD, matters=(*OLD.matters, replace(OLD.matters[0], code="M3", department="D1")))

    def effects(resource):
        return [b.effect for b in found(replace(old, resources=(resource, *old.resources[1:])), KIND, old=old)]

    assert effects(without_field("name")) == [Effect.LOST]
    assert effects(without_field("capital")) == [Effect.NARROWED]
    assert effects(without_field("phone")) == []
    # A licence states facts, and of masked ones none can be made.
    assert effects(with_field("capital", mask=Mask.YEAR)) == [Effect.LOST]
    looked_up = with_field("id", lookup=False)
    looked_up = replace(looked_up, fields=tuple(replace(f, lookup=f.name == "name") for f in looked_up.fields))
    assert effects(looked_up) == [Effect.LOST]


# Everything that `decide` allowed and no longer allows is named, and nothing is named that it still allows.

T0 = datetime(2024, 1, 1, tzinfo=UTC)


@st.composite
def changed_lists(draw) -> ResponsibilityList:
    """The list above, changed in some of the ways that take something away."""
    resource = make_resource()
    fields = [f for f in resource.fields if f.key or draw(st.integers(0, 4))]
    fields = [
        replace(f, share_type=draw(st.sampled_from([f.share_type, f.share_type, ShareType.NOT_SHARED])))
        if f.name == "phone"
        else f
        for f in fields
    ]
    first = OLD.responsibilities[0]
    lines = tuple(
        replace(
            first,
            consumers=draw(st.sampled_from([("D2",), ("D2",), ("D1",), ("*",)])),
            purposes=draw(st.sampled_from([("M1", "M2"), ("M1",), ("M2",), ("*",)])),
            ground=ground,
        )
        for ground in draw(st.sampled_from([[first.ground], [first.ground], [first.ground, "另"], []]))
    )
    return replace(
        OLD,
        resources=(replace(resource, fields=tuple(fields)), *OLD.resources[1:]),
        responsibilities=lines,
        matters=OLD.matters[: draw(st.sampled_from([2, 2, 1]))],
    )


def allowed(list_, dependent):
    """Every (purpose, field) that the grant of *dependent* opens under *list_*, asked of `decide` one by one."""
    grant = Grant(
        id=dependent.id,
        consumer=dependent.consumer,
        resource=dependent.resource,
        fields=dependent.fields,
        masks=(),
        purposes=dependent.purposes,
        actions=("query",),
        starts=T0,
        expires=T0 + timedelta(days=1),
        list_version="",
        ground="",
    )
    return {
        (purpose, field)
        for purpose in dependent.purposes
        for field in dependent.fields
        if decide(
            AccessRequest(dependent.consumer, dependent.resource, "query", (field,), ("id",), purpose),
            list_,
            [grant],
            T0,
        ).allowed
    }


@given(changed_lists(), changed_lists())
@settings(max_examples=150, deadline=None)
def test_exactly_what_decisions_no_longer_allow_is_named(old, new):
    for dependent in (G1, G2):
        before, after = allowed(old, dependent), allowed(new, dependent)
        breaks = found(new, dependent, old=old)
        named = {
            (purpose, field)
            for item in breaks
            for purpose in item.purposes or dependent.purposes
            for field in item.fields
        }
        assert before - after <= named
        assert {field for _, field in named} == {field for _, field in before - after}
        assert bool(breaks) == bool(before - after)
        if breaks:
            assert {b.effect for b in breaks} == ({Effect.NARROWED} if after else {Effect.LOST})
