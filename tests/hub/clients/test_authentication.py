"""Who a request is from: one proof of a credential in force, and everything else is nobody."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from hub import client_records as records
from hub import clients
from hub.authentication import AuthenticationSettingsError, Authenticator, LastUsed, Presented, proxies_of
from hub.callers import issue_key, revoke_key
from hub.clients import Rotation, Term
from hub.control import Control
from hub.errors import ControlUnavailableError, KeyRefusedError
from hub.peers import Proxies, thumbprint
from hub.settings import Settings
from hub.signing.errors import (
    CertificateError,
    FieldMalformedError,
    ProofAmbiguousError,
    SignatureElsewhereError,
    SignatureIncompleteError,
    SignatureKeyError,
    SignatureReplayedError,
    SignatureTimeError,
    SignatureWrongError,
    SigningError,
)
from hub.signing.nonces import MemoryNonces
from hub.standing import MAX_REMEMBERED_STRANGERS
from tests.hub.clients.conftest import BODY, BY, bearer, certificate, new_key, register, shown
from tests.hub.databases import SQLITE
from tests.hub.world import NOW


@pytest.fixture
def database():
    """What is read is read the same on both; see the tests of clients."""
    return SQLITE


@pytest.fixture
def client(office):
    return register(office).id


@pytest.fixture
def key(office, client):
    return new_key(office, client)[0]


def refused(door, presented, error, body=BODY):
    with pytest.raises(error) as caught:
        door.let_in(presented, body)
    # Whatever is wrong: for those who ask, it is a refused key, in both languages.
    assert isinstance(caught.value, KeyRefusedError)
    assert caught.value.text("en") != caught.value.text("zh")
    return caught.value


def by_certificate(of, *fields):
    return shown(*fields, certificate=of)


class TestOneWay:
    def test_nobody_shows_nothing(self, door):
        refused(door, shown(), KeyRefusedError)

    def test_two_ways_are_refused_though_each_is_right(self, office, door, client, key):
        issued = clients.add_bearer(office, client, by=BY)
        shared = clients.add_shared_key(office, client, by=BY)
        said = [bearer(issued.key), door.hmac(shared), door.signed(key)]
        for one in said:
            for other in said:
                if one is not other:
                    both = replace(one, headers=[*one.headers, *other.headers[2:]])
                    refused(door, both, ProofAmbiguousError)
            assert door.let_in(one).id == client

    def test_one_way_twice_is_refused(self, office, door, client):
        issued = clients.add_bearer(office, client, by=BY)
        line = ("authorization", f"Bearer {issued.key}")
        refused(door, shown(line, line), ProofAmbiguousError)
        refused(door, shown(line, ("authorization", "Basic eDp5")), ProofAmbiguousError)
        shared = clients.add_shared_key(office, client, by=BY)
        said = door.hmac(shared)
        refused(door, replace(said, headers=[*said.headers, said.headers[-1]]), ProofAmbiguousError)

    def test_a_line_of_a_signature_twice_is_refused(self, door, key):
        said = door.signed(key)
        line = next(one for one in said.headers if one[0] == "signature-input")
        refused(door, replace(said, headers=[*said.headers, line]), FieldMalformedError)

    @pytest.mark.parametrize("end", ["\r\n x", "\n", "\r", "\0"])
    def test_what_ends_a_line_is_in_no_field(self, office, door, client, key, end):
        issued = clients.add_bearer(office, client, by=BY)
        for said in (bearer(issued.key), door.signed(key)):
            for name in ("authorization", "signature", "signature-input"):
                headers = [(one, value + end if one == name else value) for one, value in said.headers]
                if headers != said.headers:
                    refused(door, replace(said, headers=headers), FieldMalformedError)

    @pytest.mark.parametrize(
        "field", ["", "Bearer", "Bearer ", "Basic eDp5", "Bearer zt_short", "Bearer zt_" + "é" * 43]
    )
    def test_a_field_that_holds_no_key_is_nobodys(self, door, field):
        refused(door, shown(("authorization", field)), KeyRefusedError)

    def test_the_scheme_is_read_in_any_case(self, office, door, client):
        issued = clients.add_bearer(office, client, by=BY)
        assert door.let_in(shown(("authorization", f" bearer  {issued.key} "))).proof == "bearer"
        refused(door, shown(("authorization", issued.key)), KeyRefusedError)


class TestSignatures:
    def test_is_the_systems_and_counts_once(self, door, client, key):
        said = door.signed(key)
        found = door.let_in(said)
        assert (found.id, found.proof, found.sandbox) == (client, "signature", False)
        refused(door, said, SignatureReplayedError)

    def test_what_is_covered_cannot_be_changed(self, door, key):
        said = door.signed(key)
        refused(door, said, SignatureWrongError, body=BODY + b" ")
        refused(door, replace(said, path="/v1/resources/306010/000002:query"), SignatureWrongError)
        refused(door, replace(said, method="PUT"), SignatureWrongError)
        refused(door, replace(said, query="x=1"), SignatureIncompleteError)

    def test_the_hosts_that_are_ours(self, office, door, client, key):
        ours = Authenticator(MemoryNonces(started=0), hosts=frozenset({"hub.example"}))
        view = door.standing.now()
        assert ours.caller(view, door.signed(key), BODY, NOW).id == client
        door.authenticator = Authenticator(MemoryNonces(started=0), hosts=frozenset({"other.example"}))
        refused(door, door.signed(key), SignatureElsewhereError)
        refused(door, replace(door.signed(key), authority=""), SignatureElsewhereError)
        # A key that says nothing of a host needs none.
        assert door.let_in(bearer(clients.add_bearer(office, client, by=BY).key)).proof == "bearer"

    @pytest.mark.parametrize("late_s", [-31, 300, 86400])
    def test_a_clock_that_is_wrong_is_told_the_time(self, door, key, late_s):
        error = refused(door, door.signed(key, created=NOW - timedelta(seconds=late_s)), SignatureTimeError)
        assert NOW.isoformat(timespec="seconds") in error.text("zh")

    def test_a_key_that_is_not_registered(self, office, door, client, key):
        stranger, added = new_key(office, client)
        clients.revoke_credential(office, added.id, by=BY)
        refused(door, door.signed(stranger), SignatureKeyError)

    def test_a_key_is_of_one_algorithm_whatever_the_request_says(self, door, key):
        said = door.signed(key)
        for other in ("ecdsa-p256-sha256", "sm2-sm3", "hmac-sha256", "none"):
            headers = [(n, v.replace('alg="ed25519"', f'alg="{other}"')) for n, v in said.headers]
            refused(door, replace(said, headers=headers), SignatureKeyError)

    def test_the_id_of_another_kind_of_credential_is_no_keys(self, office, door, client, key):
        pem, of = certificate()
        clients.add_certificate(office, client, pem, by=BY)
        clients.add_shared_key(office, client, by=BY, rid="rid-1")
        said = door.signed(key)
        for handle in (of, "rid-1", client):
            headers = [(n, v if n != "signature-input" else _with_id(v, handle)) for n, v in said.headers]
            refused(door, replace(said, headers=headers), SignatureKeyError)


def _with_id(value, handle):
    before, _, rest = value.partition('keyid="')
    return f'{before}keyid="{handle}"{rest[rest.index(chr(34)) + 1 :]}'


class TestTerms:
    def test_a_key_revoked_between_two_calls(self, office, door, client):
        key, added = new_key(office, client)
        assert door.let_in(door.signed(key)).credential == added.id
        other = Control.open(office.settings)  # as another process would
        clients.revoke_credential(replace(office, control=other), added.id, by=BY)
        other.close()
        refused(door, door.signed(key), SignatureKeyError)

    def test_a_system_that_ended_between_two_calls(self, office, door, client, key):
        issued = clients.add_bearer(office, client, by=BY)
        shared = clients.add_shared_key(office, client, by=BY)
        pem, of = certificate()
        clients.add_certificate(office, client, pem, by=BY)
        for said in (door.signed(key), bearer(issued.key), door.hmac(shared), by_certificate(of)):
            assert door.let_in(said).id == client
        clients.end(office, client, by=BY)
        for said in (door.signed(key), bearer(issued.key), by_certificate(of)):
            refused(door, said, KeyRefusedError)
        refused(door, door.hmac(shared, at=NOW + timedelta(milliseconds=5)), SignatureKeyError)
        assert door.standing.now().caller(issued.key) is None

    @pytest.mark.parametrize(("late", "holds"), [(-1, False), (0, True), (3599, True), (3600, False), (999_999, False)])
    def test_what_begins_and_ends(self, office, door, client, late, holds):
        start = NOW + timedelta(hours=1)
        term = Term(start, start + timedelta(hours=1))
        key, _ = new_key(office, client, term=term)
        issued = clients.add_bearer(office, client, by=BY, term=term)
        shared = clients.add_shared_key(office, client, by=BY, term=term)
        pem, of = certificate(start=start)
        clients.add_certificate(office, client, pem, by=BY)
        # It is known from the first call on, and still is not in force.
        refused(door, door.signed(key), SignatureKeyError)
        door.clock.now = start + timedelta(seconds=late)
        said = [door.signed(key), bearer(issued.key), door.hmac(shared)]
        for one in said:
            if holds:
                assert door.let_in(one).id == client
            else:
                refused(door, one, KeyRefusedError)
        assert (door.standing.now().caller(issued.key, door.clock.now) is not None) == holds
        if late < 0:
            refused(door, by_certificate(of), CertificateError)

    def test_both_hold_while_they_rotate(self, office, door, client, clock):
        old, added = new_key(office, client)
        new, _ = new_key(office, client, rotation=Rotation(added.id, timedelta(days=2)))
        shared = clients.add_shared_key(office, client, by=BY, rid="rid-1")
        second = clients.add_shared_key(
            office, client, by=BY, rid="rid-1", rotation=Rotation(shared.credential, timedelta(days=2))
        )
        for at, holds in ((NOW + timedelta(days=2, seconds=-1), True), (NOW + timedelta(days=2), False)):
            clock.now = at
            assert door.let_in(door.signed(new)).id == client
            assert door.let_in(door.hmac(second)).credential == second.credential
            clock.now = at + timedelta(microseconds=2000)
            for one in (door.signed(old), door.hmac(shared)):
                if holds:
                    assert door.let_in(one).id == client
                else:
                    refused(door, one, SigningError)

    def test_a_key_of_no_system_is_as_it_was(self, office, door):
        issued = issue_key(office.control, office.evidence, office.list_, department="RS", name="n", by="SJ:office")
        found = door.let_in(bearer(issued.key))
        assert (found.id, found.credential, found.sandbox) == (issued.caller, issued.caller, False)
        revoke_key(office.control, office.evidence, issued.caller, by="SJ:office")
        refused(door, bearer(issued.key), KeyRefusedError)


class TestSandbox:
    def test_where_signatures_count_all_else_is_play(self, office, door, client, key):
        issued = clients.add_bearer(office, client, by=BY)
        shared = clients.add_shared_key(office, client, by=BY)
        pem, of = certificate()
        clients.add_certificate(office, client, pem, by=BY)
        clients.set_signed_only(office, client, by=BY, signed_only=True)
        assert not door.let_in(door.signed(key)).sandbox
        for said in (bearer(issued.key), door.hmac(shared), by_certificate(of)):
            assert door.let_in(said).sandbox
        # Doors that know of no sandbox are shut to it.
        assert door.standing.now().caller(issued.key) is None
        clients.set_signed_only(office, client, by=BY, signed_only=False)
        assert not door.let_in(bearer(issued.key)).sandbox
        assert door.standing.now().caller(issued.key).id == client

    def test_a_system_of_the_sandbox_stays_there_however_it_signs(self, office, door):
        client = register(office, environment="sandbox").id
        key, _ = new_key(office, client)
        issued = clients.add_bearer(office, client, by=BY)
        assert door.let_in(door.signed(key)).sandbox
        assert door.let_in(bearer(issued.key)).sandbox
        assert door.standing.now().caller(issued.key) is None


class TestGateways:
    def test_counts_once(self, office, door, client):
        shared = clients.add_shared_key(office, client, by=BY)
        said = door.hmac(shared)
        assert door.let_in(said).proof == "hmac"
        refused(door, said, SignatureReplayedError)

    def test_every_field_counts_and_none_may_be_missing(self, office, door, client):
        shared = clients.add_shared_key(office, client, by=BY)
        said = door.hmac(shared)
        for at in range(2, 6):
            refused(
                door, replace(said, headers=[*said.headers[:at], *said.headers[at + 1 :]]), SignatureIncompleteError
            )
            name, value = said.headers[at]
            changed = [
                *said.headers[:at],
                (name, value[:-1] + ("0" if value[-1] != "0" else "1")),
                *said.headers[at + 1 :],
            ]
            refused(door, replace(said, headers=changed), SigningError)

    def test_a_stranger_is_nobody(self, office, door, client):
        shared = clients.add_shared_key(office, client, by=BY)
        refused(door, door.hmac(replace(shared, rid="other")), SignatureKeyError)
        refused(door, door.hmac(replace(shared, key=b"x" * 32)), SignatureWrongError)


class TestCertificates:
    def test_of_another_system_or_of_none(self, office, door, client, key):
        other = register(office, department="MZ").id
        pem, of = certificate()
        theirs, of_theirs = certificate()
        clients.add_certificate(office, client, pem, by=BY)
        added = clients.add_certificate(office, other, theirs, by=BY)
        assert door.let_in(by_certificate(of)).id == client
        assert door.let_in(by_certificate(of.upper())).proof == "mtls"
        both = replace(door.signed(key), certificate=of)
        assert door.let_in(both).proof == "signature"
        for wrong in (of_theirs, certificate()[1], "", "x"):
            refused(door, replace(door.signed(key), certificate=wrong), CertificateError)
        clients.revoke_credential(office, added.id, by=BY)
        refused(door, by_certificate(of_theirs), CertificateError)

    def test_only_a_proxy_is_believed_and_only_one_word_of_it(self, settings):
        _, of = certificate()
        proxies = Proxies.parse("X-Client-Cert", "10.0.0.7, 10.1.0.0/24, fd00::/8")

        def seen(peer, *values, name="x-client-cert"):
            return proxies.certificate(peer, [("host", "h"), *((name, value) for value in values)])

        assert seen("10.0.0.7", of) == (of, [("host", "h")])
        assert seen("10.1.0.200", ":".join(of[n : n + 2] for n in range(0, 64, 2)).upper())[0] == of
        assert seen("fd00::1", of)[0] == of
        for stranger in ("10.0.0.8", "", "unix:", "::ffff:10.0.0.7"):
            # From anybody else the field is taken away.
            assert seen(stranger, of) == (None, [("host", "h")])
        assert seen("10.0.0.7", "") == (None, [("host", "h")])
        assert seen("10.0.0.7", of, name="client-cert")[0] is None
        for values in ((of, of), ("x",), (of[:-1],), (":é:",), ("A" * 20_000,)):
            with pytest.raises(CertificateError):
                seen("10.0.0.7", *values)

    def test_the_forms_in_which_proxies_say_it(self):
        import base64
        from urllib.parse import quote

        pem, of = certificate()
        der = base64.b64decode("".join(pem.splitlines()[1:-1]))
        assert thumbprint(f":{base64.b64encode(der).decode()}:") == of
        assert thumbprint(quote(pem)) == of

    def test_off_unless_it_is_wholly_said(self, settings):
        assert proxies_of(settings) is None
        on = replace(settings, certificate_header="Client-Cert", certificate_proxies="10.0.0.7")
        assert proxies_of(on).field == "client-cert"
        for header, addresses in (("Client-Cert", ""), ("Client-Cert", "proxy"), ("a b", "10.0.0.7")):
            wrong = replace(settings, certificate_header=header, certificate_proxies=addresses)
            with pytest.raises(AuthenticationSettingsError, match="ZHENGTONG_CERTIFICATE"):
                proxies_of(wrong)


SCOPE = {
    "method": "POST",
    "scheme": "https",
    "path": "/v1/a b",
    "raw_path": b"/v1/a%20b",
    "query_string": b"x=%2F",
    "headers": [(b"host", b"Hub.example"), (b"x-cert", b"0" * 64), (b"accept", b"\xe9")],
    "client": ("10.0.0.7", 1),
}


class TestScopes:
    def test_is_read_as_it_was_sent(self):
        seen = Presented.from_scope(SCOPE)
        assert (seen.path, seen.query, seen.authority, seen.scheme) == ("/v1/a%20b", "x=%2F", "Hub.example", "https")
        assert seen.certificate is None
        assert len(seen.headers) == 3

    def test_a_certificate_is_a_proxys_to_tell(self):
        seen = Presented.from_scope(SCOPE, Proxies.parse("x-cert", "10.0.0.7"))
        assert (seen.certificate, len(seen.headers)) == ("0" * 64, 2)
        seen = Presented.from_scope({**SCOPE, "client": None}, Proxies.parse("x-cert", "10.0.0.7"))
        assert (seen.certificate, len(seen.headers)) == (None, 2)

    def test_of_two_hosts_none_is_meant(self):
        headers = [*SCOPE["headers"], (b"host", b"other.example")]
        assert Presented.from_scope({**SCOPE, "headers": headers}).authority == ""


def test_strangers_do_not_fill_the_memory_nor_push_out_those_who_are_known(office, door, client, key, monkeypatch):
    issued = clients.add_bearer(office, client, by=BY)
    view = door.standing.now()
    assert door.let_in(bearer(issued.key)).id == client
    remembered = view._remembered
    asked = []
    monkeypatch.setattr("hub.standing.read_credentials", lambda *of: asked.append(of) or ())
    for n in range(MAX_REMEMBERED_STRANGERS + 5):
        assert view.credentials("key", f"{n:043d}") == ()
    assert view.credentials("key", "x" * 100_000) == ()
    assert len(remembered.strangers) <= MAX_REMEMBERED_STRANGERS
    assert len(asked) == MAX_REMEMBERED_STRANGERS + 5
    assert view.credentials("key", f"{MAX_REMEMBERED_STRANGERS + 4:043d}") == ()
    assert view.bearer(issued.key).caller.id == client
    assert len(asked) == MAX_REMEMBERED_STRANGERS + 5


# Opens the deployment as one of several serving processes would, and tries to have one signed request taken.
WORKER = """
import json, sys
from datetime import datetime
from pathlib import Path
from hub.authentication import Authenticator, Presented
from hub.control import Control
from hub.settings import Settings
from hub.signing.errors import SignatureReplayedError
from hub.standing import Standing
home, nonces, body, now = sys.argv[1], sys.argv[2], sys.argv[3].encode(), datetime.fromisoformat(sys.argv[4])
settings = Settings.from_environment({"ZHENGTONG_HOME": home, "ZHENGTONG_NONCES": nonces})
control = Control.attach(settings)
authenticator = Authenticator.open(settings, control, now=now)
view = Standing(settings, control).now()
for line in sys.stdin:
    plain = json.loads(line)
    try:
        authenticator.caller(view, Presented(**plain), body, now)
        print("taken")
    except SignatureReplayedError:
        print("replayed")
