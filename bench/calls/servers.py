"""Starts servers: ours, and peers on the same rows in PostgreSQL; each as processes whose processor time is known."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from bench.calls.city import COLUMNS, THREADS, City, rows_sql
from catalog.model import FieldKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parent.parent.parent
PEERS_ENV = "ZHENGTONG_BENCH_PEERS"
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
