"""Licences as files in the demonstration: handed out, forged, verified; and one-time codes.

Handing out is `hub.licensing.downloads`', verifying `licence.verifying`'s; only what a forger would do is done here by
hand.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hub.actors import Actor
from hub.errors import HubError
from hub.files import replace_file
from hub.licensing.downloads import Order
from hub.licensing.paper_office import PaperOffice
from hub.licensing.papers import Form
from hub.seals import Seals
from licence.ofd.container import pack, unpack
from licence.pdf import structure
from licence.pdf.objects import Ref, Stream
from licence.trust import TrustStore
from licence.trustlist_folder import judge_with_lists

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub.demo.licences import Licences
    from hub.licensing.codes import Shown
    from hub.office import Office
    from hub.settings import Settings
    from licence.verifying.report import Report

SHOWN_KIND: Final = "老年人优待证"
ISSUING, READING = "MZJ", "JTJ"
ISSUING_MATTER, READING_MATTER = "341200-MZJ-0001", "341200-JTJ-0001"
FORMS: Final = (Form.PDF, Form.OFD, Form.PNG, Form.QR)
HOLDER_REASON, HOLDER_DAYS = "持证人本人", 180
COPY_REASON, COPY_DAYS = "办理老年公交优待卡", 30
STEM, COPY, FORGED = "card", "card-for-the-bus.pdf", "tampered"


@dataclass(frozen=True, slots=True)
class Made:
    """The files of *licence*: *genuine* ones, and *forged* ones made of them; *picture* is for screens."""

    licence: str
    genuine: tuple[Path, ...]
    forged: tuple[Path, ...]
    picture: Path


@dataclass(frozen=True, slots=True)
class Judged:
    """A *file* and what a verifier says of it."""

    file: Path
    report: Report


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a code showed to its first reader, and how the second one was refused ("": it was not)."""

    shown: Shown
    refused: str


class Documents:
    """The counter of the office that issued the story's card, and its readers. *folder* takes the files."""

    def __init__(self, office: Office, licences: Licences, folder: Path) -> None:
        self._settings = office.settings
        self._licences = licences
        self._folder = folder
        self._papers = PaperOffice.over(
            licences.licensing, Seals.over(office.settings, office.control, office.evidence)
        )

    def make(self) -> Made:
        """Hand the licence out to its holder, and once more for a purpose; forge copies of what was handed out."""
        licence, _ = self._licences.issue(SHOWN_KIND)
        files = {form: self._handed(licence, form) for form in FORMS}
        copy = self._folder / COPY
        replace_file(copy, self._download(licence, Form.PDF, COPY_REASON, COPY_DAYS), mode=0o600)
        kind = self._licences.licensing.kind(SHOWN_KIND)
        name = str(self._licences.first(kind).facts[kind.holder_name_field])
        forged = {
            self._folder / f"{FORGED}.pdf": forge_pdf(files[Form.PDF].read_bytes(), name),
            self._folder / f"{FORGED}.ofd": forge_ofd(files[Form.OFD].read_bytes(), name),
        }
        for path, data in forged.items():
            replace_file(path, data, mode=0o600)
        genuine = (files[Form.PDF], files[Form.OFD], files[Form.QR], copy)
        return Made(licence, genuine, tuple(forged), files[Form.PNG])

    def judge(self, made: Made) -> list[Judged]:
        """What a verifier says of each file, the genuine ones first, by what the hub has published."""
        return [Judged(file, verdict(self._settings, file)) for file in (*made.genuine, *made.forged)]

    def once(self, licence: str) -> Redeemed:
        """A code minted at the issuing counter, read at another one, and read a second time."""
        code = self._papers.codes.mint(licence, by=Actor(ISSUING, "window-1"))
        reader = Actor(READING, "window-3")
        shown = self._papers.codes.redeem(code.text, matter=READING_MATTER, by=reader)
        try:
            self._papers.codes.redeem(code.text, matter=READING_MATTER, by=reader)
        except HubError as refused:
            return Redeemed(shown, refused.text("zh") + "\n" + refused.text("en"))
        return Redeemed(shown, "")

    def _handed(self, licence: str, form: Form) -> Path:
        path = self._folder / f"{STEM}{form.suffix}"
        replace_file(path, self._download(licence, form, HOLDER_REASON, HOLDER_DAYS), mode=0o600)
        return path

    def _download(self, licence: str, form: Form, reason: str, days: int) -> bytes:
        order = Order(ISSUING_MATTER, reason, days)
        return self._papers.downloads.download(licence, form, order, by=Actor(ISSUING, "window-1")).data


