"""What is read: our own documents with no byte left unauthenticated, strangers' with what is left said."""

import base64
import hashlib
import io
import stat
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib

import pytest

pytest.importorskip("fontTools", reason="needs the extra `documents`")
pytest.importorskip("noto_cjk_sans_otc", reason="needs the font package of the extra `documents`")

from hypothesis import given, settings
from hypothesis import strategies as st

from licence.errors import FormatError
from licence.ofd import container, markup
from licence.ofd.container import pack, unpack
from licence.ofd.read import OWN, SHA256, SM3, Policy, digest, read_ofd
from tests.licence.ofd import paper

STRANGER = Policy()
SIGNATURE = "Doc_0/Signs/Sign_0/Signature.xml"
VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"
LIST = "Doc_0/Signs/Signatures.xml"


@pytest.fixture(scope="module")
def sealed():
    return paper.sealed()


@pytest.fixture(scope="module")
def files(sealed):
    return dict(unpack(sealed).files)


def code(data, policy=OWN):
    with pytest.raises(FormatError) as caught:
        read_ofd(data, policy)
    assert caught.value.text("zh")
    return caught.value.code


def zipped(files, method=zipfile.ZIP_DEFLATED, **attributes):
    """As another program packs them."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, data in files.items() if hasattr(files, "items") else files:
            info = zipfile.ZipInfo(name, (2026, 3, 1, 8, 0, 0))
            info.compress_type = method
            for attribute, value in attributes.items():
                setattr(info, attribute, value)
            archive.writestr(info, data)
    return out.getvalue()


def resigned(files, **changed):
    """*files* with Signature.xml made anew over them by a signer who is accepted."""
    covered = {n: d for n, d in files.items() if n not in {SIGNATURE, VALUE, *changed.get("leave_out", ())}}
    method, oid = changed.get("method", (SM3, "1.2.156.10197.1.401"))
    references = "".join(
        f'<ofd:Reference FileRef="{changed.get("root", "/")}{n}"><ofd:CheckValue>'
        f"{base64.b64encode(digest(method, d)).decode()}</ofd:CheckValue></ofd:Reference>"
        for n, d in covered.items()
    )
    raw = (
        f'<ofd:Signature xmlns:ofd="{markup.NAMESPACE}"><ofd:SignedInfo><ofd:References CheckMethod="{oid}">'
        f"{references}{changed.get('extra', '')}</ofd:References></ofd:SignedInfo>"
        f"<ofd:SignedValue>{changed.get('value', 'SignedValue.dat')}</ofd:SignedValue></ofd:Signature>"
    ).encode()
    return files | {SIGNATURE: raw, VALUE: paper.sign(digest(SM3, raw))}


def test_our_own_document_is_authenticated_to_the_last_byte(sealed):
    read = read_ofd(sealed)
    (signature,) = read.signatures
    assert paper.accepted(signature)
    assert read.unauthenticated == ()
    assert signature.uncovered == ()
    assert set(signature.covered) == set(read.files) - {SIGNATURE, VALUE}
    assert read.custom == {"ZZBS": paper.IDENTIFIER, "sha256": "00" * 32}
    assert (read.title, signature.kind, signature.method) == ("营业执照", "Seal", SM3)
    assert signature.seal == paper.STAMP.seal
    assert signature.signature_method == "1.2.156.10197.1.501"


def test_no_altered_byte_is_accepted(sealed):
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1 << place % 8
        try:
            read = read_ofd(bytes(altered))
        except FormatError:
            continue
        assert not all(map(paper.accepted, read.signatures)), place


def test_no_altered_content_is_accepted_even_with_its_checksum_mended(files):
    for name, data in files.items():
        for place in range(len(data)):
            altered = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
            try:
                read = read_ofd(pack(files | {name: altered}))
            except FormatError:
                continue
            assert name in {SIGNATURE, VALUE}
            assert not all(map(paper.accepted, read.signatures)), (name, place)


def test_no_shorter_or_longer_container_is_accepted(sealed):
    for size in (*range(0, len(sealed), 97), len(sealed) - 1):
        assert code(sealed[:size])
    for more in (b"\0", sealed):
        assert code(sealed + more)
        assert code(more + sealed)


def test_what_another_program_packed_again_is_told(sealed, files):
    assert code(zipped(files)) == "ofd_not_canonical"
    read = read_ofd(zipped(files), STRANGER)
    assert read.unauthenticated == ("zip",)
    assert read.files == files
    assert paper.accepted(read.signatures[0])


def test_altered_bytes_of_strangers_alter_no_file(files):
    packed = zipped(files)
    for place in range(0, len(packed), 3):
        altered = bytearray(packed)
        altered[place] ^= 1 << place % 8
        try:
            read = read_ofd(bytes(altered), STRANGER)
        except FormatError:
            continue
        assert "zip" in read.unauthenticated
        assert {n: d for n, d in read.files.items() if n != VALUE} == {n: d for n, d in files.items() if n != VALUE}


def test_streamed_containers_and_directories_are_read(files):
    class Stream(io.RawIOBase):
        def __init__(self):
            self.data = b""

        def writable(self):
            return True

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    out = Stream()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("Doc_0")
        for name, data in files.items():
            archive.writestr(name, data)
    assert read_ofd(out.data, STRANGER).files == files


@pytest.mark.parametrize("name", ["Doc_0/Pages/Page_1/Content.xml", "extra.bin", "Doc_0/Signs/Sign_1/Signature.xml"])
def test_an_added_file_is_uncovered(files, name):
    for policy in (OWN, STRANGER):
        assert code(pack(files | {name: b"<a/>"}), policy) == "ofd_uncovered"


def test_a_removed_file_is_missed(files):
    for name in files:
        rest = {n: d for n, d in files.items() if n != name}
        assert code(pack(rest)) == "ofd_file_missing"


def test_exchanged_files_do_not_fit(files):
    one, other = "Doc_0/PublicRes.xml", "Doc_0/DocumentRes.xml"
    assert code(pack(files | {one: files[other], other: files[one]})) == "ofd_digest_differs"


def test_a_signer_who_leaves_a_file_out_is_told(files):
    assert code(pack(resigned(files, leave_out=["Doc_0/Document.xml"]))) == "ofd_uncovered"


def test_without_signature_nothing_is_read(files):
    unsigned = paper.small_files()
    assert code(pack(unsigned)) == "ofd_file_missing"
    plain = unsigned["OFD.xml"].replace(b"<ofd:Signatures>/Doc_0/Signs/Signatures.xml</ofd:Signatures>", b"")
    assert code(pack(unsigned | {"OFD.xml": plain})) == "ofd_unsigned"
    empty = f'<ofd:Signatures xmlns:ofd="{markup.NAMESPACE}"/>'.encode()
    assert code(pack(files | {LIST: empty})) == "ofd_unsigned"


@pytest.mark.parametrize("oid", ["SM3", "1.2.156.10197.1.401"])
@pytest.mark.parametrize("root", ["/", ""])
def test_what_strangers_write_is_understood(files, oid, root):
    read = read_ofd(pack(resigned(files, method=(SM3, oid), root=root)))
    assert paper.accepted(read.signatures[0])


def test_sha256_is_taken_by_policy_only(files):
    other = pack(resigned(files, method=(SHA256, "2.16.840.1.101.3.4.2.1")))
    assert code(other) == "ofd_digest_not_allowed"
    read = read_ofd(other, Policy(frozenset({SM3, SHA256})))
    assert read.signatures[0].digest == hashlib.sha256(read.files[SIGNATURE]).digest()


@pytest.mark.parametrize("oid", ["", "MD5", "1.2.840.113549.2.5", "SHA1", "sm3 "])
def test_other_digests_are_never_taken(files, oid):
    assert code(pack(resigned(files, method=(SM3, oid))), Policy(frozenset({SM3, SHA256}))) == "ofd_digest_not_allowed"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/OFD.xml", "ofd_reference_repeated"),
        ("/none", "ofd_file_missing"),
        ("../x", "ofd_bad_path"),
        ("//OFD.xml", "ofd_bad_path"),
        (f"/{VALUE}", "ofd_reference_to_itself"),
    ],
)
def test_references_that_are_not_plain_are_refused(files, path, expected):
    extra = f'<ofd:Reference FileRef="{path}"><ofd:CheckValue>AA==</ofd:CheckValue></ofd:Reference>'
    assert code(pack(resigned(files, extra=extra))) == expected


def test_digests_are_canonical_base64(files):
    raw = files[SIGNATURE].replace(b"=</ofd:CheckValue>", b"= </ofd:CheckValue>", 1)
    assert read_ofd(pack(files | {SIGNATURE: raw, VALUE: paper.sign(digest(SM3, raw))}))
    for bad in (b"==</ofd:CheckValue>", b"</ofd:CheckValue>", b"=!</ofd:CheckValue>", b"\xc3\xa9</ofd:CheckValue>"):
        raw = files[SIGNATURE].replace(b"=</ofd:CheckValue>", bad, 1)
        assert code(pack(files | {SIGNATURE: raw})) == "base64_not_canonical"


def twice(files):
    second = "Doc_0/Signs/Sign_1/Signature.xml"
    listed = (
        f'<ofd:Signatures xmlns:ofd="{markup.NAMESPACE}"><ofd:Signature ID="1" BaseLoc="Sign_0/Signature.xml"/>'
        '<ofd:Signature ID="2" BaseLoc="Sign_1/Signature.xml"/></ofd:Signatures>'
    ).encode()
    first = resigned(files, leave_out=[LIST]) | {LIST: listed}
    references = "".join(
        f'<ofd:Reference FileRef="/{n}"><ofd:CheckValue>{base64.b64encode(digest(SM3, d)).decode()}</ofd:CheckValue>'
        "</ofd:Reference>"
        for n, d in first.items()
    )
    raw = (
        f'<ofd:Signature xmlns:ofd="{markup.NAMESPACE}"><ofd:SignedInfo><ofd:References CheckMethod="SM3">{references}'
        "</ofd:References></ofd:SignedInfo><ofd:SignedValue>SignedValue.dat</ofd:SignedValue></ofd:Signature>"
    ).encode()
    return first | {second: raw, "Doc_0/Signs/Sign_1/SignedValue.dat": paper.sign(digest(SM3, raw))}


def test_two_signatures(files):
    both = twice(files)
    read = read_ofd(pack(both), STRANGER)
    assert all(map(paper.accepted, read.signatures))
    assert read.unauthenticated == ()
    first, last = read.signatures
    assert set(first.uncovered) == {LIST, "Doc_0/Signs/Sign_1/Signature.xml", "Doc_0/Signs/Sign_1/SignedValue.dat"}
    assert last.uncovered == ()
    assert code(pack(both)) == "ofd_uncovered"
    assert code(pack(both | {"Doc_0/new.xml": b"<a/>"}), STRANGER) == "ofd_uncovered"


@pytest.mark.parametrize(
    "name",
    ["../x", "/x", "a/../../x", "a//b", "a\\b", "C:x", "./x", "a/./b", "a\nb", "a ", "a/b.", "x" * 600, "a\u202eb"],
)
def test_names_that_are_not_plain_paths(files, name):
    assert code(zipped([*files.items(), (name, b"")]), STRANGER) == "ofd_bad_path"


@pytest.mark.parametrize("name", ["OFD.xml", "ofd.XML", "\uff2fFD.xml", "OFD.xml/a"])
def test_names_that_some_reader_takes_for_the_same(files, name):
    assert code(zipped([*files.items(), (name, b"a")]), STRANGER) == "ofd_duplicate_name"


def test_a_symbolic_link(files):
    links = zipped(files, create_system=3, external_attr=(stat.S_IFLNK | 0o777) << 16)
    assert code(links, STRANGER) == "ofd_zip_entry"


@pytest.mark.parametrize(
    "extra", [struct.pack("<2H", 1, 0), struct.pack("<2H", 0x7075, 0), b"\1", struct.pack("<2H", 9, 9)]
)
def test_extra_fields_that_change_names_or_sizes(files, extra):
    assert code(zipped(files, extra=extra), STRANGER) in {"ofd_zip_entry", "ofd_zip_gap"}


def test_an_encrypted_entry(files):
    raw = bytearray(pack(files))
    at = raw.rindex(b"PK\1\2")
    for place in (struct.unpack_from("<L", raw, at + 42)[0] + 6, at + 8):
        raw[place] |= 1
    assert code(bytes(raw), STRANGER) == "ofd_zip_entry"


def test_a_comment_or_data_between_entries(files):
    packed = pack(files)
    end = len(packed) - 22
    assert code(packed[:-2] + b"\1\0x", STRANGER) == "ofd_not_zip"
    start = struct.unpack_from("<L", packed, end + 16)[0]
    gap = packed[:start] + b"x" + packed[start:end] + packed[end : end + 16] + struct.pack("<LH", start + 1, 0)
    assert code(gap, STRANGER) == "ofd_zip_gap"


def test_overlapping_entries(files):
    raw = bytearray(pack(files))
    last = raw.rindex(b"PK\1\2")
    struct.pack_into("<L", raw, last + 42, 0)
    assert code(bytes(raw), STRANGER) == "ofd_zip_gap"


def test_bombs_by_declared_and_by_real_size(files):
    zeros = bytes(container.MAX_ENTRY_BYTES + 1)
    assert code(zipped(files | {"bomb": zeros}), STRANGER) == "ofd_expands_too_far"
    raw = bytearray(zipped(files | {"bomb": bytes(1 << 20)}))
    at = raw.rindex(b"PK\1\2")
    for place in (struct.unpack_from("<L", raw, at + 42)[0] + 22, at + 24):
        struct.pack_into("<L", raw, place, 10)
    assert code(bytes(raw), STRANGER) == "ofd_zip_entry"


def test_many_entries_that_expand_too_far_together(files):
    big = bytes(30 << 20)
    assert code(zipped(files | {f"b{n}": big for n in range(5)}), STRANGER) == "ofd_expands_too_far"


def test_too_many_entries():
    assert code(pack({f"f{n}": b"" for n in range(container.MAX_ENTRIES + 1)}), STRANGER) == "ofd_too_many_entries"


def test_data_behind_compressed_data(files):
    compressor = zlib.compressobj(wbits=-15)
    raw = compressor.compress(b"a") + compressor.flush() + b"hidden"
    head = (20, 0, 8, 0, 0x21, zlib.crc32(b"a"), len(raw), 1, 1, 0)
    local = struct.pack("<4s5H3L2H", b"PK\3\4", *head) + b"a" + raw
    listing = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, *head, 0, 0, 0, 0, 0) + b"a"
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(listing), len(local), 0)
    assert code(local + listing + end, STRANGER) == "ofd_zip_entry"


DOCTYPES = [
    b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
    b'<!DOCTYPE a SYSTEM "http://127.0.0.1/x.dtd"><a/>',
    b'<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><a>&b;</a>',
    "<!DOCTYPE a><a/>".encode("utf-16"),
    "<!DOCTYPE a><a/>".encode("utf-16-le"),
]


@pytest.mark.parametrize("xml", DOCTYPES)
@pytest.mark.parametrize("name", ["OFD.xml", LIST, SIGNATURE, "Doc_0/Pages/Page_0/Content.xml", "Doc_0/other.XML"])
def test_document_types_are_refused_wherever_they_stand(files, name, xml):
    assert code(pack(files | {name: xml})) in {"ofd_xml_doctype", "ofd_xml_invalid"}


NAMED = b'<OFD xmlns="http://www.ofdspec.org/2016">'


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (b"", "ofd_xml_invalid"),
        (NAMED, "ofd_xml_invalid"),
        (b'<?xml version="1.0" encoding="GBK"?><a/>', "ofd_xml_invalid"),
        (NAMED + b"&x;</OFD>", "ofd_xml_invalid"),
        (NAMED + b"<?x y?></OFD>", "ofd_xml_doctype"),
        (NAMED + b'<i:include xmlns:i="http://www.w3.org/2001/XInclude"/></OFD>', "ofd_xml_doctype"),
        (NAMED + b"<a>" * 5000, "ofd_xml_bounds"),
        (NAMED + b"<a/>" * 100_001, "ofd_xml_bounds"),
        (NAMED + b"<DocBody/><DocBody/></OFD>", "ofd_element_repeated"),
        (b"<OFD/>", "ofd_element_missing"),
        (b'<OFD xmlns="http://www.ofdspec.org/2017"><DocBody/></OFD>', "ofd_element_missing"),
    ],
)
def test_xml_that_is_not_plain(files, xml, expected):
    assert code(pack(files | {"OFD.xml": xml})) == expected


def test_text_cut_by_comments_is_read_in_time(files):
    long = b'<OFD xmlns="http://www.ofdspec.org/2016">' + b"a<!---->" * 500_000 + b"</OFD>"
    assert code(pack(files | {"OFD.xml": long})) == "ofd_element_missing"


@given(
    st.dictionaries(
        st.text("abcXYZ019_", min_size=1, max_size=8), st.binary(max_size=40), min_size=1, max_size=6
    ).filter(lambda d: len({n.casefold() for n in d}) == len(d))
)
@settings(max_examples=25, deadline=None)
def test_what_is_packed_is_unpacked(files):
    packed = pack(files)
    read = unpack(packed)
    assert list(read.files.items()) == list(files.items())
    assert read.canonical
    assert pack(read.files) == packed


@given(st.binary(max_size=200))
@settings(max_examples=25, deadline=None)
def test_any_bytes_are_refused_with_a_code(data):
    assert code(data, STRANGER)
    assert code(data + b"PK\5\6" + bytes(18), STRANGER)


def test_reading_needs_neither_fonts_nor_catalogues():
    script = (
        "import sys, licence.ofd.read; "
        "print([m for m in sys.modules if m.split('.')[0] in {'fontTools', 'noto_cjk_sans_otc', 'catalog', 'yaml'}])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
