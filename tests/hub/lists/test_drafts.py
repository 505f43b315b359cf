"""A list comes into force through its review alone: two persons, one predecessor, whole or not at all."""

from dataclasses import replace

import pytest

from audit.entry import Entry
from catalog.diff import compare
from catalog.review import State
from catalog.steps import CaseInvalidError, NotYoursError, SameHandsError, StepNotAllowedError
from hub import cases as case_module
from hub import drafts, registry
from hub import published as published_module
from hub.errors import (
    CaseConflictError,
    CaseUnknownError,
    EvidenceUnavailableError,
    ListDamagedError,
    ListMissingError,
    ListSupersededError,
    VersionUnknownError,
)
from hub.notices import tray
from hub.published import current_version, list_path, list_version, versions
from hub.publishing import publish, publish_draft, publish_in
from tests.hub.lists.conftest import EDITOR, FIRST, OTHER, REVIEWER, SECOND, THIRD, insert_grant
from tests.hub.publishing import publish_list


def in_force(office, list_):
    case = drafts.submit(office, list_, actor=EDITOR)
    drafts.approve(office, case.id, actor=REVIEWER)
    return drafts.publish(office, case.id, actor=REVIEWER)


def entries(office, kind):
    log = office.evidence.log
    found = [Entry.decode(leaf) for leaf in log.entries(0, log.size)]
    return [entry for entry in found if entry.kind == kind]


def approved(office, list_):
    case = drafts.submit(office, list_, actor=EDITOR)
    return drafts.approve(office, case.id, actor=REVIEWER)


def test_a_list_goes_from_draft_over_review_into_force(office):
    case = drafts.submit(office, FIRST, actor=EDITOR, file="first.xlsx")
    assert (case.state, case.answerer, case.rule) == ("submitted", "D1", "list.review")
    assert case.due_at is not None
    assert current_version(office.control) is None
    case = drafts.approve(office, case.id, actor=REVIEWER, note="核对无误")
    assert (case.state, case.open, case.due_at) == ("approved", True, None)
    done = drafts.publish(office, case.id, actor=REVIEWER)
    assert (done.version, done.already) == (FIRST.version, False)
    assert current_version(office.control) == FIRST.version
    again = drafts.publish(office, case.id, actor=REVIEWER)
    assert (again.log_index, again.already) == (done.log_index, True)
    history = office.cases.history(case.id)
    assert [step.step for step in history] == ["submit", "approve", "published"]
    assert history[-1].log_index == done.log_index == versions(office.control)[0].log_index


def test_the_entry_of_a_publication_names_both_versions_and_the_comparison(office):
    in_force(office, FIRST)
    in_force(office, SECOND)
    first, second = entries(office, "list.published")
    assert first.facts["predecessor"] == ""
    diff = compare(FIRST, SECOND)
    assert second.actor == "D1:reviewer"
    assert second.facts["list_version"] == SECOND.version
    assert second.facts["predecessor"] == FIRST.version
    assert second.facts["changes"] == diff.counts() == {"breaking": 1, "narrowing": 0, "widening": 0, "neutral": 0}
    assert second.facts["diff"] == diff.digest()
    assert second.facts["resources"] == 2
    assert [(v.version, v.status) for v in versions(office.control)] == [
        (SECOND.version, "current"),
        (FIRST.version, "superseded"),
    ]


def test_who_handed_a_draft_in_does_not_approve_it_nor_does_another_department(office):
    case = drafts.submit(office, FIRST, actor=EDITOR)
    with pytest.raises(SameHandsError):
        drafts.approve(office, case.id, actor=EDITOR)
    with pytest.raises(NotYoursError):
        drafts.approve(office, case.id, actor=OTHER)
    with pytest.raises(NotYoursError):
        drafts.submit(office, SECOND, actor=OTHER)
    # Nor after somebody else mended it: both hands are in it.
    drafts.resubmit(office, case.id, THIRD, actor=REVIEWER)
    for hand in (EDITOR, REVIEWER):
        with pytest.raises(SameHandsError):
            drafts.approve(office, case.id, actor=hand)
    with pytest.raises(StepNotAllowedError):
        drafts.publish(office, case.id, actor=REVIEWER)


