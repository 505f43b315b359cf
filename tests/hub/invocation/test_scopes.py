"""Grants for some rows, in live answers: what lies outside is neither shown, nor compared, nor counted."""

from __future__ import annotations

import json

import pytest

from audit.entry import Entry
from catalog.model import Mask
from catalog.rows import parse_rule, rules_to_plain
from hub.auditing import replay
from hub.invocation import RefusedError
from tests.hub.world import CODE, IDS, MATTER, body, give, make_grant


@pytest.fixture
def narrow(service, world):
    """Give a further grant for the rows of *rule*, and ask under it alone unless told otherwise."""

    def of(rule, **changes):
        grant = make_grant(world.list, **{"id": "G2", "rows": (parse_rule(rule),), **changes})
        return give(world.settings, service.control, service.evidence, grant)

    return of


def ask(service, world, action="query", **changes):
    raw = json.dumps(body(**{"grant": "G2", **changes})).encode()
    return service.invocation.call(action, world.key, CODE, raw)


def by(person):
    return {"citizen_id": IDS[person]}


def test_a_record_in_scope_is_answered_and_one_outside_does_not_exist(service, world, narrow):
    grant = narrow("household in H1")
    inside = ask(service, world, keys=by(0)).content
    assert [record["name"] for record in inside["records"]] == ["张**"]
    assert inside["scopes"] == [{"grant": "G2", "rows": rules_to_plain(grant.rows), "fields": list(grant.fields)}]
    outside = ask(service, world, keys=by(2)).content
    assert outside["records"] == []
    assert outside["scopes"] == inside["scopes"]
    # The same person under the grant that opens all rows.
    assert len(ask(service, world, keys=by(2), grant="G1").content["records"]) == 1


def test_without_scopes_an_answer_says_nothing_about_them(service, world):
    assert "scopes" not in ask(service, world, grant="G1").content


def test_a_rule_is_followed_whether_or_not_its_field_is_granted(service, world, narrow):
    narrow("birth >= 1990-01-04", fields=("name",), masks=())
    found = ask(service, world, keys={"household": "H2"}, fields=["name"]).content["records"]
    assert sorted(record["name"] for record in found) == sorted(["ＡＢＣ 有限", "赵六"])


def test_a_null_lies_in_no_scope(service, world, narrow):
    narrow("income >= 0")
    assert ask(service, world, keys=by(2)).content["records"] == []
    assert len(ask(service, world, keys=by(3)).content["records"]) == 1


def test_a_verification_outside_every_scope_is_unknown(service, world, narrow):
    narrow("household in H1")
    assert ask(service, world, "verify", keys=by(0), claims={"name": "张三"}).content["results"] == {"name": "match"}
    for claim in ("王五", "another"):
        answer = ask(service, world, "verify", keys=by(2), claims={"name": claim})
        assert answer.content["results"] == {"name": "unknown"}


def test_rights_add_up_row_by_row_and_the_answer_says_so(service, world, narrow):
    narrow("household in H1", fields=("name", "address"), masks=())
    inside = ask(service, world, keys=by(0), grant=None, fields=["name", "address"]).content
    assert inside["records"] == [{"name": "张三", "address": "北京市朝阳区某街 1 号"}]
    assert inside["masked"] == {}
    assert [(scope["grant"], scope["fields"]) for scope in inside["scopes"]] == [
        ("G1", ["name"]),
        ("G2", ["name", "address"]),
    ]
    outside = ask(service, world, keys=by(3), grant=None, fields=["name", "address"]).content
    assert outside["records"] == [{"name": "Ａ**"}]
    assert outside["masked"] == {"name": "surname"}
    claims = {"name": "ABC有限", "address": "x"}
    results = ask(service, world, "verify", keys=by(3), grant=None, claims=claims).content["results"]
    assert results == {"name": "match", "address": "unknown"}


def test_where_masks_differ_by_row_the_hardest_shown_is_told(service, world, narrow):
    narrow("birth <= 1990-01-03", masks=())
    content = ask(service, world, keys={"household": "H2"}, grant=None, fields=["name"]).content
    assert sorted(record["name"] for record in content["records"]) == sorted(["王五", "Ａ**", "赵**"])
    assert content["masked"] == {"name": str(Mask.SURNAME)}


