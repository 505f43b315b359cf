from dataclasses import replace
from datetime import date

import pytest

from catalog.model import Disposition, Field, FieldKind, FieldType, SourceRef
from hub.errors import OrderInvalidError
from hub.orders import LoadOrder, Mode
from tests.hub import world as worlds


def resource(kind=FieldKind.DATETIME):
    fields = (Field("no", "编号", FieldType(FieldKind.STRING), key=True), Field("changed", "更新", FieldType(kind)))
    return worlds.resource(
        disposition=Disposition.MERGE, source=SourceRef("s", "o", cursor_field="changed"), fields=fields
    )


def test_nothing_asked_for_is_the_usual_load():
    assert LoadOrder.from_params({}) == LoadOrder()
    assert (
        LoadOrder.from_params({"full": False, "since": "", "until": "", "replay": False, "dry_run": False})
        == LoadOrder()
    )


@pytest.mark.parametrize(
    ("params", "mode"),
    [({"full": True}, Mode.FULL), ({"replay": True}, Mode.REPLAY), ({"until": "2026-01-02"}, Mode.WINDOW)],
)
def test_one_thing_asked_for_is_that(params, mode):
    assert LoadOrder.from_params(params).mode is mode


@pytest.mark.parametrize(
    "params",
    [
        {"full": True, "replay": True},
        {"full": True, "since": "2026-01-01"},
        {"since": "2026-01-03", "until": "2026-01-02"},
    ],
)
def test_what_contradicts_itself_is_refused(params):
    with pytest.raises(OrderInvalidError):
        LoadOrder.from_params(params)


def test_a_day_that_is_backfilled_is_the_whole_of_it():
    order = LoadOrder.from_params({}, day="2026-01-02")
    assert order.window_of(resource()) == ("2026-01-02", "2026-01-02T23:59:59.999999")
    assert order.window_of(resource(FieldKind.DATE)) == ("2026-01-02", "2026-01-02")


def test_an_open_range_stays_open():
    assert LoadOrder.from_params({"since": "2026-01-02"}).window_of(resource()) == ("2026-01-02", "")


@pytest.mark.parametrize("end", ["2026-13-01", "yesterday", "1"])
def test_an_end_that_is_no_day_is_named(end):
    with pytest.raises(OrderInvalidError, match="no day or time"):
        LoadOrder.from_params({"since": end}).window_of(resource())


def test_a_resource_without_a_cursor_has_no_ranges():
    whole = replace(resource(), source=SourceRef("s", "o"), disposition=Disposition.REPLACE)
    with pytest.raises(OrderInvalidError, match="no cursor field"):
        LoadOrder.from_params({"since": "2026-01-02"}).window_of(whole)
    assert LoadOrder(Mode.FULL).window_of(whole) is None


def test_orders_survive_their_way_between_tasks():
    order = LoadOrder(Mode.WINDOW, "2026-01-01", date(2026, 1, 2).isoformat(), dry_run=True)
    assert LoadOrder.from_json(order.to_json()) == order
