"""How an information resource becomes an Iceberg schema: stable field ids, DuckDB types, growth by adding columns.

Keeping the table is `warehouse.table`; what a value may be beyond its type is `warehouse.checks`.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from pyiceberg.schema import Schema
from pyiceberg.types import (
    BooleanType,
    DateType,
    DecimalType,
    IcebergType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
)

from catalog.model import Deletion, Disposition, FieldKind, Mask, QualityKind, to_plain

if TYPE_CHECKING:
    from catalog.model import Field, FieldType, InformationResource

MAX_PRECISION = 38  # Iceberg spec, primitive type decimal(P,S): P is at most 38; DuckDB has the same limit.
_NAME_LIMIT = 80
# Columns of our own beside those of the list. Their names begin with `_`, which no field's name may.
VALID_FROM, VALID_TO, DELETED_AT = "_valid_from", "_valid_to", "_deleted_at"


def table_name(resource_code: str) -> str:
    """The table's name for a resource code: lower-case letters, digits and ``_``; different codes never share one."""
    plain = re.sub(r"[^a-z0-9_]+", "_", resource_code.lower()).strip("_")[:_NAME_LIMIT]
    if plain == resource_code:
        return plain
    # Folding loses information, so a piece of the code's digest keeps two codes from meeting.
    mark = hashlib.sha256(resource_code.encode()).hexdigest()[:8]
    return f"{plain}_{mark}" if plain else f"resource_{mark}"


def iceberg_type(type_: FieldType) -> IcebergType:
    """The Iceberg type that holds every value of a list's field type."""
    if type_.kind is FieldKind.DECIMAL:
        return DecimalType(type_.length or MAX_PRECISION, type_.scale)
    return {
        FieldKind.STRING: StringType(),
        FieldKind.INTEGER: LongType(),
        FieldKind.DATE: DateType(),
        # No zone: departments write local time, Asia/Shanghai throughout.
        FieldKind.DATETIME: TimestampType(),
        FieldKind.BOOLEAN: BooleanType(),
    }[type_.kind]


def duckdb_type(type_: IcebergType) -> str:
    """The DuckDB type of an Iceberg type that `iceberg_type` answers."""
    if isinstance(type_, DecimalType):
        return f"DECIMAL({type_.precision},{type_.scale})"
    return {
        "string": "VARCHAR",
        "long": "BIGINT",
        "date": "DATE",
        "timestamp": "TIMESTAMP",
        "boolean": "BOOLEAN",
    }[str(type_)]


def field_type(field: Field) -> str:
    """The DuckDB type of a list's field."""
    return duckdb_type(iceberg_type(field.type))


def own_columns(resource: InformationResource) -> tuple[tuple[str, str], ...]:
    """The columns (name, what it says) that the table of *resource* has beside its fields.

    Both times of a version are local, as all times here are: it held from the first on (empty: since before the
    records kept) until just before the second (empty: it holds still).
    """
    if resource.disposition is Disposition.SCD2:
        return (VALID_FROM, "生效时间"), (VALID_TO, "失效时间")
    return ((DELETED_AT, "删除时间"),) if resource.deletion is Deletion.SOFT else ()


def published(schema: Schema) -> tuple[NestedField, ...]:
    """The columns of a table that are fields of its list, now or formerly, in the order of their ids."""
    own = {VALID_FROM, VALID_TO, DELETED_AT}
    return tuple(sorted((f for f in schema.fields if f.name not in own), key=lambda f: f.field_id))


def new_schema(resource: InformationResource) -> Schema:
    """The schema of a table that does not exist yet: field ids 1, 2, … in published order, columns of our own last.

    Every column is optional, keys too: emptiness is judged by the contract, where it gets a reason, and a column
    that the list stops requiring needs no migration.
    """
    columns = [(f.name, iceberg_type(f.type), f.title) for f in resource.fields]
    columns += [(name, TimestampType(), title) for name, title in own_columns(resource)]
    return Schema(
        *(
            NestedField(field_id=i, name=name, field_type=type_, required=False, doc=title)
            for i, (name, type_, title) in enumerate(columns, start=1)
        )
    )


def contract_digest(resource: InformationResource) -> str:
    """``sha256:…`` over all that decides how a batch of this resource is judged and merged, and nothing else."""
    rules = ("name", "type", "key", "nullable", "codes", "pattern", "check")
    source = resource.source
    plain: dict[str, object] = {
        "code": resource.code,
        "disposition": resource.disposition.value,
        "fields": [{k: v for k, v in to_plain(f).items() if k in rules} for f in resource.fields],
        "source": [source.cursor_field, source.deleted_field, source.deleted_value],
    }
    # What every row must keep beyond its own fields (`warehouse.rules`), and what is masked before it is judged.
    beyond = [
        [rule.kind.value, rule.field, rule.target]
        for rule in resource.quality
        if rule.threshold >= 1 and rule.kind in {QualityKind.CONSISTENCY, QualityKind.REFERENCE}
    ]
    landing = {f.name: f.landing.value for f in resource.fields if f.landing is not Mask.NONE}
    plain |= ({"rules": beyond} if beyond else {}) | ({"landing": landing} if landing else {})
    if resource.deletion is not Deletion.HARD:
        plain["deletion"] = resource.deletion.value
    canonical = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
