"""Made-up persons, households and companies of the demonstration city, with valid check digits.

Every name is put together at random from common characters; nothing is taken from a register. Which records the
departments keep about them is `hub.demo.tables`, and the faults in those records are `hub.demo.faults`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.identifiers import make_citizen_id, make_uscc, org_code_check_char

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

CITY_CODE = "3412"
# The divisions of the city that issue citizen ids. 341271 and 341272 exist for statistics alone.
COUNTIES = ("341202", "341203", "341204", "341221", "341222", "341225", "341226", "341282")
# The day on which the city is generated as it stands; later days are `hub.demo.days`.
DAY_ONE = date(2026, 3, 2)

# Common surnames, the commoner ones more often; the doubled ones are compound surnames.
_SURNAMES: tuple[str, ...] = (
    *"王李张刘陈王李张刘陈王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕",
    "欧阳",
    "司马",
)
_GIVEN_MALE = "伟强磊军洋勇杰涛明超刚平辉鹏华飞鑫波斌宇浩凯健俊帆旭宁晨博文昊天泽轩林峰海建国志远德义"
_GIVEN_FEMALE = "芳娜敏静丽艳娟霞秀兰燕玲桂英红梅雪琳慧莹洁倩婷颖欣怡悦佳思雨梦瑶诗涵子萱月云淑珍"
# Rare characters that real registers hold and careless systems lose: GB18030 needs four bytes for each of them,
# and 𬱖 lies outside the basic plane.
_GIVEN_RARE = "㛃䶮𬱖"
_RARE_ONE_IN = 250

_NATIONS = ("01",) * 97 + ("03", "02", "06")
_COMPANY_WORDS = (
    "颍淮",
    "瑞丰",
    "皖北",
    "金禾",
    "恒泰",
    "汇源",
    "明达",
    "永兴",
    "华颍",
    "新程",
    "嘉和",
    "博远",
    "众诚",
    "安泰",
)
_COMPANY_TAILS = ("泰", "盛", "隆", "祥", "达", "通", "信", "源", "和", "顺", "康", "宏", "嘉", "锦", "鼎", "晟")
# 行业: name in the company's name, GB/T 4754 code, scope of business.
_TRADES = (
    ("商贸", "5299", "日用百货、五金交电、农副产品销售"),
    ("建筑工程", "4710", "房屋建筑工程、市政公用工程施工"),
    ("房地产开发", "7010", "房地产开发经营"),
    ("农业科技", "0111", "农作物种植、农业技术推广服务"),
    ("木业", "2011", "木材加工、木制品销售"),
    ("苗木", "0212", "林木育苗、园林绿化苗木种植与销售"),
    ("机械制造", "3572", "农业机械及配件制造、销售"),
    ("食品", "1353", "肉制品及副产品加工、销售"),
    ("物流", "5430", "道路普通货物运输、仓储服务"),
    ("信息技术", "6510", "软件开发、信息系统集成服务"),
)
_COMPANY_TYPES = ("有限责任公司（自然人投资或控股）", "有限责任公司（自然人独资）", "其他有限责任公司")


@dataclass(frozen=True, slots=True)
class Village:
    """A real village or community of the city, with the names of the divisions above it."""

    code: str
    street_code: str
    county_code: str
    county: str
    street: str
    name: str


@dataclass(frozen=True, slots=True)
class Person:
    """A made-up resident. *sex* is GB/T 2261.1: 1 male, 2 female."""

    citizen_id: str
    name: str
    sex: str
    birth: date
    nation: str
    household_no: str
    village: Village
    address: str
    phone: str

    @property
    def age(self) -> int:
        """Full years on `DAY_ONE`."""
        born = self.birth
        return DAY_ONE.year - born.year - ((DAY_ONE.month, DAY_ONE.day) < (born.month, born.day))


@dataclass(frozen=True, slots=True)
class Company:
    """A made-up company and its legal representative. *capital* is in 10,000 yuan."""

    uscc: str
    name: str
    representative: Person
    trade: str
    industry_code: str
    scope: str
    type: str
    capital: int
    established: date
    village: Village
    domicile: str


@dataclass(frozen=True, slots=True)
class Folk:
    """All persons and companies of one city, in the order in which they were made."""

    villages: tuple[Village, ...]
    persons: tuple[Person, ...]
    companies: tuple[Company, ...]


def load_villages(divisions: Path) -> tuple[Village, ...]:
    """The real villages of the counties in `COUNTIES`, from the folder of division files, in code order."""
    counties = _names(divisions / "areas.csv")
    streets = _names(divisions / "streets.csv")
    table = pq.read_table(
        divisions / "villages.parquet", columns=["code", "name", "streetCode", "areaCode", "cityCode"]
    )
    rows = table.filter(pc.equal(table["cityCode"], CITY_CODE)).sort_by("code").to_pylist()
    return tuple(
        Village(r["code"], r["streetCode"], r["areaCode"], counties[r["areaCode"]], streets[r["streetCode"]], r["name"])
        for r in rows
        if r["areaCode"] in COUNTIES
    )


def _names(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["code"]: row["name"] for row in csv.DictReader(file) if row["code"].startswith(CITY_CODE)}


def make_folk(rng: Random, villages: tuple[Village, ...], persons: int, companies: int) -> Folk:
    """Make *persons* people in households and *companies* companies; the same generator state, the same folk."""
    people = _make_persons(rng, villages, persons)
    adults = [p for p in people if p.age >= 22]
    return Folk(villages, people, _make_companies(rng, villages, adults, companies))


def given_name(rng: Random, sex: str) -> str:
    """One or two characters, now and then a rare one."""
    pool = _GIVEN_MALE if sex == "1" else _GIVEN_FEMALE
    name = "".join(pool[int(rng.random() * len(pool))] for _ in range(1 if rng.random() < 0.3 else 2))
    if rng.random() * _RARE_ONE_IN < 1:
        name = name[:-1] + _GIVEN_RARE[int(rng.random() * len(_GIVEN_RARE))]
    return name


def surname(rng: Random) -> str:
    """One of the common surnames, the commonest more often."""
    return _SURNAMES[int(rng.random() * len(_SURNAMES))]


def _make_persons(rng: Random, villages: tuple[Village, ...], count: int) -> tuple[Person, ...]:
    people: list[Person] = []
    sequences: dict[tuple[str, date], int] = {}
    household = 0
    while len(people) < count:
        household += 1
        village = villages[int(rng.random() * len(villages))]
        address = f"阜阳市{village.county}{village.street}{village.name}{1 + int(rng.random() * 299)}号"
        family = surname(rng)
        for member in range(min(1 + int(rng.random() * 5), count - len(people))):
            sex = "1" if rng.random() < 0.51 else "2"
            # Heads of households are grown up; everyone else is between newborn and ninety.
            years = 22 + rng.random() * 66 if member == 0 else rng.random() * 90
            born = DAY_ONE - timedelta(days=int(years * 365.2425) + 1)
            # The third digit of the sequence is odd for men and even for women (GB 11643 §4.4).
            step = sequences[village.county_code, born] = sequences.get((village.county_code, born), 0) + 1
            people.append(
                Person(
                    citizen_id=make_citizen_id(village.county_code, born, 2 * step + (1 if sex == "1" else 0)),
                    name=(family if member == 0 or rng.random() < 0.7 else surname(rng)) + given_name(rng, sex),
                    sex=sex,
                    birth=born,
                    nation=_NATIONS[int(rng.random() * len(_NATIONS))],
                    household_no=f"34{household:07d}",
                    village=village,
                    address=address,
                    # No mobile number begins with 100: nobody can be rung up by mistake.
                    phone=f"100{int(rng.random() * 1e8):08d}",
                )
            )
    return tuple(people)


def _make_companies(
    rng: Random, villages: tuple[Village, ...], adults: list[Person], count: int
) -> tuple[Company, ...]:
    companies: list[Company] = []
    for number in range(1, count + 1):
        village = villages[int(rng.random() * len(villages))]
        trade, industry, scope = _TRADES[int(rng.random() * len(_TRADES))]
        word = _COMPANY_WORDS[int(rng.random() * len(_COMPANY_WORDS))] + rng.choice(_COMPANY_TAILS)
        # Organisation codes that begin with DE are the generator's own series.
        body8 = f"DE{number:06d}"
        companies.append(
            Company(
                uscc=make_uscc(f"91{village.county_code}{body8}{org_code_check_char(body8)}"),
                name=f"阜阳{word}{trade}有限公司",
                representative=adults[int(rng.random() * len(adults))],
                trade=trade,
                industry_code=industry,
                scope=scope,
                type=_COMPANY_TYPES[int(rng.random() * len(_COMPANY_TYPES))],
                capital=(10, 50, 100, 200, 500, 1000, 3000, 5000)[int(rng.random() * 8)],
                established=DAY_ONE - timedelta(days=60 + int(rng.random() * 9000)),
                village=village,
                domicile=f"安徽省阜阳市{village.county}{village.street}{1 + int(rng.random() * 399)}号",
            )
        )
    return tuple(companies)
