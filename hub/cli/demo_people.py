"""What `zhengtong demo` says of the portal: who may sign in there, and by what password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.cli.demo_calls import shown
from hub.cli.language import LANG, say
from hub.cli.output import note, table
from hub.cli.progress import chapter

if TYPE_CHECKING:
    from hub.demo.story import Story


def tell(story: Story) -> None:
    """Register the people, and say who they are."""
    with chapter(say("登记门户人员", "People who use the portal")):
        entrance = story.register_people()
    names = {one.code: one.name if LANG == "zh" else one.name_en for one in story.list_.departments}
    headings = (say("登录名", "Login"), say("部门", "Department"), say("职责", "Duties"))
    table(
        "",
        headings,
        (
            [one.login, names[one.department], say("、", ", ").join(d.words[LANG == "zh"] for d in sorted(one.duties))]
            for one in entrance.people
        ),
    )
    note(
        say(
            f"  口令均为 {entrance.password} （另存于 {shown(entrance.file)}）",
            f"  The password of all of them is {entrance.password} (kept in {shown(entrance.file)})",
        )
    )
