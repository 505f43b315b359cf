"""The same search at the command line and over HTTP, and what is told about one resource."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import httpx
import pytest
import sqlalchemy as sa
import typer

from catalog.model import Domain, Need, Prohibition, Responsibility, ShareMethod, ShareType
from hub.api import create_app
from hub.api import search as api
from hub.cli import resources, search
from hub.control import Load
from hub.errors import ActorInvalidError, QueryInvalidError, ResourceUnknownError
from hub.office import Office
from hub.search.index import Facet
from hub.search.resources import ACCESS, Access, Standing, page_of, resource_of, standing_of
from hub.search.words import FACETS, department_of, filters_of, label
from hub.service import Service
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, EMPTY_CODE, MATTER, NOW


@pytest.fixture
def cli(world, monkeypatch, capsys):
    """Run a command as a person does; gives its exit code, standard output and standard error."""
    monkeypatch.delenv("ZHENGTONG_ACTOR", raising=False)
    for module in (search, resources):
        monkeypatch.setattr(module, "opened", lambda: Office.open(world.settings, clock=world.clock))
    app = typer.Typer()
    search.add_to(app)
    resources.add_to(app)
    command = typer.main.get_command(app)

    def run(*arguments):
        code = command.main(list(arguments), prog_name="zhengtong", standalone_mode=False)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def office(world):
    with Office.open(world.settings, clock=world.clock) as opened:
        yield opened


@pytest.fixture(scope="module")
def http(built, tmp_path_factory):
    world = worlds.copy(built, tmp_path_factory.mktemp("search") / "world")
    app = create_app(world.settings, open_service=lambda settings: Service.open(settings, clock=world.clock))
    if not any(getattr(route, "path", "") == "/v1/search" for route in app.routes):
        api.add_to(app)
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def test_search_prints_a_table_and_tells_the_total(cli):
    code, out, err = cli("search", "人口")
    assert code == 0
    assert CODE in out
    assert EMPTY_CODE in out
    assert "2" in err
    code, out, err = cli("search", "rkjc", "--size", "1")
    assert code == 0
    assert "--page 2" in err


def test_search_explains(cli):
    _, out, _ = cli("search", "户籍人口", "--explain")
    assert "户籍" in out
    assert any(line.strip().split(" ")[0].isdigit() for line in out.splitlines())
    plain = json.loads(cli("search", "population", "--explain", "--json")[1])
    assert plain["explained"]["steps"][0]["code"] == "words"
    assert sum(part["points"] for part in plain["items"][0]["parts"]) == plain["items"][0]["score"]


def test_search_json_has_facets_in_both_languages(cli):
    plain = json.loads(cli("search", "--json", "--department", "公安局", "--type", "有条件")[1])
    assert plain["total"] == 2
    assert [item["code"] for item in plain["items"]] == [CODE, EMPTY_CODE]
    assert plain["facets"]["department"] == [
        {"value": "GA", "label": "Public Security", "label_zh": "公安局", "count": 2}
    ]
    assert set(plain["facets"]) == {facet.value for facet in Facet}


def test_a_miss_says_what_to_do_and_is_counted(cli, office):
    code, out, err = cli("search", "火箭发射")
    assert (code, out) == (0, "")
    assert "demand new" in err
    from hub.demands import missed

    assert [row.query for row in missed(office.control, date(2020, 1, 1))] == ["火箭发射"]


def test_wrong_filters_are_refused(cli):
    with pytest.raises(QueryInvalidError):
        cli("search", "人口", "--department", "no such")
    with pytest.raises(typer.BadParameter):
        cli("search", "人口", "--sort", "colour")


def test_resource_list_is_the_whole_catalogue(cli, world):
    plain = json.loads(cli("resource", "list", "--json", "--theme", "人口")[1])
    assert plain["total"] == 0
    plain = json.loads(cli("resource", "list", "--json")[1])
    assert [item["code"] for item in plain["items"]] == sorted(r.code for r in world.list.resources)


def test_resource_show_tells_terms_fields_and_standing(cli):
    code, out, _ = cli("resource", "show", CODE, "--by", "RS:desk")
    assert code == 0
    for text in ("citizen_id", "公民身份号码", "string(18)", "citizen_id", "《办法》第三条", "granted", "1 (RS 1)"):
        assert text in out
    plain = json.loads(cli("resource", "show", CODE, "--by", "RS:desk", "--history", "--json")[1])
    assert plain["access"]["state"] == "granted"
    assert plain["grants"] == {"total": 1, "by_department": {"RS": 1}}
    assert [one["change"] for one in plain["changes"]] == ["added"]
    assert "source" not in plain
    assert "ga-secret-system" not in json.dumps(plain)
    assert "access" not in json.loads(cli("resource", "show", CODE, "--json")[1])


@pytest.mark.parametrize(
    ("typed", "meant"), [("306010/000003", CODE), ("30601/000001", CODE), ("人口基础", CODE), ("火箭", "")]
)
def test_an_unknown_code_names_what_may_be_meant(office, world, typed, meant):
    with pytest.raises(ResourceUnknownError) as refused:
        resource_of(office, world.list, typed)
    for lang in ("zh", "en"):
        assert typed in refused.value.text(lang)
        assert (meant or "zhengtong search") in refused.value.text(lang)


def line(resource=CODE, consumers=("RS",), deadline=date(2026, 6, 1)):
    return Responsibility(
        resource,
        "GA",
        consumers,
        ("*",),
        "《办法》",
        ShareMethod.SERVICE,
        worlds.Cadence.DAILY,
        deadline,
        Domain.GOVERNMENT,
    )


def test_where_a_department_stands(office, world):
    list_ = world.list
    resource = list_.by_code[CODE]

    def access(department, list_=list_, resource=resource, at=NOW):
        return standing_of(office, list_, resource, department, at).access

    assert access("GA") is Access.OWN
    assert access("RS") is Access.GRANTED
    assert access("RS", at=world.grant.expires) is Access.APPLY
    assert access("RS", resource=list_.by_code[EMPTY_CODE]) is Access.APPLY
    assert access("MZ") is Access.NOT_ON_LIST
    assert access("MZ", replace(list_, responsibilities=(line(consumers=("*",)),))) is Access.APPLY
    closed = replace(resource, share_type=ShareType.NOT_SHARED, share_ground="《保密法》")
    assert standing_of(office, list_, closed, "RS", NOW) == Standing("RS", Access.NOT_SHARED, "《保密法》")
    forbidden = replace(list_, prohibitions=(Prohibition(CODE, ("RS",), ("*",), "《条例》第九条"),))
    assert access("RS", forbidden) is Access.NOT_SHARED
    partly = replace(list_, prohibitions=(Prohibition(CODE, ("*",), ("*",), "《条例》", fields=("name",)),))
    assert access("RS", partly) is Access.GRANTED
    with pytest.raises(ActorInvalidError):
        access("nobody")


def test_an_open_application_is_shown_as_waiting(office, world):
    from hub.actors import Actor
    from hub.cases import Turn

    resource = world.list.by_code[EMPTY_CODE]
    with office.cases.begin() as transaction:
        case = transaction.open(
            "application",
            "A",
            value=lambda id_: {"id": id_},
            turn=Turn("submitted", open=True, answerer="GA"),
            opener="RS",
            resource=EMPTY_CODE,
            actor=Actor("RS", "desk"),
            step="submit",
        )
    standing = standing_of(office, world.list, resource, "RS", NOW)
    assert standing.access is Access.WAITING
    assert case.id in standing.text("zh")
    assert standing_of(office, world.list, resource, "MZ", NOW).access is not Access.WAITING


def test_a_page_tells_needs_and_the_last_load(office, world):
    need = Need(MATTER, CODE, ("name",), replaces="户口簿")
    list_ = replace(world.list, needs=(need,))
    before = page_of(office, list_, list_.by_code[CODE], NOW)
    assert before["last_load"] is None
    assert before["needs"][0]["matter_name"] == "退休审批"
    assert before["theme"] is None
    with office.control.writing() as connection:
        for number, outcome in ((7, "committed"), (9, "failed")):
            connection.execute(
                sa.insert(Load).values(
                    resource=CODE, run=f"r{number}", batch_id="", started=NOW, accepted=number, outcome=outcome
                )
            )
    load = page_of(office, list_, list_.by_code[CODE], NOW)["last_load"]
    assert (load["accepted"], load["outcome"]) == (9, "failed")


def test_the_versions_in_which_a_resource_changed(office, world):
    from hub.search.resources import changes

    first = world.list
    other = replace(first, resources=(first.resources[0], replace(first.resources[1], abstract="改")), batch=2)
    third = replace(other, responsibilities=(line(),), resources=other.resources[:1], batch=3)
    for list_ in (other, third):
        publish_list(office.settings, office.control, office.evidence, list_, by="office")
    assert [one["change"] for one in changes(office, EMPTY_CODE)] == ["added", "changed", "removed"]
    assert [one["change"] for one in changes(office, CODE)] == ["added"]


def test_departments_are_known_by_code_name_and_short_name(world):
    assert department_of(world.list, "GA") == "GA"
    assert department_of(world.list, "示例市公安局") == "GA"
    assert department_of(world.list, "市公安局") == "GA"
    assert department_of(world.list, "public security") == "GA"
    assert department_of(world.list, "x") is None


def test_words_are_codes_for_filters(world):
    filters = filters_of(
        world.list,
        {
            Facet.SHARE_TYPE: ["无条件", "conditional", "3"],
            Facet.OPEN: ["是", "no", "?"],
            Facet.THEME: ["人口"],
            Facet.CADENCE: ["每日"],
            Facet.FORMAT: [],
        },
    )
    assert dict(filters.values) == {
        Facet.SHARE_TYPE: ("1", "2", "3"),
        Facet.OPEN: ("true", "false", "?"),
        Facet.THEME: ("population",),
        Facet.CADENCE: ("2",),
    }
    assert set(FACETS) == set(Facet)
    assert label(world.list, Facet.SHARE_TYPE, "1", "zh") == "无条件共享"
    assert label(world.list, Facet.SHARE_TYPE, "1", "en") == "unconditional"


def test_every_standing_is_told_in_both_languages():
    assert set(ACCESS) == set(Access)
    for access in Access:
        assert any("\u4e00" <= char <= "\u9fff" for char in Standing("RS", access, "x").text("zh"))
        assert Standing("RS", access, "x").text("en").isascii()


def test_search_over_http(http):
    answer = http.get("/v1/search", params={"q": "户籍人口", "explain": "true", "type": ["有条件", "1"]})
    assert answer.status_code == 200
    assert "signature" in answer.headers
    plain = answer.json()
    assert plain["total"] == 2
    assert plain["items"][0]["code"] == CODE
    assert plain["explained"]["tokens"]
    api.ResultsShape.model_validate(plain)
    assert http.get("/v1/search").json()["total"] == 2
    assert http.get("/v1/search", params={"q": "人口", "department": "MZ"}).json()["items"] == []


@pytest.mark.parametrize(
    "params", [{"q": "x" * 201}, {"size": 501}, {"page": 0}, {"department": "ghost"}, {"sort": "colour"}]
)
def test_what_cannot_be_asked_is_422_over_http(http, params):
    answer = http.get("/v1/search", params=params)
    assert answer.status_code == 422
    assert answer.json()["code"]


def test_a_miss_over_http_is_counted_without_who_asked(http):
    plain = http.get("/v1/search", params={"q": "火箭发射"}).json()
    assert (plain["total"], plain["items"]) == (0, [])
    assert plain["notes"][-1]["code"] == "register_demand"


def test_the_address_is_documented(http):
    document = http.get("/openapi.json").json()
    described = document["paths"]["/v1/search"]["get"]
    assert {one["name"] for one in described["parameters"]} >= {
        "q", "department", "type", "theme", "format", "cadence", "domain", "open", "page", "size", "explain", "sort",
    }  # fmt: skip
    assert described["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("ResultsShape")
