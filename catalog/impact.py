"""Says what a change of the list would take from whom: which grants, pipelines, licence kinds, needs, applications.

Pure: who depends on what is gathered by `hub.dependents`, what changed is found by `catalog.diff`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from catalog import masks
from catalog.changes import Weight
from catalog.model import EVERYONE, Mask, ShareType

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from catalog.changes import Change
    from catalog.diff import ListDiff
    from catalog.model import InformationResource, ResponsibilityList

GRANT: Final = "grant"
PIPELINE: Final = "pipeline"
LICENCE_KIND: Final = "licence_kind"
NEED: Final = "need"
APPLICATION: Final = "application"

# kind: (one, several, Chinese with its counting word).
KINDS: Final[dict[str, tuple[str, str, str]]] = {
    GRANT: ("grant", "grants", "项授权"),
    PIPELINE: ("pipeline", "pipelines", "个归集任务"),
    LICENCE_KIND: ("licence kind", "licence kinds", "类证照"),
    NEED: ("need of a matter", "needs of matters", "项事项用数"),
    APPLICATION: ("open application", "open applications", "件在办申请"),
}


class Effect(StrEnum):
    """What becomes of a dependent, the worst first.

    ``lost``: nothing of it works any more; ``must_be_redrawn``: it would work under another code or form, when drawn
    up anew; ``narrowed``: it works with less.
    """

    LOST = "lost"
    MUST_BE_REDRAWN = "must_be_redrawn"
    NARROWED = "narrowed"


# effect: (English of one, of several, Chinese).
EFFECTS: Final[dict[Effect, tuple[str, str, str]]] = {
    Effect.LOST: ("loses it", "lose it", "失效"),
    Effect.MUST_BE_REDRAWN: ("must be redrawn", "must be redrawn", "须重新办理"),
    Effect.NARROWED: ("is narrowed", "are narrowed", "范围缩小"),
}
_WORST: Final = {effect: rank for rank, effect in enumerate(Effect)}
_REDRAWN: Final = frozenset({"resource_recoded", "department_recoded", "field_renamed"})
_GONE: Final = frozenset({"resource_dropped", "resource_recoded"})
_FIELD_GONE: Final = frozenset({"field_dropped", "field_renamed"})
_LINE_GONE: Final = frozenset({"line_dropped", "consumer_dropped", "purpose_dropped", "provider_changed"})
_DEPARTMENT_GONE: Final = frozenset({"department_dropped", "department_merged", "department_recoded"})
# What a pipeline cannot take over from before: its table, its key and its place in the source would not fit.
_NEW_TABLE: Final = frozenset({"type_changed"})
_NEW_PIPELINE: Final = frozenset({"key", "disposition", "source.cursor_field", "source.deleted_field"})


@dataclass(frozen=True, slots=True)
class Dependent:
    """Somebody's use of a resource: its *fields*, for *purposes* (matters or ``*``), by the department *consumer*.

    *vital* are fields without which it does nothing at all, *lookup* those by which it finds records (empty: any that
    can be looked up by will do), *masks* those it bears already beyond the list's. A pipeline has neither consumer nor
    purposes.
    """

    kind: str
    id: str
    consumer: str
    resource: str
    fields: tuple[str, ...]
    purposes: tuple[str, ...]
    label: str = ""
    vital: tuple[str, ...] = ()
    lookup: tuple[str, ...] = ()
    masks: tuple[tuple[str, Mask], ...] = ()


@dataclass(frozen=True, slots=True)
class Break:
    """What *change* takes from *dependent*: of its *fields*, for its *purposes* (empty: for all of them)."""

    dependent: Dependent
    change: Change
    effect: Effect
    fields: tuple[str, ...]
    purposes: tuple[str, ...] = ()

    def text(self, lang: str) -> str:
        """Who loses what and why, in Chinese for ``zh`` and in English for anything else."""
        return f"{self.told(lang)}{'：' if lang == 'zh' else ': '}{self.change.text(lang)}"

    def told(self, lang: str) -> str:
        """Who loses what, without the change that is the reason."""
        one, _, zh = KINDS[self.dependent.kind]
        named = f"`{self.dependent.id}`" + (f" ({self.dependent.label})" if self.dependent.label else "")
        fields = ", ".join(self.fields)
        purposes = ", ".join(self.purposes)
        if lang == "zh":
            named = named.replace(" (", "（").replace(")", "）")
            what = (f"，涉及信息项 {fields}" if fields else "") + (f"，涉及用途 {purposes}" if purposes else "")
            return f"{zh[1:]} {named}{EFFECTS[self.effect][2]}{what}"
        what = (f", of {fields}" if fields else "") + (f", for {purposes}" if purposes else "")
        return f"{one} {named} {EFFECTS[self.effect][0]}{what}"

    def to_plain(self) -> dict[str, Any]:
        """A JSON-able dict."""
        dependent = self.dependent
        return {
            "kind": dependent.kind,
            "id": dependent.id,
            "consumer": dependent.consumer,
            "resource": dependent.resource,
            "label": dependent.label,
            "effect": self.effect.value,
            "fields": list(self.fields),
            "purposes": list(self.purposes),
            "change": self.change.to_plain(),
        }


def impact(
    diff: ListDiff,
    new: ResponsibilityList,
    dependents: Iterable[Dependent],
    *,
    old: ResponsibilityList | None = None,
) -> tuple[Break, ...]:
    """What *diff*, which ends in *new*, takes from *dependents*, in their order, for each in the order of the changes.

    With *old*, the list before, nothing is named that had been taken earlier; without it every dependent is taken to
    have been able to do all that it names.
    """
    by_resource: dict[str, list[Change]] = {}
    elsewhere: list[Change] = []
    for change in diff.changes:
        (by_resource.setdefault(change.resource, []) if change.resource else elsewhere).append(change)
    found: list[Break] = []
    for dependent in dependents:
        about = by_resource.get(dependent.resource, [])
        touching = [change for change in elsewhere if _touches(change, dependent)]
        if not about and not touching:
            continue
        # Departments and matters come before resources in a comparison.
        changes = [*touching, *about]
        if dependent.kind == PIPELINE:
            found += _of_pipeline(dependent, changes)
        else:
            found += _of_reader(dependent, changes, old, new)
    return tuple(found)


def uses(dependent: Dependent, list_: ResponsibilityList) -> set[tuple[str, str]]:
    """The (purpose, field) pairs that *list_* lets a reader use; grants in force are not asked."""
    reads = tuple(dict.fromkeys((*dependent.fields, *dependent.vital)))
    return _able(dependent, reads, _purposes(dependent, None, list_), list_)


def summary(breaks: Iterable[Break], lang: str) -> str:
    """How many lose it, must be redrawn, are narrowed, each counted once by the worst; "" for no break."""
    worst: dict[tuple[str, str], Effect] = {}
    for item in breaks:
        who = item.dependent.kind, item.dependent.id
        worst[who] = min(worst.get(who, item.effect), item.effect, key=_WORST.__getitem__)
    parts = []
    for effect in Effect:
        for kind, (one, several, zh) in KINDS.items():
            count = sum(1 for who, what in worst.items() if who[0] == kind and what is effect)
            if not count:
                continue
            single, plural, chinese = EFFECTS[effect]
            if lang == "zh":
                parts.append(f"{count} {zh}{chinese}")
            else:
                parts.append(f"{count} {one if count == 1 else several} {single if count == 1 else plural}")
    return ("；" if lang == "zh" else "; ").join(parts)


def _touches(change: Change, dependent: Dependent) -> bool:
    """Whether a change that is about no resource is about the dependent's department or matters."""
    if change.kind == "department":
        return dependent.consumer in change.departments[:1]
    if change.kind == "matter":
        return EVERYONE in dependent.purposes or change.matter in dependent.purposes
    return False


