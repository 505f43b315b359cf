"""The records that departments keep about persons and what is theirs.

Column names are the field names of `demo/responsibilities.yaml`. Companies' records are `hub.demo.trades`.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from hub.demo.draw import Row, Table, money, past, pick, some, years_on
from hub.demo.people import DAY_ONE, given_name

if TYPE_CHECKING:
    from random import Random

    from hub.demo.people import Folk, Person


def population(folk: Folk, rng: Random) -> Table:
    """常住人口: one row a person, with the time of its last change and whether it has been struck off."""
    columns = (
        "citizen_id", "name", "sex", "birth_date", "nation", "household_no", "county_code", "street_code",
        "village_code", "address", "phone", "updated_at", "deleted",
    )  # fmt: skip
    rows: list[Row] = []
    for p in folk.persons:
        v = p.village
        # The last minute of updates is the evening before day one; one person in 200 has moved away or died.
        at = f"{past(rng, 700)} {7 + int(rng.random() * 11):02d}:{int(rng.random() * 60):02d}:00"
        gone = "1" if rng.random() < 0.005 else "0"
        rows.append([
            p.citizen_id, p.name, p.sex, p.birth.isoformat(), p.nation, p.household_no, v.county_code, v.street_code,
            v.code, p.address, p.phone, at, gone,
        ])  # fmt: skip
    return Table("3010010001", columns, rows)


def households(folk: Folk) -> Table:
    """户籍: one row a household, headed by its first member."""
    columns = (
        "household_no", "head_name", "head_citizen_id", "county_code", "street_code", "village_code",
        "member_count", "registered_on",
    )  # fmt: skip
    rows: list[Row] = []
    members: dict[str, int] = {}
    heads: dict[str, Person] = {}
    for p in folk.persons:
        members[p.household_no] = members.get(p.household_no, 0) + 1
        heads.setdefault(p.household_no, p)
    for number, head in heads.items():
        since = min(years_on(head.birth, 20), DAY_ONE)
        v = head.village
        rows.append([
            number, head.name, head.citizen_id, v.county_code, v.street_code, v.code, str(members[number]),
            since.isoformat(),
        ])  # fmt: skip
    return Table("3010010002", columns, rows)


def vehicles(folk: Folk, rng: Random, count: int) -> Table:
    """机动车: owners are of age; several may belong to one."""
    columns = (
        "plate", "vehicle_type", "vin", "brand", "owner_name", "owner_citizen_id", "registered_on",
        "inspection_valid_until", "status",
    )  # fmt: skip
    adults = [p for p in folk.persons if p.age >= 18]
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    rows: list[Row] = []
    for number in range(count):
        owner = pick(rng, adults)
        high, low = divmod(number, 10_000)
        since = past(rng, 4500)
        rows.append([
            f"皖K{letters[high % 24]}{low:04d}" if high < 24 else f"皖K{high:X}{low:04d}",
            pick(rng, ("K33", "K33", "K33", "K31", "H31", "M21")), f"LDEM0{number:012d}",
            pick(rng, ("江淮", "奇瑞", "比亚迪", "大众", "五菱", "长城", "吉利", "东风")),
            owner.name, owner.citizen_id, since.isoformat(),
            (DAY_ONE + timedelta(days=int(rng.random() * 720) - 30)).isoformat(),
            "A" if rng.random() < 0.96 else "E",
        ])  # fmt: skip
    return Table("3010020001", columns, rows)


def driving(folk: Folk, rng: Random, count: int) -> Table:
    """机动车驾驶证: at most one a person."""
    columns = (
        "citizen_id", "file_no", "name", "sex", "birth_date", "vehicle_class", "first_issued_on", "valid_from",
        "valid_until", "status",
    )  # fmt: skip
    adults = [p for p in folk.persons if 20 <= p.age < 75]
    rows: list[Row] = []
    for number, p in enumerate(some(rng, adults, count)):
        first = past(rng, min((p.age - 18) * 365 - 300, 9000), least=30)
        start = past(rng, min((DAY_ONE - first).days, 2100), least=1)
        rows.append([
            p.citizen_id, f"3412{number:08d}", p.name, p.sex, p.birth.isoformat(),
            pick(rng, ("C1", "C1", "C1", "C2", "C2", "B2", "A2", "D")), first.isoformat(), start.isoformat(),
            years_on(start, 10 if rng.random() < 0.3 else 6).isoformat(), "A" if rng.random() < 0.98 else "H",
        ])  # fmt: skip
    return Table("3010020002", columns, rows)


def insured(folk: Folk, rng: Random, count: int) -> Table:
    """参保人员: employees at a company, everyone else among the residents."""
    columns = (
        "citizen_id", "name", "insurance_type", "employer_uscc", "insured_since", "contribution_base", "status",
        "county_code",
    )  # fmt: skip
    adults = [p for p in folk.persons if p.age >= 18]
    rows: list[Row] = []
    for p in some(rng, adults, count):
        employed = p.age < 60 and rng.random() < 0.55
        since = past(rng, max(60, min((p.age - 17) * 365, 9000)))
        rows.append([
            p.citizen_id, p.name, "10" if employed else "20", pick(rng, folk.companies).uscc if employed else "",
            since.isoformat(), money(rng, 4000, 20000) if employed else "", "3" if p.age >= 60 else "1",
            p.village.county_code,
        ])  # fmt: skip
    return Table("3030010001", columns, rows)


def pensions(folk: Folk, rng: Random, count: int) -> Table:
    """养老待遇: three months for each of a third of *count* pensioners."""
    columns = ("payment_no", "citizen_id", "name", "bank_account", "month", "amount", "paid_on")
    elders = [p for p in folk.persons if p.age >= 60]
    months = (("2025-12", "2025-12-10"), ("2026-01", "2026-01-09"), ("2026-02", "2026-02-10"))
    chosen = some(rng, elders, -(-count // len(months)))
    rows: list[Row] = []
    for month, paid_on in months:
        for number, p in enumerate(chosen):
            # No bank's card number begins with 0000.
            account = f"0000{int(p.citizen_id[6:17]) % 10**11:011d}{number % 10_000:04d}"
            amount = money(rng, 180, 4200)
            rows.append(
                [f"YL{month[:4]}{month[5:]}{number:010d}", p.citizen_id, p.name, account, month, amount, paid_on]
            )
    return Table("3030010002", columns, rows)


def real_estate(folk: Folk, rng: Random, count: int) -> Table:
    """不动产: one row a unit, one owner each."""
    columns = (
        "unit_no", "certificate_no", "owner_name", "owner_citizen_id", "co_ownership", "location", "usage", "area",
        "land_right_until", "registered_on",
    )  # fmt: skip
    adults = [p for p in folk.persons if p.age >= 20]
    rows: list[Row] = []
    for number in range(count):
        p = pick(rng, adults)
        since = past(rng, 5000)
        v = p.village
        rows.append([
            f"{v.code}GB{number // 1000:05d}F{number:08d}",
            f"皖（{since.year}）阜阳市不动产权第{number:07d}号", p.name, p.citizen_id,
            pick(rng, ("单独所有", "单独所有", "共同共有", "按份共有")),
            f"阜阳市{v.county}{v.street}{v.name}{1 + int(rng.random() * 40)}幢{1 + int(rng.random() * 18)}层",
            "住宅" if rng.random() < 0.9 else "商业服务", money(rng, 45, 220),
            years_on(since, 60).isoformat() if rng.random() < 0.8 else None, since.isoformat(),
        ])  # fmt: skip
    return Table("3050010001", columns, rows)


def accounts(folk: Folk, rng: Random, count: int) -> Table:
    """住房公积金账户: at most one a person."""
    columns = (
        "account_no", "citizen_id", "name", "employer_uscc", "opened_on", "contribution_base", "balance", "status",
    )  # fmt: skip
    adults = [p for p in folk.persons if 22 <= p.age < 60]
    rows: list[Row] = []
    for number, p in enumerate(some(rng, adults, count)):
        rows.append([
            f"3412{number:08d}", p.citizen_id, p.name, pick(rng, folk.companies).uscc,
            past(rng, 5000).isoformat(), money(rng, 4000, 20000), money(rng, 0, 190000),
            "01" if rng.random() < 0.93 else "02",
        ])  # fmt: skip
    return Table("3060010001", columns, rows)


def contributions(accounts: Table, month: str, posted_on: date) -> Table:
    """One *month*'s contribution to every second account, posted on one day."""
    columns = ("record_no", "account_no", "citizen_id", "month", "amount", "posted_on")
    account_no, citizen_id = accounts.index("account_no"), accounts.index("citizen_id")
    base = accounts.index("contribution_base")
    rows: list[Row] = [
        [
            f"GJ{month[:4]}{month[5:]}{number:010d}", row[account_no], row[citizen_id], month,
            f"{float(row[base] or 0) * 0.24:.2f}", posted_on.isoformat(),
        ]
        for number, row in enumerate(accounts.rows)
        if number % 2 == 0
    ]  # fmt: skip
    return Table("3060010002", columns, rows)


