"""Puts the reference city's list together.

Each part is made elsewhere: departments, resources (`compose`), matters and needs, lines and prohibitions.
"""

from __future__ import annotations

from typing import Final

from catalog.model import ResponsibilityList
from hub.demo.reference.codes import CODE_LISTS
from hub.demo.reference.compose import make_resources, plans
from hub.demo.reference.departments import OFFICE, offices
from hub.demo.reference.lines import lines, prohibitions
from hub.demo.reference.matters import matters, needs

SEED: Final = 3412
RESOURCES: Final = 1227


def reference_list(seed: int = SEED, *, resources: int = RESOURCES) -> ResponsibilityList:
    """The list of *seed*, the same on every machine and Python; about *resources* / 1,227 times the usual lines.

    Up to some 800 resources are subjects of the city, up to some 2,500 also what is derived of them (changes,
    inspections, statistics …); beyond these they are counties' own, with the county in their name.

    Raises:
        ValueError: more resources than can be told apart (some 20,000).
    """
    chosen = plans(seed, resources)
    found = make_resources(seed, chosen)
    by_code = {resource.code: resource for resource in found}
    asked, about = matters(seed)
    needed = needs(seed, asked, about, by_code)
    owed = lines(seed, found, {plan.code: plan for plan in chosen}, asked, needed)
    return ResponsibilityList(
        city="阜阳",
        title="阜阳市政务数据共享责任清单（2020年第一批）",
        year=2020,
        batch=1,
        departments=tuple(office.department for office in offices()),
        resources=found,
        responsibilities=owed,
        matters=asked,
        office=OFFICE,
        needs=needed,
        prohibitions=prohibitions(seed, found, owed, needed),
        code_lists=CODE_LISTS,
    )
