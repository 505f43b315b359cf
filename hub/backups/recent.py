"""Which backups there are and how old the newest is: for the portal, the command line and monitors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from hub.backups.making import UNFINISHED
from hub.backups.manifest import NAME, Summary, read_summary

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

# A backup a day; one that was missed shows before the next is due, two are too many.
LATE: Final = timedelta(hours=30)
TOO_LATE: Final = timedelta(hours=54)
MAX_SHOWN: Final = 1_000
GOOD, LATE_LIGHT, BAD = "good", "warn", "bad"


@dataclass(frozen=True, slots=True)
class Known:
    """A backup as its folder tells it; *summary* is None where that cannot be read."""

    name: str
    path: Path
    summary: Summary | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How backups stand: the *newest* that is readable, its *age*, the *light*; *unfinished* ones are no backups."""

    known: tuple[Known, ...]
    newest: Summary | None
    age: timedelta | None
    light: str
    unfinished: int
    same_disk: bool


def standing(folder: Path, home: Path, at: datetime) -> Standing:
    """How the backups in *folder* of the deployment at *home* stand at *at*, the newest first. Reads summaries only."""
    names = sorted((one.name for one in folder.iterdir()), reverse=True) if folder.is_dir() else []
    known = tuple(_known(folder / name) for name in names if NAME.fullmatch(name))[:MAX_SHOWN]
    newest = next((one.summary for one in known if one.summary is not None), None)
    age = None if newest is None else max(at - newest.made_at, timedelta())
    light = BAD if age is None or age > TOO_LATE else LATE_LIGHT if age > LATE else GOOD
    return Standing(
        known,
        newest,
        age,
        light,
        sum(1 for name in names if name.startswith(UNFINISHED)),
        same_disk=folder.is_dir() and home.is_dir() and folder.stat().st_dev == home.stat().st_dev,
    )


def _known(path: Path) -> Known:
    try:
        return Known(path.name, path, read_summary(path))
    except (OSError, ValueError):
        return Known(path.name, path, None)
