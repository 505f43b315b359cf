"""A city with seals: a list of three departments, and an office whose clock the test moves."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding

from hub.control import Control
from hub.evidence import Evidence
from hub.seals import Seals
from hub.seals.registering import SealOrder
from hub.seals.words import Sort
from hub.settings import Settings
from licence.seals import otp
from licence.seals.image import round_seal
from licence.seals.picture import drawn_picture
from licence.trust import TrustStore
from tests.hub.publishing import publish_list
from tests.hub.world import NOW, make_list
from tests.licence import independent_seals

KEEPER, SECOND, OTHER = "RS:seal-keeper", "RS:head-of-office", "GA:seal-keeper"
PERSON, PIN = "RS:deputy-2", "73-blue-owl"
KIND = "11100000000013338W001"
GROUND = "《国务院关于在线政务服务的若干规定》"


class Clock:
    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        self.now += timedelta(milliseconds=10)
        return self.now

    def pass_time(self, **spans):
        self.now += timedelta(**spans)


@functools.cache
def png(name="人社局"):
    return drawn_picture(round_seal(name)).data


def found(home):
    """A deployment with a published list."""
    settings = Settings.at(home)
    clock = Clock()
    control = Control.open(settings)
    evidence = Evidence.open(settings, clock=clock)
    publish_list(settings, control, evidence, make_list(), by="RS:office")
    office = Seals.over(settings, control, evidence)
    office.clock = clock
    return office


def order(**changes):
    values = {
        "sort": Sort.SPECIAL,
        "name": "某市人力资源和社会保障局",
        "department": "RS",
        "custodian": KEEPER,
        "valid_from": NOW - timedelta(days=1),
        "valid_until": NOW + timedelta(days=700),
        "png": png(),
    }
    return SealOrder(**(values | changes))


def made(office, **changes):
    """The code of a seal that was asked for and approved."""
    code = office.request(order(**changes), by=KEEPER, ground=GROUND)["code"]
    from licence.seals.register import Action

    office.decide(code, Action.APPROVE, by=SECOND, ground=GROUND)
    return code


def person_seal(office, **changes):
    """A person with a key, and the code of the seal of their signature; secret of the passwords last."""
    enrolled = office.add_signer(PERSON, PIN, by=SECOND)
    code = made(office, sort=Sort.SIGNATURE, name="签名", custodian=PERSON, width_mm=30, height_mm=15, **changes)
    return enrolled, code


def secret_of(enrolled):
    import base64

    text = enrolled.otp_uri.split("secret=")[1].split("&")[0]
    return base64.b32decode(text + "=" * (-len(text) % 8))


def password(office, enrolled, steps=0):
    return otp.password(secret_of(enrolled), otp.step_at(office.clock.now) + steps)


def trust(office):
    return TrustStore.load(office.settings.trust)


def independent_trust(office):
    authorities = office.keys.certificates()
    roots = {r.public_bytes(Encoding.DER) for r in office.keys.roots()}
    return independent_seals.Trust(tuple(roots), tuple(c for c in authorities if c not in roots))


def entries(office, kind):
    from audit.entry import Entry

    log = office.evidence.log
    found = (Entry.decode(leaf) for leaf in log.entries(0, log.size))
    return [one for one in found if one.kind == kind]


def at(text):
    return datetime.fromisoformat(text)
