"""Bodies in the form of earlier versions, one JSON file each: read, erased, and handed over to segments.

New bodies are not kept so: two syncs each were too slow. Which of both is asked first, and the locks, are left to
`audit.store`.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from . import canonical
from .entry import seal_body
from .errors import BodyDamagedError, InputInvalidError, storage_error
from .files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_FOLDER = re.compile(r"[0-9a-f]{2}")
_FILE = re.compile(r"[0-9a-f]{62}\.json")
_NS_PER_MONTH = 31 * 24 * 3600 * 10**9


def parse(data: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The value with this canonical form, numbers beyond 2^53 as the doubles that they were.

    Raises:
        ValueError, RecursionError: no JSON.
    """
    return json.loads(data, parse_int=_integer)


def _integer(text: str) -> float:
    # RFC 8785 writes a whole double below 10^21 without a point.
    number = int(text)
    return number if abs(number) <= canonical.MAX_INTEGER else float(text)


class FileBodies:
    """The files ``xx/….json`` under one folder, named by the hex digits of their digests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, digest: bytes) -> tuple[bytes, dict[str, Any]] | None:
        """The salt and the body, checked against the digest; None when there is none.

        Raises:
            BodyDamagedError: the file is not what was put.
        """
        name = digest.hex()
        if not os.path.exists(f"{self.folder}/{name[:2]}/{name[2:]}.json"):  # noqa: PTH110 - asked by every look-up
            return None
        found = self.raw(self._path(digest), digest)
        return None if found is None else (found[0], parse(found[1]))

    def raw(self, path: Path, digest: bytes) -> tuple[bytes, bytes] | None:
        """As `get`, the body as canonical bytes."""
        where = f"sha256:{digest.hex()}"
        try:
            kept = parse(path.read_bytes())
            salt, body = bytes.fromhex(kept["salt"]), kept["body"]
            found = seal_body(body, salt)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, InputInvalidError) as error:
            raise BodyDamagedError(where=where, problem="it cannot be read") from error
        if found != where or not isinstance(body, dict):
            raise BodyDamagedError(where=where, problem="it has another digest")
        return salt, canonical.encode(body)

    def erase(self, digest: bytes) -> bool:
        """Remove the file, durably on return; False when there was none.

        Raises:
            OSError: it may still be there.
        """
        path = self._path(digest)
        try:
            path.unlink()
            # Until this sync a power failure may bring the name back.
            sync_folder(path.parent)
        except FileNotFoundError:
            return False
        return True

    def months(self) -> Iterator[tuple[int, list[Path]]]:
        """The files by the month (of 31 days) in which they were written, oldest first, a folder's share at a time.

        With each share the newest time in it, in microseconds. Reads the folders once for each month, so that memory
        is bounded by one folder: a 256th of the files.
        """
        for month in sorted({_written_ns(path) // _NS_PER_MONTH for path in self._files()}):
            for folder in self._folders():
                share = [path for path in _files(folder) if _written_ns(path) // _NS_PER_MONTH == month]
                if share:
                    yield max(map(_written_ns, share)) // 1000, share

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files whose bodies are kept elsewhere; a crash leaves some, to be handed over again.

        Raises:
            OSError: some are left.
        """
        folders = set()
        for path in paths:
            path.unlink(missing_ok=True)
            folders.add(path.parent)
        for folder in folders:
            sync_folder(folder)

    def remove_empty(self) -> None:
        """Remove what crashed writers left, and the folders in which nothing is left.

        Raises:
            OSError: some are left.
        """
        for folder in list(self._folders()):
            for path in folder.glob(".*.tmp"):
                path.unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()

    def digest_of(self, path: Path) -> bytes:
        """The digest by which a file is named."""
        return bytes.fromhex(path.parent.name + path.stem)

    def _path(self, digest: bytes) -> Path:
        name = digest.hex()
        return self.folder / name[:2] / f"{name[2:]}.json"

    def _folders(self) -> Iterator[Path]:
        try:
            entries = sorted(self.folder.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            raise storage_error(error, str(self.folder)) from error
        yield from (path for path in entries if _FOLDER.fullmatch(path.name) and path.is_dir())

    def _files(self) -> Iterator[Path]:
        for folder in self._folders():
            yield from _files(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # Erased since it was listed.
        return 0
