"""Demands, reminders and forms through the command line and over HTTP."""

import io
import json
from datetime import timedelta

import httpx
import openpyxl
import pytest
import typer
from typer.testing import CliRunner

from catalog.errors import ListUnreadableError
from catalog.steps import CaseInvalidError, NotYoursError
from hub import demands, forms
from hub.api import demands as door
from hub.api.app import create_app
from hub.callers import issue_key
from hub.cli import demands as commands
from hub.cli import reminders
from hub.cli.output import FINDINGS, NOT_FOUND
from hub.deadlines import sweep
from hub.errors import QueryInvalidError
from hub.service import Service
from tests.hub.api.conftest import serving
from tests.hub.demands.conftest import CIVIL, DEMO, NOW

FORM = "姓名\n身份证号\n血型\n姓名\n\n"


@pytest.fixture
def run(office, settings, monkeypatch):
    monkeypatch.setenv("ZHENGTONG_HOME", str(settings.home))
    monkeypatch.delenv("ZHENGTONG_ACTOR", raising=False)
    app = typer.Typer()
    commands.add_to(app)
    reminders.add_to(app)

    def run(*arguments, fails=None, **options):
        told = CliRunner().invoke(app, list(arguments), standalone_mode=False, **options)
        if fails is not None:
            assert isinstance(told.exception, fails), told.output
            return told
        assert told.exception is None, told.exception
        told.code = told.return_value
        return told

    return run


def test_a_demand_by_command(run):
    told = run(
        "demand", "new", "殡葬火化信息", "--for", "停发待遇前核对", "--from", "WJW", "--by", "MZJ:desk", "--json"
    )
    id_ = json.loads(told.stdout)["id"]
    assert json.loads(run("demand", "list", "--state", "submitted", "--json").stdout)[0]["id"] == id_
    run("demand", "claim", id_, "--by", "MZJ:desk", fails=NotYoursError)
    run("demand", "claim", id_, "--by", "WJW:desk")
    run("demand", "answer", id_, "--met", "none", "--by", "WJW:desk", fails=CaseInvalidError)
    run("demand", "answer", id_, "--by", "WJW:desk", fails=typer.BadParameter)
    run("demand", "answer", id_, "--planned", "2999-01-01", "--by", "WJW:desk", fails=CaseInvalidError)
    plain = json.loads(run("demand", "answer", id_, "--refused", "《某法》第三条", "--by", "WJW:desk", "--json").stdout)
    assert (plain["state"], plain["ground"]) == ("refused", "《某法》第三条")
    shown = json.loads(run("demand", "show", id_, "--json").stdout)
    assert [step["step"] for step in shown["history"]] == ["submit", "claim", "answer"]
    assert "殡葬火化信息" in run("demand", "show", id_).stdout


def test_assigning_and_withdrawing_by_command(run):
    id_ = json.loads(run("demand", "new", "殡葬", "--for", "核对", "--by", "MZJ:desk", "--json").stdout)["id"]
    assert json.loads(run("demand", "assign", id_, "GAJ", "--by", "SZJ:desk", "--json").stdout)["holder"] == "GAJ"
    assert json.loads(run("demand", "withdraw", id_, "--by", "MZJ:desk", "--json").stdout)["state"] == "withdrawn"
    run("demand", "list", "--state", "nonsense", fails=typer.BadParameter)


def test_searches_without_a_hit_are_listed(run, office):
    demands.record_miss(office.control, "殡葬", office.now())
    found = json.loads(run("demand", "missed", "--days", "3660", "--json").stdout)
    assert found == [{"query": "殡葬", "times": 1, "days": 1}]
    assert "殡葬" in run("demand", "missed", "--days", "3660").stdout


