"""The demonstration's seals, licences, files and audit: each step does what is told of it, and may be taken again."""

from __future__ import annotations

import pytest

from hub.demo.documents import forge_ofd, forge_pdf
from hub.demo.licences import BATCH_KIND, CASE_KIND, FIRST, RENEWED_KIND, STATED_WRONG
from hub.demo.story import Story
from hub.ingestion import run_here
from hub.settings import Settings
from licence.kinds import load
from licence.lifecycle import State
from licence.lifecycle.dossier import TWO_PERSONS
from licence.ofd.container import unpack
from tests.hub.demo.conftest import SCALE


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    story = Story(Settings.at(tmp_path_factory.mktemp("licensed") / "var"), scale=SCALE)
    story.build_city()
    story.open_systems()
    story.publish()
    for code in {kind.resource for kind in load(story.settings.kinds)}:
        run_here(story.settings, code, "day-1")
    story.give_grants()
    story.give_seals()
    yield story
    story.stop()


@pytest.fixture(scope="module")
def made(story):
    return story.documents.make()


def test_every_issuing_department_has_a_seal_once(story):
    given = story.give_seals()
    assert {one.department for one in given} == {kind.issuer for kind in story.licences.kinds}
    assert {code for one in given for code in one.kinds} == {kind.code for kind in story.licences.kinds}
    assert not any(one.new for one in given)
    assert all(one.asked_by != one.approved_by for one in given)


def test_one_of_each_kind_is_issued_and_found_again(story):
    single = [kind.name for kind in story.licences.kinds if kind.approvals < TWO_PERSONS]
    first = story.licences.issue_each_kind("zh")
    assert [name for name, *_ in first] == single
    assert story.licences.issue_each_kind("zh") == [(name, number, False) for name, number, _ in first]


def test_two_persons_decide_and_one_does_not(story):
    handled = story.licences.handle()
    assert handled.prefilled.differs == (STATED_WRONG,)
    assert [(step.what, step.by) for step in handled.steps if step.said] == [("approve", FIRST)]
    assert story.licences.left(CASE_KIND) == (handled.licence, handled.case)
    again = story.licences.handle()
    assert (again.case, again.licence, again.steps) == (handled.case, handled.licence, ())


def test_everybody_gets_one_and_nothing_is_left(story):
    plan = story.licences.plan()
    assert plan.counts["ok"] > 0
    assert story.licences.issue_all().issued == plan.counts["ok"]
    assert story.licences.issue_all().issued == 0
    left = story.licences.reconcile()
    assert (left.licences, left.residual) == (left.records, 0)


def test_a_renewed_licence_lapses_once(story):
    found = story.licences.renew()
    assert (found.before_state, found.after_state, found.new) == (State.LAPSED, State.VALID, True)
    again = story.licences.renew()
    assert (again.before, again.after, again.new) == (found.before, found.after, False)
    assert story.licences.issue(RENEWED_KIND) == (found.after, False)


def test_what_is_genuine_passes_and_what_is_forged_does_not(story, made):
    codes = {one.file.name: one.report.exit_code for one in story.documents.judge(made)}
    assert codes == {
        "card.pdf": 0, "card.ofd": 0, "card.txt": 0, "card-for-the-bus.pdf": 0, "tampered.pdf": 10, "tampered.ofd": 10,
    }  # fmt: skip
    assert made.picture.read_bytes().startswith(b"\x89PNG")


def test_a_forger_changes_the_name_and_nothing_else(story, made):
    pdf, ofd, *_ = (file.read_bytes() for file in made.genuine)
    kind = story.licences.licensing.kind(BATCH_KIND)
    name = str(story.licences.first(kind).facts[kind.holder_name_field])
    page = unpack(ofd).files["Doc_0/Pages/Page_0/Content.xml"].decode()
    changed = unpack(forge_ofd(ofd, name)).files["Doc_0/Pages/Page_0/Content.xml"].decode()
    assert name in page
    assert (name in changed, name[::-1] in changed) == (False, True)
    forged = forge_pdf(pdf, name)
    assert forged.startswith(pdf)
    assert forged != forge_pdf(pdf, name[:1])


def test_a_code_is_read_once(story, made):
    redeemed = story.documents.once(made.licence)
    assert [title for _, title, _ in redeemed.shown.face] == ["姓名", "优待档次"]
    assert redeemed.refused


def test_an_auditor_finds_that_all_agrees(story, made):
    audited = story.audit_licences()
    assert audited.report.findings == ()
    assert audited.report.licences == audited.handed["rows"] > len(story.licences.kinds)
    again = story.audit_licences()
    assert again.handed["rows"] == audited.handed["rows"]


def test_a_revocation_is_seen(story):
    verdicts = story.judge()
    assert [one.exit_code for one in (verdicts.valid, verdicts.forged, verdicts.revoked)] == [0, 10, 12]
    assert verdicts.seen_s > 0
