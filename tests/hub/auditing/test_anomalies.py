from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from audit.entry import Entry
from catalog.clock import Clocks
from hub.anomalies import AUDITOR, MAX_ENTRIES, OF_AUDITORS, VIEWS, Known, Limits, find
from hub.auditviews import look
from hub.logged import OF_CREDENTIALS, OF_GRANTS, OF_LISTS, Logged
from hub.people import Duty
from tests.hub.auditing.conftest import MONDAY
from tests.hub.world import IDS
from tests.test_docs_facts import DOCS, codes_in, first_cells

CALENDAR = Clocks.default().calendar
ANSWERED, DENIED = "invocation.answered", "invocation.denied"


def entry(minutes=0, kind=ANSWERED, *, at=None, actor="RS", subject="a1", caller="C1", **facts):
    facts = {"caller": caller, "grant": "G1", **facts}
    return Entry(kind, at or MONDAY + timedelta(minutes=minutes), actor, subject, "R", "M", facts)


def said(kind, minutes=-1440, **facts):
    return Entry(kind, MONDAY + timedelta(minutes=minutes), "SJ:office", "", "", "", facts)


def admitted(caller, department="RS", **more):
    return said("caller.admitted", caller=caller, department=department, **more)


# Of these grants only the names are known, so that nothing speaks against a use.
BEFORE = (
    *(admitted(caller) for caller in ("C1", "C2", "C4")),
    admitted("C3", "MZ"),
    said("caller.revoked", caller="C4", department="RS"),
    *(said("grant.given", grant={"id": grant}) for grant in ("G1", "G2")),
)
KNOWN = Known(Logged.of(BEFORE))


def seen(*entries, known=KNOWN, operator=lambda entry: "", **limits):
    return find(enumerate(entries), Limits(**limits), CALENDAR, known=known, operator=operator)


def told(found):
    return [(one.code, one.count, one.entries) for one in found]


def test_an_ordinary_day_gives_nothing_to_ask_about():
    # 9:30 on a Monday in Shanghai.
    assert seen(*(entry(number, subject=f"{number:02x}") for number in range(100))) == []


@pytest.mark.parametrize(
    ("at", "late"),
    [
        (datetime(2026, 3, 2, 0, 0, tzinfo=UTC), False),  # Monday, 8:00
        (datetime(2026, 3, 1, 23, 59, tzinfo=UTC), True),  # 7:59
        (datetime(2026, 3, 2, 9, 59, tzinfo=UTC), False),  # 17:59
        (datetime(2026, 3, 2, 10, 0, tzinfo=UTC), True),  # 18:00
        (datetime(2026, 3, 1, 2, 0, tzinfo=UTC), True),  # Sunday
        (datetime(2026, 2, 28, 2, 0, tzinfo=UTC), False),  # a Saturday that is worked (调休)
        (datetime(2026, 10, 1, 2, 0, tzinfo=UTC), True),  # the National Day, a Thursday
    ],
)
def test_working_hours_are_those_of_the_calendar(at, late):
    assert [one.code for one in seen(entry(at=at))] == (["out_of_hours"] if late else [])


def test_calls_of_one_night_are_one_finding():
    night = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
    (one,) = seen(*(entry(at=night + timedelta(minutes=n)) for n in range(3)))
    assert (one.count, one.entries, dict(one.params)) == (3, (0, 1, 2), {"who": "RS/C1", "day": "2026-03-02"})


def test_one_person_read_at_many_desks():
    entries = [entry(caller="C1"), entry(caller="C2"), entry(caller="C3", actor="MZ"), entry(subject="b2")]
    (one,) = seen(*entries, readers=3)
    assert (one.code, one.entries) == ("many_readers", (0, 1, 2))
    assert seen(*entries, readers=4) == []
    # Of a caller's system, several operators.
    names = iter(["x", "y", "z", "x"])
    (one,) = seen(*(entry() for _ in range(4)), readers=3, operator=lambda entry: next(names))
    assert "RS/C1/x" in dict(one.params)["who"]


