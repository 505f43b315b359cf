"""A small real deployment: one list, one Iceberg table of five people, one grant, one caller key."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq

from catalog.application import Application, FieldWish, Less
from catalog.decide import Grant
from catalog.identifiers import make_citizen_id
from catalog.model import (
    Cadence,
    Check,
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
from hub import applications
from hub.actors import Actor
from hub.callers import issue_key
from hub.control import Control
from hub.evidence import Evidence
from hub.office import Office
from hub.settings import Settings
from tests.hub.publishing import publish_list
from warehouse.engine import Warehouse
from warehouse.staging import StagedBatch

NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
CODE = "306010/000001"  # codes hold a slash (分类码/顺序码)
EMPTY_CODE = "306010/000002"
MATTER = "SX001"
STRING = FieldType(FieldKind.STRING)
IDS = [make_citizen_id("110105", date(1990, 1, day), 10 * day) for day in range(1, 6)]
ABSENT = make_citizen_id("110105", date(1999, 9, 9), 99)
PEOPLE = [
    # id, name, birth, address, married, income, household
    (IDS[0], "张三", "1990-01-01", "北京市朝阳区某街 1 号", "是", "1200.50", "H1"),
    (IDS[1], "欧阳四", "1990-01-02", "北京市海淀区某街 2 号", "否", "8.00", "H1"),
    (IDS[2], "王五", "1990-01-03", None, None, None, "H2"),
    (IDS[3], "ＡＢＣ 有限", "1990-01-04", "x", "是", "0.10", "H2"),
    (IDS[4], "赵六", "1990-01-05", "北京市西城区某路", "否", "99999999.99", "H2"),
]
COLUMNS = ("citizen_id", "name", "birth", "address", "married", "income", "household")


def resource(code=CODE, **changes):
    values = {
        "code": code,
        "name": "人口基础信息" + code[-1],
        "name_en": "Population",
        "provider": "GA",
        "abstract": "户籍人口",
        "format": ResourceFormat.DATABASE,
        "share_type": ShareType.CONDITIONAL,
        "share_condition": "办理事项",
        "share_ground": "",
        "share_method": ShareMethod.SERVICE,
        "cadence": Cadence.DAILY,
        "open": False,
        "published_on": date(2026, 1, 1),
        "disposition": Disposition.REPLACE,
        "source": SourceRef("ga-secret-system", "people.csv"),
        "fields": (
            Field(
                "citizen_id",
                "公民身份号码",
                FieldType(FieldKind.STRING, 18),
                key=True,
                nullable=False,
                lookup=True,
                grade=3,
                mask=Mask.CITIZEN_ID,
                check=Check.CITIZEN_ID,
            ),
            Field("name", "姓名", STRING),
            Field("birth", "出生日期", FieldType(FieldKind.DATE), lookup=True),
            Field("address", "住址", STRING),
            Field("married", "是否已婚", FieldType(FieldKind.BOOLEAN)),
            Field("income", "收入", FieldType(FieldKind.DECIMAL, 12, 2)),
            Field("household", "户号", STRING, lookup=True),
        ),
    }
    return InformationResource(**{**values, **changes})


def make_list(**changes):
    values = {
        "city": "示例市",
        "title": "示例市数据共享责任清单",
        "year": 2026,
        "batch": 1,
        "departments": (
            Department("GA", "公安局", "Public Security", "11100000000013338W"),
            Department("RS", "人力资源和社会保障局", "Human Resources", "11430000006122244L"),
            Department("MZ", "民政局", "Civil Affairs", "11100000000013338W"),
        ),
        "resources": (resource(), resource(EMPTY_CODE)),
        "responsibilities": tuple(
            Responsibility(
                code,
                "GA",
                ("RS",),
                ("*",),
                "《办法》第三条",
                ShareMethod.SERVICE,
                Cadence.DAILY,
                date(2026, 6, 1),
                Domain.GOVERNMENT,
            )
            for code in (CODE, EMPTY_CODE)
        ),
        "matters": (
            Matter(MATTER, "退休审批", "Retirement", "RS"),
            Matter("SX002", "失业登记", "Unemployment", "RS"),
        ),
    }
    return ResponsibilityList(**{**values, **changes})


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


def make_grant(list_, **changes):
    values = {
        "id": "G1",
        "consumer": "RS",
        "resource": CODE,
        "fields": ("citizen_id", "name", "birth", "married", "income", "household"),
        "masks": (("name", Mask.SURNAME),),
        "purposes": (MATTER,),
        "actions": ("query", "verify"),
        "starts": NOW - timedelta(days=1),
        "expires": NOW + timedelta(days=30),
        "list_version": list_.version,
        "ground": "《办法》第三条",
    }
    return Grant(**{**values, **changes})


@contextmanager
def named(identifier):
    """Let the next grant have an identifier that tests can write down."""
    from hub.cases import Transaction

    original = Transaction.new_identifier

    def name(transaction, mark):
        return identifier if mark == "G" else original(transaction, mark)

    with mock.patch.object(Transaction, "new_identifier", name):
        yield


def give(settings, control, evidence, grant):
    """Get *grant* as its consumer would: apply on the day it starts, and let its provider agree to just that.

    Gives back the grant that holds then: it names its application, and is equal to *grant* otherwise.
    """
    office = Office.over(settings, control, evidence)
    provider = office.list_.by_code[grant.resource].provider
    application = Application(
        applicant=grant.consumer,
        resource=grant.resource,
        purposes=grant.purposes,
        fields=tuple(FieldWish(name, "办理事项所需", "专人专用，用后即删") for name in grant.fields),
        actions=grant.actions,
        rows=grant.rows,
        volume_per_day=grant.quota_per_day,
        term_days=(grant.expires - grant.starts).days,
        ground=grant.ground,
    )
    clock, evidence.clock = evidence.clock, lambda: grant.starts
    try:
        with named(grant.id):
            case = applications.apply(office, application, actor=Actor(grant.consumer, "data-officer"))
            if case.open:
                less = Less(masks=grant.masks)
                case = applications.approve(office, case.id, actor=Actor(provider, "reviewer"), less=less)
    finally:
        evidence.clock = clock
    return applications.grants.get(control, case.value["grant"]).grant


def end(settings, control, evidence, grant, reason="不再需要"):
    """Revoke *grant* as its provider would; the index of the entry."""
    office = Office.over(settings, control, evidence)
    return applications.grants.revoke(office, grant, actor=Actor("GA", "reviewer"), reason=reason).ended_log_index


def stage(folder, people=PEOPLE, name="staged.parquet"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    columns = {"_line": pa.array(range(1, len(people) + 1), pa.int64())}
    for position, column in enumerate(COLUMNS):
        columns[column] = pa.array([person[position] for person in people], pa.string())
    pq.write_table(pa.table(columns), path, compression="zstd")
    return StagedBatch(path, "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest(), len(people))


def load_people(settings, people=PEOPLE, which=None, name="staged.parquet"):
    which = which or resource()
    with Warehouse(settings.warehouse) as warehouse:
        warehouse.ensure(which)
        staged = stage(settings.staging, people, name)
        checked = warehouse.check(which, staged, settings.staging, now=NOW)
        committed = warehouse.commit(which, staged, checked)
        warehouse.build_index(which, committed.snapshot_id)
    return committed.snapshot_id


@dataclass
class World:
    settings: object
    clock: Clock
    list: ResponsibilityList
    grant: Grant
    key: str
    snapshot: int


def build(settings):
    """Publish, load, grant, issue; everything closed again when it returns."""
    clock, list_ = Clock(), make_list()
    control, evidence = Control.open(settings), Evidence.open(settings, clock=clock)
    try:
        publish_list(settings, control, evidence, list_, by="office")
        grant = give(settings, control, evidence, make_grant(list_))
        key = issue_key(control, evidence, list_, department="RS", name="window", by="office").key
        snapshot = load_people(settings)
    finally:
        control.close()
        evidence.log.close()
    return World(settings, clock, list_, grant, key, snapshot)


MUTABLE = ("log", "bodies", "keys", "public", "lists", "control.sqlite", "control.sqlite-wal", "control.sqlite-shm")


def copy(built, home):
    """A world of its own but for the tables: Iceberg keeps absolute paths, so that these are shared, read-only."""
    settings = Settings.at(home)
    settings.home.mkdir()
    for name in MUTABLE:
        source = built.settings.home / name
        if source.is_dir():
            shutil.copytree(source, settings.home / name)
        elif source.exists():
            shutil.copy2(source, settings.home / name)
    settings.warehouse.symlink_to(built.settings.warehouse, target_is_directory=True)
    return World(settings, Clock(), built.list, built.grant, built.key, built.snapshot)


def body(**changes):
    plain = {"keys": {"citizen_id": IDS[0]}, "purpose": {"matter": MATTER, "case": "BJ-1", "operator": "李"}}
    plain.update(changes)
    return {name: value for name, value in plain.items() if value is not None}
