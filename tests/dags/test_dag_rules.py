"""Rules that hold for every DAG, over what the files draw from a compiled list."""

import importlib
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.load import load
from hub import registry

REPOSITORY = Path(__file__).parents[2]
DAGS = REPOSITORY / "dags"
SHARED = "zhengtong_shared.py"
INGEST = "ingest_resources.py"
FILES = sorted(path.name for path in DAGS.glob("*.py") if path.name != SHARED)
LIST = load(REPOSITORY / "demo" / "responsibilities.yaml")
POPULATION = "ingest.3010010001"


def python(script, *arguments, **environ):
    env = {**os.environ, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR", **environ}
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def draw(home, *files, **environ):
    paths = [DAGS / file for file in files or (INGEST,)]
    return python("draw.py", *paths, ZHENGTONG_HOME=str(home), AIRFLOW_HOME=str(home / "airflow"), **environ)


def compiled():
    return registry.compile_list(LIST, outlet_root="file:///warehouse/data", connections={"ga-population": 2})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    registry.write(compiled(), folder / "lists" / "registry.json")
    return folder


@pytest.fixture(scope="module")
def everything(home):
    return draw(home, *FILES)


@pytest.fixture(scope="module")
def drawn(everything):
    return everything["files"][INGEST]


@pytest.fixture(scope="module")
def every_dag(everything):
    return {name: dag for dags in everything["files"].values() for name, dag in dags.items()}


def ingesting(drawn):
    return {name: dag for name, dag in drawn.items() if name.startswith("ingest.")}


def chinese(text):
    return any("\u4e00" <= character <= "\u9fff" for character in text)


# --- every DAG --------------------------------------------------------------------------------------------------------


def test_no_two_files_draw_the_same_dag(everything):
    drawn = Counter(name for dags in everything["files"].values() for name in dags)
    assert [name for name, times in drawn.items() if times > 1] == []
    assert all(everything["files"].values())


def test_parsing_opens_nothing_and_imports_no_engine(everything, home):
    assert everything["opened"] == []
    assert everything["heavy"] == []
    assert not (home / "control.sqlite").exists()


def test_every_dag_and_task_has_a_chinese_name_and_a_page_in_both_languages(every_dag):
    for name, dag in every_dag.items():
        assert chinese(dag["title"]), name
        assert chinese(dag["doc"]), name
        assert any(word.isascii() and word.isalpha() and len(word) > 3 for word in dag["doc"].split()), name
        assert dag["tags"], name
        for task, about in dag["tasks"].items():
            assert chinese(about["title"]), (name, task)


def test_every_task_takes_its_slot_from_a_pool_that_there_is(every_dag):
    pools = {"default_pool", *compiled()["pools"]}
    for name, dag in every_dag.items():
        assert {task["pool"] for task in dag["tasks"].values()} <= pools, name


def test_never_a_backlog_at_first_sight_and_one_run_at_a_time(every_dag):
    for name, dag in every_dag.items():
        assert (dag["catchup"], dag["start_date"]) == (False, "None"), name
        # The form only hands orders on, and any number of people may.
        assert dag["max_active_runs"] == 1 or name == "order_load", name


def test_two_parses_serialise_to_the_same_bytes(home, every_dag):
    again = draw(home, *FILES, PYTHONHASHSEED="7")["files"]
    for name, dag in ((name, dag) for dags in again.values() for name, dag in dags.items()):
        assert dag["serialized"] == every_dag[name]["serialized"], name


# --- resources --------------------------------------------------------------------------------------------------------


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


def test_runs_of_a_backfill_do_not_load_one_resource_at_once(drawn):
    # They have a limit of their own beside that of the DAG.
    for dag in ingesting(drawn).values():
        assert {task["at_once"] for task in dag["tasks"].values()} == {1}


def test_a_commit_announces_its_table_by_a_uri_that_lineage_tools_know(drawn):
    for name, dag in ingesting(drawn).items():
        assert dag["tasks"]["commit"]["outlets"] == [f"file:///warehouse/data/{name.removeprefix('ingest.')}"]


def test_resources_that_read_the_same_object_agree_on_its_name(tmp_path):
    rows = compiled()
    rows["resources"][1]["inlet"] = rows["resources"][0]["inlet"]
    registry.write(rows, tmp_path / "lists" / "registry.json")
    drawn = draw(tmp_path)["files"][INGEST]
    named = {}
    for dag in ingesting(drawn).values():
        for uri, name in zip(dag["tasks"]["extract"]["inlets"], dag["tasks"]["extract"]["inlet_names"], strict=True):
            # Airflow fails every task of an asset that has a second name.
            assert named.setdefault(uri, name) == name


def test_a_page_tells_about_the_resource(drawn):
    population = drawn[POPULATION]
    assert population["title"] == "常住人口基本信息 · 阜阳市公安局"
    assert "公民身份号码" in population["doc"]


def test_inside_a_task_only_its_own_dag_is_drawn_and_no_other_row_read(tmp_path):
    rows = compiled()
    registry.write(rows, tmp_path / "lists" / "registry.json")
    path = tmp_path / "lists" / "registry.json"
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join(line if f'"{POPULATION}"' in line else "{broken" for line in lines), encoding="utf-8")
    context = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": POPULATION, "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "extract"}
    assert list(draw(tmp_path, **context)["files"][INGEST]) == [POPULATION]