def test_calls_about_many_count_for_each_of_them():
    entries = [entry(caller=caller, subject="", subjects=["a1", "b2"]) for caller in ("C1", "C2")]
    assert told(seen(*entries, readers=2)) == [("many_readers", 2, (0, 1))] * 2


def test_refusals_in_a_row():
    row = [entry(number, DENIED, reasons=["no_grant"]) for number in range(5)]
    (one,) = seen(*row)
    assert (one.code, one.entries, dict(one.params)["reasons"]) == ("refusals", (0, 1, 2, 3, 4), "no_grant ×5")
    assert seen(*row[:4]) == []
    assert seen(*row[:2], entry(2), *row[2:]) == []
    slow = [entry(11 * number, DENIED) for number in range(9)]
    assert seen(*slow) == []
    assert told(seen(*slow, *(entry(200 + n, DENIED) for n in range(5)))) == [("refusals", 5, (9, 10, 11, 12, 13))]


def test_keys_that_open_nothing_are_probing_too():
    row = [entry(number, DENIED, actor="unknown", caller="", reasons=["key_refused"]) for number in range(7)]
    assert told(seen(*row)) == [("refusals", 7, (0, 1, 2, 3, 4, 5, 6))]


def test_bulk_is_counted_within_any_hour():
    calls = [entry(number, subject=f"{number:04x}") for number in range(30)]
    (one,) = seen(*calls, calls_per_hour=20)
    assert (one.code, one.count, dict(one.params)["people"]) == ("bulk", 30, "30")
    assert seen(*(entry(4 * number, subject=f"{number:04x}") for number in range(30)), calls_per_hour=20) == []
    two = [*calls, *(entry(180 + number, subject=f"{number:04x}") for number in range(25))]
    assert [(one.count, one.entries[0]) for one in seen(*two, calls_per_hour=20)] == [(30, 0), (25, 30)]
    apart = seen(*calls, calls_per_hour=20, operator=lambda entry: entry.subject[-1])
    assert apart == []


def test_a_finding_names_so_many_entries_and_counts_all():
    (one,) = seen(*(entry(0, subject=f"{n:04x}") for n in range(MAX_ENTRIES + 50)), calls_per_hour=100)
    assert (one.count, len(one.entries)) == (MAX_ENTRIES + 50, MAX_ENTRIES)


@pytest.mark.parametrize(
    ("caller", "actor", "why"),
    [("C9", "RS", "admits no such caller"), ("C3", "RS", "another department"), ("C4", "RS", "revoked")],
)
def test_a_grant_used_by_a_credential_that_should_not(caller, actor, why):
    (one,) = seen(entry(caller=caller, actor=actor))
    assert (one.code, dict(one.params)["credential"]) == ("unknown_credential", caller)
    assert why in one.text("en")


def test_credentials_are_followed_through_the_log():
    first = entry(0, "caller.admitted", actor="office", caller="C9", department="RS")
    revoked = entry(2, "caller.revoked", actor="office", caller="C9", department="RS")
    assert seen(first, entry(1, caller="C9"), entry(2, caller="C9")) == []
    found = seen(first, entry(1, caller="C9"), revoked, entry(3, caller="C9"))
    assert told(found) == [("unknown_credential", 1, (3,))]


def test_an_answer_is_held_against_the_grants_and_lists_of_the_log():
    found = seen(entry(grant="G9"), entry(1, grant="G9,G1"), entry(2, list_version="sha256:aa"))
    assert told(found) == [("unknown_grant", 2, (0, 1)), ("unknown_list", 1, (2,))]
    assert "G9: the log never gave this grant" in found[0].text("en")
    assert "sha256:aa" in found[1].text("zh")
    before = Known(Logged.of([*BEFORE, said("list.published", list_version="sha256:aa")]))
    assert seen(entry(list_version="sha256:aa"), known=before) == []


@pytest.mark.parametrize("kind", ["batch.ordered", "batch.fetched", "changes.answered"])
def test_every_kind_of_answer_is_held_against_the_log(kind):
    found = seen(entry(kind=kind, subject=""), entry(1, kind, subject="", caller="C9", grant="G9"))
    assert told(found) == [("unknown_credential", 1, (1,)), ("unknown_grant", 1, (1,))]


