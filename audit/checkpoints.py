"""Keeps the checkpoints that a log published, so that an auditor can ask what it was on a day, and prove its growth.

The file ``checkpoints`` beside the tree is appended to and never changed: a line of canonical JSON for each checkpoint,
``{"at": …, "checkpoint": …}``, in the order in which they were published. What the signatures promise is left to
`audit.checkpoint`. The time is the publisher's word, which nothing signs but a witness's cosignature; whom to believe
about it is for its reader to say. Sizes and times both grow from line to line.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from .canonical import encode
from .checkpoint import Checkpoint, parse_unverified
from .errors import (
    CheckpointInvalidError,
    EntryMissingError,
    LogDamagedError,
    ProofInvalidError,
    storage_error,
)
from .files import locked, sync_folder, write_all
from .tree import HASH_BYTES, verify_consistency
from .verifiers import as_trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from .notes import Verifier
    from .pinned import PinnedLog
    from .verifiers import Trust

FILE: Final = "checkpoints"
AT_MOST_EVERY: Final = timedelta(minutes=1)
"""However often a log is published, this many lines at most: half a million in a year, some 200 MB."""
_READ_BYTES: Final = 1024 * 1024  # longer than any line: a note has 512 KiB at most
_FIRST_LINE: Final = "zhengtong.cn/log-consistency@v1"
_MAX_PATH: Final = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint that was published: when, as its publisher says, and the signed note."""

    at: datetime
    note: str

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note says; its signatures are not looked at."""
        return parse_unverified(self.note)


def keep(folder: Path, note: str, at: datetime) -> bool:
    """Append *note*, just published by the log in *folder*, durably; False when nothing had to be kept.

    Kept is what has grown, and once a minute at most. Safe in any thread and process. A crash before the sync leaves a
    line that is not whole, which is cut off by the next call, or none: the log is as it was published either way.

    Raises:
        LogDamagedError: what is kept is of another log, or of a longer one.
        StorageFullError, StorageFailedError, LogLockedError: not kept; the log is published all the same.
    """
    path = folder / FILE
    new = parse_unverified(note)
    with locked(folder / f"{FILE}.lock"):
        end = _whole(path)
        last = _last(path, end)
        if last is not None:
            old = last.checkpoint
            if old.origin != new.origin or old.size > new.size:
                raise LogDamagedError(where=FILE, problem=f"its last line is of size {old.size} of `{old.origin}`")
            if old.size == new.size or at - last.at < AT_MOST_EVERY:
                return False
        line = encode({"at": at.astimezone(UTC).isoformat(timespec="seconds"), "checkpoint": note}) + b"\n"
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.ftruncate(fd, end)
                write_all(fd, line, end)
                os.fsync(fd)
            finally:
                os.close(fd)
            if not end:
                sync_folder(folder)
        except OSError as error:
            raise storage_error(error, str(path)) from error
    return True


def kept(folder: Path) -> Iterator[Kept]:
    """Every kept checkpoint, the oldest first; the file's last line counts when it is whole.

    Raises:
        LogDamagedError: a line is not what is written there, or not later and larger than the one before it.
    """
    path, before = folder / FILE, None
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                found = _parse(line, number)
                if before is not None:
                    _must_follow(before, found, number)
                before = found
                yield found
    except OSError as error:
        raise LogDamagedError(where=FILE, problem=f"it cannot be read ({error.strerror})") from error


def kept_at(folder: Path, moment: datetime) -> Kept | None:
    """The newest checkpoint that was published at *moment* (aware) or before it; None if there is none.

    Found by halving: a few lines are read, however long the file is. Lines that are not read are not checked.

    Raises:
        LogDamagedError: a line that was read is not what is written there.
    """
    path = folder / FILE
    try:
        low, high = 0, _whole(path)
        found = None
        with path.open("rb") as file:
            while low < high:
                start = _line_start(file.fileno(), (low + high) // 2, low)
                file.seek(start)
                line = file.readline()
                one = _parse(line, None)
                if one.at <= moment:
                    found, low = one, start + len(line)
                else:
                    high = start
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogDamagedError(where=FILE, problem=f"it cannot be read ({error.strerror})") from error
    return found


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The tree of *new* (a signed note) holds that of *old* as its beginning, by the *path* of RFC 6962 §2.1.2."""

    path: tuple[bytes, ...]
    old: str
    new: str

    def to_text(self) -> str:
        """The form of a file: a first line, the hashes in base64, and after an empty line each, the two notes."""
        lines = [_FIRST_LINE, *(base64.b64encode(step).decode() for step in self.path)]
        return "\n".join(lines) + "\n\n" + self.old + "\n" + self.new

    @classmethod
    def from_text(cls, text: str) -> ConsistencyProof:
        """The proof in this text. Nothing about it is verified.

        Raises:
            ProofInvalidError: another form.
        """
        # A note has one empty line, between its text and its signatures; nothing else here has any.
        parts = text.split("\n\n")
        if len(parts) != 5:  # noqa: PLR2004 - the head, and twice text and signatures
            raise ProofInvalidError(problem="it is not two checkpoints after a list of hashes")
        first, *lines = parts[0].split("\n")
        if first != _FIRST_LINE or len(lines) > _MAX_PATH:
            raise ProofInvalidError(problem=f"it does not begin with {_FIRST_LINE}, or has too many hashes")
        found = cls(tuple(_unb64(line) for line in lines), f"{parts[1]}\n\n{parts[2]}\n", f"{parts[3]}\n\n{parts[4]}")
        if found.to_text() != text:
            raise ProofInvalidError(problem="it is not written as such a proof is")
        return found

    def verify(self, verifiers: Trust | Sequence[Verifier], origin: str | None = None) -> tuple[Checkpoint, Checkpoint]:
        """Both checkpoints, once one of *verifiers* is found to have signed each and the second to extend the first.

        Raises:
            ProofInvalidError: the log was rewritten, or the path is none; CheckpointInvalidError, a kind of it: one
                of the checkpoints is not to be trusted, or they are of two logs.
        """
        old = as_trust(verifiers).open(self.old, origin)
        new = as_trust(verifiers).open(self.new, old.origin)
        verify_consistency(old.size, new.size, old.root, new.root, self.path)
        return old, new


