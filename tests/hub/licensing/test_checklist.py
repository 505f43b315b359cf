"""What becomes of a matter's papers: scanned, still to be scanned, called, or taken on paper."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from hub.authority.keeping import sm2_signs
from hub.licensing import checklist as rules
from hub.licensing.checklist import Counter, Look, Means, checklist, looks_of
from licence.lifecycle import Action
from tests.hub.licensing import papers_city as c
from tests.hub.world import CODE, EMPTY_CODE

REASON = "受理申请"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    return c.found(tmp_path_factory.mktemp("checklist") / "var", needs=c.NEEDS)


@pytest.fixture
def office(settings):
    office = c.open_office(settings)
    yield office
    c.close(office.licensing)


@pytest.fixture
def lines(office):
    """The lines of the relief's papers, by paper."""

    def found(looks=(), department="MZ", matter=c.OTHER_MATTER):
        own, now = office.licensing, office.licensing.evidence.clock()
        counter = Counter(own.standing.now(), tuple(own.kinds.values()), department, matter, now)
        return {line.paper: line for line in checklist(counter, looks)}

    return found


def redeem(office, identifier, by=c.CONSUMER, matter=c.OTHER_MATTER):
    text = office.codes.mint(identifier, by=c.ISSUER).text
    return office.codes.redeem(text, matter=matter, by=by, reason=REASON).log_index


def look(office, *entries, by=c.CONSUMER, matter=c.OTHER_MATTER):
    return looks_of(office.licensing, entries, matter=matter, by=by)


def test_each_paper_that_the_list_names_is_scanned_called_or_taken(lines):
    found = lines()
    assert {paper: line.means for paper, line in found.items()} == {
        "居住证复印件": Means.SCAN,
        "居住证明": Means.SCAN,
        "收入证明": Means.CALL,
        "户口簿复印件": Means.PAPER,
        "参保证明": Means.PAPER,
    }
    assert found["居住证复印件"].kind.name == "居住证"
    assert found["居住证明"].kind.name == "居住证明"
    assert found["户口簿复印件"].withheld == (CODE,)
    assert found["参保证明"].withheld == found["参保证明"].resources == (EMPTY_CODE,)
    assert not lines(matter=c.MATTER)


def test_without_a_grant_it_is_paper_but_for_who_issues_the_licence_and_who_provides_the_data(lines):
    assert {line.means for line in lines(department="XX").values()} == {Means.PAPER}
    issuer = {paper for paper, line in lines(department="RS").items() if line.means is Means.SCAN}
    assert issuer == {"居住证复印件", "居住证明"}
    # Licences of another department are not shown to it without a grant.
    assert {line.means for line in lines(department="GA").values()} == {Means.CALL}


def test_a_scan_obtains_its_own_paper_and_no_other(lines, office):
    before = lines()
    found = lines(look(office, redeem(office, c.licences(office)[0])))
    assert found["居住证复印件"].means is Means.OBTAINED
    del before["居住证复印件"], found["居住证复印件"]
    assert found == before


def test_several_scans_add_up(lines, office):
    one = redeem(office, c.licences(office)[1])
    other = redeem(office, c.licences(office, c.CODES[3])[1])
    looks = look(office, other, one, one)
    assert [one.entry for one in looks] == [one, other]
    assert looks[0].owner == looks[1].owner
    assert [line.means for line in lines(looks).values()].count(Means.OBTAINED) == 2


def test_a_scan_that_did_not_show_all_that_is_needed_does_not_count(lines, office):
    permit = office.licensing.kind("居住证")
    # The code that a licence bears shows the name, and the matter needs the address too.
    assert lines([Look(1, permit, frozenset({"name", "citizen_id"}), "x")]) == lines()
    assert lines([Look(1, permit, frozenset({"name", "address"}), "x")])["居住证复印件"].means is Means.OBTAINED


def test_looks_of_others_for_other_matters_of_before_and_of_what_ended_are_passed_over(office, monkeypatch):
    held = c.licences(office)
    entry = redeem(office, held[3])
    assert look(office, entry)
    assert not look(office, entry, by=replace(c.CONSUMER, post="window-8"))
    assert not look(office, entry, matter=c.MATTER)
    assert not look(office, 0, 10**9)
    now = office.licensing.evidence.clock()
    with monkeypatch.context() as patch:
        patch.setattr(office.licensing.evidence, "clock", lambda: now + rules.SITTING)
        assert not look(office, entry)
    words = {"reason": "违法取得", "ground": "《行政许可法》第六十九条", "officer": "chief"}
    office.licensing.change(held[3], Action.REVOKE, by="RS", **words)
    assert not look(office, entry)


def test_a_look_at_another_kind_obtains_nothing(lines, office):
    kinds = office.licensing.kinds
    other = Look(1, kinds[c.CODES[1]], frozenset({"name", "address"}), "x")
    assert lines([other]) == lines()
