"""The API as its operator starts it: `zhengtong serve` in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from hub.control import Control
from hub.evidence import Evidence
from tests.hub import world as worlds

START_S = 120


@dataclass
class Served:
    url: str
    process: subprocess.Popen
    errors: object

    def stop(self):
        """Tell it to stop, and wait until it has; gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def served(settings, *options, verify=True, **environment):
    """Serve *settings* on a free port; *verify* is for the client that waits until it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"{'https' if '--certificate' in options else 'http'}://127.0.0.1:{port}"
    said = {"ZHENGTONG_HOME": str(settings.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | environment
    command = [sys.executable, "-c", "from hub.cli import main; raise SystemExit(main())", "serve", "--port", str(port)]
    errors = settings.home.parent / f"{port}.err"
    with errors.open("wb") as file:
        process = subprocess.Popen([*command, *map(str, options)], env=said, stderr=file)
    try:
        until = time.monotonic() + START_S
        with httpx.Client(base_url=url, verify=verify, trust_env=False) as client:
            while True:
                assert process.poll() is None, errors.read_text()
                try:
                    if client.get("/healthz").status_code == 200:
                        break
                except httpx.TransportError:
                    assert time.monotonic() < until, errors.read_text()
                    time.sleep(0.05)
        yield Served(url, process, errors)
    finally:
        process.kill()
        process.wait()


def granted_now(world):
    """Let the world's caller ask today: a served process has the real clock."""
    control, evidence = Control.open(world.settings), Evidence.open(world.settings)
    try:
        now = datetime.now(UTC)
        grant = worlds.make_grant(world.list, id="G2", starts=now, expires=now + timedelta(days=30))
        worlds.give(world.settings, control, evidence, grant)
    finally:
        control.close()
        evidence.log.close()
