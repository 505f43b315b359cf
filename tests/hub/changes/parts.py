"""A small resource whose rows come, go and move between counties, and a follower that applies what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from catalog.decide import AccessRequest, Grant, decide
from catalog.model import (
    Cadence,
    Department,
    Disposition,
    Domain,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    Mask,
    Matter,
    ResourceFormat,
    Responsibility,
    ResponsibilityList,
    ShareMethod,
    ShareType,
    SourceRef,
)
from catalog.rows import parse_rule
from hub.changes.cursor import Position, Sealer
from hub.changes.events import DELETE, INSERT, UPDATE, Viewer
from tests.warehouse.conftest import Loader

NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
CODE = "306010/000009"
TEXT = FieldType(FieldKind.STRING)
MASK_KEY = b"m" * 32
SEALER = Sealer(bytes(range(64)))


def houses(disposition=Disposition.REPLACE, **changes):
    values = {
        "code": CODE,
        "name": "房屋登记信息",
        "name_en": "Houses",
        "provider": "GA",
        "abstract": "房屋",
        "format": ResourceFormat.DATABASE,
        "share_type": ShareType.CONDITIONAL,
        "share_condition": "办理事项",
        "share_ground": "",
        "share_method": ShareMethod.SERVICE,
        "cadence": Cadence.DAILY,
        "open": False,
        "published_on": date(2026, 1, 1),
        "disposition": disposition,
        "source": SourceRef("s", "o"),
        "fields": (
            Field("number", "编号", TEXT, key=True, nullable=False, lookup=True),
            Field("county", "县", TEXT),
            Field("owner", "产权人", TEXT),
            Field("area", "面积", FieldType(FieldKind.DECIMAL, 9, 2)),
            Field("secret", "备注", TEXT),
        ),
        "error_budget": 0.9,
    }
    return InformationResource(**{**values, **changes})


def list_of(*resources):
    return ResponsibilityList(
        city="示例市",
        title="示例市数据共享责任清单",
        year=2026,
        batch=1,
        departments=(
            Department("GA", "公安局", "Public Security", "11100000000013338W"),
            Department("RS", "人力资源和社会保障局", "Human Resources", "11430000006122244L"),
        ),
        resources=resources,
        responsibilities=tuple(
            Responsibility(
                one.code,
                "GA",
                ("RS",),
                ("*",),
                "《办法》第三条",
                ShareMethod.SERVICE,
                Cadence.DAILY,
                date(2026, 6, 1),
                Domain.GOVERNMENT,
            )
            for one in resources
        ),
        matters=(Matter("SX001", "退休审批", "Retirement", "RS"),),
    )


def grant(**changes):
    values = {
        "id": "G1",
        "consumer": "RS",
        "resource": CODE,
        "fields": ("number", "county", "owner", "area"),
        "masks": (("owner", Mask.SURNAME),),
        "purposes": ("SX001",),
        "actions": ("subscribe",),
        "starts": NOW - timedelta(days=1),
        "expires": NOW + timedelta(days=300),
        "list_version": "",
        "ground": "《办法》第三条",
    }
    return Grant(**{**values, **changes})


def decision(resource, *, rows=(), fields=(), **changes):
    given = grant(rows=tuple(parse_rule(rule) for rule in rows), **changes)
    request = AccessRequest("RS", resource.code, "subscribe", fields, (), "SX001")
    found = decide(request, list_of(resource), [given], NOW)
    assert found.allowed, found.reasons
    return found


def viewer(resource, made):
    return Viewer(resource, made, department="RS", sealer=SEALER, mask_key=MASK_KEY)


class Houses:
    """A warehouse with one resource; each load is the whole of it."""

    def __init__(self, root, resource=None):
        self.resource = resource or houses()
        self.loader = Loader(root)
        self.house = self.loader.house

    def load(self, rows):
        """*rows*: number → (county, owner, area, secret)."""
        self.loader.load(self.resource, [(number, *values) for number, values in sorted(rows.items())])

    def shown(self, made):
        """The rows in force as a query under the decision *made* would show them, by their numbers."""
        seen = viewer(self.resource, made)
        rows = self.house.scan(self.resource.code)
        return {row["number"]: seen.shown(row, seen.visible(row)) for row in rows if seen.visible(row) is not None}

    def end(self, reader):
        return reader.end(CODE, Position("", 0, 0, "G1", ""), NOW)


@dataclass
class Follower:
    """Holds rows by the names that it is told, and applies events without looking at anything else."""

    rows: dict = field(default_factory=dict)
    seen: list = field(default_factory=list)

    def apply(self, events):
        for event in events:
            self.seen.append(event.id)
            if event.kind in (INSERT, UPDATE):
                self.rows[event.record] = dict(event.content)
            elif event.kind == DELETE:
                self.rows.pop(event.record, None)

    @classmethod
    def at(cls, made, shown):
        """One that took everything by a batch, whose records it can name as the hub does."""
        seen = viewer(houses(), made)
        names = {number: seen._sealer.record_id("RS", CODE, {"number": number}) for number in shown}
        return cls({names[number]: content for number, content in shown.items()})

    def holds(self, shown):
        return sorted(map(repr, self.rows.values())) == sorted(map(repr, shown.values()))
