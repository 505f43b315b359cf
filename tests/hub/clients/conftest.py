"""An office with a list, a client system of RS, and what that system shows."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from audit import sm2
from hub import clients
from hub.actors import Actor
from hub.authentication import Authenticator, Presented
from hub.control import Control
from hub.evidence import Evidence
from hub.office import Office
from hub.signing import hmac_profile, keyfiles
from hub.signing.nonces import MemoryNonces
from hub.signing.requests import message_to, sign
from hub.standing import Standing
from tests.hub import world as worlds
from tests.hub.databases import database
from tests.hub.publishing import publish_list

__all__ = ["database"]

BY = Actor("GA", "office")
BODY = json.dumps(worlds.body()).encode()
URL = "http://hub.example/v1/resources/306010/000001:query"
LINES = (("host", "hub.example"), ("content-type", "application/json"))
ALGORITHMS = ["ed25519", "ecdsa-p256-sha256", *(["sm2-sm3"] if sm2.missing() is None else [])]


@pytest.fixture
def clock():
    return worlds.Clock()


@pytest.fixture
def office(settings, clock):
    control, evidence = Control.open(settings), Evidence.open(settings, clock=clock)
    publish_list(settings, control, evidence, worlds.make_list(), by="SJ:office")
    office = Office.over(settings, control, evidence)
    yield office
    office.close()


def register(office, **changes):
    values = {"department": "RS", "name": "window", "contact": "data-officer", "by": BY} | changes
    return clients.register(office, **values)


def new_key(office, client, algorithm="ed25519", **more):
    """A key of *client*, registered: its private half and its record."""
    key, _ = keyfiles.generate(algorithm)
    proof = keyfiles.prove_possession(client, key)
    return key, clients.add_key(office, client, key.public, proof, by=BY, **more)


def certificate(name="window", *, days=30, start=worlds.NOW - timedelta(days=1)):
    """A certificate in PEM, and what it is known by."""
    key = Ed25519PrivateKey.generate()
    said = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(said)
        .issuer_name(said)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .sign(key, None)
    )
    return made.public_bytes(Encoding.PEM).decode(), made.fingerprint(hashes.SHA256()).hex()


@dataclass
class Door:
    """The hub's side of one process."""

    office: Office
    clock: worlds.Clock
    standing: Standing
    authenticator: Authenticator

    def let_in(self, presented, body=BODY):
        return self.authenticator.caller(self.standing.now(), presented, body, self.clock.now)

    def signed(self, key, body=BODY, **changes):
        fields = sign(message_to("POST", URL, LINES, body), key, created=changes.pop("created", self.clock.now))
        return shown(*((name.lower(), value) for name, value in fields.items()), **changes)

    def hmac(self, shared, **changes):
        at = changes.pop("at", self.clock.now)
        return shown(*hmac_profile.sign(shared.rid, "service-1", shared.key, at=at).items(), **changes)


def shown(*fields, **changes):
    presented = Presented("POST", "hub.example", "/v1/resources/306010/000001:query", "", [*LINES, *fields])
    return replace(presented, **changes)


def bearer(key, **changes):
    return shown(("authorization", f"Bearer {key}"), **changes)


@pytest.fixture
def door(office, clock, settings):
    nonces = MemoryNonces(started=datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    return Door(office, clock, Standing(settings, office.control), Authenticator(nonces))
