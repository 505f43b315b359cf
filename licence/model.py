"""The vocabulary of licences: kinds, their faces, references into status lists, sealed licences.

Pure values; reading kinds from a file is `licence.kinds`, states are `licence.lifecycle`, sealing is `licence.issue`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from licence.findings import finding_text


class Category(StrEnum):
    """Classes of electronic licence (证照 / 批文 / 证明)."""

    LICENCE = "证照"
    APPROVAL = "批文"
    CERTIFICATE = "证明"


# 持证主体代码类型代码 (CZZTDMLXDM, GB/T 36903 as inferred from public implementations; the list is not complete).
HOLDER_TYPES: dict[str, str] = {
    "001": "统一社会信用代码",
    "099": "其他法人或其他组织有效证件代码",
    "111": "公民身份号码",
    "411": "外交护照号码",
    "412": "公务护照号码",
    "413": "公务普通护照号码",
    "414": "普通护照号码",
    "511": "台湾居民来往大陆通行证号码",
    "516": "港澳居民来往内地通行证号码",
    "999": "其他自然人有效证件代码",
}
# Plain words an author may write instead of the code.
HOLDER_WORDS: dict[str, str] = {
    "organization": "001",
    "organisation": "001",
    "legal_person": "001",
    "enterprise": "001",
    "法人": "001",
    "企业": "001",
    "uscc": "001",
    "person": "111",
    "natural_person": "111",
    "citizen": "111",
    "自然人": "111",
    "公民": "111",
    "citizen_id": "111",
    "other_organization": "099",
    "other_organisation": "099",
    "other_person": "999",
    "other": "999",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a file: *where* is ``file:line``, *code* and *params* make its text."""

    where: str
    code: str
    params: tuple[tuple[str, str], ...] = ()

    def text(self, lang: str) -> str:
        """The fault and its mend in *lang*."""
        return finding_text(self.code, dict(self.params), lang)


@dataclass(frozen=True, slots=True)
class FaceField:
    """One field on the face of a licence: ``KZ_*`` *name*, taken from the resource's *field*."""

    name: str
    title: str
    field: str
    required: bool = True
    title_en: str = ""


@dataclass(frozen=True, slots=True)
class LicenceKind:
    """A kind of licence (证照类型) from the catalogue of kinds (follows GB/T 36902).

    *authority* defines the kind, *authority_code* is its USCC and opens *code*. *issuer* is the code of the issuing
    department in the responsibility list. *holder_type* is a code of `HOLDER_TYPES`. *resource* is the authoritative
    resource, *holder_field* its field with the holder's identifier, *holder_name_field* the one with the name.
    *validity_days* None: no end. *predicates*: names of yes/no claims, none to start with.
    """

    code: str
    name: str
    name_en: str
    category: Category
    authority: str
    authority_code: str
    issuer: str
    holder_type: str
    resource: str
    holder_field: str
    holder_name_field: str
    face: tuple[FaceField, ...]
    validity_days: int | None = None
    predicates: tuple[str, ...] = ()

    @property
    def source_fields(self) -> tuple[str, ...]:
        """The resource's fields needed to issue, in order and without repeats: the minimum to ask for."""
        return tuple(dict.fromkeys((self.holder_field, self.holder_name_field, *(f.field for f in self.face))))


@dataclass(frozen=True, slots=True)
class StatusRef:
    """Where the status of a licence is found: entry *idx* of the status list at *uri*."""

    uri: str
    idx: int


@dataclass(frozen=True, slots=True)
class SealedLicence:
    """An issued licence: SD-JWT VC compact form with every disclosure, its identifier and its digest.

    *digest* is ``sha256:`` + hex SHA-256 of the issuer-signed JWT, the part before the first ``~``: it is what the log
    entry carries, and stays the same whichever disclosures a holder later presents.
    """

    credential: str
    identifier: str
    digest: str
    kind: str
    status_ref: StatusRef

    def log_facts(self) -> dict[str, object]:
        """The facts of the ``licence.issued`` log entry."""
        return {
            "licence": self.identifier,
            "credential": self.digest,
            "kind": self.kind,
            "status": {"uri": self.status_ref.uri, "idx": self.status_ref.idx},
        }
