"""Rows of materials and of their uses as values of `licence.materials`, and back.

Which row may be written when is `hub.materials.desk`'s and `hub.materials.store`'s.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from hub.control import MaterialRow, MaterialUseRow, row_dict
from hub.materials.errors import MaterialUnknownError
from hub.materials.words import Standing
from licence.materials import ANY, Material, Origin, Provenance, ReuseRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection


def standing_key(unit: str, holder_hash: str, digest: str) -> str:
    """What there is one of while a material stands: this file of this holder at this department."""
    return hashlib.sha256(f"{unit}\0{holder_hash}\0{digest}".encode()).hexdigest()


def material_row(connection: Connection, identifier: str, *, held: bool = False) -> dict[str, Any]:
    """The row of a material; *held*: until the transaction ends.

    Raises:
        MaterialUnknownError: there is none.
    """
    query = sa.select(MaterialRow.__table__).where(MaterialRow.identifier == identifier)
    row = connection.execute(query.with_for_update() if held else query).first()
    if row is None:
        raise MaterialUnknownError(material=identifier[:64])
    return row_dict(row)


def update_row(connection: Connection, identifier: str, **values: Any) -> None:  # noqa: ANN401 - column values
    """Set columns of the row of a material."""
    connection.execute(sa.update(MaterialRow).where(MaterialRow.identifier == identifier).values(**values))


def material_of(row: Mapping[str, Any]) -> Material:
    """The material that *row* keeps."""
    return Material(
        identifier=row["identifier"],
        name=row["name"],
        digest=row["digest"],
        media_type=row["media_type"],
        size_bytes=row["size_bytes"],
        holder=row["holder_hash"],
        provenance=Provenance(Origin(row["origin"]), row["unit"], row["matter"], row["taken_at"], row["original_seen"]),
        reuse=ReuseRules(tuple(row["reuse_units"]), tuple(row["reuse_matters"]), row["needs_consent"]),
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        invalidated_at=row["voided_at"],
    )


def columns_of(material: Material) -> dict[str, Any]:
    """The columns that keep *material* itself."""
    p = material.provenance
    return {
        "identifier": material.identifier,
        "name": material.name,
        "digest": material.digest,
        "media_type": material.media_type,
        "size_bytes": material.size_bytes,
        "holder_hash": material.holder,
        "origin": p.origin.value,
        "unit": p.unit,
        "matter": p.matter,
        "taken_at": p.at,
        "original_seen": p.checked_against_original,
        "reuse_units": list(material.reuse.units),
        "reuse_matters": list(material.reuse.matters),
        "needs_consent": material.reuse.needs_consent,
        "valid_from": material.valid_from,
        "valid_until": material.valid_until,
        "standing": standing_key(p.unit, material.holder, material.digest),
    }


def uses_of(connection: Connection, identifier: str) -> list[dict[str, Any]]:
    """The uses of a material, oldest first."""
    query = sa.select(MaterialUseRow.__table__).where(MaterialUseRow.material == identifier).order_by(MaterialUseRow.id)
    return [row_dict(row) for row in connection.execute(query)]


def own_rows(department: str, standing: Standing | None, at: datetime) -> list[sa.ColumnElement[bool]]:
    """Conditions on the materials that *department* took in; on those that stand so at *at* (see `standing_of`)."""
    t = MaterialRow.__table__.c
    there = t.voided_at.is_(None) & t.erased_at.is_(None)
    late = t.valid_until.is_not(None) & (t.valid_until <= at)
    so = {
        Standing.STANDS: there & ~late,
        Standing.ENDED: there & late,
        Standing.VOID: t.voided_at.is_not(None),
        Standing.GONE: t.voided_at.is_(None) & t.erased_at.is_not(None),
    }
    return [t.unit == department, *([] if standing is None else [so[standing]])]


def sees(row: Mapping[str, Any], department: str) -> bool:
    """Whether *department* may know that there is this material: its own, or one that it may reuse."""
    return department == row["unit"] or department in row["reuse_units"] or ANY in row["reuse_units"]


def view(row: Mapping[str, Any], uses: Sequence[Mapping[str, Any]], department: str) -> dict[str, Any]:
    """What *department* is told: nothing of the holder, and of others' cases nothing unless it took the paper in."""
    own = department == row["unit"]
    return {
        "identifier": row["identifier"],
        "name": row["name"],
        "digest": row["digest"],
        "media_type": row["media_type"],
        "size_bytes": row["size_bytes"],
        "origin": row["origin"],
        "unit": row["unit"],
        "matter": row["matter"],
        "case": row["case_number"] if own else "",
        "taken_by": row["taken_by"] if own else "",
        "taken_at": _iso(row["taken_at"]),
        "original_seen": row["original_seen"],
        "units": list(row["reuse_units"]),
        "matters": list(row["reuse_matters"]),
        "needs_consent": row["needs_consent"],
        "valid_from": _iso(row["valid_from"]),
        "valid_until": _iso(row["valid_until"]),
        "voided_at": _iso(row["voided_at"]),
        "void_reason": row["void_reason"],
        "erased_at": _iso(row["erased_at"]),
        "entry": row["log_index"],
        "uses": [_use(one) for one in uses if own or one["unit"] == department],
    }


def _use(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "use": row["id"],
        "unit": row["unit"],
        "by": row["used_by"],
        "matter": row["matter"],
        "case": row["case_number"],
        "purpose": row["purpose"],
        "consent": row["consent"],
        "at": _iso(row["used_at"]),
        "entry": row["log_index"],
    }


def _iso(at: Any) -> str | None:  # noqa: ANN401 - a column's value
    return None if at is None else at.isoformat()
