"""What `zhengtong demo` tells of the API: who calls, what is answered and refused, what is kept, what is ordered.

What happens is `hub.demo.calls` and `hub.demo.orders`; here it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.cli.language import LANG, say
from hub.cli.output import note, table
from hub.cli.progress import chapter

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hub.client import Called
    from hub.demo.calls import Calls, Denied
    from hub.demo.orders import Fetched
    from hub.demo.story import Story

SHOWN_ROWS = 3
_OPEN = say("（竟被放行！）", " (it was let through!)")


def register(story: Story) -> None:
    """Serve, and let the departments' systems in with their public keys."""
    with chapter(
        say(
            "启动数据调用服务和见证方，各部门系统以自有密钥登记",
            "Serving the API and a witness; the departments' systems register with keys of their own",
        )
    ):
        story.serve()
        found = story.register(LANG)
    headings = (
        say("部门", "Department"),
        say("系统", "System"),
        say("系统编号", "Client"),
        say("公钥指纹（Ed25519）", "Key (Ed25519)"),
        "",
    )
    rows = (
        [
            department_name(story, one.system.department),
            one.system.name,
            one.client,
            f"{one.key_id[:16]}…",
            say("新登记", "registered") if one.new else say("已有", "there already"),
        ]
        for one in found
    )
    table("", headings, rows)


def call(story: Story) -> tuple[bool, Called]:
    """The story's calls; whether each ended as it must, and the main one, which the auditor asks about later."""
    calls = story.calls(LANG)
    person = story.someone()
    with chapter(
        say(
            "民政局为办理老年人优待证调用常住人口信息，请求以 Ed25519 签名（RFC 9421）",
            "The civil-affairs bureau calls population data for a senior citizen's card, signed (Ed25519, RFC 9421)",
        )
    ):
        called = calls.main(person)
    _say_record(story, called)
    entry = called.receipt["entry"]
    digest = called.receipt["leaf"]["facts"]["answer_digest"][:19]
    note(
        say(
            f"  应答签名有效；回执：日志第 {entry} 条，应答摘要 {digest}…",
            f"  The answer's signature holds; receipt: log entry {entry}, answer digest {digest}…",
        )
    )
    right = _verify(story, calls)
    right = _other_ways(calls, story.eldest(3)) and right
    right = _denied(calls, person) and right
    right = _forged(calls, person) and right
    return right, called


def _say_record(story: Story, called: Called) -> None:
    record, masked = called.records[0], called.plain["masked"]
    headings = (say("信息项", "Field"), say("值", "Value"), "")
    titles = _titles(story)
    table("", headings, ([titles[n], v, say("已脱敏", "masked") if n in masked else ""] for n, v in record.items()))


def _verify(story: Story, calls: Calls) -> bool:
    with chapter(say("核验：只问对不对，不取数据", "Verifying: is it so? No data leaves")):
        claims, called = calls.verify(story.eldest(3))
    words = {
        "match": say("一致", "match"),
        "mismatch": say("不一致", "mismatch"),
        "unknown": say("无法核验", "unknown"),
    }
    titles = _titles(story)
    headings = (say("信息项", "Field"), say("所填内容", "As it was claimed"), say("结果", "Result"))
    table("", headings, ([titles[n], claims[n], words[r]] for n, r in called.results.items()))
    note(
        say(
            "  空格和日期写法不影响结果；已脱敏的号码无法核验；答错次数有限，不能逐个试出。",
            "  Blanks and the form of a date make no difference; a masked number cannot be judged; wrong guesses are "
            "bounded.",
        )
    )
    return set(called.results.values()) == set(words)


def _other_ways(calls: Calls, persons: list[str]) -> bool:
    """Several persons at once, and one call sent twice."""
    with chapter(say("一次调用多人；同一调用重发", "Several persons in one call; one call sent twice")):
        several = calls.several(persons)
        first, second = calls.twice(persons[0])
    note(
        say(
            f"  {len(persons)} 人，{len(several.records)} 条记录，1 张回执：日志第 {several.receipt['entry']} 条",
            f"  {len(persons)} persons, {len(several.records)} records, one receipt: log entry "
            f"{several.receipt['entry']}",
        )
    )
    same = first.receipt == second.receipt
    note(
        say(
            f"  带 Idempotency-Key 重发：{'同一张回执，只计一次' if same else '回执不同！'}"
            f"（日志第 {first.receipt['entry']} 条）",
            f"  Sent again with its Idempotency-Key: {'the same receipt, counted once' if same else 'ANOTHER receipt!'}"
            f" (log entry {first.receipt['entry']})",
        )
    )
    return same and len(several.records) == len(persons)


