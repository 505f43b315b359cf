"""Licences as documents: PDF and OFD, made and read. Every page has another holder, another code and another number."""

from __future__ import annotations

import random
import struct
import zlib
from typing import TYPE_CHECKING

from bench.licences import archives, peers
from bench.licences.city import ENDS, KIND, NOW, identifier, name
from bench.licences.measure import Measure, Work
from licence import chain
from licence.fonts import read_font
from licence.ofd import seal, write
from licence.ofd.layout import licence_page
from licence.ofd.read import read_ofd
from licence.pdf.read import read_signatures
from licence.pdf.render import Face, Renderer
from licence.pdf.sign import seal_pdf
from licence.report import Verdict
from licence.seals.make import apply_seal, make_seal, signer_of
from licence.seals.structure import Picture
from licence.seals.verify import verify_signature
from licence.suites import ECDSA_P256_SHA256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.licences.city import City

OFFICE = "某市农业农村局"
CODES = 200
CODE_MODULES = 57
SEAL_PIXELS = 240


def pdf_measures(city: City) -> Iterator[tuple[str, Measure]]:
    """Rendered and sealed (PAdES B-B); read, with the chain led to its anchor."""
    renderer, codes, picture = Renderer(), _codes(), _seal_png()

    def page(number: int) -> bytes:
        face = Face(
            KIND.name,
            _fields(number),
            OFFICE,
            (("颁发机构", OFFICE), ("颁发日期", "2025年3月1日")),
            str(identifier(number)),
            KIND.name_en,
            codes[number % CODES],
        )
        return renderer.render(face, dated=NOW)

    def make(number: int) -> bytes:
        return seal_pdf(page(number), city.licences, signed_at=NOW, seal_png=picture, name=OFFICE, reason="签发")

    suites = frozenset({ECDSA_P256_SHA256})
    one = make(0)

    def check(_: int) -> object:
        (signature,) = read_signatures(one, suites).signatures
        return chain.validate(signature.chain, city.seals.anchors, suites)

    check(0)
    stock, validator = peers.pyhanko(city, page)
    yield "pdf_sealed", Measure(Work(make, 200), stock | {"rendering alone": Work(page, 200)})
    yield "verify_pdf", Measure(Work(check, 200), validator(one))
    yield from archives.measures(city, page, picture)


def ofd_measures(cities: dict[str, City]) -> Iterator[tuple[str, Measure]]:
    """Laid out, written and sealed; read with every digest and the seal judged by its chain."""
    for ending, (suite, city) in zip(("_p256", ""), cities.items(), strict=False):
        make = _ofd_maker(city)
        one = make(0)

        # Arguments, or both suites would check the last city's document.
        def check(_: int, one: bytes = one, city: City = city) -> Verdict:
            (signature,) = read_ofd(one).signatures
            return verify_signature(signature.value, signature.digest, city.seals, NOW).verdict

        if check(0) is not Verdict.PASSED:
            raise SystemExit("bench: the sealed OFD does not verify; numbers would mean nothing")
        yield f"ofd_sealed{ending}", Measure(Work(make, 300), floors=peers.openssl(suite, "sign"))
        yield f"verify_ofd{ending}", Measure(Work(check, 300), floors=peers.openssl(suite, "verify"))


def _ofd_maker(city: City) -> Callable[[int], bytes]:
    font, codes = read_font(), [_png(code) for code in _codes()]
    made = make_seal(
        signer_of(city.maker),
        seal_id="SEAL-1",
        kind=1,
        name=OFFICE,
        picture=Picture("PNG", _seal_png(), 42, 42),
        custodians=[city.licences.chain_der[0]],
        created=NOW,
        valid_from=NOW,
        valid_until=ENDS,
    )
    signer = signer_of(city.licences)

    def sign(digest: bytes) -> bytes:
        return apply_seal(made, signer, document_digest=digest, at=NOW, property_info=seal.SIGNATURE_PATH).raw

    def make(number: int) -> bytes:
        issued = str(identifier(number))
        page = licence_page(
            font,
            title=KIND.name,
            fields=_fields(number),
            issuer=OFFICE,
            issued_on="2025年3月1日",
            identifier=issued,
            qr_png=codes[number % CODES],
        )
        assert page.seal is not None  # a licence's page has a place for it
        facts = {"ZZBS": issued, "ZZMC": KIND.name, "ZZLXDM": KIND.code}
        files = write.write(write.Licence(KIND.name, OFFICE, "2025-03-01", facts), [page], font)
        return seal.seal(files, seal.Stamp(made.raw, page.seal, NOW.strftime("%Y%m%d%H%M%SZ")), sign)

    return make


def _fields(number: int) -> tuple[tuple[str, str], ...]:
    return (
        ("姓名", name(number)),
        ("证件号码", f"1101051949{number % 10**7:07d}X"),
        ("住址", f"某市{name(number + 1)}街道和平路 {number} 号"),
        ("准驾机型", "R"),
        ("档案编号", f"3400{number:08d}"),
        ("备注", "初次申领"),
    )


def _codes() -> list[tuple[str, ...]]:
    """Stand-ins for QR codes of the size a licence's has."""
    draw = random.Random(1)
    return [tuple(f"{draw.getrandbits(CODE_MODULES):057b}" for _ in range(CODE_MODULES)) for _ in range(CODES)]


def _png(code: tuple[str, ...]) -> bytes:
    """One bit a module."""
    width = (CODE_MODULES + 7) // 8
    rows = b"".join(b"\0" + int(row.ljust(width * 8, "0"), 2).to_bytes(width, "big") for row in code)
    return _chunks(CODE_MODULES, 1, 0, rows)


def _seal_png() -> bytes:
    """A red ring on nothing, with alpha."""
    half = SEAL_PIXELS / 2
    rows = []
    for y in range(SEAL_PIXELS):
        inked = (0.8 < ((x - half) ** 2 + (y - half) ** 2) ** 0.5 / half < 1 for x in range(SEAL_PIXELS))
        rows.append(b"\0" + b"".join(b"\xb0\0\x18\xff" if ink else bytes(4) for ink in inked))
    return _chunks(SEAL_PIXELS, 8, 6, b"".join(rows))


def _chunks(edge: int, bits: int, colour: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", edge, edge, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )
