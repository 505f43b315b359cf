"""What `zhengtong demo` tells of a department that follows changes: before the second day, and after it.

What happens is `hub.demo.follow`; here it is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub.cli.hooks import STATE_WORDS
from hub.cli.language import LANG, say
from hub.cli.output import note, table
from hub.cli.progress import chapter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.demo.manifest import DayChanges
    from hub.demo.story import Story


def begin(story: Story) -> Mapping[str, Any]:
    """Begin to follow, and have the receiver called from now on; the hook."""
    with chapter(
        say(
            "公积金中心订阅人口和公租房租赁的变更，登记接收地址",
            "The provident fund begins to follow residents and tenancies, and registers an address to be called",
        )
    ):
        begun = story.follower.begin()
        hook = story.follower.listen()
    state = say(*STATE_WORDS[hook["state"]])
    going_on = "" if begun else say("沿用已有的游标；", "from the cursors of before; ")
    note(
        say(
            f"  {going_on}接收地址 {hook['url']} 已应答验证，状态：{state}（{hook['id']}）",
            f"  {going_on}{hook['url']} answered the challenge and is {state} ({hook['id']})",
        )
    )
    return hook


def tell(story: Story, hook: Mapping[str, Any], expected: DayChanges | None) -> bool:
    """The pages since then, and whether the receiver was called; *expected* is what happened, None: nothing new."""
    with chapter(
        say("公积金中心：被通知、验签、按游标取变更", "The fund: called, the signature checked, the changes fetched")
    ):
        calls = story.follower.called(hook["id"])
        told = story.follower.pages()
    kinds = ("insert", "update", "delete")
    headings = (
        say("变更", "Changes"),
        say("新增", "Inserts"),
        say("变更", "Updates"),
        say("删除", "Deletes"),
    )
    names = {r.code: r.name if LANG == "zh" else r.name_en for r in story.list_.resources}
    table("", headings, ([names[code], *(found[k] for k in kinds)] for code, found in told.items()), right=(1, 2, 3))
    if not any(told.values()):
        note(say("  自上次取数以来没有变更。", "  Nothing has changed since it last asked."))
    receiver = story.follower.receiver
    taken = sum(one["type"] == "changes" for one in receiver.taken)
    delivered = sum(one["state"] == "delivered" and one["kind"] == "changes" for one in calls)
    note(
        say(
            f"  平台共通知 {delivered} 次（只告知有变更，不含数据）；"
            f"本次运行收到 {taken} 次，签名不符 {receiver.refused} 次。",
            f"  The hub called {delivered} time(s), saying only that there is something; {taken} of them in this run, "
            f"{receiver.refused} with a wrong signature.",
        )
    )
    right = delivered > 0 and receiver.refused == 0
    if expected is None:
        return right
    changed = {code: expected.resources[code] for code in told}
    wanted = {code: (c.inserted + c.replayed, c.updated, c.deleted) for code, c in changed.items()}
    return right and {code: tuple(found[k] for k in kinds) for code, found in told.items()} == wanted
