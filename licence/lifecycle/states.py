"""The states of a licence, what an issuing department may do to it, and the codes of both.

Who may do it is left to `licence.lifecycle.licences` and `licence.lifecycle.dossier`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """证照状态, codes of a ministry's published profile (no national table was found)."""

    VALID = "01"
    SUSPENDED = "02"
    REVOKED = "03"
    CANCELLED = "04"
    LAPSED = "05"
    TRANSFERRED = "06"
    WITHDRAWN = "07"
    OTHER = "99"

    @property
    def zh(self) -> str:
        """The official term."""
        return STATE_NAMES[self][0]

    @property
    def en(self) -> str:
        """The English term."""
        return STATE_NAMES[self][1]


STATE_NAMES: Mapping[State, tuple[str, str]] = {
    State.VALID: ("有效", "valid"),
    State.SUSPENDED: ("暂扣", "suspended"),
    State.REVOKED: ("撤销", "revoked"),
    State.CANCELLED: ("注销", "cancelled"),
    State.LAPSED: ("失效", "lapsed"),
    State.TRANSFERRED: ("转出", "transferred out"),
    State.WITHDRAWN: ("吊销", "withdrawn as a penalty"),
    State.OTHER: ("其他", "other"),
}


class Action(StrEnum):
    """What an issuing department may do to a licence it issued."""

    SUSPEND = "suspend"
    RESUME = "resume"
    REVOKE = "revoke"
    CANCEL = "cancel"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"
    TRANSFER = "transfer"

    @property
    def zh(self) -> str:
        """The official term."""
        return _ACTION_NAMES[self][0]

    @property
    def en(self) -> str:
        """The English participle."""
        return _ACTION_NAMES[self][1]


_ACTION_NAMES: Mapping[Action, tuple[str, str]] = {
    Action.SUSPEND: ("暂扣", "suspended"),
    Action.RESUME: ("恢复", "resumed"),
    Action.REVOKE: ("撤销", "revoked"),
    Action.CANCEL: ("注销", "cancelled"),
    Action.EXPIRE: ("置为失效", "marked as lapsed"),
    Action.WITHDRAW: ("吊销", "withdrawn"),
    Action.TRANSFER: ("转出", "transferred out"),
}

_ENDING: Mapping[Action, State] = {
    Action.REVOKE: State.REVOKED,
    Action.CANCEL: State.CANCELLED,
    Action.EXPIRE: State.LAPSED,
    Action.WITHDRAW: State.WITHDRAWN,
}
# From a state that is not a key here, nothing leads out: the ends are final. What is suspended is not handed over.
TRANSITIONS: Mapping[State, Mapping[Action, State]] = {
    State.VALID: {Action.SUSPEND: State.SUSPENDED, Action.TRANSFER: State.TRANSFERRED, **_ENDING},
    State.SUSPENDED: {Action.RESUME: State.VALID, **_ENDING},
}
