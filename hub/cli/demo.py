"""`zhengtong demo`: run the small city end to end, say what happened, and go on serving until Ctrl-C."""

from __future__ import annotations

import dataclasses
import signal
import threading
import time
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.clock import SHANGHAI
from hub.cli.common import action_words, day
from hub.cli.demo_city import demo_city
from hub.cli.demo_day import attend
from hub.cli.ingest import print_reports, resource_names
from hub.cli.language import LANG, say
from hub.cli.output import DATA_INVALID, LOG_INVALID, OK, note, out, table
from hub.cli.progress import chapter, watch
from hub.cli.serve import check_port
from hub.settings import DEFAULT_API_PORT, LOOPBACK, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from catalog.decide import Grant
    from catalog.model import Department
    from hub.demo.story import Story, Verdicts
    from hub.loads import LoadReport
    from hub.scheduler import EmbeddedAirflow

VALID, FORGED, REVOKED = 0, 10, 12
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
        code = _tell(story, airflow)
        note(say(f"用时 {time.monotonic() - begun:.0f} 秒。", f"Took {time.monotonic() - begun:.0f} s."))
        _what_next(settings, airflow, serving=not once)
        if not once:
            # From here on the city lives by its schedules; status lists are kept fresh as long as it is served.
            airflow.unpause("publish_status")
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


def _tell(story: Story, airflow: EmbeddedAirflow) -> int:
    """The chapters, in order; the exit code says whether each ended as it must."""
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
        airflow.start()
        airflow.prepare(story.dag_ids)
    ok = _ingest(
        story, airflow, [r.code for r in story.list_.resources], say("归集全部资源", "Ingesting every resource")
    )
    fresh = manifest.day == 1
    touched = sorted(story.next_day().resources)
    if fresh:
        title = say("第二天：来源有迟到的更正、删除和新批次", "Day two: a late correction, a delete, new batches")
        ok = _ingest(story, airflow, touched, title) and ok
    ok = attend(story, touched, partial(_ingest, story, airflow)) and ok
    with chapter(say("部门申请，提供方审批", "Departments apply, providers decide")):
        given = story.give_grants()
    _say_grants(story, given)
    with chapter(say("启动数据调用服务", "Serving the data-invocation API")):
        story.serve()
    entry = _call(story)
    with chapter(say("每类证照签发一份", "Issuing a licence of every kind")):
        issued = story.issue_each_kind(LANG)
    headings = (say("证照", "Licence"), say("证照标识", "Identifier"), "")
    table(
        "",
        headings,
        (
            [kind, number, say("新签发", "issued") if new else say("已有", "there already")]
            for kind, number, new in issued
        ),
    )
    with chapter(say("验证、伪造、撤销、再验证", "Verifying, forging, revoking, verifying again")):
        verdicts = story.judge()
    _say_verdicts(verdicts)
    right = (verdicts.valid.exit_code, verdicts.forged.exit_code, verdicts.revoked.exit_code) == (
        VALID,
        FORGED,
        REVOKED,
    )
    whole = _audit(story, entry)
    if not (right and whole):
        return LOG_INVALID
    return OK if ok else DATA_INVALID


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


def _call(story: Story) -> int:
    """The two calls of the story: one answered, one denied; returns the entry of the first."""
    from hub.client import CallDeniedError
    from hub.demo.story import CALLED, MATTER

    with chapter(
        say(
            "民政局为办理老年人优待证调用常住人口信息",
            "The civil-affairs bureau calls population data for a senior citizen's card",
        )
    ):
        person = story.someone()
        with story.client(LANG) as client:
            called = client.query(CALLED, {"citizen_id": person}, matter=MATTER, case="2026-MZ-000001")
            try:
                client.query(CALLED, {"citizen_id": person}, matter=MATTER, fields=["nation"])
            except CallDeniedError as error:
                denied = error.text(LANG)
            else:
                denied = say("越权调用未被拒绝！", "a call beyond the grant was NOT denied!")
    masked = called.plain["masked"]
    record = called.records[0]
    headings = (say("信息项", "Field"), say("值", "Value"), "")
    titles = {f.name: f.title if LANG == "zh" else f.name for f in story.list_.by_code[CALLED].fields}
    table("", headings, ([titles[n], v, say("已脱敏", "masked") if n in masked else ""] for n, v in record.items()))
    entry: int = called.receipt["entry"]
    digest = called.receipt["leaf"]["facts"]["answer_digest"][:19]
    note(
        say(
            f"  应答签名有效；回执：日志第 {entry} 条，应答摘要 {digest}…",
            f"  The answer's signature holds; receipt: log entry {entry}, answer digest {digest}…",
        )
    )
    note(say(f"  超出授权的调用：{denied}", f"  A call beyond the grant: {denied}"))
    return entry


