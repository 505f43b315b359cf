"""The demonstration at the size of the reference city: a catalogue drawn up, checked, published, searched, used.

Each step returns what happened as values; saying it in a person's language is the command line's. Nothing is ingested
at this size: the sources of 1,227 resources are not simulated. The small city (`hub.demo.story`) has records.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Final

from catalog.application import draft
from catalog.errors import ListInvalidError
from catalog.export import to_xlsx
from catalog.load import load_report
from catalog.model import EVERYONE, ShareType
from catalog.review import Finding, State
from hub import applications, drafts, requested
from hub.actors import Actor
from hub.demo.reference.listing import SEED, reference_list
from hub.files import replace_file
from hub.office import Office
from hub.published import Published, current_version
from hub.search.index import Search, search_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from catalog.faults import Fault
    from catalog.load import LoadReport
    from catalog.model import Need, ResponsibilityList
    from catalog.search.shelf import Facet
    from hub.cases import Case
    from hub.settings import Settings

CATALOGUER, REVIEWER = Actor("SZJ", "catalogue"), Actor("SZJ", "review")
# The day on which the office of the reference city checked its list; deadlines are judged by it.
CHECKED_ON: Final = date(2020, 5, 6)
# As people ask: a department by its short name, initials of pinyin, what the thing is called at the window, a
# number, a typing error in one character, English.
QUERIES: Final = ("市人社局 社保", "gjj", "驾照", "12345", "不动产登计", "food business licences")
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Drawn:
    """The workbook of the office, and how much is in it."""

    path: Path
    size_bytes: int
    departments: int
    resources: int
    fields: int
    lines: int
    matters: int
    needs: int
    prohibitions: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What reading the workbook and judging it by every rule found, and how long that took."""

    seconds: float
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Searched:
    """A query, how many resources it found, the first of them (code, name), and how long that took."""

    query: str
    total: int
    first: tuple[tuple[str, str], ...]
    relaxed: bool
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Applied:
    """An application as it stands; *already* when an earlier demonstration opened it."""

    case: Case
    resource: str
    applicant: str
    matter: str
    replaces: str
    already: bool


