"""A list's way into force as an office walks it at the command line, with the demonstration city's own list."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from openpyxl import load_workbook

from catalog.load import load
from hub.cli.app import run
from hub.cli.language import say

REPOSITORY = Path(__file__).parents[3]
VERBS = (
    *("check", "submit", "resubmit", "approve", "return", "object", "withdraw", "draft"),
    *("publish", "versions", "show", "diff", "impact", "export"),
)
DEMO = (REPOSITORY / "demo" / "responsibilities.yaml").read_text(encoding="utf-8")
EDITOR, REVIEWER = "SZJ:list-editor", "SZJ:list-reviewer"


class Shell:
    """Runs commands within this process, in English: a process of its own for each would take a minute."""

    def __init__(self, capsys):
        self.capsys = capsys

    def __call__(self, *arguments, code=0):
        given = [str(argument) for argument in arguments]
        self.capsys.readouterr()
        done = run(given)
        told = self.capsys.readouterr()
        assert done == code, told.out + told.err
        return json.loads(told.out) if "--json" in given else told.out + told.err


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZHENGTONG_HOME", str(tmp_path / "var"))
    monkeypatch.delenv("ZHENGTONG_ACTOR", raising=False)
    return Shell(capsys)


@pytest.fixture
def files(tmp_path):
    """The demonstration's list, the same with one field not shared any more, with another title, and a faulty one."""
    first, second, third, faulty = (
        tmp_path / name for name in ("first.yaml", "second.yaml", "third.yaml", "faulty.yaml")
    )
    first.write_text(DEMO, encoding="utf-8")
    changed = re.sub(
        r"(\{name: plate, .*grade: )1\}", r'\g<1>2, share_type: "3", share_condition: 依法保密}', DEMO, count=1
    )
    assert changed != DEMO
    second.write_text(changed, encoding="utf-8")
    third.write_text(DEMO.replace("（2026年第一批）", "（2026年第一批修订）"), encoding="utf-8")
    faulty.write_text(DEMO.replace("code: GAJ", "code: GAX", 1), encoding="utf-8")
    return first, second, third, faulty


def test_from_draft_over_review_into_force(shell, files):
    first, second, third, faulty = files
    done = shell("list", "publish", first, "--by", EDITOR, "--approved-by", REVIEWER, "--json")
    version = load(first).version
    assert (done["version"], done["already"]) == (version, False)
    assert shell("list", "publish", first, "--json")["already"] is True

    refused = shell("list", "submit", faulty, "--by", EDITOR, "--json", code=5)
    assert any("GAJ" in fault["message"] for fault in refused["faults"])

    # What it would change, and for whom, before anything is handed in.
    found = shell("list", "impact", second, "--json")
    change = next(c for c in found["changes"] if c["code"] == "share_type_changed")
    assert (change["resource"], change["field"], change["weight"]) == ("3010020001", "plate", "breaking")
    assert "号牌号码" in change["zh"]
    assert "不予共享" in change["zh"]

    case = shell("list", "submit", second, "--by", EDITOR, "--json", code=8)
    id_ = case["case"]
    assert (case["state"], case["answerer"]) == ("submitted", "SZJ")
    assert case["due"]
    assert shell("list", "approve", id_, "--by", EDITOR, "--json", code=4)["code"] == "same_hands"
    assert shell("list", "approve", id_, "--by", "GAJ:x", "--json", code=4)["code"] == "not_yours"
    assert shell("list", "approve", id_, "--by", "nobody", "--json", code=2)["code"] == "actor_invalid"
    assert shell("list", "publish", id_, "--by", REVIEWER, "--json", code=6)["code"] == "step_not_allowed"
    assert shell("list", "approve", id_, "--by", REVIEWER, "--revision", 7, "--json", code=6)["code"] == "case_conflict"
    assert shell("list", "approve", id_, "--by", REVIEWER, "--json")["state"] == "approved"

    # Another list comes between: the draft is reviewed again.
    shell("list", "publish", third, "--by", EDITOR, "--approved-by", REVIEWER)
    stale = shell("list", "publish", id_, "--by", REVIEWER, "--json", code=6)
    assert stale["code"] == "list_superseded"
    assert shell("list", "resubmit", id_, "--by", EDITOR, "--json", code=8)["state"] == "submitted"
    shell("list", "approve", id_, "--by", REVIEWER)
    assert shell("list", "publish", id_, "--by", REVIEWER, "--json")["already"] is False

    known = shell("list", "versions", "--json")
    assert [v["status"] for v in known["versions"]] == ["current", "superseded", "superseded"]
    assert known["versions"][2]["version"] == version
    assert known["drafts"] == []
    history = shell("list", "draft", id_, "--json")["history"]
    assert [step["step"] for step in history] == ["submit", "approve", "resubmit", "approve", "published"]

    said = shell("list", "diff", version[7:19], "current")
    assert say("【中断】", "breaking: ") in said
    assert say("由有条件共享改为不予共享", "changed from conditional to not shared") in said
    assert shell("list", "diff", "current", second, "--json")["changes"] == []
    backwards = shell("list", "diff", "current", "previous", "--json")
    assert any(c["weight"] == "widening" for c in backwards["changes"])
    assert shell("list", "show", "--version", "previous", "--json")["title"].endswith("修订）")
    assert shell("list", "diff", "current", "ffffffff", "--json", code=3)["code"] == "list_version_unknown"
    assert shell("list", "draft", "LAAAAAAAA", "--json", code=3)["code"] == "case_unknown"