def test_a_draft_does_not_appoint_its_own_judge(office):
    in_force(office, FIRST)
    with pytest.raises(NotYoursError):
        drafts.submit(office, replace(SECOND, office="D2"), actor=OTHER)


def test_the_list_in_force_and_a_list_under_review_are_not_handed_in_again(office):
    in_force(office, FIRST)
    with pytest.raises(CaseInvalidError) as refused:
        drafts.submit(office, FIRST, actor=EDITOR)
    assert refused.value.problems[0].code == "draft_in_force"
    case = drafts.submit(office, SECOND, actor=EDITOR)
    with pytest.raises(CaseInvalidError) as refused:
        drafts.submit(office, SECOND, actor=EDITOR)
    assert case.id in refused.value.text("en")


def test_a_draft_is_returned_mended_and_withdrawn(office):
    case = drafts.submit(office, FIRST, actor=EDITOR)
    with pytest.raises(CaseInvalidError):
        drafts.send_back(office, case.id, actor=REVIEWER, note=" ")
    case = drafts.send_back(office, case.id, actor=REVIEWER, note="缺少依据")
    assert (case.state, case.answerer, case.rule) == ("returned", "D1", "")
    assert "缺少依据" in next(told for told in tray(office.control, "D1") if told.kind == "list_returned").text("zh")
    with pytest.raises(StepNotAllowedError):
        drafts.approve(office, case.id, actor=REVIEWER)
    case = drafts.resubmit(office, case.id, SECOND, actor=EDITOR, file="second.yaml")
    draft = drafts.draft_of(case)
    assert (draft.state, draft.version, draft.file) == (State.SUBMITTED, SECOND.version, "second.yaml")
    case = drafts.withdraw(office, case.id, actor=EDITOR)
    assert (case.open, case.state) == (False, "withdrawn")
    with pytest.raises(StepNotAllowedError):
        drafts.resubmit(office, case.id, actor=EDITOR)
    assert current_version(office.control) is None


def test_a_department_that_is_touched_may_object_and_is_answered(office):
    in_force(office, FIRST)
    case = approved(office, SECOND)
    with pytest.raises(NotYoursError):
        drafts.object_to(office, case.id, actor=type(OTHER).parse("D7:x"), note="不同意")
    case = drafts.object_to(office, case.id, actor=OTHER, note="联系电话为办件所必需")
    assert case.state == "submitted"
    with pytest.raises(CaseInvalidError) as refused:
        drafts.approve(office, case.id, actor=REVIEWER)
    assert "D2" in refused.value.text("zh")
    assert drafts.approve(office, case.id, actor=REVIEWER, note="改由电子证照提供").state == "approved"
    # An objection is to the draft as it was: a mended one is another.
    case = drafts.resubmit(office, case.id, THIRD, actor=EDITOR)
    assert drafts.draft_of(case).objecting == ()
    assert len(drafts.draft_of(case).objections) == 1


def test_of_two_drafts_against_one_list_the_second_is_reviewed_again(office):
    in_force(office, FIRST)
    one, two, three = (
        approved(office, SECOND),
        approved(office, THIRD),
        drafts.submit(office, replace(FIRST, title="第四版"), actor=EDITOR),
    )
    drafts.publish(office, one.id, actor=REVIEWER)
    for step, case in ((drafts.publish, two), (drafts.approve, three)):
        with pytest.raises(ListSupersededError):
            step(office, case.id, actor=REVIEWER)
    assert current_version(office.control) == SECOND.version
    rebased = drafts.resubmit(office, two.id, actor=EDITOR)
    draft = drafts.draft_of(rebased)
    assert (draft.state, draft.predecessor, draft.version) == (State.SUBMITTED, SECOND.version, THIRD.version)
    assert dict(draft.counts)["widening"] == 1
    drafts.approve(office, two.id, actor=REVIEWER)
    drafts.publish(office, two.id, actor=REVIEWER)
    assert current_version(office.control) == THIRD.version


def test_two_who_decide_at_once_are_told_apart(office):
    case = drafts.submit(office, FIRST, actor=EDITOR)
    drafts.approve(office, case.id, actor=REVIEWER, revision=1)
    with pytest.raises(CaseConflictError):
        drafts.send_back(office, case.id, actor=REVIEWER, note="退回", revision=1)
    with pytest.raises(StepNotAllowedError):
        drafts.approve(office, case.id, actor=type(OTHER).parse("D1:third"))


