"""What a backup says of itself: a list of its files that `sha256sum -c` reads, and a summary with the list's digest.

The digest of the summary names the whole backup; the log keeps it (``backup.made``), out of the reach of whoever could
change the backup.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub.backups.copying import Copied

FORMAT: Final = 1
FILES: Final = "files.sha256"
SUMMARY: Final = "backup.json"
CONTENT: Final = "content"
KEYS: Final = "keys.sealed"
MAX_SUMMARY_BYTES: Final = 64 * 1024
SEALED, LEFT_OUT = "sealed", "left_out"
# As sha256sum writes it; a name that it would have to escape is refused.
_LINE: Final = re.compile(r"([0-9a-f]{64})  ([^\x00-\x1f\x7f\\]+)")
NAME: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")


@dataclass(frozen=True, slots=True)
class Part:
    """How much of what is in a backup."""

    name: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What a backup holds; *log_size* counts durable entries, *log_published* those that a checkpoint covers."""

    made_at: datetime
    origin: str
    list_version: str
    log_size: int
    log_published: int
    database: str
    keys: str
    parts: tuple[Part, ...]
    files: str

    @property
    def size_bytes(self) -> int:
        """Of all parts together."""
        return sum(part.size_bytes for part in self.parts)

    @property
    def count(self) -> int:
        """How many files there are."""
        return sum(part.files for part in self.parts)

    def encode(self) -> bytes:
        """The bytes of the summary, the same for the same backup."""
        plain = {"format": FORMAT, **asdict(self), "made_at": self.made_at.isoformat()}
        return json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"

    @property
    def digest(self) -> str:
        """By this the log knows the backup."""
        return hashlib.sha256(self.encode()).hexdigest()


def decode(data: bytes) -> Summary:
    """A summary from its bytes.

    Raises:
        ValueError: it is none of a format that is known.
    """
    try:
        plain: dict[str, Any] = json.loads(data)
        if plain.pop("format") != FORMAT or set(plain) != {one.name for one in fields(Summary)}:
            raise ValueError("another format")
        plain["made_at"] = datetime.fromisoformat(plain["made_at"])
        plain["parts"] = tuple(Part(**part) for part in plain["parts"])
        summary = Summary(**plain)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no summary of a backup") from error
    if summary.encode() != data:
        raise ValueError("not as it was written")
    return summary


def read_summary(backup: Path) -> Summary:
    """The summary of *backup*. Raises: OSError, ValueError: there is none that can be read."""
    with (backup / SUMMARY).open("rb") as file:
        return decode(file.read(MAX_SUMMARY_BYTES))


def line(copied: Copied) -> bytes:
    """The line of a file.

    Raises:
        ValueError: its name is none of ours.
    """
    text = f"{copied.sha256}  {CONTENT}/{copied.path}"
    if not _LINE.fullmatch(text):
        raise ValueError(copied.path)
    return f"{text}\n".encode()


def listed(backup: Path) -> Iterator[tuple[str, str]]:
    """The files of *backup* as listed: name and SHA-256.

    Raises:
        ValueError: a line is none.
        OSError: the list cannot be read.
    """
    with (backup / FILES).open("r", encoding="utf-8", newline="\n") as file:
        for text in file:
            found = _LINE.fullmatch(text.removesuffix("\n"))
            if found is None or not found[2].startswith(f"{CONTENT}/") or ".." in found[2].split("/"):
                raise ValueError("the list of files holds a line that is none")
            yield found[2], found[1]
