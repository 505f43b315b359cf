"""Corrections and recalls as people and programs meet them: the command line and the API."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext

import httpx
import pytest

from hub.api import corrections as api
from hub.api import create_app
from hub.cli import app as tree
from hub.cli import corrections as cli
from hub.cli import recalls
from hub.grants import issue_key
from hub.service import Service
from tests.hub.api.conftest import serving
from tests.hub.corrections.conftest import PERSON, STREET
from tests.hub.databases import SQLITE
from tests.hub.world import CODE, NOW, PEOPLE

WORDS = "住址有误，户主为欧阳某"
TODAY = NOW.date().isoformat()


@pytest.fixture
def database():
    """The doors do not care where rows are kept."""
    return SQLITE


@pytest.fixture
def run(scene, monkeypatch, capsys):
    """Run `zhengtong correct …` on the scene's deployment; exit code, output as JSON, and everything printed."""
    if not any(group.name == "correct" for group in tree.app.registered_groups):
        cli.add_to(tree.app)
    # The scene's own office, for its clock: in the world's year the grant is in force.
    for module in (cli, recalls):
        monkeypatch.setattr(module, "opened", lambda: nullcontext(scene.office))
    printed = []

    def go(*arguments, by="RS:window-2"):
        code = tree.run(["correct", *arguments, "--by", by, "--json"])
        told = capsys.readouterr()
        printed.append(told.out + told.err)
        return code, json.loads(told.out)

    go.printed = printed
    return go


def opened(run, tmp_path):
    """A correction, with everything personal read from files."""
    (tmp_path / "key").write_text(f"{PERSON}\n", encoding="utf-8")
    (tmp_path / "words").write_text(WORDS, encoding="utf-8")
    words = f"@{tmp_path / 'words'}"
    return run(
        "new", CODE, f"citizen_id=@{tmp_path / 'key'}",
        "--fault", "wrong_value", "--field", "address", "--wrong", words, "--right", words, "--evidence", words,
    )  # fmt: skip


def test_a_correction_from_the_command_line(run, scene, tmp_path):
    scene.query()
    code, plain = opened(run, tmp_path)
    assert (code, plain["state"], plain["wrong"], plain["allowed"]) == (8, "submitted", WORDS, ["withdraw"])
    assert plain["disputed"]["key"] == [["citizen_id", PERSON]]
    id_ = plain["id"]
    code, plain = run("list", by="GA:x")
    assert (code, [one["id"] for one in plain]) == (0, [id_])
    assert run("list", by="XX:x")[1] == []
    assert run("ask", id_, "--question", "何时迁入？", by="GA:x")[1]["state"] == "asked"
    assert run("supply", id_, "--reply", "去年")[1]["state"] == "submitted"
    assert run("reject", id_, "--ground", "correct", "--answer", "无误", by="GA:x")[1]["state"] == "rejected"
    assert run("appeal", id_, "--why", "户口簿为准")[1]["state"] == "disputed"
    code, plain = run("settle", id_, "--uphold", "--verdict", "应更正", "--mend-by", "2026-03-09", by="MZ:hub")
    assert (code, plain["state"], plain["mend_by"]) == (0, "accepted", "2026-03-09")
    code, plain = run("recipients", id_, by="GA:x")
    assert (code, [one["department"] for one in plain]) == (0, [])
    code, plain = run("recipients", CODE, f"citizen_id={PERSON}", "--field", "name", by="GA:x")
    assert [one["calls"] for one in plain] == [1]
    code, plain = run("recall", CODE, f"citizen_id={PERSON}", by="GA:x")
    assert (code, plain["state"]) == (0, "issued")
    recalled = plain["id"]
    assert run("recalls")[1][0]["id"] == recalled
    assert run("acknowledge", recalled, "--done", "已重新核验")[1]["state"] == "acknowledged"
    assert run("recalls", recalled, by="GA:x")[1]["acknowledged"]["RS"]["done"] == "已重新核验"
    assert [step["step"] for step in run("show", id_)[1]["history"]] == [
        "submit", "ask", "supply", "reject", "appeal", "settle",
    ]  # fmt: skip
    assert STREET not in "".join(run.printed)


def test_exit_codes_and_messages_name_nobody(run, tmp_path):
    id_ = opened(run, tmp_path)[1]["id"]
    run.printed.clear()
    assert run("show", "K0")[0] == 3
    assert run("show", id_, by="XX:x")[0] == 4
    assert run("accept", id_, "--mend-by", TODAY)[0] == 4
    assert run("withdraw", id_, "--revision", "7")[0] == 6
    assert run("mended", id_, "1", by="GA:x")[0] == 6
    assert run("accept", id_, "--mend-by", "2020-01-01", by="GA:x")[0] == 5
    assert run("new", CODE, f"name={PEOPLE[0][1]}", "--fault", "outdated", "--wrong", WORDS)[0] == 5
    assert run("new", CODE, f"citizen_id={PERSON}", "--fault", "typo", "--wrong", WORDS)[0] == 2
    assert run("new", CODE, "--fault", "late", "--wrong", WORDS, by="MZ:x")[0] == 4
    assert run("new", CODE, "--fault", "late", "--wrong", WORDS, "--entry", "0")[0] == 5
    assert run("recall", id_, by="GA:x")[0] == 6
    said = "".join(run.printed)
    assert not [secret for secret in (PERSON, WORDS, PEOPLE[0][1]) if secret in said]


