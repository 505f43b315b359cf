"""Loads over HTTP: who sees which, in both languages, page by page; and the office's decision on a changed shape."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from hub import alerts, drifts
from hub.actors import Role
from hub.callers import issue_key
from hub.control import DriftRow, ReconciliationRow
from hub.office import Office
from tests.hub.loads.records import record
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, EMPTY_CODE, NOW, make_list

SECRET_PATH = "/var/zhengtong/warehouse/reconciliations/report.json"
LOOKS = ("/v1/loads", "/v1/freshness", "/v1/alerts", "/v1/reconciliations")


@pytest.fixture(scope="module")
def keys(world):
    """A key for each kind of caller, under a list that names its office; another department provides every resource."""
    with Office.open(world.settings, clock=world.clock) as office:
        publish_list(world.settings, office.control, office.evidence, make_list(office="MZ"), by="office")
        found = {}
        for name, department, roles in (
            ("provider", "GA", (Role.REVIEW,)),
            ("office", "MZ", (Role.OFFICE,)),
            ("auditor", "MZ", (Role.AUDIT,)),
            ("stranger", "RS", (Role.APPLY,)),
            ("caller", "RS", (Role.CALL,)),
            ("elsewhere", "RS", (Role.OFFICE,)),
        ):
            issued = issue_key(
                office.control, office.evidence, world.list, department=department, name=name, by="GA:x", roles=roles
            )
            found[name] = {"authorization": f"Bearer {issued.key}"}
        filled(office)
    return found


def filled(office):
    told = {"error": {"en": "it broke", "zh": "坏了"}, "step": "extract"}
    record(office, read=5, accepted=4, rejected=1, reasons={"bad_type:name": 1}, snapshot=2**62 + 1, department="GA")
    record(office, hours=1, outcome="failed", error_code="SourceShapeError", notes=told)
    record(office, hours=2, resource=EMPTY_CODE)
    params = {"error_en": "it broke", "error_zh": "坏了"}
    alerts.raise_alert(office.control, "load_failed", key="k", at=NOW, resource=CODE, department="GA", params=params)
    counts = dict.fromkeys(("extra", "changed", "rejected"), 0) | {"missing": 3, "source_rows": 9, "table_rows": 6}
    row = {"resource": CODE, "at": NOW, "snapshot": 2**62 + 1, "seconds": 1.5, "report": SECRET_PATH, "log_index": 1}
    with office.control.writing() as connection:
        connection.execute(sa.insert(ReconciliationRow).values(**row, **counts))


SEEN = "sha256:" + "a" * 64


def waits(world, code=CODE, digest=SEEN):
    report = {"en": ["the column `x` is new"], "zh": ["新增列 `x`"], "state": {}, "findings": []}
    row = {"resource": code, "digest": digest, "status": drifts.WAITING, "first_seen": NOW, "last_seen": NOW}
    undecided = dict.fromkeys(("decided_by", "decided_at", "log_index"))
    with Office.open(world.settings, clock=world.clock) as office, office.control.writing() as connection:
        connection.execute(sa.delete(DriftRow))
        connection.execute(sa.insert(DriftRow).values(**row, **undecided, report=report))


def rows(http, path, key, **more):
    got = http.get(path, headers={**key, **more.pop("headers", {})}, params=more)
    assert got.status_code == 200, got.text
    assert "signature" in got.headers
    return next(value for value in got.json().values() if isinstance(value, list))


@pytest.mark.parametrize("path", LOOKS)
def test_one_sees_its_own_and_the_office_and_auditors_see_all(http, keys, path):
    for name in ("provider", "office", "auditor"):
        assert rows(http, path, keys[name]), name
    assert rows(http, path, keys["stranger"]) == []
    assert http.get(path).status_code == 401
    refused = http.get(path, headers=keys["caller"])
    assert (refused.status_code, refused.json()["code"]) == (403, "role_missing")


def test_a_record_says_what_a_load_did(http, keys):
    first = rows(http, "/v1/loads", keys["provider"])[0]
    assert (first["read"], first["accepted"], first["reasons"]) == (5, 4, {"bad_type:name": 1})
    # Beyond what every reader's numbers hold.
    assert first["snapshot"] == str(2**62 + 1)
    assert first["started"].startswith("2026-03-02T")
    assert rows(http, "/v1/loads", keys["provider"], outcome="failed")[0]["error_code"] == "SourceShapeError"


def test_records_come_page_by_page_without_gap_or_repeat(http, keys):
    every = [row["id"] for row in rows(http, "/v1/loads", keys["auditor"])]
    seen, last = [], 0
    while True:
        page = http.get("/v1/loads", headers=keys["auditor"], params={"after": last, "limit": 2}).json()
        if not page["loads"]:
            break
        seen += [row["id"] for row in page["loads"]]
        last = page["last"]
    assert seen == every
    assert page["last"] == last
    # Who sees none is not led on through pages of others'.
    assert http.get("/v1/loads", headers=keys["stranger"], params={"limit": 1}).json() == {"loads": [], "last": 0}


def test_one_resource_alone(http, keys):
    assert {row["resource"] for row in rows(http, "/v1/loads", keys["office"], resource=EMPTY_CODE)} == {EMPTY_CODE}
    assert rows(http, "/v1/reconciliations", keys["office"], resource=EMPTY_CODE) == []
    assert rows(http, "/v1/loads", keys["office"], resource="NO-SUCH") == []


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"after": "-1"}, {"resource": "x" * 101}]
)
def test_a_bound_that_is_none_is_refused(http, keys, query):
    assert http.get("/v1/loads", headers=keys["office"], params=query).status_code in {400, 422}


def test_words_are_in_the_reader_s_language(http, keys):
    for lang, text, what in (("zh-CN", "最近一次失败", "坏了"), ("en", "last load failed", "it broke")):
        headers = {"accept-language": lang}
        lights = rows(http, "/v1/freshness", keys["provider"], headers=headers)
        assert {row["resource"]: row["text"] for row in lights}[CODE] == text
        (alert,) = rows(http, "/v1/alerts", keys["provider"], headers=headers)
        assert what in alert["text"]
        assert alert["what_to_do"]


def test_freshness_says_when_the_promise_breaks(http, keys):
    one = next(row for row in rows(http, "/v1/freshness", keys["provider"]) if row["resource"] == CODE)
    assert (one["light"], one["success"]) == ("failing", NOW.isoformat())
    assert one["due"] == (NOW + timedelta(hours=36)).isoformat()


def test_where_a_report_lies_is_told_to_nobody(http, keys):
    got = http.get("/v1/reconciliations", headers=keys["auditor"])
    assert SECRET_PATH not in got.text
    (row,) = got.json()["reconciliations"]
    assert (row["missing"], row["snapshot"]) == (3, str(2**62 + 1))


class TestDecisions:
    def path(self, decision="approve", code=CODE):
        return f"/v1/resources/{quote(code, safe='')}/drift:{decision}"

    def test_the_office_decides_and_the_log_has_it(self, http, keys, world):
        waits(world)
        got = http.post(self.path(), headers=keys["office"], json={"digest": SEEN})
        assert (got.status_code, got.json()["status"]) == (200, "approved"), got.text
        assert got.json()["log_index"] >= 0
        again = http.post(self.path(), headers=keys["office"], json={"digest": SEEN})
        assert (again.status_code, again.json()["code"]) == (404, "drift_unknown")

    def test_a_code_may_be_written_with_its_slash(self, http, keys, world):
        waits(world)
        got = http.post(f"/v1/resources/{CODE}/drift:refuse", headers=keys["office"], json={"digest": SEEN})
        assert (got.status_code, got.json()["status"]) == (200, "refused"), got.text

    def test_only_what_was_seen_is_decided_on(self, http, keys, world):
        waits(world, digest="sha256:" + "b" * 64)
        late = http.post(self.path(), headers=keys["office"], json={"digest": SEEN})
        assert (late.status_code, late.json()["code"]) == (404, "drift_unknown")
        for body in ({}, {"digest": 1}, {"digest": SEEN, "approve": "yes"}):
            assert http.post(self.path(), headers=keys["office"], json=body).status_code == 422, body
        with Office.open(world.settings, clock=world.clock) as office:
            assert len(drifts.waiting(office.control)) == 1

    def test_what_waits_is_shown_to_those_it_concerns(self, http, keys, world):
        waits(world)
        (one,) = rows(http, "/v1/drifts", keys["provider"], headers={"accept-language": "en"})
        assert (one["resource"], one["digest"], one["changes"]) == (CODE, SEEN, ["the column `x` is new"])
        (one,) = rows(http, "/v1/drifts", keys["office"], headers={"accept-language": "zh"})
        assert one["changes"] == ["新增列 `x`"]
        assert rows(http, "/v1/drifts", keys["stranger"]) == []
        assert http.get("/v1/drifts").status_code == 401

    @pytest.mark.parametrize("name", ["provider", "auditor", "stranger", "caller", "elsewhere"])
    def test_nobody_else_does(self, http, keys, world, name):
        waits(world)
        refused = http.post(self.path(), headers=keys[name], json={"digest": SEEN})
        assert (refused.status_code, refused.json()["code"]) == (403, "role_missing")
        assert http.post(self.path(), json={"digest": SEEN}).status_code == 401
        with Office.open(world.settings, clock=world.clock) as office:
            assert len(drifts.waiting(office.control)) == 1

    def test_another_word_than_the_two_is_no_address(self, http, keys, world):
        waits(world)
        seen = {"digest": SEEN}
        for decision in ("maybe", "Approve", ""):
            assert http.post(self.path(decision), headers=keys["office"], json=seen).status_code in {404, 405}
        assert http.post(self.path(code="NO-SUCH"), headers=keys["office"], json=seen).status_code == 404


def test_every_address_is_documented_with_its_answer(http):
    paths = http.get("/openapi.json").json()["paths"]
    for path in (*LOOKS, "/v1/drifts", "/v1/resources/{code}/drift:approve"):
        ((_, told),) = paths[path].items()
        answer = told["responses"]["200"]["content"]["application/json"]["schema"]
        assert answer, path
        assert told["description"], path
        assert told["security"], path
        assert {"401", "403"} <= set(told["responses"]), path
