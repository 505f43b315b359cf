"""A proof that one entry is in the log, in the C2SP text form (c2sp.org/tlog-proof), verified from itself alone.

Making one is left to `audit.log`; which keys to trust, to the caller.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import ProofInvalidError
from .tree import HASH_BYTES, leaf_hash, verify_inclusion
from .verifiers import as_trust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .checkpoint import Checkpoint
    from .notes import Verifier
    from .verifiers import Trust

_FIRST_LINE = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
# 32 bytes in canonical base64: the last four bits of the last character carry nothing and must be zero.
_HASH = "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
_HASHES = re.compile(rf"{_HASH}(?:\n{_HASH})*")
_MAX_PATH = 64  # A tree of 2^64 leaves is as high as any.


@dataclass(frozen=True, slots=True)
class LogProof:
    """Entry *index* is in the tree of *checkpoint* (a signed note), by the inclusion *path* from the leaf up.

    *extra* is opaque and not authenticated.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    def to_text(self) -> str:
        """The ``.tlog-proof`` form."""
        lines = [_FIRST_LINE]
        if self.extra:
            lines.append(f"extra {_b64(self.extra)}")
        lines.append(f"index {self.index}")
        lines.extend(_b64(step) for step in self.path)
        return "\n".join(lines) + "\n\n" + self.checkpoint

    @classmethod
    def from_text(cls, text: str) -> LogProof:
        """The proof in this text. Nothing about it is verified.

        Raises:
            ProofInvalidError: another form.
        """
        head, blank, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if not blank or lines.pop(0) != _FIRST_LINE:
            raise ProofInvalidError(problem=f"it does not begin with {_FIRST_LINE}, or holds no checkpoint")
        extra = b""
        if lines and lines[0].startswith("extra "):
            extra = _unb64(lines.pop(0).removeprefix("extra "))
        found = _INDEX.fullmatch(lines.pop(0)) if lines else None
        if found is None:
            raise ProofInvalidError(problem="the index line is missing")
        if len(lines) > _MAX_PATH:
            raise ProofInvalidError(problem=f"the path has more than {_MAX_PATH} hashes")
        if _HASHES.fullmatch("\n".join(lines)):
            # In this form already, so that no line need be written again to be compared.
            path = tuple([binascii.a2b_base64(line) for line in lines])
        else:
            path = tuple(_unb64(line) for line in lines)
        if any(len(step) != HASH_BYTES for step in path):
            raise ProofInvalidError(problem=f"a hash of the path has not {HASH_BYTES} bytes")
        return cls(int(found[1]), path, checkpoint, extra)

    def verify(self, entry: bytes, verifiers: Trust | Sequence[Verifier], origin: str | None = None) -> Checkpoint:
        """Check that the checkpoint (of *origin*, if given) is signed as `Trust` demands, and its tree holds *entry*.

        Raises:
            ProofInvalidError: the entry is not in that tree at that index; CheckpointInvalidError, a kind of it:
                the checkpoint is not to be trusted.
        """
        checkpoint = as_trust(verifiers).open(self.checkpoint, origin)
        verify_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.path, checkpoint.root)
        return checkpoint


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unb64(text: str) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ProofInvalidError(problem="a line is not base64") from error
    if _b64(data) != text:
        raise ProofInvalidError(problem="a line is not canonical base64")
    return data
