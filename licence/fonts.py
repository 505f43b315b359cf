"""Fonts of documents: which characters one lacks, how wide they are, and a subset small enough to embed.

It takes OpenType fonts with PostScript outlines (Noto CJK, Source Han). Laying text out is left to `licence.ofd` and
`licence.pdf`. It needs the extra `documents` (fontTools), which those who only verify do not.
"""

from __future__ import annotations

import importlib.util
import io
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont, TTLibError

from licence.errors import FontUnusableError, GlyphMissingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The package holds Google's release file unchanged, SHA-256
# b76b0433203017ca80401b2ee0dd69350349871c4b19d504c34dbdd80541690a.
_PACKAGE: Final = "noto_cjk_sans_otc"
_PACKAGE_FILE: Final = "NotoSansCJK-Regular.ttc"
DEFAULT_FACE: Final = "Noto Sans CJK SC"
_FULL_NAME: Final = 4
# What names the font and its licence: copyright, family, style, full name, PostScript name, licence, licence URL.
_NAMES_KEPT: Final = frozenset({0, 1, 2, 4, 6, 13, 14})
_WINDOWS, _UNICODE_BMP, _AMERICAN = 3, 1, 0x409
_FACES_MAX = 64
_DEFAULT_ADVANCE = 1000
_BMP_LAST = 0xFFFF
_CHECKSUM_MAGIC = 0xB1B0AFBA
_NOTDEF = -1


class Font:
    """One face of a font file, held in memory; may be used by several threads at once.

    *data* are the bytes of an OpenType font or collection, *face* the full name of the face (``Noto Sans CJK SC``).

    Raises:
        FontUnusableError: no such font, no such face, or outlines that are not PostScript.
    """

    def __init__(self, data: bytes, face: str = DEFAULT_FACE, *, path: str = "(memory)") -> None:
        font = _face(data, face, path)
        self.face = face
        self.postscript_name: str = str(font["name"].getDebugName(6) or "Font").replace(" ", "")
        self.units_per_em: int = int(font["head"].unitsPerEm)
        self.ascent: int = int(font["hhea"].ascent)
        self.descent: int = -int(font["hhea"].descent)
        self._characters: Mapping[int, str] = font.getBestCmap()
        self._advances: Mapping[str, tuple[int, int]] = font["hmtx"].metrics
        self._glyphs: Any = font.getGlyphSet()
        self._notdef: str = font.getGlyphOrder()[0]
        self._tables: dict[str, bytes] = {tag: font.reader[tag] for tag in ("head", "hhea", "OS/2")}
        self._tables["name"] = _names(font["name"])
        self._tables["post"] = struct.pack(">L", 0x00030000) + font.reader["post"][4:32]
        self._box: tuple[int, ...] = struct.unpack(">4h", self._tables["head"][36:44])
        # Code point → its outline as Type 2 charstring, advance and left side bearing; grows to the size of the font.
        self._outlines: dict[int, tuple[bytes, int, int]] = {}
        self._widths: dict[str, int] = {}
        # fontTools reads outlines from one file object, moving its position.
        self._reading = threading.Lock()

    def missing(self, text: str) -> tuple[str, ...]:
        """The characters of *text* without a glyph, each once, in code point order.

        Control characters and variation selectors count as missing: the page would not show what they ask for.
        """
        return tuple(sorted(c for c in set(text) if ord(c) not in self._characters))

    def require(self, text: str, *, field: str = "") -> None:
        """Fail unless every character of *text* has a glyph; *field* says where on the page it stands.

        Raises:
            GlyphMissingError: some has none; its code points are named, the text is not.
        """
        if lacking := self.missing(text):
            params = {"font": self.face, "codepoints": ", ".join(f"U+{ord(c):04X}" for c in lacking)}
            if field:
                raise GlyphMissingError("glyph_missing_in_field", field=field, **params)
            raise GlyphMissingError("glyph_missing", **params)

    def advance(self, character: str) -> int:
        """How far *character* moves the pen, in units of the em (`units_per_em`)."""
        known = self._widths.get(character)
        if known is None:
            name = self._characters.get(ord(character), self._notdef)
            self._widths[character] = known = self._advances[name][0]
        return known

    def glyph_ids(self, text: str) -> dict[str, int]:
        """Character → its glyph in ``subset(text)``: 1 and up in code point order, 0 is the missing glyph."""
        return {character: number for number, character in enumerate(sorted(set(text)), start=1)}

    def subset(self, text: str) -> bytes:
        """An OpenType font with the glyphs of *text* only, CID-keyed with CID = glyph id, for embedding.

        The same set of characters gives the same bytes. Outlines are kept, hints and layout features are not.

        Raises:
            GlyphMissingError: the font lacks a character of *text*.
        """
        self.require(text)
        codes = sorted({ord(c) for c in text})
        outlines = [self._outline(code) for code in (_NOTDEF, *codes)]
        count = len(outlines)
        tables = dict(self._tables)
        tables["hhea"] = tables["hhea"][:34] + struct.pack(">H", count)
        tables["hmtx"] = b"".join(struct.pack(">Hh", advance, bearing) for _, advance, bearing in outlines)
        tables["maxp"] = struct.pack(">LH", 0x00005000, count)
        tables["cmap"] = _cmap(codes)
        tables["CFF "] = _cff(self.postscript_name, [charstring for charstring, _, _ in outlines], self._box)
        return _sfnt(tables)

    def _outline(self, code: int) -> tuple[bytes, int, int]:
        known = self._outlines.get(code)
        if known is not None:
            return known
        name = self._notdef if code == _NOTDEF else self._characters[code]
        advance, bearing = self._advances[name]
        pen = T2CharStringPen(None if advance == _DEFAULT_ADVANCE else advance, self._glyphs)
        with self._reading:
            self._glyphs[name].draw(pen)
            drawn = pen.getCharString()
            drawn.compile()
        self._outlines[code] = outline = (bytes(drawn.bytecode), advance, bearing)
        return outline