def test_a_draft_is_returned_objected_to_and_withdrawn(shell, files):
    first, second, _, _ = files
    shell("list", "publish", first)
    case = shell("list", "submit", second, "--by", EDITOR, "--json", code=8)["case"]
    assert "objected" not in shell("list", "return", case, "--note", "请补充依据", "--by", REVIEWER)
    assert shell("list", "resubmit", case, second, "--by", EDITOR, "--json", code=8)["state"] == "submitted"
    objected = shell("list", "object", case, "--note", "办件需要", "--by", "ZJJ:officer", "--json")
    assert objected["objections"][0]["department"] == "ZJJ"
    told = shell("list", "approve", case, "--by", REVIEWER, "--json", code=5)
    assert (told["code"], told["problems"][0]["where"]) == ("case_invalid", "note")
    assert "办件需要" in shell("list", "draft", case)
    assert shell("list", "withdraw", case, "--by", EDITOR, "--json")["state"] == "withdrawn"


def test_a_list_is_written_in_every_form_and_read_back(shell, files, tmp_path):
    first = files[0]
    shell("list", "publish", first)
    expected = load(first)
    for form, suffix in (("xlsx", ".xlsx"), ("yaml", ".yaml"), ("csv", ".zip")):
        path = tmp_path / f"out{suffix}"
        shell("list", "export", "--format", form, "-o", path)
        assert load(path) == expected, form
    path = tmp_path / "out.jsonld"
    shell("list", "export", "--format", "dcat", "--server-url", "https://hub.example", "-o", path)
    document = json.loads(path.read_bytes())
    assert document["@type"] == "dcat:Catalog"
    assert document["dct:identifier"] == expected.version
    assert len(document["dcat:dataset"]) == len(expected.resources)
    path = tmp_path / "core.xlsx"
    told = shell("list", "export", "--format", "core", "-o", path, "--json")
    assert told["bytes"] == path.stat().st_size
    assert load_workbook(path).active.max_row == 3 + sum(len(r.fields) for r in expected.resources)
    assert shell("list", "export", "--format", "pdf", "--json", code=2)["code"] == "usage"
    shell("list", "export", "-o", tmp_path / "nowhere" / "x.xlsx", code=3)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_command_explains_itself_in_both_languages(lang):
    script = f"from hub.cli import main; [main(['list', verb, '--help']) for verb in {VERBS}]"
    done = subprocess.run(
        [sys.executable, "-c", script, "--lang", lang], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("--help") == len(VERBS)
    assert bool(re.search("[\u4e00-\u9fff]", done.stdout)) == (lang == "zh")
    if lang == "zh":
        assert not re.search(r"[A-Z][a-z]+ [a-z]+ [a-z]+", done.stdout), done.stdout
