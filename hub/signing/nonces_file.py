"""Remembers the signed requests of the last minutes for all processes of one machine: a file that they map and lock.

What a request must be like is `hub.signing.requests`' affair; for one process `hub.signing.nonces` is enough, and for
several machines there is `hub.nonces_shared`. A commit to a database for each call would cost more than checking its
signature does; a lock, a search in a kilobyte and sixteen bytes written cost some microseconds.

The file has a head and buckets of 64 slots of 16 bytes. A bucket's first slot holds where the next digest goes, each
other one twelve bytes of a digest and the second in which it may be forgotten. What a key and a nonce come to is known
to the file alone, so that nobody can fill one bucket on purpose.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import mmap
import os
import secrets
import struct
import threading
from pathlib import Path
from typing import Final

from hub.signing.errors import NoncesForgottenError, NoncesFullError, SignatureReplayedError
from hub.signing.nonces import LIFETIME_S, SKEW_S

BUCKETS: Final = 1 << 16
"""At this number the file has 64 MiB (sparse until used) and 4.1 million slots: 12,500 calls a second for 330 s."""

_MAGIC: Final = b"ZTNONCE1"
_HEAD: Final = struct.Struct("<8s36s16sIq")  # magic, boot, key of the digests, buckets, horizon
_HORIZON: Final = struct.Struct("<q")
_HORIZON_AT: Final = _HEAD.size - _HORIZON.size
_HEAD_BYTES: Final = 4096  # buckets begin on a page
_SLOT_BYTES: Final = 16
_SLOTS: Final = 64
_BUCKET_BYTES: Final = _SLOT_BYTES * _SLOTS
_DIGEST_BYTES: Final = 12
_WORD: Final = struct.Struct("<I")
_BOOT_BYTES: Final = 36
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class FileNonces:
    """For the processes of one machine, and any threads of theirs; see `hub.signing.nonces.Nonces`.

    What was taken outlives the processes, for the kernel keeps what is mapped. It does not outlive the machine: after
    a restart of it, what was signed before the file was opened again is refused, since it may have been taken.
    A process that dies while it writes leaves a slot that nobody finds, of a call that nobody answered.
    Each process makes its own object: over a fork two would share one lock, which would keep neither out.

    *buckets* is for a file that is made; one that is there has its own number.
    """

    def __init__(self, path: Path, *, started: float, buckets: int = BUCKETS) -> None:
        self._threads = threading.Lock()
        self._process = os.getpid()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._key, self._buckets = self._head(started, buckets)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._data = mmap.mmap(self._file, _size(self._buckets))

    def take(self, key_id: str, nonce: str, *, until: float, now: float) -> None:
        """See `Nonces`."""
        if self._process != os.getpid():
            raise RuntimeError("the nonces of another process: open the file after the fork")
        digest = hashlib.blake2b(f"{key_id}\n{nonce}".encode(), digest_size=16, key=self._key).digest()
        bucket = int.from_bytes(digest[_DIGEST_BYTES:], "little") % self._buckets
        begin = _HEAD_BYTES + bucket * _BUCKET_BYTES
        # The file's lock keeps other processes out; threads of one process share it, and need their own.
        with self._threads:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                self._take(digest[:_DIGEST_BYTES], begin, until, now)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _take(self, digest: bytes, begin: int, until: float, now: float) -> None:
        data, end = self._data, begin + _BUCKET_BYTES
        (horizon,) = _HORIZON.unpack_from(data, _HORIZON_AT)
        # A clock that was set back would let in again what is forgotten by now.
        if until <= horizon:
            raise NoncesForgottenError
        found = data.find(digest, begin + _SLOT_BYTES, end)
        while found >= 0:
            if (found - begin) % _SLOT_BYTES == 0:
                # Found though its time has passed: it may have been taken, and nothing is lost by refusing it.
                raise SignatureReplayedError
            found = data.find(digest, found + 1, end)
        (position,) = _WORD.unpack_from(data, begin)
        slot = begin + _SLOT_BYTES * (1 + position % (_SLOTS - 1))
        (ends,) = _WORD.unpack_from(data, slot + _DIGEST_BYTES)
        if ends > now:
            # The oldest of the bucket may still come again, so there is no room; another nonce has another bucket.
            raise NoncesFullError
        # What is about to be forgotten is refused from here on, before it is forgotten.
        if ends > horizon:
            _HORIZON.pack_into(data, _HORIZON_AT, ends)
        data[slot : slot + _SLOT_BYTES] = digest + _WORD.pack(int(until) + 1)
        _WORD.pack_into(data, begin, (position + 1) % (_SLOTS - 1))

    def close(self) -> None:
        """Let go of the file; what it remembers stays."""
        self._data.close()
        os.close(self._file)

    def _head(self, started: float, buckets: int) -> tuple[bytes, int]:
        """The key of the digests and the number of buckets, of the file or, where it is of no use, of a new one."""
        boot = _BOOT.read_bytes().strip()[:_BOOT_BYTES] if _BOOT.exists() else b""
        head = os.pread(self._file, _HEAD.size, 0)
        if len(head) == _HEAD.size:
            magic, booted, key, there, _ = _HEAD.unpack(head)
            usable = magic == _MAGIC and os.fstat(self._file).st_size == _size(there)
            if usable and booted == boot.ljust(_BOOT_BYTES, b"\0"):
                return key, there
        # There was a file: the machine was started anew and may have lost its last pages, so that what could have been
        # taken by then is refused. A crash before the head is written leaves none, and the next to open begins again.
        lost = LIFETIME_S + (SKEW_S if head else 0)
        os.ftruncate(self._file, 0)
        os.ftruncate(self._file, _size(buckets))
        key = secrets.token_bytes(16)
        os.pwrite(self._file, _HEAD.pack(_MAGIC, boot, key, buckets, math.ceil(started) + lost), 0)
        return key, buckets


def _size(buckets: int) -> int:
    return _HEAD_BYTES + buckets * _BUCKET_BYTES
