"""What a person is there to do, and which duties nobody may have together.

Administrator, auditor and operators are kept apart (三员分立, GB/T 22239-2019 8.1.5): who gives rights sees no data,
who checks does neither give nor use them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from hub.people.errors import PersonInvalidError

if TYPE_CHECKING:
    from collections.abc import Collection


class Duty(StrEnum):
    """What a person is there to do; values stand in the log."""

    STAFF = "staff"
    REVIEWER = "reviewer"
    LICENCES = "licences"
    WINDOW = "window"
    ENGINEER = "engineer"
    OFFICE = "office"
    LEADER = "leader"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"

    @property
    def words(self) -> tuple[str, str]:
        """(English, Chinese)."""
        return WORDS[self]


WORDS: Final[dict[Duty, tuple[str, str]]] = {
    Duty.STAFF: ("department staff", "部门经办"),
    Duty.REVIEWER: ("reviewer", "部门审核"),
    Duty.LICENCES: ("licence officer", "证照管理"),
    Duty.WINDOW: ("window clerk", "窗口人员"),
    Duty.ENGINEER: ("data engineer", "归集运维"),
    Duty.OFFICE: ("hub office", "数据主管部门"),
    Duty.LEADER: ("leader", "领导"),
    Duty.AUDITOR: ("auditor", "审计员"),
    Duty.ADMINISTRATOR: ("administrator", "系统管理员"),
}
APART: Final = (Duty.ADMINISTRATOR, Duty.AUDITOR)
# Whose duties change what others rely on: they show a one-time code beside the password.
CODED: Final = frozenset({Duty.ADMINISTRATOR, Duty.AUDITOR, Duty.OFFICE, Duty.LICENCES})


def need_apart(duties: Collection[Duty]) -> None:
    """Let only *duties* through that one person may have.

    Raises:
        PersonInvalidError: none, or two that are kept apart.
    """
    if not duties:
        raise PersonInvalidError(where="duties", why="at least one is needed", why_zh="至少一项")
    for one in APART:
        if one in duties and len(set(duties)) > 1:
            en, zh = one.words
            raise PersonInvalidError(
                where="duties", why=f"`{en}` goes with no other duty", why_zh=f"“{zh}”不得兼任其他职责（三员分立）"
            )
