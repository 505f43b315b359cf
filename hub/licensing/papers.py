"""A licence as it is shown: its forms, its layout, and what stands on its page, from what was sealed or is to be.

Drawing it is `hub.licensing.documents`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from licence.credential import parse
from licence.errors import IssueRefusedError
from licence.identifiers import LicenceIdentifier
from licence.issue import Names, claims_of
from licence.lifecycle.copies import CREDENTIAL, NUMBER
from licence.model import Category, FieldType
from licence.qr.code import ShortFace, mask_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from licence.credential import Claim, Credential
    from licence.lifecycle.copies import AnnotatedCopy
    from licence.model import LicenceKind, SealedLicence

NO_END: Final = "长期"
# A number is taken when a licence is issued, and not before.
UNNUMBERED: Final = "（签发时编号）"
_LAYOUTS: Final = ("certificate", "card", "opinion", "proof")
_LAYOUT_OF: Final = {Category.APPROVAL: "opinion", Category.CERTIFICATE: "proof"}


class Form(StrEnum):
    """The forms in which a licence is handed out; `WHOLE` is the bundle with the PDF and the OFD in it."""

    PDF = "pdf"
    OFD = "ofd"
    PNG = "png"
    BUNDLE = "bundle"
    WHOLE = "whole"
    QR = "qr"
    QR_PNG = "qr-png"

    @property
    def media_type(self) -> str:
        """The media type of the file."""
        return _MEDIA_TYPES[self]

    @property
    def suffix(self) -> str:
        """How the file's name ends."""
        return _SUFFIXES[self]

    @property
    def drawn(self) -> bool:
        """Whether pages are in it, which bear the marks of a copy."""
        return self in {Form.PDF, Form.OFD, Form.PNG, Form.WHOLE}


_MEDIA_TYPES: Final = {
    Form.PDF: "application/pdf",
    Form.OFD: "application/ofd",
    Form.PNG: "image/png",
    Form.BUNDLE: "application/json",
    Form.WHOLE: "application/json",
    Form.QR: "text/plain; charset=utf-8",
    Form.QR_PNG: "image/png",
}
_SUFFIXES: Final = {
    Form.PDF: ".pdf",
    Form.OFD: ".ofd",
    Form.PNG: ".png",
    Form.BUNDLE: ".licence.json",
    Form.WHOLE: ".whole.licence.json",
    Form.QR: ".txt",
    Form.QR_PNG: ".qr.png",
}


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy to be drawn: its number and what GB/T 36903 has it say."""

    number: str
    annotation: AnnotatedCopy

    @property
    def marks(self) -> dict[str, str]:
        """What goes into the sealed document."""
        return {**self.annotation.claims(), NUMBER: self.number}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands on a licence's page: the kind's words, and the *claims* of what was sealed, or is about to be."""

    kind: LicenceKind
    claims: Mapping[str, Claim]

    @classmethod
    def draft(
        cls, kind: LicenceKind, facts: Mapping[str, Any], *, issuer: str, at: datetime, identifier: str = ""
    ) -> Sheet:
        """What would stand on it if it were issued *at* by the department called *issuer*, from *facts*.

        *identifier*: where it is known before, of a licence's next version.

        Raises:
            FactsIncompleteError, FaceValueError, IssueRefusedError: it could not be issued so.
        """
        number = LicenceIdentifier.parse(identifier).serial if identifier else UNNUMBERED
        names = Names(number, identifier or UNNUMBERED, issuer, "")
        ends = kind.ends_at(at, facts)
        return cls(kind, claims_of(kind, facts, names, issued_at=at, valid_from=at, valid_until=ends))

    @property
    def layout(self) -> str:
        """The layout that the kind's `template` names, by its first or last word; otherwise its category's."""
        words = self.kind.template.split("-")
        named = next((word for word in (self.kind.template, words[-1], words[0]) if word in _LAYOUTS), "")
        return named or _LAYOUT_OF.get(self.kind.category, "certificate")

    def text(self, claim: str) -> str:
        """The text of *claim*, "" where the licence has none."""
        value = self.claims.get(claim, "")
        return value if isinstance(value, str) else ("是" if value else "否")

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """What the page shows, (label, value): number, holder, the face, the term; nothing twice."""
        kind, face = self.kind, {f.field for f in self.kind.face}
        rows = [("证照编号", self.text("ZZBH"))]
        if kind.holder_name_field not in face:
            rows.append(("持证主体", self.text("CZZT")))
        if kind.holder_field not in face:
            rows.append((self.text("CZZTDMLX"), self.text("CZZTDM")))
        for field in kind.face:
            value = self.text(field.name)
            if field.type is FieldType.CODE:
                value = dict(field.codes).get(value, value)
            if value:
                rows.append((field.title, value))
        if not any(field.name.startswith("KZ_YXQ") for field in kind.face):
            rows.append(("有效期", f"{self.text('ZZYXQQSRQ')} 至 {self.text('ZZYXQJZRQ') or NO_END}"))
        return tuple(rows)

    @property
    def issued_on(self) -> str:
        """The date of issue in words."""
        day = date.fromisoformat(self.text("ZZBFRQ"))
        return f"{day.year}年{day.month}月{day.day}日"

    @property
    def lead(self) -> str:
        """The sentence before the facts of a letter."""
        if self.layout == "opinion":
            return "根据你（单位）的申请，经审查，现将批准事项载明如下："
        return "兹证明下列事项：" if self.layout == "proof" else ""


@dataclass(frozen=True, slots=True)
class Paper(Sheet):
    """A sealed licence as it is drawn; nothing but what was sealed and the kind's words for it."""

    sealed: SealedLicence
    credential: Credential

    @classmethod
    def of(cls, kind: LicenceKind, sealed: SealedLicence) -> Paper:
        """Read *sealed*.

        Raises:
            FormatError: it does not parse, which in our own store is damage.
        """
        credential = parse(sealed.credential)
        return cls(kind, credential.claims, sealed, credential)

    @property
    def facts(self) -> dict[str, str]:
        """The metadata of GB/T 36903, and the digest by which the log knows the licence."""
        claims = {n: self.text(n) for n in self.credential.claims if n.startswith(("ZZ", "CZZT"))}
        return {**claims, CREDENTIAL: self.sealed.digest}

    @property
    def issued_at(self) -> datetime:
        """The time of issue."""
        return datetime.fromtimestamp(self.credential.issued_at, UTC)

    @property
    def short_face(self) -> ShortFace:
        """What the code (QR) says.

        Raises:
            IssueRefusedError: the licence's status list has no number, which is all a code has room for.
        """
        credential = self.credential
        number = self.sealed.status_ref.uri.rpartition("/")[2]
        if not number.isdecimal():
            raise IssueRefusedError("status_does_not_fit", idx=self.sealed.status_ref.idx, value=number)
        ends = credential.expires_at
        return ShortFace(
            identifier=LicenceIdentifier.parse(self.sealed.identifier),
            kind_name=self.text("ZZMC"),
            holder_name=self.text("CZZT"),
            holder_code=mask_code(self.text("CZZTDM"), self.text("CZZTDMLXDM")),
            issued_at=self.issued_at,
            valid_from=datetime.fromtimestamp(credential.not_before, UTC),
            valid_until=None if ends is None else datetime.fromtimestamp(ends, UTC),
            list_number=int(number),
            idx=self.sealed.status_ref.idx,
        )