def test_only_records_in_scope_are_counted(service, world, narrow, monkeypatch):
    monkeypatch.setattr("hub.answers.MAX_RECORDS", 2)
    monkeypatch.setattr("hub.invocation.MAX_RECORDS", 2)
    narrow("birth >= 1990-01-04")
    assert len(ask(service, world, keys={"household": "H2"}).content["records"]) == 2
    with pytest.raises(RefusedError) as caught:
        ask(service, world, keys={"household": "H2"}, grant=None)
    assert caught.value.cause.code == "too_many_records"


def test_a_key_that_finds_more_than_can_be_sifted_is_refused(service, world, narrow, monkeypatch):
    monkeypatch.setattr("hub.invocation.MAX_FOLLOWED", 2)
    narrow("birth >= 1990-01-05")
    with pytest.raises(RefusedError) as caught:
        ask(service, world, keys={"household": "H2"})
    assert caught.value.cause.code == "too_many_records"


@pytest.mark.parametrize(
    ("action", "changes"),
    [
        ("query", {"keys": by(0)}),
        ("query", {"keys": by(2)}),
        ("query", {"keys": {"household": "H2"}, "fields": ["name"]}),
        ("query", {"keys": {"household": "H2"}, "grant": None}),
        ("verify", {"keys": by(2), "claims": {"name": "王五", "income": "1"}}),
        ("verify", {"keys": by(3), "claims": {"name": "x"}}),
    ],
)
def test_a_scoped_answer_done_again_comes_to_the_same(service, world, narrow, action, changes):
    narrow("birth >= 1990-01-04", masks=())
    answer = ask(service, world, action, **changes)
    report = replay(world.settings, answer.receipt.index)
    assert [step.code for step in report.steps][-3:] == ["decision_equal", "request_equal", "answer_equal"]
    entry = Entry.decode(service.evidence.log.entry(answer.receipt.index))
    body = service.evidence.bodies.get(entry.body_digest)[1]
    stored = service.evidence.bodies.get(body["terms"])[1]
    assert [g.get("rows") for g in stored["grants"]] == [None, ["birth >= 1990-01-04"]]
    assert stored["decision"]["scopes"][-1]["rows"] == ["birth >= 1990-01-04"]


def test_a_scope_tampered_with_in_the_answer_is_reported(service, world, narrow, monkeypatch):
    """A process that forgot the rules when it answered: doing it again tells."""
    narrow("household in H1")
    monkeypatch.setattr("catalog.decide.row_test", lambda rules, resource: lambda row: True)
    entry = ask(service, world, keys=by(2)).receipt.index
    monkeypatch.undo()
    report = replay(world.settings, entry)
    assert (report.verdict, report.steps[-1].code) == ("different", "answer_differs")


def test_a_prohibition_in_a_new_list_bites_on_the_next_call(service, world):
    from catalog.model import Prohibition
    from tests.hub.publishing import publish_list
    from tests.hub.world import make_list

    assert "birth" in ask(service, world, grant="G1").content["records"][0]
    bans = (Prohibition(CODE, ("RS",), ("*",), "《某法》第一条", ("birth",)),)
    publish_list(world.settings, service.control, service.evidence, make_list(batch=2, prohibitions=bans), by="office")
    answer = ask(service, world, grant="G1")
    assert "birth" not in answer.content["records"][0]
    entry = Entry.decode(service.evidence.log.entry(answer.receipt.index))
    assert entry.facts["reasons"] == ["allowed", "field_prohibited"]
    with pytest.raises(RefusedError) as caught:
        ask(service, world, grant="G1", fields=["birth"])
    assert [r.code for r in caught.value.cause.reasons] == ["prohibited"]
    for index in (answer.receipt.index, caught.value.receipt.index):
        assert replay(world.settings, index).verdict == "same"


def test_the_matter_stands_in_the_entry(service, world, narrow):
    narrow("household in H1")
    answer = ask(service, world, keys=by(0))
    assert Entry.decode(service.evidence.log.entry(answer.receipt.index)).purpose == MATTER
