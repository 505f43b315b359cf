"""How many governed calls a second, beside peers that govern nothing, on the same cores in the same run.

    python bench/invocation.py [--quick] [--rows N] [--runs N] [--seconds S] [--workers N] [--only NAME ...]

One resource of --rows rows and 12 fields (three of them masked by its grant) is served by `zhengtong serve`: every call
is authenticated, decided, masked, recorded durably and answered with a signed receipt.

- query_one: one record by its key, caller known by a bearer key; query_one_signed: the same, each request signed by
  RFC 9421 with Ed25519 and a nonce of its own; query_10, query_100, query_500: as many records in one call;
  verify: three claims about one record.
- Peers: FastAPI + asyncpg (uvicorn, uvloop, httptools, as many processes as ours) and a compiled server (Go's net/http
  with pgx, bench/peers/go, built if `go` is there), each on the same rows in PostgreSQL with an index on the key. They
  check nobody, mask nothing, record nothing.
- per_core: calls for each second of processor time that our server processes took.
- p99: of calls sent at half the rate that was reached, whether or not the ones before were answered.

The generator runs on the same cores, one process, the same for all. Peers that need asyncpg find it on the path or in
the folders of ZHENGTONG_BENCH_PEERS. The last line is JSON; a ratio above 1 means that ours is faster.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

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
from hub.signing import keyfiles, requests
from warehouse.engine import ROWS_PER_FILE, Warehouse
from warehouse.staging import StagedBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hub.signing.algorithms import PrivateKey

REPOSITORY = Path(__file__).resolve().parent.parent
PEERS_ENV = "ZHENGTONG_BENCH_PEERS"
CODE, MATTER, OWNER, CALLER = "302010/000001", "M1", "GA", "RS"
CONNECTIONS = 64
FIRST_GUESS = 8_000  # calls a second: so many requests are made before they are sent
HOST = "bench.invalid"
_LENGTH = re.compile(rb"content-length: ([0-9]+)")
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
PEER = """
import os
from contextlib import asynccontextmanager
import asyncpg
from fastapi import FastAPI
from pydantic import BaseModel

class Asked(BaseModel):
    keys: list[str]

@asynccontextmanager
async def lifespan(app):
    async with asyncpg.create_pool(host=os.environ["PEER_HOST"], user="zhengtong", database="postgres",
                                   min_size=8, max_size=32) as app.state.pool:
        yield

app = FastAPI(lifespan=lifespan)

@app.post("/query")
async def query(asked: Asked):
    rows = await app.state.pool.fetch("SELECT * FROM people WHERE citizen_id = ANY($1)", asked.keys)
    return [dict(row) for row in rows]
"""


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


# --- requests ------------------------------------------------------------------------------------------------------


def http(path: str, body: bytes, headers: Sequence[str] = ()) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def ours(city: City, draw: random.Random, size: int) -> bytes:
    keys: Any = [{"citizen_id": key_of(draw.randrange(city.rows))} for _ in range(size)]
    plain = {
        "keys": keys[0] if size == 1 else keys,
        "purpose": {"matter": MATTER, "case": "BJ-2026-1", "operator": "01"},
    }
    return http(f"/v1/resources/{CODE}:query", json.dumps(plain).encode(), [f"Authorization: Bearer {city.key}"])


def signed(city: City, draw: random.Random) -> bytes:
    """A request with a signature of its own: made before it is sent, and taken for 300 seconds."""
    keys = {"citizen_id": key_of(draw.randrange(city.rows))}
    body = json.dumps({"keys": keys, "purpose": {"matter": MATTER, "case": "BJ-2026-1", "operator": "01"}}).encode()
    path = f"/v1/resources/{CODE}:query"
    message = requests.Message("POST", "http", HOST, path, (("content-type", "application/json"),), body)
    fields = requests.sign(message, city.signer, created=datetime.now(UTC))
    return http(path, body, [f"{name}: {value}" for name, value in fields.items()])


def verification(city: City, draw: random.Random) -> bytes:
    number = draw.randrange(city.rows)
    plain = {
        "keys": {"citizen_id": key_of(number)},
        "claims": {"sex": "男" if number % 2 == 0 else "女", "ethnicity": "汉", "married": number % 3 == 0},
        "purpose": {"matter": MATTER, "case": "BJ-2026-1", "operator": "01"},
    }
    return http(f"/v1/resources/{CODE}:verify", json.dumps(plain).encode(), [f"Authorization: Bearer {city.key}"])


def peers(rows: int, size: int, draw: random.Random) -> bytes:
    return http("/query", json.dumps({"keys": [key_of(draw.randrange(rows)) for _ in range(size)]}).encode())


# --- the generator -------------------------------------------------------------------------------------------------


@dataclass
class Load:
    """What one measurement saw: *calls* in *seconds*, how long each took, how much processor the server took."""

    calls: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    failed: int = 0
    waits: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds

    def percentile(self, share: float) -> float:
        """The wait, in milliseconds, that the *share* of calls did not pass."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3


