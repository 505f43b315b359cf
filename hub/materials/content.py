"""What a file that is handed in really is, by its content, and whether it can be kept without harm to who opens it.

The name and the type that somebody gave it count for nothing. What it says, and whether its signatures hold, is
`licence.verifying`'s.

1. the size is within bounds; 2. the first bytes say PDF, OFD, PNG or JPEG; 3. the whole is read by that format, to its
last byte: what follows the end, or hides in another format, is refused; 4. nothing in it acts by itself: scripts, files
within, addresses that are called on opening.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final, NoReturn

from hub.materials.errors import ContentRefusedError
from licence.errors import FormatError
from licence.ofd import container
from licence.ofd.markup import check_plain, parse
from licence.pdf import structure
from licence.pdf.objects import Name, Ref, Stream

if TYPE_CHECKING:
    from licence.pdf.objects import Object

# What the readers of PDF take; a scan of some dozen pages.
MAX_CONTENT_BYTES: Final = structure.MAX_FILE_BYTES
# A page of A0 at 600 dpi; what unfolds to more is there to exhaust whoever opens it.
MAX_PIXELS: Final = 600_000_000
MAX_SIDE: Final = 65_535
PDF, OFD, PNG, JPEG = "application/pdf", "application/ofd", "image/png", "image/jpeg"
SUFFIXES: Final = {PDF: ".pdf", OFD: ".ofd", PNG: ".png", JPEG: ".jpg"}
_PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n"
# Objects looked at in one PDF; scans have a handful for each page.
_MAX_OBJECTS: Final = 20_000
_MAX_DEPTH: Final = 32
# Keys (ISO 32000-2 §12.6, §7.11.4) by which a PDF acts or carries other files.
_ACTING: Final = frozenset({"JS", "JavaScript", "Launch", "EmbeddedFiles", "EmbeddedFile", "RichMedia", "XFA"})
_ACTIONS: Final = frozenset(
    {"JavaScript", "Launch", "ImportData", "SubmitForm", "GoToE", "Rendition", "RichMediaExecute"}
)
_MARK, _SOS, _EOI = 0xFF, 0xDA, 0xD9
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})


def media_type_of(content: bytes) -> str:
    """What *content* is: one of `SUFFIXES`.

    Raises:
        ContentRefusedError: empty, too large, none of the four formats, damaged, or it acts by itself.
    """
    if not content:
        _refuse("it is empty", "文件为空")
    if len(content) > MAX_CONTENT_BYTES:
        most = MAX_CONTENT_BYTES // (1 << 20)
        _refuse(f"it is larger than {most} MiB", f"超过 {most} MiB")
    try:
        if content.startswith(b"%PDF-"):
            _check_pdf(content)
            return PDF
        if content.startswith(b"PK\x03\x04"):
            _check_ofd(content)
            return OFD
        if content.startswith(_PNG_HEAD):
            _check_png(content)
            return PNG
        if content.startswith(b"\xff\xd8\xff"):
            _check_jpeg(content)
            return JPEG
    except FormatError as fault:
        _refuse(fault.text("en").rstrip("."), fault.text("zh").rstrip("。"))
    except (RecursionError, struct.error, ValueError, KeyError, IndexError):
        _refuse("it is damaged", "文件已损坏")
    return _refuse("it is no PDF, OFD, PNG or JPEG", "不是 PDF、OFD、PNG 或 JPEG")


def _check_pdf(content: bytes) -> None:
    file = structure.read(content)
    numbers = {n for section in file.sections for n in section.entries}
    if len(numbers) > _MAX_OBJECTS:
        _refuse(f"it has more than {_MAX_OBJECTS} objects", f"对象超过 {_MAX_OBJECTS} 个")
    file.catalog()
    # Older revisions count, too: a reader may go back to them.
    for since in range(len(file.sections)):
        for number in sorted(file.sections[since].entries):
            entry = file.sections[since].entries[number]
            if not entry.free and number:
                _check_acting(file.get(Ref(number, entry.generation), since), 0)


def _check_acting(value: Object, depth: int) -> None:
    if depth > _MAX_DEPTH:
        _refuse("it is nested too deeply", "嵌套过深")
    entries = value.entries if isinstance(value, Stream) else value
    if isinstance(entries, dict):
        if entries.keys() & _ACTING or entries.get("S") in _ACTIONS or entries.get("Type") == Name("EmbeddedFile"):
            _refuse("it holds a script, an action or another file", "含有脚本、动作或嵌入文件")
        for one in entries.values():
            _check_acting(one, depth + 1)
    elif isinstance(entries, list):
        for one in entries:
            _check_acting(one, depth + 1)


def _check_ofd(content: bytes) -> None:
    files = container.unpack(content).files
    if "OFD.xml" not in files:
        _refuse("the archive is no OFD", "该压缩包不是 OFD")
    for name, data in files.items():
        if name.lower().endswith(".xml"):
            check_plain(data)
    parse(files["OFD.xml"], "OFD")


def _check_png(content: bytes) -> None:
    """Every chunk with its checksum (ISO/IEC 15948 §5.3), from IHDR to an IEND that is the end of the file."""
    at, first, seen = len(_PNG_HEAD), True, False
    while True:
        if at + 12 > len(content):
            _refuse("it ends too early", "文件不完整")
        size, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + size
        if end > len(content) or first != (kind == b"IHDR"):
            _refuse("it is damaged", "文件已损坏")
        if zlib.crc32(memoryview(content)[at + 4 : end - 4]) != struct.unpack_from(">I", content, end - 4)[0]:
            _refuse("a checksum does not fit", "校验和不符")
        if first:
            _check_size(*struct.unpack_from(">II", content, at + 8))
        if kind == b"acTL":
            _refuse("it is animated", "为动态图片")
        seen |= kind == b"IDAT"
        first, at = False, end
        if kind == b"IEND":
            break
    if at != len(content) or not seen:
        _refuse("something follows its end, or it shows nothing", "结尾之后另有内容，或没有图像")


def _check_jpeg(content: bytes) -> None:
    """Every segment (ISO/IEC 10918-1 §B.1.1), one frame, at least one scan, and an end that is the end of the file."""
    at, frames, scans = 2, 0, 0
    while True:
        if content[at] != _MARK:
            _refuse("it is damaged", "文件已损坏")
        while content[at] == _MARK:
            at += 1
        marker, at = content[at], at + 1
        if marker == _EOI:
            break
        (size,) = struct.unpack_from(">H", content, at)
        if size < 2 or at + size > len(content):  # noqa: PLR2004 - the length counts its own two bytes
            _refuse("it is damaged", "文件已损坏")
        if marker in _FRAMES:
            frames += 1
            height, width = struct.unpack_from(">HH", content, at + 3)
            _check_size(width, height)
        at += size
        if marker == _SOS:
            scans += 1
            at = _after_scan(content, at)
    if at != len(content) or frames != 1 or not scans:
        _refuse("something follows its end, or it shows nothing", "结尾之后另有内容，或没有图像")


def _after_scan(content: bytes, at: int) -> int:
    """Where the next marker stands: within a scan 0xFF is followed by zero, or a restart marker."""
    while True:
        at = content.index(b"\xff", at)
        following = content[at + 1]
        if following and not 0xD0 <= following <= 0xD7:  # noqa: PLR2004 - RST0 to RST7
            return at
        at += 2


def _check_size(width: int, height: int) -> None:
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
        _refuse("its width or height is out of bounds", "图像尺寸超出范围")


def _refuse(why: str, why_zh: str) -> NoReturn:
    raise ContentRefusedError(why=why, why_zh=why_zh)
