"""Documents that an accepted signer signed whole, and that are refused for what their metadata or their list say."""

from __future__ import annotations

import hashlib

import pytest

pytest.importorskip("fontTools", reason="needs the extra `documents`")
pytest.importorskip("noto_cjk_sans_otc", reason="needs the font package of the extra `documents`")

from licence.errors import FormatError
from licence.ofd import markup
from licence.ofd.container import pack, unpack
from licence.ofd.read import MAX_CUSTOM_DATA, MAX_SIGNATURES, MAX_TEXT, OWN, SHA256, SM3, Policy, digest, read_ofd
from tests.licence.ofd import paper
from tests.licence.ofd.test_read import LIST, SIGNATURE, code, resigned, zipped

STRANGER = Policy()


@pytest.fixture(scope="module")
def files():
    return dict(unpack(paper.sealed()).files)


def changed(files, old, new, name="OFD.xml"):
    text = files[name].decode()
    assert text.count(old) == 1
    return pack(resigned(files | {name: text.replace(old, new).encode()}))


def data(*names):
    return "".join(f'<ofd:CustomData Name="{name}">v</ofd:CustomData>' for name in names)


def with_data(files, *names):
    text = files["OFD.xml"].decode()
    start, end = text.index("<ofd:CustomDatas>"), text.index("</ofd:CustomDatas>") + len("</ofd:CustomDatas>")
    return changed(files, text[start:end], f"<ofd:CustomDatas>{data(*names)}</ofd:CustomDatas>" if names else "")


def test_a_document_signed_again_is_read(files):
    read = read_ofd(pack(resigned(files)))
    (signature,) = read.signatures
    assert read.unauthenticated == ()
    assert signature.seal is None
    # Neither who signed by which program nor when is said in this one, and that is told as empty.
    assert (signature.provider, signature.signed_at, signature.signature_method) == ("", "", "")


def test_a_datum_has_a_name_of_its_own(files):
    assert read_ofd(with_data(files, "a", "b")).custom == {"a": "v", "b": "v"}
    for names in (("a", "a"), ("a", ""), ("",)):
        assert code(with_data(files, *names)) == "ofd_element_repeated"


def test_a_document_without_data_has_none(files):
    assert read_ofd(with_data(files)).custom == {}


def test_as_many_data_are_read_as_the_limit_and_no_more(files):
    names = [f"n{n}" for n in range(MAX_CUSTOM_DATA + 1)]
    assert len(read_ofd(with_data(files, *names[:-1])).custom) == MAX_CUSTOM_DATA
    assert code(with_data(files, *names)) == "ofd_element_repeated"


def test_the_document_that_is_named_must_be_there(files):
    assert code(changed(files, "Doc_0/Document.xml</ofd:DocRoot>", "Doc_0/Other.xml</ofd:DocRoot>")) == (
        code(changed(files, "/Doc_0/Signs/Signatures.xml<", "/Doc_0/Signs/Other.xml<"))
    )


def listing(files, *items):
    entries = "".join(f'<ofd:Signature ID="{identifier}" BaseLoc="{where}"/>' for identifier, where in items)
    text = f'<ofd:Signatures xmlns:ofd="{markup.NAMESPACE}">{entries}</ofd:Signatures>'
    return pack(resigned(files | {LIST: text.encode()}))


def test_each_signature_is_listed_once_and_under_an_identifier_of_its_own(files):
    here = f"/{SIGNATURE}"
    assert read_ofd(listing(files, ("1", here))).signatures[0].kind == "Seal"
    assert code(listing(files, ("1", here), ("2", here)), STRANGER) == "ofd_element_repeated"
    assert code(listing(files, ("1", here), ("1", "/Doc_0/Signs/Sign_1/Signature.xml")), STRANGER) == (
        "ofd_element_repeated"
    )


def test_more_signatures_than_the_limit_are_not_looked_at(files):
    items = [(str(n), f"/Doc_0/Signs/Sign_{n}/Signature.xml") for n in range(MAX_SIGNATURES + 1)]
    assert code(listing(files, *items), STRANGER) == "ofd_too_many_signatures"
    assert code(listing(files, *items[:-1]), STRANGER) != "ofd_too_many_signatures"


def test_our_own_policy_takes_neither_another_container_nor_a_later_signature(files):
    stranger = zipped(files)
    assert code(stranger) == "ofd_not_canonical"
    assert read_ofd(stranger, STRANGER).unauthenticated == ("zip",)
    strict = Policy(later_signatures=False)
    left_out = pack(resigned(files, leave_out=[LIST]))
    assert read_ofd(left_out, STRANGER).signatures[0].uncovered == (LIST,)
    with pytest.raises(FormatError) as caught:
        read_ofd(left_out, strict)
    assert (caught.value.code, caught.value.finding_params["first"]) == ("ofd_uncovered", LIST)


def test_a_digest_is_that_of_its_name():
    assert digest(SHA256, b"abc") == hashlib.sha256(b"abc").digest()
    assert digest(SM3, b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_what_a_signature_says_of_its_making_is_told(files):
    (signature,) = read_ofd(paper.sealed()).signatures
    assert (signature.provider, signature.signed_at) == ("zhengtong", "20260301080000Z")
    assert (signature.identifier, signature.signature_method) == ("1", "1.2.156.10197.1.501")
    assert signature.seal == files["Doc_0/Signs/Sign_0/Seal.esl"]


def test_a_text_is_as_long_as_the_limit_and_no_longer(files):
    title = "<ofd:Title>营业执照</ofd:Title>"
    assert read_ofd(changed(files, title, f"<ofd:Title>{'t' * MAX_TEXT}</ofd:Title>")).title == "t" * MAX_TEXT
    assert code(changed(files, title, f"<ofd:Title>{'t' * (MAX_TEXT + 1)}</ofd:Title>")) == "too_large"


def test_for_our_own_documents_nothing_may_be_unauthenticated():
    assert (OWN.canonical, OWN.later_signatures) == (True, False)