class Connection(asyncio.Protocol):
    """One connection of the generator: a request, its answer, the next; bytes are looked at as little as is needed."""

    def __init__(self, done: Callable[[Connection, bool], None]) -> None:
        self._done = done
        self._got = b""
        self._missing = -1
        self._ok = False
        self.idle = True
        self.began = 0.0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]  # of a stream it is one

    def send(self, request: bytes, began: float) -> None:
        """Send *request*, whose wait counts from *began*."""
        self.idle = False
        self.began = began
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Count down to the end of the answer."""
        if self._missing < 0:
            self._got += data
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._got[:end].lower()
            self._ok = head.startswith(b"http/1.1 200")
            found = _LENGTH.search(head)
            if found is None:  # chunked, of which only Go's server makes use
                if not self._got.endswith(b"0\r\n\r\n"):
                    return
                self._missing = 0
            else:
                self._missing = int(found[1]) - (len(self._got) - end - 4)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._got, self._missing, self.idle = b"", -1, True
            self._done(self, self._ok)

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends before its answer does has failed, unless the measurement was over."""
        if not self.idle and exc is not None:
            self._done(self, False)


async def closed_loop(address: tuple[str, int], requests: Sequence[bytes], seconds: float) -> Load:
    """Each connection sends its next request when the last is answered, for *seconds*."""
    load, loop = Load(), asyncio.get_running_loop()
    position, over = 0, loop.create_future()
    begin = time.perf_counter()
    end = begin + seconds

    def done(connection: Connection, ok: bool) -> None:  # noqa: FBT001 - a callback
        nonlocal position
        now = time.perf_counter()
        load.calls += 1
        load.failed += not ok
        load.waits.append(now - connection.began)
        if now >= end or position >= len(requests):
            if not over.done() and (now >= end or all(one.idle for one in connections)):
                over.set_result(None)
            return
        connection.send(requests[position], now)
        position += 1

    connections = []
    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(lambda: Connection(done), *address)
        connections.append(connection)
    for connection in connections:
        connection.send(requests[position], time.perf_counter())
        position += 1
    await over
    load.seconds = time.perf_counter() - begin
    for connection in connections:
        connection.transport.abort()
    return load


async def open_loop(address: tuple[str, int], requests: Sequence[bytes], rate: float) -> Load:
    """A request every 1/*rate* seconds whatever becomes of the others; waits count from when it was due."""
    load, loop = Load(), asyncio.get_running_loop()
    free: list[Connection] = []
    waiting: list[tuple[bytes, float]] = []
    over = loop.create_future()

    def done(connection: Connection, ok: bool) -> None:  # noqa: FBT001 - a callback
        load.calls += 1
        load.failed += not ok
        load.waits.append(time.perf_counter() - connection.began)
        if waiting:
            connection.send(*waiting.pop(0))
        else:
            free.append(connection)
        if load.calls == len(requests) and not over.done():
            over.set_result(None)

    for _ in range(CONNECTIONS):
        _, connection = await loop.create_connection(lambda: Connection(done), *address)
        free.append(connection)
    begin = time.perf_counter()
    for number, request in enumerate(requests):
        due = begin + number / rate
        delay = due - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        elif number % 16 == 0:
            await asyncio.sleep(0)
        if free:
            free.pop().send(request, due)
        else:
            waiting.append((request, due))
    await over
    load.seconds = time.perf_counter() - begin
    for connection in free:
        connection.transport.abort()
    return load


