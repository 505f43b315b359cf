"""The door through which a responsibility list comes in: a file of an office, or a version stored earlier.

Every fault of a file is found in one pass. Storing and publishing what was loaded belongs to `hub`.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from catalog import build, yamlfile
from catalog.errors import ListInvalidError, ListUnreadableError
from catalog.faults import Fault
from catalog.plain import from_plain
from catalog.raw import Faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from catalog.model import ResponsibilityList
    from catalog.raw import RawList

__all__ = ["Fault", "LoadReport", "from_plain", "load", "load_bytes", "load_report", "load_report_bytes"]

# The reference city's list takes 3 MiB as a workbook and 12 as YAML.
MAX_FILE_MIB: Final = 64
SUFFIXES: Final = (".xlsx", ".yaml", ".yml", ".zip")


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What came of reading a file: the list, or None if any fault is an error; and all faults in file order."""

    list_: ResponsibilityList | None
    faults: tuple[Fault, ...]


def load(path: Path, *, today: date | None = None) -> ResponsibilityList:
    """Load the list in *path*: a .xlsx, .yaml or .yml file, a .zip of CSV files or a folder of them.

    With *today*, deadlines that are past are among the warnings. Warnings do not stop a load; see `load_report`.

    Raises:
        ListInvalidError: the list breaks rules; the error names every fault.
        ListUnreadableError: the file could not be read as a list at all.
    """
    return _sound(load_report(path, today=today), path.name)


def load_bytes(data: bytes, suffix: str, name: str, *, today: date | None = None) -> ResponsibilityList:
    """As `load`, from bytes; *name* stands for the file in messages.

    Raises:
        ListInvalidError: the list breaks rules; the error names every fault.
        ListUnreadableError: the bytes could not be read as a list at all.
    """
    return _sound(load_report_bytes(data, suffix, name, today=today), name)


def _sound(report: LoadReport, name: str) -> ResponsibilityList:
    if report.list_ is None:
        raise ListInvalidError(report.faults, name)
    return report.list_


def load_report(path: Path, *, today: date | None = None) -> LoadReport:
    """Load the list in *path* and report its faults, warnings included, instead of raising them.

    Raises:
        ListUnreadableError: the file could not be read as a list at all.
    """
    if path.is_dir() and path.suffix.lower() not in SUFFIXES:
        from catalog import csvfile  # noqa: PLC0415 - as in _raw

        faults = Faults(path.name)
        with _uncollected():
            return _report(csvfile.read_folder(path, faults), faults, today)
    return load_report_bytes(_content(path), path.suffix, path.name, today=today)


def load_report_bytes(data: bytes, suffix: str, name: str, *, today: date | None = None) -> LoadReport:
    """As `load_report`, from bytes.

    Raises:
        ListUnreadableError: the bytes could not be read as a list at all.
    """
    if len(data) > MAX_FILE_MIB << 20:
        raise ListUnreadableError(path=name, why="too_big_file", detail=str(MAX_FILE_MIB))
    faults = Faults(name)
    with _uncollected():
        return _report(_raw(data, suffix, name, faults), faults, today)


def _raw(data: bytes, suffix: str, name: str, faults: Faults) -> RawList | None:
    kind = suffix.lower()
    # The readers of workbooks and CSV are imported when one comes: stored versions and YAML do without them.
    if kind == ".xlsx":
        from catalog import sheets  # noqa: PLC0415

        return sheets.read(data, name, faults)
    if kind == ".zip":
        from catalog import csvfile  # noqa: PLC0415

        return csvfile.read_zip(data, name, faults)
    if kind in SUFFIXES:
        return yamlfile.read(data, name, faults)
    raise ListUnreadableError(path=name, why="suffix", detail=suffix)


def _report(raw: RawList | None, faults: Faults, today: date | None) -> LoadReport:
    list_ = build.build(raw, faults, today) if raw is not None else None
    return LoadReport(list_, faults.sorted())


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the cycle collector: a load makes a million objects and no cycles, and walking them takes a third of it.

    It is the interpreter's; another thread does without it for as long too, which a load's bounds keep short.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _content(path: Path) -> bytes:
    if path.suffix.lower() not in SUFFIXES and path.exists():
        raise ListUnreadableError(path=path.name, why="suffix", detail=path.suffix)
    try:
        if path.stat().st_size > MAX_FILE_MIB << 20:
            raise ListUnreadableError(path=path.name, why="too_big_file", detail=str(MAX_FILE_MIB))
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ListUnreadableError(path=path.name, why="not_found") from error
    except OSError as error:
        raise ListUnreadableError(path=path.name, why="not_permitted", detail=error.strerror or "") from error
