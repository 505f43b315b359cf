"""A deployment: a resource of 12 fields and any number of rows, a caller with a bearer key, a system with its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import duckdb

from catalog.application import Application, FieldWish, Less
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
from hub import applications, clients
from hub.actors import Actor
from hub.callers import issue_key
from hub.office import Office
from hub.publishing import publish
from hub.settings import Settings
from hub.signing import keyfiles
from warehouse.engine import ROWS_PER_FILE, Warehouse
from warehouse.staging import StagedBatch

if TYPE_CHECKING:
    from pathlib import Path

    from hub.signing.algorithms import PrivateKey

CODE, MATTER, OWNER, CALLER = "302010/000001", "M1", "GA", "RS"
THREADS = min(os.cpu_count() or 1, 4)
STRING = FieldType(FieldKind.STRING)
# name → (SQL over i, type, mask of the grant)
COLUMNS: dict[str, tuple[str, FieldType, Mask]] = {
    "citizen_id": ("printf('%018d', i)", FieldType(FieldKind.STRING, 18), Mask.NONE),
    "name": ("'公民' || hash(i) % 100000", STRING, Mask.SURNAME),
    "phone": ("printf('1%010d', hash(i) % 10000000000)", STRING, Mask.KEEP_LAST_4),
    "birth": ("DATE '1950-01-01' + CAST(i % 20000 AS INTEGER)", FieldType(FieldKind.DATE), Mask.NONE),
    "household": ("printf('H%09d', i // 4)", STRING, Mask.NONE),
    "address": ("'示例市第' || i % 1000 || '街 ' || i % 97 || ' 号'", STRING, Mask.REDACT),
    "ethnicity": ("'汉'", STRING, Mask.NONE),
    "sex": ("CASE WHEN i % 2 = 0 THEN '男' ELSE '女' END", STRING, Mask.NONE),
    "married": ("i % 3 = 0", FieldType(FieldKind.BOOLEAN), Mask.NONE),
    "points": ("CAST(hash(i) % 1000 AS BIGINT)", FieldType(FieldKind.INTEGER), Mask.NONE),
    "income": ("CAST(hash(i) % 10000000 / 100 AS DECIMAL(12,2))", FieldType(FieldKind.DECIMAL, 12, 2), Mask.NONE),
    "changed": ("TIMESTAMP '2026-01-01'", FieldType(FieldKind.DATETIME), Mask.NONE),
}


def resource() -> InformationResource:
    return InformationResource(
        code=CODE,
        name="人口基础信息",
        name_en="Population",
        provider=OWNER,
        abstract="人口基础信息",
        format=ResourceFormat.DATABASE,
        share_type=ShareType.CONDITIONAL,
        share_condition="办理事项",
        share_ground="",
        share_method=ShareMethod.SERVICE,
        cadence=Cadence.DAILY,
        open=False,
        published_on=date(2026, 1, 1),
        disposition=Disposition.REPLACE,
        source=SourceRef("s", "o"),
        fields=tuple(
            Field(
                name,
                name,
                type_,
                key=name == "citizen_id",
                nullable=name != "citizen_id",
                lookup=name in {"citizen_id", "household"},
            )
            for name, (_, type_, _) in COLUMNS.items()
        ),
    )


def city_list() -> ResponsibilityList:
    ground = "示例"
    return ResponsibilityList(
        city="示例市",
        title="示例",
        year=2026,
        batch=1,
        departments=(
            Department(OWNER, "公安局", "Public Security", "11100000000013338W"),
            Department(CALLER, "人社局", "Human Resources", "11430000006122244L"),
        ),
        resources=(resource(),),
        responsibilities=(
            Responsibility(
                CODE,
                OWNER,
                ("*",),
                ("*",),
                ground,
                ShareMethod.SERVICE,
                Cadence.DAILY,
                date(2027, 1, 1),
                Domain.GOVERNMENT,
            ),
        ),
        matters=(Matter(MATTER, "退休审批", "Retirement", CALLER),),
        office=OWNER,
    )


def rows_sql(start: int, end: int) -> str:
    chosen = ", ".join(f"{text} AS {name}" for name, (text, _, _) in COLUMNS.items())
    return f"SELECT {chosen} FROM (SELECT range AS i FROM range({start}, {end}))"


def key_of(number: int) -> str:
    return f"{number:018d}"


@dataclass
class City:
    """The deployment that is measured: its caller's bearer *key*, its system's own key as *pem*, how many *rows*."""

    settings: Settings
    key: str
    pem: str
    rows: int

    @cached_property
    def signer(self) -> PrivateKey:
        """The system's own key."""
        return keyfiles.read_private(self.pem)