def test_without_json_people_read_it(run, capsys, tmp_path):
    id_ = opened(run, tmp_path)[1]["id"]
    assert tree.run(["correct", "show", id_, "--by", "GA:x"]) == 0
    told = capsys.readouterr().out
    assert id_ in told
    assert WORDS in told
    assert tree.run(["correct", "list", "--by", "GA:x"]) == 0
    told = capsys.readouterr().out
    assert id_ in told
    assert WORDS not in told


def test_help_imports_no_engine():
    script = "import sys, hub.cli.corrections; print(sorted({'duckdb', 'pyarrow', 'sqlalchemy'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def http(prepared, tmp_path_factory):
    """A server of its own and a key for each department."""
    from tests.hub import world as worlds

    world = worlds.copy(prepared, tmp_path_factory.mktemp("http") / "var")
    app = create_app(world.settings, open_service=lambda settings: Service.open(settings, clock=world.clock))
    if "/v1/corrections" not in app.openapi()["paths"]:
        api.add_to(app)
        app.openapi_schema = None
    with serving(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        office = app.state.service.office
        client.keys = {
            department: issue_key(
                office.control, office.evidence, office.list_, department=department, name="x", by="o", roles=roles
            ).key
            for department, roles in (("RS", ("call",)), ("GA", ("review",)), ("MZ", ("office",)))
        }
        client.app = app
        yield client


def send(http, department, path, *, status, headers=None, **body):
    given = {"authorization": f"Bearer {http.keys[department]}", **(headers or {})}
    answer = http.post(path, json=body, headers=given) if body or ":" in path else http.get(path, headers=given)
    assert answer.status_code == status, answer.text
    return answer


def test_a_correction_over_http(http):
    called = send(
        http, "RS", f"/v1/resources/{CODE}:query", status=200,
        keys={"citizen_id": PERSON}, purpose={"matter": "SX001"},
    ).json()  # fmt: skip
    body = {"resource": CODE, "fault": "outdated", "wrong": WORDS, "entry": called["receipt"]["entry"]}
    answer = send(http, "RS", "/v1/corrections", status=201, **body)
    plain = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert api.CorrectionShape.model_validate(plain).disputed.key == [("citizen_id", PERSON)]
    path = f"/v1/corrections/{plain['id']}"
    send(http, "RS", f"{path}:accept", status=403, mend_by=TODAY)
    send(http, "GA", f"{path}:accept", status=409, mend_by=TODAY, headers={"if-match": '"9"'})
    send(http, "GA", f"{path}:accept", status=422, mend_by="soon")
    send(http, "GA", f"{path}:delete", status=422)
    accepted = send(http, "GA", f"{path}:accept", status=200, mend_by=TODAY, headers={"if-match": '"1"'})
    assert accepted.json()["state"] == "accepted"
    listed = api.CorrectionsShape.model_validate(send(http, "MZ", "/v1/corrections", status=200).json())
    assert plain["id"] in [line.id for line in listed.corrections]
    found = api.RecipientsShape.model_validate(send(http, "GA", f"{path}/recipients", status=200).json())
    assert [(one.department, one.calls) for one in found.recipients] == [("RS", 1)]
    send(http, "RS", f"{path}/recipients", status=403)
    recalled = api.RecallShape.model_validate(send(http, "GA", f"{path}:recall", status=200).json())
    assert api.RecallsShape.model_validate(send(http, "RS", "/v1/recalls", status=200).json()).total == 1
    own = send(http, "RS", f"/v1/recalls/{recalled.id}", status=200).json()
    assert "key" not in own
    done = send(http, "RS", f"/v1/recalls/{recalled.id}:acknowledge", status=200, done="已核验")
    assert done.json()["state"] == "acknowledged"


def test_a_problem_over_http_quotes_nobody(http):
    for body in (
        {"resource": CODE, "fault": "outdated", "wrong": WORDS, "key": {PERSON: WORDS}},
        {"resource": CODE, "fault": "outdated", "wrong": WORDS, "key": {"citizen_id": [PERSON]}},
        {"resource": CODE, "fault": "outdated", "wrong": WORDS, "fields": [WORDS], "key": {"citizen_id": PERSON}},
        {"resource": CODE, "fault": WORDS, "wrong": WORDS},
        {"resource": CODE, "fault": "outdated", "wrong": WORDS, WORDS: PERSON},
        {"resource": CODE, "fault": "outdated", "wrong": WORDS, "entry": PERSON},
    ):
        text = send(http, "RS", "/v1/corrections", status=422, **body).text
        assert PERSON not in text
        assert WORDS not in text


def test_every_route_is_documented(http):
    paths = http.app.openapi()["paths"]
    for path, method in (
        ("/v1/corrections", "get"),
        ("/v1/corrections", "post"),
        ("/v1/corrections/{id_}", "get"),
        ("/v1/corrections/{id_}:accept", "post"),
        ("/v1/corrections/{id_}/recipients", "get"),
        ("/v1/recalls", "get"),
        ("/v1/recalls", "post"),
        ("/v1/recalls/{id_}", "get"),
        ("/v1/recalls/{id_}:acknowledge", "post"),
    ):
        assert paths[path][method]["security"] == [{"callerKey": []}]