# --- who reads: grants, applications, needs, licence kinds ----------------------------------------------------------


def _of_reader(
    dependent: Dependent, changes: Sequence[Change], old: ResponsibilityList | None, new: ResponsibilityList
) -> list[Break]:
    purposes = _purposes(dependent, old, new)
    reads = tuple(dict.fromkeys((*dependent.fields, *dependent.vital)))
    before = {(p, f) for p in purposes for f in reads} if old is None else _able(dependent, reads, purposes, old)
    after = _able(dependent, reads, purposes, new)
    lost = before - after
    took = [(change, {use for use in lost if _explains(change, dependent, use, new)}) for change in changes]
    # What only changed its code or name is there for the asking: nobody lost it for good.
    renamed = bool(lost) and any(change.code in _REDRAWN and taken == lost for change, taken in took)
    found = []
    for change, taken in took:
        if taken:
            effect = Effect.NARROWED if after else Effect.LOST
            if renamed or change.code in _REDRAWN:
                effect = Effect.MUST_BE_REDRAWN
            fields = tuple(name for name in reads if any(f == name for _, f in taken))
            touched = tuple(p for p in purposes if any(q == p for q, _ in taken))
            found.append(Break(dependent, change, effect, fields, () if touched == purposes else touched))
        elif after and (less := _gives_less(change, dependent, reads, new)):
            found.append(Break(dependent, change, less, (change.field,) if change.field else ()))
    return found


