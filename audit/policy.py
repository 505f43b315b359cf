"""Trust policies: which logs and witnesses are known, and which witnesses together are enough (C2SP tlog-policy).

Opening a checkpoint under a policy is left to `audit.verifiers`; asking witnesses, to the callers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .errors import KeyTextError, PolicyInvalidError
from .keys import WitnessVerifierKey
from .verifiers import read_verifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .verifiers import PublicKey

MAX_LINES: Final = 256
NONE: Final = "none"
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Quorum:
    """*least* of *members* must have cosigned; a member is a witness's key or a quorum of its own."""

    least: int
    members: tuple[WitnessVerifierKey | Quorum, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.least <= len(self.members):
            problem = f"{self.least} of {len(self.members)} witnesses can never be, or asks for nothing"
            raise PolicyInvalidError(problem=problem)
        # Two names of one key would let one witness count for two.
        if len({key.public for key in self.keys}) < len(self.keys):
            raise PolicyInvalidError(problem="a witness is there twice")

    @property
    def keys(self) -> tuple[WitnessVerifierKey, ...]:
        """Every witness that may count."""
        return tuple(self._keys())

    def met(self, signed: frozenset[tuple[str, bytes]]) -> bool:
        """Whether those who *signed*, by name and key id, are enough."""
        count = 0
        for one in self.members:
            count += one.met(signed) if isinstance(one, Quorum) else (one.name, one.key_id) in signed
        return count >= self.least

    def _keys(self) -> Iterator[WitnessVerifierKey]:
        for one in self.members:
            yield from one.keys if isinstance(one, Quorum) else (one,)


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness of a policy: *name* is the policy's own, *url* its submission prefix, or ""."""

    name: str
    key: WitnessVerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """The known *logs* and *witnesses*, and the *quorum*; None: no cosignature is asked for."""

    logs: tuple[PublicKey, ...]
    witnesses: tuple[Witness, ...]
    quorum: Quorum | None


def read_policy(text: str) -> Policy:
    """The policy in *text*: lines of ``log``, ``witness``, ``group`` and, once, ``quorum``.

    Raises:
        PolicyInvalidError: names the line.
    """
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise PolicyInvalidError(problem=f"it has more than {MAX_LINES} lines")
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        words = re.split(r"[ \t]+", line.strip(" \t"))
        if not words[0] or words[0].startswith("#"):
            continue
        try:
            reader.take(line, words[0], words[1:])
        except (PolicyInvalidError, KeyTextError) as error:
            raise PolicyInvalidError(problem=f"line {number}: {error.params['problem']}") from error
    return reader.policy()


class _Reader:
    """What was read so far."""

    def __init__(self) -> None:
        self._logs: dict[str, PublicKey] = {}
        self._witnesses: dict[str, Witness] = {}
        self._named: dict[str, WitnessVerifierKey | Quorum] = {}
        self._grouped: set[str] = set()
        self._quorum: Quorum | None = None
        self._done = False

    def policy(self) -> Policy:
        if not self._done:
            raise PolicyInvalidError(problem="there is no quorum line")
        return Policy(tuple(self._logs.values()), tuple(self._witnesses.values()), self._quorum)

    def take(self, line: str, kind: str, words: Sequence[str]) -> None:
        if _FORBIDDEN.search(line):
            raise PolicyInvalidError(problem="a control character")
        takers = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._quorum_is}
        if kind not in takers:
            raise PolicyInvalidError(problem="it begins with no word that is known")
        takers[kind](words)

    def _log(self, words: Sequence[str]) -> None:
        if len(words) not in {1, 2}:
            raise PolicyInvalidError(problem="`log KEY [URL]` is wanted")
        key = read_verifier(words[0])
        if isinstance(key, WitnessVerifierKey) or key.to_text() in self._logs:
            raise PolicyInvalidError(problem="it is no log's key, or there twice")
        self._logs[key.to_text()] = key

    def _witness(self, words: Sequence[str]) -> None:
        if len(words) not in {2, 3}:
            raise PolicyInvalidError(problem="`witness NAME KEY [URL]` is wanted")
        key = WitnessVerifierKey.from_text(words[1])
        if any(one.key.public == key.public for one in self._witnesses.values()):
            raise PolicyInvalidError(problem="the same key is there twice")
        self._name(words[0], key)
        self._witnesses[words[0]] = Witness(words[0], key, *words[2:])

    def _group(self, words: Sequence[str]) -> None:
        if len(words) < 3:  # noqa: PLR2004 - a name, how many, and one member at least
            raise PolicyInvalidError(problem="`group NAME all|any|K MEMBER…` is wanted")
        name, least, *members = words
        count = {"any": "1", "all": str(len(members))}.get(least, least)
        if not re.fullmatch(r"[1-9][0-9]{0,3}", count, re.ASCII):
            raise PolicyInvalidError(problem="how many is `all`, `any` or a number")
        for member in members:
            if member not in self._named or member in self._grouped:
                raise PolicyInvalidError(problem="a member is not defined before, or in a group already")
            self._grouped.add(member)
        self._name(name, Quorum(int(count), tuple(self._named[member] for member in members)))

    def _quorum_is(self, words: Sequence[str]) -> None:
        if len(words) != 1 or self._done:
            raise PolicyInvalidError(problem="`quorum NAME` is wanted, once")
        self._done = True
        if words[0] == NONE:
            return
        found = self._named.get(words[0])
        if found is None:
            raise PolicyInvalidError(problem="the quorum is not defined before")
        self._quorum = found if isinstance(found, Quorum) else Quorum(1, (found,))

    def _name(self, name: str, member: WitnessVerifierKey | Quorum) -> None:
        if name == NONE or name in self._named:
            raise PolicyInvalidError(problem="the name is taken")
        self._named[name] = member
