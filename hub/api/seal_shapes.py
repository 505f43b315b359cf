"""The shapes of what is told and sent about seals over HTTP, as OpenAPI documents them.

For documentation alone: what is told is `hub.seals`'s, and bodies are read by the doors.
"""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field

from hub.api.bodyshapes import BodyShape, Schema

# The longer side of A2: larger than any page that is sealed.
MAX_MM: Final = 600


class SealStepShape(BaseModel):
    """A step that was taken."""

    action: str
    state: str
    by: str
    at: str
    ground: str


class AutomaticShape(BaseModel):
    """What the hub may use a seal for by itself."""

    kinds: list[str]
    until: str
    by: str


class SealShape(BaseModel):
    """A seal as the register keeps it; a personal seal's name is left out."""

    code: str
    sort: str
    name: str
    department: str
    custodian: str
    state: str
    structure: int = Field(description="5: GM/T 0031-2025; 4: GB/T 38540-2020")
    valid_from: str
    valid_until: str
    digest: str = Field(description="of the SESeal, by SM3; empty until it is made")
    outdated: bool = Field(description="its keeper's key was changed since; it needs a next version (`transfer`)")
    automatic: AutomaticShape | None
    possible: list[str] = Field(description="the steps of the register that may be taken now")
    log_index: int
    history: list[SealStepShape]


class SealsShape(BaseModel):
    """Seals by code."""

    items: list[SealShape]


class SealUseShape(BaseModel):
    """A use of a seal; `recorded`: no signature of it is known."""

    id: str
    seal: str
    by: str
    at: str
    purpose: str
    form: str
    automatic: bool
    count: int
    document_digest: str
    approval: str
    state: str
    signature_digest: str
    log_index: int


class SealUsesShape(BaseModel):
    """The uses of a seal, the newest first."""

    items: list[SealUseShape]


class StampedShape(BaseModel):
    """What came of a use: the sealed file, or the SES_Signature over a digest, in base64."""

    use: str
    form: str
    data: str


class ApprovalShape(BaseModel):
    """A request to one person for one signature."""

    id: str
    person: str
    seal: str
    form: str
    document_digest: str
    title: str
    purpose: str
    asked_by: str
    asked_at: str
    ends_at: str
    state: str
    failures: int
    log_index: int


class ApprovalsShape(BaseModel):
    """The requests to the caller, the newest first."""

    items: list[ApprovalShape]


class SignerShape(BaseModel):
    """A key of a person who signs remotely; nothing that opens it."""

    person: str
    number: int
    department: str
    state: str
    serial: str
    created_at: str
    ended_at: str | None
    locked: bool = Field(description="after too many wrong proofs; another key ends it")
    log_index: int


class SignersShape(BaseModel):
    """The keys of persons, ended ones too."""

    items: list[SignerShape]


class EnrolledShape(BaseModel):
    """A new key of a person."""

    person: str
    number: int
    certificate: str = Field(description="DER in base64")
    otp_uri: str = Field(description="for the person's authenticator; told this once and never again")


_TEXT: Final[Schema] = {"type": "string"}
_BASE64: Final[Schema] = {"type": "string", "contentEncoding": "base64"}
_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_MM: Final[Schema] = {"type": "integer", "minimum": 5, "maximum": 100}
_WHERE: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": MAX_MM}
_SPECIAL: Final = (
    ("sort", {"type": "string", "enum": ["official", "special", "licence", "name", "signature"]}),
    ("name", _TEXT),
    ("custodian", {**_TEXT, "description": "DEPARTMENT:POST, or a signer with a key of their own"}),
    ("valid_from", _TIME),
    ("valid_until", _TIME),
    ("title", {**_TEXT, "maxLength": 100, "description": "what the document is called; it names no person"}),
    ("line", {**_TEXT, "description": "what stands below the star of a drawn seal"}),
    ("picture", {**_BASE64, "description": "a PNG; without it a round seal is drawn"}),
    ("width_mm", _MM),
    ("height_mm", _MM),
    ("structure", {"type": "integer", "enum": [5, 4]}),
    ("kinds", {"type": "array", "items": _TEXT, "description": "kinds of licence; none ends it"}),
    ("until", _TIME),
    ("document", {**_BASE64, "description": "a PDF or OFD, or the 32 bytes of an SM3 digest"}),
    ("seal", {**_TEXT, "description": "the seal's code"}),
    ("pin", _TEXT),
    ("x_mm", {**_WHERE, "description": "from the left of the first page; with `y_mm`"}),
    ("y_mm", {**_WHERE, "description": "from the top (OFD) or the bottom (PDF)"}),
    ("person", {**_TEXT, "description": "DEPARTMENT:POST, a pseudonym"}),
    ("password", {**_TEXT, "description": "the one-time password"}),
)


def body_shape(required: tuple[str, ...], optional: tuple[str, ...] = ()) -> BodyShape:
    """A body of these members, each like here or, where it is not here, like the office's others."""
    return BodyShape(required, optional, None, tuple(pair for pair in _SPECIAL if pair[0] in (*required, *optional)))
