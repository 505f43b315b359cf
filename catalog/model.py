"""The vocabulary of the responsibility list: departments, resources, fields, responsibilities, matters.

Pure values with no behaviour beyond their own consistency; reading them from a file is `catalog.load`,
deciding over them is `catalog.decide`, and storing them belongs to `hub`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date


class FieldKind(StrEnum):
    """The kinds of value an information item (信息项) may hold."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    DATETIME = "datetime"
    BOOLEAN = "boolean"


class ShareType(StrEnum):
    """共享类型, GB/T 21063 core metadata: 1 unconditional, 2 conditional, 3 not shared (must cite its ground)."""

    UNCONDITIONAL = "1"
    CONDITIONAL = "2"
    NOT_SHARED = "3"


class Cadence(StrEnum):
    """更新周期, GB/T 21063 core metadata."""

    REALTIME = "1"
    DAILY = "2"
    WEEKLY = "3"
    MONTHLY = "4"
    QUARTERLY = "5"
    YEARLY = "6"


class ResourceFormat(StrEnum):
    """信息资源格式, GB/T 21063 core metadata."""

    DOCUMENT = "1"
    SPREADSHEET = "2"
    DATABASE = "3"
    IMAGE = "4"
    STREAM = "5"
    SELF_DESCRIBING = "6"
    SERVICE = "7"


class ShareMethod(StrEnum):
    """共享方式, GB/T 21063 core metadata: 1 database, 2 file download, 3 service interface."""

    DATABASE = "1"
    FILE = "2"
    SERVICE = "3"


class Disposition(StrEnum):
    """How a load enters its table.

    ``replace``: every pull is the whole resource; a key that is gone was deleted.
    ``merge``: a pull holds what changed since the cursor; rows upsert by key, rows marked deleted go.
    ``append``: a pull holds new records that never change afterwards.
    ``scd2``: as ``merge``, but a row that changes or goes is kept as it was, with the time until which it held.
    """

    REPLACE = "replace"
    MERGE = "merge"
    APPEND = "append"
    SCD2 = "scd2"


class Deletion(StrEnum):
    """What becomes of a row that its source has deleted: it goes, or it stays and bears the time of deletion."""

    HARD = "hard"
    SOFT = "soft"


class Drift(StrEnum):
    """How a source may come to differ from what it was: a column more, a column less, a column of another type."""

    NEW = "new"
    MISSING = "missing"
    RETYPED = "retyped"


class DriftPolicy(StrEnum):
    """What happens when a source drifts.

    ``evolve``: the load goes on and the drift is reported. A new column is not read until the list has it; a column of
    another type is taken as long as its values keep the contract. ``freeze``: the load waits for a person to approve.
    ``discard``: the load goes on and the drift is recorded, of which nobody is told.
    """

    EVOLVE = "evolve"
    FREEZE = "freeze"
    DISCARD = "discard"


class Mask(StrEnum):
    """What a consumer sees of a value (see `catalog.masks`)."""

    NONE = "none"
    REDACT = "redact"
    NULL = "null"
    KEEP_LAST_4 = "keep_last_4"
    KEEP_FIRST_4 = "keep_first_4"
    HASH = "hash"
    YEAR = "year"
    CITIZEN_ID = "citizen_id"
    SURNAME = "surname"
    COUNTY = "county"


class Check(StrEnum):
    """Check-digit rules a field may name beyond its type."""

    CITIZEN_ID = "citizen_id"
    USCC = "uscc"


class Domain(StrEnum):
    """The two domains over which the collection rate (归集率) is counted separately."""

    GOVERNMENT = "政务"
    ECONOMIC_SOCIAL = "经济社会"


class DepartmentKind(StrEnum):
    """What kind of body a department is."""

    GOVERNMENT = "government"
    PARTY = "party"
    INSTITUTION = "institution"
    VERTICAL = "vertical"
    UTILITY = "utility"


class Duty(StrEnum):
    """What a contact post (岗位) of a department answers for. Posts, never people."""

    CATALOGUE = "catalogue"
    REVIEW = "review"
    TECHNICAL = "technical"


