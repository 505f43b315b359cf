"""Seals and seal signatures part by part: each is there, of its kind, of its size, and named where it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from licence.errors import FormatError
from licence.seals import structure
from licence.seals.structure import Digest, Extension, Picture, parse_seal, parse_signature
from tests.licence.seals import plain as p

MIB = 1024 * 1024
MADE, STARTS, ENDS = (datetime(2025, month, 1, 8, tzinfo=UTC) for month in (2, 3, 4))
OID = "1.2.3.4"
NULL = p.tlv(5)
STAMP = p.bits(b"token")
CONTEXT = 0xA0


def info(version=4):
    lists = {} if version < 4 else {"listtype": p.num(1)}
    return {
        "header": {"ID": p.ia5("ES"), "version": p.num(version), "vid": p.ia5("V")},
        "esID": p.ia5("S"),
        "property": {
            "type": p.num(7),
            "name": p.utf8("章"),
            **lists,
            "list": {"one": p.octets(b"cert")},
            "created": p.utc(MADE),
            "starts": p.general(STARTS),
            "ends": p.general(ENDS),
        },
        "picture": {"type": p.ia5("PNG"), "data": p.octets(b"image"), "width": p.num(40), "height": p.num(41)},
    }


def seal(version=4):
    signed = {"cert": p.octets(b"maker"), "alg": p.OIDS[OID], "sig": p.bits(b"s")}
    return {"info": info(version)} | ({"signed": signed} if version < 4 else signed)


def signature(version=4):
    tbs = {
        "version": p.num(version),
        "seal": seal(version),
        "time": p.general(MADE) if version >= 4 else p.bits(p.utc(MADE)),
        "digest": p.bits(b"d"),
        "property": p.ia5("/Signature.xml"),
    }
    signed = {"cert": p.octets(b"custodian"), "alg": p.OIDS[OID]}
    if version < 4:
        return {"tbs": tbs | signed, "sig": p.bits(b"v")}
    return {"tbs": tbs, **signed, "sig": p.bits(b"v")}


def der(tree):
    return tree if isinstance(tree, bytes) else p.seq(*map(der, tree.values()))


def put(tree, path, value):
    """*tree* with *value* at *path* (names with dots), at the end where there is none yet; ... takes it away."""
    name, _, rest = path.partition(".")
    if rest:
        value = put(tree[name], rest, value)
    return {k: v for k, v in (tree | {name: value}).items() if v is not ...}


def parse(tree):
    return (parse_signature if "tbs" in tree else parse_seal)(der(tree))


def wrong(tree):
    """Which part is said to be wrong."""
    with pytest.raises(FormatError) as caught:
        parse(tree)
    assert caught.value.code == "seal_not_der"
    return caught.value.finding_params["what"]


def said(tree):
    with pytest.raises(FormatError) as caught:
        parse(tree)
    return caught.value.code, caught.value.finding_params


SEAL = {
    "info": "SES_SealInfo",
    "info.header": "SES_Header",
    "info.header.ID": "ID",
    "info.header.version": "version",
    "info.header.vid": "Vid",
    "info.esID": "esID",
    "info.property": "SES_ESPropertyInfo",
    "info.property.type": "type",
    "info.property.name": "name",
    "info.property.list": "certList",
    "info.property.list.one": "certList",
    "info.property.created": "createDate",
    "info.property.starts": "validStart",
    "info.property.ends": "validEnd",
    "info.picture": "SES_ESPictureInfo",
    "info.picture.type": "SES_ESPictureInfo",
    "info.picture.data": "SES_ESPictureInfo",
    "info.picture.width": "width",
    "info.picture.height": "height",
    "info.ext": "extDatas",
}
SIGNED = {"cert": "cert", "alg": "signatureAlgorithm"}
TBS = {"version": "version", "seal": "SESeal", "time": "timeInfo", "digest": "dataHash", "property": "propertyInfo"}
WRONG_KIND = [
    *((seal(), path, what) for path, what in SEAL.items()),
    *((seal(1), path, what) for path, what in SEAL.items()),
    *((seal(), path, what) for path, what in SIGNED.items()),
    (seal(), "info.property.listtype", "certListType"),
    (seal(), "sig", "signedValue"),
    (seal(), "stamp", "timeStamp"),
    (seal(1), "signed", "SES_SignInfo"),
    *((seal(1), f"signed.{path}", what) for path, what in SIGNED.items()),
    (seal(1), "signed.sig", "signData"),
    *((signature(), f"tbs.{path}", what) for path, what in (TBS | {"ext": "extDatas"}).items()),
    *((signature(), path, what) for path, what in SIGNED.items()),
    (signature(), "sig", "signature"),
    (signature(), "stamp", "timeStamp"),
    *((signature(1), f"tbs.{path}", what) for path, what in (TBS | SIGNED).items()),
    (signature(1), "sig", "signature"),
    (signature(1), "tbs", "TBS_Sign"),
    (signature(), "tbs", "TBS_Sign"),
]


@pytest.mark.parametrize(("tree", "path", "what"), WRONG_KIND)
def test_a_part_of_another_kind_is_named(tree, path, what):
    assert wrong(put(tree, path, NULL)) == what


MISSING = [
    (seal(), "cert", "SESeal"),
    (seal(), "info.esID", "SES_SealInfo"),
    (seal(), "info.header.vid", "SES_Header"),
    (seal(), "info.property.listtype", "SES_ESPropertyInfo"),
    (seal(), "info.picture.height", "SES_ESPictureInfo"),
    (seal(), "info.property.list.one", "certList"),
    (seal(1), "info.property.type", "SES_ESPropertyInfo"),
    (seal(1), "signed.sig", "SES_SignInfo"),
    (signature(), "cert", "SES_Signature"),
    (signature(), "tbs.digest", "TBS_Sign"),
    (signature(1), "tbs.alg", "TBS_Sign"),
    (signature(1), "sig", "SES_Signature"),
]


@pytest.mark.parametrize(("tree", "path", "what"), MISSING)
def test_a_part_that_is_missing_is_missed(tree, path, what):
    assert wrong(put(tree, path, ...)) == what


def full(tree):
    """With the parts that may be left out."""
    extensions = p.seq(p.seq(p.OIDS[OID], p.octets(b"x")))
    tree = put(tree, "tbs.ext" if "tbs" in tree else "info.ext", extensions)
    return put(tree, "stamp", STAMP)


MORE = [
    (full(seal()), "more", "SESeal"),
    (full(seal()), "info.more", "SES_SealInfo"),
    (seal(), "info.header.more", "SES_Header"),
    (seal(), "info.property.more", "SES_ESPropertyInfo"),
    (seal(), "info.picture.more", "SES_ESPictureInfo"),
    (seal(1), "info.property.more", "SES_ESPropertyInfo"),
    (seal(1), "signed.more", "SES_SignInfo"),
    (seal(1), "more", "SESeal"),
    (full(signature()), "more", "SES_Signature"),
    (full(signature()), "tbs.more", "TBS_Sign"),
    (signature(1), "tbs.more", "TBS_Sign"),
    (signature(1), "more", "SES_Signature"),
]


@pytest.mark.parametrize(("tree", "path", "what"), MORE)
def test_a_part_too_many_is_one_too_many(tree, path, what):
    assert parse(tree)
    assert wrong(put(tree, path, p.num(1))) == what


def test_each_part_is_read():
    found = parse(full(signature()))
    made = found.signed.seal
    assert (found.certificate, found.algorithm, found.signature, found.time_stamp) == (
        b"custodian", OID, b"v", b"token",
    )  # fmt: skip
    assert (found.signed.version, found.signed.time, found.signed.time_info) == (4, MADE, p.general(MADE))
    assert (found.signed.document_digest, found.signed.property_info) == (b"d", "/Signature.xml")
    assert found.signed.extensions == (Extension(OID, critical=False, value=b"x"),)
    assert (found.tbs, found.raw) == (der(full(signature())["tbs"]), der(full(signature())))
    assert (made.structure, made.certificate, made.algorithm, made.signature) == (4, b"maker", OID, b"s")
    assert (made.time_stamp, made.tbs, made.raw) == (None, der(info()), der(seal()))
    assert parse(full(seal())).time_stamp == b"token"
    assert (structure.V1, structure.V4, structure.V5) == (1, 4, 5)
    said = made.info
    assert (said.version, said.vendor, said.seal_id, said.kind, said.name, said.header) == (4, "V", "S", 7, "章", "ES")
    assert (said.certificates, said.digests, said.extensions) == ((b"cert",), (), ())
    assert (said.created, said.valid_from, said.valid_until) == (MADE, STARTS, ENDS)
    assert said.picture == Picture("PNG", b"image", 40, 41)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_each_part_of_the_first_version_is_read(version):
    tree = put(signature(version), "tbs.version", p.num(9))
    found = parse(tree)
    made = found.signed.seal
    assert (found.certificate, found.algorithm, found.signature, found.time_stamp) == (b"custodian", OID, b"v", None)
    assert (found.signed.version, found.signed.time, found.signed.time_info) == (1, MADE, p.utc(MADE))
    assert (found.signed.document_digest, found.signed.property_info) == (b"d", "/Signature.xml")
    assert (found.signed.extensions, found.tbs, found.raw) == ((), der(tree["tbs"]), der(tree))
    assert (made.structure, made.info.version, made.raw) == (1, version, der(seal(version)))
    assert (made.certificate, made.algorithm, made.signature, made.time_stamp) == (b"maker", OID, b"s", None)
    assert made.tbs == p.seq(der(info(version)), p.octets(b"maker"), p.OIDS[OID])
    assert made.info.certificates == (b"cert",)


@pytest.mark.parametrize(("tree", "number"), [(seal(), n) for n in (0, 3, 6)] + [(seal(1), n) for n in (0, 4, 5)])
def test_an_unknown_version_is_told(tree, number):
    assert said(put(tree, "info.header.version", p.num(number))) == (
        "seal_version_unknown", {"version": str(number)},
    )  # fmt: skip


def test_versions_of_seal_and_signature_are_told():
    for tree, inside, numbers in (
        (signature(), seal(5), ("5", "4")),
        (signature(5), seal(1), ("1", "5")),
        (signature(1), seal(), ("4", "1")),
    ):
        found = said(put(tree, "tbs.seal", inside))
        assert found == ("seal_version_differs", {"seal": numbers[0], "signature": numbers[1]})


def test_sizes_are_bounded_to_the_byte():
    for call, what, limit in ((parse_seal, "SESeal", 4 * MIB), (parse_signature, "SES_Signature", 5 * MIB)):
        for size, code in ((limit, "seal_not_der"), (limit + 1, "too_large")):
            with pytest.raises(FormatError) as caught:
                call(bytes(size))
            assert (caught.value.code, caught.value.finding_params["what"]) == (code, what)
        assert caught.value.finding_params["limit"] == str(limit)


@pytest.mark.parametrize(
    ("tree", "path", "what", "tag", "most"),
    [
        (seal(), "info.header.vid", "Vid", 0x16, 1024),
        (seal(), "info.esID", "esID", 0x16, 1024),
        (seal(), "info.property.name", "name", 0x0C, 1024),
        (seal(), "info.picture.type", "SES_ESPictureInfo", 0x16, 1024),
        (signature(), "tbs.property", "propertyInfo", 0x16, 16 * 1024),
        (signature(1), "tbs.property", "propertyInfo", 0x16, 16 * 1024),
    ],
)
def test_texts_are_of_a_size_and_of_their_kinds(tree, path, what, tag, most):
    assert parse(put(tree, path, p.tlv(tag, b"x" * most)))
    assert wrong(put(tree, path, p.tlv(tag, b"x" * (most + 1)))) == what
    for other in (0x0C, 0x13, 0x16, 0x1E):
        made = put(tree, path, p.tlv(other, b"x"))
        if other == 0x0C or (tag == 0x16 and other != 0x1E):
            assert parse(made)
        else:
            assert wrong(made) == what


def test_the_header_is_ia5_and_says_es():
    for other in (p.ia5("EX"), p.utf8("ES"), p.tlv(0x13, b"ES"), p.ia5("ES ")):
        assert wrong(put(seal(), "info.header.ID", other)) == "ID"


def test_a_picture_has_ten_metres_at_most():
    most, more = p.tlv(2, (10_000).to_bytes(2, "big")), p.tlv(2, (10_001).to_bytes(2, "big"))
    for name in ("width", "height"):
        assert getattr(parse(put(seal(), f"info.picture.{name}", most)).info.picture, f"{name}_mm") == 10_000
        assert wrong(put(seal(), f"info.picture.{name}", more)) == "SES_ESPictureInfo"


def digests(kind=2, **changes):
    one = {"type": p.ia5("SM3"), "value": p.octets(b"digest")} | changes
    tree = put(seal(), "info.property.list", {"one": {k: v for k, v in one.items() if v is not ...}})
    return put(tree, "info.property.listtype", p.num(kind))


class TestCustodians:
    def test_digests_are_told_from_certificates_by_the_type_of_the_list(self):
        found = parse(digests()).info
        assert (found.certificates, found.digests) == ((), (Digest("SM3", b"digest"),))
        for kind in (0, 3):
            assert wrong(digests(kind)) == "certList"

    def test_a_digest_has_a_type_and_a_value(self):
        largest = p.tlv(0x13, b"x" * 1024)
        assert parse(digests(type=largest)).info.digests[0].kind == "x" * 1024
        for other in (
            digests(type=...),
            digests(value=...),
            digests(more=p.num(1)),
            digests(type=NULL),
            digests(value=NULL),
            digests(type=p.tlv(0x13, b"x" * 1025)),
            put(digests(), "info.property.list.one", p.octets(b"x")),
        ):
            assert wrong(other) == "CertDigestObj"

    @pytest.mark.parametrize("version", [1, 4])
    def test_a_certificate_may_stand_bare(self, version):
        tree = put(seal(version), "info.property.list.bare", p.seq(NULL))
        assert parse(tree).info.certificates == (b"cert", p.seq(NULL))

    def test_there_are_4096_at_most(self):
        one = p.octets(b"c")
        assert len(parse(put(seal(), "info.property.list", p.seq(*[one] * 4096))).info.certificates) == 4096
        assert wrong(put(seal(), "info.property.list", p.seq(*[one] * 4097))) == "certList"


class TestExtensions:
    ONE = p.seq(p.OIDS[OID], p.octets(b"x"))

    def read(self, element):
        return parse(put(seal(), "info.ext", element)).info.extensions

    def wrong(self, element):
        return wrong(put(seal(), "info.ext", element))

    def test_they_stand_bare_or_tagged(self):
        for element in (p.seq(self.ONE), p.tlv(CONTEXT, p.seq(self.ONE))):
            assert self.read(element) == (Extension(OID, critical=False, value=b"x"),)
        assert self.read(p.seq()) == ()
        for element in (p.tlv(CONTEXT), p.tlv(CONTEXT, p.seq(), p.seq()), p.tlv(CONTEXT, NULL)):
            assert self.wrong(element) == "extDatas"

    def test_critical_is_said_or_not(self):
        for written, critical in ((b"", False), (p.tlv(1, b"\0"), False), (p.tlv(1, b"\xff"), True)):
            (found,) = self.read(p.seq(p.seq(p.OIDS[OID], written, p.octets(b"x"))))
            assert (found.oid, found.critical, found.value) == (OID, critical, b"x")

    @pytest.mark.parametrize(
        ("parts", "what"),
        [
            ((), "ExtData"),
            ((p.OIDS[OID],), "ExtData"),
            ((p.OIDS[OID], p.tlv(1, b"\0"), p.octets(b"x"), NULL), "ExtData"),
            ((p.OIDS[OID], p.tlv(1, b"\1"), p.octets(b"x")), "critical"),
            ((p.OIDS[OID], NULL, p.octets(b"x")), "critical"),
            ((NULL, p.octets(b"x")), "extnID"),
            ((p.OIDS[OID], NULL), "extnValue"),
        ],
    )
    def test_one_that_is_none_is_named(self, parts, what):
        assert self.wrong(p.seq(p.seq(*parts))) == what

    def test_there_are_256_at_most(self):
        assert len(self.read(p.seq(*[self.ONE] * 256))) == 256
        assert self.wrong(p.seq(*[self.ONE] * 257)) == "extDatas"


def test_an_algorithm_is_named_with_no_parameters_or_a_null():
    oid = p.OIDS[OID]
    for element in (oid, p.seq(oid), p.seq(oid, NULL)):
        assert parse(put(seal(), "alg", element)).algorithm == OID
    for element in (p.seq(), p.seq(oid, p.num(1)), p.seq(oid, p.tlv(2)), p.seq(oid, p.tlv(5, b"x"))):
        assert wrong(put(seal(), "alg", element)) == "signatureAlgorithm"
    for element in (p.seq(oid, NULL, NULL), p.seq(NULL), NULL):
        assert wrong(put(seal(), "alg", element)) == "signatureAlgorithm"


def test_a_time_stamp_is_a_bit_string_of_whole_octets_however_it_is_tagged():
    for element in (STAMP, p.tlv(CONTEXT, STAMP), p.tlv(0x80, b"\0token")):
        assert parse(put(seal(), "stamp", element)).time_stamp == b"token"
    assert parse(put(seal(), "stamp", p.tlv(0x80, b"\0"))).time_stamp == b""
    for element in (
        p.tlv(CONTEXT),
        p.tlv(CONTEXT, STAMP, STAMP),
        p.tlv(CONTEXT, NULL),
        p.tlv(0x80),
        p.tlv(0x80, b"\1token"),
        p.octets(b"\0token"),
        p.tlv(3, b"\1token"),
        p.tlv(3),
    ):
        assert wrong(put(seal(), "stamp", element)) == "timeStamp"


class TestTimeOfTheFirstVersion:
    def read(self, content):
        return parse(put(signature(1), "tbs.time", p.bits(content))).signed.time

    @pytest.mark.parametrize(
        "content",
        [
            p.utc(MADE),
            p.general(MADE),
            b"250201080000Z",
            b"20250201080000Z",
            b"250201160000+0800",
            b"250201040000-0400",
            b"20250201160000+0800",
            b"20250201040000-0400",
            b"20250201080000.0Z",
            b"2025-02-01 16:00:00",
        ],
    )
    def test_each_way_to_write_it_is_read(self, content):
        assert self.read(content) == MADE

    def test_a_local_time_is_chinas(self):
        china = timezone(timedelta(hours=8))
        assert self.read(b"2025-12-31 23:58:59") == datetime(2025, 12, 31, 23, 58, 59, tzinfo=china)
        assert self.read(b"2025-12-31 23:58:59").tzinfo is UTC

    @pytest.mark.parametrize(
        "content",
        [
            b"2025-13-01 16:00:00",
            b"2025-01-01 24:00:00",
            b"0000-01-01 00:00:00",
            b"0001-01-01 00:00:00",
            b"250201080000",
            b"20250201080000",
            b"251301080000Z",
            b"20251301080000Z",
            b"250201080000x",
            p.tlv(0x17, b"x"),
            p.general(MADE) + b"\0",
        ],
    )
    def test_what_is_no_time_is_named(self, content):
        assert wrong(put(signature(1), "tbs.time", p.bits(content))) == "timeInfo"

    @pytest.mark.parametrize("content", [b"", b"x", b"0", p.seq(NULL), b"25020108000Z", b"2025-2-1 16:00:00"])
    def test_what_may_be_a_token_says_no_time(self, content):
        assert self.read(content) is None
