"""What the next load of each resource would do, without reading anything: how, since when, and what stands in its way.

Doing it is `hub.ingestion`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from croniter import croniter

from connectors.errors import ConnectorSettingsError
from hub import loads, registry, storing, systems, watching
from hub.errors import ResourceUnknownError, SystemsFileError, SystemUnknownError
from hub.freshness import LIGHTS, Light
from warehouse.errors import TableMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from catalog.model import InformationResource
    from hub.office import Office
    from hub.settings import Settings
    from hub.systems import SourceSystem

ZONE = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Plan:
    """One resource. *cursor* is since when (None: the whole), *next_run* local time by the list's cycle.

    *trouble* is what is wrong with its system in the file of systems, by language; empty for nothing.
    """

    resource: str
    name: str
    name_en: str
    disposition: str
    system: str
    kind: str
    object: str
    cursor: str | None
    last_rows: int | None
    last_seconds: float | None
    next_run: str
    light: Light
    trouble: Mapping[str, str]

    def light_text(self, lang: str) -> str:
        """The light's word."""
        return LIGHTS[self.light][lang == "zh"]

    def note(self, lang: str) -> str:
        """What stands in the way of a load; "" for nothing."""
        if self.trouble:
            return self.trouble[lang]
        if self.light is Light.PAUSED:
            return "zhengtong ingest resume"
        return "zhengtong ingest drift" if self.light is Light.WAITING else ""

    def plain(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return {name: getattr(self, name) for name in self.__slots__}


def plans(office: Office, codes: Sequence[str] = ()) -> list[Plan]:
    """The plan of each of *codes* (none: every resource of the list in force), in the list's order.

    Raises:
        ResourceUnknownError: the list does not hold one of them.
    """
    for code in codes:
        if code not in office.list_.by_code:
            raise ResourceUnknownError(resource=code)
    try:
        known = systems.load(office.settings.systems_file)
    except SystemsFileError:
        known = {}
    wanted = [resource for resource in office.list_.resources if not codes or resource.code in codes]
    troubles = {name: _trouble(office.settings, name) for name in {resource.source.system for resource in wanted}}
    lights = {code: found.light for code, found in watching.lights_of(office, wanted).items()}
    among = [resource.code for resource in wanted]
    newest = {report.resource: report for report in loads.latest(office.control, well=True, among=among)}
    found = []
    with storing.open_warehouse(office.settings) as house:
        for resource in wanted:
            try:
                cursor = house.cursor(resource.code) if resource.source.cursor_field else None
            except TableMissingError:
                cursor = None
            found.append(
                _plan(
                    resource,
                    known.get(resource.source.system),
                    cursor,
                    newest.get(resource.code),
                    light=lights[resource.code],
                    trouble=troubles[resource.source.system],
                    now=office.now(),
                    window_start=office.settings.window_start,
                )
            )
    return found


def _plan(
    resource: InformationResource,
    system: SourceSystem | None,
    cursor: str | None,
    newest: loads.LoadReport | None,
    *,
    light: Light,
    trouble: Mapping[str, str],
    now: datetime,
    window_start: int,
) -> Plan:
    following: datetime = croniter(registry.cron_of(resource, window_start), now.astimezone(ZONE)).get_next(datetime)
    return Plan(
        resource=resource.code,
        name=resource.name,
        name_en=resource.name_en,
        disposition=resource.disposition.value,
        system=resource.source.system,
        kind=system.kind if system else "",
        object=resource.source.object,
        cursor=cursor,
        last_rows=newest.read if newest else None,
        last_seconds=round(newest.total_seconds, 3) if newest else None,
        next_run=f"{following:%Y-%m-%d %H:%M}",
        light=light,
        trouble=trouble,
    )


def _trouble(settings: Settings, name: str) -> dict[str, str]:
    """What is wrong with a system as it is described; nothing is opened, and no secret looked up."""
    try:
        systems.open_system(settings.systems_file, name, {"airflow": lambda _name: None})
    except (SystemsFileError, SystemUnknownError, ConnectorSettingsError) as error:
        return {"en": error.text("en"), "zh": error.text("zh")}
    return {}
