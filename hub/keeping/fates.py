"""Looks up what became of a body that is gone, in the log: it expired, or was erased, or nobody knows.

What the entries say is `audit.expiry`'s.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from audit.entry import Entry
from audit.errors import AuditError, LogUnavailableError
from audit.expiry import ERASED, EXPIRED, Fate, fate_of
from audit.pinned import PinnedLog
from audit.searchindex import SearchIndex
from audit.searching import Query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub.settings import Settings

SAID: Final = (EXPIRED, ERASED)


def index_file(log: Path) -> Path:
    """Where the index of the log in the folder *log* is kept: beside it, for it is for copying and publishing."""
    return log.with_name(f"{log.name}.index")


def fate_at(settings: Settings, number: int, entry: Entry) -> Fate | None:
    """What became of the body of *entry*, the log's *number*; None where no published entry says anything of it."""
    from hub.evidence import log_verifiers  # noqa: PLC0415 - whoever finds every body there need not wait for it

    try:
        log = PinnedLog(settings.log, log_verifiers(settings))
        index = SearchIndex(index_file(settings.log), log)
        with suppress(LogUnavailableError):
            # Where it cannot be written, the rest is read.
            index.extend()
        return fate_of(number, entry, said_after(index, entry))
    except (AuditError, OSError):
        return None


def said_after(index: SearchIndex, entry: Entry) -> Iterator[tuple[int, Entry]]:
    """The entries since *entry* that say that bodies went.

    Raises:
        LogDamagedError, IndexDamagedError
    """
    for hit in index.find(Query(kinds=SAID, since=entry.at)):
        yield hit.index, Entry.decode(hit.data)