def _denied(calls: Calls, person: str) -> bool:
    """What is beyond a grant, or before one."""
    with chapter(say("超出授权的调用；尚无授权的部门先用沙箱", "Beyond a grant; and before one, in the sandbox")):
        explained = calls.explained()
        denied = calls.beyond(person)
        refused, made_up = calls.newcomer(person)
    why = say("；", "; ").join(str(reason["text"]) for reason in explained["reasons"])
    note(say(f"  事前询问（:explain）：不允许。{why}", f"  Asked beforehand (:explain): not allowed. {why}"))
    note(say(f"  仍然调用：{_words(denied)}", f"  Called all the same: {_words(denied)}"))
    note(say(f"  人社局尚无授权：{_words(refused)}", f"  The pension office has no grant: {_words(refused)}"))
    row = say("，", ", ").join(str(value) for value in made_up.records[0].values())
    note(say(f"  同一系统在沙箱中得到样例：{row}", f"  The same system in the sandbox gets nobody's record: {row}"))
    sandboxed = str(made_up.receipt["log"]).endswith("/sandbox")
    return not explained["allowed"] and bool(denied.code and refused.code) and sandboxed


def _words(denied: Denied) -> str:
    return denied.said or _OPEN


def _forged(calls: Calls, person: str) -> bool:
    with chapter(say("冒用、改动、重放签名请求", "Forging, altering, replaying a signed request")):
        tried = calls.forgeries(person)
    words = {
        "replayed": say("原样再发一次", "sent a second time, as it was"),
        "altered": say("改动信息项", "another field in the body"),
        "elsewhere": say("签名用于另一资源", "the signature used for another resource"),
        "unknown_key": say("以未登记的密钥签名", "signed with a key that nobody registered"),
    }
    headings = (say("请求", "Request"), say("应答", "Answer"), say("原因", "Why"))
    table("", headings, ([words[one.what], str(one.status), one.said or _OPEN] for one in tried))
    return all(one.refused for one in tried)


def keep_receipt(story: Story, called: Called) -> bool:
    """Keep the answer with its receipt, check both offline, and a copy with one byte changed."""
    from hub.demo.calls import keep

    with chapter(
        say(
            "留存应答和回执，离线检查；改动一个字节再检查",
            "Keeping answer and receipt, checked offline; one byte changed",
        )
    ):
        kept = keep(called, story.processes.url, story.papers, story.systems.pinned, LANG)
    holds = say("有效", "it holds") if kept.held else say("无效！", "it does NOT hold!")
    note(f"  {shown(kept.file)}{say('：', ': ')}{holds}")
    note(f"  {shown(kept.changed)}{say('：', ': ')}{kept.refused or _OPEN}")
    return kept.held and bool(kept.refused)


def order_batch(story: Story) -> bool:
    """Order rows, fetch and check the files, read them with pandas."""
    from hub.demo.orders import fetch

    with chapter(
        say(
            "民政局订购六十周岁以上人员名单（批量），下载、核对、用 pandas 读取",
            "The bureau orders everybody of sixty and more (a batch), fetches it, checks it, reads it with pandas",
        )
    ):
        fetched = fetch(story.systems, story.papers / "batch")
    if fetched is None:
        note(say("  批量任务未在时限内完成！", "  The batch was NOT made in time!"))
        return False
    _say_batch(story, fetched)
    return fetched.whole


def _say_batch(story: Story, fetched: Fetched) -> None:
    masked = _masks(fetched.checked.manifest)
    titles = _titles(story)
    headings = [titles[n] + (say("（已脱敏）", " (masked)") if n in masked else "") for n in fetched.rows.columns]
    first = fetched.rows.head(SHOWN_ROWS).astype(str).itertuples(index=False)
    table("", headings, (list(row) for row in first))
    state = say("新订购", "ordered now") if fetched.new else say("已有", "there already")
    checked = (
        say("清单签名、摘要、行数均有效", "signature, digests and row counts hold")
        if fetched.whole
        else say("文件与清单不符！", "the files are NOT what the manifest says!")
    )
    order, rows, parts = fetched.order["id"], len(fetched.rows), len(fetched.checked.manifest["parts"])
    note(
        say(
            f"  批量任务 {order}（{state}）：{rows:,} 行，{parts} 个文件；{checked}",
            f"  Batch {order} ({state}): {rows:,} rows, {parts} file(s); {checked}",
        )
    )


def _masks(manifest: Mapping[str, Any]) -> set[str]:
    return {field["name"] for field in manifest["fields"] if set(field["masks"]) - {"none"}}


def _titles(story: Story) -> dict[str, str]:
    from hub.demo.calls import CALLED

    return {f.name: f.title if LANG == "zh" else f.name for f in story.list_.by_code[CALLED].fields}


def department_name(story: Story, code: str) -> str:
    """What a person calls a department."""
    department = story.list_.departments_by_code[code]
    return department.name if LANG == "zh" else department.name_en


def shown(path: Path) -> str:
    """*path* as it may be typed: from the working folder, where it lies below that."""
    from pathlib import Path

    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
