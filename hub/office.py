"""Opens what the use cases of the office need, once, and closes it again: the wiring behind command line and API.

Answering calls has its own wiring in `hub.service`, which holds an office, too.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Self

from audit.errors import AuditError
from catalog.clock import NATIONAL, Clocks, load_calendar, load_profile
from hub.cases import Cases
from hub.control import Control
from hub.errors import EvidenceUnavailableError, ListMissingError
from hub.evidence import Evidence, utc_now
from hub.published import current_version, list_version

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from catalog.model import ResponsibilityList
    from hub.settings import Settings

LISTS_REMEMBERED = 4
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Office:
    """The opened parts of one process that handles cases. Every part is safe for many threads."""

    settings: Settings
    control: Control
    evidence: Evidence
    cases: Cases

    @classmethod
    def open(cls, settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> Self:
        """Open the parts of *settings*; `close` closes them.

        Raises:
            SetupError, TryAgainError: the deployment cannot be opened; the message says what to do.
        """
        control = Control.open(settings)
        return cls.over(settings, control, Evidence.open(settings, clock=clock))

    @classmethod
    def over(cls, settings: Settings, control: Control, evidence: Evidence) -> Self:
        """An office over parts that are open already."""
        clocks_of(settings)  # Files with faults are told now, and not at the first step of a case.
        return cls(settings, control, evidence, Cases(control, evidence, partial(clocks_of, settings)))

    @property
    def clocks(self) -> Clocks:
        """The clocks in force; a calendar that another process put in force holds here, too."""
        return clocks_of(self.settings)

    @property
    def list_(self) -> ResponsibilityList:
        """The list in force; which one that is, is asked for anew every time.

        Raises:
            ListMissingError: none was published.
            ListDamagedError: its file was changed.
        """
        version = current_version(self.control)
        if version is None:
            raise ListMissingError(version="")
        return _list_version(self.settings, version)

    def now(self) -> datetime:
        """The instant, by the clock that the evidence goes by."""
        return self.evidence.clock()

    def close(self) -> None:
        """Publish what was appended, and let go of files and connections."""
        try:
            self.evidence.publish_through(self.evidence.log.size - 1)
        except (EvidenceUnavailableError, AuditError, OSError):
            # The entries are durable without a checkpoint; whoever publishes next covers them.
            _logger.exception("the log could not be published")
        self.evidence.log.close()
        self.control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@lru_cache(maxsize=LISTS_REMEMBERED)
def _list_version(settings: Settings, version: str) -> ResponsibilityList:
    """A version never changes, and reading one of a city's size takes a second."""
    return list_version(settings, version)


def clocks_of(settings: Settings) -> Clocks:
    """The clocks of this deployment: those that come with the product, or the city's own.

    Raises:
        DataFileInvalidError: a file of the city's own has faults; each is named.
    """
    own = settings.own_calendar
    calendar, mark = settings.calendar_file, 0
    if calendar is None:
        try:
            # A file that is replaced is another one by its number, whatever its time says.
            found = own.stat()
            calendar, mark = own, hash((found.st_ino, found.st_mtime_ns, found.st_size))
        except FileNotFoundError:
            calendar = None
    if settings.clocks_file is None and calendar is None and settings.clock_profile == NATIONAL:
        return Clocks.default()
    return _clocks(settings.clocks_file, settings.clock_profile, calendar, mark)


@lru_cache(maxsize=LISTS_REMEMBERED)
def _clocks(clocks: Path | None, profile: str, calendar: Path | None, mark: int) -> Clocks:
    del mark
    return Clocks(load_profile(clocks, profile), load_calendar(calendar))
