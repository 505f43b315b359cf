"""Behind a proxy strangers are told apart, by the word of proxies that the deployment names and of nobody else."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from hub.api import create_app
from hub.api.limits import STRANGER_BURST
from hub.authentication import AuthenticationSettingsError, forwarders_of
from hub.peers import Forwarders, source_of
from hub.portal import app as portal
from hub.service import Service
from hub.settings import Settings
from tests.hub.api.conftest import serving

OURS = Forwarders.parse("10.0.0.0/8, ::1")


def headers(*values):
    return [(b"x-forwarded-for", value.encode()) for value in values]


@pytest.mark.parametrize(
    ("peer", "said", "source"),
    [
        ("10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        # What the client wrote itself stands before what our proxy added.
        ("10.0.0.1", ["198.51.100.9, 203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.9", "203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", ["[2001:DB8::7]:443"], "2001:db8::7"),
        ("10.0.0.1", ["203.0.113.5:9000"], "203.0.113.5"),
        ("10.0.0.1", ["203.0.113.5, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.5, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        ("192.0.2.1", ["203.0.113.5"], "192.0.2.1"),
        ("no address", ["203.0.113.5"], "no address"),
    ],
)
def test_the_last_address_that_is_none_of_ours_counts(peer, said, source):
    assert OURS.source(peer, headers(*said)) == source


def test_without_a_word_it_is_the_connection():
    assert Forwarders.parse(" ") is None
    assert source_of({"client": ("192.0.2.1", 9)}) == "192.0.2.1"
    assert source_of({}) == ""


def test_a_setting_that_names_no_addresses_is_refused(tmp_path):
    with pytest.raises(AuthenticationSettingsError):
        forwarders_of(replace(Settings.at(tmp_path), trusted_proxies="proxy.example"))


@pytest.mark.parametrize("trusted", ["127.0.0.1", ""])
def test_one_stranger_does_not_use_up_the_tries_of_another(world, trusted):
    settings = replace(world.settings, trusted_proxies=trusted)
    app = create_app(settings, open_service=lambda one: Service.open(one, clock=world.clock))
    portal.add_to(app, secure=False)
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        # Time stands, so that a slow machine gives nobody another try.
        for buckets in (app.state.fast.strangers, app.state.portal.tries, app.state.portal.rates):
            buckets.clock = lambda: 0.0

        def call(address):
            said = {"x-forwarded-for": address, "authorization": "Bearer zt_wrong"}
            return client.post("/v1/resources/GA/population:query", json={}, headers=said).status_code

        def sign_in(address):
            said = {"x-forwarded-for": address, "sec-fetch-site": "same-origin"}
            return client.post("/sign-in", data={"token": "", "login": ""}, headers=said).status_code

        told = [call("203.0.113.5") for _ in range(STRANGER_BURST + 1)]
        assert told == [*[401] * STRANGER_BURST, 429]
        assert call("203.0.113.6") == (401 if trusted else 429)
        assert [sign_in("203.0.113.5") for _ in range(70)][-1] == 429
        assert sign_in("203.0.113.6") == (422 if trusted else 429)
