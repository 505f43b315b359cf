"""The demonstration's own processes: the data-invocation API and a witness, each as its command starts it.

What they serve is the hub's; here they are started, waited for and ended. Each has a log file of its own.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import httpx

from audit.keys import WitnessSignerKey, WitnessVerifierKey
from hub.demo.errors import DemoProcessError
from hub.evidence import LOG_KEY_FILE
from hub.files import create_once, replace_file
from hub.scheduler import free_port
from hub.settings import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hub.settings import Settings

START_TIMEOUT_S: Final = 60
STOP_TIMEOUT_S: Final = 35  # a moment more than the API takes to answer what it has begun
POLL_S: Final = 0.1
# Departments' receivers stand on the public Internet; that of the demonstration stands beside the hub.
HOOK_NETWORK: Final = "127.0.0.0/8"
WITNESS_NAME: Final = "witness.demo"
_PROGRAM: Final = (sys.executable, "-c", "import sys; from hub.cli import main; sys.exit(main())")


class Process:
    """One command of ours, served at *url* by a process of its own; *log* takes what it says."""

    def __init__(self, name: str, arguments: list[str], *, url: str, log: Path, environ: Mapping[str, str]) -> None:
        self._name = name
        self._arguments = arguments
        self._url = url
        self._log = log
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start it, without waiting for it; one that runs is left alone."""
        if self._process is not None and self._process.poll() is None:
            return
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches us alone, and we end it in its turn.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
                [*_PROGRAM, *self._arguments],
                env={**os.environ, **self._environ},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when it answers.

        Raises:
            DemoProcessError: it ended, or did not answer in time; the message names its log.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise DemoProcessError(name=self._name, log=self._log)
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End it politely, and if need be otherwise."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(self._url, timeout=5, trust_env=False).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


class Processes:
    """The witness, and the API that asks it to cosign. *folder* keeps the witness's key and memory, and both logs."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._witness: Process | None = None
        self._api: Process | None = None

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://{LOOPBACK}:{self._settings.api_port}"

    @property
    def witness_key_file(self) -> Path:
        """The witness's public key, as it is handed to auditors."""
        return self._folder / "witness" / "key.vkey"

    @property
    def witness_key(self) -> WitnessVerifierKey:
        """The same, read."""
        return WitnessVerifierKey.from_text(self.witness_key_file.read_text(encoding="utf-8").strip())

    def begin_witness(self) -> None:
        """Start the witness; its key and its memory are those of an earlier demonstration. There must be a log."""
        if self._witness is not None:
            return
        home = self._folder / "witness"

        def make() -> bytes:
            return f"{WitnessSignerKey.generate(WITNESS_NAME).to_text()}\n".encode()

        text = create_once(home / "key", make, mode=0o600)
        verifier = WitnessSignerKey.from_text(text.decode().strip()).verifier.to_text()
        replace_file(self.witness_key_file, f"{verifier}\n".encode())
        port = free_port()
        url = f"http://{LOOPBACK}:{port}"
        policy = f"witness demo {verifier} {url}\nquorum demo\n"
        replace_file(self._policy, policy.encode())
        arguments = [
            *("witness", "serve", "--key", str(home / "key"), "--state", str(home / "seen"), "--port", str(port)),
            *("--log-key", str(self._settings.public / LOG_KEY_FILE)),
        ]
        self._witness = Process("witness", arguments, url=url, log=self._folder / "witness.log", environ={})
        self._witness.begin()

    def begin_api(self) -> None:
        """Start the API, once the witness can be asked: one that is silent for long is an alert."""
        self.begin_witness()
        assert self._witness is not None  # noqa: S101 - begun above
        self._witness.wait()
        settings = self._settings
        environ = {
            "ZHENGTONG_HOME": str(settings.home),
            "ZHENGTONG_CONTROL_URL": settings.control_url,
            "ZHENGTONG_SYSTEMS": str(settings.systems_file),
            "ZHENGTONG_API_PORT": str(settings.api_port),
            "ZHENGTONG_WITNESSES": str(self._policy),
            # Its people sign in with a password that is told; an authenticator each would be no help.
            "ZHENGTONG_PORTAL_CODES": "off",
            "ZHENGTONG_HOOK_NETWORKS": ",".join(filter(None, (settings.hook_networks, HOOK_NETWORK))),
        }
        url = f"{self.url}/healthz"
        self._api = self._api or Process("serve", ["serve"], url=url, log=self._folder / "serve.log", environ=environ)
        self._api.begin()

    def serve(self) -> str:
        """Start the API if need be, and return its address when it answers.

        Raises:
            DemoProcessError
        """
        self.begin_api()
        assert self._api is not None  # noqa: S101 - begun above
        self._api.wait()
        self._wait_for_signatures()
        return self.url

    def _wait_for_signatures(self) -> None:
        """Whoever has just made the memory of nonces refuses all that was signed before, to the second."""
        try:
            made = self._settings.nonces_file.parent.stat().st_mtime
        except FileNotFoundError:
            return
        while time.time() < math.ceil(made) + 1:
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End the API, which answers what it has begun, then the witness."""
        for process in (self._api, self._witness):
            if process is not None:
                process.stop()
        self._api = self._witness = None

    @property
    def _policy(self) -> Path:
        return self._folder / "witness" / "policy"
