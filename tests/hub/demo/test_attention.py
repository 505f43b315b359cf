"""What the second day leaves to people is found, done once, and then gone."""

from __future__ import annotations

import dataclasses

import pytest

from hub.demo.attention import CHANGED_UNSEEN, HISTORY, differs
from hub.demo.faults import REFERENCES
from hub.demo.story import OFFICE, Story
from hub.ingestion import run_here
from hub.orders import LoadOrder
from hub.scheduler import free_port
from hub.settings import Settings
from warehouse.errors import DriftWaitsError

UNITS, TENANCIES, MACHINES, TREES, LINES = "3140010001", "3140010002", "3070010002", "3100020001", "3130020001"
LOADED = (UNITS, TENANCIES, TREES, LINES, HISTORY, CHANGED_UNSEEN)


@pytest.fixture
def story(tmp_path):
    settings = dataclasses.replace(Settings.at(tmp_path / "var"), api_port=free_port())
    story = Story(settings, scale=0.01)
    story.build_city()
    story.open_systems()
    story.publish()
    yield story
    story.stop()


def load(story, run, codes=LOADED):
    for code in codes:
        run_here(story.settings, code, run)
    return {report.resource: report for report in story.reports(run)}


def told(report):
    return report.inserted, report.updated, report.deleted


def test_what_needs_a_person_is_found_done_and_gone(story):
    made = story.build_city().resources
    first = load(story, "day-1", (*LOADED, MACHINES))
    assert first[TENANCIES].reasons == {"no_reference:unit_no": 1, "cross_field:ends_on": 1}
    attention = story.attention
    assert attention.sweep() == []
    assert attention.orders([], OFFICE) == {TENANCIES: {"replay": True}}

    changes = story.next_day().resources
    second = load(story, "day-2")
    with pytest.raises(DriftWaitsError, match="registered_on"):
        run_here(story.settings, MACHINES, "day-2")
    expected = {code: changes[code] for code in LOADED if code in changes}
    assert {code: told(second[code]) for code in expected} == {
        code: (change.inserted, change.updated, change.deleted) for code, change in expected.items()
    }

    # A change that no usual load sees, and one that nobody may take unasked.
    attention.change_unseen()
    assert told(load(story, "day-2-again", (CHANGED_UNSEEN,))[CHANGED_UNSEEN]) == (0, 0, 0)
    compared = [attention.compare(code) for code in (HISTORY, CHANGED_UNSEEN)]
    assert [differs(one) for one in compared] == [False, True]
    assert [compared[1][name] for name in ("missing", "extra", "changed")] == [0, 0, 1]
    shapes = {one.resource: one for one in attention.shapes(changes)}
    assert {code: one.status for code, one in shapes.items()} == {LINES: "accepted", MACHINES: "waiting"}
    assert "air_conditioned" in shapes[LINES].report["en"][0]
    assert {alert.kind for alert in attention.sweep()} == {"drift_waits", "differs"}

    orders = attention.orders(compared, OFFICE)
    assert orders == {MACHINES: {}, TENANCIES: {"replay": True}, CHANGED_UNSEEN: {"full": True}}
    for code, form in orders.items():
        run_here(story.settings, code, "mend", LoadOrder.from_params(form))
    mended = {report.resource: report for report in story.reports("mend")}
    assert told(mended[MACHINES]) == (changes[MACHINES].inserted, 0, 0)
    assert told(mended[TENANCIES]) == (changes[TENANCIES].replayed, 0, 0)
    assert told(mended[CHANGED_UNSEEN]) == (0, 1, 0)
    city = story.build_city()
    codes = (*LOADED, MACHINES)
    assert {code: story.warehouse.count(code) for code in codes} == {code: city.table_rows(code) for code in codes}

    # Nothing is left, however often somebody looks, and the clerk cannot write the same again.
    attention.change_unseen()
    assert not any(differs(attention.compare(code)) for code in (HISTORY, CHANGED_UNSEEN, MACHINES))
    assert attention.sweep() == []
    assert attention.orders([], OFFICE) == {}
    assert attention.damage() == []
    assert {report.outcome for report in load(story, "day-2-last", codes).values()} == {"unchanged"}

    # The feed has a line for each change, and none for each record of the first load.
    change = changes[HISTORY]
    assert attention.changes(HISTORY) == {"baseline": 1, "update": change.updated, "delete": change.deleted}
    assert made[HISTORY].table_rows > 50


def test_what_refers_to_another_is_loaded_after_it(story):
    class Airflow:
        def __init__(self):
            self.done = []

        def unpause(self, dag_id, *, paused):
            self.done.append(("pause" if paused else "unpause", dag_id))

        def create_run(self, dag_id, run, *, conf):
            self.done.append(("create", dag_id, conf))

        def start_runs(self, dag_ids, run):
            self.done.append(("start", tuple(dag_ids)))

        def watch(self, dag_ids, run, *, timeout_s):
            yield list(dag_ids)

    airflow = Airflow()
    (refers,) = REFERENCES
    assert refers == TENANCIES
    seen = list(story.ingest(airflow, [TENANCIES, UNITS], "one", {}))
    assert airflow.done == [("start", (f"ingest.{UNITS}",)), ("start", (f"ingest.{TENANCIES}",))]
    assert [len(states) for states in seen] == [2, 2]

    # An order is made before its DAG may run; what is there to refer to needs no waiting.
    load(story, "units", (UNITS,))
    airflow.done.clear()
    list(story.ingest(airflow, [TENANCIES, UNITS], "two", {TENANCIES: {"replay": True}}))
    dag = f"ingest.{TENANCIES}"
    assert airflow.done == [
        ("pause", dag),
        ("create", dag, {"replay": True}),
        ("start", (dag, f"ingest.{UNITS}")),
    ]
