"""What every case shares that people settle in steps: what speaks against a step, and findings about its content.

The steps themselves are each kind of case's own (`catalog.application`, `catalog.correction`, `catalog.demand` …);
keeping cases and running their clocks is `hub.cases`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from catalog.errors import CatalogError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROBLEMS: dict[str, tuple[str, str]] = {}


def register_problems(problems: Mapping[str, tuple[str, str]]) -> None:
    """Add coded findings with their English and Chinese templates; a code is registered once.

    Raises:
        ValueError: a code has other words already.
    """
    for code, words in problems.items():
        if _PROBLEMS.setdefault(code, words) != words:
            raise ValueError(f"the problem `{code}` has other words already")


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about a case's content: *where* names the member, *code* one of the registered problems."""

    where: str
    code: str
    params: tuple[tuple[str, str], ...] = ()

    def text(self, lang: str) -> str:
        """What is wrong and the mend, in Chinese for ``zh`` and in English for anything else."""
        en, zh = _PROBLEMS[self.code]
        return (zh if lang == "zh" else en).format(**dict(self.params))


def problem(where: str, code: str, **params: str) -> Problem:
    """A finding with its words.

    Raises:
        KeyError: *code* is not registered.
    """
    if code not in _PROBLEMS:
        raise KeyError(code)
    return Problem(where, code, tuple(params.items()))


class CaseError(CatalogError):
    """A step that cannot be taken."""

    code: ClassVar[str] = "case_error"
    en: ClassVar[str] = "This step cannot be taken."
    zh: ClassVar[str] = "无法办理此步骤。"


class StepNotAllowedError(CaseError):
    """The case is not in a state for this step: look at it again."""

    code = "step_not_allowed"
    en = "`{step}` is not possible in state `{state}`. Possible now: {allowed}."
    zh = "当前状态 `{state}` 不能办理 `{step}`。目前可办理：{allowed}。"

    def __init__(self, *, step: str, state: str, allowed: Sequence[str]) -> None:
        super().__init__(step=step, state=state, allowed=", ".join(f"`{name}`" for name in allowed) or "-")


class NotYoursError(CaseError):
    """Another department has to take this step."""

    code = "not_yours"
    en = "`{actor}` may not take this step. It belongs to: {needed}."
    zh = "`{actor}` 无权办理此步骤，应由 {needed} 办理。"

    def __init__(self, *, actor: str, needed: str) -> None:
        super().__init__(actor=actor, needed=needed or "-")


class SameHandsError(CaseError):
    """Who put something forward may not decide on it: let another post do it."""

    code = "same_hands"
    en = "`{actor}` put this forward and may not decide on it. Let another post of the department decide."
    zh = "`{actor}` 是提出人，不得自行审批。请由本部门其他岗位办理。"

    def __init__(self, *, actor: str) -> None:
        super().__init__(actor=actor)


class CaseInvalidError(CaseError):
    """What was handed in must be mended; *problems* names every fault at once."""

    code = "case_invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__()

    def __str__(self) -> str:
        return self.text("en")

    def text(self, lang: str) -> str:
        """Every finding, a line each."""
        return "\n".join(f"{p.where}: {p.text(lang)}" for p in self.problems)