def build(home: Path, rows: int) -> City:
    """Publish a list, load the table, index it, grant, admit: what `zhengtong serve` needs."""
    settings = Settings.at(home)
    publish(settings, city_list())
    with Office.open(settings) as office:
        fields = tuple(FieldWish(name, "办理事项所需", "用后即删") for name in COLUMNS)
        case = applications.apply(
            office,
            Application(
                applicant=CALLER,
                resource=CODE,
                purposes=(MATTER,),
                fields=fields,
                actions=("query", "verify"),
                term_days=365,
                ground="示例",
            ),
            actor=Actor(CALLER, "data-officer"),
        )
        masks = tuple((name, mask) for name, (_, _, mask) in COLUMNS.items() if mask is not Mask.NONE)
        if case.open:
            applications.approve(office, case.id, actor=Actor(OWNER, "reviewer"), less=Less(masks=masks))
        key = issue_key(
            office.control, office.evidence, office.list_, department=CALLER, name="window", by="office"
        ).key
        private, pem = keyfiles.generate("ed25519")
        by = Actor(OWNER, "office")
        system = clients.register(office, department=CALLER, name="own-key", contact="officer", by=by)
        proof = keyfiles.prove_possession(system.id, private)
        clients.add_key(office, system.id, private.public, proof, by=by)
    wanted = resource()
    with Warehouse(settings.warehouse) as house:
        house.ensure(wanted)
        staged = land(home / "landed", house.field_ids(wanted), rows)
        checked = house.check(wanted, staged, settings.staging, now=datetime.now(UTC))
        house.commit(wanted, staged, checked)
        house.build_index(wanted, house.current_snapshot(CODE) or 0)
    shutil.rmtree(home / "landed")
    (home / "bench.json").write_text(json.dumps({"key": key, "pem": pem, "rows": rows}))
    return City(settings, key, pem, rows)


def opened(home: Path, rows: int) -> City:
    """The deployment in *home*, built unless it is there."""
    kept = home / "bench.json"
    return City(Settings.at(home), **json.loads(kept.read_text())) if kept.exists() else build(home, rows)


def land(folder: Path, ids: dict[str, int], count: int) -> StagedBatch:
    """Parts as a connector lands them: typed, with field ids, sorted by key."""
    folder.mkdir(parents=True)
    marked = ", ".join(f"{name}: {number}" for name, number in ids.items())
    parts: list[dict[str, str | int]] = []
    with duckdb.connect(config={"threads": THREADS}) as con:
        for number, start in enumerate(range(0, count, ROWS_PER_FILE)):
            path = folder / f"part-{number:05d}.parquet"
            end = min(start + ROWS_PER_FILE, count)
            con.execute(
                f"COPY ({rows_sql(start, end)}) TO '{path}' (FORMAT parquet, COMPRESSION zstd, "
                f"COMPRESSION_LEVEL 1, PARQUET_VERSION V2, FIELD_IDS {{{marked}}})"
            )
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            parts.append({"file": path.name, "rows": end - start, "sha256": digest})
    manifest = {"format": 1, "asked": "", "done": True, "state": {}, "rows": count, "parts": parts}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    canonical = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return StagedBatch(folder, hashlib.sha256(canonical.encode()).hexdigest(), count, None)
