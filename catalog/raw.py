"""A list as it was found in a file, before any value is judged: tables of texts that remember their places.

`catalog.sheets`, `catalog.csvfile` and `catalog.yamlfile` make it; `catalog.build` turns it into values of the model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from catalog.faults import FAULTS, Fault, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

# A file in which every line is wrong tells its reader nothing more after these, and memory must end somewhere.
MAX_FAULTS: Final = 10_000


class Place(NamedTuple):
    """Where something stands: in *name* (a file or sheet), and as it sorts within the whole.

    *line* counts from 1, 0 means all of it. *column*, from 0, is given in workbooks only. The text that people read is
    made when a fault asks for it: nearly every cell of a list is never at fault.
    """

    name: str
    order: tuple[int, ...]
    line: int = 0
    column: int = -1

    @property
    def where(self) -> str:
        """``file``, ``file:line`` or ``sheet!cell``."""
        if not self.line:
            return self.name
        return f"{self.name}!{letters(self.column)}{self.line}" if self.column >= 0 else f"{self.name}:{self.line}"


def letters(index: int) -> str:
    """The name by which a workbook calls the column *index*, from 0."""
    found = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        found = chr(65 + rest) + found
    return found


class Cell(NamedTuple):
    """One value as written. *content* is text, or in YAML also a sequence or a mapping of further cells.

    *suspect* is ``long_number`` or ``cell_is_date`` when a spreadsheet may have changed what was typed, ``noted``
    when the cell is at fault already.
    """

    content: str | tuple[Cell, ...] | Mapping[str, Cell]
    place: Place
    suspect: str = ""


class Row(Protocol):
    """One record as written: its cells by attribute."""

    @property
    def place(self) -> Place:
        """Where the record begins."""

    @property
    def absent(self) -> frozenset[str]:
        """Attributes whose whole column is missing, which is reported once and not for each row."""

    def raw(self, attribute: str) -> str | None:
        """The text of a cell that is text and nothing else, empty where there is none; None: look at the cell."""

    def cell(self, attribute: str) -> Cell | None:
        """The cell of the attribute."""

    def called(self, attribute: str) -> str:
        """What the file calls the attribute: its heading in a table, its key in YAML."""

    def at(self, attribute: str) -> Place:
        """Where the attribute stands or should stand."""


@dataclass(slots=True)
class CellRow:
    """A row of cells. *places* says where cells that are not there would stand, *headings* what they are called."""

    place: Place
    cells: dict[str, Cell] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    def raw(self, attribute: str) -> str | None:
        """As `Row.raw`."""
        cell = self.cells.get(attribute)
        if cell is None:
            return ""
        return cell.content if type(cell.content) is str and not cell.suspect else None

    def cell(self, attribute: str) -> Cell | None:
        """As `Row.cell`."""
        return self.cells.get(attribute)

    def called(self, attribute: str) -> str:
        """As `Row.called`."""
        return self.headings.get(attribute, attribute)

    def at(self, attribute: str) -> Place:
        """As `Row.at`."""
        cell = self.cells.get(attribute)
        return cell.place if cell else self.places.get(attribute, self.place)


@dataclass(frozen=True, slots=True)
class KnownRow:
    """A row of a list that was read before: its *values* by attribute, which are judged with those of other rows."""

    place: Place
    values: Mapping[str, Any]

    @property
    def absent(self) -> frozenset[str]:
        """As `Row.absent`."""
        return frozenset()

    def raw(self, _attribute: str) -> None:
        """As `Row.raw`."""

    def cell(self, _attribute: str) -> None:
        """As `Row.cell`."""

    def called(self, attribute: str) -> str:
        """As `Row.called`."""
        return attribute

    def at(self, _attribute: str) -> Place:
        """As `Row.at`."""
        return self.place


@dataclass(slots=True)
class RawList:
    """Every table of the list as written, keyed as in `catalog.layout.TABLES`.

    Where tables are nested (YAML), *nested* holds by key of the inner table and index of the outer row the rows
    within it; otherwise it is None, and the rows of every table name what they belong to.
    """

    cover: Row
    tables: Mapping[str, list[Row]]
    nested: Mapping[str, Mapping[int, list[Row]]] | None = None


class Faults:
    """Collects the faults of one load; nothing is thrown until the whole list was looked at.

    No more than `MAX_FAULTS` are kept; that there are more is said then.
    """

    def __init__(self, name: str = "") -> None:
        self._name = name
        self._found: list[tuple[tuple[int, ...], int, Fault]] = []
        self._more = 0
        self.any_error = False
        """Whether at least one fault stops the load."""

    def add(self, place: Place, code: str, **params: str) -> None:
        """Note a fault; values of the list are cut to a readable length."""
        if FAULTS[code][0] == "error":
            self.any_error = True
        if len(self._found) >= MAX_FAULTS:
            self._more += 1
            return
        words = tuple((name, shown(value) if name in _FROM_LIST else value) for name, value in params.items())
        self._found.append((place.order, len(self._found), Fault(place.where, code, words)))

    def sorted(self) -> tuple[Fault, ...]:
        """The faults in the order of the file, each once."""
        found = list(dict.fromkeys(fault for _, _, fault in sorted(self._found, key=lambda item: item[:2])))
        if self._more:
            code = "too_many_errors" if self.any_error else "too_many_warnings"
            found.append(Fault(self._name, code, (("shown", str(len(found))), ("more", str(self._more)))))
        return tuple(found)


_FROM_LIST = frozenset({"value", "other", "problem", "column"})
