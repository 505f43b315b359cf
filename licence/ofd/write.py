"""Write a document as OFD (GB/T 33190): the same document gives the same bytes, no clock and no chance asked.

How pages are laid out is left to `licence.ofd.layout`, putting a seal on them to `licence.ofd.seal`.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape as _escape
from xml.sax.saxutils import quoteattr

from licence.errors import IssueRefusedError
from licence.ofd.layout import Image, Line, Page, Text, advances
from licence.ofd.markup import NAMESPACE
from licence.ofd.read import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from licence.fonts import Font

HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
FOLDER: Final = "Doc_0"
SIGNATURES: Final = f"{FOLDER}/Signs/Signatures.xml"
# The ids of a document are one sequence: first the font, then the pages, then what is on them.
_FONT_ID = 1
FIRST_PAGE_ID: Final = 2
# A character beyond the first plane has a text code of its own: readers disagree on whether it counts once or twice in
# DeltaX, and the whole line would shift.
_RUN: Final = re.compile("[^\U00010000-\U0010ffff]+|.", re.DOTALL)
_SOLID = 255


@dataclass(frozen=True, slots=True)
class Licence:
    """What is written beside the pages: *custom* goes to CustomDatas in its order, *day* is a date, YYYY-MM-DD."""

    title: str
    issuer: str
    day: str
    custom: Mapping[str, str]


def write(licence: Licence, pages: Sequence[Page], font: Font) -> dict[str, bytes]:
    """The files of the OFD by name, ready for `licence.ofd.seal.seal`; OFD.xml names the list of signatures to come.

    Raises:
        GlyphMissingError: the font lacks a character of the pages.
        IssueRefusedError: a text cannot be written in XML.
    """
    used = "".join(text.text for page in pages for text in page.texts)
    subset = font.subset(used)
    pictures = list(dict.fromkeys(i.png for page in pages for i in page.items if isinstance(i, Image)))
    first_picture = FIRST_PAGE_ID + len(pages)
    picture_ids = {png: number for number, png in enumerate(pictures, start=first_picture)}
    next_id = first_picture + len(pictures)
    contents = []
    for page in pages:
        contents.append(_page(page, font, picture_ids, next_id))
        next_id += 1 + len(page.items)
    files = {ROOT: _ofd(licence, hashlib.sha256(subset + b"".join(contents)).hexdigest()[:32])}
    files[f"{FOLDER}/Document.xml"] = _document(len(pages), pages[0].width, pages[0].height, next_id)
    files[f"{FOLDER}/PublicRes.xml"] = _fonts(font.face)
    files[f"{FOLDER}/DocumentRes.xml"] = _media(first_picture, len(pictures))
    for number, content in enumerate(contents):
        files[f"{FOLDER}/Pages/Page_{number}/Content.xml"] = content
    files[f"{FOLDER}/Res/font_1.otf"] = subset
    files |= {f"{FOLDER}/Res/image_{number}.png": png for png, number in picture_ids.items()}
    return files


def _ofd(licence: Licence, content: str) -> bytes:
    custom = "".join(
        f"<ofd:CustomData Name={_quote(name)}>{escape(value)}</ofd:CustomData>"
        for name, value in licence.custom.items()
    )
    # The id stands for the document, not for the moment of writing it: equal documents have equal ids.
    facts = "\0".join(
        [content, licence.title, licence.issuer, licence.day, *(f"{n}={v}" for n, v in licence.custom.items())]
    )
    number = hashlib.sha256(facts.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return xml(
        "OFD",
        f"<ofd:DocBody><ofd:DocInfo><ofd:DocID>{number}</ofd:DocID><ofd:Title>{escape(licence.title)}</ofd:Title>"
        f"<ofd:Author>{escape(licence.issuer)}</ofd:Author><ofd:CreationDate>{escape(licence.day)}</ofd:CreationDate>"
        f"<ofd:Creator>zhengtong</ofd:Creator><ofd:CustomDatas>{custom}</ofd:CustomDatas></ofd:DocInfo>"
        f"<ofd:DocRoot>{FOLDER}/Document.xml</ofd:DocRoot><ofd:Signatures>/{SIGNATURES}</ofd:Signatures></ofd:DocBody>",
        ' DocType="OFD" Version="1.1"',
    )


# These three are the same for all licences of a kind, or nearly.
@lru_cache(maxsize=256)
def _document(count: int, width: float, height: float, next_id: int) -> bytes:
    listed = "".join(
        f'<ofd:Page ID="{FIRST_PAGE_ID + number}" BaseLoc="Pages/Page_{number}/Content.xml"/>'
        for number in range(count)
    )
    return xml(
        "Document",
        f"<ofd:CommonData><ofd:MaxUnitID>{next_id}</ofd:MaxUnitID><ofd:PageArea><ofd:PhysicalBox>"
        f"{numbers(0, 0, width, height)}</ofd:PhysicalBox></ofd:PageArea>"
        "<ofd:PublicRes>PublicRes.xml</ofd:PublicRes><ofd:DocumentRes>DocumentRes.xml</ofd:DocumentRes>"
        f"</ofd:CommonData><ofd:Pages>{listed}</ofd:Pages>",
    )


@lru_cache(maxsize=16)
def _fonts(face: str) -> bytes:
    return xml(
        "Res",
        f'<ofd:Fonts><ofd:Font ID="{_FONT_ID}" FontName={_quote(face)} FamilyName={_quote(face)}>'
        "<ofd:FontFile>font_1.otf</ofd:FontFile></ofd:Font></ofd:Fonts>",
        ' BaseLoc="Res"',
    )


@lru_cache(maxsize=64)
def _media(first: int, count: int) -> bytes:
    media = "".join(
        f'<ofd:MultiMedia ID="{number}" Type="Image" Format="PNG"><ofd:MediaFile>image_{number}.png</ofd:MediaFile>'
        "</ofd:MultiMedia>"
        for number in range(first, first + count)
    )
    return xml("Res", f"<ofd:MultiMedias>{media}</ofd:MultiMedias>" if media else "", ' BaseLoc="Res"')


def _page(page: Page, font: Font, pictures: Mapping[bytes, int], first: int) -> bytes:
    shown = []
    for number, item in enumerate(page.items, start=first + 1):
        if isinstance(item, Text):
            shown.append(f'<ofd:TextObject ID="{number}" {_text(item, font, page)}</ofd:TextObject>')
        elif isinstance(item, Line):
            shown.append(f'<ofd:PathObject ID="{number}" {_line(item)}</ofd:PathObject>')
        else:
            shown.append(
                f'<ofd:ImageObject ID="{number}" Boundary="{numbers(item.x, item.y, item.width, item.height)}" '
                f'CTM="{numbers(item.width, 0, 0, item.height, 0, 0)}" ResourceID="{pictures[item.png]}"/>'
            )
    return xml(
        "Page",
        f"<ofd:Area><ofd:PhysicalBox>{numbers(0, 0, page.width, page.height)}</ofd:PhysicalBox></ofd:Area>"
        f'<ofd:Content><ofd:Layer ID="{first}" Type="Body">{"".join(shown)}</ofd:Layer></ofd:Content>',
    )


def _text(item: Text, font: Font, page: Page) -> str:
    """A text object, from behind its id, whose every character has its place: no reader's own metrics move it."""
    scale = item.size / font.units_per_em
    rise = font.ascent * scale
    x, y = (0.0, 0.0) if item.turn else (0.0, rise)
    advance, deltas = advances(font).__getitem__, _deltas(font, item.size).__getitem__
    codes = []
    for run in _RUN.findall(item.text):
        moves = f' DeltaX="{" ".join(map(deltas, run[:-1]))}"' if len(run) > 1 else ""
        codes.append(f'<ofd:TextCode X="{_number(x)}" Y="{_number(y)}"{moves}>{escape(run)}</ofd:TextCode>')
        x += sum(map(advance, run)) * scale
    if item.turn:
        # A turned text takes the page as its box: readers clip at the box.
        angle = math.radians(item.turn)
        turn = numbers(math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle), item.x, item.y)
        place = f'Boundary="{numbers(0, 0, page.width, page.height)}" CTM="{turn}"'
    else:
        high = (font.ascent + font.descent) * scale
        place = f'Boundary="{numbers(item.x, item.y - rise, max(x, 1.0), high)}"'
    return f"{place} {_ink(item.size, item.colour, item.alpha)}{''.join(codes)}"


