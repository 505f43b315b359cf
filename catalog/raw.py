"""A list as it was found in a file, before any value is judged: tables of texts that remember their places.

`catalog.sheets` and `catalog.yamlfile` make it; `catalog.build` turns it into values of the model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog.faults import Fault, shown

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: as people read it, and as it sorts within the file."""

    where: str
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as written. *content* is text, or in YAML also a sequence or a mapping of further cells.

    *suspect* is ``long_number`` or ``cell_is_date`` when a spreadsheet may have changed what was typed.
    """

    content: str | tuple[Cell, ...] | Mapping[str, Cell]
    place: Place
    suspect: str = ""


@dataclass(slots=True)
class Row:
    """One record as written: its cells by attribute.

    *places* says where cells that are not there would stand; *headings* is what the file calls its columns;
    *absent* holds attributes whose whole column is missing, which is reported once and not for each row.
    """

    place: Place
    cells: dict[str, Cell] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    headings: Mapping[str, str] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    def called(self, attribute: str) -> str:
        """What the file calls the attribute: its heading in a workbook, its key in YAML."""
        return self.headings.get(attribute, attribute)

    def at(self, attribute: str) -> Place:
        """Where the attribute stands or should stand."""
        cell = self.cells.get(attribute)
        return cell.place if cell else self.places.get(attribute, self.place)


@dataclass(slots=True)
class RawList:
    """Every table of the list as written, keyed as in `catalog.layout.TABLES`.

    In a workbook each row of ``fields`` carries a ``resource`` cell; in YAML *fields_of* holds, by the index of the
    resource's row, the rows nested in it.
    """

    cover: Row
    tables: dict[str, list[Row]]
    fields_of: dict[int, list[Row]] | None = None


class Faults:
    """Collects the faults of one load; nothing is thrown until the whole list was looked at."""

    def __init__(self) -> None:
        self._found: list[tuple[tuple[int, ...], int, Fault]] = []

    def add(self, place: Place, code: str, **params: str) -> None:
        """Note a fault; values of the list are cut to a readable length."""
        words = tuple((name, shown(value) if name in _FROM_LIST else value) for name, value in params.items())
        self._found.append((place.order, len(self._found), Fault(place.where, code, words)))

    def sorted(self) -> tuple[Fault, ...]:
        """The faults in the order of the file, each once."""
        return tuple(dict.fromkeys(fault for _, _, fault in sorted(self._found, key=lambda item: item[:2])))

    @property
    def any_error(self) -> bool:
        """Whether at least one fault stops the load."""
        return any(fault.severity == "error" for _, _, fault in self._found)


_FROM_LIST = frozenset({"value", "other", "problem", "column"})