class CityStory:
    """One demonstration under *settings*. Steps are to be taken in order; each may be taken again."""

    def __init__(self, settings: Settings, *, seed: int = SEED) -> None:
        self.settings = settings
        self.seed = seed

    @property
    def workbook(self) -> Path:
        """The list as the office keeps it."""
        return self.settings.home / "city" / "responsibilities-2020-1.xlsx"

    @cached_property
    def office(self) -> Office:
        """The office whose desks the story goes to; `close` closes it."""
        return Office.open(self.settings)

    @cached_property
    def drawn_up(self) -> ResponsibilityList:
        """The list as it was made, before it went to a workbook."""
        return reference_list(self.seed)

    # 1. The list: drawn up, checked, reviewed by a second person, published.

    def draw_up(self) -> Drawn:
        """Write the workbook, whole or not at all."""
        made = self.drawn_up
        content = to_xlsx(made)
        replace_file(self.workbook, content)
        return Drawn(
            path=self.workbook,
            size_bytes=len(content),
            departments=len(made.departments),
            resources=len(made.resources),
            fields=sum(len(resource.fields) for resource in made.resources),
            lines=len(made.responsibilities),
            matters=len(made.matters),
            needs=len(made.needs),
            prohibitions=len(made.prohibitions),
        )

    @cached_property
    def _read(self) -> tuple[float, LoadReport]:
        """What reading the workbook gives, and the seconds it takes. By today every deadline of 2020 would be past."""
        begun = time.perf_counter()
        report = load_report(self.workbook, today=CHECKED_ON)
        return time.perf_counter() - begun, report

    def check(self) -> Checked:
        """Read the workbook back and judge it by every rule."""
        seconds, report = self._read
        return Checked(seconds, report.faults)

    def publish(self) -> Published:
        """Hand the workbook in as it was checked, have a second person find it right, and put it in force.

        A demonstration that broke off between two of these steps goes on where it stopped.

        Raises:
            ListInvalidError, ListUnreadableError: the workbook was changed since.
        """
        _, report = self._read
        if report.list_ is None:
            raise ListInvalidError(report.faults, self.workbook.name)
        list_ = report.list_
        findings = tuple(Finding(f.where, f.code, f.text("en"), f.text("zh")) for f in report.faults)
        version = current_version(self.office.control)
        if version == list_.version:
            return Published(version, -1, already=True)
        case = drafts.waiting_for(self.office, list_.version) or drafts.submit(
            self.office, list_, actor=CATALOGUER, file=self.workbook.name, findings=findings
        )
        if case.state == State.SUBMITTED:
            case = drafts.approve(self.office, case.id, actor=REVIEWER)
        return drafts.publish(self.office, case.id, actor=CATALOGUER)

    # 2. Finding.

    @cached_property
    def index(self) -> Search:
        """The search index of the list in force, made on first use."""
        return search_of(self.settings, self.office.list_)

    def search(self) -> Iterator[Searched]:
        """The searches of `QUERIES`, one after the other."""
        for query in QUERIES:
            begun = time.perf_counter()
            found = self.index.find(query)
            took = (time.perf_counter() - begun) * 1000
            first = tuple((hit.resource.code, hit.resource.name) for hit in found.hits[:SHOWN])
            yield Searched(query, found.total, first, found.relaxed, took)

    def facets(self) -> Mapping[Facet, tuple[tuple[str, int], ...]]:
        """Every facet of the whole catalogue with its counts."""
        return self.index.find("").facets

    # 3. Applying.

    def apply(self) -> Iterator[Applied]:
        """Three applications for what matters need.

        For something unconditional: granted at once. For something conditional: its provider agrees. For something
        else conditional: it waits, and its clock runs.
        """
        unconditional, agreed, waiting = self._wanted()
        yield self._apply(unconditional)
        answered = self._apply(agreed)
        if answered.case.open:
            provider = self.office.list_.by_code[agreed.resource].provider
            case = applications.approve(self.office, answered.case.id, actor=Actor(provider, "review"))
            answered = Applied(
                case, answered.resource, answered.applicant, answered.matter, answered.replaces, answered.already
            )
        yield answered
        yield self._apply(waiting)

    def _wanted(self) -> tuple[Need, Need, Need]:
        """A need of something unconditional and two of different conditional resources, the first of the list."""
        list_ = self.office.list_
        by_type: dict[ShareType, dict[str, Need]] = {}
        for need in list_.needs:
            resource = list_.by_code[need.resource]
            prohibited = any(EVERYONE not in p.consumers for p in list_.prohibitions_by_resource.get(need.resource, ()))
            if list_.matters_by_code[need.matter].department != resource.provider and not prohibited:
                by_type.setdefault(resource.share_type, {}).setdefault(need.resource, need)
        first = next(iter(by_type[ShareType.UNCONDITIONAL].values()))
        second, third, *_ = by_type[ShareType.CONDITIONAL].values()
        return first, second, third

    def _apply(self, need: Need) -> Applied:
        list_ = self.office.list_
        applicant = list_.matters_by_code[need.matter].department
        resource = list_.by_code[need.resource].name
        matter = list_.matters_by_code[need.matter].name
        known = requested.find(self.office, concerning=applicant, resource=need.resource)
        mine = [case for case in known if case.opener == applicant]
        if mine:
            return Applied(mine[0], resource, applicant, matter, need.replaces, already=True)
        asked = draft(
            list_,
            applicant=applicant,
            resource=need.resource,
            purposes=(need.matter,),
            reason=f"办理{matter}，免交{need.replaces}",
        )
        case = applications.apply(self.office, asked, actor=Actor(applicant, "window-1"))
        return Applied(case, resource, applicant, matter, need.replaces, already=False)

    def close(self) -> None:
        """Let go of files and connections."""
        if "office" in self.__dict__:
            self.office.close()