def test_what_was_known_before_is_not_changed_by_a_look():
    given = said("grant.given", 0, grant={"id": "G9"})
    assert seen(given, entry(1, grant="G9")) == []
    assert [one.code for one in seen(entry(1, grant="G9"))] == ["unknown_grant"]


def test_a_grant_that_woke():
    known = Known(KNOWN.logged, {"G1": MONDAY - timedelta(days=100), "G2": MONDAY})
    found = seen(entry(1, grant="G1,G2"), entry(2, grant="G1"), known=known)
    assert told(found) == [("sleeping_grant", 1, (0,))]
    assert "100" in found[0].text("en")
    given = entry(0, "grant.given", grant={"id": "G3"})
    assert seen(given, entry(1, grant="G3"), known=known) == []
    late = entry(at=MONDAY + timedelta(days=91), grant="G3")
    assert told(seen(given, late, known=Known(KNOWN.logged))) == [("sleeping_grant", 1, (1,))]


def test_an_order_and_a_page_wake_a_grant_too():
    known = Known(KNOWN.logged, {"G1": MONDAY - timedelta(days=100)})
    found = seen(entry(kind="batch.ordered", subject=""), entry(1), known=known)
    assert told(found) == [("sleeping_grant", 1, (0,))]


@pytest.mark.parametrize("kind", OF_AUDITORS)
def test_whoever_could_come_to_act_as_an_auditor_is_named(kind):
    facts = {"person": "P1", "post": "SJ:auditor", "duties": ["auditor"]}
    found = seen(*(Entry(kind, MONDAY, "SJ:administrator", "", "", "", facts) for _ in range(2)))
    assert told(found) == [("auditor_replaced", 2, (0, 1))]
    assert "P1 (SJ:auditor)" in found[0].text("en")
    # The auditor's own doing, and what is done to others, is nothing to ask about.
    assert seen(Entry(kind, MONDAY, "SJ:auditor", "", "", "", facts)) == []
    assert seen(Entry(kind, MONDAY, "SJ:administrator", "", "", "", {**facts, "duties": ["staff"]})) == []
    assert Duty.AUDITOR == AUDITOR


def test_views_are_in_both_languages():
    for english, chinese in (*VIEWS.values(), *OF_CREDENTIALS.values(), *OF_GRANTS.values(), *OF_LISTS.values()):
        assert english.isascii()
        assert not chinese.isascii()


@pytest.mark.parametrize(("folder", "heading"), [(DOCS, "finding"), (DOCS / "zh", "线索")], ids=["en", "zh"])
def test_the_papers_name_every_view_and_no_other(folder, heading):
    assert codes_in(first_cells(folder / "log-format.md", heading)) == list(VIEWS)


class TestAtTheDeployment:
    def test_operators_are_told_apart_and_not_named(self, service, world, desk, calls):
        for name in ("李", "王", "赵"):
            calls(purpose={"matter": "SX001", "operator": name})
        found = look(
            desk(),
            CALENDAR,
            Limits(readers=3),
            since=MONDAY - timedelta(days=1),
            until=MONDAY + timedelta(days=1),
            office=service.office,
        )
        (one,) = found
        assert (one.code, one.count) == ("many_readers", 3)
        told = str(one.to_plain()) + one.text("zh")
        assert not any(name in told for name in ("李", "王", "赵", IDS[0]))
        entry = Entry.decode(service.evidence.log.entry(service.evidence.log.size - 1))
        assert (entry.kind, entry.facts["view"]) == ("audit.searched", "anomalies")

    @pytest.mark.parametrize("here", [True, False])
    def test_a_sleeping_grant_is_known_from_the_log_and_from_the_counts(self, service, world, desk, calls, here):
        world.clock.now = MONDAY + timedelta(days=20)
        one = calls()
        found = look(
            desk(),
            CALENDAR,
            Limits(sleeping_days=15, first_hour=0, last_hour=24),
            since=MONDAY + timedelta(days=19),
            until=MONDAY + timedelta(days=21),
            office=service.office if here else None,
        )
        assert ("sleeping_grant", 1, (one,)) in told(found)
