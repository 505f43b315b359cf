"""The audit pages: what is found and proven; asking is logged, and nothing of a person stands in an address."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys

import pytest

from audit.checkpoints import ConsistencyProof
from audit.entry import Entry
from audit.pack import check_pack
from audit.proof import LogProof
from audit.verifiers import Trust
from hub.actors import Actor
from hub.auditwords import GROUPS
from hub.evidence import log_verifier, log_verifiers
from hub.invocation import RefusedError
from hub.people import Duty
from hub.portal.pathdrawing import steps_of
from hub.portal.rooms import auditing
from tests.hub.portal.browsing import text_of
from tests.hub.world import CODE, IDS, body
from tests.test_docs_facts import kinds_written


@pytest.fixture(scope="module")
def calls(service, world):
    """An answered and a denied call about one person: the numbers of their entries."""
    made = []
    for changes in ({}, {"keys": {"citizen_id": IDS[0], "nothing": "x"}}, {"purpose": {"matter": "SX999"}}):
        raw = json.dumps(body(**changes)).encode()
        try:
            made.append(service.invocation.call("query", world.key, CODE, raw).receipt.index)
        except RefusedError as refused:
            made.append(refused.receipt.index)
    service.evidence.publish()
    return made


@pytest.fixture
def auditor(signed_in, calls):
    return signed_in(Duty.AUDITOR)


@pytest.fixture
def last(service):
    """The newest entry of the log."""

    def read():
        service.evidence.publish()
        return Entry.decode(service.evidence.log.entry(service.evidence.log.published_size - 1))

    return read


def test_every_kind_of_entry_belongs_to_a_group_with_words():
    assert {f"{kind.partition('.')[0]}." for kind in kinds_written()} == set(GROUPS)
    assert all(
        re.search(r"[\u4e00-\u9fff]", zh) and not re.search(r"[\u4e00-\u9fff]", en) for en, zh in GROUPS.values()
    )


# --- search ---------------------------------------------------------------------------------------------------------


def test_entries_are_found_newest_first_and_the_question_is_logged_before(auditor, members, calls, last):
    found = auditor.json("/audit.json?group=invocation.")
    assert found["total"] == len(calls)
    assert [one["index"] for one in found["entries"]] == sorted(calls, reverse=True)
    said = last()
    assert (said.kind, said.actor) == ("audit.searched", str(members[Duty.AUDITOR].actor))
    assert said.facts["query"] == {"kinds": ["invocation."]}
    page = auditor.read("/audit?group=invocation.&resource=" + CODE)
    assert "数据调用" in page
    assert f"/audit/entries/{calls[0]}" in auditor.see("/audit").text


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ("department=RS", lambda one: one["actor"].partition(":")[0] == "RS"),
        ("department=GA", lambda one: one["actor"].partition(":")[0] == "GA"),
        ("kind=list.published", lambda one: one["kind"] == "list.published"),
        (f"resource={CODE}", lambda one: one["resource"] == CODE),
        ("outcome=answered", lambda one: one["outcome"] == "answered"),
        ("actor=RS:administrator", lambda one: one["actor"] == "RS:administrator"),
    ],
)
def test_a_facet_finds_just_what_fits(auditor, asked, fits):
    found = auditor.json(f"/audit.json?{asked}")
    assert found["total"] >= 1
    assert len(found["entries"]) == min(found["total"], found["size"])
    assert all(fits(one) for one in found["entries"])


def test_days_narrow_and_an_empty_result_says_what_to_do(auditor):
    assert "没有符合的条目" in auditor.read("/audit?from=2031-01-01")
    assert auditor.json("/audit.json?from=2026-03-01&to=2026-03-02&group=invocation.")["total"] >= 1
    for bad in ("from=yesterday", "from=2026-03-03&to=2026-03-01", "to=9999-12-31"):
        assert auditor.see(f"/audit?{bad}").status_code == 422


def test_pages_go_on_to_the_first_entry(auditor, monkeypatch):
    monkeypatch.setattr(auditing, "PAGE", 10)
    first = auditor.json("/audit.json")
    pages = -(-first["total"] // first["size"])
    assert pages > 1
    # Each look is an entry itself, which the next one finds: there may be a page more by then.
    seen = [auditor.json(f"/audit.json?page={number}") for number in range(1, pages + 2)]
    assert min(one["index"] for page in seen for one in page["entries"]) == 0
    assert "page=2" in auditor.see("/audit").text


def test_a_person_is_looked_for_by_a_form_and_stands_nowhere(auditor, calls, service, last):
    answer = auditor.send("/audit/subject", key="citizen_id", value=f" {IDS[0]} ", resource="")
    assert answer.status_code == 200
    assert f"/audit/entries/{calls[0]}" in answer.text
    assert IDS[0] not in answer.text
    subject = service.evidence.subject({"citizen_id": IDS[0]})
    assert last().subject == subject
    assert not re.search(rf'(href|action)="[^"]*{subject}', answer.text)
    by_hash = auditor.send("/audit/subject", subject=subject)
    assert f"/audit/entries/{calls[0]}" in by_hash.text
    assert "没有符合的条目" in text_of(auditor.send("/audit/subject", subject="0" * 64).text)


@pytest.mark.parametrize(
    ("sent", "said"),
    [({}, "不能为空"), ({"key": "citizen_id"}, "不能为空"), ({"subject": "xyz"}, "应为 64 位")],
)
def test_half_a_question_about_a_person_is_refused(auditor, sent, said):
    answer = auditor.send("/audit/subject", **sent)
    assert answer.status_code == 422
    assert said in answer.text


@pytest.mark.parametrize("duty", sorted(set(Duty) - {Duty.AUDITOR, Duty.OFFICE}))
def test_nobody_else_audits(signed_in, calls, duty):
    visitor = signed_in(duty)
    for path in (f"/audit/entries/{calls[0]}", f"/audit/entries/{calls[0]}/proof", f"/audit/entries/{calls[0]}.json"):
        assert visitor.see(path).status_code == 403
    for path in ("/audit/subject", "/audit/sample", "/audit/pack", f"/audit/entries/{calls[0]}/replay"):
        assert visitor.send(path, entries="1", seed="1").status_code == 403


# --- an entry -------------------------------------------------------------------------------------------------------


def test_an_entry_is_shown_with_its_path_as_drawing_and_as_text(auditor, calls):
    here = f"/audit/entries/{calls[0]}"
    plain = auditor.json(f"{here}.json")
    assert len(plain["path"]) == len(plain["proof"].partition("\n\n")[0].split("\n")) - 2
    page = auditor.see(here).text
    assert page.count("<rect") == 2 * len(plain["path"]) + 1
    assert all(step["hash"] in page and step["result"] in page for step in plain["path"])
    assert plain["leaf"] in page
    # The last of what comes out is the root that the checkpoint signs.
    root = plain["path"][-1]["result"]
    assert base64.b64encode(bytes.fromhex(root)).decode() == plain["checkpoint"]["root"]
    assert IDS[0] not in page
    # The log's own signature is there under the number of its key.
    assert plain["key"].startswith(plain["checkpoint"]["signed_by"][0])


def test_the_command_on_the_page_tells_a_true_entry_from_an_altered_one(auditor, calls, tmp_path):
    for number in (0, calls[0], calls[-1]):
        here = f"/audit/entries/{number}"
        command = auditor.json(f"{here}.json")["command"]
        script = command.partition("<<'END'\n")[2].removesuffix("\nEND")
        data, proof = auditor.see(f"{here}/entry").content, auditor.see(f"{here}/proof").content
        entry_file, proof_file = tmp_path / f"entry-{number}.json", tmp_path / f"entry-{number}.tlog-proof"
        proof_file.write_bytes(proof)

        def run(content, entry_file=entry_file, proof_file=proof_file, script=script):
            entry_file.write_bytes(content)
            done = subprocess.run(
                [sys.executable, "-I", "-", entry_file, proof_file],
                input=script,
                capture_output=True,
                text=True,
                check=True,
            )
            return done.stdout.strip()

        assert run(data) == "the root is the same"
        assert run(data.replace(b'"actor"', b'"Actor"')) == "the root is ANOTHER"


@pytest.mark.parametrize("number", ["99999999", "x", "-1", "9" * 30])
def test_an_entry_that_there_is_not_is_a_page_that_says_so(auditor, number):
    assert auditor.see(f"/audit/entries/{number}").status_code == 404


def test_a_call_is_replayed_and_other_kinds_offer_none(auditor, calls):
    answer = auditor.send(f"/audit/entries/{calls[0]}/replay")
    assert answer.status_code == 200
    assert "一致：记录属实" in answer.text
    assert "/replay" not in auditor.see("/audit/entries/0").text


def test_what_a_department_wrote_is_escaped(auditor, service):
    hostile = "<script>alert(1)</script>"
    made = service.evidence.append("demand.registered", actor=str(Actor("RS", "x")), facts={"text": hostile})
    page = auditor.see(f"/audit/entries/{made.index}").text
    assert hostile not in page
    assert hostile in text_of(page)


# --- growth, sample, pack -------------------------------------------------------------------------------------------


def test_growth_is_proven_and_the_file_proves_it_too(auditor, service):
    plain = auditor.json("/audit/growth.json")
    assert plain["holds"]
    assert plain["old"]["size"] < plain["new"]["size"] == service.evidence.log.published_size
    assert plain["path"]
    proof = ConsistencyProof.from_text(auditor.see("/audit/growth/growth.tlog-consistency").text)
    old, new = proof.verify((log_verifier(service.settings),))
    assert (old.size, new.size) == (plain["old"]["size"], plain["new"]["size"])
    assert "原有条目未变" in auditor.read("/audit/growth")
    assert auditor.see("/audit/growth?from=x").status_code == 422


def test_a_sample_is_drawn_alike_and_recorded_with_its_seed(auditor, last):
    answer = auditor.send("/audit/sample", seed="骰子 4 2 6", wanted="5")
    assert "抽得 5 条" in text_of(answer.text)
    assert (last().facts["view"], last().facts["seed"]) == ("sample", "骰子 4 2 6")
    for sent, said in (
        ({"seed": ""}, "不能为空"),
        ({"seed": "1", "wanted": "0"}, "应为 1 至 1000"),
        ({"seed": "1", "wanted": "51", "again": "1"}, "应为 1 至 50"),
    ):
        assert said in auditor.send("/audit/sample", **sent).text


def test_a_sample_of_calls_is_done_again(auditor, calls):
    answer = auditor.send("/audit/sample", seed="7", wanted="10", group="invocation.", again="1")
    page = text_of(answer.text)
    assert f"抽得 {len(calls)} 条" in page
    assert "不一致" not in page


def test_what_is_out_of_the_ordinary_is_looked_for_and_that_is_recorded(auditor, calls, service, last):
    sent = {"from": "2026-03-01", "to": "2026-03-03"}
    answer = auditor.send("/audit/anomalies", **sent)
    assert answer.status_code == 200
    assert "线索不是结论" in answer.text
    assert last().facts["view"] == "anomalies"
    for number in range(6):
        raw = json.dumps(body(purpose={"matter": f"SX99{number}"})).encode()
        with pytest.raises(RefusedError):
            service.invocation.call("query", "wrong", CODE, raw)
    page = auditor.send("/audit/anomalies", **sent, operators="1").text
    assert "/audit/entries/" in page
    for bad in ({"from": "2026-03-05"}, {"to": "2026-05-01"}, {"from": "x"}, {"to": ""}):
        assert auditor.send("/audit/anomalies", **{**sent, **bad}).status_code == 422


def test_an_evidence_pack_holds_and_its_making_is_logged(auditor, calls, service, last):
    answer = auditor.send("/audit/pack", entries=f"0-2,{calls[0]}")
    assert answer.headers["content-type"] == "application/zip"
    report = check_pack(answer.content, Trust(log_verifiers(service.settings)))
    assert report.verdict == "holds"
    said = last()
    assert (said.kind, said.facts["entries"], said.facts["bodies"]) == ("audit.exported", 4, False)
    assert IDS[0].encode() not in answer.content
    for bad in ("x", "5-1", "1-99999"):
        refused = auditor.send("/audit/pack", entries=bad)
        assert refused.status_code == 422
        assert f'value="{bad}"' in refused.text


def test_the_pages_speak_english(signed_in, calls):
    visitor = signed_in(Duty.AUDITOR, **{"accept-language": "en"})
    page = visitor.read(f"/audit/entries/{calls[0]}")
    assert "Inclusion path" in page
    assert "calls for data" in page
    assert not set(re.findall(r"[\u3400-\u9fff]+", page)) - {"示例市", "中文", "测试审计员"}


def test_steps_of_a_log_of_one_entry_are_none(service):
    assert steps_of(b"x", LogProof(0, (), ""), 1) == []


def test_what_can_be_narrowed_to_says_how_many_there_are(auditor):
    page = auditor.json("/audit.json")
    for name, chosen in (("groups", "group"), ("outcomes", "outcome"), ("departments", "department")):
        told = {value: text.rpartition("(")[2] for value, text in page[name] if value}
        counted = {value: int(text.rstrip(")").replace(",", "")) for value, text in told.items()}
        value = max(counted, key=counted.__getitem__)
        # The questions that were asked meanwhile are entries, too.
        assert counted[value] <= auditor.json(f"/audit.json?{chosen}={value}")["total"] <= counted[value] + 9
    assert not page["more"]
    assert "(" in auditor.see("/audit").text
