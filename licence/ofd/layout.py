"""Pages as data: boxes of text, lines and pictures in millimetres, and how the face of a licence is laid out in them.

What the page is written as is left to `licence.ofd.write`; fields and their words come from the kind's catalogue.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from licence.errors import IssueRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from licence.fonts import Font

#: Raised with every change to what `licence_page` draws: a kept signature is of the bytes that one version gave.
VERSION: Final = 1
A4: Final = (210.0, 297.0)
BLACK, GREY, RED = (0, 0, 0), (90, 90, 90), (176, 0, 24)
_MARGIN, _GUTTER = 25.0, 8.0
_TEXT_MM, _SMALL_MM = 4.6, 3.2
# What is long is set smaller, down to what can still be read on paper (7 points).
_SIZES_MM: Final = (_TEXT_MM, 4.0, 3.5, 3.0, 2.5)
_LEADING = 1.5
_TITLE_COLUMN = 30.0
_CAPTION_MM = 2.4
_TURN_DEGREES = 25.0
# These do not begin a line (避头尾).
_NOT_FIRST: Final = frozenset("，。、；：？！）》〉」』】”’%‰,.;:?!)]}")
_OF_WORDS = "".join(c for c in map(chr, range(128)) if not c.isspace() and c not in _NOT_FIRST)
# The parts between which a line may break: Latin words, and every other character by itself.
_PIECE: Final = re.compile(f"[{re.escape(_OF_WORDS)}]+|.", re.DOTALL)
# Units of the em: what fits exactly must not fail to by the last digit of a division.
_SLACK = 1e-6


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


class _Advances(dict[str, int]):
    """Character → its advance, asked of the font once."""

    def __init__(self, font: Font) -> None:
        super().__init__()
        self._font = font

    def __missing__(self, character: str) -> int:
        self[character] = advance = self._font.advance(character)
        return advance


# A process lays out with one font or two; what is kept of each grows to the size of the font.
@lru_cache(maxsize=4)
def advances(font: Font) -> Mapping[str, int]:
    """What `Font.advance` says, as a mapping that answers every character."""
    return _Advances(font)


def width_mm(font: Font, text: str, size: float) -> float:
    """How wide *text* is at *size* millimetres to the em."""
    return sum(map(advances(font).__getitem__, text)) * size / font.units_per_em


def break_lines(font: Font, text: str, size: float, width: float) -> list[str]:
    """*text* in lines of at most *width* millimetres; a word of Latin letters or digits is kept whole if it fits.

    One stop may stand beyond *width*, so that it does not begin the next line.
    """
    advance = advances(font).__getitem__
    # Whole units of the em: sums of millimetres would depend on where the text is cut.
    room = width * font.units_per_em / size + _SLACK
    lines: list[str] = []
    for paragraph in text.split("\n"):
        if sum(map(advance, paragraph)) <= room:
            lines.append(paragraph.rstrip())
            continue
        line, used = "", 0
        for piece in _PIECE.findall(paragraph):
            wide = advance(piece) if len(piece) == 1 else sum(map(advance, piece))
            if used + wide <= room or (piece in _NOT_FIRST and line and used <= room):
                line, used = line + piece, used + wide
                continue
            if line:
                lines.append(line.rstrip())
            line, used = "", 0
            for character in piece:
                wide = advance(character)
                if line and used + wide > room:
                    lines.append(line)
                    line, used = "", 0
                line, used = line + character, used + wide
        lines.append(line.rstrip())
    return lines


@dataclass(frozen=True, slots=True)
class Look:
    """Where things stand on a page of one layout, in millimetres from its upper edge; *marks*: where watermarks begin.

    *head* is the height of a red head that bears the issuer's name, 0 without. *foot* is the base line of the issuer's
    name, over which the middle of the seal comes to lie.
    """

    width: float
    height: float
    title: float
    title_mm: float
    top: float
    bottom: float
    foot: float
    seal_mm: float
    qr_mm: float
    marks: tuple[float, ...]
    frame: bool = True
    head: float = 0.0


#: Layouts by name.
LOOKS: Final[Mapping[str, Look]] = {
    "certificate": Look(*A4, 45.0, 10.0, 70.0, 208.0, 236.0, 42.0, 28.0, (120.0, 190.0, 255.0)),
    "card": Look(210.0, 148.0, 27.0, 7.5, 42.0, 98.0, 118.0, 34.0, 25.0, (88.0, 135.0)),
    "opinion": Look(*A4, 66.0, 7.5, 104.0, 212.0, 240.0, 42.0, 28.0, (120.0, 190.0, 255.0), frame=False, head=36.0),
    "proof": Look(*A4, 48.0, 9.5, 86.0, 208.0, 238.0, 42.0, 28.0, (120.0, 190.0, 255.0)),
}


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
    layout: str = "certificate",
    lead: Sequence[str] = (),
    caption: str = "",
) -> Page:
    """The face of a licence: *title*, *fields* (name, value) in order, issuer, date, seal and QR positions.

    Short fields stand two in a row, long ones have the row to themselves. *lead* are lines before the fields, *caption*
    one below the code. *watermark* marks an annotated copy (加注件): its lines are broken to the page and let through
    what lies below. Only the layout is decided here: the same arguments give the same page.

    Raises:
        IssueRefusedError: the fields do not fit on the page, or there is no such *layout*.
        GlyphMissingError: the font lacks a character; the message names the field.
    """
    look = LOOKS.get(layout)
    if look is None:
        raise IssueRefusedError("template_unknown", template=layout, templates=", ".join(LOOKS))
    for name, value in fields:
        font.require(name)
        font.require(value.replace("\n", ""), field=name)
    font.require("".join([title, issuer, issued_on, identifier, watermark, caption, *lead]))
    wide = look.width
    items: list[Text | Line | Image] = [*_frame(look)]
    if look.head:
        items += _centred(font, issuer, (wide / 2, look.head), 10.5, wide - 2 * _MARGIN, colour=RED)
        items.append(Line(_MARGIN, look.head + 9, wide - _MARGIN, look.head + 9, 0.7, RED))
    items += _centred(font, title, (wide / 2, look.title), look.title_mm, wide - 2 * _MARGIN)
    if not look.head:
        items.append(Line(_MARGIN, look.title + 9, wide - _MARGIN, look.title + 9, 0.5, RED))
    top = look.top
    for text in lead:
        for line in break_lines(font, text, _TEXT_MM, wide - 2 * _MARGIN):
            items.append(Text(_MARGIN, top - 10, _TEXT_MM, line))
            top += _TEXT_MM * _LEADING
    items += _fitted(font, fields, look, top)
    middle = wide - _MARGIN - 10 - look.seal_mm / 2
    items += _centred(font, issuer, (middle, look.foot), _TEXT_MM, 76.0)
    items += _centred(font, issued_on, (middle, look.foot + 8), _TEXT_MM, 76.0)
    below = look.height - 34.0 if look.height >= A4[1] else look.height - 15.0
    if qr_png is not None:
        high = below - look.qr_mm - 5.5
        items.append(Image(_MARGIN, high, look.qr_mm, look.qr_mm, qr_png))
        if caption:
            at = (_MARGIN + look.qr_mm / 2, high + look.qr_mm + 2)
            items += _centred(font, caption, at, _CAPTION_MM, look.qr_mm + 8, colour=GREY)
    small = min(_SMALL_MM, (wide - 2 * _MARGIN) / max(width_mm(font, f"证照标识　{identifier}", 1.0), 1.0))
    items.append(Text(_MARGIN, below + 2, small, f"证照标识　{identifier}", GREY))
    if watermark:
        items += _watermark(font, watermark, look)
    seal = Box(middle - look.seal_mm / 2, look.foot + 3 - look.seal_mm / 2, look.seal_mm, look.seal_mm)
    return Page(tuple(items), wide, look.height, seal)


def _centred(
    font: Font, text: str, at: tuple[float, float], size: float, room: float, *, colour: tuple[int, int, int] = BLACK
) -> Iterator[Text]:
    """*text* about *at*, the middle of its base line, smaller where it would be wider than *room*; no text: nothing."""
    if text:
        fit = min(size, room / max(width_mm(font, text, 1.0), 1.0))
        yield Text(at[0] - width_mm(font, text, fit) / 2, at[1], fit, text, colour)


@lru_cache(maxsize=8)
def _frame(look: Look) -> tuple[Line, ...]:
    """The same on every page of a layout: made once."""
    if not look.frame:
        return ()
    lines = []
    wide, high = look.width, look.height
    edge = 12.0 if high >= A4[1] else 7.0
    for inset, width in ((edge, 0.8), (edge + 2, 0.25)):
        corners = [(inset, inset), (wide - inset, inset), (wide - inset, high - inset), (inset, high - inset)]
        for (x1, y1), (x2, y2) in zip(corners, corners[1:] + corners[:1], strict=True):
            lines.append(Line(x1, y1, x2, y2, width, RED))
    return tuple(lines)


def _fitted(font: Font, fields: Sequence[tuple[str, str]], look: Look, top: float) -> list[Text]:
    """The fields in the largest of the sizes in which they fit."""
    for size in _SIZES_MM[:-1]:
        try:
            return list(_fields(font, fields, look, top, size=size))
        except IssueRefusedError:
            continue
    return list(_fields(font, fields, look, top, size=_SIZES_MM[-1]))


def _fields(font: Font, fields: Sequence[tuple[str, str]], look: Look, top: float, *, size: float) -> Iterator[Text]:
    whole = look.width - 2 * _MARGIN
    half = (whole - _GUTTER) / 2
    y, free = top, 0
    column = _TITLE_COLUMN * size / _TEXT_MM
    depth = 0.0
    step = size * _LEADING
    for name, value in fields:
        names = break_lines(font, name, size, column - 2)
        lines = break_lines(font, value, size, whole - column)
        # What needs several lines of the whole row needs several of half of it.
        pair = len(lines) == 1 and len(break_lines(font, value, size, half - column)) == 1
        if free and not pair:
            y, free, depth = y + depth, 0, 0.0
        x = _MARGIN + free * (half + _GUTTER)
        depth = max(depth, max(len(names), len(lines)) * step + 3.0)
        if y + depth > look.bottom:
            raise IssueRefusedError("ofd_page_overfull", where=name)
        for place, line in enumerate(names):
            yield Text(x, y + place * step, size, line, GREY)
        for place, line in enumerate(lines):
            yield Text(x + column, y + place * step, size, line)
        if pair and not free:
            free = 1
        else:
            y, free, depth = y + depth, 0, 0.0


def _watermark(font: Font, watermark: str, look: Look) -> Iterator[Text]:
    turned = math.radians(_TURN_DEGREES)
    # Turned, a line is as long as its place across; and a line of them stands below and to the right of the one before.
    room = (look.width - 2 * _MARGIN) / math.cos(turned)
    size = 6.0 if look.height >= A4[1] else 4.6
    step = size * _LEADING
    for y in look.marks:
        for place, line in enumerate(break_lines(font, watermark, size, room)):
            x = _MARGIN + place * step * math.sin(turned)
            yield Text(x, y + place * step * math.cos(turned), size, line, RED, 56, _TURN_DEGREES)
