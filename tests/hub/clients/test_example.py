"""The examples of the paper on the client run as they are written, and the paper's tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hub.client as module
from hub.batches.client import Batches
from hub.client import Client
from hub.client.hooks import Hooks
from hub.signing import keyfiles
from tests.hub.clients.hostile import PINNED, RECORD, gateway, hub, problem, says

PAPER = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text("utf-8")
SECTION = PAPER.partition("\n## The Python client\n")[2].partition("\n## ")[0]
BLOCKS = dict(zip(("toml", "waits", "awaits"), re.findall(r"```\w+\n(.*?)```", SECTION, re.DOTALL), strict=True))


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("ZHENGTONG_PROFILES", raising=False)
    monkeypatch.chdir(tmp_path)
    keyfiles.write_private(tmp_path / "window.key", keyfiles.generate("ed25519")[1])
    (tmp_path / "answers.key.pub").write_text(PINNED)

    def run(block, *acts):
        with hub(*acts) as place:
            (tmp_path / "zhengtong.toml").write_text(BLOCKS["toml"].replace("https://hub.example", place.url))
            source = compile(BLOCKS[block], block, "exec")
            exec(source, {"number": "1", "numbers": ["1", "1", "1"]})  # noqa: S102 - our own paper
        assert all("signature" in heard.fields for heard in place.heard)
        return capsys.readouterr().out

    return run


def test_the_one_that_waits(run, monkeypatch):
    assert run("waits", says()) == f"{[RECORD]} 7\n"
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert run("waits", says(problem, status=403, code="denied")) == "not allowed:\n"
    assert "It may have been answered." in run("waits", gateway(502))


def test_the_one_that_is_awaited(run):
    assert run("awaits", says()) == f"{[RECORD]}\n" * 3


def rows(heading):
    table = SECTION.partition(f"| {heading} |")[2].partition("\n\n")[0]
    return {name for line in table.splitlines()[2:] for name in re.findall(r"`([\w.]+)`", line.split("|")[1])}


def public(kind):
    return {name for name in vars(kind) if not name.startswith("_")}


def test_the_tables_name_every_method_and_every_error():
    methods = public(Client) - {"batches", "hooks", "close", "from_profile"}
    methods |= {f"batches.{name}" for name in public(Batches)} | {f"hooks.{name}" for name in public(Hooks)}
    assert rows("method") == methods
    errors = {name for name in module.__all__ if name.endswith("Error")}
    # What the others are kinds of, and what is raised before or beside a call.
    assert rows("error") == errors - {"CallFailedError"} | {"InvalidRequestError", "ManifestInvalidError"}
