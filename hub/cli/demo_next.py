"""What `zhengtong demo` suggests to type when it has told its story, and where it serves on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.demo_calls import shown
from hub.cli.language import say
from hub.cli.output import note, out
from hub.settings import DEFAULT_API_PORT

if TYPE_CHECKING:
    from hub.demo.story import Story
    from hub.scheduler import EmbeddedAirflow


def what_next(story: Story, airflow: EmbeddedAirflow, *, hook: str, serving: bool) -> None:
    """Commands that work on what is there now; those that call the API only where it is *serving*."""
    from hub.demo.entrance import PASSWORD_FILE

    out.print(say("接下来可以试试：", "What to type next:"), style="bold")
    for command, what in commands(story, hook=hook, serving=serving):
        out.print(f"  .venv/bin/{command}    # {what}", markup=False)
    if not serving:
        return
    note(
        say(
            f"门户 {story.processes.url}/ （登录名与口令见上，另见 {shown(story.settings.home / PASSWORD_FILE)}）",
            f"Portal {story.processes.url}/ (logins above; the password is in "
            f"{shown(story.settings.home / PASSWORD_FILE)})",
        )
    )
    api, profiles = story.processes.url, shown(story.systems.profiles)
    note(
        say(
            f"数据调用服务 {api}/v1/catalog ；Airflow {airflow.url} （用户 admin，口令见 {airflow.password_file}）",
            f"API {api}/v1/catalog; Airflow {airflow.url} (user admin, password in {airflow.password_file})",
        )
    )
    note(
        say(
            f"Python：from hub.client import Client ；Client.from_profile('service-window')，"
            f"环境变量 ZHENGTONG_PROFILES={profiles}",
            f"Python: from hub.client import Client; Client.from_profile('service-window'), with the environment's "
            f"ZHENGTONG_PROFILES={profiles}",
        )
    )
    note(say("按 Ctrl-C 停止。", "Ctrl-C stops."))


def commands(story: Story, *, hook: str, serving: bool) -> list[tuple[str, str]]:
    """Commands, and what each is for, in the order of the story."""
    from hub.demo.auditor import AUDITOR, HALL, PACK
    from hub.demo.calls import CALLED, MATTER

    settings, papers = story.settings, story.papers
    person = f"citizen_id=@{shown(story.person_file())}"
    server = "" if settings.api_port == DEFAULT_API_PORT else f" --server {story.processes.url}"
    tampered, witness = shown(papers / "tampered.licence.json"), shown(story.processes.witness_key_file)
    receipt, changed = shown(papers / "receipt.json"), shown(papers / "receipt-changed.json")
    pack, log_key = shown(papers / PACK), shown(settings.public / "log.vkey")
    lines = [
        ("zhengtong search 驾照", say("检索资源", "search the catalogue")),
        (f"zhengtong resource show {CALLED} --by MZJ:window-1", say("资源页", "the page of a resource")),
        ("zhengtong ingest status", say("每个资源最近一次归集", "every resource's latest load")),
        (f"zhengtong ingest rejects {CALLED}", say("拒绝的记录及原因", "what was rejected, and why")),
        ("zhengtong clients list", say("登记的客户端系统", "the client systems that are registered")),
    ]
    if serving:
        lines += [
            (
                f"zhengtong call {CALLED} {person} --purpose {MATTER}{server}",
                say("以民政局身份调用", "call as the civil-affairs bureau"),
            ),
            (f"zhengtong batch list{server}", say("民政局的批量任务", "the bureau's batches")),
        ]
    lines += [
        (
            f"zhengtong receipt check {receipt} --proof {shown(papers / 'receipt.tlog-proof')}",
            say("离线检查留存的应答和回执", "check offline what was kept of the call"),
        ),
        (f"zhengtong receipt check {changed}", say("改动了一个字节的副本", "a copy with one byte changed")),
        *(
            (f"zhengtong batch check {shown(folder)}", say("离线核对批量文件", "check the files of the batch offline"))
            for folder in sorted((papers / "batch").glob("*"))[-1:]
        ),
        (f"zhengtong hooks show {hook}", say("推送及每次结果", "the web hook, and what came of each call")),
        *licence_commands(story),
        (f"zhengtong verify {tampered}", say("篡改的证照", "the tampered licence")),
        (
            f"zhengtong audit search --resource {CALLED} --person {person} --by {AUDITOR}",
            say("审计：谁查过此人", "audit: who asked about this person"),
        ),
        (f"zhengtong evidence check {pack} --key-file {log_key}", say("核验证据包", "check the evidence pack")),
        (
            f"zhengtong audit verify --witness {witness} --quorum 1",
            say("由条目重算日志，须有见证方联署", "recompute the log, which the witness must have cosigned"),
        ),
        (f"zhengtong mydata {person} --by {HALL}", say("本人查看：我的数据被谁用过", "who used this person's data")),
    ]
    return lines


def licence_commands(story: Story) -> list[tuple[str, str]]:
    """For a licence officer, a clerk at a counter and an auditor; each on a licence that holds."""
    from hub.demo.documents import COPY_REASON, FORGED, ISSUING, ISSUING_MATTER, SHOWN_KIND, STEM
    from hub.demo.licences import BATCH_KIND, CASE_KIND
    from hub.demo.population import FOLDER

    papers = story.papers
    _, case = story.licences.left(CASE_KIND)
    card, _ = story.licences.left(SHOWN_KIND)
    download = f"zhengtong licence download {card} --format ofd --days 30 --purpose {ISSUING_MATTER}"
    download += f" --reason {COPY_REASON}"
    return [
        (f"zhengtong licence case show {case}", say("证照经办：两人审批的案卷", "officer: the case that two decided")),
        (f"zhengtong licence find --kind {BATCH_KIND} --limit 5", say("证照经办：查找证照", "officer: find licences")),
        (
            f"zhengtong licence reconcile {BATCH_KIND}",
            say("证照经办：核对记录与证照", "officer: compare records and licences"),
        ),
        ("zhengtong seal list", say("印章登记册", "the register of seals")),
        (
            f"{download} --by {ISSUING}:window-1 --out {shown(papers / 'another.ofd')}",
            say("窗口：提供加注件", "clerk: hand out an annotated copy"),
        ),
        (f"zhengtong licence copies --licence {card}", say("窗口：已提供的加注件", "clerk: the copies handed out")),
        (f"zhengtong verify {shown(papers / f'{STEM}.ofd')}", say("窗口：离线验证", "clerk: verify offline")),
        (f"zhengtong verify {shown(papers / f'{FORGED}.pdf')}", say("篡改了姓名的 PDF", "a PDF with another name")),
        (
            f"zhengtong licence audit --folder {shown(papers / FOLDER)}",
            say("审计：离线核对全部证照", "auditor: compare all licences offline"),
        ),
    ]