def machine_licences(folk: Folk, rng: Random, count: int) -> Table:
    """拖拉机和联合收割机驾驶证: at most one a person."""
    columns = (
        "licence_no", "citizen_id", "name", "sex", "machine_class", "first_issued_on", "valid_from", "valid_until",
        "county_code",
    )  # fmt: skip
    drivers = [p for p in folk.persons if 20 <= p.age < 70]
    rows: list[Row] = []
    for number, p in enumerate(some(rng, drivers, count)):
        first = past(rng, min((p.age - 18) * 365 - 300, 5000), least=30)
        start = past(rng, min((DAY_ONE - first).days, 2100))
        rows.append([
            f"皖K{number:08d}", p.citizen_id, p.name, p.sex, pick(rng, ("R", "R", "S", "G1", "G2", "K1")),
            first.isoformat(), start.isoformat(), years_on(start, 6).isoformat(), p.village.county_code,
        ])  # fmt: skip
    return Table("3070010001", columns, rows)


def machines(folk: Folk, rng: Random, count: int) -> Table:
    """农业机械: each with its owner."""
    columns = (
        "plate", "machine_type", "model", "owner_name", "owner_citizen_id", "registered_on", "inspection_valid_until",
    )  # fmt: skip
    kinds = (("联合收割机", "4LZ-6.0"), ("轮式拖拉机", "LX-1204"), ("手扶拖拉机", "DF-151"), ("履带拖拉机", "YCH-902"))
    adults = [p for p in folk.persons if p.age >= 20]
    rows: list[Row] = []
    for number in range(count):
        p = pick(rng, adults)
        kind, model = pick(rng, kinds)
        rows.append([
            f"皖12{number:06d}", kind, model, p.name, p.citizen_id, past(rng, 4000).isoformat(),
            (DAY_ONE + timedelta(days=int(rng.random() * 400) - 40)).isoformat(),
        ])  # fmt: skip
    return Table("3070010002", columns, rows)


