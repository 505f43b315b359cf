"""Kill the serving processes with SIGKILL under load, start them again, and look for every receipt in the log.

    python bench/kills_calls.py [--kills N] [--connections N] [--workers N] [--wait S] [--seed S] [--quick]

`zhengtong serve` with --workers processes answers a mixed load: queries and verifications by bearer key and by signed
request, named calls (Idempotency-Key), calls of a grant with a small quota, denied and malformed ones. The clients keep
every answer and refusal with a receipt. Killed are, in turn and at random moments: one worker, the parent, all at
once, and all while they start. Web hooks, batches and witnesses are threads of the workers and die with them.

- At rest (no process left): fsck finds nothing, the entry of each receipt is where the receipt says, its body is there
  and opens the digests of the request that was sent and the answer that came; no index was given twice.
- Served again: a signed request that was answered before is refused, a named call gets the very bytes it got before.
- At the end: every entry again, with an inclusion proof of each; every checkpoint that was seen is a beginning of the
  last; named calls stand once in the log, those without an answer too; uses counted are those in the log, and the
  quota was not exceeded by more calls than there were connections.

The last line is JSON; the exit code is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.calls import city as town
from bench.calls import requests, servers
from bench.calls.ledger import OK, Asked, Got, Ledger
from catalog.application import Application, FieldWish
from hub import applications
from hub.actors import Actor
from hub.office import Office
from hub.once import PATIENCE_S
from hub.publishing import publish
from hub.signing.errors import SignatureReplayedError
from warehouse.engine import Warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = 2_000
SCARCE = "302010/000002"
QUOTA = 150
WORKER, PARENT, ALL, STARTING = "worker", "parent", "all", "starting"
TARGETS = (WORKER, PARENT, ALL, STARTING)
START_S, STOP_S, ANSWER_S = 120.0, 60.0, 60.0
POLL_S = 0.1
REPEATED = 3  # of each kind, after each start: strangers are bounded, and a refused repetition is one
SHARES = {"query": 40, "many": 10, "signed": 20, "verify": 10, "named": 8, "scarce": 6, "denied": 3, "malformed": 3}
MAX_TOLD = 20
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) .*?\r\ncontent-length: ([0-9]+)\r\n", re.DOTALL | re.IGNORECASE)


def build(home: Path) -> town.City:
    """A city of which one resource may be asked for at will, and another, with the same rows, `QUOTA` times a day."""
    city = town.build(home, ROWS)
    first = town.city_list()
    scarce = replace(town.resource(), code=SCARCE, name="紧缺")
    told = replace(first.responsibilities[0], resource=SCARCE)
    publish(
        city.settings,
        replace(
            first,
            batch=2,
            resources=(*first.resources, scarce),
            responsibilities=(*first.responsibilities, told),
        ),
    )
    wish = FieldWish("citizen_id", "办理事项所需", "用后即删")
    with Office.open(city.settings) as office:
        application = Application(
            applicant=town.CALLER,
            resource=SCARCE,
            purposes=(town.MATTER,),
            fields=(wish,),
            actions=("query",),
            volume_per_day=QUOTA,
            term_days=365,
            ground="示例",
        )
        case = applications.apply(office, application, actor=Actor(town.CALLER, "data-officer"))
        if case.open:
            applications.approve(office, case.id, actor=Actor(town.OWNER, "reviewer"))
    with Warehouse(city.settings.warehouse) as house:
        house.ensure(scarce)
        staged = town.land(home / "landed", house.field_ids(scarce), ROWS)
        house.commit(
            scarce, staged, house.check(scarce, staged, city.settings.staging, now=datetime.now().astimezone())
        )
        house.build_index(scarce, house.current_snapshot(SCARCE) or 0)
    return city


def ask(city: town.City, kind: str, draw: random.Random) -> Asked:
    """A request that nobody sent before."""
    simple = {"query": 1, "many": 5}
    if kind in simple:
        return Asked(kind, requests.ours(city, draw, simple[kind]))
    if kind in ("signed", "verify"):
        return Asked(kind, (requests.signed if kind == "signed" else requests.verification)(city, draw))
    plain: dict[str, Any] = {
        "keys": {"citizen_id": town.key_of(draw.randrange(city.rows))},
        "purpose": {"matter": "M0" if kind == "denied" else town.MATTER, "case": "BJ-2026-1", "operator": "01"},
    }
    if kind == "scarce":
        plain["fields"] = ["citizen_id"]
    headers = [f"Authorization: Bearer {city.key}"]
    if kind == "named":
        headers.append(f"Idempotency-Key: {draw.randbytes(16).hex()}")
    path = f"/v1/resources/{SCARCE if kind == 'scarce' else town.CODE}:query"
    return Asked(kind, requests.http(path, b"{" if kind == "malformed" else json.dumps(plain).encode(), headers))


class Server:
    """`zhengtong serve` in a process group of its own, which can be killed as a whole or in part."""

    def __init__(self, home: Path, workers: int, said: Path) -> None:
        self.port = servers.free_port()
        self.said = said
        self._workers = workers
        self._environ = {**os.environ, "ZHENGTONG_HOME": str(home), "ZHENGTONG_CALLS_PER_SECOND": "0"}

    def start(self) -> None:
        """Start; `ready` tells when it serves."""
        code = "import sys; from hub.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", code, "serve", "--port", str(self.port), "--workers", str(self._workers)]
        with self.said.open("ab") as file:
            self.process = subprocess.Popen(
                command,
                env=self._environ,
                cwd=servers.REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def members(self) -> list[int]:
        """Every living process of the group."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                state, _, group = stat.read_text().rsplit(")", 1)[1].split()[:3]
                if int(group) == self.process.pid and state != "Z":
                    found.append(int(stat.parent.name))
        return found

    def workers(self) -> list[int]:
        """The processes that answer."""
        found = []
        for pid in self.members():
            with suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found

    def kill(self, target: str, chance: random.Random) -> None:
        """Kill *target*: a worker, the parent, or all of them."""
        if target == WORKER:
            for pid in chance.sample(self.workers(), 1):
                os.kill(pid, signal.SIGKILL)
        elif target == PARENT:
            self.process.kill()
        else:
            os.killpg(self.process.pid, signal.SIGKILL)

    async def gone(self) -> bool:
        """Whether every process has ended, within `STOP_S`."""
        deadline = time.monotonic() + STOP_S
        while self.process.poll() is None or self.members():
            if time.monotonic() > deadline:
                os.killpg(self.process.pid, signal.SIGKILL)
                return False
            await asyncio.sleep(POLL_S)
        return True


