"""A witness as a process of its own, asked over HTTP; and the commands and the address that say what it cosigned."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import replace

import httpx
import pytest

from audit.checkpoint import open_checkpoint
from audit.errors import LogDamagedError, StorageFullError
from audit.keys import WitnessVerifierKey
from audit.witness import Witness, request_body
from hub.api import create_app
from hub.cli import main
from hub.evidence import Evidence, log_verifiers
from hub.witnesses import door as witness_door
from hub.witnesses.door import Door
from tests.hub.api.conftest import serving

from .conftest import signer


@pytest.fixture
def run(settings, monkeypatch, capsys):
    """Runs a command at this deployment; gives its exit code and what it printed."""
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run(*words):
        code = main([str(word) for word in words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def door(tmp_path, evidence, clock):
    """A door around a witness of this log, in a thread; its address, and the witness."""
    witness = Witness(tmp_path / "seen", signer(1), {evidence.origin: log_verifiers_of(evidence)}, clock)
    with (
        serving(Door(witness, signer(1).verifier.to_text())) as url,
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        yield http, witness


def log_verifiers_of(evidence):
    return [evidence.verifier, evidence.second]


class Process:
    """`zhengtong witness serve` on a free port."""

    def __init__(self, folder, log_keys):
        self.folder, self.log_keys = folder, log_keys
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        words = [
            "witness",
            "serve",
            "--key",
            self.folder / "w.key",
            "--state",
            self.folder / "seen",
            "--port",
            self.port,
        ]
        for file in self.log_keys:
            words += ["--log-key", file]
        code = "import sys; from hub.cli import main; sys.exit(main(sys.argv[1:]))"
        self.process = subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                return httpx.get(self.url, trust_env=False).text
            except httpx.TransportError:
                assert self.process.poll() is None
                time.sleep(0.05)
        raise AssertionError("it did not start")

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def process(tmp_path, settings, evidence, run):
    assert run("witness", "keygen", "w.example.gov.cn", "--out", tmp_path / "w.key")[0] == 0
    found = Process(tmp_path, [settings.public / "log.vkey", settings.public / "log-mldsa.vkey"])
    yield found
    found.kill()


def test_a_witness_process_beside_the_hub(tmp_path, run, process, append, monkeypatch):
    key = tmp_path / "w.key.vkey"
    assert process.start() == key.read_text()
    (tmp_path / "witnesses").write_text(f"witness archive {key.read_text().strip()} {process.url}\nquorum archive\n")
    monkeypatch.setenv("ZHENGTONG_WITNESSES", str(tmp_path / "witnesses"))
    assert run("audit", "verify", "--witness", key)[0] == 13
    size = append(3)
    code, told, _ = run("witness", "ask", "--json")
    assert (code, json.loads(told)["witnessed_size"]) == (0, size)
    for demand in (("--witness", key), ("--witness", key, "--quorum", "1"), ("--policy", tmp_path / "witnesses")):
        code, told, _ = run("audit", "verify", *demand, "--json")
        assert (code, json.loads(told)["witnessed"]) == (0, size)
    # Killed, it goes on with what it kept; meanwhile whoever asks is told.
    process.kill()
    append(3)
    code, told, _ = run("witness", "ask", "--json")
    assert (code, json.loads(told)["witnesses"][0]["outcome"]) == (20, "unreachable")
    process.start()
    code, told, _ = run("witness", "ask")
    assert code == 0
    assert "archive" in told
    assert run("witness", "list")[0] == 0


def test_on_copied_files_with_pinned_keys(tmp_path, settings, run, append, asker):
    append(3)
    asker(2, 2).round()
    keys = tmp_path / "pinned"
    keys.write_text("".join(f"{key.to_text()}\n" for key in log_verifiers(settings)))
    both = [word for n in (1, 2) for word in ("--witness", signer(n).verifier.to_text())]
    offline = ("audit", "verify", "--log", settings.log, "--key-file", keys)
    assert run(*offline)[0] == 0
    assert run(*offline, *both)[0] == 0
    assert run(*offline, *both, "--witness", signer(3).verifier.to_text())[0] == 13
    assert run(*offline, *both, "--witness", signer(3).verifier.to_text(), "--quorum", 2)[0] == 0
    for wrong in (("--quorum", 1), (*both, "--quorum", 3), ("--witness", "nonsense"), (*both, "--policy", keys)):
        code, _, told = run(*offline, *wrong)
        assert code in {1, 2}, told
        assert "Traceback" not in told
    assert run("audit", "verify", "--log", settings.log)[0] == 2


def test_a_pack_that_witnesses_stand_behind(tmp_path, settings, run, append, asker):
    append(3)
    keys = settings.public / "log.vkey"
    words = (
        "evidence",
        "pack",
        "--entries",
        "0-2",
        "--log",
        settings.log,
        "--key-file",
        keys,
        "-o",
        tmp_path / "p.zip",
    )
    assert run(*words)[0] == 0
    check = ("evidence", "check", tmp_path / "p.zip", "--key-file", keys, "--witness", signer(1).verifier.to_text())
    assert run(*check)[0] == 13
    asker().round()
    assert run(*words)[0] == 0
    assert run(*check, "--also", settings.public / "log-mldsa.vkey")[0] == 0
    assert run("evidence", "check", tmp_path / "p.zip", "--witness", signer(1).verifier.to_text())[0] == 2


class TestKeys:
    def test_a_key_is_made_once(self, tmp_path, run):
        code, told, _ = run("witness", "keygen", "w.example", "--out", tmp_path / "k", "--json")
        assert code == 0
        assert WitnessVerifierKey.from_text((tmp_path / "k.vkey").read_text()).name == "w.example"
        assert json.loads(told)["key"] == (tmp_path / "k.vkey").read_text().strip()
        assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
        before = (tmp_path / "k").read_text()
        assert before not in told
        assert run("witness", "keygen", "w.example", "--out", tmp_path / "k")[0] == 2
        assert (tmp_path / "k").read_text() == before

    def test_names_and_files_that_cannot_be(self, tmp_path, run):
        assert run("witness", "keygen", "a name", "--out", tmp_path / "k")[0] in {1, 2}
        assert not (tmp_path / "k").exists()
        (tmp_path / "k").write_text(signer(1).to_text())
        (tmp_path / "log").write_text(signer(2).verifier.to_text())
        serve = ("witness", "serve", "--key", tmp_path / "k", "--state", tmp_path / "s", "--log-key")
        for file in (tmp_path / "log", tmp_path / "nothing", tmp_path / "k"):
            code, _, told = run(*serve, file)
            assert code in {1, 2}, told
            assert signer(1).to_text() not in told

    def test_nobody_to_ask(self, settings, run, evidence):
        assert run("witness", "ask")[0] == 2
        assert run("witness", "list")[0] == 0


class TestDoor:
    def test_it_cosigns(self, door, evidence, append):
        http, _ = door
        size = append(3)
        assert http.get("/").text == f"{signer(1).verifier.to_text()}\n"
        note = evidence.log.checkpoint
        answer = http.post("/add-checkpoint", content=request_body(0, (), note))
        assert answer.status_code == 200
        found = open_checkpoint(note + answer.text, [evidence.verifier], also=[signer(1).verifier])
        assert found.size == size
        again = http.post("/add-checkpoint", content=request_body(0, (), note))
        assert (again.status_code, again.text) == (409, f"{size}\n")
        assert again.headers["content-type"] == "text/x.tlog.size"

    def test_nothing_else_is_there(self, door):
        http, _ = door
        answers = [
            (http.get("/add-checkpoint"), 405),
            (http.post("/"), 405),
            (http.post("/other"), 404),
            (http.post("/add-checkpoint/../add-checkpoint//"), 404),
            (http.post("/add-checkpoint", content=b"nonsense"), 400),
            (http.post("/add-checkpoint", content=b""), 400),
            (http.post("/add-checkpoint", content=b"x" * 600_000), 413),
        ]
        assert [a.status_code for a, _ in answers] == [status for _, status in answers]
        assert answers[0][0].headers["allow"] == "POST"

    def test_a_body_that_does_not_come_is_not_waited_for(self, door, monkeypatch):
        http, _ = door
        monkeypatch.setattr(witness_door, "BODY_WAIT_S", 0.1)
        with socket.create_connection((http.base_url.host, http.base_url.port), 30) as wire:
            wire.sendall(b"POST /add-checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
            assert wire.recv(100).startswith(b"HTTP/1.1 408")

    @pytest.mark.parametrize(
        ("error", "status"),
        [(LogDamagedError(where="x", problem="y"), 500), (StorageFullError(where="x"), 503)],
    )
    def test_what_it_cannot_remember_it_does_not_cosign(self, door, error, status, monkeypatch, caplog):
        http, witness = door

        def fail(body):
            raise error

        monkeypatch.setattr(witness, "add_checkpoint", fail)
        answer = http.post("/add-checkpoint", content=b"x")
        assert answer.status_code == status
        assert "w1.example" not in answer.text
        assert "nothing is cosigned" in caplog.text


def test_the_api_says_who_cosigns_and_asks_by_itself(world, tmp_path, monkeypatch):
    from hub.service import Service
    from hub.witnesses import asking as witnesses

    evidence = Evidence.open(world.settings)
    seen = Witness(tmp_path / "seen", signer(1), {evidence.origin: log_verifiers_of(evidence)}, world.clock)
    evidence.log.close()
    monkeypatch.setattr(witnesses, "LOOK_EVERY_S", 0.05)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(Door(seen, "")) as url:
        file = tmp_path / "witnesses"
        file.write_text(f"witness archive {signer(1).verifier.to_text()} {url}\nquorum archive\n")
        settings = replace(world.settings, witnesses_file=file)
        app = create_app(settings, open_service=lambda found: Service.open(found, clock=world.clock))
        with serving(app) as hub, httpx.Client(base_url=hub, trust_env=False) as http:
            deadline = time.monotonic() + 30
            while (told := http.get("/v1/witnesses").json())["checkpoint"] is None and time.monotonic() < deadline:
                time.sleep(0.05)
            (one,) = told["witnesses"]
            assert (one["name"], one["key"]) == ("archive", signer(1).verifier.to_text())
            found = open_checkpoint(told["checkpoint"], [evidence.verifier], also=[signer(1).verifier])
            assert one["size"] == found.size
            assert url not in json.dumps(told)
