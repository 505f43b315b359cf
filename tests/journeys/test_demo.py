"""The demonstration as `make demo ONCE=1` runs it, through a real Airflow, twice: the second time it resumes."""

import dataclasses
import json
import os
import re
import shlex
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
RESIDENTS, TENANCIES, MACHINES, LINES = "3010010001", "3140010002", "3070010002", "3130020001"
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

    # Seals and licences: two persons, everybody, the next version, files and their forgeries, a code, all of them.
    assert len(re.findall(r"seal-clerk.*office-head.*新制", story)) == 8
    assert re.search(r"应建防空地下室面积.*不一致", story)
    assert re.search(r"批准 │ section-head .*不得再批准.*\n批准 │ deputy-director │ 完成", story)
    planned, issued = (re.search(form, story)[1] for form in (r"可签发 +│ +(\d+)", r"签发 (\d+) 份"))
    assert planned == issued
    assert re.search(r"原证照.*失效\s*\n新版本.*有效", story)
    for file, code in (("card.pdf", 0), ("card.ofd", 0), ("card.txt", 0), ("card-for-the-bus.pdf", 0)):
        assert re.search(rf"{re.escape(file)} .*[^\d]{code}\b", story), file
    assert re.findall(r"tampered\.(pdf|ofd) .* 10\b", story) == ["pdf", "ofd"]
    assert re.search(r"第一次：有效；.*\n.*第二次：该动态码已被使用", story)
    assert "数据库、日志、状态列表和公布数全部一致" in story

    # What was called, refused, kept, ordered, followed and audited.
    assert re.search(r"出生日期.* 一致\s*\n姓名.* 一致\s*\n联系电话.*无法核验\s*\n性别代码.*不一致", story)
    assert re.search(r"事前询问（:explain）：不允许。.*`nation`", story)
    assert "3 人，3 条记录，1 张回执" in story
    assert "同一张回执，只计一次" in story
    assert re.search(r"同一系统在沙箱中得到样例：样", story)
    assert re.findall(r"(原样再发一次|改动信息项|签名用于另一资源|以未登记的密钥签名) +│ (\d+)", story) == [
        ("原样再发一次", "401"),
        ("改动信息项", "401"),
        ("签名用于另一资源", "401"),
        ("以未登记的密钥签名", "401"),
    ]
    assert re.search(r"receipt\.json：有效", story)
    assert re.search(r"receipt-changed\.json：回执无效：与该应答不符", story)
    assert "清单签名、摘要、行数均有效" in story
    for code, name in ((RESIDENTS, "常住人口基本信息"), (TENANCIES, "公共租赁住房承租信息")):
        change = changes.resources[code]
        counts = (change.inserted + change.replayed, change.updated, change.deleted)
        assert re.search(name + r" *│ *{} │ *{} │ *{}\b".format(*counts), story), name
    assert re.search(r"平台共通知 [1-9]\d* 次.*签名不符 0 次", story)
    assert re.search(r"evidence\.zip：成立", story)
    assert re.search(r"日志 \d+ 个条目，0 处问题；见证方已联署至 \d+ 个条目", story)
    assert re.search(r"阜阳市民政局，为办理“老年人优待证办理”，查询了您的数据", story)

    # What it suggests to type works, on what it left; two of the commands are about what does not hold.
    suggested = re.findall(r"^  \.venv/bin/zhengtong (.+?)    # ", first.stdout, re.MULTILINE)
    assert len(suggested) >= 22
    assert not [one for one in suggested if one.startswith(("call", "batch list"))]
    ended = {one: run(home, *shlex.split(one)).returncode for one in suggested}
    refused = ("tampered.licence.json", "tampered.pdf", "receipt-changed.json")
    assert ended == {one: 10 if one.endswith(refused) else 0 for one in suggested}

    second = run(home, "demo", "--once", "--scale", "0.02", "--port", port)
    assert second.returncode == 0, second.stderr[-3000:]
    assert "与上次相比无任何变化" in second.stderr
    assert "已发布过，无变化" in second.stderr
    resumed = second.stdout + second.stderr
    # The systems, the hook and the order of the first time are found, not made again.
    assert "新登记" not in resumed
    assert "自上次取数以来没有变更" in resumed
    (hook,) = set(re.findall(r"hooks show (\w+)", first.stdout))
    assert set(re.findall(r"hooks show (\w+)", second.stdout)) == {hook}
    assert re.findall(r"批量任务 (\w+)（已有）", resumed) == re.findall(r"批量任务 (\w+)（新订购）", story)
    assert run(home, "audit", "verify").returncode == 0

    # Nothing goes on running, and nobody but this machine could have reached what ran.
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(home) not in processes
