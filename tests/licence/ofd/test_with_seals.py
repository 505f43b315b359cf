"""The whole way: a licence built, sealed by GM/T 0031, read, and its seal judged."""

from datetime import UTC

import pytest

pytest.importorskip("fontTools", reason="needs the extra `documents`")
pytest.importorskip("noto_cjk_sans_otc", reason="needs the font package of the extra `documents`")

from licence.errors import FormatError
from licence.ofd.container import pack, unpack
from licence.ofd.layout import Box
from licence.ofd.read import read_ofd
from licence.ofd.seal import SIGNATURE_PATH, Stamp, seal
from licence.report import Verdict
from licence.seals.structure import parse_signature
from licence.seals.verify import verify_signature
from tests.licence.ofd import paper
from tests.licence.seals import city as c

VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"


@pytest.fixture(scope="module")
def city():
    return c.make_city()


@pytest.fixture(scope="module")
def sealed(city):
    made = c.new_seal(city)

    def sign(digest):
        return c.applied(city, made, document_digest=digest, property_info=SIGNATURE_PATH).raw

    at = c.SIGNED.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")
    return seal(paper.small_files(), Stamp(made.raw, Box(130, 215, 42, 42), at), sign)


def judged(city, data):
    (signature,) = read_ofd(data).signatures
    return verify_signature(signature.value, signature.digest, city.trust, c.AT).verdict


def test_a_sealed_licence_passes(city, sealed):
    assert judged(city, sealed) is Verdict.PASSED
    (signature,) = read_ofd(sealed).signatures
    signed = parse_signature(signature.value).signed
    assert signed.property_info == SIGNATURE_PATH == f"/{signature.path}"
    assert signed.seal.raw == signature.seal


@pytest.mark.slow
@pytest.mark.parametrize("name", [SIGNATURE_PATH[1:], VALUE])
def test_no_altered_byte_of_the_signature_passes(city, sealed, name):
    """With the checksum of the ZIP mended, so that it is the seal that refuses."""
    files = unpack(sealed).files
    data, judgements = files[name], 0
    for place in range(len(data)):
        altered = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        try:
            verdict = judged(city, pack({**files, name: altered}))
        except FormatError:
            continue
        judgements += 1
        assert verdict is not Verdict.PASSED, place
    assert judgements
