"""A list of 368 resources over 47 departments, named as real cities name theirs, and an index in memory over it."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.model import (
    Cadence,
    Department,
    Disposition,
    Domain,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    ResourceFormat,
    Responsibility,
    ResponsibilityList,
    ShareMethod,
    ShareType,
    SourceRef,
    Theme,
)
from catalog.search.documents import documents
from catalog.search.masks import mask_of
from catalog.search.matching import Postings, match
from catalog.search.ranking import rank
from catalog.search.shelf import Shelf
from catalog.search.thesaurus import thesaurus_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from catalog.search.matching import Matched
    from catalog.search.ranking import Ranking

HERE = Path(__file__).parent
SETS = {"P": ("姓名", "公民身份号码", "联系电话"), "E": ("企业名称", "统一社会信用代码", "法定代表人")}
COLUMNS = {
    "姓名": "name",
    "公民身份号码": "citizen_id",
    "联系电话": "phone",
    "统一社会信用代码": "uscc",
    "号牌号码": "plate_no",
    "准驾车型": "vehicle_class",
    "有效期止": "valid_until",
}
STRING = FieldType(FieldKind.STRING)


def rows(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def make_field(title: str, at: int) -> Field:
    return Field(COLUMNS.get(title, f"item_{at}"), title, STRING, key=at == 0, nullable=at > 0, lookup=at == 0)


def make_resource(row: dict[str, str], at: int, **changes: Any) -> InformationResource:
    titles = [title for part in row["fields"].split("、") for title in SETS.get(part, (part,))]
    values: dict[str, Any] = {
        "code": row["code"],
        "name": row["name"],
        "name_en": row["name_en"],
        "provider": row["department"],
        "abstract": f"本市{row['name'].removesuffix('信息')}过程中形成的数据。",
        "format": list(ResourceFormat)[at % 7],
        "share_type": list(ShareType)[at % 3],
        "share_condition": "须说明办理事项",
        "share_ground": "《条例》第三条" if at % 3 == 2 else "",
        "share_method": ShareMethod.SERVICE,
        "cadence": list(Cadence)[at % 6],
        "open": at % 5 == 0,
        "published_on": date(2020, 1, 1) + timedelta(days=at % 97),
        "disposition": Disposition.REPLACE,
        "source": SourceRef("system", "object"),
        "fields": tuple(make_field(title, at) for at, title in enumerate(titles)),
        "theme": list(Theme)[at % 16] if at % 4 == 0 else None,
    }
    return InformationResource(**{**values, **changes})


def make_list(
    resources: tuple[InformationResource, ...] | None = None,
    departments: tuple[Department, ...] | None = None,
    **changes: Any,
) -> ResponsibilityList:
    if resources is None:
        resources = tuple(make_resource(row, at) for at, row in enumerate(rows("resources.csv")))
    if departments is None:
        departments = tuple(
            Department(row["code"], row["name"], row["name_en"], "", aliases=(row["aliases"],))
            for row in rows("departments.csv")
        )
    lines = tuple(
        Responsibility(
            resource.code,
            resource.provider,
            ("*",),
            ("*",),
            "《条例》第三条",
            ShareMethod.SERVICE,
            resource.cadence,
            date(2020, 12, 31),
            Domain.GOVERNMENT if at % 4 else Domain.ECONOMIC_SOCIAL,
        )
        for at, resource in enumerate(resources)
    )
    values: dict[str, Any] = {"city": "阜阳", "title": "清单", "year": 2020, "batch": 1, "departments": departments}
    return ResponsibilityList(**{**values, "resources": resources, "responsibilities": lines, **changes})


class Memory:
    """The postings of a list in a dict: the simplest thing that does what a store promises."""

    def __init__(self, list_: ResponsibilityList) -> None:
        self.shelf, self.thesaurus = Shelf(list_), thesaurus_of(list_)
        members: dict[str, list[int]] = {}
        spellings: set[str] = set()
        for document in documents(list_, self.thesaurus):
            spellings |= document.words
            for token in document.tokens:
                members.setdefault(token, []).append(document.ordinal)
        self.masks = {token: mask_of(found, self.shelf.size) for token, found in members.items()}
        self.spellings = frozenset(spellings)

    def fetch(self, tokens: Sequence[str]) -> dict[str, int]:
        return {token: self.masks[token] for token in tokens if token in self.masks}

    def ranked(self, query: str, granted: Sequence[tuple[int, int]] = ()) -> tuple[Matched, Ranking]:
        postings = Postings(self.fetch)
        matched = match(query, self.thesaurus, postings, self.shelf.every, self.spellings)
        return matched, rank(query, matched, self.shelf, postings, granted)

    def codes(self, query: str, count: int = 5, **options: Any) -> list[str]:
        matched, ranking = self.ranked(query, **options)
        if not matched.hits:
            return []
        return [self.shelf.resources[at].code for at, _ in ranking.page(self.shelf, 0, count)]

    def names(self, query: str, count: int = 5, **options: Any) -> list[str]:
        by_code = {resource.code: resource.name for resource in self.shelf.resources}
        return [by_code[code] for code in self.codes(query, count, **options)]
