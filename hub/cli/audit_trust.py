"""Options by which a reader says which witnesses must have cosigned the log, and what they make of pinned keys.

What is demanded is `audit.verifiers.Trust`'s affair.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.arguments import read_file
from hub.cli.language import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audit.keys import WitnessVerifierKey
    from audit.policy import Policy, Quorum
    from audit.verifiers import PublicKey, Trust

Witnesses = Annotated[
    list[str] | None,
    typer.Option(
        "--witness", metavar="KEY", help=say("见证方公钥或其文件，可多次", "a witness's key, or its file; may repeat")
    ),
]
Least = Annotated[
    int | None,
    typer.Option(
        "--quorum", min=1, help=say("至少须有几个见证方联署（默认全部）", "how many must have cosigned (default: all)")
    ),
]
PolicyFile = Annotated[
    Path | None,
    typer.Option("--policy", help=say("见证策略文件（C2SP tlog-policy）", "a trust policy (C2SP tlog-policy)")),
]


def trust_in(
    keys: Sequence[PublicKey], also: Sequence[PublicKey], texts: list[str] | None, least: int | None, file: Path | None
) -> Trust:
    """The trust in pinned *keys*, with what the options above ask for.

    Raises:
        PolicyInvalidError, KeyTextError: mend them.
    """
    from audit.policy import Quorum
    from audit.verifiers import Trust

    if file is not None and (texts or least):
        raise typer.BadParameter(
            say("--policy 不与 --witness、--quorum 同用", "--policy stands for --witness and --quorum"),
            param_hint="--policy",
        )
    quorum: Quorum | None = None
    if file is not None:
        quorum = policy_in(file).quorum
    elif texts:
        found = _witnesses(texts)
        quorum = Quorum(least or len(found), found)
    elif least:
        raise typer.BadParameter(
            say("请用 --witness 给出见证方公钥", "say whose cosignatures by --witness"), param_hint="--quorum"
        )
    return Trust(keys, also, quorum)


def policy_in(file: Path) -> Policy:
    """The policy in *file*. Raises: PolicyInvalidError."""
    from audit.policy import read_policy

    return read_policy(read_file(file, say("见证策略", "a trust policy")) + "\n")


def _witnesses(texts: Sequence[str]) -> tuple[WitnessVerifierKey, ...]:
    from audit.keys import WitnessVerifierKey

    found: list[WitnessVerifierKey] = []
    for text in texts:
        path = Path(text)
        lines = read_file(path, say("见证方公钥", "a witness's key")) if path.is_file() else text
        found += [WitnessVerifierKey.from_text(line) for line in lines.splitlines() if line.strip()]
    return tuple(found)
