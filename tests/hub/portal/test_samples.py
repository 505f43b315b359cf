"""The code of a call is that of docs/calling.md, whose lines are run by tests/test_docs_calling.py."""

from __future__ import annotations

import json
import subprocess

import pytest

from hub.portal import samples
from tests.test_docs import ROOT, blocks

PAPERS = [ROOT / "docs" / "calling.md", ROOT / "docs" / "zh" / "calling.md"]
CALL = {
    "hub": "https://hub.example:8443",
    "resource": "306010/000001",
    "action": "query",
    "sandbox": False,
    "lang": "zh",
}


@pytest.mark.parametrize("paper", PAPERS, ids=str)
@pytest.mark.parametrize("name", samples.NAMES)
def test_a_block_is_one_of_the_paper(name, paper):
    assert samples.block(name) in [text for _, text in blocks(paper)]


def test_the_papers_own_call_gives_the_papers_own_lines():
    made = samples.code(hub="http://127.0.0.1:8080", resource="3010010001", action="query", sandbox=False, lang="en")
    assert {name: made[name] for name in ("curl", "python", "java")} == {
        name: samples.block(name) for name in ("curl", "python", "java")
    }
    assert made["start"] in [text for _, text in blocks(PAPERS[0])]


def test_a_call_has_its_own_values():
    made = samples.code(**CALL)
    assert "HUB=https://hub.example:8443\nADDRESS=/v1/resources/306010/000001:query\n" in made["curl"]
    assert 'RESOURCE = "306010/000001"' in made["python"]
    assert 'Client("https://hub.example:8443", key' in made["python"]
    assert made["start"] == "java Call.java https://hub.example:8443/v1/resources/306010/000001:query call.json\n"
    assert "127.0.0.1" not in made["curl"] + made["python"]


def test_a_verification_in_the_sandbox_is_one():
    made = samples.code(**{**CALL, "action": "verify", "sandbox": True})
    assert "ADDRESS=/v1/sandbox/resources/306010/000001:verify\n" in made["curl"]
    assert "client.verify(RESOURCE" in made["python"]
    assert "sandbox=True" in made["python"]
    compile(made["python"], "call.py", "exec")


@pytest.mark.parametrize("base", ["http://a;rm -rf ~/", "http://$(id)/", "http://a'b/", 'http://a"b/', "ftp://a/", ""])
def test_an_address_that_could_do_something_in_a_shell_is_not_repeated(base):
    assert samples.hub_at(base) == "http://127.0.0.1:8080"


@pytest.mark.parametrize("base", ["https://hub.example/", "http://10.0.0.7:8080/", "http://[::1]:8080/"])
def test_an_ordinary_address_is(base):
    assert samples.hub_at(base) == base.rstrip("/")


@pytest.mark.parametrize("value", ["$(touch bad)", "`touch bad`", "'; touch bad; '", "END\ntouch bad", '"\\', "张三"])
def test_no_value_does_anything_in_a_shell(value, tmp_path):
    lines = samples.body({"keys": {"name": value}})
    subprocess.run(["bash", "-ec", lines], cwd=tmp_path, check=True, timeout=20)
    assert json.loads((tmp_path / "call.json").read_text()) == {"keys": {"name": value}}
    assert [one.name for one in tmp_path.iterdir()] == ["call.json"]
    assert (tmp_path / "call.json").stat().st_mode & 0o077 == 0


def test_a_code_with_strange_letters_stays_within_its_word():
    made = samples.code(**{**CALL, "resource": "a\"; $(id) 'b"})
    assert "$(id)" not in made["curl"]
    assert "$(id)" not in made["start"]
    compile(made["python"], "call.py", "exec")
