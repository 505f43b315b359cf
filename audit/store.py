"""Bodies kept beside the log under their salted digests, and erased on their own.

What a body means, how long it is kept and who may erase it are left to the callers. The log holds the digest only,
so erasing a body, salt and all, leaves every proof valid and the digest beyond guessing.

One file a body: no index to repair, safe for any number of threads and processes. Erasing unlinks the file; making
the disk forget the blocks is the task of its encryption.
"""

from __future__ import annotations

import json
import os
import re
import threading
from typing import TYPE_CHECKING, Any

from . import canonical
from .entry import seal_body
from .errors import BodyDamagedError, EntryInvalidError, InputInvalidError, storage_error
from .files import make_folder, sync_folder, write_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_DIGEST = re.compile(r"sha256:([0-9a-f]{2})([0-9a-f]{62})")


class BodyStore:
    """Bodies in one folder, which is created on the first `put`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, entry_key: str, salt: bytes, body: Mapping[str, Any]) -> str:
        """Keep *body* with its *salt*, durably on return; return the digest it is kept under, `seal_body`'s.

        Put it before the entry that names it. *entry_key* says, to a person who looks, what it belongs to. Putting
        the same body and salt again changes nothing.

        Raises:
            CanonicalError, EntryInvalidError: no JSON body, or a salt shorter than 16 bytes.
            StorageFullError, StorageFailedError: not kept.
        """
        digest = seal_body(body, salt)
        path = self._path(digest)
        data = canonical.encode({"body": body, "entry_key": entry_key, "salt": salt.hex()})
        # Each writer has a temporary name of its own; the rename decides. A crash leaves a temporary file, or a
        # whole body that no entry names.
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        try:
            make_folder(path.parent)
            try:
                fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                try:
                    write_all(fd, data, 0)
                    os.fsync(fd)
                finally:
                    os.close(fd)
                temporary.replace(path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            sync_folder(path.parent)
        except OSError as error:
            raise storage_error(error, str(path)) from error
        return digest

    def get(self, body_digest: str) -> tuple[bytes, dict[str, Any]] | None:
        """The salt and the body, checked against the digest; None when it was erased or never put.

        Raises:
            BodyDamagedError: the file is not what was put.
            EntryInvalidError: *body_digest* is none.
        """
        path = self._path(body_digest)
        try:
            kept = json.loads(path.read_bytes())
            salt, body = bytes.fromhex(kept["salt"]), kept["body"]
            found = seal_body(body, salt)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, InputInvalidError) as error:
            raise BodyDamagedError(where=body_digest, problem="it cannot be read") from error
        if found != body_digest or not isinstance(body, dict):
            raise BodyDamagedError(where=body_digest, problem="it has another digest")
        return salt, body

    def erase(self, body_digest: str) -> bool:
        """Erase the body and its salt, durably on return; False when there was none.

        Raises:
            StorageFailedError: it may still be there.
            EntryInvalidError: *body_digest* is none.
        """
        path = self._path(body_digest)
        try:
            path.unlink()
            # Until this sync a power failure may bring the name back.
            sync_folder(path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise storage_error(error, str(path)) from error
        return True

    def _path(self, digest: str) -> Path:
        found = _DIGEST.fullmatch(digest)
        if found is None:
            raise EntryInvalidError(problem="a body digest is sha256: and 64 hex digits")
        return self.folder / found[1] / f"{found[2]}.json"
