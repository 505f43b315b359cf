"""The register of seals: two persons, versions, and what is published of it."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.seals import publishing
from hub.seals.errors import SealNotYoursError, SealOrderError, SealStateRefusedError, SealUnknownError
from hub.seals.words import Sort
from licence.errors import FormatError
from licence.report import Verdict
from licence.seals.published import read_register, register_digest, seal_digest
from licence.seals.register import Action, State
from licence.seals.structure import V4, V5, parse_seal
from licence.verifying import judge
from tests.hub.seals import city as c
from tests.licence import independent_seals


@pytest.mark.parametrize("structure", [V5, V4])
def test_a_seal_made_here_is_good_to_every_verifier(office, structure):
    code = c.made(office, structure=structure)
    seal = office.seal_file(code)
    assert (parse_seal(seal).structure, parse_seal(seal).info.seal_id) == (structure, code)
    report = judge(seal, c.trust(office), office.clock.now, certificates=office.keys.certificates())
    assert report.verdict is Verdict.PASSED, report.text("en")
    assert independent_seals.verify_seal(seal, c.independent_trust(office), office.clock.now) == 0


def test_a_round_seal_is_drawn(office):
    code = c.made(office, sort=Sort.OFFICIAL, png=b"")
    picture = parse_seal(office.seal_file(code)).info.picture
    assert (picture.kind, picture.width_mm, picture.data) == ("PNG", 42, office.picture(code))


def test_the_second_person_approves(office):
    code = office.request(c.order(), by=c.KEEPER, ground=c.GROUND)["code"]
    with pytest.raises(SealNotYoursError):
        office.decide(code, Action.APPROVE, by=c.KEEPER, ground=c.GROUND)
    with pytest.raises(SealNotYoursError):
        office.decide(code, Action.APPROVE, by=c.OTHER, ground=c.GROUND)
    with pytest.raises(SealUnknownError):
        office.seal_file(code)
    shown = office.decide(code, Action.APPROVE, by=c.SECOND, ground=c.GROUND)
    assert (shown["state"], [h["by"] for h in shown["history"]]) == ("in_use", [c.KEEPER, c.SECOND])
    assert c.entries(office, "seal.made")[0].facts["digest"] == shown["digest"] == seal_digest(office.seal_file(code))


def test_a_ground_is_wanted_and_states_are_kept(office):
    code = c.made(office)
    with pytest.raises(SealOrderError):
        office.decide(code, Action.DISABLE, by=c.SECOND, ground=" ")
    with pytest.raises(SealStateRefusedError):
        office.decide(code, Action.ENABLE, by=c.SECOND, ground=c.GROUND)
    assert office.show(code)["state"] == "in_use"


def test_destroyed_by_two(office):
    code = c.made(office)
    assert office.destroy(code, by=c.KEEPER, ground=c.GROUND)["state"] == State.DESTRUCTION_REQUESTED
    with pytest.raises(SealNotYoursError):
        office.destroy(code, by=c.KEEPER, ground=c.GROUND)
    assert office.destroy(code, by=c.SECOND, ground=c.GROUND)["state"] == State.DESTROYED
    with pytest.raises(SealStateRefusedError):
        office.destroy(code, by=c.KEEPER, ground=c.GROUND)


def test_a_new_custodian_is_a_new_version_and_the_old_one_is_disabled(office):
    code = c.made(office)
    later = office.transfer(code, "RS:new-keeper", by=c.KEEPER, ground=c.GROUND)
    assert (later["code"], office.show(code)["state"]) == (code.removesuffix("1") + "2", "in_use")
    office.decide(later["code"], Action.APPROVE, by=c.SECOND, ground=c.GROUND)
    assert office.show(code)["state"] == "disabled"
    assert office.show(later["code"])["custodian"] == "RS:new-keeper"
    assert office.stamp(later["code"], b"\7" * 32, by="RS:new-keeper", purpose="测试").form == "digest"
    with pytest.raises(SealStateRefusedError):
        office.stamp(code, b"\7" * 32, by=c.KEEPER, purpose="测试")


def test_what_cannot_be_asked_for(office):
    asked = {"by": c.KEEPER, "ground": c.GROUND}
    for wrong in (
        {"sort": Sort.NAME, "png": b""},
        {"structure": 1},
        {"png": b"", "name": "\x07"},
        {"png": b"GIF89a"},
        {"width_mm": 1},
        {"valid_until": c.NOW - timedelta(days=9)},
    ):
        with pytest.raises(SealOrderError):
            office.request(c.order(**wrong), **asked)
    with pytest.raises(SealNotYoursError):
        office.request(c.order(custodian=c.OTHER), **asked)
    with pytest.raises(SealNotYoursError):
        office.request(c.order(), by=c.OTHER, ground=c.GROUND)
    assert not office.find()


def test_a_persons_name_is_in_no_list_and_no_entry(office):
    _, code = c.person_seal(office)
    assert office.show(code)["name"] == ""
    log = office.evidence.log
    assert not any("签名".encode() in leaf for leaf in log.entries(0, log.size))


class TestPublished:
    def test_others_see_offline_that_a_seal_was_in_force(self, office):
        code = c.made(office)
        seal, then = office.seal_file(code), office.clock.now
        office.clock.pass_time(hours=1)
        office.decide(code, Action.DISABLE, by=c.SECOND, ground=c.GROUND)
        first, second = (read_register(office.kept_register(n).read_text(), c.trust(office)) for n in (1, 2))
        assert first.require_in_force(seal, then).code == code
        with pytest.raises(FormatError, match="disabled"):
            second.require_in_force(seal, office.clock.now)
        with pytest.raises(FormatError, match="nothing"):
            second.require_in_force(seal, then)
        with pytest.raises(FormatError, match="not list"):
            second.require_in_force(seal + b"\0", then)

    def test_versions_are_chained_in_the_log(self, office):
        code = c.made(office)
        office.decide(code, Action.DISABLE, by=c.SECOND, ground=c.GROUND)
        tokens = [office.kept_register(n).read_text() for n in (1, 2)]
        logged = [dict(e.facts) for e in c.entries(office, "seal.register")]
        digests = [register_digest(t) for t in tokens]
        assert logged == [
            {"version": 1, "digest": digests[0], "previous": ""},
            {"version": 2, "digest": digests[1], "previous": digests[0]},
        ]
        assert read_register(tokens[1], c.trust(office)).previous == digests[0]
        assert office.register_file.read_text() == tokens[1]

    def test_no_byte_of_it_may_change(self, office):
        c.made(office)
        token = office.register_file.read_text()
        trust = c.trust(office)
        read_register(token, trust)
        for place in range(0, len(token), 37):
            for other in "Aa.":
                changed = token[:place] + other + token[place + 1 :]
                if changed != token:
                    with pytest.raises(FormatError):
                        read_register(changed, trust)

    @pytest.mark.parametrize("after", ["entry", "file"])
    def test_a_version_cut_short_counts_once_it_is_in_the_log(self, office, after):
        code = c.made(office)
        stop = mock.patch.object(publishing, "replace_file", side_effect=_stop_at(2 if after == "entry" else 1))
        with stop, pytest.raises(KeyboardInterrupt):
            office.decide(code, Action.DISABLE, by=c.SECOND, ground=c.GROUND)
        assert office.refresh() == (3 if after == "entry" else 2)
        versions = [e.facts["version"] for e in c.entries(office, "seal.register")]
        assert versions == list(range(1, len(versions) + 1))
        assert office.refresh() is None
        assert read_register(office.register_file.read_text(), c.trust(office)).previous

    def test_it_is_made_anew_before_it_ends(self, office):
        c.made(office)
        assert office.refresh() is None
        office.clock.pass_time(hours=13)
        assert office.refresh() == 2


def _stop_at(number):
    from hub.files import replace_file

    calls = []

    def write(path, data):
        calls.append(path)
        if len(calls) == number:
            if number == 1:
                replace_file(path, data)
            raise KeyboardInterrupt
        replace_file(path, data)

    return write


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["in_use", "disabled", "destroyed"]), st.integers(0, 4_000_000_000)), max_size=5
    ),
    st.integers(1, 99),
)
def test_a_register_is_read_as_it_was_written(seals, version):
    from datetime import UTC, datetime

    from licence.seals.published import PublishedSeal, sign_register
    from tests.licence import world as w

    made = w.make_world()
    moment = lambda s: datetime.fromtimestamp(s, UTC)  # noqa: E731 - a test's shorthand
    listed = [
        PublishedSeal(f"RS-{i}-1", f"sm3:{i:064x}", "RS", state, moment(since), moment(0), moment(since))
        for i, (state, since) in enumerate(seals)
    ]
    previous = "" if version == 1 else f"sha256:{version:064x}"
    terms = {"uri": "u", "version": version, "previous": previous}
    token = sign_register(
        listed, key=made.status_key, issued_at=w.ISSUED, expires_at=w.ISSUED + timedelta(days=1), **terms
    )
    read = read_register(token, made.trust)
    assert list(read.seals.values()) == listed
    assert (read.version, read.previous) == (version, previous)