class Drill:
    """A city under load whose processes are killed; what came of it is in its *ledger*."""

    def __init__(self, folder: Path, *, workers: int, connections: int, seed: int) -> None:
        self.city = build(folder / "var")
        self.server = Server(self.city.settings.home, workers, folder / "said")
        self.ledger = Ledger(self.city.settings, scarce=SCARCE, quota=QUOTA, at_once=connections)
        self._connections = connections
        self._chance = random.Random(seed)
        self._draw = random.Random(seed + 1)
        self._answered = {kind: deque[tuple[Asked, Got]](maxlen=REPEATED) for kind in ("signed", "named")}
        self._unanswered: list[tuple[Asked, float]] = []
        self._over = False

    async def run(self, targets: Sequence[str], wait_s: float) -> None:
        """Kill *targets* one after another, each a random moment of up to *wait_s* after the one before."""
        self.server.start()
        try:
            await self._ready()
            # What was signed before the hub's memory of signed requests was made, to the second, is refused.
            await asyncio.sleep(2)
            async with asyncio.TaskGroup() as group:
                for _ in range(self._connections):
                    group.create_task(self._call())
                group.create_task(self._watch())
                try:
                    for target in targets:
                        await asyncio.sleep(self._chance.uniform(0.2, wait_s))
                        await self._killed(target)
                    await asyncio.sleep(wait_s)
                finally:
                    self._over = True
            await self._ready()
            await self._repeat()
            await self._ask_again()
            self.server.process.terminate()
            if not await self.server.gone() or self.server.process.returncode:
                self.ledger.fault(f"told to stop, it ended with {self.server.process.returncode}")
        finally:
            if self.server.members():
                os.killpg(self.server.process.pid, signal.SIGKILL)
                self.server.process.wait()
        self.ledger.at_rest()
        self.ledger.at_the_end()

    async def _killed(self, target: str) -> None:
        self.ledger.note()
        self.server.kill(target, self._chance)
        self.ledger.tally[f"killed: {target}"] += 1
        if target == WORKER:
            return
        if not await self.server.gone():
            self.ledger.fault(f"{target} killed, others of its processes served on for {STOP_S:.0f} s")
        self.ledger.at_rest()
        self.server.start()
        if target == STARTING:
            await asyncio.sleep(self._chance.uniform(0.5, 6))
            self.server.kill(ALL, self._chance)
            await self.server.gone()
            self.ledger.at_rest()
            self.server.start()
        await self._ready()
        await self._repeat()

    # --- the load ---

    async def _call(self) -> None:
        kinds, weights = list(SHARES), list(SHARES.values())
        while not self._over:
            asked = None
            writer = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
                while not self._over:
                    asked = ask(self.city, self._draw.choices(kinds, weights)[0], self._draw)
                    got = await _exchange(reader, writer, asked)
                    self.ledger.take(asked, got)
                    if got.status == OK and asked.kind in self._answered:
                        self._answered[asked.kind].append((asked, got))
                    asked = None
            except (OSError, EOFError, TimeoutError):
                if asked is not None:
                    self.ledger.tally["cut off"] += 1
                    if asked.kind == "named":
                        self._unanswered.append((asked, time.monotonic()))
                await asyncio.sleep(POLL_S)
            finally:
                if writer is not None:
                    writer.close()

    async def _watch(self) -> None:
        while not self._over:
            self.ledger.note()
            await asyncio.sleep(POLL_S)

    async def _ready(self) -> None:
        deadline = time.monotonic() + START_S
        request = Asked("ready", b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while time.monotonic() < deadline:
            with suppress(OSError, EOFError, TimeoutError):
                if (await self._once(request)).status == OK:
                    return
            if self.server.process.poll() is not None:
                break
            await asyncio.sleep(POLL_S)
        raise RuntimeError(f"it did not start: {self.server.said.read_text()[-2000:]}")

    async def _once(self, asked: Asked) -> Got:
        """One request on a connection of its own. Raises: as `_exchange`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            return await _exchange(reader, writer, asked)
        finally:
            writer.close()

    async def _repeat(self) -> None:
        """What was answered before the last kill is sent again, to the byte."""
        signed, named = (list(self._answered[kind]) for kind in ("signed", "named"))
        for asked, _ in signed:
            got = await self._once(asked)
            self.ledger.tally["signed requests repeated"] += 1
            if (got.status, got.plain["code"]) != (401, SignatureReplayedError.code):
                self.ledger.fault(f"a signed request that was answered before was met with {got.status}")
        for asked, before in named:
            got = await self._once(asked)
            self.ledger.tally["named calls repeated"] += 1
            if got.body != before.body:
                self.ledger.fault(f"a named call was answered otherwise than before, with {got.status}")

    async def _ask_again(self) -> None:
        """Named calls that a kill left without answer are answered now, if the patience of the hub has passed."""
        for asked, at in self._unanswered:
            if time.monotonic() - at < PATIENCE_S + 1:
                self.ledger.tally["named calls left unanswered"] += 1
                continue
            got = await self._once(asked)
            self.ledger.take(asked, got)
            self.ledger.tally["named calls answered later"] += 1
            if got.status != OK:
                self.ledger.fault(f"a named call whose answer was lost was met with {got.status}")


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: Asked) -> Got:
    """Send and receive. Raises: OSError, EOFError, TimeoutError: no whole answer came."""
    writer.write(asked.request)
    async with asyncio.timeout(ANSWER_S):
        head = await reader.readuntil(b"\r\n\r\n")
        found = _STATUS.match(head)
        if found is None:
            raise RuntimeError(f"an answer without its length: {head[:200]!r}")
        return Got(int(found[1]), await reader.readexactly(int(found[2])))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--connections", type=int, default=48)
    parser.add_argument("--workers", type=int, default=2, help="processes that answer")
    parser.add_argument("--wait", type=float, default=3.0, help="at most so many seconds from one kill to the next")
    parser.add_argument("--seed", type=int, default=20260301)
    parser.add_argument("--quick", action="store_true", help="four kills: within a minute")
    options = parser.parse_args()
    targets = [TARGETS[number % len(TARGETS)] for number in range(4 if options.quick else options.kills)]
    with tempfile.TemporaryDirectory(prefix="zhengtong-kills-calls-") as name:
        begun = time.perf_counter()
        drill = Drill(Path(name), workers=options.workers, connections=options.connections, seed=options.seed)
        asyncio.run(drill.run(targets, options.wait))
        seconds = time.perf_counter() - begun
    for what, count in sorted(drill.ledger.tally.items()):
        print(f"{what:<32}{count:>10,}")
    for fault in drill.ledger.faults[:MAX_TOLD]:
        print(f"FOUND: {fault}", file=sys.stderr)
    told = {
        "ours": len(drill.ledger.faults),
        "peers": {},
        "ratio": None,
        "unit": "faults found",
        "killed": len(targets),
        "receipts": len(drill.ledger.known),
        "cut_off": drill.ledger.tally["cut off"],
        "seconds": round(seconds),
        "seed": options.seed,
    }
    print(json.dumps({"kill_drill_calls": told}))
    return 1 if drill.ledger.faults else 0


if __name__ == "__main__":
    sys.exit(main())
