"""Rules on how a resource is loaded: its disposition and deletion, what happens on drift, masks put on at landing.

As `catalog.validate`, of which it is a part, it stays silent about what rests on a value that could not be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog import domains
from catalog.model import Deletion, Disposition, FieldKind, Mask

if TYPE_CHECKING:
    from catalog.build import Record
    from catalog.raw import Faults

# HMAC-SHA256 as hex, by `catalog.masks`.
_HASH_CHARS: Final = 64
# Append keeps every record, and scd2 keeps a row that goes, with the time until which it held.
_NEVER_DELETED: Final = frozenset({Disposition.APPEND, Disposition.SCD2})
_STRUCTURAL: Final = ("source.cursor_field", "source.deleted_field", "region_field")


def check(record: Record, faults: Faults) -> None:
    """Note every breach of a rule in one resource."""
    disposition = record.get("disposition")
    if record.get("deletion") is Deletion.SOFT and disposition in _NEVER_DELETED:
        word = f"`{domains.DISPOSITION.word(disposition)}`"
        faults.add(record.at("deletion"), "deletion_needless", value=word)
    said = set()
    for index, (drift, _) in enumerate(record.get("drift") or ()):
        if drift in said:
            faults.add(record.item("drift", index), "drift_twice", value=domains.DRIFT.word(drift))
        said.add(drift)
    for item in record.fields:
        if item.get("landing") not in (None, Mask.NONE):
            _landing(item, record, faults)


def _landing(item: Record, record: Record, faults: Faults) -> None:
    """Whether a field can bear its mask: the warehouse has nothing but the masked value, in every row and rule."""
    mask, place = item.get("landing"), item.at("landing")
    word = domains.MASK.word(mask)
    name = item.get("name")
    for attribute in _STRUCTURAL:
        if name and record.get(attribute) == name:
            faults.add(place, "landing_structural", value=name, column=record.row.called(attribute))
    # A hash tells records apart as well as what it is of; every other mask does not.
    if item.get("key") and mask is not Mask.HASH:
        faults.add(place, "landing_key", value=word, allowed=f"`{Mask.HASH} {domains.MASK.word(Mask.HASH)}`")
    if mask is Mask.NULL:
        if item.get("nullable") is False:
            faults.add(place, "landing_empty")
        return
    type_ = item.get("type")
    if type_ is not None and type_.kind is not FieldKind.STRING:
        faults.add(place, "landing_type", value=str(type_))
    elif mask is Mask.HASH and type_ is not None and 0 < type_.length < _HASH_CHARS:
        faults.add(place, "landing_length", value=str(type_), allowed=str(_HASH_CHARS))
    for attribute in ("pattern", "check", "codes", "code_list"):
        if item.get(attribute):
            faults.add(place, "landing_ruled", column=item.row.called(attribute))
            break
    if item.get("lookup") and mask is not Mask.HASH:
        faults.add(place, "landing_looked_up", value=word)