class Theme(StrEnum):
    """The theme libraries (主题库) a resource may belong to."""

    POPULATION = "population"
    LEGAL_PERSON = "legal_person"
    SPACE = "space"
    ECONOMY = "economy"
    CREDIT = "credit"
    LICENCE = "licence"
    SOCIAL_SECURITY = "social_security"
    HEALTH = "health"
    EDUCATION = "education"
    TRANSPORT = "transport"
    HOUSING = "housing"
    ENVIRONMENT = "environment"
    AGRICULTURE = "agriculture"
    SAFETY = "safety"
    CULTURE = "culture"
    GOVERNANCE = "governance"


class QualityKind(StrEnum):
    """What a quality rule measures, and hence what its *threshold* means.

    ``completeness``, ``uniqueness``, ``validity``, ``reference``, ``consistency``: the least share of rows (0 to 1)
    that must hold. A ``reference`` or ``consistency`` of 1 is asked of every row: one that breaks it is rejected;
    ``timeliness``: the greatest age in days of the newest value of the field;
    ``volume``: the least number of rows;
    ``volume_band``: the least share (above 0, to 1) of the median number of rows of the last whole pulls that a whole
    pull must have, and, turned over, the greatest: with 0.5 from a half of the usual to its double.
    """

    COMPLETENESS = "completeness"
    UNIQUENESS = "uniqueness"
    VALIDITY = "validity"
    REFERENCE = "reference"
    TIMELINESS = "timeliness"
    VOLUME = "volume"
    CONSISTENCY = "consistency"
    VOLUME_BAND = "volume_band"


EVERYONE = "*"

# Attributes that lists written before them do not have. A list in which they keep their defaults has the digest
# that it had then; hence a published version never changes its name because the model grew.
_ADDED: Final = {"added": True}


@dataclass(frozen=True, slots=True)
class FieldType:
    """A field's type as written in the list: ``string``, ``string(18)``, ``decimal(12,2)``, ``date`` and so on.

    *length* is the maximum number of characters of a string (0 = unbounded) or the precision of a decimal.
    """

    kind: FieldKind
    length: int = 0
    scale: int = 0

    def __str__(self) -> str:
        if self.kind is FieldKind.DECIMAL:
            return f"decimal({self.length},{self.scale})"
        return f"{self.kind}({self.length})" if self.length else str(self.kind)


@dataclass(frozen=True, slots=True)
class Field:
    """One information item (信息项) of a resource, with the terms on which it alone is shared.

    *aliases* are further column headings under which the source system delivers it. *codes* are the values allowed;
    where *code_list* names a code list of the list, they are its values.
    *grade* is the sensitivity grade 1 (public) to 4. *mask* is the least that is masked for any consumer. A field with
    a *landing* mask is masked as it is read: its values as the source holds them are kept nowhere.
    """

    name: str
    title: str
    type: FieldType
    key: bool = False
    nullable: bool = True
    lookup: bool = False
    grade: int = 1
    mask: Mask = Mask.NONE
    share_type: ShareType = ShareType.CONDITIONAL
    share_condition: str = ""
    cadence: Cadence | None = None
    codes: tuple[str, ...] = ()
    pattern: str = ""
    check: Check | None = None
    aliases: tuple[str, ...] = ()
    code_list: str = field(default="", metadata=_ADDED)
    landing: Mask = field(default=Mask.NONE, metadata=_ADDED)


@dataclass(frozen=True, slots=True)
class CodeList:
    """A code list (代码表) that fields refer to: *items* are (value, title) pairs in order."""

    code: str
    name: str
    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class QualityRule:
    """A rule the published data must meet, over *field* of the resource ("" for volume and its band).

    *target* is what a ``reference`` must be found in, ``RESOURCE_CODE.field``, or the rule of a ``consistency`` (see
    `catalog.expressions`), which the reason for a rejection then lays at *field*.
    """

    kind: QualityKind
    field: str
    threshold: float
    target: str = ""


