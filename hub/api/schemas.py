"""The shapes of requests and answers as OpenAPI documents them.

For documentation alone: bodies are parsed by `hub.requests`, which is stricter than a schema can say.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from hub.requests import MAX_TEXT_CHARS


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PurposeShape(_Shape):
    """Why the caller asks."""

    matter: str = Field(description="事项编码, a matter of the published list", max_length=MAX_TEXT_CHARS)
    case: str = Field("", description="办件号, the case it is for", max_length=MAX_TEXT_CHARS)
    operator: str = Field("", description="经办人, who asks", max_length=MAX_TEXT_CHARS)
    replaces: str = Field("", description="替代材料, the paper the citizen need not bring", max_length=MAX_TEXT_CHARS)


class QueryShape(_Shape):
    """A look-up."""

    keys: dict[str, str | int] | list[dict[str, str | int]] = Field(
        description="look-up field → value, all must fit; or up to 500 such sets by the same fields", min_length=1
    )
    fields: list[str] | None = Field(None, description="fields wanted; all of the grant where absent")
    grant: str | None = Field(None, description="the grant to use, where there are several")
    purpose: PurposeShape


class VerifyShape(_Shape):
    """Claims to be confirmed without any value being shown."""

    keys: dict[str, str | int] = Field(min_length=1)
    claims: dict[str, str | int | bool] = Field(description="field → claimed value; decimals as text", min_length=1)
    grant: str | None = None
    purpose: PurposeShape


class ExplainShape(_Shape):
    """A question whether a call would be allowed: the call, without its values."""

    action: str = Field("query", description="query, verify, batch or subscribe")
    keys: list[str] | dict[str, str | int] | None = Field(None, description="the fields that would be looked up by")
    claims: list[str] | dict[str, str | int | bool] | None = Field(None, description="of a verification")
    fields: list[str] | None = None
    grant: str | None = None
    purpose: PurposeShape


class GroupShape(_Shape):
    """The entries that became durable together with a call's, which one signature is over."""

    first: int = Field(description="the place of the first of them in the log")
    size: int = Field(description="how many they are")
    path: str = Field(description="base64: from the leaf hash to the root of their tree (RFC 6962 §2.1), 32 bytes each")


class ReceiptShape(_Shape):
    """The log's entry about a call, its place, the hub's signature over both, and the salts that open its digests."""

    entry: int = Field(description="the place of the entry in the log")
    log: str = Field(description="the log's origin")
    leaf: dict[str, Any] = Field(description="the entry itself; its canonical form is the leaf's data")
    key: str = Field(description="thumbprint of the answer key that signed (RFC 7638)")
    signature: str = Field(description="Ed25519, base64, over origin, place and leaf hash")
    group: GroupShape | None = Field(None, description="absent where the signature is over this entry alone")
    request_salt: str = ""
    answer_salt: str = ""


class ScopeShape(_Shape):
    """What one grant opens: the rows that its rules admit, and the fields of those."""

    grant: str
    rows: list[str]
    fields: list[str]


class DisputedShape(_Shape):
    """Something of the answer that a department says is wrong, and that is not settled."""

    position: int | None = Field(None, description="which record, from 0; absent in a verification")
    record: bool | None = Field(None, description="the whole record")
    missing: bool | None = Field(None, description="that there is no such record")
    fields: list[str] | None = Field(None, description="these fields of it")
    since: str
    case: str


class _AnswerShape(_Shape):
    resource: str
    list_version: str
    snapshot: str = Field(description="the table snapshot that was answered from")
    grant: str
    scopes: list[ScopeShape] | None = Field(None, description="only where a grant opens some rows and not others")
    disputed: list[DisputedShape] | None = Field(None, description="only where something of the answer is disputed")
    receipt: ReceiptShape


class OneOfManyShape(_Shape):
    """What one of several sets of keys found."""

    records: list[dict[str, Any]] | None = None
    disputed: list[DisputedShape] | None = None
    problem: str | None = Field(None, description="too_many_records: it fits more than an answer holds")


class QueryAnswerShape(_AnswerShape):
    """The records found, masked: in *records*, or for several sets of keys in *answers*, in their order."""

    records: list[dict[str, Any]] | None = None
    answers: list[OneOfManyShape] | None = None
    masked: dict[str, str] = Field(description="field → mask, where one was applied")


class VerifyAnswerShape(_AnswerShape):
    """For each claimed field ``match``, ``mismatch`` or ``unknown`` (nothing to compare with, or not comparable)."""

    results: dict[str, str]


class ReasonShape(_Shape):
    """One reason of a denial."""

    code: str
    text: str
    remedy: str = Field(
        description="what would have to change: apply, renew, ask_provider, ask_office, mend_request, wait or none"
    )


class AllowedFieldShape(_Shape):
    """A field that would be answered, and how it would be masked."""

    name: str
    mask: str


class QuotaShape(_Shape):
    """A grant's calls of today."""

    grant: str
    limit: int
    used: int
    resets: str


class ExplainedShape(_Shape):
    """Whether a call would be allowed now, with what, and why not."""

    resource: str
    list_version: str
    action: str
    allowed: bool
    reasons: list[ReasonShape]
    grants: list[str]
    fields: list[AllowedFieldShape]
    scopes: list[ScopeShape]
    quotas: list[QuotaShape]


class ProblemShape(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    reasons: list[ReasonShape] | None = None
    receipt: ReceiptShape | None = None


class SummaryShape(BaseModel):
    """Core metadata of a resource (GB/T 21063)."""

    code: str
    name: str
    name_en: str
    provider: str
    provider_name: str
    abstract: str
    format: str
    share_type: str
    share_condition: str
    share_ground: str
    share_method: str
    cadence: str
    open: bool
    published_on: str
    related: list[str]


class CatalogueShape(BaseModel):
    """A page of the catalogue."""

    list_version: str
    city: str
    title: str
    total: int
    page: int
    size: int
    items: list[SummaryShape]


class FieldShape(BaseModel):
    """An information item (信息项) of a resource."""

    name: str
    title: str
    type: str
    key: bool
    lookup: bool
    nullable: bool
    share_type: str
    share_condition: str
    cadence: str | None


class LineShape(BaseModel):
    """A line of the sharing-responsibility list."""

    provider: str
    consumers: list[str]
    purposes: list[str]
    ground: str
    deadline: str


class DetailShape(SummaryShape):
    """Metadata of a resource with its fields."""

    list_version: str
    fields: list[FieldShape]
    lookup_fields: list[str]
    responsibilities: list[LineShape]


class KeysShape(BaseModel):
    """The keys with which answers and the log are verified."""

    log: str = Field(description="C2SP signed-note verifier key of the log")
    log_second: str | None = Field(None, description="of its second signature (ML-DSA-65); who pins both demands both")
    answers: list[str] = Field(description="ed25519:… keys of answers, the form a client pins")
    keys: list[dict[str, str]] = Field(description="the same as a JWK set (RFC 7517)")


class AliveShape(BaseModel):
    """That the process answers."""

    status: str


class HealthShape(BaseModel):
    """That the hub can answer calls."""

    status: str
    list_version: str
    log_size: int
    log_published: int = Field(description="entries that a checkpoint covers")
    merge_delay_s: float = Field(description="how long the oldest entry without a checkpoint has waited")
