"""The matters of the reference city (事项), made out of its subjects, and what each needs to know (事项用数).

Lines follow from the needs: `lines` makes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from catalog.model import Matter, Need, ShareType
from hub.demo.reference.compose import code_of, draw
from hub.demo.reference.departments import offices
from hub.demo.reference.papers import PAPERS
from hub.demo.reference.subjects import subjects

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from catalog.model import InformationResource
    from hub.demo.reference.subjects import Subject

MATTERS: Final = 600
NEEDS: Final = 800
DIVISION: Final = "341200"

_ASKED: Final = frozenset({"permit", "cert", "reg", "benefit", "insure"})
_ISSUED: Final = ("许可", "资格", "资质", "证", "证书", "证明")
_LATER: Final = {"g": ("变更办理", "change"), "z": ("注销退出", "cancellation"), "y": ("延续办理", "renewal")}
# Matters with longer names than these differ by too little from one another.
_LONGEST_STEM: Final = 11


def matters(seed: int) -> tuple[tuple[Matter, ...], Mapping[str, Subject]]:
    """`MATTERS` matters over the departments, and the subject of each by its code."""
    found: list[tuple[bool, float, Subject, str, str]] = []
    rng = draw(seed, "matters")
    for subject in subjects():
        if subject.ground or not (subject.activity in _ASKED or "s" in subject.derived):
            continue
        found.append((False, rng.random(), subject, *_first(subject)))
        for letter, (later, later_en) in _LATER.items():
            if letter in subject.derived and len(subject.stem) <= _LONGEST_STEM:
                name = f"{subject.stem}{later}"
                found.append((True, rng.random(), subject, name, f"{subject.name_en}: {later_en}"))
    chosen = sorted(sorted(range(len(found)), key=lambda index: found[index][:2])[:MATTERS])
    numbers: dict[str, int] = {}
    made: list[Matter] = []
    about: dict[str, Subject] = {}
    for index in chosen:
        _, _, subject, name, name_en = found[index]
        number = numbers[subject.department] = numbers.get(subject.department, 0) + 1
        code = f"{DIVISION}-{subject.department}-{number:04d}"
        made.append(Matter(code, name, name_en, subject.department))
        about[code] = subject
    order = {office.code: office.number for office in offices()}
    return tuple(sorted(made, key=lambda matter: (order[matter.department], matter.code))), about


def _first(subject: Subject) -> tuple[str, str]:
    """The matter by which one gets into the register at all."""
    if subject.activity == "benefit":
        return f"{subject.stem}申请", f"{subject.name_en}: application"
    if subject.stem.endswith(_ISSUED):
        return f"{subject.stem}核发", f"{subject.name_en}: issue"
    return f"{subject.stem}申请办理", f"{subject.name_en}: application"


def needs(
    seed: int, found: Sequence[Matter], about: Mapping[str, Subject], by_code: Mapping[str, InformationResource]
) -> tuple[Need, ...]:
    """About `NEEDS` needs: one or two papers of each matter that another resource of *by_code* makes needless."""
    made: list[Need] = []
    second = NEEDS / max(1, len(found)) - 1
    for matter in found:
        rng = draw(seed, f"need:{matter.code}")
        subject = about[matter.code]
        pool = [
            (code_of(paper.stem), paper.name)
            for paper in PAPERS.get(subject.entity, PAPERS["C"])
            if paper.stem != subject.stem
            and code_of(paper.stem) in by_code
            and (not paper.topics or paper.topics & set(subject.topics))
        ]
        # Papers stand in the order in which they are asked for: the square prefers the first.
        for wanted in (1.0, second):
            if pool and rng.random() < wanted:
                code, paper = pool.pop(int(rng.random() ** 2 * len(pool)))
                if by_code[code].share_type is not ShareType.NOT_SHARED:
                    made.append(_need(rng, matter, by_code[code], paper))
    return tuple(made)


def _need(rng: Random, matter: Matter, resource: InformationResource, paper: str) -> Need:
    """The identifying fields and a few more, the least sensitive first."""
    key = [f.name for f in resource.fields if f.name in ("citizen_id", "uscc", "name", "entity_name")][:2]
    open_ = [f for f in resource.fields if f.share_type is not ShareType.NOT_SHARED and f.grade <= 2]
    core = [f.name for f in open_ if not f.nullable or f.key]
    more = [f.name for f in open_ if f.name.endswith(("_status", "_until", "_on", "_type"))]
    fields = tuple(dict.fromkeys([*key, *core, *more[: 1 + int(rng.random() * 3)]]))
    order = [f.name for f in resource.fields]
    actions = (("query",), ("verify",), ("query", "verify"))[int(rng.random() * 3)]
    return Need(matter.code, resource.code, tuple(sorted(fields, key=order.index)), actions, paper)