@dataclass(frozen=True, slots=True)
class SourceRef:
    """Where a resource is read: a source *system* by its reference name, an *object* in it, reading options.

    Connection details and secrets are no part of the list; the deployment maps *system* to them.
    *options* are (name, value) pairs sorted by name; values are text.
    """

    system: str
    object: str
    cursor_field: str = ""
    deleted_field: str = ""
    deleted_value: str = ""
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class InformationResource:
    """A shared information resource (信息资源) with its core metadata and fields in their published order.

    *error_budget* is the share of rows (0 to 1) that may be rejected before a load stops uncommitted, *error_limit* the
    number (0: no such limit). *drift* says what happens when the source changes its columns, for each way that is not
    left to the default of `drift_policy`.
    *classification* is 信息资源分类 (类, 项, 目, 细目), as far as given. *region_field* names the field that holds the
    administrative division (行政区划代码) by which rows may be granted. *aliases* are what people call it.
    """

    code: str
    name: str
    name_en: str
    provider: str
    abstract: str
    format: ResourceFormat
    share_type: ShareType
    share_condition: str
    share_ground: str
    share_method: ShareMethod
    cadence: Cadence
    open: bool
    published_on: date
    disposition: Disposition
    source: SourceRef
    fields: tuple[Field, ...]
    related: tuple[str, ...] = ()
    error_budget: float = 0.05
    classification: tuple[str, ...] = field(default=(), metadata=_ADDED)
    theme: Theme | None = field(default=None, metadata=_ADDED)
    aliases: tuple[str, ...] = field(default=(), metadata=_ADDED)
    region_field: str = field(default="", metadata=_ADDED)
    quality: tuple[QualityRule, ...] = field(default=(), metadata=_ADDED)
    deletion: Deletion = field(default=Deletion.HARD, metadata=_ADDED)
    error_limit: int = field(default=0, metadata=_ADDED)
    drift: tuple[tuple[Drift, DriftPolicy], ...] = field(default=(), metadata=_ADDED)

    def drift_policy(self, drift: Drift) -> DriftPolicy:
        """What happens on *drift*: what the list says, otherwise ``evolve``."""
        return dict(self.drift).get(drift, DriftPolicy.EVOLVE)

    @property
    def key(self) -> tuple[Field, ...]:
        """The fields of the primary key, in order; never empty in a loaded list."""
        return tuple(f for f in self.fields if f.key)

    @property
    def lookup_fields(self) -> tuple[Field, ...]:
        """The fields by which a caller may look a record up."""
        return tuple(f for f in self.fields if f.lookup)

    def field(self, name: str) -> Field | None:
        """The field called *name*, or None."""
        return next((f for f in self.fields if f.name == name), None)


@dataclass(frozen=True, slots=True)
class Department:
    """A department (部门) that owes or uses resources. *parent* is the code of the one above, or "".

    *contact_role* is the post that answers for its shared data; *contacts* are further posts by what they answer for.
    """

    code: str
    name: str
    name_en: str
    uscc: str
    parent: str = ""
    aliases: tuple[str, ...] = ()
    contact_role: str = ""
    kind: DepartmentKind | None = field(default=None, metadata=_ADDED)
    contacts: tuple[tuple[Duty, str], ...] = field(default=(), metadata=_ADDED)


@dataclass(frozen=True, slots=True)
class Matter:
    """A government-service matter (事项): the purpose for which data may be called.

    Uses for a *hidden* one are counted and not shown to the person whose data they were; *hidden_ground* is the law
    that says so.
    """

    code: str
    name: str
    name_en: str
    department: str
    hidden: bool = field(default=False, metadata=_ADDED)
    hidden_ground: str = field(default="", metadata=_ADDED)


