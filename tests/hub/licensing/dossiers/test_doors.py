"""The same over HTTP and on the command line: two officers, roles, revisions, other departments, hostile bodies."""

from __future__ import annotations

import json

import httpx
import pytest

from hub.actors import Role
from hub.api import create_app
from hub.callers import issue_key
from hub.cli import main
from hub.service import Service
from tests.hub.api.conftest import serving
from tests.hub.licensing.dossiers.conftest import LAW, NAMES, ONE, TWO, WHY, entries
from tests.hub.world import ABSENT, IDS

PATH = "/v1/licences/applications"
KEYS = {
    "window": ("RS", (Role.APPLY,)),
    "reviewer": ("RS", (Role.REVIEW,)),
    "chief": ("RS", (Role.REVIEW, Role.APPLY)),
    "stranger": ("MZ", (Role.APPLY, Role.REVIEW)),
    "auditor": ("MZ", (Role.AUDIT,)),
    "caller": ("RS", (Role.CALL,)),
}


@pytest.fixture
def keys(office):
    return {
        name: issue_key(
            office.control, office.evidence, office.list_, department=department, name=name, by="office", roles=roles
        ).key
        for name, (department, roles) in KEYS.items()
    }


@pytest.fixture
def http(settings, keys):
    app = create_app(settings, open_service=Service.open)
    with serving(app) as address, httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def send(http, keys):
    def sent(who, path, body=None, **headers):
        given = {"authorization": f"Bearer {keys[who]}", "accept-language": "en", **headers}
        if body is None:
            return http.get(path, headers=given)
        return http.post(path, json=body, headers=given)

    return sent


ASKED = {"kind": TWO, "holder": IDS[0], "reason": WHY, "ground": LAW, "stated": {"KZ_XM": "李四"}}


