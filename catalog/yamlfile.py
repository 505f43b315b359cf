"""Reads the YAML form of a list into a raw list, keeping the line of every value.

It builds no objects but texts, sequences and mappings, whatever tags the file holds; what the texts mean is left to
`catalog.build`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import yaml

from catalog.errors import ListUnreadableError
from catalog.grid import MAX_ROWS
from catalog.layout import COVER, YAML_INNER, YAML_TABLES, Table
from catalog.raw import Cell, CellRow, Faults, Place, RawList, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# A list is at most six deep (resources, resource, fields, field, aliases); libyaml's own composer recurses without a
# limit and overruns the stack on a file of brackets, which is why events are read here instead.
MAX_DEPTH: Final = 16
# The reference city's list has 1.5 million names and values in 80,000 mappings. They are counted with aliases expanded,
# so that few bytes cannot stand for many rows.
MAX_VALUES: Final = 2_500_000
MAX_MAPPINGS: Final = MAX_ROWS + 100_000

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_STANDARD: Final = "tag:yaml.org,2002:"
_TAGS: Final = frozenset(
    {"!", *(_STANDARD + name for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq"))}
)


def read(data: bytes, name: str, faults: Faults) -> RawList | None:
    """The raw list in *data*, or None when its outermost shape is wrong (noted in *faults*).

    Raises:
        ListUnreadableError: not UTF-8, not YAML, or beyond the bounds above.
    """
    root = _Tree(_decoded(data, name), name, faults).root
    if root is None or isinstance(root.content, (str, tuple)):
        place = root.place if root else Place(name, (1,), 1)
        faults.add(place, "wrong_shape", column=name, expected="a mapping", expected_zh="映射")
        return None
    return _raw_list(root.content, Place(name, (1,), 1), name, faults)


def _decoded(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ListUnreadableError(path=name, why="encoding", detail="UTF-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        try:
            data.decode("gb18030")
        except UnicodeDecodeError:
            guess = "?"
        else:
            guess = "GBK/GB18030"
        raise ListUnreadableError(path=name, why="encoding", detail=guess) from error


class _Tree:
    """Folds YAML events into cells. An alias stands for the cell of its anchor; null is the empty text."""

    def __init__(self, text: str, name: str, faults: Faults) -> None:
        self._name = name
        self._faults = faults
        self._anchors: dict[str, tuple[Cell, int]] = {}
        self._values = 0
        self._mappings = 0
        # PyYAML's libyaml loader has the same rules and is some ten times as fast, but is not in every build.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)
            self.root = self._document()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._unreadable("syntax", mark.line + 1 if mark else 1) from error
        except yaml.YAMLError as error:
            raise self._unreadable("syntax", _line_of(error, text)) from error

    def _unreadable(self, why: str, detail: int) -> ListUnreadableError:
        return ListUnreadableError(path=self._name, why=why, detail=str(detail))

    def _place(self, event: yaml.Event) -> Place:
        line, column = _position(event)
        return Place(self._name, (line, column), line)

    def _document(self) -> Cell | None:
        root = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._unreadable("syntax", _position(event)[0])
            elif isinstance(event, yaml.NodeEvent):
                root = self._node(event, 0)
        return root

    def _node(self, event: yaml.Event, depth: int) -> Cell:
        if depth > MAX_DEPTH:
            raise self._unreadable("nesting", _position(event)[0])
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._unreadable("syntax", _position(event)[0])
            cell, weight = self._anchors[event.anchor]
            self._count(weight)
            return cell
        before = self._values
        self._count(1)
        place = self._place(event)
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _TAGS:
            self._faults.add(place, "tag_not_allowed", value=tag)
        if isinstance(event, yaml.SequenceStartEvent):
            cell = Cell(self._sequence(depth), place)
        elif isinstance(event, yaml.MappingStartEvent):
            cell = Cell(self._mapping(depth), place)
        else:
            assert isinstance(event, yaml.ScalarEvent)  # noqa: S101 - the fourth and last kind of node
            null = event.value in _NULLS and (event.implicit[0] if tag is None else tag == _STANDARD + "null")
            cell = Cell("" if null else event.value, place)
        if event.anchor is not None:
            self._anchors[event.anchor] = (cell, self._values - before)
        return cell

    def _count(self, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise ListUnreadableError(path=self._name, why="too_many_rows", detail=f"{MAX_ROWS:,}")

    def _sequence(self, depth: int) -> tuple[Cell, ...]:
        items = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return tuple(items)

    def _mapping(self, depth: int) -> dict[str, Cell]:
        found: dict[str, Cell] = {}
        self._mappings += 1
        if self._mappings > MAX_MAPPINGS:
            raise ListUnreadableError(path=self._name, why="too_many_rows", detail=f"{MAX_ROWS:,}")
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key.content, str):
                self._faults.add(key.place, "wrong_shape", column="?", expected="a name", expected_zh="名称")
            elif key.content in found:
                first = found[key.content].place.where
                self._faults.add(key.place, "duplicate_attribute", value=key.content, first=first)
            else:
                # A value goes by the line of its name, the items of a sequence by their own.
                found[key.content] = Cell(value.content, key.place)
        return found


def _position(event: yaml.Event) -> tuple[int, int]:
    """Line, from 1, and column of an event; every event of a parser has a mark."""
    mark = event.start_mark
    return (mark.line + 1, mark.column) if mark else (1, 0)


def _line_of(error: yaml.YAMLError, text: str) -> int:
    """The line of a reader error, which knows a character position only."""
    position = getattr(error, "position", 0)
    return text.count("\n", 0, position) + 1


# From cells to rows.


def _raw_list(root: Mapping[str, Cell], place: Place, name: str, faults: Faults) -> RawList:
    cover = CellRow(place)
    tables: dict[str, list[Row]] = {table.key: [] for table in YAML_TABLES}
    keys = {table.key: table for table in YAML_TABLES}
    nested: dict[str, dict[int, list[Row]]] = {inner.key: {} for found in YAML_INNER.values() for inner in found}
    attributes = [column.name for column in COVER.columns]
    for key, cell in root.items():
        if key in attributes:
            cover.cells[key] = cell
        elif key in keys:
            for item in _items(cell, key, faults):
                row, inner = _row(item, keys[key], faults)
                if row is not None:
                    for inner_key, rows in inner.items():
                        nested[inner_key][len(tables[key])] = rows
                    tables[key].append(row)
        else:
            allowed = ", ".join(f"`{known}`" for known in [*attributes, *keys])
            faults.add(cell.place, "unknown_attribute", value=key, allowed=allowed)
    for table in YAML_TABLES:
        if table.key not in root and not table.optional:
            faults.add(place, "missing_value", column=table.key)
    count = sum(map(len, tables.values())) + sum(len(rows) for found in nested.values() for rows in found.values())
    if count > MAX_ROWS:
        raise ListUnreadableError(path=name, why="too_many_rows", detail=f"{MAX_ROWS:,}")
    return RawList(cover, tables, nested)


def _items(cell: Cell, key: str, faults: Faults) -> tuple[Cell, ...]:
    """The items of a sequence; an empty value is an empty sequence."""
    if isinstance(cell.content, tuple):
        return cell.content
    if cell.content != "":
        faults.add(cell.place, "wrong_shape", column=key, expected="a sequence", expected_zh="序列")
    return ()


def _row(cell: Cell, table: Table, faults: Faults) -> tuple[CellRow | None, dict[str, list[Row]]]:
    """The row in one mapping, and by table the rows within it."""
    within = {inner.inner: inner for inner in YAML_INNER.get(table.key, ())}
    # Where the rows within it are of the table itself, only the columns that are not theirs are its own.
    own = table.owner if table in within.values() else [column.name for column in table.columns]
    return _mapped(cell, table, own, within, faults)


def _mapped(
    cell: Cell, table: Table, own: Iterable[str], within: Mapping[str, Table], faults: Faults
) -> tuple[CellRow | None, dict[str, list[Row]]]:
    """The row in one mapping with the attributes *own*, and the rows *within* it by key of their table."""
    if isinstance(cell.content, (str, tuple)):
        faults.add(cell.place, "wrong_shape", column=table.key, expected="a mapping", expected_zh="映射")
        return None, {}
    row = CellRow(cell.place)
    inner: dict[str, list[Row]] = {}
    absent: set[str] = set()
    names = set(own)
    nested = {name.partition(".")[0] for name in names if "." in name}
    places: dict[str, Place] = {}
    for key, value in cell.content.items():
        if key in nested:
            places.update({name: value.place for name in names if name.startswith(f"{key}.")})
            absent |= _nested(row, key, value, names, faults)
        elif key in within:
            places[key] = value.place
            found = within[key]
            columns = [column.name for column in found.columns if column.name not in found.owner]
            rows = (_mapped(item, found, columns, {}, faults)[0] for item in _items(value, key, faults))
            inner[found.key] = [item for item in rows if item is not None]
        elif key in names:
            row.cells[key] = value
        else:
            allowed = sorted({name.partition(".")[0] for name in names} | set(within))
            listed = ", ".join(f"`{name}`" for name in allowed)
            faults.add(value.place, "unknown_attribute", value=key, allowed=listed)
    row.places = places
    row.absent = frozenset(absent)
    return row, inner


def _nested(row: CellRow, key: str, value: Cell, names: set[str], faults: Faults) -> set[str]:
    """Put the attributes of a nested mapping into *row*; return those that cannot be told for its wrong shape."""
    inner = {name for name in names if name.startswith(f"{key}.")}
    if isinstance(value.content, (str, tuple)):
        if value.content == "":
            return set()
        faults.add(value.place, "wrong_shape", column=key, expected="a mapping", expected_zh="映射")
        return inner
    for name, cell in value.content.items():
        if f"{key}.{name}" in inner:
            row.cells[f"{key}.{name}"] = cell
        else:
            allowed = ", ".join(f"`{known.partition('.')[2]}`" for known in sorted(inner))
            faults.add(cell.place, "unknown_attribute", value=name, allowed=allowed)
    return set()