def _say_verdicts(verdicts: Verdicts) -> None:
    rows = (
        (say("签发后", "as issued"), verdicts.valid),
        (say("篡改副本", "a tampered copy"), verdicts.forged),
        (say("撤销后", "after revocation"), verdicts.revoked),
    )
    headings = (say("时点", "When"), say("结论", "Verdict"), say("退出码", "Exit code"))
    table("", headings, ([name, report.text(LANG).splitlines()[0], report.exit_code] for name, report in rows))


def _audit(story: Story, entry: int) -> bool:
    from hub.auditing import replay, verify_log

    with chapter(say("审计：重算日志，重放调用", "Auditing: recomputing the log, replaying the call")):
        log = verify_log(story.settings)
        again = replay(story.settings, entry)
    note(
        say(
            f"  日志 {log.size} 个条目，{len(log.faults)} 处问题；重放第 {entry} 条：",
            f"  {log.size} entries, {len(log.faults)} faults; replay of entry {entry}: ",
        )
        + again.text(LANG).splitlines()[-1]
    )
    return not log.faults and again.verdict == "same"


def _what_next(settings: Settings, airflow: EmbeddedAirflow, *, serving: bool) -> None:
    from hub.demo.story import CALLED, MATTER

    tampered = settings.home / "demo" / "tampered.licence.json"
    shown = tampered.relative_to(Path.cwd()) if tampered.is_relative_to(Path.cwd()) else tampered
    server = "" if settings.api_port == DEFAULT_API_PORT else f" --server http://{LOOPBACK}:{settings.api_port}"
    out.print(say("接下来可以试试：", "What to type next:"), style="bold")
    lines = [
        ("zhengtong search 驾照", say("检索资源", "search the catalogue")),
        (f"zhengtong resource show {CALLED} --by MZJ:window-1", say("资源页", "the page of a resource")),
        ("zhengtong request list --department MZJ", say("申请及其经过", "applications, and what became of them")),
        ("zhengtong ingest status", say("每个资源最近一次归集", "every resource's latest load")),
        ("zhengtong ingest plan", say("下一次归集将做什么", "what the next loads would do")),
        (f"zhengtong ingest rejects {CALLED}", say("拒绝的记录及原因", "what was rejected, and why")),
        (f"zhengtong verify {shown}", say("篡改的证照", "the tampered licence")),
        ("zhengtong audit verify", say("由条目重算日志", "recompute the log from its entries")),
    ]
    if serving:
        lines.insert(
            3,
            (
                f"zhengtong call {CALLED} citizen_id=- --purpose {MATTER}{server}",
                say("以民政局身份调用", "call as the civil-affairs bureau"),
            ),
        )
    for command, what in lines:
        out.print(f"  .venv/bin/{command}    # {what}", markup=False)
    if serving:
        api = f"http://127.0.0.1:{settings.api_port}"
        note(
            say(
                f"数据调用服务 {api}/v1/catalog ；Airflow {airflow.url} （用户 admin，口令见 {airflow.password_file}）",
                f"API {api}/v1/catalog; Airflow {airflow.url} (user admin, password in {airflow.password_file})",
            )
        )
        note(say("按 Ctrl-C 停止。", "Ctrl-C stops."))


def add_to(app: typer.Typer) -> None:
    """Hang the command into the tree."""
    app.command("demo", help=say("生成一座小城并完整演示", "Make a small city and run it end to end"))(demo)