def _purposes(dependent: Dependent, old: ResponsibilityList | None, new: ResponsibilityList) -> tuple[str, ...]:
    """The matters it is used for: those it names, or every matter there is or was."""
    if EVERYONE not in dependent.purposes:
        return tuple(dict.fromkeys(dependent.purposes))
    return tuple(dict.fromkeys([*(old.matters_by_code if old else ()), *new.matters_by_code]))


def _able(
    dependent: Dependent, reads: Sequence[str], purposes: Sequence[str], list_: ResponsibilityList
) -> set[tuple[str, str]]:
    """Which fields *list_* lets it read for which purpose; what a grant says further is not asked here."""
    resource = list_.by_code.get(dependent.resource)
    if resource is None or resource.share_type is ShareType.NOT_SHARED or not _can_look_up(dependent, resource):
        return set()
    shared = {f.name for f in resource.fields if f.share_type is not ShareType.NOT_SHARED}
    found = set()
    for purpose in purposes:
        if _covered(dependent, purpose, list_):
            fields = {f for f in reads if f in shared and not _prohibited(dependent, purpose, f, list_)}
            if fields.issuperset(dependent.vital):
                found |= {(purpose, f) for f in fields}
    return found


def _can_look_up(dependent: Dependent, resource: InformationResource) -> bool:
    lookups = {f.name for f in resource.lookup_fields}
    return lookups.issuperset(dependent.lookup) if dependent.lookup else bool(lookups)


def _covered(dependent: Dependent, purpose: str, list_: ResponsibilityList) -> bool:
    """Whether a line speaks for the consumer and *purpose*, as `catalog.decide` has it."""
    matter = list_.matters_by_code.get(purpose)
    if matter is None or dependent.consumer not in list_.departments_by_code:
        return False
    for line in list_.responsibilities_for(dependent.resource):
        named = EVERYONE in line.consumers or dependent.consumer in line.consumers
        if named and (EVERYONE in line.purposes or purpose in line.purposes):
            return True
        if dependent.consumer == line.provider == matter.department:
            return True
    return False


def _prohibited(dependent: Dependent, purpose: str, field: str, list_: ResponsibilityList) -> bool:
    return any(
        _forbids(p.consumers, p.purposes, dependent, purpose) and (not p.fields or field in p.fields)
        for p in list_.prohibitions_by_resource.get(dependent.resource, ())
    )


