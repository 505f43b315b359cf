"""The embedded Airflow: start its four processes on loopback, set it up, run DAGs, watch them, stop it.

What `airflow standalone` starts, started here one by one so that the log servers, which listen on every
address, stay off (docs/adr/0003). A city that outgrows one machine runs the same DAG folder under its own
Airflow (Celery or Kubernetes executor) and does not use this module.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import httpx
from sqlalchemy import URL

from hub import registry
from hub.errors import SchedulerFailedError, SchedulerUnreachableError
from hub.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from hub.settings import Settings

LOOPBACK = "127.0.0.1"
TASKS_PER_CORE = 4
POLL_S = 0.5
WATCH_S = 1.0
ALL_ANEW = timedelta(minutes=2)
# A change is stamped by whoever makes it, some time before others see it.
OVERLAP = timedelta(seconds=10)
RETRY_DELAY_S = 20
STOP_GRACE_S = 3
WRITER_WAIT_S = 60
REQUEST_TIMEOUT_S = 30
PAGE = 100
START_TIMEOUT_S = 180
INGEST_PATTERN = "ingest.%"
ATTEMPTS = 8
COMPONENTS = (
    ("api-server", ("api-server",)),
    ("scheduler", ("scheduler", "--skip-serve-logs")),
    ("dag-processor", ("dag-processor",)),
)
SETUP, TRIGGERER = "setup", "triggerer"
# Tasks are forked from the scheduler. What they all import, it imports once, before the fork; of the source kinds those
# that most departments have. DuckDB, and what of ours imports it, is not among it: importing it starts a thread, which
# a fork would leave behind (docs/adr/0003).
PRELOADED = (
    "airflow.providers.standard.operators.python",
    "connectors.csv_files",
    "connectors.http_json",
    "connectors.postgresql_source",
    "connectors.registry",
    "connectors.sqlite",
    "httpx",
    "hub.evidence",
    "hub.registry",
    "hub.storing",
    "hub.watching",
    "pandas",
    "psycopg",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "pyiceberg.catalog.sql",
    "pyiceberg.io.pyarrow",
    "sqlalchemy.orm",
    "warehouse.evolve",
    "warehouse.history",
)
LOCAL_SETTINGS = f"""\
import importlib, sys

if "scheduler" in sys.argv:
    for name in {PRELOADED!r}:
        importlib.import_module(name)