def read_font(path: Path | None = None, face: str = DEFAULT_FACE) -> Font:
    """Read *face* of the font file at *path*, or of the font package of the extra `documents`.

    Raises:
        FontUnusableError: there is no such file, package or face.
    """
    path = path or packaged_font()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FontUnusableError("font_unreadable", path=path, detail=error.strerror) from error
    return Font(data, face, path=str(path))


def characters(path: Path | None = None, face: str = DEFAULT_FACE) -> frozenset[str]:
    """The characters that *face* has a glyph for; quicker than `read_font` for who draws nothing.

    Raises:
        FontUnusableError: as `read_font`.
    """
    path = path or packaged_font()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FontUnusableError("font_unreadable", path=path, detail=error.strerror) from error
    return frozenset(map(chr, _face(data, face, str(path)).getBestCmap()))


def packaged_font() -> Path:
    """Where the font file of the extra `documents` is.

    Raises:
        FontUnusableError: the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FontUnusableError("font_package_missing")
    return Path(spec.submodule_search_locations[0]) / _PACKAGE_FILE


def _face(data: bytes, face: str, path: str) -> Any:  # noqa: ANN401 - fontTools' classes are not typed.
    try:
        collection = data[:4] == b"ttcf"
        count = min(struct.unpack(">L", data[8:12])[0], _FACES_MAX) if collection else 1
        fonts = [TTFont(io.BytesIO(data), fontNumber=n if collection else -1, lazy=True) for n in range(count)]
        names = {str(font["name"].getDebugName(_FULL_NAME)): font for font in reversed(fonts)}
        chosen = names.get(face)
        if chosen is not None and "CFF " not in chosen:
            raise FontUnusableError("font_unreadable", path=path, detail="no CFF table")
    except (TTLibError, struct.error, KeyError, AssertionError, EOFError, ValueError) as error:
        raise FontUnusableError("font_unreadable", path=path, detail=type(error).__name__) from error
    if chosen is None:
        raise FontUnusableError("font_face_missing", face=face, faces=", ".join(sorted(names)))
    return chosen


def _names(table: Any) -> bytes:  # noqa: ANN401 - fontTools' classes are not typed.
    """The `name` table with English Windows names only."""
    kept = {
        record.nameID: str(record.toUnicode()).encode("utf-16-be")
        for record in table.names
        if record.nameID in _NAMES_KEPT
        and (record.platformID, record.platEncID, record.langID) == (_WINDOWS, _UNICODE_BMP, _AMERICAN)
    }
    records, texts = b"", b""
    for number, text in sorted(kept.items()):
        records += struct.pack(">6H", _WINDOWS, _UNICODE_BMP, _AMERICAN, number, len(text), len(texts))
        texts += text
    return struct.pack(">3H", 0, len(kept), 6 + len(records)) + records + texts


def _cmap(codes: list[int]) -> bytes:
    """Code points to glyphs 1, 2, …: format 4 for old readers, format 12 with all of them."""
    plane = [(code, glyph) for glyph, code in enumerate(codes, start=1) if code < _BMP_LAST]
    ends = [code for code, _ in plane] + [_BMP_LAST]
    deltas = [(glyph - code) & 0xFFFF for code, glyph in plane] + [1]
    segments = len(ends)
    power = 1 << (segments.bit_length() - 1)
    four = b"".join((
        struct.pack(">3H", 4, 16 + 8 * segments, 0),
        struct.pack(">4H", 2 * segments, 2 * power, power.bit_length() - 1, 2 * (segments - power)),
        struct.pack(f">{segments}H", *ends),
        b"\0\0",
        struct.pack(f">{segments}H", *ends),
        struct.pack(f">{segments}H", *deltas),
        bytes(2 * segments),
    ))  # fmt: skip
    groups = b"".join(struct.pack(">3L", code, code, glyph) for glyph, code in enumerate(codes, start=1))
    twelve = struct.pack(">HHLLL", 12, 0, 16 + len(groups), 0, len(codes)) + groups
    head = struct.pack(">2H", 0, 2) + struct.pack(">HHL", _WINDOWS, _UNICODE_BMP, 20)
    return head + struct.pack(">HHL", _WINDOWS, 10, 20 + len(four)) + four + twelve


def _index(items: Iterable[bytes]) -> bytes:
    """An INDEX of the Compact Font Format (Adobe Technical Note 5176 §5)."""
    parts = list(items)
    if not parts:
        return b"\0\0"
    offsets, place = [1], 1
    for part in parts:
        place += len(part)
        offsets.append(place)
    return struct.pack(f">HB{len(offsets)}L", len(parts), 4, *offsets) + b"".join(parts)


def _number(value: int) -> bytes:
    """An integer operand of a DICT, always five bytes: offsets then do not move what they point at (§4)."""
    return struct.pack(">Bl", 29, value)


def _cff(name: str, charstrings: list[bytes], box: tuple[int, ...]) -> bytes:
    """A CID-keyed font set of one font whose CIDs are its glyph ids (Adobe Technical Note 5176 §18)."""
    count = len(charstrings)
    front = b"\1\0\4\4" + _index([name.encode("ascii", "replace")])
    back = _index([b"Adobe", b"Identity"]) + _index([])

    def top(charset: int, select: int, glyphs: int, fonts: int) -> bytes:
        return _index([
            _number(391) + _number(392) + _number(0) + b"\x0c\x1e"  # ROS
            + b"".join(map(_number, box)) + b"\x05"  # FontBBox
            + _number(count) + b"\x0c\x22"  # CIDCount
            + _number(charset) + b"\x0f" + _number(select) + b"\x0c\x25"  # charset, FDSelect
            + _number(glyphs) + b"\x11" + _number(fonts) + b"\x0c\x24"  # CharStrings, FDArray
        ])  # fmt: skip

    # An empty text has the missing glyph only, and a charset has no entry for that one.
    charset = struct.pack(">BHH", 2, 1, count - 2) if count > 1 else b"\0"
    select = struct.pack(">BHHBH", 3, 1, 0, 0, count)
    glyphs = _index(charstrings)
    private = _number(_DEFAULT_ADVANCE) + b"\x14" + _number(0) + b"\x15"  # defaultWidthX, nominalWidthX
    start = len(front) + len(top(0, 0, 0, 0)) + len(back)
    at_select = start + len(charset)
    at_glyphs = at_select + len(select)
    at_private = at_glyphs + len(glyphs)
    at_fonts = at_private + len(private)
    fonts = _index([_number(len(private)) + _number(at_private) + b"\x12"])
    return front + top(start, at_select, at_glyphs, at_fonts) + back + charset + select + glyphs + private + fonts


def _checksum(data: bytes) -> int:
    padded = data + bytes(-len(data) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}L", padded)
    return sum(words) & 0xFFFFFFFF


def _sfnt(tables: Mapping[str, bytes]) -> bytes:
    """The OpenType file of *tables*, in order of tag, with its checksums."""
    head = tables["head"][:8] + bytes(4) + tables["head"][12:]
    parts = {tag: head if tag == "head" else data for tag, data in sorted(tables.items())}
    count = len(parts)
    power = 1 << (count.bit_length() - 1)
    directory = b"OTTO" + struct.pack(">4H", count, 16 * power, power.bit_length() - 1, 16 * (count - power))
    place, total, at_head = 12 + 16 * count, 0, 0
    for tag, data in parts.items():
        checksum = _checksum(data)
        directory += struct.pack(">4sLLL", tag.encode(), checksum, place, len(data))
        at_head = place if tag == "head" else at_head
        place += len(data) + -len(data) % 4
        total += checksum
    adjustment = (_CHECKSUM_MAGIC - total - _checksum(directory)) & 0xFFFFFFFF
    body = b"".join(data + bytes(-len(data) % 4) for data in parts.values())
    whole = directory + body
    return whole[: at_head + 8] + struct.pack(">L", adjustment) + whole[at_head + 12 :]
