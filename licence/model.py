"""The vocabulary of licences: kinds, their faces, references into status lists, sealed licences.

Pure values; reading kinds from a file is `licence.kinds`, states are `licence.lifecycle`, sealing is `licence.issue`.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from licence.errors import FaceValueError
from licence.findings import finding_text

if TYPE_CHECKING:
    from collections.abc import Mapping

CHINA_TIME: Final = timezone(timedelta(hours=8), "Asia/Shanghai")


class Category(StrEnum):
    """Classes of electronic licence (证照 / 批文 / 证明 / 材料)."""

    LICENCE = "证照"
    APPROVAL = "批文"
    CERTIFICATE = "证明"
    MATERIAL = "材料"


class Level(StrEnum):
    """Levels of government: who defines a kind, and who issues it."""

    NATIONAL = "国家级"
    PROVINCE = "省级"
    CITY = "市级"
    COUNTY = "县级"
    TOWNSHIP = "乡级"


class HolderCategory(StrEnum):
    """持证主体类别: whom licences of a kind are made out to."""

    PERSON = "自然人"
    ORGANISATION = "法人或其他组织"
    EITHER = "混合"
    OTHER = "其他"


class FieldType(StrEnum):
    """Types of a field on the face of a licence."""

    TEXT = "text"
    DATE = "date"
    INTEGER = "integer"
    DECIMAL = "decimal"
    CODE = "code"


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


# 18 digits are what a double-checking reader of JSON keeps, and no face shows more.
_FORMS: Final = {
    FieldType.DATE: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    FieldType.INTEGER: re.compile(r"-?(0|[1-9][0-9]{0,17})"),
    FieldType.DECIMAL: re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?"),
}
MAX_FACE_TEXT: Final = 4000


@dataclass(frozen=True, slots=True)
class FaceField:
    """One field on the face of a licence: ``KZ_*`` *name*, taken from the resource's *field*.

    *codes* are the permitted values of a code list with their titles, empty for every other type. *field* is empty
    where no resource is mapped yet (a reference catalogue).
    """

    name: str
    title: str
    field: str
    required: bool = True
    title_en: str = ""
    type: FieldType = FieldType.TEXT
    codes: tuple[tuple[str, str], ...] = ()

    def accept(self, text: str) -> str:
        """*text*, where it is a value of this field's type; dates are ``YYYY-MM-DD``, code lists hold the code.

        Raises:
            FaceValueError: it is not. The message names the field and its type, not the value.
        """
        if self.type is FieldType.CODE:
            good = any(text == code for code, _ in self.codes)
        elif self.type is FieldType.TEXT:
            good = len(text) <= MAX_FACE_TEXT
        else:
            good = _FORMS[self.type].fullmatch(text) is not None
        if good and self.type is FieldType.DATE:
            good = _date_of(text) is not None
        if not good:
            raise FaceValueError("face_value_of_other_type", field=self.name, type=self.type.value)
        return text


@dataclass(frozen=True, slots=True)
class Renewal:
    """延续: renewal may be asked for from *opens_days* until *closes_days* before the end of validity."""

    opens_days: int
    closes_days: int = 0

    def window(self, ends: datetime) -> tuple[datetime, datetime]:
        """From when until when renewal of a licence that *ends* then may be asked for."""
        return ends - timedelta(days=self.opens_days), ends - timedelta(days=self.closes_days)


@dataclass(frozen=True, slots=True)
class SourceMapping:
    """Where a city takes a kind's facts from: *issuer*, *resource*, and the resource's *fields* by face name."""

    issuer: str
    resource: str
    holder_field: str
    holder_name_field: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LicenceKind:
    """A kind of licence (证照类型) from the catalogue of kinds (follows GB/T 36902).

    *authority* defines the kind, *authority_code* is its USCC and opens *code*, *authority_level* its level. *issuer*
    is the issuing department's code in the responsibility list, *issuing_levels* who issues the kind in the country.
    *holder_type* is a code of `HOLDER_TYPES`; *holder_category* says whom the kind is for. *matters* are the related
    matters (关联事项). *resource* is the authoritative resource, *holder_field* its field with the holder's identifier,
    *holder_name_field* the one with the name; all of these and *issuer* are empty in a reference catalogue. At most one
    of *validity_days*, *validity_years*, *validity_until* (the same day for all) and *validity_field* (a date on the
    face) is set; none: no end. *approvals*: how many persons decide, 1 or 2. *renewal* None: an ended licence is asked
    for anew. *predicates*: names of yes/no claims, none to start with.
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
    authority_level: Level = Level.NATIONAL
    issuing_levels: tuple[Level, ...] = ()
    matters: tuple[str, ...] = ()
    holder_category: HolderCategory | None = None
    validity_years: int | None = None
    validity_until: date | None = None
    validity_field: str = ""
    template: str = ""
    seal: str = ""
    approvals: int = 1
    renewal: Renewal | None = None

    @property
    def source_fields(self) -> tuple[str, ...]:
        """The resource's fields needed to issue, in order and without repeats: the minimum to ask for."""
        return tuple(
            dict.fromkeys((self.holder_field, self.holder_name_field, *(f.field for f in self.face if f.field)))
        )

    @property
    def sourced(self) -> bool:
        """Whether an issuer and a resource are named: without them nothing can be issued."""
        return bool(self.issuer and self.resource)

    def ends_at(self, starts: datetime, facts: Mapping[str, object] | None = None) -> datetime | None:
        """When a licence that *starts* then ends, or None: no end.

        Years end on the same day of the year (29 February: on the 28th); a fixed day and a day from *facts* (resource
        field → value) count to their last second in China. An empty value of *facts* means no end (长期).

        Raises:
            FaceValueError: the record's value is no date.
        """
        if self.validity_days is not None:
            return starts + timedelta(days=self.validity_days)
        if self.validity_years is not None:
            year = starts.year + self.validity_years
            last = calendar.monthrange(year, starts.month)[1]
            return starts.replace(year=year, day=min(starts.day, last))
        if self.validity_until is not None:
            return _end_of(self.validity_until)
        if self.validity_field:
            field = next(f for f in self.face if f.name == self.validity_field)
            text = str((facts or {}).get(field.field) or "").strip()
            return _end_of(date.fromisoformat(field.accept(text))) if text else None
        return None

    def adopted(self, source: SourceMapping) -> LicenceKind:
        """This kind as a city issues it, from the resource that *source* names.

        Fields of the face that *source* does not map are left out if they are optional.

        Raises:
            FaceValueError: a required field, or the one that tells the end of validity, is not mapped.
        """
        missing = [
            f.name for f in self.face if (f.required or f.name == self.validity_field) and not source.fields.get(f.name)
        ]
        unknown = sorted(set(source.fields) - {f.name for f in self.face})
        if missing or unknown:
            raise FaceValueError("face_not_mapped", kind=self.name, missing=", ".join(missing + unknown))
        face = tuple(replace(f, field=source.fields[f.name]) for f in self.face if source.fields.get(f.name))
        return replace(
            self,
            issuer=source.issuer,
            resource=source.resource,
            holder_field=source.holder_field,
            holder_name_field=source.holder_name_field,
            face=face,
        )


def _date_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), CHINA_TIME).astimezone(UTC)


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