def test_the_inbox_says_what_waits_and_takes_notices_out(run, office):
    case = demands.submit(office, CIVIL, words="殡葬", purpose="核对", suspected="WJW")
    sweep(office, at=NOW + timedelta(days=8))
    plain = json.loads(run("inbox", "--by", "WJW:desk", "--json").stdout)
    assert [one["id"] for one in plain["waiting"]] == [case.id]
    assert [one["kind"] for one in plain["notices"]] == ["case_overdue", "demand_opened"]
    number = plain["notices"][0]["id"]
    assert run("inbox", "--by", "SZJ:desk", "--read", str(number)).code == NOT_FOUND, "another department's"
    run("inbox", "--by", "WJW:desk", "--read", str(number))
    assert run("inbox", "--by", "WJW:desk", "--read", str(number), "--json").code == NOT_FOUND
    plain = json.loads(run("inbox", "--by", "WJW:desk", "--json").stdout)
    assert [one["kind"] for one in plain["notices"]] == ["demand_opened"]
    assert case.id in run("inbox", "--by", "WJW:desk", "--all").stdout


def test_reminding_by_command(run, office):
    demands.submit(office, CIVIL, words="殡葬", purpose="核对")
    # The command goes by the machine's clock, on which the demand of the fixture's day is long overdue or just begun.
    first = json.loads(run("remind", "--json").stdout)
    second = json.loads(run("remind", "--json").stdout)
    assert first["ok"]
    assert (second["reminded"], second["escalated"]) == (0, 0)


@pytest.mark.parametrize(
    ("left", "words"),
    [(None, "no clock"), (-1, "1 working day overdue"), (0, "due today"), (2, "2 working days left")],
)
def test_what_is_left_is_said_in_words(left, words, monkeypatch):
    monkeypatch.setattr("hub.cli.language.LANG", "en")
    assert reminders.left_words(left) == words
    monkeypatch.setattr("hub.cli.language.LANG", "zh")
    assert reminders.left_words(left) != words


# Forms.


def test_a_form_is_checked_by_command(run, tmp_path):
    path = tmp_path / "form.txt"
    path.write_text(FORM, encoding="utf-8")
    told = run("form", "check", str(path), "--department", "MZJ", "--matter", "341200-MZJ-0001", "--json")
    plain = json.loads(told.stdout)
    assert [line["label"] for line in plain["lines"]] == ["姓名", "身份证号", "血型"]
    assert (told.code, plain["findings"]) == (0, 2)
    assert run("form", "check", str(path), "--department", "MZJ", "--fail").code == FINDINGS
    path.write_text("血型\n", encoding="utf-8")
    assert run("form", "check", str(path), "--department", "MZJ", "--fail").code == 0
    run("form", "check", str(path), "--department", "ZZZ", fails=QueryInvalidError)
    run("form", "check", str(path), "--department", "MZJ", "--matter", "no", fails=QueryInvalidError)
    run("form", "check", str(tmp_path / "none.txt"), "--department", "MZJ", fails=ListUnreadableError)
    told = run("form", "check", "-", "--department", "MZJ", "--json", input=FORM.encode())
    assert json.loads(told.stdout)["findings"] == 2


def workbook(*rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (FORM.encode(), "f.txt"),
        (FORM.encode("gb18030"), "f.txt"),
        ("\ufeff姓名,身份证号,血型\n张三,1,A\n".encode(), "f.csv"),
        ("申请表\n姓名,身份证号,血型\n".encode("gb18030"), "f.CSV"),
        (workbook(["申请表"], ["姓名", "身份证号", None, "血型"], ["张三", 1, 2, 3]), "f.xlsx"),
        ("- 姓名\n- {label: 身份证号}\n- 血型\n-\n".encode(), "f.yaml"),
        ("fields: [姓名, 身份证号, 血型]\n".encode(), "f.yml"),
    ],
)
def test_forms_are_read_as_offices_keep_them(data, name):
    assert [field.label for field in forms.read_form_bytes(data, name)] == ["姓名", "身份证号", "血型"]


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [
        (b"\xff\xfe\x00", "f.txt", "encoding"),
        (b"PK\x03\x04 no workbook", "f.xlsx", "truncated"),
        (b"[" * 20_000, "f.yaml", None),
        (b"a: [", "f.yaml", "syntax"),
        (b"words", "f.yaml", "syntax"),
        (b"x" * (forms.MAX_FORM_BYTES + 1), "f.txt", "too_big"),
    ],
)
def test_what_is_no_form_says_so(data, name, why):
    with pytest.raises(ListUnreadableError) as caught:
        forms.read_form_bytes(data, name)
    assert why in (None, caught.value.why)


