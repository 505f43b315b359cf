"""Rules on what a list promises: needs are met by lines, prohibitions contradict none, somebody owes what is used.

As `catalog.validate`, of which it is a part, it stays silent about what rests on a value that could not be read. What
an actual request may see is `catalog.decide`.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from catalog import expressions
from catalog.domains import DISPOSITION
from catalog.model import EVERYONE, Disposition, FieldKind, Mask, QualityKind, ShareType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from catalog.build import Record, Records
    from catalog.raw import Faults

_CITATION = re.compile("《.+》|第[0-9一二三四五六七八九十百]+条|法|条例|规定|办法|决定|国发|国办|国函|令第")
# Needs, lines and prohibitions of one resource are compared each with each; the reference city takes some 5,000.
MAX_COMPARED: Final = 1_000_000
# As many fields are named in a message.
MAX_NAMED: Final = 60
_SHARES: Final = frozenset(
    {
        QualityKind.COMPLETENESS,
        QualityKind.UNIQUENESS,
        QualityKind.VALIDITY,
        QualityKind.REFERENCE,
        QualityKind.CONSISTENCY,
        QualityKind.VOLUME_BAND,
    }
)
_OF_ROWS: Final = frozenset({QualityKind.VOLUME, QualityKind.VOLUME_BAND})
# Kinds that say in their target what must hold, and the fault where it is missing.
_TARGETED: Final = {
    QualityKind.REFERENCE: "quality_needs_target",
    QualityKind.CONSISTENCY: "quality_needs_rule",
}


def cites(ground: str) -> bool:
    """Whether *ground* names a law, a regulation or a document of the State Council, by any of their usual words."""
    return _CITATION.search(ground) is not None


def said_twice(record: Record, seen: dict[tuple[object, ...], Record], faults: Faults) -> None:
    """Note a row that says the same as one before."""
    same = seen.setdefault(tuple(sorted(record.values.items())), record)
    if same is not record:
        faults.add(record.row.place, "duplicate_line", first=same.row.place.where)


def check(records: Records, resources: Mapping[str, Record], faults: Faults) -> None:
    """Note every breach of a rule; *resources* are the records by code."""
    lines: dict[str, list[Record]] = {}
    for line in records.responsibilities:
        lines.setdefault(line.get("resource"), []).append(line)
    known = _Known(resources, lines, {m.get("code"): m for m in reversed(records.matters)}, faults)
    for record in records.resources:
        known.related(record)
        seen: dict[tuple[object, ...], Record] = {}
        for rule in record.quality:
            known.quality(rule, record)
            said_twice(rule, seen, faults)
    seen = {}
    for prohibition in records.prohibitions:
        known.prohibition(prohibition)
        said_twice(prohibition, seen, faults)
    prohibitions: dict[str, list[Record]] = {}
    for prohibition in records.prohibitions:
        prohibitions.setdefault(prohibition.get("resource"), []).append(prohibition)
    seen = {}
    for need in records.needs:
        known.need(need, prohibitions.get(need.get("resource"), ()))
        said_twice(need, seen, faults)


class _Known:
    """The rules, with the tables by which references are followed."""

    def __init__(
        self,
        resources: Mapping[str, Record],
        lines: Mapping[str, Sequence[Record]],
        matters: Mapping[str, Record],
        faults: Faults,
    ) -> None:
        self._resources = resources
        self._lines = lines
        self._matters = matters
        self._faults = faults
        self._names: dict[int, dict[str | None, None]] = {}
        self._left = MAX_COMPARED

    def _overlapping(self, records: Sequence[Record]) -> Iterator[Record]:
        """The records, as long as comparisons are left: lists that need more of them were made to need them."""
        for record in records:
            self._left -= 1
            if self._left < 0:
                return
            yield record

    def related(self, record: Record) -> None:
        """A related resource is one of the list, and somebody owes it unless it may not be shared."""
        for index, code in enumerate(record.get("related") or ()):
            place = record.item("related", index)
            if code not in self._resources:
                self._faults.add(place, "unknown_resource", value=code)
            elif not self._owed(code):
                self._faults.add(place, "nobody_owes", value=code)

    def _owed(self, code: str) -> bool:
        """Whether a line owes the resource; of one that may not be shared nobody expects it."""
        return code in self._lines or self._resources[code].get("share_type") is ShareType.NOT_SHARED

    def _fields(self, names: Sequence[str], record: Record, attribute: str, resource: Record) -> bool:
        """Whether *names* are fields of *resource*; those that are not are noted at the attribute of *record*."""
        known = self._names.get(id(resource))
        if known is None:
            known = self._names[id(resource)] = {item.get("name"): None for item in resource.fields}
        if None in known or not known:
            return False
        unknown = [(index, name) for index, name in enumerate(names) if name not in known]
        for index, name in unknown:
            self._faults.add(
                record.item(attribute, index),
                "not_a_field",
                column=record.row.called(attribute),
                value=name,
                allowed=", ".join(f"`{field}`" for field in islice(known, MAX_NAMED)),
            )
        return not unknown

    def quality(self, rule: Record, resource: Record) -> None:
        """A rule has the field, the bound and the target that its kind asks for."""
        kind, field, threshold = rule.get("kind"), rule.get("field"), rule.get("threshold")
        if kind is None:
            return
        if field and kind not in _OF_ROWS:
            known = self._fields((field,), rule, "field", resource)
            if known and kind is QualityKind.TIMELINESS:
                self._has_an_age(field, rule, resource)
        if field is not None and bool(field) == (kind in _OF_ROWS):
            self._faults.add(rule.at("field"), "quality_field_needless" if field else "quality_needs_field")
        if kind is QualityKind.VOLUME_BAND and resource.get("disposition") not in (None, Disposition.REPLACE):
            value = f"`{DISPOSITION.word(resource.get('disposition'))}`"
            self._faults.add(rule.at("kind"), "quality_not_whole", value=value)
        unbanded = kind is QualityKind.VOLUME_BAND and threshold == 0
        if threshold is not None and kind in _SHARES and (threshold > 1 or unbanded):
            self._faults.add(
                rule.at("threshold"),
                "bad_number",
                column=rule.row.called("threshold"),
                value=f"{threshold:g}",
                allowed="a share from 0 to 1 or a percentage",
                allowed_zh=" 0 至 1 的比例或百分数",
            )
        target = rule.get("target")
        if target is None:
            return
        if bool(target) != (kind in _TARGETED):
            self._faults.add(rule.at("target"), _TARGETED.get(kind, "quality_target_needless"))
        elif kind is QualityKind.REFERENCE:
            self._target(rule, target)
        elif kind is QualityKind.CONSISTENCY:
            self._expression(rule, target, resource)

    def _has_an_age(self, name: str, rule: Record, resource: Record) -> None:
        types = [item.get("type") for item in resource.fields if item.get("name") == name]
        if any(type_ is not None and type_.kind not in (FieldKind.DATE, FieldKind.DATETIME) for type_ in types):
            self._faults.add(rule.at("field"), "quality_no_time", value=name)

    def _expression(self, rule: Record, target: str, resource: Record) -> None:
        """A rule between fields is one, can be said of the resource, and speaks of the field it is laid at."""
        try:
            parsed = expressions.parse(target)
        except expressions.RuleSyntaxError as error:
            words = {"problem": str(error.params["why"]), "problem_zh": str(error.params["why_zh"])}
            self._faults.add(rule.at("target"), "bad_rule", value=target, **words)
            return
        known = {
            item.get("name"): expressions.Known(
                item.get("type"), item.get("codes") or (), item.get("landing") or Mask.NONE
            )
            for item in resource.fields
        }
        if None in known or not known:
            return
        for code, words in expressions.faults(parsed, known):
            self._faults.add(rule.at("target"), code, **words)
        field = rule.get("field")
        if field and field in known and field not in parsed.fields:
            allowed = ", ".join(f"`{name}`" for name in parsed.fields)
            self._faults.add(rule.at("field"), "quality_field_unsaid", value=field, allowed=allowed)

    def _target(self, rule: Record, target: str) -> None:
        code, _, name = target.rpartition(".")
        if code not in self._resources:
            self._faults.add(rule.at("target"), "unknown_resource", value=code or target)
            return
        self._fields((name,), rule, "target", self._resources[code])
        if not self._owed(code):
            self._faults.add(rule.at("target"), "nobody_owes", value=code)

    def prohibition(self, record: Record) -> None:
        """A prohibition is of something in the list, has a ground, and forbids nothing that a line promises."""
        ground = record.get("ground")
        if ground and not cites(ground):
            self._faults.add(record.at("ground"), "ground_cites_nothing", value=ground)
        for index, purpose in enumerate(record.get("purposes") or ()):
            if purpose != EVERYONE and purpose not in self._matters:
                self._faults.add(record.item("purposes", index), "unknown_matter", value=purpose)
        code = record.get("resource")
        if code is None:
            return
        resource = self._resources.get(code)
        if resource is None:
            self._faults.add(record.at("resource"), "unknown_resource", value=code)
            return
        self._fields(record.get("fields") or (), record, "fields", resource)
        for line in self._overlapping(self._lines.get(code, ())):
            if _forbids(record, line):
                self._faults.add(record.row.place, "promise_prohibited", value=code, first=line.row.place.where)
                break

    def need(self, record: Record, prohibitions: Sequence[Record]) -> None:
        """What a matter needs exists, is shared, and is owed to the matter's department for it."""
        matter, code = record.get("matter"), record.get("resource")
        if matter is not None and matter not in self._matters:
            self._faults.add(record.at("matter"), "unknown_matter", value=matter)
        if code is None:
            return
        resource = self._resources.get(code)
        if resource is None:
            self._faults.add(record.at("resource"), "unknown_resource", value=code)
            return
        names = record.get("fields") or ()
        if not self._fields(names, record, "fields", resource):
            return
        if resource.get("share_type") is ShareType.NOT_SHARED:
            self._faults.add(record.at("resource"), "need_not_shared", value=code)
            return
        closed = {f.get("name") for f in resource.fields if f.get("share_type") is ShareType.NOT_SHARED}
        for index, name in enumerate(names):
            if name in closed:
                self._faults.add(record.item("fields", index), "need_not_shared", value=f"{code}.{name}")
        if matter in self._matters:
            self._promised(record, matter, resource, prohibitions)

    def _promised(self, record: Record, matter: str, resource: Record, prohibitions: Sequence[Record]) -> None:
        department = self._matters[matter].get("department")
        if department is None:
            return
        for prohibition in self._overlapping(prohibitions):
            hit = not prohibition.get("fields") or set(prohibition.get("fields")) & set(record.get("fields"))
            if hit and _meets(prohibition, "consumers", department) and _meets(prohibition, "purposes", matter):
                self._faults.add(record.row.place, "need_prohibited", value=matter, first=prohibition.row.place.where)
                break
        # A department needs no line to use what it keeps itself.
        lines = self._overlapping(self._lines.get(resource.get("code"), ()))
        if department == resource.get("provider"):
            return
        owed = any(_meets(line, "consumers", department) and _meets(line, "purposes", matter) for line in lines)
        if not owed and self._left >= 0:
            self._faults.add(record.at("resource"), "need_without_line", value=resource.get("code"), other=department)


def _meets(record: Record, attribute: str, code: str) -> bool:
    """Whether the attribute names *code* or everyone; what could not be read is taken to."""
    found = record.get(attribute)
    return found is None or code in found or EVERYONE in found


def _forbids(prohibition: Record, line: Record) -> bool:
    """Whether the prohibition takes from what the line promises.

    Some fields kept from everyone for everything are a rule of their own, which lines go by and do not contradict.
    """
    overlaps = True
    particular = not prohibition.get("fields")
    for attribute in ("consumers", "purposes"):
        forbidden, promised = prohibition.get(attribute) or (), line.get(attribute) or ()
        particular = particular or EVERYONE not in forbidden
        wide = EVERYONE in forbidden or EVERYONE in promised
        overlaps = overlaps and bool(forbidden and promised) and (wide or bool(set(forbidden) & set(promised)))
    return overlaps and particular
