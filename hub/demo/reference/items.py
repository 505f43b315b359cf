"""Reads the blocks of information items and makes fields of them, on the terms of the resource they stand in.

Which blocks a resource has is `compose`'s to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from catalog.model import Cadence, Check, Field, FieldKind, FieldType, Mask, ShareType
from hub.demo.reference.blocks import ACTIVITIES, DERIVED, ENTITIES, TAIL
from hub.demo.reference.codes import CODE_LISTS
from hub.demo.reference.topics import TOPICS

STRICT: Final = "须与办理事项直接相关，按最小必要原则提供"
_WITHHELD: Final = "《中华人民共和国网络安全法》第四十一条"
_CODES: Final = {c.code: tuple(value for value, _ in c.items) for c in CODE_LISTS}
_KINDS: Final = {
    "i": FieldType(FieldKind.INTEGER),
    "b": FieldType(FieldKind.BOOLEAN),
    "date": FieldType(FieldKind.DATE),
    "time": FieldType(FieldKind.DATETIME),
}
_PERSONAL_GRADE: Final = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a block. *core* items are in every resource that has the block."""

    name: str
    title: str
    type: FieldType
    grade: int
    core: bool
    key: bool
    required: bool
    lookup: bool
    withheld: bool
    check: Check | None
    mask: Mask
    code_list: str
    pattern: str
    aliases: tuple[str, ...]


def _item(line: str) -> Item:
    name, title, kind, grade, *marks = line.split(" ")
    valued = {mark[:2]: mark.partition(":")[2] for mark in marks if ":" in mark}
    return Item(
        name=name,
        title=title,
        type=_type(kind),
        grade=int(grade),
        core="!" in marks,
        key="key" in marks,
        required="nn" in marks,
        lookup="lk" in marks,
        withheld="ns" in marks,
        check=Check.CITIZEN_ID if "id" in marks else Check.USCC if "uscc" in marks else None,
        mask=Mask(valued["m:"]) if "m:" in valued else Mask.NONE,
        code_list=valued.get("cl", ""),
        pattern=valued.get("re", ""),
        aliases=tuple(valued["a:"].split(",")) if "a:" in valued else (),
    )


def _type(text: str) -> FieldType:
    if text in _KINDS:
        return _KINDS[text]
    if text[0] == "s":
        return FieldType(FieldKind.STRING, int(text[1:]))
    precision, _, scale = text[1:].partition(".")
    return FieldType(FieldKind.DECIMAL, int(precision), int(scale))


@cache
def block(group: str, name: str) -> tuple[Item, ...]:
    """The items of a block; *group* is ``entity``, ``activity``, ``derived``, ``topic`` or ``tail``."""
    blocks = {"entity": ENTITIES, "activity": ACTIVITIES, "derived": DERIVED, "topic": TOPICS, "tail": {"": TAIL}}
    return tuple(_item(line) for line in blocks[group][name].splitlines() if line)


@cache
def make_field(item: Item, noun: str, share: ShareType, cadence: Cadence, *, key: bool) -> Field:
    """The field that *item* is in a resource about *noun*, shared as *share* and updated at *cadence*.

    Cached: a list has fifty thousand fields and far fewer different ones.
    """
    own, condition = _terms(item, share)
    # What tells whether a record still holds is kept fresher than the rest.
    fresher = item.name.endswith("_status") and cadence in (Cadence.WEEKLY, Cadence.MONTHLY, Cadence.QUARTERLY)
    return Field(
        name=item.name,
        title=item.title.replace("{}", noun),
        type=item.type,
        key=key,
        nullable=not (item.required or key),
        lookup=item.lookup,
        grade=item.grade,
        mask=item.mask,
        share_type=own,
        share_condition=condition,
        cadence=Cadence.DAILY if fresher else None,
        codes=_CODES[item.code_list] if item.code_list else (),
        pattern=item.pattern,
        check=item.check,
        aliases=item.aliases,
        code_list=item.code_list,
    )


def _terms(item: Item, share: ShareType) -> tuple[ShareType, str]:
    """Share type and condition of the field alone."""
    if share is ShareType.NOT_SHARED:
        return share, ""
    if item.withheld:
        return ShareType.NOT_SHARED, _WITHHELD
    if item.grade >= _PERSONAL_GRADE:
        return ShareType.CONDITIONAL, STRICT
    if share is ShareType.UNCONDITIONAL or (item.grade == 1 and item.code_list):
        return ShareType.UNCONDITIONAL, ""
    return ShareType.CONDITIONAL, ""