def pupils(folk: Folk, rng: Random, schools: Table, count: int) -> Table:
    """学籍: children of 6 to 17, each in one of *schools*."""
    columns = ("pupil_no", "citizen_id", "name", "sex", "school_code", "grade", "class_no", "enrolled_on")
    children = [p for p in folk.persons if 6 <= p.age < 18]
    rows: list[Row] = []
    for p in some(rng, children, count):
        grade = min(p.age - 5, 12)
        rows.append([
            f"G{p.citizen_id}", p.citizen_id, p.name, p.sex, pick(rng, schools.rows)[0], str(grade),
            str(1 + int(rng.random() * 8)), f"{DAY_ONE.year - grade}-09-01",
        ])  # fmt: skip
    return Table("3080010002", columns, rows)


def births(folk: Folk, rng: Random, count: int) -> Table:
    """出生医学证明: now and then without a father."""
    columns = (
        "certificate_no", "child_name", "child_sex", "born_on", "mother_name", "mother_citizen_id", "father_name",
        "father_citizen_id", "institution",
    )  # fmt: skip
    mothers = [p for p in folk.persons if p.sex == "2" and 20 <= p.age < 45]
    fathers = [p for p in folk.persons if p.sex == "1" and 22 <= p.age < 50]
    rows: list[Row] = []
    for number in range(count):
        mother = pick(rng, mothers)
        father = pick(rng, fathers) if rng.random() < 0.95 else None
        sex = "1" if rng.random() < 0.51 else "2"
        family = (father or mother).name[0]
        rows.append([
            f"Z34{number:07d}", family + given_name(rng, sex), sex, f"{past(rng, 360):%Y%m%d}", mother.name,
            mother.citizen_id, father.name if father else "", father.citizen_id if father else "",
            f"{mother.village.county}妇幼保健院",
        ])  # fmt: skip
    return Table("3090020001", columns, rows)