@dataclass(frozen=True, slots=True)
class Need:
    """What a matter needs to know of a resource, at the least (事项用数): so that nobody has to bring *replaces*.

    *actions* are those of grants, e.g. ``query`` or ``verify``; *replaces* names the paper (材料) it makes needless.
    """

    matter: str
    resource: str
    fields: tuple[str, ...]
    actions: tuple[str, ...] = ("query",)
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Prohibition:
    """What must not be shared whatever a line or a grant says (不予共享), and the *ground* (法律、行政法规 …) for it.

    It forbids *fields* of *resource* (empty: all of it) to *consumers* for *purposes* (codes or ``*``).
    """

    resource: str
    consumers: tuple[str, ...]
    purposes: tuple[str, ...]
    ground: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Responsibility:
    """One line of the list: *provider* owes *resource* to *consumers* (department codes or ``*``) for *purposes*.

    *purposes* are matter codes or ``*``. *deadline* is the day by which it must first be shared. *year* and *batch*
    say when the line entered the list (0: with the list itself).
    """

    resource: str
    provider: str
    consumers: tuple[str, ...]
    purposes: tuple[str, ...]
    ground: str
    method: ShareMethod
    cadence: Cadence
    deadline: date
    domain: Domain
    year: int = field(default=0, metadata=_ADDED)
    batch: int = field(default=0, metadata=_ADDED)


@dataclass(frozen=True)
class ResponsibilityList:
    """A sharing-responsibility list (数据共享责任清单): one batch of one year of one city, immutable.

    Its version is the digest of its content; the file it was read from, and that file's format, play no part.
    *office* is the department that keeps the list and settles disputes (数据主管部门).
    """

    city: str
    title: str
    year: int
    batch: int
    departments: tuple[Department, ...]
    resources: tuple[InformationResource, ...]
    responsibilities: tuple[Responsibility, ...]
    matters: tuple[Matter, ...] = field(default=())
    office: str = field(default="", metadata=_ADDED)
    needs: tuple[Need, ...] = field(default=(), metadata=_ADDED)
    prohibitions: tuple[Prohibition, ...] = field(default=(), metadata=_ADDED)
    code_lists: tuple[CodeList, ...] = field(default=(), metadata=_ADDED)

    @cached_property
    def version(self) -> str:
        """``sha256:`` + hex SHA-256 over the canonical JSON of the whole list."""
        text = json.dumps(to_plain(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def by_code(self) -> Mapping[str, InformationResource]:
        """Resources by code."""
        return {r.code: r for r in self.resources}

    @cached_property
    def departments_by_code(self) -> Mapping[str, Department]:
        """Departments by code."""
        return {d.code: d for d in self.departments}

    @cached_property
    def matters_by_code(self) -> Mapping[str, Matter]:
        """Matters by code."""
        return {m.code: m for m in self.matters}

    @cached_property
    def responsibilities_by_resource(self) -> Mapping[str, tuple[Responsibility, ...]]:
        """Lines by the code of their resource, in list order; a resource without a line has no entry."""
        lines: dict[str, list[Responsibility]] = {}
        for line in self.responsibilities:
            lines.setdefault(line.resource, []).append(line)
        return {code: tuple(found) for code, found in lines.items()}

    @cached_property
    def prohibitions_by_resource(self) -> Mapping[str, tuple[Prohibition, ...]]:
        """Prohibitions by the code of their resource, in list order."""
        found: dict[str, list[Prohibition]] = {}
        for prohibition in self.prohibitions:
            found.setdefault(prohibition.resource, []).append(prohibition)
        return {code: tuple(items) for code, items in found.items()}

    def needs_of(self, matter: str, resource: str) -> tuple[Need, ...]:
        """What *matter* needs of *resource*; several where it needs it in several ways."""
        return tuple(need for need in self.needs if need.matter == matter and need.resource == resource)

    def responsibilities_for(self, resource: str) -> tuple[Responsibility, ...]:
        """Every line about the resource with this code."""
        return self.responsibilities_by_resource.get(resource, ())


def to_plain(value: Any) -> Any:  # noqa: ANN401 - a fold over values of every model type
    """Fold a model value into dicts, lists, text, numbers and booleans, the form that is hashed and stored."""
    if isinstance(value, FieldType):
        return str(value)
    if hasattr(value, "__dataclass_fields__"):
        return {
            f.name: to_plain(getattr(value, f.name))
            for f in fields(value)
            if not (f.metadata.get("added") and getattr(value, f.name) == f.default)
        }
    if isinstance(value, tuple):
        return [to_plain(v) for v in value]
    if isinstance(value, StrEnum):
        return value.value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value
