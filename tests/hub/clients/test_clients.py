"""Client systems: what is registered, what the log says of it, and that no key lies anywhere but where it must."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from audit.entry import Entry
from hub import client_records as records
from hub import clients
from hub.callers import issue_key, rotate_key
from hub.client_records import ClientUnknownError, CredentialUnknownError
from hub.clients import ClientInvalidError, Rotation, Term
from hub.control import Caller, ClientCredential
from hub.credentials import Sealing
from hub.errors import ActorInvalidError, CallerUnknownError, EvidenceUnavailableError, GrantInvalidError, KeyFileError
from hub.signing import keyfiles
from tests.hub.clients.conftest import ALGORITHMS, BY, bearer, certificate, new_key, register
from tests.hub.world import NOW


def entries(office):
    return [Entry.decode(leaf) for leaf in office.evidence.log.entries(0, office.evidence.log.size)]


def last(office):
    return entries(office)[-1]


def test_a_system_is_registered_and_the_log_says_so(office):
    record = register(office, roles=("call", "apply"), environment="sandbox")
    assert records.get(office.control, record.id) == record
    assert (record.caller, record.roles, record.signed_only) == (record.id, ("apply", "call"), False)
    entry = last(office)
    assert (entry.kind, entry.actor) == ("client.registered", str(BY))
    assert entry.facts == {
        "client": record.id,
        "department": "RS",
        "name": "window",
        "environment": "sandbox",
        "roles": ["apply", "call"],
    }
    assert records.credentials(office.control, record.id) == ()
    assert records.find(office.control, department="MZ") == ()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"department": "XX"}, GrantInvalidError),
        ({"roles": ("king",)}, GrantInvalidError),
        ({"roles": ()}, GrantInvalidError),
        ({"environment": "test"}, ClientInvalidError),
        ({"contact": "13812345678"}, ActorInvalidError),
        ({"name": "a:b"}, ActorInvalidError),
        ({"adopts": "C404"}, CallerUnknownError),
    ],
)
def test_what_would_say_something_wrong_is_not_registered(office, changes, error):
    size = office.evidence.log.size
    with pytest.raises(error):
        register(office, **changes)
    assert office.evidence.log.size == size
    assert records.find(office.control) == ()


def test_all_that_a_system_may_show_opens_and_days_of_use_are_kept(office, door):
    client = register(office).id
    pem, thumbprint = certificate()
    shown = [door.signed(new_key(office, client, algorithm)[0]) for algorithm in ALGORITHMS]
    clients.add_certificate(office, client, pem, by=BY)
    issued = clients.add_bearer(office, client, by=BY)
    shared = clients.add_shared_key(office, client, by=BY)
    # The authenticator of a deployment, with its file and its thread.
    door.authenticator = door.authenticator.open(office.settings, office.control, now=NOW - timedelta(days=1))
    shown += [replace(bearer(""), headers=[], certificate=thumbprint), bearer(issued.key), door.hmac(shared)]
    try:
        found = [door.let_in(one) for one in shown]
    finally:
        door.authenticator.close()
    assert [one.proof for one in found] == [*("signature" for _ in ALGORITHMS), "mtls", "bearer", "hmac"]
    assert {(one.id, one.department, one.name, one.sandbox) for one in found} == {(client, "RS", "window", False)}
    held = records.credentials(office.control, client)
    assert {one.id for one in held} == {one.credential for one in found}
    # 01:30 in UTC is 09:30 in Shanghai.
    assert {one.last_used for one in held} == {"2026-03-02"}


def test_no_key_lies_where_it_need_not(office, settings):
    client = register(office).id
    issued = clients.add_bearer(office, client, by=BY)
    shared = clients.add_shared_key(office, client, by=BY, key=b"a-gateways-own-shared-key", rid="rid-1")
    key, added = new_key(office, client)
    secrets = [issued.key, shared.key.decode()]
    with office.control.reading() as connection:
        rows = [str(row) for table in (Caller, ClientCredential) for row in connection.execute(sa.select(table))]
    text = "".join([*rows, *(entry.encode().decode() for entry in entries(office)), repr(shared), repr(issued)])
    assert not any(secret in text for secret in secrets)
    assert last(office).facts["thumbprint"] == added.thumbprint
    # Sealed for one credential, it is of no use in the place of another.
    sealed = next(row.sealed for row in connection_rows(office) if row.kind == "hmac")
    with pytest.raises(KeyFileError):
        Sealing(settings.keys).open("K2", sealed)
    assert key.public


def connection_rows(office):
    with office.control.reading() as connection:
        return connection.execute(sa.select(ClientCredential)).all()


def test_a_key_is_taken_only_of_who_holds_it_and_only_once(office):
    client, other = register(office).id, register(office).id
    key, _ = keyfiles.generate("ed25519")
    stranger, _ = keyfiles.generate("ed25519")
    size = office.evidence.log.size
    proofs = (
        "",
        "é",
        keyfiles.prove_possession(other, key),
        keyfiles.prove_possession(client, stranger),
        keyfiles.prove_possession(client, key)[:-2],
    )
    for proof in proofs:
        with pytest.raises(ClientInvalidError, match="prove"):
            clients.add_key(office, client, key.public, proof, by=BY)
    assert office.evidence.log.size == size
    added = clients.add_key(office, client, key.public, keyfiles.prove_possession(client, key), by=BY)
    clients.revoke_credential(office, added.id, by=BY)
    for one in (client, other):
        with pytest.raises(ClientInvalidError, match="before"):
            clients.add_key(office, one, key.public, keyfiles.prove_possession(one, key), by=BY)


def test_terms_sizes_and_numbers_have_bounds(office, clock, monkeypatch):
    client, other = register(office).id, register(office).id
    for term in (Term(expires=NOW), Term(NOW + timedelta(days=2), NOW + timedelta(days=1))):
        with pytest.raises(ClientInvalidError):
            new_key(office, client, term=term)
        with pytest.raises(ClientInvalidError):
            clients.add_bearer(office, client, by=BY, term=term)
    with pytest.raises(ClientInvalidError):
        clients.add_shared_key(office, client, by=BY, key=b"short")
    clients.add_shared_key(office, client, by=BY, rid="rid-1")
    with pytest.raises(ClientInvalidError):
        clients.add_shared_key(office, other, by=BY, rid="rid-1")
    for rid in ("é", "x" * 129, "a\nb"):
        with pytest.raises(ClientInvalidError):
            clients.add_shared_key(office, other, by=BY, rid=rid)
    with pytest.raises(ClientInvalidError):
        clients.add_certificate(office, client, "no certificate", by=BY)
    with pytest.raises(ClientInvalidError):
        clients.add_certificate(office, client, certificate(days=1, start=NOW - timedelta(days=2))[0], by=BY)
    monkeypatch.setattr(clients, "MAX_IN_FORCE", 1)
    with pytest.raises(ClientInvalidError, match="already"):
        new_key(office, client)
    with pytest.raises(ClientInvalidError, match="already"):
        clients.add_bearer(office, client, by=BY)


def test_old_and_new_hold_together_for_the_overlap(office, clock):
    client = register(office).id
    _, old = new_key(office, client)
    _, new = new_key(office, client, rotation=Rotation(old.id, timedelta(days=3)))
    facts = last(office).facts
    assert (facts["replaces"], facts["old_ends"]) == (old.id, (NOW + timedelta(days=3)).isoformat())
    held = {one.id: one for one in records.credentials(office.control, client)}
    assert [held[one.id].state(NOW + timedelta(days=3, seconds=-1)) for one in (old, new)] == ["in_force"] * 2
    assert [held[one.id].state(NOW + timedelta(days=3)) for one in (old, new)] == ["expired", "in_force"]
    first = clients.add_bearer(office, client, by=BY)
    second = clients.add_bearer(office, client, by=BY, rotation=Rotation(first.caller))
    assert records.credential(office.control, first.caller).expires == NOW + clients.OVERLAP
    assert records.credential(office.control, second.caller).expires is None
    clock.now = NOW + timedelta(days=4)
    for rotation, error in (
        (Rotation(old.id), ClientInvalidError),
        (Rotation("K404"), CredentialUnknownError),
        (Rotation(new.id, timedelta(days=91)), ClientInvalidError),
        (Rotation(new.id, timedelta(days=-1)), ClientInvalidError),
    ):
        with pytest.raises(error):
            new_key(office, client, rotation=rotation)
    # A rotation never makes a credential last longer than it would have.
    _, short = new_key(office, client, term=Term(expires=clock.now + timedelta(days=1)))
    new_key(office, client, rotation=Rotation(short.id, timedelta(days=30)))
    assert records.credential(office.control, short.id).expires == clock.now + timedelta(days=1)


def test_a_key_of_before_goes_on_as_one_of_its_system(office, door):
    issued = issue_key(office.control, office.evidence, office.list_, department="RS", name="old", by="SJ:office")
    before = door.let_in(bearer(issued.key))
    client = register(office, adopts=issued.caller)
    assert client.caller == issued.caller
    after = door.let_in(bearer(issued.key))
    assert (before.id, after.id, after.name) == (issued.caller, issued.caller, "window")
    key, _ = new_key(office, client.id)
    assert door.let_in(door.signed(key)).id == issued.caller
    # Rotated as keys always were, the second one is the system's, too.
    second = rotate_key(office.control, office.evidence, office.list_, issued.caller, by="SJ:office")
    assert door.let_in(bearer(second.key)).id == issued.caller
    for adopts, department in ((issued.caller, "RS"), (second.caller, "MZ")):
        with pytest.raises(ClientInvalidError):
            register(office, adopts=adopts, department=department)


def test_what_is_revoked_or_ended_says_so_once(office):
    client = register(office).id
    _, added = new_key(office, client)
    index = clients.revoke_credential(office, added.id, by=BY)
    assert last(office).kind == "client.key_revoked"
    assert clients.revoke_credential(office, added.id, by=BY) == index
    issued = clients.add_bearer(office, client, by=BY)
    clients.revoke_credential(office, issued.caller, by=BY)
    assert last(office).kind == "caller.revoked"
    index = clients.end(office, client, by=BY)
    assert last(office).facts == {"client": client, "department": "RS"}
    assert clients.end(office, client, by=BY) == index
    with pytest.raises(ClientUnknownError):
        new_key(office, client)
    with pytest.raises(ClientUnknownError):
        clients.end(office, "S404", by=BY)
    with pytest.raises(CredentialUnknownError):
        clients.revoke_credential(office, "K404", by=BY)
    with pytest.raises(ClientUnknownError):
        records.get(office.control, "S404")
    with pytest.raises(CredentialUnknownError):
        records.credential(office.control, "K404")


def test_a_revocation_holds_even_when_the_log_cannot_be_written(office, door, monkeypatch):
    client = register(office).id
    _, added = new_key(office, client)

    def fail(*_, **__):
        raise EvidenceUnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(type(office.evidence), "append", fail)
        for step in (
            lambda: clients.revoke_credential(office, added.id, by=BY),
            lambda: clients.end(office, client, by=BY),
        ):
            with pytest.raises(EvidenceUnavailableError):
                step()
    assert records.credential(office.control, added.id).revoked_at == NOW
    size = office.evidence.log.size
    assert clients.revoke_credential(office, added.id, by=BY) == size
    assert clients.end(office, client, by=BY) == size + 1


def test_signatures_alone_are_asked_for_only_where_there_is_a_key(office):
    client = register(office).id
    with pytest.raises(ClientInvalidError, match="public key"):
        clients.set_signed_only(office, client, by=BY, signed_only=True)
    new_key(office, client)
    assert clients.set_signed_only(office, client, by=BY, signed_only=True).signed_only
    assert last(office).facts == {"client": client, "signed_only": True}
    assert not clients.set_signed_only(office, client, by=BY, signed_only=False).signed_only
