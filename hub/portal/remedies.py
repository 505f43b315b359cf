"""What a page says of an error: its message, and where the portal mends it.

Messages serve the command line too. Where one names a command for what a page does, that sentence gives way to the
page's name; what only a command does, for whoever runs the hub, stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from hub.api import problems
from hub.portal.words import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

# The code of an error: what to do instead, (Chinese, English).
REMEDIES: Final[Mapping[str, tuple[str, str]]] = {
    "resource_unknown": ("请在“共享目录”中查找。", "Look for it in the catalogue."),
    "list_missing": (
        "请由数据主管部门在“责任清单”中报送并发布。",
        "The data office hands one in on the page of the responsibility list, and publishes it there.",
    ),
    "list_version_unknown": ("各版本见“责任清单”。", "The page of the responsibility list has all versions."),
    "load_paused": ("可在该资源的归集页面恢复。", "Let them go on from the page of its loads."),
    "drift_unknown": ("请查看该资源的归集页面。", "See the page of its loads."),
    "kind_unknown": ("请查看“电子证照”中的类型。", "The page of licences lists the kinds."),
    "licence_copy_unknown": (
        "请在该证照的页面查看已提供的加注件。",
        "The licence's page lists those that were handed out.",
    ),
    "person_unknown": ("请在“人员”中查找。", "Look for them on the page of people."),
    "signing_key_missing": (
        "请由系统管理员在“密钥与证书”中更换密钥。",
        "An administrator makes one on the page of keys and certificates.",
    ),
    "signing_key_ended": (
        "请由系统管理员在“密钥与证书”中更换密钥。",
        "An administrator makes the next on the page of keys and certificates.",
    ),
    "certificate_unknown": ("请查看“密钥与证书”。", "The page of keys and certificates lists them."),
    "client_unknown": ("请查看“系统与密钥”。", "The page of systems and keys lists them."),
    "credential_unknown": ("请查看该系统的页面。", "The system's page lists its credentials."),
    "seal_outdated": (
        "请在该印章的页面申请新版本，由另一人核准。",
        "Ask for its next version on the seal's page; another person approves it.",
    ),
}
# What is said in the place of a message that names a step and a state as programs do.
INSTEAD: Final[Mapping[str, tuple[str, str]]] = {
    "step_not_allowed": (
        "目前不能办理此步骤，可能已有人办理。请查看现状后再办。",
        "This step is not possible now; somebody may have acted meanwhile. Look at how it stands.",
    ),
}
COMMAND: Final = "`zhengtong "
_SENTENCES: Final = {"zh": re.compile("(?<=。)"), "en": re.compile(r"(?<=\.) ")}


def said(error: problems.Known, lang: str) -> str:
    """What a page says of *error* in *lang*, ``zh`` or ``en``, without backticks."""
    code, chinese = problems.code_of(error), lang == "zh"
    if code in INSTEAD:
        return INSTEAD[code][0 if chinese else 1]
    text, remedy = error.text(lang), REMEDIES.get(code)
    if remedy is not None:
        kept = [one for one in _SENTENCES["zh" if chinese else "en"].split(text) if one and COMMAND not in one]
        text = ("" if chinese else " ").join([*kept, remedy[0 if chinese else 1]])
    return quoted(text)