def test_the_whole_way_over_http_with_two_officers(send, office):
    known = send("window", f"{PATH}:preview", {"kind": TWO, "holder": IDS[0]}).json()
    assert (known["outcome"], known["differs"], len(known["face"])) == ("ok", [], 3)
    made = send("window", PATH, ASKED)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    plain = made.json()
    assert (plain["state"], plain["clock"]["of"], plain["known"]["differs"]) == ("applied", 20, ["KZ_XM"])
    assert "signature" in made.headers
    path = f"{PATH}/{plain['id']}"
    asked = send("reviewer", f"{path}:return", {"reason": "缺少证明"}, **{"if-match": '"1"'}).json()
    assert (asked["state"], asked["possible"]) == ("returned", ["complete", "refuse", "withdraw"])
    stale = send("window", f"{path}:complete", {"reason": "补正"}, **{"if-match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (409, "case_conflict")
    again = send("window", f"{path}:complete", {"reason": "补正", "stated": {"姓名": "张三"}, "materials": ["CL-1"]})
    assert (again.json()["materials"], again.json()["differs"]) == (["CL-1"], [])
    assert send("window", f"{path}:review", {}).status_code == 403  # a role it has not
    assert send("reviewer", f"{path}:review", {}).json()["state"] == "reviewed"
    twice = send("reviewer", f"{path}:approve", {})
    assert (twice.status_code, twice.json()["code"]) == (403, "dossier_hands")
    early = send("chief", f"{path}:hand-out", {})
    assert (early.status_code, early.json()["code"]) == (409, "dossier_step")
    waiting = send("chief", "/v1/inbox").json()["waiting"]
    assert [(c["id"], c["kind"], c["state"]) for c in waiting] == [(plain["id"], "dossier", "reviewed")]
    assert send("chief", f"{path}:approve", {}).json()["clock"]["of"] == 10
    done = send("chief", f"{path}:hand-out", {}).json()
    assert (done["state"], done["open"]) == ("issued", False)
    assert [e.facts["licence"] for e in entries(office) if e.kind == "licence.issued"] == [done["licence"]]
    listed = send("window", f"{PATH}?state=issued").json()
    assert (listed["total"], listed["items"][0]["licence"]) == (1, done["licence"])
    decided = {"licence": done["licence"], "action": "suspend", "reason": "核查", "ground": LAW}
    proposed = send("reviewer", "/v1/licences/decisions", decided)
    assert (proposed.status_code, proposed.json()["state"]) == (201, "proposed")
    assert proposed.json()["relied_on"] == {"copies": [], "copies_in_force": 0}
    decision = f"/v1/licences/decisions/{proposed.json()['id']}"
    assert send("reviewer", f"{decision}:confirm", {}).json()["code"] == "dossier_hands"
    assert send("chief", f"{decision}:confirm", {}).json()["state"] == "done"
    assert send("auditor", decision).json()["second"] == "chief"
    listed = send("window", f"/v1/licences/decisions?licence={done['licence']}").json()
    assert [one["action"] for one in listed["items"]] == ["suspend"]


def test_forced_browsing_by_others_finds_nothing(send, office):
    id_ = send("window", PATH, ASKED).json()["id"]
    size = office.evidence.log.size
    path = f"{PATH}/{id_}"
    answers = [
        send("stranger", path),
        *(send("stranger", f"{path}:{step}", {"reason": WHY, "ground": LAW}) for step in ("refuse", "review")),
        send("stranger", f"{path}:look", {}),
        send("stranger", f"{path}:withdraw", {"reason": WHY}),
        send("stranger", f"{path}:hand-out", {}),
        send("stranger", PATH, {**ASKED, "holder": ABSENT}),
        send("stranger", f"{PATH}:preview", ASKED),
        send("caller", path),
        send("auditor", f"{path}:look", {}),
        send("auditor", f"{path}:review", {}),
    ]
    assert {one.status_code for one in answers} == {403}
    for one in answers:
        assert not [secret for secret in (*IDS, ABSENT, *NAMES, LAW) if secret in one.text], one.text
    assert send("stranger", PATH).json()["total"] == 0
    assert send("stranger", f"{PATH}/Z2345678").status_code == 404
    assert send("auditor", path).json()["state"] == "applied"
    assert office.evidence.log.size == size


HOSTILE = (None, 1, [], {}, "a\x00b", "\u202e", "x" * 4001, [["a"]], {"a": 1})


@pytest.mark.parametrize("name", ["holder", "reason", "stated", "materials", "predecessor", "change", "more"])
def test_hostile_members_are_refused_one_by_one(send, name):
    for value in HOSTILE:
        got = send("window", PATH, {**ASKED, name: value})
        assert got.status_code in (201, 404, 422), (value, got.text)
        if got.status_code == 201:  # what says nothing is as if it were not there
            assert name not in ("holder", "reason", "more")
            assert value in (None, [], {})
            send("window", f"{PATH}/{got.json()['id']}:withdraw", {"reason": "撤回"})
        assert IDS[0] not in got.text


def test_without_a_catalogue_of_kinds_there_is_nothing_to_ask(send, settings):
    settings.kinds.unlink()
    assert send("window", PATH, ASKED).status_code == 404
    assert send("window", PATH).status_code == 404


# --- command line ---


@pytest.fixture
def say(settings, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))
    holder, stated = tmp_path / "holder.txt", tmp_path / "stated.json"
    holder.write_text(IDS[1], "utf-8")
    stated.write_text('{"KZ_XM": "欧阳四"}', "utf-8")
    files = {"HOLDER": str(holder), "STATED": str(stated)}

    def run(line, by="", code=0, plain=False):
        words = [files.get(word, word) for word in line.split()]
        given = [*words, *(["--by", f"RS:{by}"] if by else []), *([] if plain else ["--json"])]
        assert main(["licence", "case", *given]) == code, capsys.readouterr()
        told = capsys.readouterr()
        assert IDS[1] not in told.out + told.err
        return told.out + told.err if plain else json.loads(told.out)

    return run


WORDS = f"--reason {WHY} --ground {LAW}"


def test_the_whole_way_on_the_command_line(say, office):
    seen = say(f"preview {TWO} --holder-file HOLDER --stated-file STATED", "window")
    assert (seen["outcome"], seen["differs"]) == ("ok", [])
    made = say(f"apply {TWO} --holder-file HOLDER --stated-file STATED {WORDS}", "window", 8)
    id_ = made["id"]
    assert (made["outcome"], made["known"]["face"][0]["same"]) == ("waiting", "match")
    assert say(f"apply {TWO} --holder-file HOLDER {WORDS}", "window", 5)["problems"][0]["code"] == "dossier_waiting"
    assert say(f"review {id_}", "window", 4)["code"] == "dossier_hands"
    assert say(f"review {id_} --revision 7", "reviewer", 6)["code"] == "case_conflict"
    assert say(f"review {id_}", "reviewer")["state"] == "reviewed"
    assert say(f"approve {id_}", "reviewer", 4)["code"] == "dossier_hands"
    say(f"approve {id_}", "chief")
    done = say(f"hand-out {id_}", "window")
    assert done["outcome"] == "issued"
    assert say(f"hand-out {id_}", "window", 6)["code"] == "dossier_step"
    assert say("list --all")["items"][0]["licence"] == done["licence"]
    shown = say(f"show {id_}", plain=True)
    assert done["licence"] in shown
    decided = say(f"decide {done['licence']} suspend {WORDS}", "reviewer", 8)
    assert decided["state"] == "proposed"
    assert say(f"confirm {decided['id']}", "reviewer", 4)["code"] == "dossier_hands"
    assert say(f"confirm {decided['id']}", "chief")["state"] == "done"
    assert say("decisions --all")["items"][0]["state"] == "done"
    assert decided["id"] in say(f"show {decided['id']}", plain=True)
    assert say("show Z2345678", code=3)["code"] == "case_unknown"
    assert say(f"decide {done['licence']} burn {WORDS}", "reviewer", 5)["code"] == "case_invalid"
    said = [e for e in entries(office) if e.kind.startswith(("dossier.", "decision."))]
    assert len(said) == 5 + 3


def test_a_card_is_decided_by_one_and_renewed_without_typing_the_code(say):
    id_ = say(f"apply {ONE} --holder-file HOLDER {WORDS}", "window", 8)["id"]
    say(f"return {id_} --reason 缺少证明", "window")
    say(f"complete {id_} --reason 补正 --material CL-1", "window", 8)
    say(f"review {id_}", "window")
    first = say(f"hand-out {id_}", "window")["licence"]
    assert say(f"renew {first} {WORDS}", "window", 5)["problems"][0]["code"] == "dossier_renewal_when"
    id_ = say(f"renew {first} --change {WORDS}", "window", 8)["id"]
    assert say(f"look {id_}", "window")["outcome"] == "ok"
    say(f"review {id_}", "window")
    second = say(f"hand-out {id_}", "window")["licence"]
    assert second != first
    assert say(f"decide {second} cancel {WORDS}", "window")["state"] == "done"
    assert say(f"decide {second} resume {WORDS}", "window", 6)["code"] == "dossier_step"
    id_ = say(f"apply {ONE} --holder-file HOLDER {WORDS}", "window", 8)["id"]
    assert say(f"refuse {id_} {WORDS}", "chief")["outcome"] == "ended"
