from __future__ import annotations

import dataclasses

import pytest

from catalog.model import Disposition, FieldKind
from tests.warehouse.conftest import field, make_resource
from warehouse.errors import SchemaIncompatibleError
from warehouse.evolve import Evolution, evolution
from warehouse.schema import new_schema


def resource(*fields, disposition=Disposition.MERGE, **more):
    return make_resource(disposition, (field("code", key=True, lookup=True), *fields), **more)


def test_a_field_renamed_keeps_its_column_and_values(loader):
    before = resource(field("phone", length=20))
    loader.load(before, [("a", "1"), ("b", "2")])
    old = loader.house.current_snapshot(before.code)
    ids = loader.house.field_ids(before)
    after = resource(field("mobile", length=20, aliases=("tel", "phone")))
    loader.load(after, [("b", "3")])
    assert loader.house.field_ids(after) == {"code": ids["code"], "mobile": ids["phone"]}
    assert loader.rows(after, fields=["code", "mobile"]) == [("a", "1"), ("b", "3")]
    assert loader.rows(after, old, fields=["mobile"]) == [("1",), ("2",)]
    assert loader.house.fsck(deep=True) == []


def test_an_alias_of_a_column_that_the_list_keeps_is_another_field(loader):
    before = resource(field("phone"))
    loader.load(before, [("a", "1")])
    after = resource(field("phone"), field("mobile", aliases=("phone",)))
    loader.load(after, [("b", "3", "4")])
    assert loader.rows(after) == [("a", "1", None), ("b", "3", "4")]


def test_a_key_renamed_is_still_the_key(loader):
    before = resource(field("value"))
    loader.load(before, [("a", "1"), ("b", "2")])
    after = make_resource(
        Disposition.MERGE, (field("number", key=True, lookup=True, aliases=("code",)), field("value"))
    )
    done = loader.load(after, [("a", "9")])
    assert (done.inserted, done.updated) == (0, 1)
    assert loader.rows(after) == [("a", "9"), ("b", "2")]


def test_a_number_may_grow_before_its_point(loader):
    before = resource(field("amount", FieldKind.DECIMAL, 6, 2), field("name", length=5))
    loader.load(before, [("a", "1234.56", "x")])
    after = resource(field("amount", FieldKind.DECIMAL, 14, 2), field("name", length=500))
    loader.load(after, [("b", "123456789012.34", "y" * 100)])
    assert loader.rows(after, fields=["amount"]) == [("1234.56",), ("123456789012.34",)]
    table = loader.table(after)
    assert str(table.schema().find_field("amount").field_type) == "decimal(14, 2)"
    assert table.scan().to_arrow().num_rows == 2
    assert loader.house.fsck(deep=True) == []
    # A list that allows less again needs no other column; its contract judges what comes.
    assert loader.load(before, [("c", "1.00", "z")]).inserted == 1


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ((FieldKind.DECIMAL, 6, 2), (FieldKind.DECIMAL, 8, 3)),
        ((FieldKind.DECIMAL, 8, 3), (FieldKind.DECIMAL, 8, 2)),
        ((FieldKind.STRING, 10, 0), (FieldKind.INTEGER, 0, 0)),
        ((FieldKind.INTEGER, 0, 0), (FieldKind.STRING, 10, 0)),
        ((FieldKind.DATE, 0, 0), (FieldKind.DATETIME, 0, 0)),
    ],
)
def test_other_types_are_for_a_person(loader, was, now):
    loader.house.ensure(resource(field("x", *was)))
    with pytest.raises(SchemaIncompatibleError, match="`x`"):
        loader.house.ensure(resource(field("x", *now)))


def test_a_column_that_the_list_dropped_stays_and_comes_back(loader):
    both = resource(field("x"), field("y"))
    loader.load(both, [("a", "1", "2")])
    loader.load(resource(field("x")), [("b", "1")])
    loader.load(both, [("c", "1", "3")])
    assert loader.rows(both, fields=["y"]) == [("2",), (None,), ("3",)]


def test_what_is_as_it_should_be_is_left_alone(loader):
    wanted = resource(field("x"))
    loader.house.ensure(wanted)
    before = loader.table(wanted).metadata_location
    loader.house.ensure(wanted)
    loader.house.ensure(dataclasses.replace(wanted, name="别的名称"))
    assert loader.table(wanted).metadata_location == before
    assert evolution(wanted, new_schema(wanted)) == Evolution()


def test_tables_say_how_they_are_sorted(loader):
    wanted = make_resource(Disposition.MERGE, (field("b", key=True), field("x"), field("a", key=True)))
    loader.house.ensure(wanted)
    table = loader.table(wanted)
    order = [table.schema().find_field(f.source_id).name for f in table.sort_order().fields]
    assert order == ["b", "a"]
    assert table.spec().is_unpartitioned()
    assert table.properties["write.parquet.compression-codec"] == "zstd"


def test_field_ids_are_known_before_the_table_is(loader):
    wanted = resource(field("x"))
    assert loader.house.field_ids(wanted) == {"code": 1, "x": 2}
    loader.house.ensure(wanted)
    assert loader.house.field_ids(wanted) == {"code": 1, "x": 2}
