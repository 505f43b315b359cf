"""The same over HTTP and on the command line: answers, exit codes, roles, revisions, and bodies that are refused."""

from __future__ import annotations

import json

import httpx
import pytest
import typer

from hub import grants
from hub.actors import Role
from hub.api import applications as application_doors
from hub.api import create_app
from hub.api import grants as grant_doors
from hub.callers import issue_key
from hub.cli import grants as grant_commands
from hub.cli import requests as request_commands
from hub.cli.output import fail
from hub.service import Service
from tests.hub.api.conftest import serving
from tests.hub.applications.conftest import CODE, FREE
from tests.hub.databases import SQLITE
from tests.hub.world import MATTER

DOORS = {"RS": (Role.APPLY,), "GA": (Role.REVIEW,), "MZ": (Role.APPLY,), "SJ": (Role.OFFICE,)}


@pytest.fixture
def database():
    """The doors are the same over either; what is stored is tested on both beside this."""
    return SQLITE


@pytest.fixture
def keys(city):
    names = {
        department: issue_key(
            city.control,
            city.evidence,
            city.list_,
            department=department,
            name="desk",
            by="SJ:office",
            roles=roles,
        ).key
        for department, roles in DOORS.items()
    }
    audit = issue_key(
        city.control, city.evidence, city.list_, department="MZ", name="auditor", by="SJ:office", roles=(Role.AUDIT,)
    )
    return names | {"audit": audit.key}


@pytest.fixture
def http(city, keys, clock):
    app = create_app(city.settings, open_service=lambda settings: Service.open(settings, clock=clock))
    paths = {getattr(route, "path", "") for route in app.routes}
    for doors, path in ((application_doors, "/v1/applications"), (grant_doors, "/v1/grants")):
        if path not in paths:
            doors.add_to(app)
    with serving(app) as address, httpx.Client(base_url=address, trust_env=False) as client:
        yield client


def send(http, keys, who, method, path, *, body=None, **headers):
    given = {"authorization": f"Bearer {keys[who]}", "accept-language": "en", **headers}
    return http.request(method, path, json=body, headers=given)


def post(http, keys, who, path, body=None, **headers):
    return send(http, keys, who, "POST", path, body=body if body is not None else {}, **headers)


ASKED = {"resource": CODE, "purposes": [MATTER], "fields": [{"name": "income", "reason": "核算"}], "term_days": 90}


