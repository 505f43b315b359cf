"""The demonstration as `make demo ONCE=1` runs it, through a real Airflow, twice: the second time it resumes."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from hub.control import Control
from hub.demo import manifest
from hub.demo.attention import CHANGED_UNSEEN
from hub.loads import newest_of
from hub.scheduler import free_port
from hub.settings import Settings
from warehouse.engine import Warehouse

REPOSITORY = Path(__file__).parents[2]
TENANCIES, MACHINES, LINES = "3140010002", "3070010002", "3130020001"
PROGRAM = (sys.executable, "-c", "import sys; from hub.cli import main; sys.exit(main())")


def run(home, *arguments, timeout=900):
    env = {**os.environ, "ZHENGTONG_HOME": str(home), "LANG": "zh_CN.UTF-8", "LC_ALL": ""}
    return subprocess.run(
        [*PROGRAM, *arguments], env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=timeout
    )


def reports_of(home, code):
    """The demonstration's loads of one resource, the first one first; reasons by how often.

    Those of a schedule that came due meanwhile are not among them.
    """
    control = Control.open(Settings.at(home))
    try:
        found = newest_of(control, code)[::-1]
    finally:
        control.close()
    return [dataclasses.replace(one, reasons=Counter(one.reasons)) for one in found if one.run.startswith("demo-")]


def told(report):
    return report.inserted, report.updated, report.deleted


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_demonstration_runs_to_its_end_and_resumes(tmp_path):
    home = tmp_path / "var"
    port = str(free_port())
    first = run(home, "demo", "--once", "--scale", "0.02", "--port", port)
    assert first.returncode == 0, first.stderr[-3000:]

    # Every resource was loaded by its own DAG, with what the city's own count says it must find.
    made = manifest.read(home / "city")
    warehouse = Warehouse(home / "warehouse")
    assert {code: warehouse.count(code) for code in made.resources} == {
        code: made.table_rows(code) for code in made.resources
    }
    status = json.loads(run(home, "ingest", "status", "--json").stdout)
    assert {load["resource"] for load in status} == set(made.resources)
    assert {load["outcome"] for load in status} <= {"loaded", "unchanged"}
    days = {code: reports_of(home, code) for code in made.resources}
    assert {code: (one.read, one.accepted, one.rejected) for code, (one, *_) in days.items()} == {
        code: (expected.rows, expected.accepted, expected.rejected) for code, expected in made.resources.items()
    }
    reasons = Counter(reason.partition(":")[0] for one, *_ in days.values() for reason in one.reasons.elements())
    assert reasons == sum((Counter(dict(e.rejects)) for e in made.resources.values()), Counter())

    # Day two: what changed came in, what may not come in unasked waited, and a person let it in.
    (changes,) = made.changes
    for code, change in changes.resources.items():
        second = days[code][1]
        if code == MACHINES:
            assert (second.outcome, second.error_code) == ("failed", "DriftWaitsError")
            second = days[code][2]
        assert told(second) == (change.inserted, change.updated, change.deleted), code
    assert told(days[TENANCIES][2]) == (changes.resources[TENANCIES].replayed, 0, 0)
    assert (days[TENANCIES][2].mode, days[CHANGED_UNSEEN][1].mode) == ("replay", "full")
    assert told(days[CHANGED_UNSEEN][1]) == (0, 1, 0)
    shapes = json.loads(run(home, "ingest", "drift", MACHINES, "--json").stdout)
    assert [(one["status"], one["decided_by"]) for one in shapes] == [
        ("accepted", None),
        ("approved", "SZJ:hub-office"),
    ]
    found = json.loads(run(home, "ingest", "drift", LINES, "--json").stdout)[0]["report"]["state"]["new"]
    assert found == ["air_conditioned"]
    assert [row["reasons"] for row in json.loads(run(home, "ingest", "rejects", TENANCIES, "--json").stdout)] == [
        ["cross_field:ends_on"]
    ]
    assert json.loads(run(home, "ingest", "alerts", "--json").stdout) == []
    assert run(home, "warehouse", "fsck").returncode == 0

    # The story was told: a denial with its reason, the three verdicts, a whole log.
    story = first.stdout + first.stderr
    assert "超出授权" in story
    assert re.search(r"签发后.*\b0\b.*\n.*篡改副本.*\b10\b.*\n.*撤销后.*\b12\b", story)
    assert re.search(r"农业机械登记信息.*registered_on.*待审批", story)
    assert re.search(r"社会组织登记信息的变更流：基线 1，变更 \d+，删除 \d+", story)
    assert "仓库检查：0 处问题；未消除的告警：0 条" in story
    assert run(home, "audit", "verify").returncode == 0
    assert run(home, "verify", str(home / "demo" / "tampered.licence.json")).returncode == 10

    second = run(home, "demo", "--once", "--scale", "0.02", "--port", port)
    assert second.returncode == 0, second.stderr[-3000:]
    assert "与上次相比无任何变化" in second.stderr
    assert "已发布过，无变化" in second.stderr

    # Nothing goes on running, and nobody but this machine could have reached what ran.
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(home) not in processes
