"""`zhengtong demo`: run the small city end to end, say what happened, and go on serving until Ctrl-C."""

from __future__ import annotations

import dataclasses
import signal
import threading
import time
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.clock import SHANGHAI
from hub.cli import demo_audit, demo_calls, demo_follow, demo_licences, demo_papers, demo_people
from hub.cli.common import action_words, day
from hub.cli.demo_city import demo_city
from hub.cli.demo_day import attend
from hub.cli.demo_next import what_next
from hub.cli.ingest import print_reports, resource_names
from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, LOG_INVALID, OK, note, table
from hub.cli.progress import chapter, watch
from hub.cli.serve import check_port
from hub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.decide import Grant
    from catalog.model import Department
    from hub.demo.story import Story
    from hub.loads import LoadReport
    from hub.scheduler import EmbeddedAirflow

UPKEEP = ("publish_status", "sweep_batches")
CITY = "city"
MIN_SCALE, MAX_SCALE = 0.001, 100


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help=say("完成后退出，不继续服务", "exit when done instead of serving"))
    ] = False,
    scale: Annotated[
        str,
        typer.Option(
            "--scale",
            metavar=say("倍数|city", "NUMBER|city"),
            help=say(
                "人口规模：1 约 2 万人；city 为参照城市规模的目录（53 个部门、1,227 个资源，不含数据）",
                "size: 1 is about 20,000 persons; city: the catalogue of the reference city, "
                "53 departments and 1,227 resources, without data",
            ),
        ),
    ] = "1",
    seed: Annotated[int, typer.Option("--seed", help=say("随机种子", "random seed"))] = 3412,
    port: Annotated[int | None, typer.Option("--port", help=say("数据调用服务端口", "port of the API"))] = None,
) -> int:
    """Run the story; run again, it resumes: what is there is found, and loads that change nothing say so."""
    if scale == CITY:
        return demo_city(seed)
    size = _number(scale)
    from hub.demo.story import DAGS, Story
    from hub.scheduler import EmbeddedAirflow

    # The story is told by loads of its own; the city's nightly ones begin when it is over, whatever the time is now.
    night = (datetime.now(SHANGHAI).hour + 8) % 24
    settings = dataclasses.replace(Settings.from_environment(), window_start=night)
    if port is not None:
        settings = dataclasses.replace(settings, api_port=port)
    # Before anything else: half a demonstration that ends at a taken port would be worse than none.
    check_port(settings.api_port)
    story = Story(settings, seed=seed, scale=size)
    airflow = EmbeddedAirflow(settings, DAGS)
    begun = time.monotonic()
    try:
        # A polite kill ends the children like Ctrl-C does.
        signal.signal(signal.SIGTERM, _interrupt)
        code, hook = _tell(story, airflow)
        note(say(f"用时 {time.monotonic() - begun:.0f} 秒。", f"Took {time.monotonic() - begun:.0f} s."))
        what_next(story, airflow, hook=hook, serving=not once)
        if not once:
            # From here on the city lives by its schedules: status lists are kept fresh, and what was ordered is removed
            # when its time is over, as long as it is served.
            for upkeep in UPKEEP:
                airflow.unpause(upkeep)
            threading.Event().wait()
    except KeyboardInterrupt:
        note(say("正在停止…", "Stopping…"))
        code = OK
    finally:
        story.stop()
        airflow.stop()
    return code


def _number(scale: str) -> float:
    try:
        size = float(scale)
    except ValueError:
        size = 0.0
    if not MIN_SCALE <= size <= MAX_SCALE:
        raise typer.BadParameter(
            say(f"应为 {MIN_SCALE} 至 {MAX_SCALE} 的数，或 city", f"a number from {MIN_SCALE} to {MAX_SCALE}, or city"),
            param_hint="--scale",
        )
    return size


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _tell(story: Story, airflow: EmbeddedAirflow) -> tuple[int, str]:
    """The chapters, in order; the exit code, which says whether each ended as it must, and the hook's number."""
    airflow.begin()
    with chapter(
        say("生成部门业务系统（或沿用已有的）", "Making the departments' systems, or finding them as they were")
    ):
        manifest = story.build_city()
        story.open_systems()
    with chapter(say("发布数据共享责任清单", "Publishing the sharing-responsibility list")):
        published = story.publish()
    _say_list(story, already=published.already)
    with chapter(say("启动 Airflow", "Starting Airflow")):
        story.processes.begin_witness()
        airflow.start()
        airflow.prepare(story.dag_ids)
        # It comes up while Airflow begins to work.
        story.processes.begin_api()
    ok = _ingest(
        story, airflow, [r.code for r in story.list_.resources], say("归集全部资源", "Ingesting every resource")
    )
    with chapter(say("部门申请，提供方审批", "Departments apply, providers decide")):
        given = story.give_grants()
    _say_grants(story, given)
    demo_calls.register(story)
    demo_people.tell(story)
    hook = demo_follow.begin(story)
    fresh = manifest.day == 1
    today = story.next_day()
    touched = sorted(today.resources)
    if fresh:
        title = say("第二天：来源有迟到的更正、删除和新批次", "Day two: a late correction, a delete, new batches")
        ok = _ingest(story, airflow, touched, title) and ok
    ok = attend(story, touched, partial(_ingest, story, airflow)) and ok
    ok = demo_follow.tell(story, hook, today if fresh else None) and ok
    right, called = demo_calls.call(story)
    right = demo_calls.keep_receipt(story, called) and right
    right = demo_calls.order_batch(story) and right
    right = demo_licences.licences(story) and right
    right = demo_papers.papers(story) and right
    right = demo_licences.judge(story) and right
    right = demo_papers.audit_licences(story) and right
    right = demo_audit.audit(story, called) and right
    right = demo_audit.tell_person(story, called) and right
    if not right:
        return LOG_INVALID, hook["id"]
    return (OK if ok else DATA_INVALID), hook["id"]


