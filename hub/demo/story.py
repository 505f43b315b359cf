"""The demonstration: a small city read, served, licensed and audited by the real mechanisms, step by step.

Each step returns what happened as values; saying it in a person's language is the command line's. What is special to
a demonstration is only where the records come from (`hub.demo.city`) and who is asked about.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.load import load
from hub.control import Control
from hub.demo import city
from hub.demo.attention import Attention
from hub.demo.auditor import Auditor
from hub.demo.calls import CALLED, MATTER, Calls
from hub.demo.days import advance
from hub.demo.documents import Documents, forge_bundle, verdict
from hub.demo.entrance import give_people
from hub.demo.faults import REFERENCES
from hub.demo.follow import Follower
from hub.demo.granted import give_grants
from hub.demo.licences import Licences
from hub.demo.population import audit_licences
from hub.demo.processes import Processes
from hub.demo.seals import give_seals
from hub.demo.simulator import MarketSimulator
from hub.demo.systems import ALL, WINDOW, Systems
from hub.errors import DemoMissingError
from hub.evidence import Evidence
from hub.files import replace_file
from hub.loads import LoadReport, of_run
from hub.office import Office
from hub.published import Published, current_list
from hub.publishing import publish
from hub.registry import dag_of
from hub.scheduler import RunState
from hub.storing import open_warehouse
from licence.lifecycle import Action
from warehouse.errors import TableMissingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from catalog.decide import Grant
    from catalog.model import ResponsibilityList
    from hub.client import Client
    from hub.demo.entrance import Entrance
    from hub.demo.manifest import CityManifest, DayChanges
    from hub.demo.population import Audited
    from hub.demo.seals import Given
    from hub.demo.systems import Registered
    from hub.scheduler import EmbeddedAirflow
    from hub.settings import Settings
    from licence.verifying.report import Report
    from warehouse.engine import Warehouse

__all__ = ["CALLED", "DAGS", "DATA", "MATTER", "OFFICE", "STORY_KIND", "Story", "Verdicts"]

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "demo"
DAGS = REPOSITORY / "dags"
SEED = 3412
OFFICE = "SZJ:hub-office"
STORY_KIND = "营业执照"
RUN_TIMEOUT_S = 1200


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The same licence judged as issued, as a tampered copy and after revocation, and where its files are.

    *seen_s*: how many seconds after the decision a verifier found the revocation in the published status list.
    """

    identifier: str
    bundle: Path
    tampered: Path
    valid: Report
    forged: Report
    revoked: Report
    seen_s: float


