"""The drill of a lost key with the licence office itself: every licence that holds is issued anew, once, or told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hub.authority import drill
from hub.authority.errors import KeyStepRefusedError
from hub.cli import main
from hub.control import LicenceRow
from hub.evidence import Evidence
from hub.licensing import Licensing, renewing
from hub.licensing.course import key_id
from hub.settings import Settings
from licence.errors import SignerError
from licence.lifecycle import Action
from licence.trust import TrustStore
from licence.verify import verify
from tests.hub.licensing.test_batches import KINDS, ORDER, DiedError, fill, killed, logged
from tests.hub.world import COLUMNS, IDS, PEOPLE, load_people

BY_TWO = KINDS.replace("    face:\n", "    approvals: 2\n    face:\n")
WHO = {"ground": "密钥泄露应急预案", "by": "RS:key-keeper", "second": "RS:auditor"}


@pytest.fixture
def kinds():
    return KINDS


@pytest.fixture
def office(tmp_path, kinds):
    office = Licensing.open(fill(Settings.at(tmp_path / "var"), kinds))
    yield office
    office.control.close()


@pytest.fixture
def lost(office):
    """Since when the key is lost, which signed four licences after that."""
    since = datetime.now(UTC).replace(microsecond=0)
    assert office.issue_batch(office.kind("居住证"), second="licence-chief", **ORDER).issued == 4
    drill.compromised(office.keys, office.evidence, "RS", since=since, **WHO)
    return since


def standing(office):
    return {row["identifier"]: row["key_id"] for row in office.find() if row["state"] == "01"}


def reissue(office, since, **change):
    return drill.reissue(office, office.keys, office.evidence, "RS", since=since, **{**WHO, **change})


def exits(office):
    trust, soon = TrustStore.load(office.settings.trust), datetime.now(UTC) + timedelta(seconds=2)
    return {i: verify(office.bundle(i).to_json(), trust, soon).exit_code for i in standing(office)}


def test_every_licence_that_holds_is_issued_anew_once_by_the_new_key(office, lost):
    before, heard = set(standing(office)), []
    done = reissue(office, lost, told=lambda *at: heard.append(at))
    assert ({old for old, _ in done.done}, done.left) == (before, ())
    assert heard == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert set(standing(office).values()) == {key_id(office.keys.department("RS"))}
    assert set(exits(office).values()) == {0}
    assert reissue(office, lost) == drill.Reissued((), ())
    assert len(logged(office, "licence.issued")) == 8
    assert [office.show(old)["state"] for old in before] == ["05"] * 4


MOMENTS = [(Licensing, "_name"), (Evidence, "keep"), (renewing, "make_valid"), (Licensing, "publish_status")]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kill", MOMENTS, ids=[moment for _, moment in MOMENTS])
def test_killed_in_between_it_goes_on_and_nobody_gets_two(office, lost, monkeypatch, kill, after):
    where, moment = kill
    whole, count = Licensing.renew, []

    def second_dies(self, *given, **more):
        count.append(1)
        if len(count) < 2:
            return whole(self, *given, **more)
        with monkeypatch.context() as patch:
            if moment == "keep":
                die_at_the_entries(patch, after=after)
            else:
                killed(patch, where, moment, after=after)
            return whole(self, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Licensing, "renew", second_dies)
        with pytest.raises(DiedError):
            reissue(office, lost)
    again = Licensing.open(office.settings)
    done = reissue(again, lost)
    assert (len(done.done) in {2, 3}, done.left) == (True, ())
    assert len(standing(again)) == 4
    assert set(exits(again).values()) == {0}
    assert len(logged(again, "licence.issued")) == 8
    assert len({entry.facts["licence"] for entry in logged(again, "licence.status")}) == 4
    again.control.close()


def die_at_the_entries(patch, *, after):
    keep = Evidence.keep

    def die(evidence, drafts):
        if drafts[0].entry.kind != "licence.status":
            return keep(evidence, drafts)
        if after:
            keep(evidence, drafts)
        raise DiedError

    patch.setattr(Evidence, "keep", die)


def test_a_version_that_the_lost_key_sealed_and_nobody_saw_is_sealed_anew(office, monkeypatch):
    since = datetime.now(UTC).replace(microsecond=0)
    first = office.issue(office.kind("居住证"), IDS[0], **ORDER).identifier
    with monkeypatch.context() as patch:
        killed(patch, Licensing, "_replace", after=False)
        with pytest.raises(DiedError):
            office.renew(first, **ORDER)
    drill.compromised(office.keys, office.evidence, "RS", since=since, **WHO)
    ((old, new),) = reissue(office, since).done
    assert (old, standing(office)) == (first, {new: key_id(office.keys.department("RS"))})
    assert exits(office) == {new: 0}


def test_what_cannot_be_renewed_is_told_with_its_reason_and_the_rest_goes_on(office, lost, monkeypatch):
    held = {holder: office.find(holder=holder)[0]["identifier"] for holder in IDS if office.find(holder=holder)}
    suspended, gone, emptied, good = (held[holder] for holder in (IDS[0], IDS[1], IDS[3], IDS[4]))
    office.change(suspended, Action.SUSPEND, by="RS", reason="r", ground="g", officer="o")
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in PEOPLE]
    rows[3]["address"] = None
    load_people(office.settings, [tuple(row.values()) for row in rows if row["citizen_id"] != IDS[1]], name="b.parquet")
    done = reissue(office, lost)
    assert [old for old, _ in done.done] == [good]
    assert dict(done.left) == {
        suspended: "event_not_possible",
        gone: "holder_not_found",
        emptied: "FactsIncompleteError",
    }
    office.change(suspended, Action.RESUME, by="RS", reason="r", ground="g", officer="o")
    assert [old for old, _ in reissue(office, lost).done] == [suspended]
    monkeypatch.setattr(office, "kinds", {})
    assert {code for _, code in reissue(office, lost).left} == {"kind_not_sourced"}


def test_another_department_reissues_nothing(office, lost):
    done = reissue(office, lost, by="MZ:key-keeper", second="")
    assert (done.done, {code for _, code in done.left}) == ((), {"NotIssuingDepartmentError"})
    assert len(logged(office, "call.answered")) == 0


def test_who_signs_is_gone_ends_the_run_and_running_it_again_goes_on(office, lost, monkeypatch):
    real, asked = office.keys.department("RS"), []

    def department(code):
        asked.append(code)
        if len(asked) > 2:
            raise SignerError("signer_gone", detail="DeviceRemoved")
        return real

    with monkeypatch.context() as patch:
        patch.setattr(office.keys, "department", department)
        with pytest.raises(SignerError) as caught:
            reissue(office, lost)
    assert caught.value.code == "signer_gone"
    assert (len(reissue(office, lost).done), len(exits(office))) == (2, 4)


class TestByTwo:
    @pytest.fixture
    def kinds(self):
        return BY_TWO

    @pytest.mark.parametrize("second", ["", "RS:key-keeper", "ＲＳ：KEY-KEEPER", "key-keeper "])
    def test_one_officer_does_not_do_it_alone(self, office, lost, second):
        try:
            done = reissue(office, lost, second=second)
        except KeyStepRefusedError:
            return
        assert (done.done, len(done.left)) == ((), 4)
        assert {code for _, code in done.left} <= {"event_same_person", "event_without"}

    def test_with_a_second_officer_it_is_done(self, office, lost):
        with pytest.raises(KeyStepRefusedError):
            reissue(office, lost, second="MZ:chief")
        done = reissue(office, lost, second="RS:chief")
        assert (len(done.done), done.left) == (4, ())
        assert {office.show(old)["history"][-1]["second"] for old, _ in done.done} == {"chief"}
        assert set(exits(office).values()) == {0}

    def test_on_the_command_line(self, office, lost, monkeypatch, capsys):
        monkeypatch.setenv("ZHENGTONG_HOME", str(office.settings.home))
        order = ["--since", lost.isoformat(), "--ground", "x", "--by", "RS:head", "--second", "RS:chief", "--json"]
        assert main(["licence", "keys", "reissue", "RS", *order]) == 0
        assert len(json.loads(capsys.readouterr().out)["done"]) == 4


def test_what_was_signed_before_the_loss_stays(office, lost):
    early = next(iter(standing(office)))
    with office.control.writing() as connection:
        connection.execute(
            sa.update(LicenceRow).where(LicenceRow.identifier == early).values(issued_at=lost - timedelta(hours=1))
        )
    assert len(reissue(office, lost).done) == 3
    assert early in standing(office)
    assert len(standing(office)) == 4
