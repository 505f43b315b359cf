"""The records of what the city itself keeps: housing it lets, old trees, bus lines, social organisations.

Column names are the field names of `demo/responsibilities.yaml`. Persons' records are `hub.demo.citizens`, companies'
`hub.demo.trades`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from catalog.identifiers import make_uscc, org_code_check_char
from hub.demo.draw import Row, Table, money, past, pick, years_on
from hub.demo.people import DAY_ONE, surname

if TYPE_CHECKING:
    from random import Random

    from hub.demo.people import Folk

# The batches in which the housing bureau had filled its front-end table before the first day.
BATCHES = ("20260227", "20260301")


def units(folk: Folk, rng: Random, count: int) -> Table:
    """公共租赁住房房源: flats in a few estates of each county."""
    columns = ("unit_no", "estate", "county_code", "address", "area", "rent", "built_on", "status")
    rows: list[Row] = []
    for number in range(count):
        v = pick(rng, folk.villages)
        estate = f"{v.county}{pick(rng, ('惠民', '安居', '和谐', '幸福'))}家园"
        rows.append([
            f"GZ{number:08d}", estate, v.county_code,
            f"阜阳市{v.county}{v.street}{estate}{1 + number % 20}幢{101 + number % 6}室", money(rng, 35, 60),
            money(rng, 120, 480), past(rng, 4000, least=400).isoformat(), "1",
        ])  # fmt: skip
    return Table("3140010001", columns, rows)


def tenancies(folk: Folk, rng: Random, units: Table) -> Table:
    """公共租赁住房承租: one contract for each of *units*, handed over in the batches of `BATCHES`."""
    columns = (
        "contract_no", "unit_no", "tenant_name", "tenant_citizen_id", "phone", "starts_on", "ends_on", "monthly_rent",
        "status", "batch_no",
    )  # fmt: skip
    adults = [p for p in folk.persons if p.age >= 18]
    rent, unit_no = units.index("rent"), units.index("unit_no")
    rows: list[Row] = []
    for number, unit in enumerate(units.rows):
        p = pick(rng, adults)
        since = past(rng, 700, least=30)
        rows.append([
            f"ZL2025{number:08d}", unit[unit_no], p.name, p.citizen_id, p.phone, since.isoformat(),
            years_on(since, 3).isoformat(), unit[rent], "1", BATCHES[2 * number >= len(units.rows)],
        ])  # fmt: skip
    return Table("3140010002", columns, rows)


def trees(folk: Folk, rng: Random, count: int) -> Table:
    """古树名木: each with its place and measures; days are written without dashes, as the old program keeps them."""
    columns = ("tree_no", "species", "age", "height", "girth", "grade", "county_code", "place", "registered_on")
    rows: list[Row] = []
    for number in range(count):
        v = pick(rng, folk.villages)
        age = 100 + int(rng.random() ** 2 * 700)
        rows.append([
            f"{v.county_code}{number:05d}", pick(rng, ("银杏", "国槐", "侧柏", "皂荚", "朴树", "黄连木")), str(age),
            f"{6 + rng.random() * 20:.1f}", f"{120 + rng.random() * 400:.1f}",
            "1" if age >= 500 else "2" if age >= 300 else "3", v.county_code, f"{v.county}{v.street}{v.name}",
            f"{past(rng, 5000):%Y%m%d}",
        ])  # fmt: skip
    return Table("3100020001", columns, rows)


def bus_lines(folk: Folk, rng: Random, count: int) -> Table:
    """公交线路: each run by one of the hauliers."""
    columns = (
        "line_no", "name", "from_stop", "to_stop", "length_km", "fare", "first_bus", "last_bus", "operator_uscc",
    )  # fmt: skip
    hauliers = [c for c in folk.companies if c.trade == "物流"] or folk.companies
    rows: list[Row] = []
    for number in range(count):
        start, end = pick(rng, folk.villages), pick(rng, folk.villages)
        rows.append([
            f"K{number + 1:03d}", f"{number + 1}路", f"{start.street}{start.name}", f"{end.street}{end.name}",
            f"{5 + rng.random() * 30:.1f}", pick(rng, ("1.00", "1.00", "2.00")), f"0{5 + number % 2}:{number % 6}0",
            f"{19 + number % 4}:30", pick(rng, hauliers).uscc,
        ])  # fmt: skip
    return Table("3130020001", columns, rows)


def organisations(folk: Folk, rng: Random, count: int) -> Table:
    """社会组织: associations, private institutions and a few foundations."""
    columns = (
        "uscc", "name", "kind", "representative", "domicile", "county_code", "registered_on", "valid_until", "status",
    )  # fmt: skip
    kinds = (("社会团体", "商会"), ("社会团体", "协会"), ("民办非企业单位", "社工服务中心"), ("基金会", "慈善基金会"))
    adults = [p for p in folk.persons if p.age >= 30]
    rows: list[Row] = []
    for number in range(count):
        v = pick(rng, folk.villages)
        kind, tail = pick(rng, kinds)
        # Organisation codes that begin with DF are the generator's own series.
        body8 = f"DF{number:06d}"
        on = past(rng, 4000)
        rows.append([
            make_uscc(f"51{v.county_code}{body8}{org_code_check_char(body8)}"),
            f"{v.county}{v.street}{surname(rng)}氏{tail}", kind, pick(rng, adults).name,
            f"安徽省阜阳市{v.county}{v.street}{1 + int(rng.random() * 199)}号", v.county_code, on.isoformat(),
            (DAY_ONE + timedelta(days=200 + int(rng.random() * 1200))).isoformat(), "1",
        ])  # fmt: skip
    return Table("3120030001", columns, rows)
