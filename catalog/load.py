"""The door through which a responsibility list comes in: a file of an office, or a version stored earlier.

Every fault of a file is found in one pass. Storing and publishing what was loaded belongs to `hub`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from catalog import build, yamlfile
from catalog.errors import ListInvalidError, ListUnreadableError
from catalog.faults import Fault
from catalog.plain import from_plain
from catalog.raw import Faults

if TYPE_CHECKING:
    from pathlib import Path

    from catalog.model import ResponsibilityList

__all__ = ["Fault", "LoadReport", "from_plain", "load", "load_bytes", "load_report", "load_report_bytes"]

MAX_FILE_MIB: Final = 256
_YAML: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What came of reading a file: the list, or None if any fault is an error; and all faults in file order."""

    list_: ResponsibilityList | None
    faults: tuple[Fault, ...]


def load(path: Path) -> ResponsibilityList:
    """Load the list in *path* (.xlsx, .yaml or .yml). Warnings do not stop it; see `load_report` for them.

    Raises:
        ListInvalidError: the list breaks rules; the error names every fault.
        ListUnreadableError: the file could not be read as a list at all.
    """
    return load_bytes(_content(path), path.suffix, path.name)


def load_bytes(data: bytes, suffix: str, name: str) -> ResponsibilityList:
    """As `load`, from bytes; *name* stands for the file in messages.

    Raises:
        ListInvalidError: the list breaks rules; the error names every fault.
        ListUnreadableError: the bytes could not be read as a list at all.
    """
    report = load_report_bytes(data, suffix, name)
    if report.list_ is None:
        raise ListInvalidError(report.faults, name)
    return report.list_


def load_report(path: Path) -> LoadReport:
    """Load the list in *path* and report its faults, warnings included, instead of raising them.

    Raises:
        ListUnreadableError: the file could not be read as a list at all.
    """
    return load_report_bytes(_content(path), path.suffix, path.name)


def load_report_bytes(data: bytes, suffix: str, name: str) -> LoadReport:
    """As `load_report`, from bytes.

    Raises:
        ListUnreadableError: the bytes could not be read as a list at all.
    """
    faults = Faults()
    kind = suffix.lower()
    if len(data) > MAX_FILE_MIB << 20:
        raise ListUnreadableError(path=name, why="too_big", detail=str(MAX_FILE_MIB))
    if kind == ".xlsx":
        # The Excel reader is imported when a workbook comes: stored versions and YAML do without it.
        from catalog import sheets  # noqa: PLC0415

        raw = sheets.read(data, name, faults)
    elif kind in _YAML:
        found = yamlfile.read(data, name, faults)
        if found is None:
            return LoadReport(None, faults.sorted())
        raw = found
    else:
        raise ListUnreadableError(path=name, why="suffix", detail=suffix)
    list_ = build.build(raw, faults)
    return LoadReport(list_, faults.sorted())


def _content(path: Path) -> bytes:
    if path.suffix.lower() not in (".xlsx", *_YAML):
        raise ListUnreadableError(path=path.name, why="suffix", detail=path.suffix)
    try:
        if path.stat().st_size > MAX_FILE_MIB << 20:
            raise ListUnreadableError(path=path.name, why="too_big", detail=str(MAX_FILE_MIB))
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ListUnreadableError(path=path.name, why="not_found") from error
    except OSError as error:
        raise ListUnreadableError(path=path.name, why="not_permitted", detail=error.strerror or "") from error
