"""A whole population: audited from its log, rows and status lists; and how large the status lists are."""

from __future__ import annotations

import hashlib
import math
import random
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from audit.entry import Entry
from audit.log import Log
from bench.licences.city import ENDS, ISSUER, KIND, NOW, SLOTS, URI, identifier
from bench.licences.measure import result
from licence.population.auditing import audit_population
from licence.population.model import Issuer, LicenceRow, Totals
from licence.status import StatusList, sign_status_list, to_cwt, token_digest
from licence.status.cwt import with_chain
from licence.status.events import published_facts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.licences.city import City

BATCH = 5000
REVOKED_EVERY = 100
SEEN = NOW + timedelta(hours=2)
LISTS = 20
CITY = 20_000_000


def audited(city: City, folder: Path, rows: int) -> dict[str, Any]:
    """Licences a second of one audit of *rows* licences, one in a hundred of which is revoked."""
    tokens = _write(city, folder, rows)
    issuers = {ISSUER: Issuer(frozenset({KIND.code}), ((NOW, ENDS),))}
    begin = time.perf_counter()
    report = audit_population(
        folder,
        city.trust,
        rows=_rows(rows),
        tokens=tokens,
        issuers=issuers,
        totals=Totals(rows),
        at=SEEN + timedelta(hours=1),
    )
    seconds = time.perf_counter() - begin
    if report.findings or report.licences != rows:
        raise SystemExit(f"bench: the audit finds {dict(report.tally)}; numbers would mean nothing")
    begin = time.perf_counter()
    for _ in _rows(rows):
        pass
    drawing = time.perf_counter() - begin
    return result(rows / seconds, {}, None, "1/s", rows=rows, seconds=seconds, seconds_of_making_rows=drawing)


def list_size(city: City) -> dict[str, Any]:
    """KB of `LISTS` full lists as CWTs in the form that is published, for `CITY` entries, one in a hundred revoked.

    Those are drawn at random. *compressed* is the lists alone, *signed_tokens* what is downloaded as JWTs, base64url
    twice by their form, *cwt_with_chain* what `?chain=true` gives. The peers: two bits an entry as they are; and what
    information theory leaves of them, compression or not.
    """
    draw = random.Random(20)
    compressed = signed = whole = published = 0
    for number in range(LISTS):
        states = dict.fromkeys(draw.sample(range(SLOTS), SLOTS // REVOKED_EVERY), 1)
        compressed += len(StatusList.build(SLOTS, states).to_claim()["lst"]) * 3 // 4
        token = _token(city, number, states)
        signed += len(token)
        in_cbor = to_cwt(token, key=city.status)
        whole, published = whole + len(in_cbor), published + len(with_chain(in_cbor, ()))
    scale = CITY / (LISTS * SLOTS) / 1000
    share = 1 / REVOKED_EVERY
    entropy = -(share * math.log2(share) + (1 - share) * math.log2(1 - share))
    plain = CITY * 2 / 8 / 1000
    ours = published * scale
    others = {"two bits each": plain, "entropy": CITY * entropy / 8 / 1000}
    more = {"compressed": compressed * scale, "signed_tokens": signed * scale, "cwt_with_chain": whole * scale}
    return result(ours, others, plain / ours, "KB", **more)


def _write(city: City, folder: Path, rows: int) -> list[str]:
    """The log of the population, as the city would have written it, and the newest token of each list."""
    with Log.create(folder, city.log.name, city.log) as log:
        batch = []
        for data in _entries(rows):
            batch.append(data)
            if len(batch) == BATCH:
                log.append(batch)
                log.publish()
                batch = []
        tokens = []
        for number in range((rows - 1) // SLOTS + 1):
            last = min(rows, (number + 1) * SLOTS)
            first = -(-number * SLOTS // REVOKED_EVERY) * REVOKED_EVERY
            states = {n % SLOTS: 1 for n in range(first, last, REVOKED_EVERY)}
            tokens.append(_token(city, number, states))
            facts = published_facts(URI.format(number + 1), token_digest(tokens[-1]), version=1, previous="")
            batch.append(Entry("status.published", SEEN + timedelta(seconds=9), "hub", "", "", "", facts).encode())
        log.append(batch)
        log.publish()
    return tokens


def _token(city: City, number: int, states: dict[int, int]) -> str:
    return sign_status_list(
        StatusList.build(SLOTS, states),
        key=city.status,
        uri=URI.format(number + 1),
        issued_at=SEEN,
        expires_at=SEEN + timedelta(days=1),
        ttl_s=60,
    )


def _entries(rows: int) -> Iterator[bytes]:
    for n in range(rows):
        facts: dict[str, object] = {
            "licence": str(identifier(n)),
            "credential": _digest(n),
            "kind": KIND.code,
            "status": {"uri": URI.format(n // SLOTS + 1), "idx": n % SLOTS},
        }
        yield Entry("licence.issued", NOW, "agriculture", "a" * 64, "R1", "matter", facts).encode()
    for n in range(0, rows, REVOKED_EVERY):
        facts = {"licence": str(identifier(n)), "action": "revoke", "state": "03"}
        yield Entry("licence.status", SEEN, "agriculture", "a" * 64, "R1", "", facts).encode()


def _rows(rows: int) -> Iterator[LicenceRow]:
    for n in range(rows):
        revoked = n % REVOKED_EVERY == 0
        uri, index = URI.format(n // SLOTS + 1), n % SLOTS
        state, changed = ("03", SEEN) if revoked else ("01", None)
        yield LicenceRow(
            str(identifier(n)), KIND.code, ISSUER, "", state, uri, index, _digest(n), n, NOW, None, changed
        )


def _digest(number: int) -> str:
    return "sha256:" + hashlib.sha256(b"%d" % number).hexdigest()
