"""Kinds on the command line and at the counter: the reference catalogue, what differs, what cannot be issued here."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hub.cli import main
from hub.cli.output import exit_code_of
from hub.errors import KindUnknownError
from hub.licensing.errors import KindNotSourcedError
from licence.kinds import load_reference

TEXT = """kinds:
  - code: "11100000000013338W011"
    name: {name}
    name_en: Permit
    category: 证照
    authority: 住房和城乡建设部
    authority_code: "11100000000013338W"
    authority_level: 国家级
    issuing_levels: [市级]
    holder_category: 自然人
    holder_type: person
    approvals: {approvals}
    face:
      - {{name: KZ_XM, title: 姓名, title_en: Name}}
"""


@pytest.fixture
def files(tmp_path):
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(TEXT.format(name="甲证", approvals=1), "utf-8")
    new.write_text(TEXT.format(name="乙证", approvals=2), "utf-8")
    return str(old), str(new)


def test_the_reference_catalogue_is_listed_without_a_city(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("ZHENGTONG_HOME", str(tmp_path / "var"))
    assert main(["licence", "kinds", "--reference", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [kind["code"] for kind in listed] == [kind.code for kind in load_reference()]
    assert {kind["issuer"] + kind["resource"] for kind in listed} == {""}
    assert main(["licence", "kinds"]) == 5
    assert not (tmp_path / "var").exists()


def test_what_differs_is_told_the_heaviest_first(files, capsys):
    assert main(["licence", "kinds", "diff", *files]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("narrowing")
    assert "approvals" in first
    assert "甲证" in second
    assert main(["licence", "kinds", "diff", *files, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"breaking": 0, "narrowing": 1, "widening": 0, "neutral": 1}
    assert told["old"] != told["new"]
    assert {change["kind"] for change in told["changes"]} == {"11100000000013338W011"}


def test_two_equal_catalogues_and_files_that_are_none_have_the_exit_codes_of_lists(files, capsys, tmp_path):
    assert main(["licence", "kinds", "diff", files[0], files[0]]) == 0
    assert capsys.readouterr().out == ""
    assert main(["licence", "kinds", "diff", files[0], str(tmp_path / "none.yaml")]) == 3
    (tmp_path / "bad.yaml").write_text("kinds: 1\n", "utf-8")
    assert main(["licence", "kinds", "diff", files[0], str(tmp_path / "bad.yaml")]) == 5


def test_transfer_is_a_command(capsys):
    assert main(["licence", "transfer", "--help"]) == 0
    assert "transferred out" in capsys.readouterr().out


def test_a_kind_of_the_reference_catalogue_alone_is_refused_by_name(office):
    known = load_reference()[0]
    with pytest.raises(KindNotSourcedError) as refused:
        office.kind(known.name)
    assert refused.value.code == "kind_not_sourced"
    assert exit_code_of(refused.value) == 3
    with pytest.raises(KindUnknownError) as unknown:
        office.kind("没有的证")
    assert unknown.value.code == "kind_unknown"


def test_a_kind_without_issuer_or_resource_is_not_issued(office):
    known = load_reference()[0]
    order = {"reason": "r", "ground": "g", "by": "GA:licence-officer"}
    for kind in (known, replace(known, issuer="GA"), replace(known, resource="r")):
        with pytest.raises(KindNotSourcedError):
            office.issue(kind, "x", **order)
