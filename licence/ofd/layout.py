"""Pages as data: boxes of text, lines and pictures in millimetres, and how the face of a licence is laid out in them.

What the page is written as is left to `licence.ofd.write`; fields and their words come from the kind's catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from licence.errors import IssueRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from licence.fonts import Font

A4: Final = (210.0, 297.0)
BLACK, GREY, RED = (0, 0, 0), (90, 90, 90), (176, 0, 24)
_MARGIN, _GUTTER = 25.0, 8.0
_TITLE_MM, _TEXT_MM, _SMALL_MM = 10.0, 4.6, 3.2
_LEADING = 1.5
_SEAL_MM, _QR_MM = 42.0, 28.0
_FIELDS_TOP, _FIELDS_BOTTOM = 70.0, 215.0
_TITLE_COLUMN = 30.0
# These do not begin a line (避头尾).
_NOT_FIRST: Final = frozenset("，。、；：？！）》〉」』】”’%‰,.;:?!)]}")


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text: (*x*, *y*) is where its base line begins, *size* the em, in millimetres."""

    x: float
    y: float
    size: float
    text: str
    colour: tuple[int, int, int] = BLACK
    #: 0 is invisible, 255 solid.
    alpha: int = 255
    #: Counter-clockwise, in degrees, about (x, y).
    turn: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """A straight line from (*x1*, *y1*) to (*x2*, *y2*)."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float = 0.3
    colour: tuple[int, int, int] = BLACK


@dataclass(frozen=True, slots=True)
class Image:
    """A PNG picture that fills its box."""

    x: float
    y: float
    width: float
    height: float
    png: bytes


@dataclass(frozen=True, slots=True)
class Box:
    """A place on the page: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Page:
    """A page; later items lie above earlier ones. *seal* is where a seal is to be put."""

    items: tuple[Text | Line | Image, ...]
    width: float = A4[0]
    height: float = A4[1]
    seal: Box | None = None

    @property
    def texts(self) -> Iterator[Text]:
        """The lines of text, in order."""
        return (item for item in self.items if isinstance(item, Text))


def width_mm(font: Font, text: str, size: float) -> float:
    """How wide *text* is at *size* millimetres to the em."""
    return sum(map(font.advance, text)) * size / font.units_per_em


def break_lines(font: Font, text: str, size: float, width: float) -> list[str]:
    """*text* in lines of at most *width* millimetres; a word of Latin letters or digits is kept whole if it fits."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line, used = "", 0.0
        for piece in _pieces(paragraph):
            wide = width_mm(font, piece, size)
            if used + wide <= width or (piece in _NOT_FIRST and line):
                line, used = line + piece, used + wide
                continue
            if line:
                lines.append(line.rstrip())
            line, used = "", 0.0
            for character in piece:
                wide = width_mm(font, character, size)
                if line and used + wide > width:
                    lines.append(line)
                    line, used = "", 0.0
                line, used = line + character, used + wide
        lines.append(line.rstrip())
    return lines


def _pieces(text: str) -> Iterator[str]:
    """The parts between which a line may break: Latin words, and every other character by itself."""
    word = ""
    for character in text:
        if character.isascii() and not character.isspace() and character not in _NOT_FIRST:
            word += character
            continue
        if word:
            yield word
        word = ""
        yield character
    if word:
        yield word


def licence_page(
    font: Font,
    *,
    title: str,
    fields: Sequence[tuple[str, str]],
    issuer: str,
    issued_on: str,
    identifier: str,
    qr_png: bytes | None = None,
    watermark: str = "",
) -> Page:
    """The face of a licence on A4: *title*, *fields* (name, value) in order, issuer, date, seal and QR positions.

    Short fields stand two in a row, long ones have the row to themselves. *watermark* marks an annotated copy (加注件).
    Only the layout is decided here: the same arguments give the same page.

    Raises:
        IssueRefusedError: the fields do not fit on the page.
        GlyphMissingError: the font lacks a character.
    """
    font.require(
        "".join([title, issuer, issued_on, identifier, watermark, *(n + v.replace("\n", "") for n, v in fields)])
    )
    wide, high = A4
    items: list[Text | Line | Image] = [*_frame(wide, high)]
    size = min(_TITLE_MM, (wide - 2 * _MARGIN) / max(width_mm(font, title, 1.0), 1.0))
    items.append(Text((wide - width_mm(font, title, size)) / 2, 45.0, size, title))
    items.append(Line(_MARGIN, 54.0, wide - _MARGIN, 54.0, 0.5, RED))
    items += _fields(font, fields)
    right = wide - _MARGIN
    for y, text in ((232.0, issuer), (241.0, issued_on)):
        fit = min(_TEXT_MM, 80.0 / max(width_mm(font, text, 1.0), 1.0))
        items.append(Text(right - 10 - width_mm(font, text, fit), y, fit, text))
    if qr_png is not None:
        items.append(Image(_MARGIN, 225.0, _QR_MM, _QR_MM, qr_png))
    small = min(_SMALL_MM, (wide - 2 * _MARGIN) / max(width_mm(font, f"证照标识　{identifier}", 1.0), 1.0))
    items.append(Text(_MARGIN, 263.0, small, f"证照标识　{identifier}", GREY))
    if watermark:
        items += _watermark(font, watermark, wide)
    seal = Box(right - 10 - _SEAL_MM, 215.0, _SEAL_MM, _SEAL_MM)
    return Page(tuple(items), wide, high, seal)


def _frame(wide: float, high: float) -> Iterator[Line]:
    for inset, width in ((12.0, 0.8), (14.0, 0.25)):
        corners = [(inset, inset), (wide - inset, inset), (wide - inset, high - inset), (inset, high - inset)]
        for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
            yield Line(x1, y1, x2, y2, width, RED)


def _fields(font: Font, fields: Sequence[tuple[str, str]]) -> Iterator[Text]:
    whole = A4[0] - 2 * _MARGIN
    half = (whole - _GUTTER) / 2
    y, free = _FIELDS_TOP, 0
    depth = 0.0
    step = _TEXT_MM * _LEADING
    for name, value in fields:
        names = break_lines(font, name, _TEXT_MM, _TITLE_COLUMN - 2)
        short = break_lines(font, value, _TEXT_MM, half - _TITLE_COLUMN)
        pair = len(short) == 1
        lines = short if pair else break_lines(font, value, _TEXT_MM, whole - _TITLE_COLUMN)
        if free and not pair:
            y, free, depth = y + depth, 0, 0.0
        x = _MARGIN + free * (half + _GUTTER)
        depth = max(depth, max(len(names), len(lines)) * step + 3.0)
        if y + depth > _FIELDS_BOTTOM:
            raise IssueRefusedError("ofd_page_overfull", where=name)
        for place, line in enumerate(names):
            yield Text(x, y + place * step, _TEXT_MM, line, GREY)
        for place, line in enumerate(lines):
            yield Text(x + _TITLE_COLUMN, y + place * step, _TEXT_MM, line)
        if pair and not free:
            free = 1
        else:
            y, free, depth = y + depth, 0, 0.0


def _watermark(font: Font, watermark: str, wide: float) -> Iterator[Text]:
    size = min(8.0, (wide - 2 * _MARGIN) / max(width_mm(font, watermark, 1.0), 1.0))
    for y in (130.0, 190.0, 250.0):
        yield Text(_MARGIN + 5, y, size, watermark, RED, 56, 25.0)
