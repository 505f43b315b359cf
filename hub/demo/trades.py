"""The records that departments keep about companies, their projects and goods, and about schools and clinics.

Column names are the field names of `demo/responsibilities.yaml`. Persons' records are `hub.demo.citizens`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hub.demo.draw import Row, Table, money, past, pick, years_on
from hub.demo.people import DAY_ONE, surname

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from hub.demo.people import Company, Folk


def companies(folk: Folk, rng: Random) -> Table:
    """企业: one row a company, with the time of its last change."""
    columns = (
        "uscc", "name", "legal_representative", "legal_representative_id", "company_type", "registered_capital",
        "established_on", "term_until", "domicile", "county_code", "business_scope", "industry_code", "status",
        "updated_at",
    )  # fmt: skip
    rows: list[Row] = []
    for c in folk.companies:
        changed = min(past(rng, 900), DAY_ONE - timedelta(days=1))
        at = f"{max(changed, c.established)}T{8 + int(rng.random() * 10):02d}:{int(rng.random() * 60):02d}:00"
        term = years_on(c.established, 30).isoformat() if rng.random() < 0.4 else None
        rows.append([
            c.uscc, c.name, c.representative.name, c.representative.citizen_id, c.type, f"{c.capital}.00",
            c.established.isoformat(), term, c.domicile, c.village.county_code, c.scope, c.industry_code,
            "1" if rng.random() < 0.93 else "3", at,
        ])  # fmt: skip
    return Table("3040010001", columns, rows)


def annual_reports(folk: Folk, rng: Random, count: int) -> Table:
    """年度报告: the latest year first, then the years before."""
    columns = ("report_no", "uscc", "year", "employees", "revenue", "submitted_at")
    rows: list[Row] = []
    companies = folk.companies
    for number in range(count):
        company = companies[number % len(companies)]
        year = 2024 - number // len(companies)
        at = f"{year + 1}-{1 + int(rng.random() * 6):02d}-{1 + int(rng.random() * 28):02d}T{9 + number % 8:02d}:30:00"
        rows.append([
            f"NB{year}{number:08d}", company.uscc, str(year), str(1 + int(rng.random() ** 3 * 300)),
            money(rng, 5, 9000), at,
        ])  # fmt: skip
    return Table("3040010002", columns, rows)


def equipment(folk: Folk, rng: Random, count: int) -> Table:
    """特种设备: each in use at a company."""
    columns = (
        "equipment_code", "uscc", "category", "name", "location", "registered_on", "next_inspection_on", "status",
    )  # fmt: skip
    kinds = (("1000", "蒸汽锅炉"), ("2000", "压力容器"), ("3000", "乘客电梯"), ("4000", "桥式起重机"), ("5000", "叉车"))
    rows: list[Row] = []
    for number in range(count):
        c = pick(rng, folk.companies)
        category, name = pick(rng, kinds)
        rows.append([
            f"{category}341200{number:010d}", c.uscc, category, name, c.domicile, past(rng, 4000).isoformat(),
            (DAY_ONE + timedelta(days=int(rng.random() * 365))).isoformat(), "1" if rng.random() < 0.95 else "2",
        ])  # fmt: skip
    return Table("3040020001", columns, rows)


def _builders(folk: Folk) -> Sequence[Company]:
    return [c for c in folk.companies if c.trade in ("房地产开发", "建筑工程")] or folk.companies


def _project(rng: Random, company: Company, number: int) -> str:
    return f"{company.village.street}{pick(rng, ('颍河', '泉河', '西湖', '双清', '文峰', '中清'))}{number + 1}号地块"


def planning(folk: Folk, rng: Random, count: int) -> Table:
    """建设工程规划许可: each for a builder."""
    columns = (
        "permit_no", "project_name", "builder_name", "builder_uscc", "location", "building_area", "issued_on",
    )  # fmt: skip
    builders = _builders(folk)
    rows: list[Row] = []
    for number in range(count):
        c = pick(rng, builders)
        on = past(rng, 1800)
        rows.append([
            f"建字第3412{on.year}{number:05d}号", _project(rng, c, number) + "建设项目", c.name, c.uscc, c.domicile,
            money(rng, 800, 180000), on.isoformat(),
        ])  # fmt: skip
    return Table("3050010002", columns, rows)


def basements(folk: Folk, rng: Random, count: int) -> Table:
    """防空地下室建设意见: each for a builder."""
    columns = (
        "opinion_no", "project_name", "builder_name", "builder_uscc", "location", "ground_area", "basement_area",
        "protection_level", "issued_on",
    )  # fmt: skip
    builders = _builders(folk)
    rows: list[Row] = []
    for number in range(count):
        c = pick(rng, builders)
        on = past(rng, 1500)
        ground = 3000 + rng.random() * 90000
        rows.append([
            f"阜人防意〔{on.year}〕{number + 1:04d}号", _project(rng, c, number), c.name, c.uscc, c.domicile,
            f"{ground:.2f}", f"{ground * 0.05:.2f}", pick(rng, ("核6常6", "核6B常6", "核5常5")), on.isoformat(),
        ])  # fmt: skip
    return Table("3110010001", columns, rows)


def _traders(folk: Folk, trades: tuple[str, ...]) -> Sequence[Company]:
    return [c for c in folk.companies if c.trade in trades] or folk.companies


def timber(folk: Folk, rng: Random, count: int) -> Table:
    """木材运输证: each for a timber or haulage company."""
    columns = (
        "permit_no", "holder_name", "holder_uscc", "species", "volume", "origin", "destination", "plate", "issued_on",
        "valid_until",
    )  # fmt: skip
    holders = _traders(folk, ("木业", "物流"))
    rows: list[Row] = []
    for number in range(count):
        c = pick(rng, holders)
        on = past(rng, 300)
        rows.append([
            f"皖林运〔{on.year}〕{number:06d}", c.name, c.uscc, pick(rng, ("杨木", "泡桐", "榆木", "刺槐")),
            f"{2 + rng.random() * 38:.3f}", f"阜阳市{c.village.county}",
            pick(rng, ("河南省周口市", "江苏省徐州市", "山东省临沂市", "安徽省合肥市")), f"皖KT{number % 10_000:04d}",
            on.isoformat(), (on + timedelta(days=20)).isoformat(),
        ])  # fmt: skip
    return Table("3100010001", columns, rows)


def quarantine(folk: Folk, rng: Random, count: int) -> Table:
    """植物检疫证书: each for a grower or timber company."""
    columns = (
        "certificate_no", "holder_name", "holder_uscc", "plant_name", "quantity", "unit", "origin", "destination",
        "issued_on", "valid_until",
    )  # fmt: skip
    plants = (("女贞", "株"), ("香樟", "株"), ("桂花", "株"), ("小麦种子", "千克"), ("杨木板材", "立方米"))
    holders = _traders(folk, ("苗木", "农业科技", "木业"))
    rows: list[Row] = []
    for number in range(count):
        c = pick(rng, holders)
        plant, unit = pick(rng, plants)
        on = past(rng, 300)
        rows.append([
            f"皖植检〔{on.year}〕{number:06d}", c.name, c.uscc, plant, money(rng, 10, 5000), unit,
            f"阜阳市{c.village.county}", pick(rng, ("浙江省杭州市", "江苏省南京市", "上海市松江区", "安徽省宣城市")),
            on.isoformat(), (on + timedelta(days=15)).isoformat(),
        ])  # fmt: skip
    return Table("3100010002", columns, rows)


def schools(folk: Folk, rng: Random, count: int) -> Table:
    """学校."""
    columns = ("school_code", "name", "kind", "county_code", "street_code", "address", "teachers")
    kinds = (("111", "中心幼儿园"), ("211", "小学"), ("211", "小学"), ("311", "初级中学"), ("342", "高级中学"))
    rows: list[Row] = []
    for number in range(count):
        v = pick(rng, folk.villages)
        kind, tail = pick(rng, kinds)
        rows.append([
            f"3412{number:06d}", f"{v.county}{v.street}第{number + 1}{tail}", kind, v.county_code, v.street_code,
            f"阜阳市{v.county}{v.street}{v.name}", str(8 + int(rng.random() * 140)),
        ])  # fmt: skip
    return Table("3080010001", columns, rows)


def clinics(folk: Folk, rng: Random, count: int) -> Table:
    """医疗机构."""
    columns = ("licence_no", "name", "uscc", "category", "county_code", "address", "principal", "valid_until")
    kinds = (("A1", "医院"), ("B1", "社区卫生服务站"), ("C1", "卫生院"), ("D1", "诊所"), ("D1", "卫生室"))
    adults = [p for p in folk.persons if p.age >= 28]
    rows: list[Row] = []
    for number in range(count):
        v = pick(rng, folk.villages)
        category, tail = pick(rng, kinds)
        rows.append([
            f"PDY3412{number:015d}", f"{v.street}{surname(rng)}氏{tail}",
            pick(rng, folk.companies).uscc if rng.random() < 0.3 else "", category, v.county_code,
            f"{v.county}{v.street}{1 + int(rng.random() * 200)}号", pick(rng, adults).name,
            (DAY_ONE + timedelta(days=30 + int(rng.random() * 1800))).isoformat(),
        ])  # fmt: skip
    return Table("3090010001", columns, rows)
