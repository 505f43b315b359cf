"""Bundles with a second signature, from the setting to the verifier who requires it."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub.authority import second
from hub.authority.errors import SecondSuiteUnknownError
from hub.licensing import Licensing
from hub.settings import Settings
from licence.bundle import LicenceBundle
from licence.identifiers import LicenceIdentifier
from licence.second import SecondKey
from licence.trust import SECOND_KEYS_FILE, TrustStore
from licence.verify import verify
from tests.hub.licensing.test_batches import ORDER, fill, logged
from tests.hub.world import IDS


@pytest.fixture
def city(settings):
    return fill(settings)


def opened(city, suite="ml-dsa-65"):
    return Licensing.open(replace(city, licence_second=suite))


def demanding(office):
    return replace(TrustStore.load(office.settings.trust), require_second=True)


def verdict(bundle, trust):
    return verify(bundle.to_json(), trust, datetime.now(UTC) + timedelta(seconds=2)).exit_code


def issued(office):
    return office.issue(office.kind("居住证"), IDS[0], **ORDER).identifier


def seconds_made(office):
    return [e.facts for e in logged(office, "keys.made") if e.facts["role"] == "second"]


def test_off_nothing_is_made_and_nothing_pinned(city):
    office = opened(city, "")
    assert office.bundle(issued(office)).second is None
    assert second.pins(city) == frozenset()
    assert not (city.trust / SECOND_KEYS_FILE).exists()
    office.control.close()


def test_on_a_bundle_holds_for_who_requires_it(city):
    before = opened(city, "")
    identifier = issued(before)
    first = before.bundle(identifier)
    before.control.close()
    office = opened(city)
    # A licence of before the setting gets one, too.
    assert verdict(office.bundle(identifier), demanding(office)) == 0
    assert verdict(first, demanding(office)) == 11
    assert verdict(first, TrustStore.load(city.trust)) == 0
    saved = LicenceBundle.from_json(office.save_bundle(identifier).read_bytes())
    assert verdict(saved, demanding(office)) == 0
    pin = next(p for p in second.pins(city) if p.organisation == LicenceIdentifier.parse(identifier).issuer)
    assert saved.second.key == pin.fingerprint
    office.control.close()


def test_each_key_is_made_once_told_by_the_log_and_kept_closed(city):
    office = opened(city)
    told = seconds_made(office)
    pins = second.pins(city)
    assert {(f["name"], f["key"]) for f in told} == {(f"second-{p.organisation}", p.fingerprint) for p in pins}
    assert len(told) == len(pins) > 0
    assert TrustStore.load(city.trust).second_keys == pins
    for pin in pins:
        path = city.keys / f"second-{pin.organisation}.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"sealed" in path.read_bytes()
    office.control.close()
    again = opened(city)
    assert (second.pins(city), seconds_made(again)) == (pins, told)
    again.control.close()
    off = opened(city, "")
    # What bears a second signature of before goes on verifying.
    assert TrustStore.load(city.trust).second_keys == pins
    off.control.close()


def test_a_key_that_is_gone_is_made_anew_and_published_first(city):
    office = opened(city)
    identifier = issued(office)
    old = office.bundle(identifier)
    (city.keys / f"second-{LicenceIdentifier.parse(identifier).issuer}.key").unlink()
    new = office.bundle(identifier)
    assert new.second.key != old.second.key
    trust = demanding(office)
    assert (verdict(new, trust), verdict(old, trust)) == (0, 11)
    assert seconds_made(office)[-1]["key"] == new.second.key
    office.control.close()


def test_a_crash_before_the_key_leaves_an_entry_and_the_next_makes_one(city, monkeypatch):
    office = opened(city)
    code = next(iter(second.pins(city))).organisation
    (city.keys / f"second-{code}.key").unlink()

    def die(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(second.Keyring, "secret", die)
        with pytest.raises(KeyboardInterrupt):
            second.prepare(office.keys, office.evidence, [code])
    assert second.prepare(office.keys, office.evidence, [code])
    assert not second.prepare(office.keys, office.evidence, [code])
    (pin,) = (p for p in second.pins(city) if p.organisation == code)
    assert isinstance(pin, SecondKey)
    assert seconds_made(office)[-1]["key"] == pin.fingerprint
    office.control.close()


def test_another_suite_is_refused_in_words(city):
    with pytest.raises(SecondSuiteUnknownError, match="ml-dsa-65") as caught:
        opened(city, "ed25519")
    assert "ml-dsa-65" in caught.value.zh.format(**caught.value.params)


@pytest.mark.parametrize(
    ("text", "suite"), [(None, ""), ("off", ""), ("", ""), (" NO ", ""), ("ML-DSA-65 ", "ml-dsa-65"), ("rsa", "rsa")]
)
def test_the_setting(text, suite):
    environ = {} if text is None else {"ZHENGTONG_LICENCE_SECOND": text}
    assert Settings.from_environment(environ).licence_second == suite