def test_an_empty_form_is_no_form(office):
    with pytest.raises(QueryInvalidError, match="0 items"):
        forms.check(office.control, DEMO, (), department="MZJ", on=NOW)


# HTTP.


@pytest.fixture
def http(office, settings, clock):
    control, evidence = office.control, office.evidence
    keys = {
        department: issue_key(control, evidence, DEMO, department=department, name="desk", by="office", roles=roles).key
        for department, roles in {"MZJ": ["apply"], "WJW": ["review"], "SZJ": ["office"], "GAJ": ["call"]}.items()
    }
    app = create_app(settings, open_service=lambda settings: Service.open(settings, clock=clock))
    if not any(getattr(route, "path", "") == "/v1/forms:check" for route in app.routes):
        door.add_to(app)
    office.close()
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:

        def call(method, path, department="MZJ", **options):
            headers = {"authorization": f"Bearer {keys[department]}", **options.pop("headers", {})}
            return client.request(method, path, headers=headers, **options)

        yield call


def test_a_demand_over_http(http):
    made = http("POST", "/v1/demands", json={"words": "殡葬火化信息", "purpose": "核对", "suspected": "WJW"})
    assert (made.status_code, made.headers["etag"]) == (201, '"1"'), made.text
    path = f"/v1/demands/{made.json()['id']}"
    assert http("POST", f"{path}:claim", "MZJ", json={}).status_code == 403, "no reviewer's key"
    stale = http("POST", f"{path}:claim", "WJW", json={}, headers={"if-match": '"7"'})
    assert stale.status_code == 409
    claimed = http("POST", f"{path}:claim", "WJW", json={}, headers={"if-match": '"1"'})
    assert (claimed.status_code, claimed.json()["holder"]) == (200, "WJW")
    assert http("POST", f"{path}:claim", "WJW", json={}).status_code == 409
    assert http("POST", f"{path}:assign", "SZJ", json={"department": "WJW"}).status_code == 200
    wrong = http("POST", f"{path}:answer", "WJW", json={"outcome": "planned", "planned_on": "soon"})
    assert wrong.status_code == 422
    missing = http("POST", f"{path}:answer", "WJW", json={"outcome": "refused"})
    assert (missing.status_code, missing.json()["problems"][0]["code"]) == (422, "demand_ground_missing")
    answered = http("POST", f"{path}:answer", "WJW", json={"outcome": "met", "resource": "3090020001"})
    assert answered.json()["state"] == "met"
    shown = http("GET", path, "SZJ").json()
    assert [step["step"] for step in shown["history"]] == ["submit", "claim", "assign", "answer"]
    assert http("GET", "/v1/demands?state=met").json()["total"] == 1
    assert http("GET", "/v1/demands", "GAJ").status_code == 403, "a key that may only call"
    assert http("GET", "/v1/demands/D0").status_code == 404
    assert http("POST", f"{path}:eat", json={}).status_code == 422
    assert http("POST", f"{path}:withdraw", json={}).status_code == 409
    assert http("GET", "/v1/demands:missed").json() == {"missed": []}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"words": 1, "purpose": "x"},
        {"words": "殡葬", "purpose": "核对", "more": "x"},
        {"words": "x" * 3_000, "purpose": "核对"},
    ],
)
def test_a_body_of_another_shape_is_refused(http, body):
    assert http("POST", "/v1/demands", json=body).status_code == 422


def test_a_form_over_http(http):
    body = {"fields": ["姓名", {"label": "证件", "name": "sfzh"}, "血型"], "matter": "341200-MZJ-0001"}
    told = http("POST", "/v1/forms:check", json=body)
    assert told.status_code == 200, told.text
    assert (told.json()["findings"], told.json()["department"]) == (2, "MZJ")
    assert told.headers["signature"]
    for wrong in ({"fields": "姓名"}, {"fields": []}, {"fields": [7]}, {"fields": ["姓名"], "matter": "no"}):
        assert http("POST", "/v1/forms:check", json=wrong).status_code == 422
