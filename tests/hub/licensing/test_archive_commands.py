"""The commands about what was issued: bundle, find, renew, reconcile, fsck."""

from __future__ import annotations

import json

import pytest

from hub.cli import main
from hub.licensing import Licensing
from licence import credential
from tests.hub.licensing.test_batches import ORDER, fill
from tests.hub.world import IDS

WHY = ["--reason", "r", "--ground", "g", "--json"]


@pytest.fixture
def office(settings, monkeypatch):
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))
    return Licensing.open(fill(settings))


@pytest.fixture
def kind(office):
    return office.kind("居住证")


@pytest.mark.usefixtures("office")
def test_issue_bundle_find_and_renew(capsys, tmp_path):
    holder, out = tmp_path / "holder.txt", tmp_path / "mine.json"
    holder.write_text(IDS[0], "utf-8")
    assert main(["licence", "issue", "居住证", "--holder-file", str(holder), *WHY]) == 0
    issued = json.loads(capsys.readouterr().out)
    assert issued["bundle"].endswith(f"licences/{issued['identifier']}.licence.json")
    assert main(["licence", "bundle", issued["identifier"], "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert credential.parse(json.loads(out.read_text("utf-8"))["credential"]).jti == issued["identifier"]
    assert main(["licence", "find", "--holder-file", str(holder), "--json"]) == 0
    assert [row["identifier"] for row in json.loads(capsys.readouterr().out)["licences"]] == [issued["identifier"]]
    assert main(["licence", "find", "--kind", "居住证"]) == 0
    shown = capsys.readouterr()
    assert issued["identifier"] in shown.out
    assert main(["licence", "renew", issued["identifier"], *WHY]) == 0
    renewed = json.loads(capsys.readouterr().out)
    assert renewed["predecessor"] == issued["identifier"]
    assert main(["licence", "fsck"]) == 0
    assert main(["licence", "find", "--state", "05", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["licences"][0]["state"] == "05"


def test_fsck_names_what_is_damaged(office, kind, capsys):
    first = office.issue(kind, IDS[0], **ORDER).identifier
    path = office.store.path(1)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    assert main(["licence", "fsck", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["faults"] == [{"licence": first, "where": "00000001.segment:28"}]


def test_reconcile_tells_no_holder(office, kind, capsys):
    office.issue(kind, IDS[0], **ORDER)
    assert main(["licence", "reconcile", "居住证", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["residual"] == 4
    assert main(["licence", "reconcile", "居住证"]) == 0
    again = capsys.readouterr()
    assert not any(one in shown.out + shown.err + again.out + again.err for one in IDS)
