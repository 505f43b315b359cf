"""Says what differs between two versions of a list, attribute by attribute, in an auditor's words.

Whom a change hits is `catalog.impact`; the words and weights are `catalog.changes`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

from catalog.attributes import ATTRIBUTES, judge
from catalog.changes import (
    EVERY_DEPARTMENT,
    EVERY_MATTER,
    Change,
    Weight,
    Words,
    cut,
    is_everyone,
    joined,
    worded,
    words_of,
)
from catalog.model import EVERYONE
from catalog.pairing import left_over, paired, recoded, unique_pairs

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence

    from catalog.model import (
        CodeList,
        Department,
        Field,
        InformationResource,
        Need,
        Prohibition,
        QualityRule,
        Responsibility,
        ResponsibilityList,
    )

BREAKING: Final = Weight.BREAKING
NARROWING: Final = Weight.NARROWING
WIDENING: Final = Weight.WIDENING
NEUTRAL: Final = Weight.NEUTRAL


@dataclass(frozen=True, slots=True)
class ListDiff:
    """The changes from *old_version* to *new_version*, in the order of the list's tables.

    *old_version* is "" where there was no list before. Both versions the same: no change.
    """

    old_version: str
    new_version: str
    changes: tuple[Change, ...]

    def counts(self) -> dict[str, int]:
        """How many changes of each weight, the heaviest first."""
        found = Counter(change.weight for change in self.changes)
        return {weight.value: found[weight] for weight in Weight}

    def digest(self) -> str:
        """``sha256:`` + hex SHA-256 over the changes, by which a log entry names them."""
        plain = [self.old_version, self.new_version, [change.to_plain() for change in self.changes]]
        text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode()).hexdigest()

    def departments(self) -> tuple[str, ...]:
        """The departments that some change concerns, sorted; ``*`` where every one."""
        return tuple(sorted({code for change in self.changes for code in change.departments}))


def compare(old: ResponsibilityList | None, new: ResponsibilityList) -> ListDiff:
    """What *new* changes in *old*; without *old*, nothing: a first list takes nothing from anybody.

    Deterministic. Backwards there are as many changes, each the other way round.
    """
    if old is None:
        return ListDiff("", new.version, ())
    if old.version == new.version:
        return ListDiff(old.version, new.version, ())
    return ListDiff(old.version, new.version, tuple(_Comparison(old, new).changes()))


class _Comparison:
    """The two lists, and how their parts are called."""

    def __init__(self, old: ResponsibilityList, new: ResponsibilityList) -> None:
        self.old = old
        self.new = new

    def changes(self) -> Iterator[Change]:
        yield from self._attributes("list", self.old, self.new, Words("The list", "清单"))
        yield from self._departments()
        yield from self._matters()
        yield from self._resources()
        yield from self._code_lists()
        yield from self._lines()
        yield from self._needs()
        yield from self._prohibitions()

    # --- what is called how --------------------------------------------------------------------------------------

    def department(self, code: str) -> Words:
        if code == EVERYONE:
            return EVERY_DEPARTMENT
        found = self.old.departments_by_code.get(code) or self.new.departments_by_code.get(code)
        return Words(f"{found.name_en or found.name} ({code})", f"{found.name}（{code}）") if found else _bare(code)

    def resource(self, code: str) -> Words:
        found = self.old.by_code.get(code) or self.new.by_code.get(code)
        return Words(f"{found.name_en or found.name} ({code})", f"{found.name}（{code}）") if found else _bare(code)

    def matter(self, code: str) -> Words:
        if code == EVERYONE:
            return EVERY_MATTER
        found = self.old.matters_by_code.get(code) or self.new.matters_by_code.get(code)
        return Words(f"{found.name_en or found.name} ({code})", f"{found.name}（{code}）") if found else _bare(code)

    def field(self, code: str, name: str) -> Words:
        for list_ in (self.old, self.new):
            resource = list_.by_code.get(code)
            found = resource.field(name) if resource else None
            if found:
                return Words(f"field {name} ({found.title})", f"信息项“{found.title}”（{name}）")
        return Words(f"field {name}", f"信息项 {name}")

    def field_of(self, code: str, name: str) -> Words:
        field, resource = self.field(code, name), self.resource(code)
        return Words(f"{field.en} of {resource.en}", f"{resource.zh}的{field.zh}")

    def consumers(self, codes: Iterable[str]) -> Words:
        return joined([self.department(code) for code in dict.fromkeys(codes)])

    def purposes(self, codes: Iterable[str]) -> Words:
        return joined([self.matter(code) for code in dict.fromkeys(codes)])

    def concerned(self, code: str, *, names: Iterable[str] = ()) -> tuple[str, ...]:
        """The departments that a change of resource *code* concerns: who owes it and who uses it, then and now."""
        found = dict.fromkeys(names)
        for list_ in (self.old, self.new):
            if code in list_.by_code:
                found[list_.by_code[code].provider] = None
            for line in list_.responsibilities_for(code):
                found.update(dict.fromkeys((line.provider, *line.consumers)))
        return tuple(found)

    # --- attributes ----------------------------------------------------------------------------------------------

    def _attributes(
        self,
        kind: str,
        old: object,
        new: object,
        subject: Words,
        *,
        more: Mapping[str, Words] | None = None,
        inherited: Mapping[str, tuple[object, object]] | None = None,
        **about: Any,  # noqa: ANN401 - Change's own
    ) -> Iterator[Change]:
        """A change for each attribute of the table of *kind* in which *old* and *new* differ.

        *inherited* are the values, old and new, that hold for an attribute which is not set.
        """
        for name, attribute in ATTRIBUTES[kind].items():
            before, after = _nested(old, name), _nested(new, name)
            if before == after:
                continue
            above = (inherited or {}).get(name, (None, None))
            code, weight = judge(
                attribute, above[0] if before is None else before, above[1] if after is None else after
            )
            words = {"subject": subject, "attribute": attribute.words, **(more or {})}
            words["old"], words["new"] = self._value(name, before), self._value(name, after)
            yield Change(kind, code, weight, attribute=name, params=worded(**words), **about)

    def _value(self, name: str, value: Any) -> Words:  # noqa: ANN401 - any attribute of the model
        if name in ("provider", "department", "office", "parent") and value:
            return self.department(value)
        return words_of(value)

    def _order(self, kind: str, attribute: Words, old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterator[Change]:
        """A change where what stands in both lists stands in another order."""
        in_both = set(old) & set(new)
        before, after = ([item for item in items if item in in_both] for items in (old, new))
        if Counter(before) != Counter(after):
            # Something stands twice in one of them only, which is told already.
            before, after = list(dict.fromkeys(before)), list(dict.fromkeys(after))
        if before != after:
            yield self._reordered(kind, Words("The list", "清单"), attribute)

    @staticmethod
    def _reordered(kind: str, subject: Words, what: Words, **about: Any) -> Change:  # noqa: ANN401 - Change's own
        return Change(kind, "reordered", NEUTRAL, params=worded(subject=subject, attribute=what), **about)

    # --- departments and matters ---------------------------------------------------------------------------------

    def _departments(self) -> Iterator[Change]:
        old, new = self.old.departments_by_code, self.new.departments_by_code
        moved = recoded(self.old.departments, self.new.departments, lambda d: d.uscc, lambda d: d.name)
        for code, department in old.items():
            subject = self.department(code)
            about: dict[str, Any] = {"departments": (code,)}
            if code in new or code in moved:
                after = new[moved.get(code, code)]
                if after.code != code:
                    params = worded(subject=_name(department), old=code, new=after.code)
                    yield Change(
                        "department", "department_recoded", BREAKING, departments=(code, after.code), params=params
                    )
                yield from self._attributes("department", department, after, subject, **about)
            elif heir := self._heir(code):
                params = worded(subject=subject, new=self.department(heir))
                yield Change("department", "department_merged", BREAKING, departments=(code, heir), params=params)
            else:
                yield Change(
                    "department", "department_dropped", BREAKING, params=worded(subject=subject), departments=(code,)
                )
        for code in new:
            if code not in old and code not in moved.values():
                params = worded(subject=self.department(code))
                yield Change("department", "department_added", WIDENING, params=params, departments=(code,))
        yield from self._order("list", Words("departments", "部门"), list(old), list(new))

    def _heir(self, code: str) -> str:
        """The one department that owes now whatever *code* owed, "" where there is none or several."""
        heirs = {
            self.new.by_code[resource.code].provider
            for resource in self.old.resources
            if resource.provider == code and resource.code in self.new.by_code
        }
        return heirs.pop() if len(heirs) == 1 else ""

    def _matters(self) -> Iterator[Change]:
        old, new = self.old.matters_by_code, self.new.matters_by_code
        for code, matter in old.items():
            about: dict[str, Any] = {"matter": code, "departments": (matter.department,)}
            if code in new:
                yield from self._attributes("matter", matter, new[code], _of_matter(self.matter(code)), **about)
            else:
                subject = _of_matter(self.matter(code))
                yield Change("matter", "matter_dropped", BREAKING, params=worded(subject=subject), **about)
        for code, matter in new.items():
            if code not in old:
                subject = _of_matter(self.matter(code))
                about = {"matter": code, "departments": (matter.department,)}
                yield Change("matter", "matter_added", WIDENING, params=worded(subject=subject), **about)
        yield from self._order("list", Words("matters", "事项"), list(old), list(new))

    # --- resources -----------------------------------------------------------------------------------------------

    def _resources(self) -> Iterator[Change]:
        old, new = self.old.by_code, self.new.by_code
        moved = recoded(self.old.resources, self.new.resources, lambda r: (r.name, r.provider))
        for code, resource in old.items():
            about: dict[str, Any] = {"resource": code, "departments": self.concerned(code)}
            more = {"provider": self.department(resource.provider), "subject": self.resource(code)}
            if code in new:
                yield from self._resource(resource, new[code], about)
            elif code in moved:
                after = moved[code]
                about["departments"] = tuple(dict.fromkeys((*about["departments"], *self.concerned(after))))
                params = worded(**{**more, "subject": _name(resource)}, old=code, new=after)
                yield Change("resource", "resource_recoded", BREAKING, params=params, **about)
                yield from self._resource(resource, new[after], about)
            else:
                yield Change("resource", "resource_dropped", BREAKING, params=worded(**more), **about)
        for code, resource in new.items():
            if code not in old and code not in moved.values():
                more = {"provider": self.department(resource.provider), "subject": self.resource(code)}
                concerned = self.concerned(code)
                yield Change(
                    "resource", "resource_added", WIDENING, resource=code, departments=concerned, params=worded(**more)
                )
        yield from self._order("list", Words("resources", "信息资源"), list(old), list(new))

    def _resource(self, old: InformationResource, new: InformationResource, about: dict[str, Any]) -> Iterator[Change]:
        subject = self.resource(old.code)
        more = {"ground": words_of(new.share_ground)}
        yield from self._attributes("resource", old, new, subject, more=more, **about)
        yield from self._fields(old, new, about)
        yield from self._quality(old.quality, new.quality, subject, about)

    def _fields(self, old: InformationResource, new: InformationResource, about: dict[str, Any]) -> Iterator[Change]:
        before, after = {f.name: f for f in old.fields}, {f.name: f for f in new.fields}
        renamed = unique_pairs(
            [f for f in old.fields if f.name not in after],
            [f for f in new.fields if f.name not in before],
            lambda f: (f.title, f.type),
        )
        names = {a.name: b.name for a, b in renamed}
        provider = self.department(old.provider)

        def terms(field: Field) -> dict[str, Any]:
            ground = words_of(field.share_condition or new.share_ground)
            return {"more": {"ground": ground}, "inherited": {"cadence": (old.cadence, new.cadence)}}

        for name, field in before.items():
            subject = self.field_of(old.code, name)
            here = {**about, "field": name}
            if name in after:
                yield from self._attributes("field", field, after[name], subject, **terms(after[name]), **here)
            elif name in names:
                to = after[names[name]]
                params = worded(subject=subject, old=name, new=to.name)
                yield Change("field", "field_renamed", BREAKING, params=params, **here)
                yield from self._attributes("field", field, to, subject, **terms(to), **here)
            else:
                params = worded(provider=provider, subject=subject)
                yield Change("field", "field_dropped", BREAKING, params=params, **here)
        for name in after:
            if name not in before and name not in names.values():
                params = worded(provider=self.department(new.provider), subject=self.field_of(new.code, name))
                yield Change("field", "field_added", WIDENING, params=params, **{**about, "field": name})
        common = [name for name in before if name in after]
        if common != [name for name in after if name in before]:
            yield self._reordered("resource", self.resource(old.code), Words("fields", "信息项"), **about)

    def _quality(
        self, old: tuple[QualityRule, ...], new: tuple[QualityRule, ...], subject: Words, about: dict[str, Any]
    ) -> Iterator[Change]:
        gone, come = left_over(old, new)
        for a, b in unique_pairs(gone, come, lambda rule: (rule.kind, rule.field, rule.target)):
            gone.remove(a)
            come.remove(b)
            # The age of the newest value is bounded from above, everything else from below.
            tighter = (b.threshold < a.threshold) if a.kind == "timeliness" else (b.threshold > a.threshold)
            code, weight = ("quality_stricter", WIDENING) if tighter else ("quality_looser", NARROWING)
            words = {"rule": _rule(a), "old": words_of(a.threshold), "new": words_of(b.threshold)}
            here = {**about, "field": a.field}
            yield Change("quality", code, weight, params=worded(subject=subject, **words), **here)
        for rule in gone:
            params = worded(subject=subject, old=_rule(rule, rule.threshold))
            yield Change("quality", "quality_dropped", NARROWING, params=params, **{**about, "field": rule.field})
        for rule in come:
            params = worded(subject=subject, new=_rule(rule, rule.threshold))
            yield Change("quality", "quality_added", WIDENING, params=params, **{**about, "field": rule.field})
        if old != new and Counter(old) == Counter(new):
            yield self._reordered("resource", subject, Words("quality rules", "质量规则"), **about)

    def _code_lists(self) -> Iterator[Change]:
        old, new = ({c.code: c for c in list_.code_lists} for list_ in (self.old, self.new))
        for code, codes in old.items():
            if code in new:
                yield from self._codes(codes, new[code])
            else:
                params = worded(subject=_of_codes(codes))
                yield Change("code_list", "code_list_dropped", NARROWING, attribute=code, params=params)
        for code, codes in new.items():
            if code not in old:
                yield Change(
                    "code_list", "code_list_added", WIDENING, attribute=code, params=worded(subject=_of_codes(codes))
                )
        yield from self._order("list", Words("code lists", "代码表"), list(old), list(new))

    def _codes(self, old: CodeList, new: CodeList) -> Iterator[Change]:
        subject = _of_codes(old)
        yield from self._attributes("code_list", old, new, subject)
        gone, come = left_over(old.items, new.items)
        for value, title in gone:
            words = {"subject": subject, "old": _bare(f"{value} {title}")}
            yield Change("code_list", "code_dropped", NARROWING, attribute=old.code, params=worded(**words))
        for value, title in come:
            words = {"subject": subject, "new": _bare(f"{value} {title}")}
            yield Change("code_list", "code_added", WIDENING, attribute=old.code, params=worded(**words))
        if not gone and not come and old.items != new.items:
            yield self._reordered("code_list", subject, Words("values", "代码值"), attribute=old.code)

    # --- lines, needs, prohibitions: they have no code of their own, and are told apart by what they say ------------

    def _lines(self) -> Iterator[Change]:
        gone, come = left_over(self.old.responsibilities, self.new.responsibilities)
        for old, new in paired(gone, come, _alike_lines):
            yield from self._line(old, new)
        for line in gone:
            yield Change("line", "line_dropped", BREAKING, **self._of_line(line))
        for line in come:
            yield Change("line", "line_added", WIDENING, **self._of_line(line))
        yield from self._order("list", Words("lines", "责任"), self.old.responsibilities, self.new.responsibilities)

    def _of_line(self, line: Responsibility) -> dict[str, Any]:
        return {
            "resource": line.resource,
            "departments": tuple(dict.fromkeys((line.provider, *line.consumers))),
            "consumers": line.consumers,
            "purposes": line.purposes,
            "params": worded(
                provider=self.department(line.provider),
                resource=self.resource(line.resource),
                consumers=self.consumers(line.consumers),
                purposes=self.purposes(line.purposes),
                ground=words_of(line.ground),
            ),
        }

    def _line(self, old: Responsibility, new: Responsibility) -> Iterator[Change]:
        provider, resource = self.department(new.provider), self.resource(old.resource)
        subject = Words(
            f"The line by which {self.department(old.provider).en} owes {resource.en}",
            f"{self.department(old.provider).zh}提供{resource.zh}的责任",
        )
        everybody = tuple(dict.fromkeys((old.provider, new.provider, *old.consumers, *new.consumers)))
        about: dict[str, Any] = {"resource": old.resource, "departments": everybody}
        narrowed = {**about, "consumers": old.consumers, "purposes": old.purposes}
        yield from self._attributes("line", old, new, subject, **narrowed)
        words = {"provider": provider, "resource": resource}
        for code, sign in _members(old.consumers, new.consumers):
            weight = _weight_of(sign, EVERYONE in (new if sign == "dropped" else old).consumers)
            yield Change(
                "line",
                f"consumer_{sign}",
                weight,
                consumers=(code,),
                purposes=old.purposes,
                params=worded(**words, consumer=self.department(code)),
                resource=old.resource,
                departments=tuple(dict.fromkeys((new.provider, code))),
            )
        words["consumers"] = self.consumers(old.consumers)
        for code, sign in _members(old.purposes, new.purposes):
            weight = _weight_of(sign, EVERYONE in (new if sign == "dropped" else old).purposes)
            params = worded(**words, purpose=self.matter(code))
            here = {**about, "consumers": old.consumers, "purposes": (code,), "params": params}
            yield Change("line", f"purpose_{sign}", weight, matter="" if code == EVERYONE else code, **here)
        for attribute, word in (("consumers", Words("consumers", "使用方")), ("purposes", Words("purposes", "用途"))):
            before, after = getattr(old, attribute), getattr(new, attribute)
            if set(before) == set(after) and before != after:
                yield self._reordered("line", subject, word, attribute=attribute, **about)

    def _needs(self) -> Iterator[Change]:
        gone, come = left_over(self.old.needs, self.new.needs)
        for old, new in paired(gone, come, _alike_needs):
            yield from self._need(old, new)
        for sign, needs, weight in (("dropped", gone, NARROWING), ("added", come, WIDENING)):
            for need in needs:
                about = self._of_need(need)
                names = [self.field(need.resource, name) for name in need.fields]
                params = (*about.pop("params"), *worded(fields=joined(names)))
                yield Change("need", f"need_{sign}", weight, params=params, fields=need.fields, **about)
        yield from self._order("list", Words("needs", "事项用数"), self.old.needs, self.new.needs)

    def _of_need(self, need: Need) -> dict[str, Any]:
        matter = self.old.matters_by_code.get(need.matter) or self.new.matters_by_code.get(need.matter)
        return {
            "resource": need.resource,
            "matter": need.matter,
            "departments": (matter.department,) if matter else (),
            "params": worded(matter=self.matter(need.matter), resource=self.resource(need.resource)),
        }

    def _need(self, old: Need, new: Need) -> Iterator[Change]:
        about = self._of_need(old)
        params = about.pop("params")
        matter, resource = self.matter(old.matter), self.resource(old.resource)
        subject = Words(f"What {matter.en} needs of {resource.en}", f"{matter.zh}对{resource.zh}的用数需求")
        yield from self._attributes("need", old, new, subject, **about)
        for name, sign in _members(old.fields, new.fields):
            word = worded(field=self.field(old.resource, name))
            weight = NARROWING if sign == "dropped" else WIDENING
            yield Change("need", f"need_field_{sign}", weight, field=name, params=(*params, *word), **about)
        if set(old.fields) == set(new.fields) and old.fields != new.fields:
            yield self._reordered("need", subject, Words("fields", "信息项"), **about)

    def _prohibitions(self) -> Iterator[Change]:
        gone, come = left_over(self.old.prohibitions, self.new.prohibitions)
        for old, new in paired(gone, come, _same_but_for_its_ground):
            about = self._of_prohibition(old)
            about.pop("params")
            resource = self.resource(old.resource)
            subject = Words(f"The prohibition on {resource.en}", f"对{resource.zh}的禁止")
            yield from self._attributes("prohibition", old, new, subject, **about)
        for prohibition in gone:
            yield Change("prohibition", "prohibition_lifted", WIDENING, **self._of_prohibition(prohibition))
        for prohibition in come:
            yield Change("prohibition", "prohibition_added", BREAKING, **self._of_prohibition(prohibition))
        yield from self._order("list", Words("prohibitions", "禁止"), self.old.prohibitions, self.new.prohibitions)

    def _of_prohibition(self, prohibition: Prohibition) -> dict[str, Any]:
        names = [self.field(prohibition.resource, name) for name in prohibition.fields]
        return {
            "resource": prohibition.resource,
            "departments": self.concerned(prohibition.resource)
            if is_everyone(prohibition.consumers)
            else self.concerned(prohibition.resource, names=prohibition.consumers),
            "consumers": prohibition.consumers,
            "purposes": prohibition.purposes,
            "fields": prohibition.fields,
            "params": worded(
                resource=self.resource(prohibition.resource),
                fields=joined(names, Words("all fields", "全部信息项")),
                consumers=self.consumers(prohibition.consumers),
                purposes=self.purposes(prohibition.purposes),
                ground=words_of(prohibition.ground),
            ),
        }


# --- what makes two the same, though changed -------------------------------------------------------------------------


def _alike_lines(old: Responsibility, new: Responsibility) -> int:
    """How much two lines are the same line: by who owes it, to whom, for what, and when it entered the list."""
    shared = len(set(old.consumers) & set(new.consumers)), len(set(old.purposes) & set(new.purposes))
    if old.provider != new.provider and not all(shared):
        return 0
    entered = (old.year, old.batch) == (new.year, new.batch)
    return 1 + 100 * (old.provider == new.provider) + 10 * (old.ground == new.ground) + entered + 3 * sum(shared)


def _alike_needs(old: Need, new: Need) -> int:
    if old.matter != new.matter:
        return 0
    return 1 + 2 * len(set(old.fields) & set(new.fields)) + 5 * (old.actions == new.actions)


def _same_but_for_its_ground(old: Prohibition, new: Prohibition) -> int:
    return int(replace(old, ground=new.ground) == new)


def _members(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, str]]:
    """Each code that only one side has, once, with what became of it."""
    gone = [(code, "dropped") for code in dict.fromkeys(old) if code not in new]
    return gone + [(code, "added") for code in dict.fromkeys(new) if code not in old]


def _weight_of(sign: str, everyone: bool) -> Weight:  # noqa: FBT001 - whether the other side names everyone
    if everyone:
        return NEUTRAL
    return BREAKING if sign == "dropped" else WIDENING


def _nested(record: object, path: str) -> Any:  # noqa: ANN401 - any attribute of the model
    return reduce(getattr, path.split("."), record)


# --- how things without a place of their own are called ---------------------------------------------------------------


def _bare(text: str) -> Words:
    return Words(cut(text), cut(text))


def _name(record: Department | InformationResource) -> Words:
    return Words(record.name_en or record.name, record.name)


def _of_matter(matter: Words) -> Words:
    return Words(f"Matter {matter.en}", f"事项{matter.zh}")


def _of_codes(codes: CodeList) -> Words:
    return Words(f"Code list {codes.name} ({codes.code})", f"代码表“{codes.name}”（{codes.code}）")


def _rule(rule: QualityRule, threshold: float | None = None) -> Words:
    word = words_of(rule.kind)
    where = "/".join(part for part in (rule.field, rule.target) if part)
    en, zh = (f"{word.en} of {where}", f"{where} {word.zh}") if where else (word.en, word.zh)
    return Words(en, zh) if threshold is None else Words(f"{en}: {threshold}", f"{zh}：{threshold}")