def _forbids(consumers: Sequence[str], purposes: Sequence[str], dependent: Dependent, purpose: str) -> bool:
    named = EVERYONE in consumers or dependent.consumer in consumers
    return named and (EVERYONE in purposes or purpose in purposes)


def _explains(  # noqa: PLR0911 - one for each kind of change
    change: Change, dependent: Dependent, use: tuple[str, str], new: ResponsibilityList
) -> bool:
    """Whether *change* is a reason why *use*, a purpose and a field, is lost."""
    purpose, field = use
    if change.kind == "resource":
        return change.code in _GONE or change.attribute == "share_type"
    if change.kind == "field":
        if change.code == "lookup_dropped":
            resource = new.by_code.get(dependent.resource)
            return resource is not None and not _can_look_up(dependent, resource)
        gone = change.code in _FIELD_GONE or change.attribute == "share_type"
        return gone and (change.field == field or change.field in dependent.vital)
    if change.code == "prohibition_added":
        forbidden = not change.fields or field in change.fields or bool(set(change.fields) & set(dependent.vital))
        return forbidden and _forbids(change.consumers, change.purposes, dependent, purpose)
    if change.code == "matter_dropped":
        return change.matter == purpose
    if change.code in _DEPARTMENT_GONE:
        return True
    if _covered(dependent, purpose, new):
        return False
    if change.kind == "matter":
        return change.matter == purpose and change.attribute == "department"
    own = dependent.consumer in change.departments or EVERYONE in change.departments
    return change.code in _LINE_GONE and change.kind == "line" and own


def _gives_less(  # noqa: PLR0911 - one for each kind of change
    change: Change, dependent: Dependent, reads: Sequence[str], new: ResponsibilityList
) -> Effect | None:
    """The effect of a change that leaves the use and takes something from it: a mask, a type, a way to look up."""
    if change.attribute == "region_field":
        return Effect.MUST_BE_REDRAWN if dict(change.params)["old"] in dependent.vital else None
    if change.kind != "field":
        return None
    if change.code == "lookup_dropped":
        return Effect.NARROWED if dependent.kind in (GRANT, APPLICATION) and not dependent.lookup else None
    if change.field not in reads:
        return None
    if change.attribute == "type":
        return {"type_changed": Effect.MUST_BE_REDRAWN, "type_narrowed": Effect.NARROWED}.get(change.code)
    if change.attribute not in ("mask", "landing") or change.weight is not Weight.NARROWING:
        return None
    resource = new.by_code[dependent.resource]
    field = resource.field(change.field)
    if change.attribute == "landing":
        # What is masked as it is read, nobody has in the clear any more.
        return Effect.LOST if dependent.kind == LICENCE_KIND else Effect.NARROWED
    own = dict(dependent.masks).get(change.field, Mask.NONE)
    if field is None or masks.stricter(own, field.mask) is own:
        return None
    # A licence states facts: from a masked one none can be made.
    return Effect.LOST if dependent.kind == LICENCE_KIND else Effect.NARROWED


# --- what loads: pipelines -------------------------------------------------------------------------------------------


def _of_pipeline(dependent: Dependent, changes: Sequence[Change]) -> list[Break]:
    found = []
    for change in changes:
        effect: Effect | None = None
        if change.code == "resource_dropped":
            effect = Effect.LOST
        elif change.code == "resource_recoded" or change.code in _NEW_TABLE or change.attribute in _NEW_PIPELINE:
            effect = Effect.MUST_BE_REDRAWN
        elif change.code in _FIELD_GONE and change.field in dependent.fields:
            effect = Effect.MUST_BE_REDRAWN if change.field in dependent.vital else Effect.NARROWED
        elif change.code == "type_narrowed":
            effect = Effect.NARROWED
        if effect is not None:
            found.append(Break(dependent, change, effect, (change.field,) if change.field else ()))
    return found