def prove_growth(log: PinnedLog, old: str, new: str | None = None) -> ConsistencyProof:
    """Prove that the checkpoint *new* of *log* (default: its newest) extends *old*, a signed note.

    The caller verifies it: a proof that cannot be made is as good as one that does not hold.

    Raises:
        CheckpointInvalidError: *old* is none.
        EntryMissingError: one is of more entries than the log has.
        LogDamagedError: a tile is missing.
    """
    first, last = parse_unverified(old), log.checkpoint if new is None else parse_unverified(new)
    if last.size > log.size:
        raise EntryMissingError(index=last.size, size=log.size)
    return ConsistencyProof(log.consistency(first.size, last.size), old, log.note if new is None else new)


def _parse(line: bytes, number: int | None) -> Kept:
    where = FILE if number is None else f"{FILE}:{number}"
    try:
        plain = json.loads(line)
        if encode(plain) + b"\n" != line or plain.keys() != {"at", "checkpoint"}:
            raise LogDamagedError(where=where, problem="the line has not the form of one")
        found = Kept(datetime.fromisoformat(plain["at"]), plain["checkpoint"])
        parse_unverified(found.note)
        if found.at.tzinfo is None:
            raise LogDamagedError(where=where, problem="a time without its zone")
    except (ValueError, TypeError, AttributeError, RecursionError, CheckpointInvalidError) as error:
        raise LogDamagedError(where=where, problem="the line is no checkpoint with its time") from error
    return found


def _must_follow(before: Kept, after: Kept, number: int) -> None:
    old, new = before.checkpoint, after.checkpoint
    if old.origin != new.origin or new.size <= old.size or after.at <= before.at:
        raise LogDamagedError(where=f"{FILE}:{number}", problem="the line does not follow the one before it")


def _whole(path: Path) -> int:
    """Where the last whole line ends; a crash may have left the beginning of another."""
    try:
        size = path.stat().st_size
        if not size:
            return 0
        with path.open("rb") as file:
            return _line_start(file.fileno(), size, 0)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise LogDamagedError(where=FILE, problem=f"it cannot be read ({error.strerror})") from error


def _last(path: Path, end: int) -> Kept | None:
    if not end:
        return None
    with path.open("rb") as file:
        start = _line_start(file.fileno(), end - 1, 0)
        file.seek(start)
        return _parse(file.readline(), None)


def _line_start(fd: int, place: int, least: int) -> int:
    """Where the line begins that *place* is in; *least* is the beginning of one."""
    while place > least:
        begin = max(least, place - _READ_BYTES)
        cut = os.pread(fd, place - begin, begin).rfind(b"\n")
        if cut >= 0:
            return begin + cut + 1
        place = begin
    return least


def _unb64(line: str) -> bytes:
    try:
        step = base64.b64decode(line.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ProofInvalidError(problem="a line is not base64") from error
    if len(step) != HASH_BYTES or base64.b64encode(step).decode() != line:
        raise ProofInvalidError(problem="a line is not one hash")
    return step
