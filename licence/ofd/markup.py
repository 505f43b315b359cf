"""XML as OFD documents need it: read without document types, entities or inclusions and within bounds.

Which elements mean what is left to `licence.ofd.read`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from licence.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACE: Final = "http://www.ofdspec.org/2016"
XINCLUDE: Final = "http://www.w3.org/2001/XInclude"
MAX_XML_BYTES: Final = 8 << 20
MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 100_000
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Element:
    """An element of the OFD namespace; *name* is its local name."""

    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    # Pieces, not one growing text: comments may cut it into a million.
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What stands directly in it, without surrounding space."""
        return "".join(self.pieces).strip()

    def all(self, name: str) -> Iterator[Element]:
        """The children called *name*."""
        return (child for child in self.children if child.name == name)

    def one(self, name: str) -> Element | None:
        """The child called *name*, or None.

        Raises:
            FormatError: there are several, of which readers could choose differently.
        """
        found = [child for child in self.children if child.name == name]
        if len(found) > 1:
            raise FormatError("ofd_element_repeated", name=name)
        return found[0] if found else None

    def need(self, name: str) -> Element:
        """The child called *name*.

        Raises:
            FormatError: there is none, or several.
        """
        child = self.one(name)
        if child is None:
            raise FormatError("ofd_element_missing", name=name)
        return child


def check_plain(data: bytes) -> None:
    """Fail unless *data* is UTF-8 without a document type, for XML that is covered but not judged.

    Raises:
        FormatError: it is not.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("ofd_xml_invalid", detail="UTF-8") from error
    if b"\0" in data or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise FormatError("ofd_xml_doctype")


class _Builder:
    def __init__(self, root: str) -> None:
        self.root = root
        self.top: Element | None = None
        self.open: list[Element] = []
        self.count = 0

    def declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.upper() != "UTF-8":
            raise FormatError("ofd_xml_invalid", detail="encoding")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS or len(self.open) >= MAX_DEPTH:
            raise FormatError("ofd_xml_bounds")
        space, _, local = name.rpartition(" ")
        if space == XINCLUDE:
            raise FormatError("ofd_xml_doctype")
        # An element of another namespace is kept under a name nobody asks for.
        element = Element(local if space == NAMESPACE else name + " ", attributes)
        if self.open:
            self.open[-1].children.append(element)
        elif element.name != self.root:
            raise FormatError("ofd_element_missing", name=self.root)
        else:
            self.top = element
        self.open.append(element)

    def end(self, _name: str) -> None:
        self.open.pop()

    def text(self, data: str) -> None:
        self.open[-1].pieces.append(data)

    def refuse(self, *_: object) -> None:
        raise FormatError("ofd_xml_doctype")


def parse(data: bytes, root: str) -> Element:
    """The element *root* of the OFD namespace that *data* holds.

    Raises:
        FormatError: *data* is not plain XML within bounds, or its root another element.
    """
    if len(data) > MAX_XML_BYTES:
        raise FormatError("too_large", what="XML", limit=MAX_XML_BYTES)
    check_plain(data)
    builder = _Builder(root)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.XmlDeclHandler = builder.declared
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.ProcessingInstructionHandler = builder.refuse
    try:
        parser.Parse(data.removeprefix(_BOM), True)
    except expat.ExpatError as error:
        raise FormatError("ofd_xml_invalid", detail=expat.ErrorString(error.code)) from error
    if builder.top is None:
        raise FormatError("ofd_xml_invalid", detail="empty")
    return builder.top
