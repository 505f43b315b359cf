import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.load import load
from hub import registry

REPOSITORY = Path(__file__).parents[2]
DAG_FILE = REPOSITORY / "dags" / "ingest_resources.py"
LIST = load(REPOSITORY / "demo" / "responsibilities.yaml")


def draw(home, file=DAG_FILE.name, **environ):
    env = {
        **os.environ,
        "ZHENGTONG_HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        **environ,
    }
    command = [sys.executable, str(Path(__file__).with_name("draw.py")), str(DAG_FILE.with_name(file))]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def compiled():
    return registry.compile_list(LIST, outlet_root="file:///warehouse/data", connections={"ga-population": 2})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    registry.write(compiled(), folder / "lists" / "registry.json")
    return folder


@pytest.fixture(scope="module")
def drawn(home):
    return draw(home)


def ingesting(drawn):
    return {name: dag for name, dag in drawn["dags"].items() if name.startswith("ingest.")}


def test_every_resource_has_a_dag_of_its_own(drawn):
    assert set(ingesting(drawn)) == {f"ingest.{resource.code}" for resource in LIST.resources}


def test_every_dag_is_the_same_four_steps_in_order(drawn):
    for dag in ingesting(drawn).values():
        following = {name: task["downstream"] for name, task in dag["tasks"].items()}
        assert following == {"extract": ["check"], "check": ["commit"], "commit": ["index"], "index": []}


def test_only_reading_takes_a_connection_of_the_source(drawn):
    pools = compiled()["pools"]
    assert pools["source.ga-population"] == 2
    for dag in ingesting(drawn).values():
        assert dag["tasks"]["extract"]["pool"] in pools
        assert {dag["tasks"][name]["pool"] for name in ("check", "commit", "index")} == {"default_pool"}


def test_one_run_at_a_time_and_never_a_backlog_at_first_sight(drawn):
    for name, dag in drawn["dags"].items():
        assert (dag["catchup"], dag["start_date"]) == (False, "None"), name
    assert {dag["max_active_runs"] for dag in ingesting(drawn).values()} == {1}


def test_a_commit_announces_its_table_by_a_uri_that_lineage_tools_know(drawn):
    for name, dag in ingesting(drawn).items():
        assert dag["tasks"]["commit"]["outlets"] == [f"file:///warehouse/data/{name.removeprefix('ingest.')}"]


def test_dags_carry_chinese_names_and_a_page_about_the_resource(drawn):
    population = drawn["dags"]["ingest.3010010001"]
    assert population["title"] == "常住人口基本信息 · 阜阳市公安局"
    assert "公民身份号码" in population["doc"]


def test_parsing_imports_no_engine(drawn):
    assert drawn["heavy"] == []


def test_two_parses_serialise_to_the_same_bytes(home, drawn):
    again = draw(home)
    assert {n: d["serialized"] for n, d in again["dags"].items()} == {
        n: d["serialized"] for n, d in drawn["dags"].items()
    }


def test_inside_a_task_only_its_own_dag_is_drawn(home):
    within = draw(home, _AIRFLOW_PARSING_CONTEXT_DAG_ID="ingest.3010010001", _AIRFLOW_PARSING_CONTEXT_TASK_ID="extract")
    assert list(ingesting(within)) == ["ingest.3010010001"]


def test_a_row_that_cannot_be_drawn_hides_no_other_and_fails_the_health_check(tmp_path):
    rows = compiled()
    rows["resources"][0]["cron"] = "not a schedule"
    rows["resources"][1]["error"] = "KeyError('unknown cadence')"
    registry.write(rows, tmp_path / "lists" / "registry.json")
    drawn = draw(tmp_path)
    assert len(ingesting(drawn)) == len(LIST.resources) - 2
    told = drawn["dags"]["list_health"]["serialized"]
    assert rows["resources"][0]["code"] in told
    assert rows["resources"][1]["code"] in told


def test_without_a_published_list_there_is_only_the_health_check(tmp_path):
    assert list(draw(tmp_path)["dags"]) == ["list_health"]


def test_every_rule_of_the_retry_policy_names_an_error_that_exists(drawn):
    policy = drawn["dags"]["ingest.3010010001"]["tasks"]["extract"]["policy"]
    for rule in policy["rules"]:
        module, _, name = rule["exception"].rpartition(".")
        error = getattr(importlib.import_module(module), name)
        # The bases come last and fail at once; what is listed before them must be worth trying again.
        if name in {"ConnectorError", "WarehouseError"}:
            assert rule["action"] == "fail"
        else:
            assert rule["action"] == "retry"
            assert getattr(error, "retryable", True)


def test_every_retryable_connector_error_is_tried_again(drawn):
    errors = importlib.import_module("connectors.errors")
    policy = drawn["dags"]["ingest.3010010001"]["tasks"]["extract"]["policy"]
    retried = {r["exception"].rpartition(".")[2] for r in policy["rules"] if r["action"] == "retry"}
    concrete = {c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.ConnectorError)}
    for error in concrete - {errors.ConnectorError}:
        if error.retryable:
            assert any(base.__name__ in retried for base in error.__mro__), error


def test_cron_spreads_resources_over_the_night_and_follows_the_cadence():
    rows = {row["code"]: row for row in compiled()["resources"]}
    assert len({row["cron"] for row in rows.values()}) > len(rows) / 2
    for resource in LIST.resources:
        minute, hour, day, month, weekday = rows[resource.code]["cron"].split()
        assert 0 <= int(minute) < 60
        if resource.cadence == "2":
            assert (day, month, weekday) == ("*", "*", "*")
            assert 1 <= int(hour) < 5
        if resource.cadence == "6":
            assert (day, month) == ("1", "1")


def test_status_lists_are_kept_fresh_by_a_dag_of_their_own(home):
    drawn = draw(home, file="publish_status.py")
    dag = drawn["dags"]["dag"]
    assert list(dag["tasks"]) == ["publish"]
    assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)
    assert drawn["heavy"] == []