def test_inside_the_task_of_a_department_only_that_is_drawn(home, drawn):
    (name, *_) = (name for name in drawn if name.startswith("department."))
    context = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": name, "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "sum_up"}
    within = draw(home, **context)["files"][INGEST]
    assert list(within) == [name]
    assert within[name]["serialized"] == drawn[name]["serialized"]


def test_a_row_that_cannot_be_drawn_hides_no_other_and_fails_the_health_check(tmp_path):
    rows = compiled()
    rows["resources"][0]["cron"] = "not a schedule"
    rows["resources"][1]["error"] = "KeyError('unknown cadence')"
    rows["resources"][2]["dag"] = "ingest.not an id"
    del rows["resources"][3]["deadline_minutes"]
    registry.write(rows, tmp_path / "lists" / "registry.json")
    drawn = draw(tmp_path)["files"][INGEST]
    assert len(ingesting(drawn)) == len(LIST.resources) - 4
    told = drawn["list_health"]["serialized"]
    for row in rows["resources"][:4]:
        assert row["code"] in told


def test_without_a_published_list_there_is_only_the_health_check(tmp_path):
    assert list(draw(tmp_path)["files"][INGEST]) == ["list_health"]


def test_codes_of_the_national_standard_hold_a_slash_which_dags_do_not(tmp_path):
    resources = [replace(LIST.resources[0], code="306010/000001"), replace(LIST.resources[1], code="306010.000001")]
    rows = registry.compile_list(
        replace(LIST, resources=(*resources, *LIST.resources[2:])), outlet_root="file:///w", connections={}
    )
    assert rows["resources"][0]["dag"] == "ingest.306010.000001"
    assert "306010/000001" in rows["resources"][1]["error"]
    registry.write(rows, tmp_path / "lists" / "registry.json")
    drawn = draw(tmp_path)["files"][INGEST]
    assert drawn["ingest.306010.000001"]["title"].startswith(LIST.resources[0].name)
    assert "306010.000001" in drawn["list_health"]["serialized"]


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


def test_a_department_is_summed_up_when_its_daily_resources_are_in(drawn):
    daily = {}
    for row in compiled()["resources"]:
        if row["daily"]:
            daily.setdefault(f"department.{row['department']}", set()).add(row["outlet"])
    assert {name for name in drawn if name.startswith("department.")} == set(daily)
    for name, outlets in daily.items():
        for outlet in outlets:
            assert outlet in drawn[name]["serialized"]
        # A partitioned asset never wakes a DAG that is not partitioned, and says nothing of it.
        assert "PartitionedAssetTimetable" in drawn[name]["serialized"]


