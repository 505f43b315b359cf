"""The demonstration as `make demo ONCE=1` runs it, through a real Airflow, twice: the second time it resumes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub.demo import manifest
from hub.scheduler import free_port
from warehouse.engine import Warehouse

REPOSITORY = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-c", "import sys; from hub.cli import main; sys.exit(main())")


def run(home, *arguments, timeout=900):
    env = {**os.environ, "ZHENGTONG_HOME": str(home), "LANG": "zh_CN.UTF-8", "LC_ALL": ""}
    return subprocess.run(
        [*PROGRAM, *arguments], env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=timeout
    )


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
    assert all(load["run"].startswith("demo-") for load in status)

    # The story was told: a denial with its reason, the three verdicts, a whole log.
    told = first.stdout + first.stderr
    assert "超出授权" in told
    assert re.search(r"签发后.*\b0\b.*\n.*篡改副本.*\b10\b.*\n.*撤销后.*\b12\b", told)
    assert run(home, "audit", "verify").returncode == 0
    assert run(home, "verify", str(home / "demo" / "tampered.licence.json")).returncode == 10

    second = run(home, "demo", "--once", "--scale", "0.02", "--port", port)
    assert second.returncode == 0, second.stderr[-3000:]
    assert "与上次相比无任何变化" in second.stderr
    assert "已发布过，无变化" in second.stderr

    # Nothing goes on running, and nobody but this machine could have reached what ran.
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(home) not in processes