def test_from_application_to_grant_over_http(http, keys):
    made = post(http, keys, "RS", "/v1/applications", ASKED)
    assert made.status_code == 201
    plain = made.json()
    assert (plain["state"], plain["clock"]["day"], plain["clock"]["of"]) == ("submitted", 1, 10)
    assert [f["name"] for f in plain["fields"]] == ["name", "birth", "income"]
    path = f"/v1/applications/{plain['id']}"
    asked = post(http, keys, "GA", f"{path}:ask", {"question": "何用？"}, **{"if-match": made.headers["etag"]})
    assert (asked.json()["state"], asked.headers["etag"]) == ("asked", '"2"')
    stale = post(http, keys, "RS", f"{path}:supply", {"answer": "核算"}, **{"if-match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (409, "case_conflict")
    supplied = post(http, keys, "RS", f"{path}:supply", {"answer": "核算", "volume_per_day": 8})
    assert supplied.json()["volume_per_day"] == 8
    assert supplied.json()["fields"] == plain["fields"]
    less = {"fields": ["name", "birth"], "masks": {"name": "surname"}, "quota_per_day": 5, "rows": ["household in H1"]}
    done = post(http, keys, "GA", f"{path}:approve", less).json()
    assert (done["state"], done["terms"]["quota_per_day"]) == ("granted", 5)
    assert [s["step"] for s in done["history"]] == ["submit", "ask", "supply", "approve"]
    grant = send(http, keys, "RS", "GET", f"/v1/grants/{done['grant']}").json()
    assert (grant["state"], grant["masks"], grant["rows"]) == ("in_force", {"name": "surname"}, ["household in H1"])
    assert grant["use"] == {"calls": 0, "today": 0, "last_used": None, "days_unused": 0}
    document = send(http, keys, "RS", "GET", f"/v1/grants/{done['grant']}/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    steps = (("GA", "suspend"), ("SJ", "resume"), ("RS", "hand-back"))
    states = [post(http, keys, who, f"/v1/grants/{grant['id']}:{step}", {"reason": "核查"}) for who, step in steps]
    assert [one.json()["state"] for one in states] == ["suspended", "in_force", "handed_back"]


def test_what_has_no_condition_is_granted_with_the_answer(http, keys):
    body = {
        "resource": FREE,
        "purposes": [MATTER],
        "fields": [{"name": "name", "reason": "核对"}, {"name": "birth", "reason": "x"}],
    }
    made = post(http, keys, "RS", "/v1/applications", body).json()
    assert (made["state"], made["clock"]) == ("granted", None)
    less = post(http, keys, "RS", f"/v1/grants/{made['grant']}:shrink", {"reason": "够用", "fields": ["name"]}).json()
    assert (less["fields"], less["predecessor"]) == (["name"], made["grant"])
    assert send(http, keys, "GA", "GET", "/v1/grants?ended=true").json()["items"][0]["id"] == made["grant"]


def test_a_dispute_over_http(http, keys):
    path = f"/v1/applications/{post(http, keys, 'RS', '/v1/applications', ASKED).json()['id']}"
    assert post(http, keys, "GA", f"{path}:refuse", {"ground": " "}).status_code == 422
    assert post(http, keys, "GA", f"{path}:refuse", {"ground": "《办法》第五条"}).json()["state"] == "refused"
    assert post(http, keys, "RS", f"{path}:dispute", {"reason": "职责所需"}).json()["state"] == "consulting"
    upheld = post(http, keys, "GA", f"{path}:settle", {"give": False, "ground": "《办法》第五条"}).json()
    assert (upheld["state"], len(upheld["refusals"])) == ("upheld", 2)
    assert post(http, keys, "RS", f"{path}:dispute", {"reason": "职责所需"}).json()["answerer"] == "SJ"
    assert post(http, keys, "SJ", f"{path}:settle", {"give": True}).json()["state"] == "granted"


def test_each_sees_what_concerns_it_and_does_what_its_key_opens(http, keys):
    id_ = post(http, keys, "RS", "/v1/applications", ASKED).json()["id"]
    totals = {
        who: send(http, keys, who, "GET", "/v1/applications").json()["total"]
        for who in ("RS", "GA", "MZ", "SJ", "audit")
    }
    assert totals == {"RS": 1, "GA": 1, "MZ": 0, "SJ": 1, "audit": 1}
    path = f"/v1/applications/{id_}"
    assert send(http, keys, "MZ", "GET", path).status_code == 403
    assert send(http, keys, "audit", "GET", path).json()["id"] == id_
    assert send(http, keys, "GA", "GET", "/v1/applications?waiting=true").json()["total"] == 1
    for who, step, code in (
        ("RS", "approve", "role_missing"),
        ("audit", "withdraw", "role_missing"),
        ("MZ", "withdraw", "not_yours"),
        ("GA", "withdraw", "role_missing"),
    ):
        got = post(http, keys, who, f"{path}:{step}")
        assert (got.status_code, got.json()["code"]) == (403, code)
    assert http.get(path).status_code == 401
    assert send(http, keys, "RS", "GET", "/v1/applications/A404").status_code == 404
    assert post(http, keys, "RS", f"{path}:bribe").status_code == 404


WRONG_BODIES = [
    ({**ASKED, "color": "red"}, "color"),
    ({"purposes": [MATTER]}, "resource"),
    ({**ASKED, "purposes": MATTER}, "purposes"),
    ({**ASKED, "purposes": [1]}, "purposes"),
    ({**ASKED, "fields": [{"title": "x"}]}, "fields[0].title"),
    ({**ASKED, "fields": [{"reason": "x"}]}, "fields[0].name"),
    ({**ASKED, "fields": [7]}, "fields[0]"),
    ({**ASKED, "term_days": "90"}, "term_days"),
    ({**ASKED, "term_days": True}, "term_days"),
    ({**ASKED, "rows": ["household like H1"]}, "rows"),
    ({**ASKED, "ground": "长" * 5_000}, "ground"),
    ({**ASKED, "actions": ["query"] * 1_000}, "actions"),
]


def test_a_body_of_the_wrong_shape_names_the_member(http, keys):
    for body, where in WRONG_BODIES:
        got = post(http, keys, "RS", "/v1/applications", body)
        assert (got.status_code, got.json()["code"]) == (422, "request_invalid"), body
        assert f"`{where}`" in got.json()["detail"]


def test_every_problem_of_an_application_is_named_at_once(http, keys):
    got = post(http, keys, "RS", "/v1/applications", {**ASKED, "fields": ["address", "nothing"], "term_days": 9_999})
    assert got.status_code == 422
    assert {p["code"] for p in got.json()["problems"]} == {"reason_missing", "wish_field_unknown", "term_too_long"}
    old = post(http, keys, "RS", "/v1/applications", {**ASKED, "list_version": "sha256:0"})
    assert (old.status_code, old.json()["code"]) == (409, "list_superseded")
    assert send(http, keys, "RS", "GET", "/v1/applications").json()["items"] == []


WRONG_TERMS = [
    ({"masks": {"name": "paint"}}, "masks"),
    ({"masks": ["name"]}, "masks"),
    ({"rows": "household in H1"}, "rows"),
    ({"quota_per_day": "5"}, "quota_per_day"),
    ({"expires": "2027-01-01"}, "expires"),
]


def test_terms_of_the_wrong_shape_are_refused(http, keys):
    path = f"/v1/applications/{post(http, keys, 'RS', '/v1/applications', ASKED).json()['id']}"
    for body, where in WRONG_TERMS:
        got = post(http, keys, "GA", f"{path}:approve", body)
        assert (got.status_code, got.json()["code"]) == (422, "request_invalid"), body
        assert f"`{where}`" in got.json()["detail"]
    assert post(http, keys, "GA", f"{path}:approve", {"quota_per_day": 1.5}).status_code == 400


def test_the_addresses_are_documented(http):
    document = http.get("/openapi.json").json()
    for path in ("/v1/applications", "/v1/applications/{id_}:approve", "/v1/grants", "/v1/grants/{id_}:hand-back"):
        assert path in document["paths"]
    assert "ApplicationShape" in document["components"]["schemas"]


# The command line.


@pytest.fixture
def run(city, monkeypatch, capsys):
    monkeypatch.setenv("ZHENGTONG_HOME", str(city.settings.home))
    app = typer.Typer()
    request_commands.add_to(app)
    grant_commands.add_to(app)
    command = typer.main.get_command(app)

    def run(*arguments):
        capsys.readouterr()
        try:
            code = command.main([*arguments, "--json"], standalone_mode=False)
        except Exception as error:  # noqa: BLE001 - as the program does
            code = fail(error, as_json=True)
        told = capsys.readouterr().out
        return code, json.loads(told) if told.strip() else None

    return run


def test_from_application_to_grant_on_the_command_line(run, city, tmp_path):
    asked = (CODE, "--matter", MATTER, "--by", "RS:window")
    code, dry = run("request", "new", *asked, "--dry-run")
    assert (code, dry["ok"], dry["minimum"]["fields"], dry["at_once"]) == (0, True, ["name", "birth"], False)
    code, dry = run("request", "new", *asked, "--field", "address", "--dry-run")
    assert (code, [p["code"] for p in dry["problems"]]) == (5, ["reason_missing"])
    code, told = run("request", "new", *asked, "--field", "address")
    assert (code, told["code"], told["problems"][0]["where"]) == (5, "case_invalid", "fields.address.reason"[:14])
    code, case = run("request", "new", *asked, "--field", "address=邮寄证件", "--volume", "9")
    assert (code, case["outcome"], case["answerer"]) == (8, "waiting", "GA")
    id_ = case["id"]
    assert run("request", "check", id_)[0] == 8
    assert run("request", "ask", id_, "何用？", "--by", "GA:reviewer")[0] == 0
    assert run("request", "supply", id_, "邮寄", "--by", "RS:window")[0] == 8
    assert run("request", "approve", id_, "--by", "RS:window")[0] == 4
    assert run("request", "approve", id_, "--by", "GA:reviewer", "--revision", "1")[0] == 6
    assert run("request", "approve", id_, "--by", "GA:reviewer", "--mask", "name=paint")[0] == 2
    less = ("--field", "name", "--mask", "name=surname", "--quota", "3", "--days", "30")
    code, done = run("request", "approve", id_, "--by", "GA:reviewer", *less)
    assert (code, done["terms"]["fields"], done["outcome"]) == (0, ["name"], "granted")
    assert run("request", "check", id_)[0] == 0
    assert [one["id"] for one in run("request", "list", "--department", "GA")[1]] == [id_]
    assert run("request", "show", "A404")[0] == 3
    grant = done["grant"]
    assert run("grant", "show", grant)[1]["quota_per_day"] == 3
    assert run("grant", "suspend", grant, "--by", "GA:reviewer", "--reason", "核查")[1]["state"] == "suspended"
    assert run("grant", "suspend", grant, "--by", "GA:reviewer", "--reason", "核查")[0] == 6
    assert run("grant", "resume", grant, "--by", "GA:reviewer", "--reason", "查毕")[1]["state"] == "in_force"
    assert run("grant", "openapi", grant)[1]["openapi"].startswith("3.1")
    code, shrunk = run("grant", "shrink", grant, "--by", "RS:window", "--reason", "够用", "--quota", "1")
    assert (code, shrunk["predecessor"]) == (0, grant)
    assert run("grant", "renew", shrunk["id"], "--by", "RS:window")[0] == 8
    assert run("grant", "revoke", shrunk["id"], "--by", "GA:reviewer", "--reason", "违规")[1]["state"] == "revoked"
    assert run("grant", "show", "G404")[0] == 3
    assert [one["state"] for one in run("grant", "list", "--ended")[1]] == ["revoked", "replaced"]


def test_a_refusal_and_its_dispute_on_the_command_line(run):
    id_ = run("request", "new", CODE, "--matter", MATTER, "--by", "RS:window")[1]["id"]
    assert run("request", "refuse", id_, "--by", "GA:reviewer", "--ground", "《办法》第五条")[1]["outcome"] == "refused"
    assert run("request", "check", id_)[0] == 4
    assert run("request", "dispute", id_, "职责所需", "--by", "RS:window")[0] == 8
    code, settled = run("request", "settle", id_, "--give", "--by", "GA:reviewer")
    assert (code, settled["outcome"]) == (0, "granted")
    assert run("request", "withdraw", id_, "--by", "RS:window")[0] == 6


def test_what_has_no_condition_exits_0(run):
    code, case = run("request", "new", FREE, "--matter", MATTER, "--field", "name=核对", "--by", "RS:window")
    assert (code, case["outcome"]) == (0, "granted")


def test_keys_on_the_command_line(run, city, tmp_path):
    file = tmp_path / "key"
    made = ("--department", "RS", "--name", "desk", "--role", "apply", "--by", "SJ:office")
    code, told = run("key", "issue", *made, "--out", str(file))
    assert (code, "key" in told) == (0, False)
    assert (file.stat().st_mode & 0o777, file.read_text().startswith("zt_")) == (0o600, True)
    assert run("key", "issue", *made, "--out", str(file))[0] == 2
    unmade = tmp_path / "unmade"
    assert run("key", "issue", "--department", "XX", "--name", "d", "--by", "SJ:office", "--out", str(unmade))[0] != 0
    assert not unmade.exists()
    code, second = run("key", "rotate", told["caller"], "--by", "SJ:office")
    assert (code, second["key"].startswith("zt_")) == (0, True)
    assert run("key", "revoke", told["caller"], "--by", "SJ:office")[0] == 0
    listed = {one["id"]: one for one in run("key", "list", "--department", "RS")[1]}
    assert listed[told["caller"]]["revoked_at"]
    assert listed[second["caller"]]["roles"] == ["apply"]
    assert run("key", "revoke", "C404", "--by", "SJ:office")[0] == 3


def test_people_read_the_same_as_programs(city, monkeypatch, capsys):
    monkeypatch.setenv("ZHENGTONG_HOME", str(city.settings.home))
    app = typer.Typer()
    request_commands.add_to(app)
    grant_commands.add_to(app)
    command = typer.main.get_command(app)

    def said(*arguments):
        command.main(list(arguments), standalone_mode=False)
        return capsys.readouterr()

    said("request", "new", FREE, "--matter", MATTER, "--field", "name=核对", "--by", "RS:window")
    grant = grants.find(city)[0].grant
    assert grant.id in said("grant", "list").out
    assert "《办法》第三条" in said("grant", "show", grant.id).out
    assert "hub:rule" in said("request", "show", grant.application).out
    assert grant.application in said("request", "list").out
    assert said("request", "list", "--state", "asked").err
    assert "name" in said("request", "new", CODE, "--matter", MATTER, "--by", "RS:window", "--dry-run").out
