"""What usual posts are called, for people who read ``MZJ:window-2``; which posts there are is each department's affair.

A post is written into the log as a department entered it. One that is not listed here reads as it was entered, which is
as it should be where it was entered in Chinese.
"""

from __future__ import annotations

import re
from typing import Final

from hub.people.duties import WORDS as DUTIES

HUB: Final = "hub"
"""What stands for a department where the hub acted by itself."""
HUB_WORDS: Final = ("the hub", "平台")

# A post, or a part of the hub: (English, Chinese).
_POSTS: Final[dict[str, tuple[str, str]]] = {
    **{duty.value: words for duty, words in DUTIES.items()},
    "catalogue": ("catalogue keeper", "目录编制"),
    "clerk": ("clerk", "经办员"),
    "data-engineer": ("data engineer", "归集运维"),
    "data-officer": ("data officer", "数据专员"),
    "data-reviewer": ("data reviewer", "数据审核"),
    "demonstration": ("demonstration", "演示"),
    "deputy": ("deputy", "副职"),
    "deputy-director": ("deputy director", "副局长"),
    "head": ("head", "负责人"),
    "hub-office": ("hub office", "数据主管岗"),
    "keeper": ("keeper", "保管员"),
    "licence-head": ("head of licences", "证照负责人"),
    "licence-officer": ("licence officer", "证照管理"),
    "list-reviewer": ("list reviewer", "清单审核"),
    "office-head": ("head of office", "办公室主任"),
    "operator": ("operator", "操作员"),
    "review": ("reviewer", "审核"),
    "scheduler": ("scheduler", "调度任务"),
    "seal-clerk": ("seal clerk", "印章经办"),
    "seal-keeper": ("seal keeper", "印章保管"),
    "section-head": ("head of section", "科长"),
    "service-hall": ("service hall", "政务服务大厅"),
}
_PARTS: Final[dict[str, tuple[str, str]]] = {
    "licensing": ("licences", "证照服务"),
    "portal": ("portal", "门户"),
    "rule": ("by rule", "按规则办理"),
    "seals": ("seals", "印章服务"),
    "wallets": ("wallets", "证照钱包"),
}
# Several people of one post are told apart by a number.
_NUMBERED: Final = re.compile(r"(?P<post>.+)-(?P<number>[0-9]{1,4})")


def words_of(post: str, department: str = "") -> tuple[str, str]:
    """(English, Chinese) of a *post*; a number at its end stays, and one that is not listed is its own name."""
    known = _PARTS if department == HUB else _POSTS
    if post in known:
        return known[post]
    numbered = _NUMBERED.fullmatch(post)
    if numbered is None or numbered["post"] not in known:
        return post, post
    en, zh = known[numbered["post"]]
    return f"{en} {numbered['number']}", f"{zh} {numbered['number']}"
