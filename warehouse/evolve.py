"""How a table's schema follows its list: columns added, renamed and widened by id, and none ever lost.

The type of a field is `warehouse.schema`; making the change is `warehouse.table`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.types import DecimalType

from warehouse.errors import SchemaIncompatibleError
from warehouse.schema import new_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyiceberg.schema import Schema
    from pyiceberg.types import IcebergType, NestedField

    from catalog.model import InformationResource


@dataclass(frozen=True, slots=True)
class Evolution:
    """What a table's schema lacks: *renamed* (from, to), *widened* (name after renaming, type), *added* columns."""

    renamed: tuple[tuple[str, str], ...] = ()
    widened: tuple[tuple[str, IcebergType], ...] = ()
    added: tuple[NestedField, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.renamed or self.widened or self.added)


def holds(column: IcebergType, wanted: IcebergType) -> bool:
    """Whether a column of one type holds every value of another, as it is."""
    if isinstance(column, DecimalType) and isinstance(wanted, DecimalType):
        return column.scale == wanted.scale and column.precision >= wanted.precision
    return column == wanted


def widens(column: IcebergType, wanted: IcebergType) -> bool:
    """Whether Iceberg lets a column grow to the type wanted without touching a file (spec, "Schema Evolution").

    Of our types that is decimal(P, S) to more digits before the point; text has no length to begin with.
    """
    return (
        isinstance(column, DecimalType)
        and isinstance(wanted, DecimalType)
        and column.scale == wanted.scale
        and column.precision < wanted.precision
    )


def evolution(resource: InformationResource, schema: Schema) -> Evolution:
    """What *schema* needs to hold the rows of *resource*. A column that the list dropped stays in the table.

    A field that is new to the table and has the name of a column that the list no longer has among its aliases is that
    column, renamed: it keeps its id, and with it every value.

    Raises:
        SchemaIncompatibleError: a field changed its type in a way that the values kept do not follow.
    """
    columns = {f.name: f.field_type for f in schema.fields}
    wanted = new_schema(resource).fields
    names = {f.name for f in wanted}
    renamed, widened, added = [], [], []
    for field in wanted:
        was = columns.get(field.name)
        if was is None:
            before = next((a for a in aliases(resource, field.name) if a in columns and a not in names), None)
            if before is None:
                added.append(field)
                continue
            renamed.append((before, field.name))
            was = columns.pop(before)
        if holds(was, field.field_type):
            continue
        if not widens(was, field.field_type):
            raise SchemaIncompatibleError(
                resource=resource.code, field=field.name, was=str(was), now=str(field.field_type)
            )
        widened.append((field.name, field.field_type))
    return Evolution(tuple(renamed), tuple(widened), tuple(added))


def aliases(resource: InformationResource, name: str) -> Sequence[str]:
    """The other headings of the field called *name*."""
    field = resource.field(name)
    return field.aliases if field else ()
