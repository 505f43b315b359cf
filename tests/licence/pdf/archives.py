"""Documents at every level of PAdES, by a key for documents, a key for time stamps and lists of two authorities."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from datetime import timedelta

from cryptography.hazmat.primitives.serialization import Encoding

from licence import authority
from licence.crl import Revocation
from licence.pdf import long_term
from licence.pdf.read import Level
from licence.timestamping import TimeStampingAuthority
from tests.licence import world as w
from tests.licence.pdf import papers

SUITES = tuple(papers.SUITES)
STAMPED = w.ISSUED + timedelta(minutes=1)
LISTED = w.ISSUED + timedelta(minutes=5)
ARCHIVED = w.ISSUED + timedelta(minutes=7)
YEAR = timedelta(days=365)


@functools.cache
def world():
    return w.make_world()


@functools.cache
def issuing(label="issuing"):
    return authority.certify_authority(
        world().root, w.private_key(label), name="City issuing CA", starts=w.STARTS, ends=w.ENDS, serial=2
    )


def stamping_key(label="tsa", **changes):
    return w.make_leaf(issuing(), label, w.STATUS_OFFICE, role=authority.Role.TIME_STAMPS, **changes)


def signing_key(label="agriculture", **changes):
    return w.make_leaf(issuing(), label, w.AGRICULTURE, role=authority.Role.DOCUMENTS, **changes)


def stamper(at=STAMPED, key=None, first=100):
    return TimeStampingAuthority(key or stamping_key(), lambda: at, itertools.count(first))


def anchors():
    return frozenset({world().root.certificate.public_bytes(Encoding.DER)})


def lists(at=LISTED, revoked=(), days=30):
    """The lists of both authorities; *revoked* is of the issuing one: (serial, since)."""
    entries = ([], [Revocation(serial, since) for serial, since in revoked])
    return tuple(
        authority.revocation_list(
            one, listed, number=int(at.timestamp()), this_update=at, next_update=at + timedelta(days=days)
        )
        for one, listed in zip((world().root, issuing()), entries, strict=True)
    )


def material(at=LISTED, **changes):
    return long_term.Material(anchors(), (), lists(at, **changes))


def identified(identifier=papers.FACE.identifier):
    return papers.renderer().render(replace(papers.FACE, marks=(identifier,)), dated=w.ISSUED)


@functools.cache
def at_level(level, key=None):
    """A licence that names itself, at *level*."""
    if level is Level.B_B:
        return papers.sealed(key or signing_key(), identified(), room_bytes=long_term.TOKEN_ROOM_BYTES)
    if level is Level.B_T:
        return long_term.stamp_signature(at_level(Level.B_B, key), stamper(), suites=SUITES)
    if level is Level.B_LT:
        return long_term.add_material(at_level(Level.B_T, key), material(), at=LISTED, suites=SUITES)
    return long_term.archive(at_level(Level.B_LT, key), stamper(ARCHIVED), suites=SUITES)


def renewed(pdf, at, key):
    """*pdf* with the lists of *at* and another archive stamp by *key*."""
    fresh = long_term.add_material(pdf, material(at), at=at, suites=SUITES)
    return long_term.archive(fresh, stamper(at, key, first=900), suites=SUITES)
