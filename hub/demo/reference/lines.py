"""The lines and prohibitions of the reference city: who owes what to whom, for which matters, on what law.

Lines grow out of the needs of matters, so that no matter needs what nobody owes it; further consumers are drawn from
departments that work on the same theme.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from catalog.model import (
    EVERYONE,
    Domain,
    Prohibition,
    ResourceFormat,
    Responsibility,
    ShareMethod,
    ShareType,
)
from hub.demo.reference.compose import draw, pick
from hub.demo.reference.departments import offices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from catalog.model import InformationResource, Matter, Need
    from hub.demo.reference.compose import Plan
    from hub.demo.reference.departments import Office

# 1,400 lines for 1,227 resources, as the reference city's batch has.
LINES_PER_RESOURCE: Final = 1400 / 1227
PROHIBITIONS: Final = 20
# A resource needed by more departments than these is owed to all of them.
_MANY: Final = 12
# Bodies outside the administration, from which records of persons may be kept.
_OUTSIDE: Final = ("YZJ", "GDG", "ZGH")
_DEADLINES: Final = (date(2020, 6, 30), date(2020, 9, 30), date(2020, 12, 31))
_GENERAL: Final = "《国务院关于印发政务信息资源共享管理暂行办法的通知》（国发〔2016〕51号）"
_SECOND: Final = "《国务院办公厅关于建立健全政务数据共享协调机制加快推进数据有序共享的意见》"
_METHODS: Final = {
    ResourceFormat.SERVICE: (ShareMethod.SERVICE,),
    ResourceFormat.DATABASE: (ShareMethod.SERVICE, ShareMethod.DATABASE, ShareMethod.FILE),
    ResourceFormat.SPREADSHEET: (ShareMethod.FILE, ShareMethod.DATABASE, ShareMethod.SERVICE),
}


def lines(
    seed: int,
    resources: Sequence[InformationResource],
    plans: Mapping[str, Plan],
    matters: Sequence[Matter],
    needs: Sequence[Need],
) -> tuple[Responsibility, ...]:
    """A line for every shared resource, and a second one for as many as make the usual number of lines.

    *plans* are those of the resources, by code.
    """
    makers = _Lines(seed, resources, plans, matters, needs)
    shared = [resource for resource in resources if resource.share_type is not ShareType.NOT_SHARED]
    made = {resource.code: [makers.first(resource)] for resource in shared}
    wanted = round(len(resources) * LINES_PER_RESOURCE) - len(shared)
    ranked = sorted(
        (r for r in shared if EVERYONE not in made[r.code][0].consumers),
        key=lambda r: draw(seed, f"second:{r.code}").random(),
    )
    for resource in ranked[: max(0, wanted)]:
        made[resource.code].append(makers.second(resource, made[resource.code][0]))
    return tuple(line for found in made.values() for line in found)


class _Lines:
    """Makes lines; holds what they are looked up in."""

    def __init__(
        self,
        seed: int,
        resources: Sequence[InformationResource],
        plans: Mapping[str, Plan],
        matters: Sequence[Matter],
        needs: Sequence[Need],
    ) -> None:
        self._seed = seed
        self._plans = plans
        self._offices = {office.code: office for office in offices()}
        self._matters = {matter.code: matter for matter in matters}
        self._own: dict[str, list[str]] = {}
        for matter in matters:
            self._own.setdefault(matter.department, []).append(matter.code)
        self._needed: dict[str, list[str]] = {}
        for need in needs:
            self._needed.setdefault(need.resource, []).append(need.matter)
        self._by_theme: dict[object, list[str]] = {}
        for resource in resources:
            users = self._by_theme.setdefault(resource.theme, [])
            if resource.provider not in users:
                users.append(resource.provider)

    def first(self, resource: InformationResource) -> Responsibility:
        """The line that serves every need there is."""
        rng = draw(self._seed, f"line:{resource.code}")
        office = self._offices[resource.provider]
        needed = list(dict.fromkeys(self._needed.get(resource.code, ())))
        consumers = list(
            dict.fromkeys(self._matters[m].department for m in needed if self._department(m) != office.code)
        )
        if resource.share_type is ShareType.UNCONDITIONAL or len(consumers) > _MANY:
            consumers, purposes = [EVERYONE], [EVERYONE]
        else:
            consumers = self._with_others(rng, resource, consumers, 1 + int(rng.random() * 4))
            purposes = self._purposes(rng, consumers, [m for m in needed if self._department(m) != office.code])
        return self._line(rng, resource, consumers, purposes, f"{_GENERAL}；{pick(rng, office.laws)}")

    def second(self, resource: InformationResource, first: Responsibility) -> Responsibility:
        """A further line: to others, on another ground."""
        rng = draw(self._seed, f"line2:{resource.code}")
        others = self._with_others(rng, resource, [], 2, without=first.consumers)
        return self._line(rng, resource, others, self._purposes(rng, others, []), _SECOND)

    def _department(self, matter: str) -> str:
        return self._matters[matter].department

    def _with_others(
        self,
        rng: Random,
        resource: InformationResource,
        consumers: list[str],
        count: int,
        without: Sequence[str] = (),
    ) -> list[str]:
        """*consumers* and up to *count* departments more, half of them of the same theme, in the city's order."""
        same, all_ = self._by_theme[resource.theme], list(self._own)
        found = set(consumers)
        for _ in range(count):
            code = pick(rng, same if rng.random() < 0.5 else all_)
            if code != resource.provider and code not in without:
                found.add(code)
        while not found:
            code = pick(rng, all_)
            if code != resource.provider and code not in without:
                found.add(code)
        return sorted(found, key=lambda code: self._offices[code].number)

    def _purposes(self, rng: Random, consumers: list[str], needed: list[str]) -> list[str]:
        """The matters that need it, and one or two of each consumer that has none among them."""
        found = list(needed)
        for consumer in consumers:
            if consumer in self._own and not any(self._department(m) == consumer for m in found):
                found += dict.fromkeys((pick(rng, self._own[consumer]), pick(rng, self._own[consumer])))
        return found or [EVERYONE]

    def _line(
        self, rng: Random, resource: InformationResource, consumers: list[str], purposes: list[str], ground: str
    ) -> Responsibility:
        office = self._offices[resource.provider]
        methods = _METHODS[resource.format]
        return Responsibility(
            resource=resource.code,
            provider=resource.provider,
            consumers=tuple(consumers),
            purposes=tuple(purposes),
            ground=ground,
            method=resource.share_method if rng.random() < 0.8 else pick(rng, methods),
            cadence=resource.cadence,
            deadline=pick(rng, _DEADLINES),
            domain=self._domain(resource, office),
        )

    def _domain(self, resource: InformationResource, office: Office) -> Domain:
        """What counts firms and markets is 经济社会, whoever counts; else it is as its subject or department is."""
        plan = self._plans[resource.code]
        if plan.derived == "t" and plan.subject.entity in ("C", "X"):
            return Domain.ECONOMIC_SOCIAL
        return plan.subject.domain or office.domain