def test_two_publish_at_once_and_one_list_is_in_force(office, settings, clock):
    import threading

    from hub.office import Office

    in_force(office, FIRST)
    waiting = [
        approved(office, SECOND).id,
        approved(office, THIRD).id,
    ]
    outcomes, start = [], threading.Barrier(4)

    def run(id_):
        with Office.open(settings, clock=clock) as own:
            start.wait()
            try:
                outcomes.append((id_, drafts.publish(own, id_, actor=REVIEWER).already))
            except ListSupersededError:
                outcomes.append((id_, None))

    threads = [threading.Thread(target=run, args=(id_,)) for id_ in waiting * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner = current_version(office.control)
    of_winner = {id_ for id_, already in outcomes if already is False}
    assert len(of_winner) == 1
    (id_,) = of_winner
    assert office.cases.get(id_, "list").value["version"] == winner
    assert sorted(already for who, already in outcomes if who == id_) == [False, True]
    assert [already for who, already in outcomes if who != id_] == [None, None]
    assert [v.status for v in versions(office.control)] == ["current", "superseded"]


def test_departments_concerned_are_told_what_changes_and_what_they_lose(office):
    in_force(office, FIRST)
    insert_grant(office)
    case = drafts.submit(office, SECOND, actor=EDITOR)
    assert [told.case_id for told in tray(office.control, "D2") if told.kind == "list_submitted"] == [case.id]
    drafts.approve(office, case.id, actor=REVIEWER)
    drafts.publish(office, case.id, actor=REVIEWER)
    (told,) = [told for told in tray(office.control, "D2") if told.kind == "list_published"]
    assert "no longer owes field phone" in told.text("en")
    assert "1 grant is narrowed" in told.text("en")
    assert told.params["note_zh"].endswith("1 项授权范围缩小")
    (office_told,) = [told for told in tray(office.control, "D1") if told.kind == "list_published"]
    assert "grant" not in office_told.params["note"]


def test_an_earlier_list_may_come_back_into_force(office):
    in_force(office, FIRST)
    in_force(office, SECOND)
    in_force(office, FIRST)
    assert [(v.version, v.status) for v in versions(office.control)] == [
        (FIRST.version, "current"),
        (SECOND.version, "superseded"),
    ]
    assert drafts.resolve(office, "previous") == SECOND


def test_references_to_versions_and_drafts(office):
    with pytest.raises(ListMissingError):
        drafts.resolve(office, "current")
    in_force(office, FIRST)
    with pytest.raises(VersionUnknownError):
        drafts.resolve(office, "previous")
    in_force(office, SECOND)
    case = drafts.submit(office, THIRD, actor=EDITOR)
    digest = FIRST.version.removeprefix("sha256:")
    for reference, found in (
        ("current", SECOND),
        ("previous", FIRST),
        (digest[:8], FIRST),
        (f"sha256:{digest[:12].upper()}", FIRST),
        (FIRST.version, FIRST),
        (case.id, THIRD),
        (THIRD.version[7:20], THIRD),
    ):
        assert drafts.resolve(office, reference) == found
    for reference in (digest[:7], "ffffffff", "", "../../etc/passwd"):
        with pytest.raises(VersionUnknownError):
            drafts.resolve(office, reference)
    with pytest.raises(CaseUnknownError):
        drafts.resolve(office, "LAAAAAAAA")


def test_a_draft_whose_file_was_changed_is_not_published(office, settings):
    case = approved(office, FIRST)
    path = list_path(settings, FIRST.version)
    path.write_text(path.read_text().replace("示例市", "他市"))
    with pytest.raises(ListDamagedError):
        drafts.publish(office, case.id, actor=REVIEWER)
    path.unlink()
    with pytest.raises(ListMissingError):
        drafts.publish(office, case.id, actor=REVIEWER)
    assert office.cases.get(case.id, "list").state == "approved"


def test_grants_keep_their_list_version_and_decisions_go_by_the_list_in_force(office, settings):
    from catalog.decide import AccessRequest
    from hub.standing import Standing

    in_force(office, FIRST)
    given = insert_grant(office)
    in_force(office, SECOND)
    view = Standing(settings, office.control).now()
    assert view.list == SECOND
    assert [grant.list_version for grant in view.grants("D2", "R1")] == [given.list_version] == [FIRST.version]
    asked = AccessRequest("D2", "R1", "query", ("phone",), ("id",), "M1")
    assert [reason.code for reason in view.decide(asked, given.starts).reasons] == ["field_unknown"]


# --- Crashes: after each, the same command completes what was begun, and nothing is half in force. --------------------


class _Stop(Exception):  # noqa: N818 - a stop, no error of ours
    """The process ends here."""


def publish_both(settings):
    return publish(settings, SECOND, by="D1:editor", approved_by="D1:reviewer")


@pytest.mark.parametrize(
    "write",
    [
        (published_module, "replace_file", 1),
        (case_module.Transaction, "_entry", 1),
        (case_module.Transaction, "_event", 1),
        (case_module.Transaction, "_entry", 2),
        (case_module.Transaction, "_event", 2),
        (drafts, "put_in_force", 1),
        (case_module.Transaction, "_entry", 3),
        (case_module.Transaction, "_event", 3),
        (drafts, "_tell_concerned", 1),
        (registry, "write", 1),
        (registry, "compile_list", 1),
    ],
)
def test_stopped_at_a_write_it_goes_on_from_there(office, settings, monkeypatch, write):
    module, name, calls = write
    publish(settings, FIRST, by="D1:editor", approved_by="D1:reviewer")
    real, left = getattr(module, name), [calls]

    def stopping(*arguments, **named):
        left[0] -= 1
        # Stopped after the write was done and before anything else was: the worse of the two moments.
        done = real(*arguments, **named)
        if left[0] == 0:
            raise _Stop
        return done

    with monkeypatch.context() as patch:
        patch.setattr(module, name, stopping)
        with pytest.raises(_Stop):
            publish_both(settings)
    in_registry = name in ("write", "compile_list")
    assert current_version(office.control) == (SECOND if in_registry else FIRST).version
    assert registry.read(settings.registry)["list_version"] == (SECOND if name == "write" else FIRST).version
    done = publish_both(settings)
    assert (done.version, done.already) == (SECOND.version, in_registry)
    assert current_version(office.control) == SECOND.version
    assert registry.read(settings.registry)["list_version"] == SECOND.version
    assert len(drafts.find(office)) == 2
    assert not drafts.find(office, open_=True)


def test_without_evidence_nothing_is_published(office, settings, monkeypatch):
    case = approved(office, FIRST)

    def refuse(*arguments, **named):
        raise EvidenceUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(office.evidence, "append", refuse)
        with pytest.raises(EvidenceUnavailableError):
            publish_draft(office, case.id, actor=REVIEWER)
    assert current_version(office.control) is None
    assert office.cases.get(case.id, "list").state == "approved"
    assert publish_draft(office, case.id, actor=REVIEWER).already is False


def test_the_whole_way_in_one_step_is_idempotent_and_needs_two_posts(office, settings):
    done = publish_in(office, FIRST)
    assert publish_in(office, FIRST) == replace(done, already=True)
    (case,) = drafts.find(office)
    assert [(step.step, step.actor) for step in office.cases.history(case.id)] == [
        ("submit", "D1:list-editor"),
        ("approve", "D1:list-reviewer"),
        ("published", "D1:list-reviewer"),
    ]
    with pytest.raises(SameHandsError):
        publish_in(office, SECOND, by="D1:editor", approved_by="D1:editor")
    assert current_version(office.control) == FIRST.version
    # What one hand left is gone on with by another, also after another list came between.
    publish_in(office, THIRD)
    assert publish_in(office, SECOND, approved_by="D1:reviewer").version == SECOND.version


def test_the_low_level_publication_is_idempotent(office, settings):
    first = publish_list(settings, office.control, office.evidence, FIRST, by="office")
    again = publish_list(settings, office.control, office.evidence, FIRST, by="office")
    assert (first.already, again.already, again.log_index) == (False, True, first.log_index)
    publish_list(settings, office.control, office.evidence, SECOND, by="office")
    assert list_version(settings, FIRST.version) == FIRST
    assert [v.status for v in versions(office.control)] == ["current", "superseded"]