# --- servers -------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes(pid: int) -> list[int]:
    """*pid* and all its descendants."""
    found, pending = [], [pid]
    while pending:
        one = pending.pop()
        found.append(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                pending += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def cpu_of(pids: Sequence[int]) -> float:
    """Processor seconds of *pids* and their descendants."""
    ticks = 0
    for one in {child for pid in pids for child in processes(pid)}:
        try:
            parts = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(parts[11]) + int(parts[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def served(command: Sequence[str], port: int, environ: dict[str, str]) -> Iterator[int]:
    """A server process on *port*, ready; its pid."""
    process = subprocess.Popen(command, env={**os.environ, **environ}, cwd=REPOSITORY, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"it did not start: {' '.join(command)}") from None
                time.sleep(0.1)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()


def our_server(city: City, port: int, workers: int) -> Any:  # noqa: ANN401 - a context manager
    command = [
        sys.executable,
        "-c",
        "import sys; from hub.cli import main; sys.exit(main())",
        "serve",
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    more = {"ZHENGTONG_HOME": str(city.settings.home), "ZHENGTONG_CALLS_PER_SECOND": "0"}
    return served(command, port, more)


def measure(
    name: str,
    address: tuple[str, int],
    pids: Sequence[int],
    make: Callable[[random.Random], bytes],
    options: argparse.Namespace,
) -> tuple[Load, float]:
    """The median run of *name* at full load, and the p99 at half of it (milliseconds)."""
    draw = random.Random(7)
    guess, runs = FIRST_GUESS, []
    asyncio.run(closed_loop(address, [make(draw) for _ in range(200 + CONNECTIONS)], 1.0))
    for _ in range(options.runs):
        requests = [make(draw) for _ in range(int(guess * options.seconds) + CONNECTIONS)]
        before = cpu_of(pids)
        load = asyncio.run(closed_loop(address, requests, options.seconds))
        load.cpu = cpu_of(pids) - before
        guess = max(guess, int(load.rate * 1.5))
        runs.append(load)
    runs.sort(key=lambda load: load.rate)
    best = runs[len(runs) // 2]
    if any(load.failed for load in runs):
        print(f"{name}: {sum(load.failed for load in runs)} calls were not answered with 200", file=sys.stderr)
    half = best.rate / 2
    requests = [make(draw) for _ in range(max(100, int(half * options.seconds)))]
    return best, asyncio.run(open_loop(address, requests, half)).percentile(0.99)


# --- peers ---------------------------------------------------------------------------------------------------------


def fill(socket_folder: Path, rows: int, folder: Path) -> None:
    """The same rows in PostgreSQL, with an index on the key."""
    import psycopg  # noqa: PLC0415 - only peers need it

    text = folder / "people.csv"
    with duckdb.connect(config={"threads": THREADS}) as con:
        con.execute(f"COPY ({rows_sql(0, rows)}) TO '{text}' (FORMAT csv, HEADER false)")
    kinds = {
        FieldKind.DATE: "date",
        FieldKind.BOOLEAN: "boolean",
        FieldKind.INTEGER: "bigint",
        FieldKind.DECIMAL: "numeric(12,2)",
        FieldKind.DATETIME: "timestamp",
    }
    columns = ", ".join(f"{name} {kinds.get(type_.kind, 'text')}" for name, (_, type_, _) in COLUMNS.items())
    with psycopg.connect(host=str(socket_folder), user="zhengtong", dbname="postgres", autocommit=True) as base:
        base.execute(f"CREATE TABLE people ({columns})".encode())
        with base.cursor().copy("COPY people FROM STDIN (FORMAT csv)") as copy, text.open("rb") as file:
            while chunk := file.read(1 << 20):
                copy.write(chunk)
        base.execute("CREATE UNIQUE INDEX ON people (citizen_id)")
        base.execute("VACUUM ANALYZE people")
    text.unlink()


def compiled(folder: Path) -> Path | None:
    """The compiled peer, built here; None with a sentence where it cannot be."""
    go = shutil.which("go") or "/usr/local/go/bin/go"
    source = REPOSITORY / "bench" / "peers" / "go"
    done = (
        subprocess.run(
            [go, "build", "-o", str(folder / "peer"), "."],
            cwd=source,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "auto"},
        )
        if Path(go).exists()
        else None
    )
    if done is None or done.returncode:
        print(f"no compiled peer: {done.stderr.strip()[:200] if done else 'go is not installed'}", file=sys.stderr)
        return None
    return folder / "peer"


@contextmanager
def peer_servers(rows: int, folder: Path, workers: int) -> Iterator[dict[str, tuple[int, list[int]]]]:
    """Peer → port and the pids whose processor time is its; empty where there is no PostgreSQL."""
    from tests.services import postgres  # noqa: PLC0415 - it needs the test tools

    why = postgres.missing()
    if why:
        print(f"no peers: {why}", file=sys.stderr)
        yield {}
        return
    with ExitStack() as stack:
        socket_folder = stack.enter_context(postgres.running())
        fill(socket_folder, rows, folder)
        (postmaster,) = [int(Path(socket_folder, "data", "postmaster.pid").read_text().split()[0])]
        found: dict[str, tuple[int, list[int]]] = {}
        folders = [f for f in os.environ.get(PEERS_ENV, "").split(os.pathsep) if f]
        (folder / "peer_app.py").write_text(PEER)
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "peer_app:app",
            "--port",
            str(port),
            "--workers",
            str(workers),
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--no-access-log",
            "--log-level",
            "warning",
        ]
        path = os.pathsep.join([str(folder), *folders])
        try:
            pid = stack.enter_context(served(command, port, {"PYTHONPATH": path, "PEER_HOST": str(socket_folder)}))
            found["fastapi_asyncpg"] = (port, [pid, postmaster])
        except RuntimeError as error:
            print(f"no FastAPI peer: {error}", file=sys.stderr)
        program = compiled(folder)
        if program is not None:
            port = free_port()
            words = f"host={socket_folder} user=zhengtong dbname=postgres pool_max_conns=32"
            pid = stack.enter_context(served([str(program), words, f"127.0.0.1:{port}"], port, {}))
            found["go_pgx"] = (port, [pid, postmaster])
        yield found


Loads = dict[tuple[str, str], tuple[Load, float]]


def of_ours(city: City, names: Sequence[str], options: argparse.Namespace) -> Loads:
    """Each of *names* against our server."""
    port = free_port()
    with our_server(city, port, options.workers) as pid:
        return {
            (name, OURS): measure(name, ("127.0.0.1", port), [pid], partial(MEASURES[name], city), options)
            for name in names
        }


def of_peers(sizes: Sequence[int], folder: Path, options: argparse.Namespace) -> Loads:
    """As many records in one call, asked of each peer."""
    with peer_servers(options.rows, folder, options.workers) as found:
        return {
            (str(size), peer): measure(
                f"{peer} {size}", ("127.0.0.1", port), pids, partial(peers, options.rows, size), options
            )
            for peer, (port, pids) in found.items()
            for size in sizes
        }


def told(name: str, load: Load, half: float) -> str:
    """A line of the table."""
    return (
        f"{name:26} {load.rate:10,.0f} {load.calls / load.cpu:10,.0f} {load.percentile(0.5):8.2f} "
        f"{load.percentile(0.99):8.2f} {half:9.2f}"
    )


def compared(names: Sequence[str], mine: Loads, theirs: Loads) -> dict[str, Any]:
    """The table, and the same as JSON values."""
    print(f"{'':26} {'calls/s':>10} {'per core':>10} {'p50 ms':>8} {'p99 ms':>8} {'p99 half':>9}")
    report: dict[str, Any] = {}
    for name in names:
        load, half = mine[name, OURS]
        beside = {peer: found for (size, peer), (found, _) in theirs.items() if size == str(SIZES.get(name, 1))}
        ratios = {peer: load.rate / found.rate for peer, found in beside.items()}
        report[name] = {
            "ours": round(load.rate),
            "peers": {peer: round(found.rate) for peer, found in beside.items()},
            "ratio": round(ratios[FASTAPI], 2) if FASTAPI in ratios else None,
            "unit": "calls/s",
            "per_core": round(load.calls / load.cpu),
            "peers_per_core": {peer: round(found.calls / found.cpu) for peer, found in beside.items()},
            "p99_half_load_ms": round(half, 2),
        }
        print(told(name, load, half), "", "  ".join(f"{peer} {ratio:.2f} x" for peer, ratio in ratios.items()))
    for (size, peer), (load, half) in theirs.items():
        print(told(f"{peer} {size}", load, half))
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200,000 rows, short runs: within a minute")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each run")
    parser.add_argument("--workers", type=int, default=2, help="processes of each server")
    parser.add_argument("--only", nargs="*", choices=sorted(MEASURES), help="leave the others out")
    parser.add_argument("--home", type=Path, help="keep the deployment here, or use the one that is")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.runs, options.seconds = 200_000, 1, 1.5
    names = options.only or list(MEASURES)
    with tempfile.TemporaryDirectory(prefix="zhengtong-invocation-") as name:
        folder = Path(name)
        city = opened(options.home or folder / "var", options.rows)
        mine = of_ours(city, names, options)
        theirs = of_peers(sorted({SIZES.get(one, 1) for one in names}), folder, options)
    print(json.dumps(compared(names, mine, theirs)))
    return 0


OURS, FASTAPI = "ours", "fastapi_asyncpg"
MEASURES: dict[str, Callable[[City, random.Random], bytes]] = {
    "query_one": partial(ours, size=1),
    "query_one_signed": signed,
    "query_10": partial(ours, size=10),
    "query_100": partial(ours, size=100),
    "query_500": partial(ours, size=500),
    "verify": verification,
}
SIZES = {"query_10": 10, "query_100": 100, "query_500": 500}


if __name__ == "__main__":
    sys.exit(main())
