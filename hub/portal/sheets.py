"""Pages as tables for a spreadsheet (`.csv`): the rows of the page, of all its pages, in the visitor's language.

Which column shows what of a row is said at the page's door (`hub.portal.doors`). Texts come from departments, and a
spreadsheet takes some for formulas: those are disarmed (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from hub.portal.words import local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from hub.portal.visits import Visit

# By which a spreadsheet program knows UTF-8; without it Chinese is read as GBK.
MARK: Final = "\ufeff"
MEDIA_TYPE: Final = "text/csv; charset=utf-8"
# Ten times the reference city's resources: beyond it a page is narrowed first.
MAX_ROWS: Final = 12_000
# The wide forms are made narrow by some programs when they read a file.
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: *path* of the value within a row, by dots; its heading in Chinese and English."""

    path: str
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """The table at the heart of a page: the member of the page's data that holds the *rows*, and its columns."""

    rows: str
    columns: tuple[Column, ...]


def sheet(rows: str, *columns: tuple[str, str, str]) -> Sheet:
    """A sheet of (path, Chinese, English)."""
    return Sheet(rows, tuple(Column(*one) for one in columns))


def written(visit: Visit, sheets: Sequence[Sheet], page: Callable[[int], Mapping[str, Any]]) -> bytes:
    """The file: *page* gives the page's data by its number, from 1, with `total` and `size`.

    Of several sheets it is the first that the first page has rows for: a page shows one table or another.
    """
    first = page(1)
    chosen = next((one for one in sheets if first.get(one.rows)), sheets[-1])
    out = io.StringIO(MARK)
    out.seek(0, io.SEEK_END)
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([visit.say(one.zh, one.en) for one in chosen.columns])
    last = -(-min(first["total"], MAX_ROWS) // first["size"])
    for number in range(1, max(1, last) + 1):
        plain = first if number == 1 else page(number)
        writer.writerows(_cells(visit, chosen.columns, plain[chosen.rows]))
    return out.getvalue().encode()


def _cells(visit: Visit, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]]) -> Iterable[list[str]]:
    for row in rows:
        yield [disarmed(_text(visit, _at(row, column.path))) for column in columns]


def _at(row: Any, path: str) -> Any:  # noqa: ANN401 - a page's data
    for name in path.split("."):
        row = row.get(name) if row is not None else None
    return row


def _text(visit: Visit, value: Any) -> str:  # noqa: ANN401 - a page's data
    """A value as the page has it; a number that is one is no text that could be a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return visit.say("是", "yes") if value else visit.say("否", "no")
    if isinstance(value, list | tuple):
        return visit.say("、", ", ").join(_text(visit, one) for one in value)
    text = str(value)
    try:
        at = datetime.fromisoformat(text) if "T" in text else None
    except ValueError:
        at = None
    return f"{local(at):%Y-%m-%d %H:%M}" if at is not None and at.tzinfo is not None else text


def disarmed(text: str) -> str:
    """*text*, with an apostrophe before it where a spreadsheet would take it for a formula."""
    if text.lstrip(" ").startswith(_FORMULA) and not _is_number(text):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    return text.startswith("-") and text[1:].replace(".", "", 1).isascii() and text[1:].replace(".", "", 1).isdigit()