def _say_list(story: Story, *, already: bool) -> None:
    list_ = story.list_
    departments = len({r.provider for r in list_.resources})
    state = say("（已发布过，无变化）", " (published before, unchanged)") if already else ""
    note(
        say(
            f"  {departments} 个部门，{len(list_.resources)} 个资源，版本 {list_.version[:19]}…{state}",
            f"  {departments} departments, {len(list_.resources)} resources, version {list_.version[:19]}…{state}",
        )
    )


def _say_grants(story: Story, given: list[Grant]) -> None:
    list_ = story.list_
    rows = (
        [
            grant.id,
            _name(list_.departments_by_code[grant.consumer]),
            list_.by_code[grant.resource].name if LANG == "zh" else list_.by_code[grant.resource].name_en,
            len(grant.fields),
            action_words(grant.actions),
            day(grant.expires),
        ]
        for grant in given
    )
    headings = (
        say("授权", "Grant"),
        say("使用方", "Consumer"),
        say("资源", "Resource"),
        say("信息项", "Fields"),
        say("操作", "Actions"),
        say("有效期至", "Until"),
    )
    table("", headings, rows, right=(3,))


def _ingest(
    story: Story,
    airflow: EmbeddedAirflow,
    codes: list[str],
    title: str,
    orders: Mapping[str, Mapping[str, bool]] | None = None,
) -> bool:
    """Load *codes*; whether all went well, where a source whose new shape waits for a person is as it should be."""
    run = f"demo-{time.time_ns()}"
    with chapter(title):
        watch(story.ingest(airflow, codes, run, orders or {}), story.titles(LANG))
    reports = story.reports(run)
    print_reports(reports, {code: name for code, name in resource_names(story.list_).items() if code in codes})
    _say_departments(story, reports)
    if reports and all(r.outcome == "unchanged" for r in reports):
        note(say("  与上次相比无任何变化。", "  Nothing has changed since the last run."))
    waits = "" if orders else "DriftWaitsError"
    well = (r.outcome in {"loaded", "unchanged"} or r.error_code == waits for r in reports)
    return all(well) and len(reports) == len(codes)


def _say_departments(story: Story, reports: list[LoadReport]) -> None:
    from warehouse.reasons import Reason

    list_ = story.list_
    rows: dict[str, list[int]] = {}
    reasons: dict[str, int] = {}
    for report in reports:
        counts = rows.setdefault(
            _name(list_.departments_by_code[list_.by_code[report.resource].provider]), [0, 0, 0, 0]
        )
        counts[:] = (
            counts[0] + report.read,
            counts[1] + report.accepted,
            counts[2] + report.changed,
            counts[3] + report.rejected,
        )
        for reason, count in report.reasons.items():
            code = reason.partition(":")[0]
            reasons[code] = reasons.get(code, 0) + count
    headings = (
        say("部门", "Department"),
        say("读取", "Read"),
        say("接受", "Accepted"),
        say("变化", "Changed"),
        say("拒绝", "Rejected"),
    )
    table("", headings, ([name, *counts] for name, counts in rows.items()), right=(1, 2, 3, 4))
    if reasons:
        ordered = sorted(reasons.items(), key=lambda item: -item[1])
        table(
            "",
            (say("拒绝原因（原文在隔离区）", "Why rejected (the text is in quarantine)"), say("条数", "Rows")),
            ([Reason(r, "…").text(LANG, say("信息项", "…")), n] for r, n in ordered),
            right=(1,),
        )


def _name(department: Department) -> str:
    return department.name if LANG == "zh" else department.name_en


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command("demo", help=say("生成一座小城并完整演示", "Make a small city and run it end to end"))(demo)
