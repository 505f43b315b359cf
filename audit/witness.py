"""A witness: says of a log's checkpoint that it saw it grow out of the one before, and never cosigns a second history.

The protocol is C2SP's tlog-witness, ``add-checkpoint``; who speaks HTTP is left to the callers. What a witness knows of
a log is one file, the last checkpoint it cosigned, replaced and synced before the cosignature leaves: a crash before it
leaves the older state and no cosignature, a crash after it a cosignature that nobody got, which is asked for again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .checkpoint import open_checkpoint, parse, parse_unverified
from .errors import CheckpointInvalidError, LogDamagedError, ProofInvalidError
from .files import locked, make_folder, replace_files
from .notes import MAX_NOTE_BYTES
from .tree import HASH_BYTES, verify_consistency
from .verifiers import as_trust

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from .checkpoint import Checkpoint
    from .keys import WitnessSignerKey
    from .notes import Verifier

SIZE_TYPE: Final = "text/x.tlog.size"
TEXT_TYPE: Final = "text/plain; charset=utf-8"
MAX_PATH: Final = 63
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered over HTTP."""

    status: int
    body: str = ""
    media_type: str = TEXT_TYPE


class _RefusedError(Exception):
    """No cosignature; *answer* says why."""

    def __init__(self, status: int, body: str, media_type: str = TEXT_TYPE) -> None:
        self.answer = Answer(status, body, media_type)
        super().__init__(body)


class Witness:
    """One witness and its folder. Any number of threads and processes may ask it.

    Promise: of one log it cosigns one history. Two checkpoints that it cosigned are consistent with each other.
    """

    def __init__(
        self,
        folder: Path,
        signer: WitnessSignerKey,
        logs: Mapping[str, Sequence[Verifier]],
        clock: Callable[[], datetime],
    ) -> None:
        self._folder = folder
        self._signer = signer
        self._logs = logs
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request: 200 with the cosignature, or why not (tlog-witness, "add-checkpoint").

        Raises:
            LogDamagedError: the witness's own record is not what it wrote; a person must look.
            LogUnavailableError: the record cannot be read or kept now; nothing was cosigned.
        """
        try:
            old, path, new = self._admitted(body)
            record = self._record(new.origin)
            make_folder(self._folder)
            # From looking to keeping nobody else may come between: a slower request would roll a later one back.
            with locked(record.with_suffix(".lock")):
                _check_growth(self._seen(record, new.origin), old, new, path)
                replace_files([(record, new.text().encode())])
        except _RefusedError as refused:
            return refused.answer
        return Answer(200, self._signer.cosignature_line(new.text(), self._clock()))

    def _admitted(self, body: bytes) -> tuple[int, tuple[bytes, ...], Checkpoint]:
        """What is asked for, once it is known that the log's own key signed it."""
        try:
            old, path, note = _parse(body)
            origin = parse_unverified(note).origin
        except ProofInvalidError as error:
            raise _RefusedError(400, f"{error.text('en')}\n") from error
        verifiers = self._logs.get(origin)
        if not verifiers:
            raise _RefusedError(404, "this log is not known here\n")
        try:
            new = as_trust(verifiers).open(note, origin)
        except CheckpointInvalidError as error:
            raise _RefusedError(403, "no key that is trusted for this log signed the checkpoint\n") from error
        if old > new.size:
            raise _RefusedError(400, "the old size is beyond the checkpoint's\n")
        return old, path, new

    def seen(self, origin: str) -> Checkpoint | None:
        """The last checkpoint of *origin* that was cosigned. Raises: LogDamagedError."""
        return self._seen(self._record(origin), origin)

    def _record(self, origin: str) -> Path:
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.checkpoint"

    @staticmethod
    def _seen(record: Path, origin: str) -> Checkpoint | None:
        try:
            found = parse(record.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, CheckpointInvalidError) as error:
            raise LogDamagedError(where=str(record), problem="the witness's record cannot be read") from error
        if found.origin != origin:
            raise LogDamagedError(where=str(record), problem="the witness's record is of another log")
        return found


def _check_growth(seen: Checkpoint | None, old: int, new: Checkpoint, path: Sequence[bytes]) -> None:
    """Whether *new* is what *seen* has grown into."""
    size = seen.size if seen else 0
    if old != size:
        raise _RefusedError(409, f"{size}\n", SIZE_TYPE)
    if seen is None or not size:
        if path:
            raise _RefusedError(422, "from nothing there is no proof\n")
        return
    if size == new.size and seen.root != new.root:
        raise _RefusedError(409, f"{size}\n", SIZE_TYPE)
    try:
        verify_consistency(size, new.size, seen.root, new.root, path)
    except ProofInvalidError as error:
        raise _RefusedError(422, "the checkpoint is not consistent with the one before\n") from error


def request_body(old: int, path: Sequence[bytes], note: str) -> bytes:
    """The body by which a log asks for a cosignature of the checkpoint in *note*."""
    lines = [f"old {old}", *(base64.b64encode(step).decode() for step in path)]
    return ("\n".join(lines) + "\n\n" + note).encode()


def add_cosignatures(note: str, answer: str, witnesses: Sequence[Verifier]) -> str:
    """*note* with the lines of a witness's *answer* that are by one of *witnesses*; others are left out.

    Raises:
        CheckpointInvalidError: a line claims one of them and does not hold, or none is there.
    """
    cut = note.rfind("\n\n")
    text = note[: cut + 1]
    taken = []
    for line in answer.splitlines(keepends=True):
        known = [w for w in witnesses if line.startswith(f"— {w.name} ")]
        if known and line not in note:
            # By itself, so that one false line does not stand for the others.
            open_checkpoint(f"{text}\n{line}", known)
            taken.append(line)
    if not taken:
        raise CheckpointInvalidError(problem="the witness did not cosign it")
    return note + "".join(taken)


def _parse(body: bytes) -> tuple[int, tuple[bytes, ...], str]:
    """(old size, consistency path, signed note) of a request. Raises: ProofInvalidError."""
    if len(body) > MAX_NOTE_BYTES:
        raise ProofInvalidError(problem="the request is too long")
    try:
        head, blank, note = body.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError as error:
        raise ProofInvalidError(problem="the request is no UTF-8") from error
    first, *lines = head.split("\n")
    found = _OLD.fullmatch(first)
    if not blank or found is None or len(lines) > MAX_PATH:
        raise ProofInvalidError(problem="the request is not an old size, a proof and a checkpoint")
    path = []
    for line in lines:
        try:
            step = base64.b64decode(line.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise ProofInvalidError(problem="a line of the proof is not base64") from error
        if len(step) != HASH_BYTES or base64.b64encode(step).decode() != line:
            raise ProofInvalidError(problem="a line of the proof is not one hash")
        path.append(step)
    return int(found[1]), tuple(path), note
