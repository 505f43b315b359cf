"""Licences as data: issued by the hub, with all that is kept of them, and verified as a bundle."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from audit import tree
from audit.checkpoint import Checkpoint
from audit.entry import Entry
from audit.proof import LogProof
from bench.licences import peers
from bench.licences.city import FACTS, KIND, NOW, URI, name, sealed
from bench.licences.measure import Measure, Work
from bench.licences.office import make_office
from hub.licensing.course import Order, Wanted
from licence import credential
from licence.bundle import LicenceBundle
from licence.report import Verdict
from licence.status import StatusList, sign_status_list, token_digest
from licence.suites import ECDSA_P256_SHA256
from licence.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.licences.city import City
    from licence.model import SealedLicence

LOG_SIZE = 100_000
STATUS_SIZE = 100_000
GROUP = 1000
# Groups of one batch: about a second's work, which is how often a serving hub publishes its log.
RUN = 5


def measures(cities: dict[str, City], folder: Path) -> Iterator[tuple[str, Measure]]:
    """Issue by each suite, verify by P-256."""
    for metric, (suite, city) in zip(("issue_p256", "issue_sm2"), cities.items(), strict=False):
        compared = peers.sd_jwt_issue(city.licences, sealed(city.licences, 7)) if suite == ECDSA_P256_SHA256 else {}
        alone = {"sealing alone": Work(lambda n, key=city.licences: sealed(key, n), 500)}  # type: ignore[misc]
        yield metric, Measure(_issue(city, folder / metric), compared | alone, peers.openssl(suite, "sign"))
    city = cities[ECDSA_P256_SHA256]
    one = sealed(city.licences, 7)
    text = bundle(city, one)
    if verify(text, city.trust, NOW).verdict is not Verdict.PASSED:
        raise SystemExit("bench: the bundle does not verify; numbers would mean nothing")
    ours = Work(lambda _: verify(text, city.trust, NOW), 1000)
    compared = peers.sd_jwt_verify(city.licences, one)
    yield "verify_bundle", Measure(ours, compared, peers.openssl(ECDSA_P256_SHA256, "verify"))


def entry(one: SealedLicence) -> bytes:
    return Entry("licence.issued", NOW, "agriculture", "", "R1", "", one.log_facts()).encode()


def _issue(city: City, folder: Path) -> Work:
    """The whole of it, in groups: slots taken, sealed, in the store, rows pending, logged, rows in force; published."""
    office = make_office(city, folder)
    order = Order(KIND, "agriculture:officer", "reason", "ground")

    def groups(number: int) -> Iterator[list[Wanted]]:
        for first in range(number * RUN * GROUP, (number + 1) * RUN * GROUP, GROUP):
            yield [Wanted(f"{n:064x}", {**FACTS, "name": name(n)}) for n in range(first, first + GROUP)]

    def run(number: int) -> None:
        for group in groups(number):
            if len(office._issue_group(order, group)) != GROUP:  # noqa: SLF001 - the step that is measured
                raise SystemExit("bench: not all were issued; numbers would mean nothing")
        office.evidence.publish()

    return Work(run, 2, RUN * GROUP, at_least=1)


def bundle(city: City, one: SealedLicence) -> str:
    """The bundle of *one* as JSON, its entry and its list's in a log of `LOG_SIZE`."""
    uri = URI.format(1)
    token = sign_status_list(
        StatusList.build(STATUS_SIZE, dict.fromkeys(range(0, STATUS_SIZE, 100), 1)),
        key=city.status,
        uri=uri,
        issued_at=NOW,
        expires_at=NOW + timedelta(days=1),
        ttl_s=3600,
    )
    facts = {"uri": uri, "token": token_digest(token)}
    published = Entry("status.published", NOW, "status", "", "", "", facts).encode()
    leaf_hashes = [tree.leaf_hash(e) for e in (entry(one), published)]
    leaf_hashes += [hashlib.sha256(f"{i}".encode()).digest() for i in range(LOG_SIZE - 2)]
    read = tree.subtrees(leaf_hashes)
    note = Checkpoint(city.log.name, LOG_SIZE, tree.root_at(LOG_SIZE, read)).sign([city.log])
    proofs = [LogProof(i, tree.inclusion_path(i, LOG_SIZE, read), note).to_text() for i in (0, 1)]
    return LicenceBundle(
        identifier=one.identifier,
        credential=one.credential,
        chain=credential.parse(one.credential).jws.chain,
        entry=entry(one),
        proof=proofs[0],
        status_token=token,
        status_entry=published,
        status_proof=proofs[1],
    ).to_json()
