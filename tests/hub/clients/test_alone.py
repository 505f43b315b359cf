"""`zhengtong[client]` needs what it says and nothing more: a call with everything else out of reach."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from audit.entry import Entry
from hub import receipts
from hub.signatures import AnswerSigner
from tests.hub.clients.hostile import PINNED, hub, says

ROOT = Path(__file__).resolve().parents[3]
# Refuses whatever no distribution of the extra brings, so that it is as if it were not installed.
PROGRAM = """
import sys
allowed, url, pinned = set(sys.argv[1].split(",")), sys.argv[2], sys.argv[3]

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names and not top.startswith(("_", "__editable__")):
            raise ModuleNotFoundError(f"{name} is not there", name=name)

sys.meta_path.insert(0, Refuse())
for name in [name for name in sys.modules if name.partition(".")[0] in ("rich", "click", "pygments")]:
    del sys.modules[name]
from hub.client import Client
with Client(url, "zt_key", pinned) as client:
    assert client.query("306010/000001", {"id": "1"}, matter="SX001").records
    client.batches, client.hooks
import asyncio
from hub.client import AsyncClient
async def go():
    async with AsyncClient(url, "zt_key", pinned) as other:
        assert (await other.query("306010/000001", {"id": "1"}, matter="SX001")).records
asyncio.run(go())
print(*sorted(name for name in sys.modules if name.partition(".")[0] in ("hub", "audit", "catalog")))
"""


COMMANDS = """
import sys
allowed, commands = set(sys.argv[1].split(",")), [line.split() for line in sys.argv[2].splitlines()]

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names and not top.startswith(("_", "__editable__")):
            raise ModuleNotFoundError(f"{name} is not there", name=name)

sys.meta_path.insert(0, Refuse())
for name in [name for name in sys.modules if name.partition(".")[0] in ("rich", "click", "pygments")]:
    del sys.modules[name]
from hub.cli import main
for command in commands:
    print(main(["--lang", "en", *command]), file=sys.stderr)
"""


def requirements(extra="client"):
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    text = setup["options.extras_require"][extra] + setup["options"]["install_requires"]
    return {re.split(r"[^\w-]", line)[0] for line in text.split("\n") if line and not line.startswith("#")}


def brought_by(name, seen):
    """The distributions that come with *name*, without its extras."""
    if name not in seen:
        seen.add(name)
        for line in metadata.requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                brought_by(needed.name.lower().replace("_", "-"), seen)
    return seen


def modules_of(distributions):
    found = metadata.packages_distributions().items()
    return {top for top, owners in found if {owner.lower().replace("_", "-") for owner in owners} & distributions}


def run(program, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_call_needs_what_the_extra_names_and_nothing_else():
    distributions = set()
    for name in requirements():
        brought_by(name, distributions)
    assert {"httpx", "cryptography", "httpcore", "h11"} <= distributions
    allowed = modules_of(distributions) | {"hub", "audit", "catalog"}
    assert not allowed & {"duckdb", "sqlalchemy", "fastapi", "airflow", "pandas", "pyarrow", "yaml", "rich", "typer"}
    with hub(says()) as place:
        done = run(PROGRAM, ",".join(allowed), place.url, PINNED)
    assert done.returncode == 0, done.stderr
    # Of our own, no more than it takes.
    ours = done.stdout.split()
    assert len(ours) < 60
    assert not [name for name in ours if re.match(r"hub\.(api|control|cli|office|service|settings)\b", name)]


def brought(extra):
    distributions = set()
    for name in requirements(extra):
        brought_by(name, distributions)
    return ",".join(modules_of(distributions) | {"hub", "audit", "catalog", "connectors", "warehouse", "licence"})


def test_the_command_line_of_who_has_no_hub(tmp_path):
    signer = AnswerSigner.from_seed(bytes(32))
    leaf = Entry("invocation.answered", datetime(2026, 1, 1, tzinfo=UTC), "RS", "", "", "", {}).encode()
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(receipts.issue(signer, "example/log", 7, leaf).encode())
    commands = [
        f"clients keygen --client S1 --out {tmp_path / 'own.key'}",
        f"receipt check {receipt} --key {signer.verifier.to_text()}",
        f"receipt check {receipt} --key {AnswerSigner.from_seed(b'x' * 32).verifier.to_text()}",
        f"batch check {tmp_path} --key {receipt}",
        f"evidence check {receipt} --key-file {receipt}",
        "search x",
        "serve",
    ]
    done = run(COMMANDS, brought("cli"), "\n".join(commands))
    codes = [line for line in done.stderr.splitlines() if line.isdecimal()]
    assert codes[:3] == ["0", "0", "10"], done.stderr
    assert len(codes) == len(commands)
    assert done.stderr.count("pip install 'zhengtong[server]'") == 2


def test_where_there_is_no_command_line_it_is_said_how_to_get_it():
    done = run(COMMANDS, brought("verify"), "receipt check x")
    assert "pip install 'zhengtong[cli]'" in done.stderr


def test_a_client_that_waits_brings_no_event_loop():
    done = run("import sys; from hub.client import Client; print('asyncio' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_each_method_says_of_itself_what_it_takes_and_returns():
    import inspect

    from hub.batches.client import AsyncBatches, Batches
    from hub.client import AsyncClient, Client
    from hub.client.hooks import AsyncHooks, Hooks

    for one, other in ((Client, AsyncClient), (Batches, AsyncBatches), (Hooks, AsyncHooks)):
        names = {name for name in vars(one) if not name.startswith("_")}
        assert names == {name for name in vars(other) if not name.startswith("_")}
        for name in names - {"batches", "hooks", "close", "from_profile"}:
            method, twin = getattr(one, name), getattr(other, name)
            assert method.__doc__
            assert list(inspect.signature(method).parameters) == list(inspect.signature(twin).parameters)
            assert "Talk" not in str(inspect.signature(method).return_annotation)
    assert inspect.iscoroutinefunction(AsyncClient.query)