"""
FINISHED = frozenset({"success", "failed"})


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class RunState:
    """One DAG run as Airflow sees it. *tasks* maps task id to its state (None: not yet scheduled)."""

    dag_id: str
    run_id: str
    state: str
    tasks: dict[str, str | None]


@dataclass
class EmbeddedAirflow:
    """One Airflow under *settings.airflow*; use as a context manager. Not for two processes at once."""

    settings: Settings
    dags: Path
    port: int = 0
    environ: dict[str, str] = field(default_factory=dict)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _client: httpx.Client | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where Airflow's own pages are."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def password_file(self) -> Path:
        """JSON file with the generated password of Airflow's user `admin` (mode 0600)."""
        return self.settings.airflow / "passwords.json"

    def begin(self) -> None:
        """Prepare the folder and begin to migrate Airflow's database, without waiting for it."""
        home = self.settings.airflow
        (home / "logs").mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        self._write_password()
        (home / "config").mkdir(exist_ok=True)
        # Airflow puts this folder on its path and imports the file when it initialises.
        replace_file(home / "config" / "airflow_local_settings.py", LOCAL_SETTINGS.encode())
        self.environ = self._environment()
        if not self._migrated.exists():
            self._launch(SETUP, "db", "migrate")

    def start(self) -> None:
        """Start Airflow's processes; returns when its API answers and scheduler and DAG processor are at work.

        Raises:
            SchedulerFailedError: a process ended or did not come up; the message names its log.
        """
        if not self.environ:
            self.begin()
        setup = self._processes.pop(SETUP, None)
        if setup is not None:
            if setup.wait():
                raise SchedulerFailedError(component="db migrate", log=str(self._log(SETUP)))
            # Written last: a crash before it migrates again, which is harmless.
            self._migrated.touch()
        for name, arguments in COMPONENTS:
            self._launch(name, *arguments)
        self._await(self._healthy, what="health", timeout_s=START_TIMEOUT_S)
        # The triggerer is needed by nothing before this; started with the others it would only slow them.
        self._launch(TRIGGERER, TRIGGERER, "--skip-serve-logs")
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v2",
            headers={"Authorization": f"Bearer {self._token()}"},
            timeout=REQUEST_TIMEOUT_S,
        )

    @property
    def _migrated(self) -> Path:
        return self.settings.airflow / "migrated"

    def _log(self, name: str) -> Path:
        return self.settings.airflow / "logs" / f"{name}.log"

    def _launch(self, name: str, *arguments: str) -> None:
        with self._log(name).open("ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches us alone, and stop() ends the whole group.
            self._processes[name] = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
                [sys.executable, "-m", "airflow", *arguments],
                env=self.environ,
                cwd=self.settings.airflow,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End every process of every component, politely first."""
        if self._client is not None:
            self._client.close()
            self._client = None
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for process in self._processes.values():
                _signal_group(process, sign)
            deadline = time.monotonic() + STOP_GRACE_S
            for process in self._processes.values():
                try:
                    process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    continue
        self._processes.clear()

    def prepare(self, dag_ids: Sequence[str]) -> None:
        """Create the registry's pools, wait until every DAG of *dag_ids* is known, end what a killed run left over."""
        compiled = registry.read(self.settings.registry)
        present = {pool["name"]: pool["slots"] for pool in self._pages("/pools", "pools")}
        for name, slots in compiled["pools"].items():
            if name not in present:
                self._api("POST", "/pools", json={"name": name, "slots": slots}, expect=(201, 409))
            elif present[name] != slots:
                self._api(
                    "PATCH", f"/pools/{name}", params={"update_mask": "slots"}, json={"name": name, "slots": slots}
                )
        wanted = set(dag_ids)
        self._await(lambda: wanted <= self.known_dags(), what="DAGs", timeout_s=120)
        # A run whose tasks died with an earlier Airflow would keep its DAG's one place until it times out.
        for run in self._pages("/dags/~/dagRuns", "dag_runs", state=["running", "queued"]):
            if run["dag_id"] in wanted:
                self._api("PATCH", f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}", json={"state": "failed"})

    def start_runs(self, dag_ids: Sequence[str], run_id: str, *, partition: str = "") -> None:
        """Start run *run_id* of each DAG; one that exists already is left alone. Afterwards the DAGs are unpaused.

        With a *partition*, which is their local day (`hub.registry.key_format_of`), what they load counts as loaded on
        its schedule: a department whose resources are then all in is summed up. Without, nothing waits for them.

        They are paused while the runs are made: Airflow on SQLite writes its audit row for such a request on the
        event loop, and tasks that report their state meanwhile block it until the database's time-out.
        """
        self._pause(paused=True)
        for dag_id in dag_ids:
            self.create_run(dag_id, run_id, partition=partition)
        self._pause(paused=False)

    def create_run(
        self, dag_id: str, run_id: str, *, partition: str = "", conf: Mapping[str, Any] | None = None
    ) -> None:
        """Make run *run_id* of one DAG, which begins when the DAG is not paused; one that exists is left alone."""
        body = {"dag_run_id": run_id, "logical_date": None, "partition_key": partition or None, "conf": conf or {}}
        self._api("POST", f"/dags/{dag_id}/dagRuns", json=body, expect=(200, 201, 409))

    def backfill(self, dag_id: str, first: str, last: str) -> None:
        """Load the partitions of a range again, whatever became of them, as ``airflow backfill create`` does.

        Airflow wants instants, reads them as local time whatever their offset, and takes the partitions whose
        *schedule* lies between the two: a last day, which is included, ends at midnight.
        """
        body = {
            "dag_id": dag_id,
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last}T23:59:59Z",
            "reprocess_behavior": "completed",
            "max_active_runs": 1,
        }
        self._api("POST", "/backfills", json=body)

    def unpause(self, dag_id: str, *, paused: bool = False) -> None:
        """Let a DAG run on its schedule; or, *paused*, no longer."""
        self._api("PATCH", f"/dags/{dag_id}", params={"update_mask": "is_paused"}, json={"is_paused": paused})

    def _pause(self, *, paused: bool) -> None:
        offset, total = 0, 1
        while offset < total:
            params = {"dag_id_pattern": INGEST_PATTERN, "limit": PAGE, "offset": offset}
            page = self._api("PATCH", "/dags", params=params, json={"is_paused": paused}).json()
            offset, total = offset + max(1, len(page["dags"])), page["total_entries"]

    def known_dags(self) -> set[str]:
        """The ids of all DAGs Airflow has serialised."""
        return {dag["dag_id"] for dag in self._pages("/dags", "dags")}

    def states(self, dag_ids: Sequence[str], run_id: str) -> list[RunState]:
        """The state of run *run_id* of each DAG, with its tasks, in the order of *dag_ids*."""
        runs: dict[str, str] = {}
        tasks: dict[str, dict[str, str | None]] = {}
        self._learn(run_id, runs, tasks)
        return [RunState(d, run_id, runs.get(d, "queued"), dict(tasks.get(d, {}))) for d in dag_ids]

    def _learn(
        self, run_id: str, runs: dict[str, str], tasks: dict[str, dict[str, str | None]], **changed: str
    ) -> None:
        """Bring *runs* and *tasks*, both by DAG, up to date; *changed* asks for a part of them."""
        # GET, not POST …/list: the latter is audited, see `start_runs`.
        for run in self._pages("/dags/~/dagRuns", "dag_runs", run_id_pattern=run_id, **changed):
            if run["dag_run_id"] == run_id:
                runs[run["dag_id"]] = run["state"]
        for one in self.task_instances(run_id, **changed):
            tasks.setdefault(one["dag_id"], {})[one["task_id"]] = one["state"]

    def task_instances(self, run_id: str, **narrowed: str) -> Iterator[dict[str, Any]]:
        """Every task of run *run_id* as Airflow's API describes it: ``dag_id``, ``task_id``, ``state``, its moments."""
        path = "/dags/~/dagRuns/~/taskInstances"
        for one in self._pages(path, "task_instances", run_id_pattern=run_id, **narrowed):
            if one["dag_run_id"] == run_id:
                yield one

    def watch(self, dag_ids: Sequence[str], run_id: str, *, timeout_s: float) -> Iterator[list[RunState]]:
        """Yield the states until every run has ended.

        What changed is asked for often, all seldom: a city's five thousand tasks take Airflow many seconds to tell,
        which are then missing to those who run.

        Raises:
            SchedulerFailedError: a process of Airflow ended, or *timeout_s* passed.
        """
        deadline = time.monotonic() + timeout_s
        runs: dict[str, str] = {}
        tasks: dict[str, dict[str, str | None]] = {}
        all_asked = asked = datetime.min.replace(tzinfo=UTC)
        while True:
            begun, now = time.monotonic(), datetime.now(UTC)
            if now - all_asked > ALL_ANEW:
                all_asked = now
                self._learn(run_id, runs, tasks)
            else:
                self._learn(run_id, runs, tasks, updated_at_gte=(asked - OVERLAP).isoformat())
            asked = now
            states = [RunState(d, run_id, runs.get(d, "queued"), dict(tasks.get(d, {}))) for d in dag_ids]
            yield states
            if all(state.state in FINISHED for state in states):
                return
            self._check_alive()
            if time.monotonic() > deadline:
                raise SchedulerFailedError(component="scheduler", log=str(self.settings.airflow / "logs"))
            time.sleep(max(WATCH_S, time.monotonic() - begun))

    def _pages(self, path: str, name: str, **parameters: str | list[str]) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._api("GET", path, params={**parameters, "limit": PAGE, "offset": offset}).json()
            yield from page[name]
            offset += len(page[name])
            if not page[name] or offset >= page["total_entries"]:
                return

    def _api(self, method: str, path: str, *, expect: tuple[int, ...] = (200,), **arguments: Any) -> httpx.Response:  # noqa: ANN401 - passed to httpx
        if self._client is None:
            raise SchedulerUnreachableError(url=self.url, status="not started")
        for attempt in range(ATTEMPTS):
            try:
                reply = self._client.request(method, path, **arguments)
            except httpx.HTTPError as error:
                self._check_alive()
                if attempt + 1 == ATTEMPTS:
                    raise SchedulerUnreachableError(url=self.url, status=type(error).__name__) from error
                continue
            # Airflow on SQLite answers 500 while another of its processes holds the database; every request of
            # ours may be repeated (a run that was created all the same is then a conflict, which we expect).
            if reply.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                break
            time.sleep(POLL_S * (attempt + 1))
        if reply.status_code not in expect:
            raise SchedulerUnreachableError(url=f"{self.url}{path}", status=f"{reply.status_code} {reply.text[:300]}")
        return reply

    def _healthy(self) -> bool:
        try:
            health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return False
        return all(health.get(part, {}).get("status") == "healthy" for part in ("scheduler", "dag_processor"))

    def _token(self) -> str:
        password = json.loads(self.password_file.read_text())["admin"]
        reply = httpx.post(f"{self.url}/auth/token", json={"username": "admin", "password": password}, timeout=30)
        reply.raise_for_status()
        token: str = reply.json()["access_token"]
        return token

    def _await(self, condition: Callable[[], bool], *, what: str, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            self._check_alive()
            if time.monotonic() > deadline:
                log = str(self.settings.airflow / "logs")
                raise SchedulerFailedError(component=what, log=log)
            time.sleep(POLL_S)

    def _check_alive(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise SchedulerFailedError(component=name, log=str(self._log(name)))

    def _write_password(self) -> None:
        if not self.password_file.exists():
            _write_secret(self.password_file, json.dumps({"admin": secrets.token_urlsafe(24)}))

    def _secret(self) -> str:
        path = self.settings.airflow / "jwt.secret"
        if not path.exists():
            _write_secret(path, secrets.token_urlsafe(48))
        return path.read_text()

    def _environment(self) -> dict[str, str]:
        home = self.settings.airflow
        parallelism = TASKS_PER_CORE * (os.cpu_count() or 1)
        # One writer at a time: beyond a thousand DAGs one of Airflow's own transactions can hold it for longer than the
        # five seconds that others would wait, and a task that cannot report what it did has failed.
        metadata = URL.create("sqlite", database=str(home / "airflow.db"), query={"timeout": str(WRITER_WAIT_S)})
        return {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata.render_as_string(),
            **os.environ,
            "AIRFLOW_HOME": str(home),
            "ZHENGTONG_HOME": str(self.settings.home),
            "ZHENGTONG_SYSTEMS": str(self.settings.systems_file),
            "PYTHONUNBUFFERED": "1",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(parallelism),
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": str(RETRY_DELAY_S),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.password_file),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__HOST": LOOPBACK,
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__DAG_CACHE_SIZE": "1300",
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secret(),
            # The default of 5 s makes a third of short tasks sleep 5 s after their end.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        }


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _signal_group(process: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    try:
        os.killpg(process.pid, sign)
    except ProcessLookupError:
        return
