"""Documents for archives: a sealed PDF brought to each level of PAdES, how quickly and how large it becomes."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.serialization import Encoding

from bench.licences.city import ENDS, ISSUER, NOW
from bench.licences.measure import Measure, Work
from licence import authority
from licence.keys import generate_private_key
from licence.pdf import long_term
from licence.pdf.read import Level, read_signatures
from licence.pdf.sign import seal_pdf
from licence.suites import ECDSA_P256_SHA256
from licence.timestamping import TimeStampingAuthority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.licences.city import City
    from licence.keys import SigningKey

SUITES: Final = (ECDSA_P256_SHA256,)
STAMPED: Final = NOW + timedelta(minutes=1)
LISTED: Final = NOW + timedelta(minutes=5)
ARCHIVED: Final = NOW + timedelta(minutes=7)


def measures(city: City, page: Callable[[int], bytes], picture: bytes) -> Iterator[tuple[str, Measure]]:
    """Each level from the one below, of the same document; how many KB it then has, beside the rate."""
    signer = _leaf(city, authority.Role.DOCUMENTS, "documents", 11)
    stamping = _leaf(city, authority.Role.TIME_STAMPS, "time stamps", 12)
    lists = tuple(
        authority.revocation_list(one, [], number=1, this_update=LISTED, next_update=LISTED + timedelta(days=30))
        for one in (city.root, city.issuing)
    )
    material = long_term.Material(frozenset({city.root.certificate.public_bytes(Encoding.DER)}), (), lists)
    first = TimeStampingAuthority(stamping, lambda: STAMPED, itertools.count(1))
    later = TimeStampingAuthority(stamping, lambda: ARCHIVED, itertools.count(1))
    plain = page(0)
    steps: list[tuple[Level, Callable[[bytes], bytes]]] = [
        (
            Level.B_B,
            lambda pdf: seal_pdf(
                pdf, signer, signed_at=NOW, seal_png=picture, name="", reason="", room_bytes=long_term.TOKEN_ROOM_BYTES
            ),
        ),
        (Level.B_T, lambda pdf: long_term.stamp_signature(pdf, first, suites=SUITES)),
        (Level.B_LT, lambda pdf: long_term.add_material(pdf, material, at=LISTED, suites=SUITES)),
        (Level.B_LTA, lambda pdf: long_term.archive(pdf, later, suites=SUITES)),
    ]
    document = plain
    for level, step in steps:
        below, document = document, step(document)
        if read_signatures(document, frozenset(SUITES)).level is not level:
            raise SystemExit(f"bench: the document is not {level.value}; numbers would mean nothing")
        work = Work(lambda _, below=below, step=step: step(below), 30)  # type: ignore[misc]
        yield f"pdf_{level.name.lower()}", Measure(work, sizes={"kb": len(document) / 1000})


def _leaf(city: City, role: authority.Role, name: str, serial: int) -> SigningKey:
    return authority.certify_leaf(
        city.issuing,
        generate_private_key(ECDSA_P256_SHA256),
        role=role,
        name=name,
        uscc=ISSUER,
        uri="https://papers.city.example",
        starts=NOW,
        ends=ENDS,
        serial=serial,
    )
