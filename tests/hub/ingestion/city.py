"""A list of a few resources, and deployments of it over real systems."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq
import yaml

from audit.entry import Entry
from audit.log import Log
from catalog.model import (
    Cadence,
    Department,
    Disposition,
    Domain,
    Field,
    FieldKind,
    FieldType,
    InformationResource,
    Matter,
    ResourceFormat,
    Responsibility,
    ResponsibilityList,
    ShareMethod,
    ShareType,
    SourceRef,
)
from hub import loads, storing
from hub.control import Control
from hub.ingestion import Ingestion, run_here
from hub.orders import LoadOrder, Mode
from hub.publishing import publish
from hub.settings import Settings

FULL, REPLAY = LoadOrder(Mode.FULL), LoadOrder(Mode.REPLAY)


def field(name, kind=FieldKind.STRING, length=0, scale=0, **more):
    return Field(name, f"信息项{name}", FieldType(kind, length, scale), **more)


FIELDS = (
    field("no", length=12, key=True, nullable=False, lookup=True),
    field("name", length=4, nullable=False),
    field("amount", FieldKind.INTEGER),
    field("updated_at", FieldKind.DATETIME),
)


def resource(code, disposition=Disposition.REPLACE, system="base", object_="people", fields=FIELDS, **more):
    """*more*: of the source (cursor_field, deleted_field, deleted_value, options), or of the resource."""
    source = {
        name: more.pop(name) for name in ("cursor_field", "deleted_field", "deleted_value", "options") if name in more
    }
    values = {
        "code": code,
        "name": f"资源{code}",
        "name_en": code,
        "provider": "D1",
        "abstract": "测试资源",
        "format": ResourceFormat.DATABASE,
        "share_type": ShareType.CONDITIONAL,
        "share_condition": "按需",
        "share_ground": "",
        "share_method": ShareMethod.SERVICE,
        "cadence": Cadence.DAILY,
        "open": False,
        "published_on": date(2026, 1, 1),
        "disposition": disposition,
        "source": SourceRef(system, object_, **source),
        "fields": fields,
        "error_budget": 0.5,
    }
    return InformationResource(**{**values, **more})


def list_of(*resources):
    owed = (ShareMethod.SERVICE, Cadence.DAILY, date(2027, 1, 1), Domain.GOVERNMENT)
    return ResponsibilityList(
        city="测试",
        title="测试清单",
        year=2026,
        batch=1,
        departments=(
            Department("D1", "一局", "First", "11100000000013338W"),
            Department("D2", "二局", "Second", "11430000006122244L"),
        ),
        resources=resources,
        responsibilities=tuple(Responsibility(r.code, r.provider, ("*",), ("*",), "依据", *owed) for r in resources),
        matters=(Matter("M1", "事项", "Matter", "D1"),),
        office="D1",
    )


class City:
    """A deployment: its settings, the list in force, and what its loads did."""

    def __init__(self, home, systems, *resources, **environ):
        # What is no setting is a secret, kept where references look for it.
        self.settings = Settings.from_environment({"ZHENGTONG_HOME": str(home), **environ})
        self.settings.home.mkdir(parents=True, exist_ok=True)
        self.settings.systems_file.write_text(yaml.safe_dump({"systems": systems}), encoding="utf-8")
        self.resources = {}
        self.publish(*resources)
        self.numbers = iter(range(1_000_000))
        self.begun = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for ingestion in self.begun:
            ingestion.close()

    def publish(self, *resources):
        """Put these in force instead of those of the same code."""
        self.resources |= {r.code: r for r in resources}
        publish(self.settings, list_of(*self.resources.values()))

    def only(self):
        (code,) = self.resources
        return code

    def load(self, code="", order=None, run=""):
        code = code or self.only()
        run = run or f"run-{next(self.numbers)}"
        run_here(self.settings, code, run, order)
        return self.report(run)

    def begin(self, code="", run="run", order=None):
        self.begun.append(Ingestion(self.settings, code or self.only(), run, order or LoadOrder()))
        return self.begun[-1]

    def report(self, run):
        control = Control.attach(self.settings)
        try:
            (found,) = loads.of_run(control, run)
        finally:
            control.close()
        return found

    def house(self):
        return storing.open_warehouse(self.settings)

    def rows(self, code="", *fields):
        with self.house() as house:
            return [tuple(row.values()) for row in house.scan(code or self.only(), fields=fields)]

    def entries(self, kind="load.committed"):
        with Log.open(self.settings.log) as log:
            found = [Entry.decode(leaf) for leaf in log.entries(0, log.size)]
        return [entry for entry in found if entry.kind == kind]


def counts(report):
    return report.inserted, report.updated, report.deleted, report.rejected


def postgres_settings(url, **more):
    """What a systems file says of the database at *url*."""
    found = urlsplit(url)
    host = parse_qs(found.query)["host"][0]
    return {"host": host, "database": found.path.strip("/"), "user": found.username, **more}


def storage_environ(minio, monkeypatch, catalog_url, control_url):
    """The settings of a deployment whose tables lie in a new bucket, and whose own tables in PostgreSQL."""
    monkeypatch.setenv("CITY_S3_ID", minio.access_key)
    monkeypatch.setenv("CITY_S3_WORD", minio.secret_key)
    return {
        "ZHENGTONG_STORAGE": f"s3://{minio.bucket()}/city",
        "ZHENGTONG_S3_ENDPOINT": f"http://{minio.endpoint}",
        "ZHENGTONG_S3_ACCESS_KEY": "env:CITY_S3_ID",
        "ZHENGTONG_S3_SECRET_KEY": "env:CITY_S3_WORD",
        "ZHENGTONG_CATALOG_URL": catalog_url,
        "ZHENGTONG_CONTROL_URL": control_url,
    }


def holding(folder, *texts):
    """The files below *folder* that hold one of *texts*: in their bytes, or as Parquet in a value of a row."""

    def held(path):
        data = path.read_bytes()
        if path.suffix == ".parquet":
            data += repr(pq.read_table(path).to_pylist()).encode()
        return any(text.encode() in data for text in texts)

    return [path for path in folder.rglob("*") if path.is_file() and held(path)]


def with_field(of, name, **changes):
    """*of* with a field changed."""
    fields = tuple(replace(f, **changes) if f.name == name else f for f in of.fields)
    return replace(of, fields=fields)