class Story:
    """One demonstration under *settings*. Steps are to be taken in order; each may be taken again."""

    def __init__(self, settings: Settings, *, seed: int = SEED, scale: float = 1.0) -> None:
        for needed in (DATA / "responsibilities.xlsx", DATA / "divisions", DAGS):
            if not needed.exists():
                raise DemoMissingError(path=needed)
        self.settings = settings
        self.seed = seed
        self.scale = scale
        self._market: MarketSimulator | None = None
        self._follower: Follower | None = None

    # --- the city and its list -----------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The departments' source systems."""
        return self.settings.home / "city"

    def build_city(self) -> CityManifest:
        """Make the departments' systems, or find them as an earlier demonstration left them."""
        return city.build(self.folder, seed=self.seed, scale=self.scale, demo_data=DATA)

    def open_systems(self) -> None:
        """Start the one department that answers over HTTP, and write the deployment's file of systems."""
        self._market = self._market or MarketSimulator(self.folder)
        self._market.start()
        text = (DATA / "systems.yaml").read_text(encoding="utf-8")
        text = text.replace("${CITY}", str(self.folder)).replace("${MARKET_API}", self._market.base_url)
        replace_file(self.settings.systems_file, text.encode())
        replace_file(self.settings.kinds, (DATA / "licence-kinds.yaml").read_bytes())

    def publish(self) -> Published:
        """Publish the list from the office's workbook."""
        return publish(self.settings, load(DATA / "responsibilities.xlsx"), by=OFFICE)

    @cached_property
    def control(self) -> Control:
        """The control database."""
        return Control.open(self.settings)

    @cached_property
    def list_(self) -> ResponsibilityList:
        """The list in force."""
        return current_list(self.settings, self.control)

    # --- ingestion -----------------------------------------------------------------------------------------------

    @property
    def dag_ids(self) -> list[str]:
        """One DAG per resource of the list, in its order."""
        return [dag_of(resource.code) for resource in self.list_.resources]

    def titles(self, lang: str) -> dict[str, str]:
        """DAG id → what a person calls it."""
        departments = self.list_.departments_by_code
        if lang != "zh":
            return {dag_of(r.code): f"{r.name_en} · {departments[r.provider].name_en}" for r in self.list_.resources}
        return {dag_of(r.code): f"{r.name} · {departments[r.provider].name}" for r in self.list_.resources}

    def ingest(
        self, airflow: EmbeddedAirflow, codes: list[str], run: str, orders: Mapping[str, Mapping[str, bool]]
    ) -> Iterator[list[RunState]]:
        """Let Airflow load *codes*, those of *orders* as its forms say; yields states until all runs have ended.

        What refers to a resource that was never loaded is loaded after it: until then nothing can be looked up there.
        """
        later = [code for code in codes if code in REFERENCES and not self._is_loaded(REFERENCES[code][1])]
        ended: list[RunState] = []
        for part in ([code for code in codes if code not in later], later):
            dag_ids = [dag_of(code) for code in part]
            for code in part:
                if orders.get(code):
                    # Made while it is paused, as `start_runs` makes the others, which then leaves this one alone.
                    airflow.unpause(dag_of(code), paused=True)
                    airflow.create_run(dag_of(code), run, conf=orders[code])
            if not part:
                continue
            airflow.start_runs(dag_ids, run)
            states: list[RunState] = []
            waiting = [RunState(dag_of(c), run, "queued", {}) for c in later if c not in part]
            for states in airflow.watch(dag_ids, run, timeout_s=RUN_TIMEOUT_S):
                yield [*ended, *states, *waiting]
            ended += states

    def _is_loaded(self, code: str) -> bool:
        try:
            return self.warehouse.current_snapshot(code) is not None
        except TableMissingError:
            return False

    def reports(self, run: str) -> list[LoadReport]:
        """What the loads of *run* did."""
        return of_run(self.control, run)

    def next_day(self) -> DayChanges:
        """A day passes in the departments: a late correction, a delete, a new batch."""
        return advance(self.folder, day=2)

    @cached_property
    def office(self) -> Office:
        """The office as the command line opens it."""
        return Office.over(self.settings, self.control, Evidence.open(self.settings))

    @property
    def attention(self) -> Attention:
        """What the second day leaves to people."""
        return Attention(self.office, self.warehouse, self.folder)

    # --- grants and calls ----------------------------------------------------------------------------------------

    def give_grants(self) -> list[Grant]:
        """Get the grants of ``demo/applications.yaml`` as departments do: one post applies, another agrees."""
        return give_grants(self.office, DATA / "applications.yaml")

    @cached_property
    def processes(self) -> Processes:
        """The API and the witness, which run in processes of their own until `stop`."""
        return Processes(self.settings, self.papers)

    def serve(self) -> str:
        """Serve the data-invocation API; returns its address when it answers."""
        return self.processes.serve()

    @property
    def papers(self) -> Path:
        """What the demonstration leaves for people to look at."""
        return self.settings.home / "demo"

    @cached_property
    def systems(self) -> Systems:
        """The departments' client systems."""
        return Systems(self.office, self.settings.caller_key.parent, OFFICE)

    def register(self, lang: str) -> list[Registered]:
        """Register every client system, with a caller key of the first for the command line. The API must answer."""
        found = [self.systems.register(system) for system in ALL]
        self.systems.bearer_key(WINDOW, self.settings.caller_key)
        self.systems.write_profiles(self.processes.url, lang)
        return found

    def client(self, lang: str = "zh") -> Client:
        """The client of the service window, which signs what it asks."""
        self.register(lang)
        return self.systems.client(WINDOW)

    def calls(self, lang: str) -> Calls:
        """What is asked of the API."""
        return Calls(self.systems, self.processes.url, self.list_, lang)

    @property
    def follower(self) -> Follower:
        """The department that keeps up with changes."""
        self._follower = self._follower or Follower(self.systems, self.papers / "follow")
        return self._follower

    @property
    def auditor(self) -> Auditor:
        """The auditor, and the service hall."""
        return Auditor(self.office, self.papers)

    def stop(self) -> None:
        """End the API, answering what it has begun, the witness, and both departments' own servers."""
        self.processes.stop()
        if self._follower is not None:
            self._follower.stop()
            self._follower = None
        if self._market is not None:
            self._market.stop()
            self._market = None
        self.control.close()

    def someone(self) -> str:
        """The citizen at the window: the eldest of the population, by the same order every time."""
        return self.eldest(1)[0]

    def person_file(self) -> Path:
        """A file with that citizen's number, so that no command line and no shell's history need hold it."""
        file = self.papers / "person.txt"
        replace_file(file, f"{self.someone()}\n".encode(), mode=0o600)
        return file

    def eldest(self, count: int) -> list[str]:
        """The eldest of the population, the very eldest first."""
        rows = self.warehouse.scan(CALLED, None, None, ["citizen_id", "birth_date"])
        ordered = sorted(rows, key=lambda row: (str(row["birth_date"]), str(row["citizen_id"])))
        return [str(row["citizen_id"]) for row in ordered[:count]]

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse, for picking whom the story is about."""
        return open_warehouse(self.settings)

    # --- seals and licences --------------------------------------------------------------------------------------

    @cached_property
    def licences(self) -> Licences:
        """The licence office, as its departments use it."""
        return Licences(self.office, self.warehouse)

    def register_people(self) -> Entrance:
        """A person of each duty who may use the portal, and the password of all of them."""
        return give_people(self.office, self.list_)

    def give_seals(self) -> list[Given]:
        """A licence-issuing seal for every issuing department."""
        return give_seals(self.office, self.licences.kinds)

    @cached_property
    def documents(self) -> Documents:
        """Licences as files. There must be seals."""
        return Documents(self.office, self.licences, self.papers)

    def audit_licences(self) -> Audited:
        """All licences, handed over and audited."""
        return audit_licences(self.office, self.papers)

    def judge(self) -> Verdicts:
        """Issue the story's licence if it is not in force, verify it, forge a copy, revoke it, verify again."""
        office = self.licences.licensing
        identifier, _ = self.licences.issue(STORY_KIND)
        bundle = office.save_bundle(identifier)
        tampered = self.papers / "tampered.licence.json"
        replace_file(tampered, forge_bundle(bundle.read_bytes()))
        valid, forged = verdict(self.settings, bundle), verdict(self.settings, tampered)
        kind = office.kind(STORY_KIND)
        decided = time.monotonic()
        office.change(
            identifier,
            Action.REVOKE,
            by=kind.issuer,
            reason="演示：登记时提交虚假材料",
            ground="《中华人民共和国市场主体登记管理条例》第四十条",
            officer="licence-officer",
        )
        # The bundle still says what held when it was made; the list that is published meanwhile knows better.
        revoked = verdict(self.settings, bundle)
        return Verdicts(identifier, bundle, tampered, valid, forged, revoked, time.monotonic() - decided)