def test_every_dag_has_a_deadline_and_its_source_by_uri(drawn):
    rows = {row["dag"]: row for row in compiled()["resources"]}
    for name, dag in ingesting(drawn).items():
        assert "hub.overdue.deadline_missed" in dag["serialized"]
        assert dag["tasks"]["extract"]["inlets"] == [rows[name]["inlet"]]


# --- what is tried again ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    return python("decide.py", DAGS, AIRFLOW_HOME=str(tmp_path_factory.mktemp("airflow")))


def test_every_error_is_tried_again_or_not_by_its_class(decided):
    retried = {name.rpartition(".")[2] for name, (action, _) in decided["told"].items() if action == "retry"}
    assert retried == {
        "SourceUnavailableError",
        "SourceIncompleteError",
        "CommitConflictError",
        "CommitUnknownError",
        "StorageFullError",
        "StorageUnavailableError",
        "CatalogueUnavailableError",
        "TryAgainError",
        "BusyError",
        "BodyTooSlowError",
        "IndexUnavailableError",
        "EvidenceUnavailableError",
        "ControlUnavailableError",
        "StorageFullHubError",
    }
    # What nobody foresaw is left to the number of tries.
    assert decided["told"].pop("builtins.OSError") == ["default", None]
    assert {action for action, _ in decided["told"].values()} == {"retry", "fail"}


def test_whatever_a_connector_calls_worth_retrying_is_retried(decided):
    for name, (action, _) in decided["told"].items():
        module, _, kind = name.rpartition(".")
        if module == "connectors.errors":
            error = getattr(importlib.import_module(module), kind)
            assert (action == "retry") == error.retryable, name


def test_a_source_that_says_when_is_asked_no_sooner(decided):
    assert decided["asked_to_wait"] == ["retry", 90.0]


def test_every_task_that_reads_a_source_goes_by_the_policy(every_dag):
    for name, dag in every_dag.items():
        if name.startswith(("ingest.", "reconcile")):
            assert {task["policy"] for task in dag["tasks"].values()} == {"Patience"}, name
            assert all(task["retries"] for task in dag["tasks"].values()), name


# --- the hub's own ----------------------------------------------------------------------------------------------------


def test_status_lists_are_kept_fresh_by_a_dag_of_their_own(every_dag):
    assert list(every_dag["publish_status"]["tasks"]) == ["publish"]


def test_licences_lapse_by_a_dag_of_their_own(every_dag):
    assert list(every_dag["lapse_licences"]["tasks"]) == ["lapse"]


def test_files_of_batches_are_swept_by_a_dag_of_their_own(every_dag):
    assert list(every_dag["sweep_batches"]["tasks"]) == ["sweep"]


def test_bodies_go_by_a_dag_of_their_own(every_dag):
    assert list(every_dag["expire_bodies"]["tasks"]) == ["expire"]


def test_a_source_is_compared_in_its_own_pool(every_dag):
    tasks = every_dag["reconcile_resources"]["tasks"]
    pools = compiled()["pools"]
    assert {name: task["pool"] for name, task in tasks.items() if name != "choose"} == {
        f"reconcile.{pool}": pool for pool in pools
    }
    assert tasks["choose"]["downstream"] == sorted(f"reconcile.{pool}" for pool in pools)


def test_the_form_orders_what_a_load_can_do(every_dag):
    dag = every_dag["order_load"]
    assert dag["tasks"]["judge"]["downstream"] == ["trigger"]
    for name in ("resource", "full", "since", "until", "replay", "dry_run"):
        assert f'"{name}"' in dag["serialized"]


def test_each_question_is_asked_and_answered_for_itself(every_dag):
    tasks = every_dag["approve_drift"]["tasks"]
    assert tasks["one.ask"]["downstream"] == ["one.apply"]
    assert tasks["waiting"]["downstream"] == ["one.apply", "one.ask"]


def test_maintenance_that_failed_fails_its_run_though_the_check_goes_on(every_dag):
    tasks = every_dag["maintain_warehouse"]["tasks"]
    assert tasks["maintain"]["downstream"] == ["fsck", "outcome"]
    assert tasks["fsck"]["downstream"] == ["outcome"]