def elders(folk: Folk, rng: Random, count: int) -> Table:
    """老年人优待证: at most one a person over 60."""
    columns = ("card_no", "citizen_id", "name", "sex", "birth_date", "level", "county_code", "issued_on")
    rows: list[Row] = []
    for number, p in enumerate(some(rng, [p for p in folk.persons if p.age >= 60], count)):
        level = "80" if p.age >= 80 else "70" if p.age >= 70 else "60"
        since = years_on(p.birth, int(level))
        on = since + timedelta(days=int(rng.random() * max(1, (DAY_ONE - since).days)))
        rows.append([
            f"LN{p.village.county_code}{number:06d}", p.citizen_id, p.name, p.sex, p.birth.isoformat(), level,
            p.village.county_code, on.isoformat(),
        ])  # fmt: skip
    return Table("3120010001", columns, rows)


def marriages(folk: Folk, rng: Random, count: int) -> Table:
    """婚姻登记: marriages (IA) and divorces (IB)."""
    columns = (
        "registration_no", "type", "registered_on", "male_name", "male_citizen_id", "female_name",
        "female_citizen_id", "authority", "updated_at",
    )  # fmt: skip
    men = [p for p in folk.persons if p.sex == "1" and p.age >= 24]
    women = [p for p in folk.persons if p.sex == "2" and p.age >= 22]
    rows: list[Row] = []
    for number in range(count):
        man, woman = pick(rng, men), pick(rng, women)
        on = past(rng, 600)
        kind = "IA" if rng.random() < 0.75 else "IB"
        rows.append([
            f"{'J' if kind == 'IA' else 'L'}{man.village.county_code}-{on.year}-{number:06d}", kind, on.isoformat(),
            man.name, man.citizen_id, woman.name, woman.citizen_id, f"{man.village.county}民政局婚姻登记处",
            f"{on} {9 + int(rng.random() * 8):02d}:{int(rng.random() * 60):02d}:00",
        ])  # fmt: skip
    return Table("3120020001", columns, rows)


def bus_cards(elders: Table, rng: Random) -> Table:
    """老年公交优待卡: for most of those who hold a senior card."""
    columns = ("card_no", "citizen_id", "name", "benefit", "issued_on", "valid_until", "status")
    level, issued = elders.index("level"), elders.index("issued_on")
    rows: list[Row] = []
    for number, elder in enumerate(elders.rows):
        if rng.random() < 0.3:
            continue
        on = date.fromisoformat(elder[issued] or "")
        on = min(on + timedelta(days=1 + int(rng.random() * 90)), DAY_ONE - timedelta(days=1))
        rows.append([
            f"34120000{number:08d}", elder[1], elder[2], "半价" if elder[level] == "60" else "免费", on.isoformat(),
            years_on(max(on, DAY_ONE - timedelta(days=700)), 5).isoformat(), "1" if rng.random() < 0.97 else "2",
        ])  # fmt: skip
    return Table("3130010001", columns, rows)