def prohibitions(
    seed: int,
    resources: Sequence[InformationResource],
    lines_: Sequence[Responsibility],
    needs: Sequence[Need],
) -> tuple[Prohibition, ...]:
    """About `PROHIBITIONS`: sensitive fields kept from everyone, and whole resources from some who are on no line."""
    to: dict[str, set[str]] = {}
    for line in lines_:
        to.setdefault(line.resource, set()).update(line.consumers)
    needed = {(need.resource, name) for need in needs for name in need.fields}
    ranked = sorted(
        (r for r in resources if r.share_type is ShareType.CONDITIONAL),
        key=lambda r: draw(seed, f"prohibition:{r.code}").random(),
    )
    made: list[Prohibition] = []
    for resource in ranked:
        if len(made) == PROHIBITIONS:
            break
        sensitive = tuple(
            f.name
            for f in resource.fields
            if f.grade >= 3 and not f.key and not f.lookup and (resource.code, f.name) not in needed
        )
        consumers = to[resource.code]
        if len(made) % 3 and sensitive:
            ground = "《中华人民共和国网络安全法》第四十二条"
            made.append(Prohibition(resource.code, (EVERYONE,), (EVERYONE,), ground, sensitive[:3]))
        elif sensitive and EVERYONE not in consumers:
            kept = tuple(code for code in _OUTSIDE if code not in consumers and code != resource.provider)
            if kept:
                ground = "《国务院关于印发政务信息资源共享管理暂行办法的通知》（国发〔2016〕51号）第十条"
                made.append(Prohibition(resource.code, kept, (EVERYONE,), ground))
    order = {resource.code: index for index, resource in enumerate(resources)}
    return tuple(sorted(made, key=lambda prohibition: order[prohibition.resource]))