class _Deltas(dict[str, str]):
    """Character → its advance in millimetres as DeltaX writes it."""

    def __init__(self, font: Font, size: float) -> None:
        super().__init__()
        self._font, self._scale = font, size / font.units_per_em

    def __missing__(self, character: str) -> str:
        self[character] = written = _number(self._font.advance(character) * self._scale)
        return written


# Text has three sizes on a page; titles that are scaled to fit add some.
@lru_cache(maxsize=32)
def _deltas(font: Font, size: float) -> Mapping[str, str]:
    return _Deltas(font, size)


@lru_cache(maxsize=256)
def _ink(size: float, colour: tuple[int, int, int], alpha: int) -> str:
    thin = f' Alpha="{alpha}"' if alpha != _SOLID else ""
    return f'Font="{_FONT_ID}" Size="{numbers(size)}"{thin}><ofd:FillColor Value="{numbers(*colour)}"/>'


# Frames and rules are the same on every page of a kind.
@lru_cache(maxsize=256)
def _line(item: Line) -> str:
    """A path object, from behind its id."""
    left, top = min(item.x1, item.x2), min(item.y1, item.y2)
    half = item.width / 2
    box = numbers(left - half, top - half, abs(item.x2 - item.x1) + item.width, abs(item.y2 - item.y1) + item.width)
    start = numbers(item.x1 - left + half, item.y1 - top + half)
    end = numbers(item.x2 - left + half, item.y2 - top + half)
    return (
        f'Boundary="{box}" LineWidth="{numbers(item.width)}" Stroke="true">'
        f'<ofd:StrokeColor Value="{numbers(*item.colour)}"/><ofd:AbbreviatedData>M {start} L {end}'
        "</ofd:AbbreviatedData>"
    )


def numbers(*values: float) -> str:
    """*values* with at most three decimals, so that no platform's last digit shows."""
    return " ".join(map(_number, values))


# The advances of one size are few and come back in every line.
@lru_cache(maxsize=4096)
def _number(value: float) -> str:
    written = f"{value:.3f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
    # Zero has two signs, which are equal: which of them is kept here must not show.
    return "0" if written == "-0" else written


def escape(text: str) -> str:
    """*text* for XML.

    Raises:
        IssueRefusedError: it holds a control character, which XML forbids or a reader would swallow.
    """
    if not text.isprintable():
        for character in text:
            if not character.isprintable() and character != "\u3000":
                raise IssueRefusedError("ofd_text_not_allowed", where=f"U+{ord(character):04X}")
    return _escape(text)


def _quote(text: str) -> str:
    escape(text)
    return quoteattr(text)


def xml(name: str, inside: str, attributes: str = "") -> bytes:
    """The XML file whose root is *name*; *inside* and *attributes* are markup already."""
    return f'{HEAD}<ofd:{name} xmlns:ofd="{NAMESPACE}"{attributes}>{inside}</ofd:{name}>\n'.encode()
