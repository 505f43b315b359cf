"""C2SP checkpoints (c2sp.org/tlog-checkpoint): what a log promises about its tree at one size.

Signatures are left to `audit.notes`; whether a tree has this root, to `audit.tree`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import CheckpointInvalidError
from .notes import open_note, sign_note
from .tree import HASH_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .notes import Signer, Verifier

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_FIXED_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The root hash of the tree of *size* leaves of the log *origin*."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all((self.origin, *self.extensions)) or any("\n" in x for x in (self.origin, *self.extensions)):
            raise CheckpointInvalidError(problem="origin and extension lines are single lines of text, not empty")
        if self.size < 0 or len(self.root) != HASH_BYTES:
            raise CheckpointInvalidError(problem="the size is negative or the root hash has not 32 bytes")

    def text(self) -> str:
        """The note text: origin, size, root in base64, extension lines; each with its newline."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    def sign(self, signers: Sequence[Signer]) -> str:
        """The signed note."""
        return sign_note(self.text(), signers)


def parse(text: str) -> Checkpoint:
    """The checkpoint with this note text. Nothing about it is verified.

    Raises:
        CheckpointInvalidError: another form.
    """
    lines = text.split("\n")
    if lines.pop() or len(lines) < _FIXED_LINES:
        raise CheckpointInvalidError(problem="fewer than three lines, or no final newline")
    if not _SIZE.fullmatch(lines[1]):
        raise CheckpointInvalidError(problem="the size is not a plain decimal number")
    try:
        root = base64.b64decode(lines[2].encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise CheckpointInvalidError(problem="the root hash is not base64") from error
    found = Checkpoint(lines[0], int(lines[1]), root, tuple(lines[_FIXED_LINES:]))
    if found.text() != text:
        raise CheckpointInvalidError(problem="the root hash is not canonical base64")
    return found


def open_checkpoint(
    note: str, verifiers: Sequence[Verifier], origin: str | None = None, *, also: Sequence[Verifier] = ()
) -> Checkpoint:
    """The checkpoint in *note* once a trusted key is found to have signed it; of *origin*, if that is given.

    With *also* every one of those must have signed it, too: a second signature, or witnesses.

    Raises:
        CheckpointInvalidError: malformed, of another log, or signed by nobody among *verifiers*.
    """
    found = parse(open_note(note, verifiers, also=also))
    if origin is not None and found.origin != origin:
        raise CheckpointInvalidError(problem=f"it is of the log `{found.origin}`, not of `{origin}`")
    return found


def parse_unverified(note: str) -> Checkpoint:
    """The checkpoint in a signed *note* without looking at its signatures.

    For navigating a log's own files only; trust needs `open_checkpoint`.

    Raises:
        CheckpointInvalidError: another form.
    """
    cut = note.rfind("\n\n")
    if cut < 0:
        raise CheckpointInvalidError(problem="no blank line between text and signatures")
    return parse(note[: cut + 1])