authenticator.close()
control.close()
"""


@pytest.mark.parametrize("nonces", ["machine", "database"])
def test_of_two_processes_one_takes_a_request(office, door, client, key, nonces):
    import json
    from dataclasses import asdict

    # The file of a machine that just started takes what is signed from then on.
    started = NOW - timedelta(seconds=100)
    Authenticator.open(replace(office.settings, nonces=nonces), office.control, now=started).close()
    said = "".join(json.dumps(asdict(door.signed(key))) + "\n" for _ in range(25))
    arguments = [sys.executable, "-c", WORKER, str(office.settings.home), nonces, BODY.decode(), NOW.isoformat()]
    workers = [subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for worker in workers:
        worker.stdin.write(said)
        worker.stdin.close()
        worker.stdin = None
    told = [worker.communicate(timeout=120)[0].split() for worker in workers]
    assert [sorted(pair) for pair in zip(*told, strict=True)] == [["replayed", "taken"]] * 25


def test_the_settings_say_how(settings, office):
    with pytest.raises(AuthenticationSettingsError, match="ZHENGTONG_NONCES"):
        Authenticator.open(replace(settings, nonces="memory"), office.control, now=NOW)
    read = Settings.from_environment({"ZHENGTONG_API_HOSTS": " Hub.example , b:8443", "ZHENGTONG_HOME": "x"})
    opened = Authenticator.open(replace(settings, api_hosts=read.api_hosts), office.control, now=NOW)
    assert opened._hosts == {"hub.example", "b:8443"}
    opened.close()


def test_days_of_use_wait_for_a_database_that_does_not_answer(office, door, client, monkeypatch):
    issued = clients.add_bearer(office, client, by=BY)
    used = LastUsed(office.control)
    caller = door.let_in(bearer(issued.key))
    used.note(caller, NOW.timestamp())

    def gone(_):
        raise ControlUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(Control, "writing", gone)
        used.flush()
    assert records.credential(office.control, issued.caller).last_used == ""
    used.flush()
    assert records.credential(office.control, issued.caller).last_used == "2026-03-02"
    used.note(caller, (NOW + timedelta(hours=15)).timestamp())
    used.note(caller, NOW.timestamp())  # a clock that went back takes nothing back
    used.flush()
    assert records.credential(office.control, issued.caller).last_used == "2026-03-03"
