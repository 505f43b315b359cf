"""All generated resources of the city in their proportions: one table of text values for each.

In which headings, encodings and containers a department delivers them is `hub.demo.sources`. The real divisions are
not here: they are copied whole.
"""

from __future__ import annotations

from datetime import date
from random import Random
from typing import TYPE_CHECKING

from hub.demo import citizens, town, trades

if TYPE_CHECKING:
    from hub.demo.draw import Table
    from hub.demo.people import Folk

# Rows at scale 1; no table goes below MIN_ROWS, so that a small city still has its faults.
PERSONS = 20_000
COMPANIES = 4_000
MIN_ROWS = 60


def scaled(base: int, scale: float) -> int:
    """*base* rows at scale 1 as rows at *scale*, never below `MIN_ROWS`."""
    return max(MIN_ROWS, round(base * scale))


def make_tables(folk: Folk, seed: int, scale: float) -> tuple[Table, ...]:
    """Every generated resource of the city, in code order; the same arguments, the same tables.

    Each table draws from its own generator, so a change to one never moves the others.
    """

    def rng(name: str) -> Random:
        return Random(f"{seed}:{name}")

    elders = citizens.elders(folk, rng("elder"), scaled(2_500, scale))
    accounts = citizens.accounts(folk, rng("account"), scaled(6_000, scale))
    schools = trades.schools(folk, rng("school"), scaled(120, scale))
    units = town.units(folk, rng("unit"), scaled(600, scale))
    tables = (
        citizens.population(folk, rng("population")),
        citizens.households(folk),
        citizens.vehicles(folk, rng("vehicle"), scaled(5_000, scale)),
        citizens.driving(folk, rng("driving"), scaled(7_000, scale)),
        citizens.insured(folk, rng("insured"), scaled(12_000, scale)),
        citizens.pensions(folk, rng("pension"), scaled(3_000, scale)),
        trades.companies(folk, rng("company")),
        trades.annual_reports(folk, rng("report"), scaled(4_000, scale)),
        trades.equipment(folk, rng("equipment"), scaled(1_200, scale)),
        citizens.real_estate(folk, rng("estate"), scaled(5_000, scale)),
        trades.planning(folk, rng("planning"), scaled(400, scale)),
        accounts,
        citizens.contributions(accounts, "2026-02", date(2026, 2, 25)),
        citizens.machine_licences(folk, rng("harvester"), scaled(900, scale)),
        citizens.machines(folk, rng("machine"), scaled(1_200, scale)),
        schools,
        citizens.pupils(folk, rng("pupil"), schools, scaled(4_000, scale)),
        trades.clinics(folk, rng("clinic"), scaled(300, scale)),
        citizens.births(folk, rng("birth"), scaled(900, scale)),
        trades.timber(folk, rng("timber"), scaled(400, scale)),
        trades.quarantine(folk, rng("quarantine"), scaled(500, scale)),
        trades.basements(folk, rng("basement"), scaled(90, scale)),
        elders,
        citizens.marriages(folk, rng("marriage"), scaled(3_000, scale)),
        citizens.bus_cards(elders, rng("bus")),
        town.trees(folk, rng("tree"), scaled(300, scale)),
        town.organisations(folk, rng("organisation"), scaled(400, scale)),
        town.bus_lines(folk, rng("line"), scaled(80, scale)),
        units,
        town.tenancies(folk, rng("tenancy"), units),
    )
    return tuple(sorted(tables, key=lambda table: table.code))
