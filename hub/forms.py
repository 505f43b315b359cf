"""Reads the items of a form from what offices have, and compares them with the list and the grants in force.

What counts as the same item, and what may be done with it, is `catalog.collect`.
"""

from __future__ import annotations

import csv
import io
import itertools
import threading
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from catalog.collect import MAX_FIELDS, MAX_LABEL_CHARS, FieldIndex, FormField, check_form, packaged_synonyms
from catalog.errors import ListUnreadableError
from hub.errors import QueryInvalidError
from hub.standing import read_grants

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from catalog.collect import FormReport
    from catalog.model import ResponsibilityList
    from hub.control import Control

MAX_FORM_BYTES: Final = 8 << 20
MAX_UNPACKED_MIB: Final = 64
HEADING_ROWS_SEARCHED: Final = 15
STDIN: Final = "-"

_indexes: dict[str, FieldIndex] = {}
_building = threading.Lock()


def check(
    control: Control,
    list_: ResponsibilityList,
    fields: Sequence[FormField],
    *,
    department: str,
    matter: str = "",
    on: datetime,
) -> FormReport:
    """Say of each of *fields* whether *department* need not collect it for *matter* ("" for any).

    Raises:
        QueryInvalidError: the list knows no such department or matter, or there are no fields or too many.
    """
    if department not in list_.departments_by_code:
        raise QueryInvalidError(
            where="department",
            why=f"the list knows no department `{department[:100]}`; give its code",
            why_zh=f"清单中没有部门 `{department[:100]}`，请填写部门代码",
        )
    if matter and matter not in list_.matters_by_code:
        raise QueryInvalidError(
            where="matter",
            why=f"the list knows no matter `{matter[:100]}`; give its code",
            why_zh=f"清单中没有事项 `{matter[:100]}`，请填写事项代码",
        )
    if not 0 < len(fields) <= MAX_FIELDS:
        raise QueryInvalidError(
            where="fields",
            why=f"{len(fields)} items were found; a form has 1 to {MAX_FIELDS}",
            why_zh=f"共有 {len(fields)} 个信息项，应为 1 至 {MAX_FIELDS} 个",
        )
    with control.reading() as connection:
        grants = read_grants(connection, consumer=department)
    return check_form(
        list_,
        grants,
        department=department,
        matter=matter,
        fields=fields,
        synonyms=packaged_synonyms(),
        on=on,
        index=_index(list_),
    )


def _index(list_: ResponsibilityList) -> FieldIndex:
    """The index of a list, built once; of the latest list alone, for a city's takes some megabytes."""
    with _building:
        known = _indexes.get(list_.version)
        if known is None:
            _indexes.clear()
            known = _indexes[list_.version] = FieldIndex(list_, packaged_synonyms())
        return known


# Files.


def read_form(path: Path) -> tuple[FormField, ...]:
    """The items of the form in *path*: .xlsx or .csv (headings), .yaml (a sequence), anything else a label a line.

    Raises:
        ListUnreadableError: it cannot be opened or is no such file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FORM_BYTES + 1)
    except FileNotFoundError as error:
        raise ListUnreadableError(path=path.name, why="not_found") from error
    except OSError as error:
        detail = error.strerror or type(error).__name__
        raise ListUnreadableError(path=path.name, why="not_permitted", detail=detail) from error
    return read_form_bytes(data, path.name)


def read_form_bytes(data: bytes, name: str) -> tuple[FormField, ...]:
    """As `read_form`, of bytes; the suffix of *name* says what they are. Labels that repeat count once.

    Raises:
        ListUnreadableError: see `read_form`.
    """
    if len(data) > MAX_FORM_BYTES:
        raise ListUnreadableError(path=name, why="too_big", detail=str(MAX_FORM_BYTES >> 20))
    match PurePath(name).suffix.lower():
        case ".xlsx":
            fields = _of_rows(_sheet(data, name))
        case ".csv":
            fields = _of_rows(csv.reader(io.StringIO(_decoded(data, name), newline="")))
        case ".yaml" | ".yml":
            fields = _of_yaml(_decoded(data, name), name)
        case _:
            fields = [FormField(line.strip()) for line in _decoded(data, name).splitlines()]
    once: dict[tuple[str, str], FormField] = {}
    for field in fields:
        kept = FormField(field.label.strip()[:MAX_LABEL_CHARS], field.name.strip()[:MAX_LABEL_CHARS])
        if kept.label:
            once.setdefault((kept.label, kept.name), kept)
    return tuple(once.values())


def _decoded(data: bytes, name: str) -> str:
    """UTF-8, or what older office programs write."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ListUnreadableError(path=name, why="encoding", detail="?")


def _of_rows(rows: Iterable[Iterable[object]]) -> list[FormField]:
    """The headings: the first row with two cells or more, for above it there may be a title; else the first row."""
    first: list[str] = []
    try:
        for row in itertools.islice(rows, HEADING_ROWS_SEARCHED):
            cells = [str(cell).strip() for cell in row if cell is not None and str(cell).strip()]
            first = first or cells
            if len(cells) > 1:
                return [FormField(cell) for cell in cells]
    except csv.Error as error:
        raise ListUnreadableError(path="CSV", why="truncated", detail=str(error)) from error
    return [FormField(cell) for cell in first]


def _sheet(data: bytes, name: str) -> list[tuple[object, ...]]:
    """The first rows of the first sheet, streamed: a cell far off costs nothing."""
    from openpyxl import load_workbook  # noqa: PLC0415 - costs every other command a fifth of a second

    from catalog import zipped  # noqa: PLC0415 - as above

    with zipped.opened(data, name, MAX_UNPACKED_MIB):
        try:
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            rows = book.worksheets[0].iter_rows(max_row=HEADING_ROWS_SEARCHED, max_col=MAX_FIELDS, values_only=True)
            found: list[tuple[object, ...]] = list(rows)
            book.close()
        except (KeyError, ValueError, TypeError, IndexError, AttributeError, SyntaxError) as error:
            # The library raises whatever its own code stumbles over in a damaged workbook.
            raise ListUnreadableError(path=name, why="truncated", detail=type(error).__name__) from error
    return found


def _of_yaml(text: str, name: str) -> list[FormField]:
    import yaml  # noqa: PLC0415 - as above

    try:
        plain = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ListUnreadableError(path=name, why="syntax", detail=str(mark.line + 1 if mark else 1)) from error
    except RecursionError as error:
        raise ListUnreadableError(path=name, why="nesting", detail="1") from error
    items = plain.get("fields") if isinstance(plain, dict) else plain
    if not isinstance(items, list):
        raise ListUnreadableError(path=name, why="syntax", detail="1")
    fields = []
    for item in items:
        if isinstance(item, dict):
            fields.append(FormField(str(item.get("label") or ""), str(item.get("name") or "")))
        elif item is not None:
            fields.append(FormField(str(item)))
    return fields
