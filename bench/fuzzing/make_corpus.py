"""Make the corpus of `bench/fuzz.py` anew: one good document of each form, with the trust that it is judged by.

    python -m bench.fuzzing.make_corpus

It needs fonts and a typesetter (the extra `documents`). Keys, names and times are those of the tests' small city;
nothing in it is about anyone. SM2 signatures are random, so that these files differ each time; do not make it anew
while fuzzing runs.
"""

from __future__ import annotations

import hashlib
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from bench.fuzzing.corpus import FOLDER
from licence import authority, timestamps
from licence.crl import Revocation
from licence.fonts import read_font
from licence.ofd.layout import Box, Page, Text
from licence.ofd.seal import SIGNATURE_PATH, Stamp, seal
from licence.ofd.write import Licence, write
from licence.qr.code import make_code
from licence.seals.structure import V4, V5
from licence.suites import ECDSA_P256_SHA256, SM2_SM3
from licence.trustlist import Targets, TrustedIssuer, sign
from tests.licence import test_trustlist as t
from tests.licence import world as w
from tests.licence.pdf import papers
from tests.licence.qr.test_code import FACE
from tests.licence.seals import city as c

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CORPUS_BYTES: Final = 200 * 1024
KINDS: Final = 2


def _seals() -> Iterator[tuple[str, bytes]]:

    for suite, label in ((ECDSA_P256_SHA256, "p256"), (SM2_SM3, "sm2")):
        city: Any = c.make_city(suite)
        yield f"trust/seal_{label}_root.der", city.root.chain_der[0]
        yield f"trust/seal_{label}_issuing.der", city.issuing.chain_der[0]
        for version in (V4, V5):
            seal: Any = c.new_seal(city, version=version)
            yield f"seal/v{version}_{label}.der", seal.raw
            yield f"ses_signature/v{version}_{label}.der", c.applied(city, seal).raw


def _ofd() -> bytes:

    city: Any = c.make_city()
    made: Any = c.new_seal(city)
    font = read_font()
    files = write(Licence("A", "B", "2026-03-01", {"ZZBS": "1"}), [Page((Text(20, 30, 5, "A"),))], font)

    def sign(digest: bytes) -> bytes:
        value: bytes = c.applied(city, made, document_digest=digest, property_info=SIGNATURE_PATH).raw
        return value

    return seal(files, Stamp(made.raw, Box(130, 215, 42, 42), "20250301080000Z"), sign)


def _licences() -> Iterator[tuple[str, bytes]]:

    world: Any = w.make_world()
    leaf = world.agriculture
    sealed = w.seal(leaf)
    token = w.status_token(world.status_key)
    yield "trust/root.der", world.root.chain_der[0]
    yield "trust/signer.der", leaf.chain_der[0]
    yield "trust/issuing.der", leaf.chain_der[1]
    yield "trust/log.txt", world.log_key.verifier.to_text().encode()
    yield "sd_jwt/bundle.json", w.bundle_of(world, sealed, token).to_json().encode()
    yield "sd_jwt/credential.txt", sealed.credential.encode()
    yield "status/token.jwt", token.encode()
    yield "pdf/sealed.pdf", papers.sealed(leaf)
    yield "qr/code.txt", make_code(FACE, leaf).encode()
    yield (
        "crl/list.der",
        authority.revocation_list(
            world.root, [Revocation(7, w.ISSUED)], number=1, this_update=w.AT, next_update=w.AT + timedelta(days=7)
        ),
    )
    stamps: Any = papers.stamping_key(world.root)
    request = timestamps.request(b"what existed", suite=ECDSA_P256_SHA256, nonce=5)
    response = timestamps.respond(timestamps.parse_request(request), stamps, at=w.AT, serial=12)
    yield "timestamp/request.der", request
    yield "timestamp/response.der", response
    yield "timestamp/token.der", timestamps.token_of(response)


def _trust_list() -> Iterator[tuple[str, bytes]]:

    world: Any = w.make_world()
    issuer = TrustedIssuer(
        name="乙市农业农村局",
        uscc=w.AGRICULTURE,
        starts=w.STARTS,
        ends=None,
        authorities=(world.root.chain_der[0],),
        log_keys=(world.log_key.verifier.to_text(),),
        suites=("ecdsa-p256-sha256",),
    )
    targets = Targets(version=5, root=1, expires=w.AT + timedelta(days=7), issuers=(issuer,))
    yield "trust_list/root.json", sign(t.root(), t.OLD[:2]).encode()
    yield "trust_list/targets.json", sign(targets, t.SIGNERS).encode()


def _kinds() -> bytes:
    """The head and the first kinds of the reference catalogue."""
    text = (FOLDER.parent.parent / "licence" / "data" / "kinds.yaml").read_text(encoding="utf-8")
    mark = "\n  - code: "
    return mark.join(text[text.index("kinds:") :].split(mark)[: KINDS + 1]).encode() + b"\n"


def main() -> int:
    """Write the corpus; 1 if it grew beyond what a repository should hold."""
    made = {
        **dict(_seals()),
        "ofd/sealed.ofd": _ofd(),
        **dict(_licences()),
        **dict(_trust_list()),
        "kinds/kinds.yaml": _kinds(),
    }
    for name, data in made.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        print(f"{len(data):7} {hashlib.sha256(data).hexdigest()[:16]} {name}")
    size = sum(map(len, made.values()))
    print(f"{size:7} in all")
    return 1 if size > MAX_CORPUS_BYTES else 0


if __name__ == "__main__":
    sys.exit(main())