def verdict(settings: Settings, file: Path) -> Report:
    """What anybody is told who has *file* and what the hub has published, as `zhengtong verify` tells it."""
    now = datetime.now(UTC)
    tokens = [path.read_text(encoding="utf-8") for path in sorted(settings.status.glob("*.jwt"))]
    pinned = TrustStore.load(settings.trust)
    return judge_with_lists(settings.trust, file.read_bytes(), pinned, now, now=now, status_tokens=tokens)[0]


def forge_bundle(bundle: bytes) -> bytes:
    """A copy of a licence with one disclosed value changed, as a forger with an editor would make it."""
    plain = json.loads(bundle)
    jwt, *disclosures = plain["credential"].split("~")
    salt, name, value = json.loads(base64.urlsafe_b64decode(disclosures[0] + "=="))
    forged = json.dumps([salt, name, f"{value}（改）"], ensure_ascii=False).encode()
    disclosures[0] = base64.urlsafe_b64encode(forged).rstrip(b"=").decode()
    plain["credential"] = "~".join([jwt, *disclosures])
    return json.dumps(plain, ensure_ascii=False, indent=1).encode()


def forge_ofd(ofd: bytes, name: str) -> bytes:
    """A copy of an OFD that says the characters of *name* in another order wherever it says the name."""
    other = name[::-1].encode()
    return pack({path: data.replace(name.encode(), other) for path, data in unpack(ofd).files.items()})


def forge_pdf(pdf: bytes, name: str) -> bytes:
    """A copy of a PDF whose page shows the characters of *name* in another order, as an editor saves it.

    Only characters that the page shows have glyphs in it. The page is drawn anew in an update behind the signature.
    """
    file = structure.read(pdf)
    page = file.dictionary(file.array(file.dictionary(file.catalog()["Pages"])["Kids"])[0])
    texts = [file.unpack(one) for one in _streams(file) if "Length1" not in one.entries]
    glyphs = next(found for text in texts if set(name) <= (found := dict(_unicode(text))).keys())
    pattern = b"".join(b"(" + b"".join(map(_written, glyphs[char])) + b")" for char in name)
    contents, trailer = page["Contents"], file.sections[0].trailer
    root, shown = trailer["Root"], file.get(contents)
    assert isinstance(contents, Ref)  # noqa: S101 - our own document
    assert isinstance(root, Ref)  # noqa: S101 - likewise
    assert isinstance(shown, Stream)  # noqa: S101 - likewise
    drawn = re.sub(pattern, lambda found: b"".join(reversed(found.groups())), file.unpack(shown))
    body = b"%d 0 obj\n<</Length %d>>\nstream\n%s\nendstream\nendobj\n" % (contents.number, len(drawn), drawn)
    table = b"xref\n%d 1\n%010d 00000 n \ntrailer\n<</Size %d/Root %d 0 R/Prev %d>>\nstartxref\n%d\n%%%%EOF\n"
    start = len(pdf), trailer["Size"], root.number, file.sections[0].offset, len(pdf) + len(body)
    return pdf + body + table % (contents.number, *start)


def _streams(file: structure.PdfFile) -> Iterator[Stream]:
    """The streams of the file but its pictures."""
    for section in file.sections:
        for number in section.entries:
            found = file.get(Ref(number, 0))
            if isinstance(found, Stream) and found.entries.get("Subtype") != "Image":
                yield found


def _unicode(text: bytes) -> Iterator[tuple[str, bytes]]:
    """What a ToUnicode map says: character → the two bytes by which the page names its glyph."""
    for code, char in re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]{4,8})>", text):
        yield bytes.fromhex(char.decode()).decode("utf-16-be", "replace"), bytes.fromhex(code.decode())


def _written(byte: int) -> bytes:
    """A pattern for *byte* in a string of a page (ISO 32000-2 §7.3.4.2)."""
    return rb"(?:\\%03o|\\?%s)" % (byte, re.escape(bytes([byte])))
