"""Documents that an accepted signer signed whole, and that are refused for what their metadata or their list say.

Limits are written out here: a test that took them from the module would move with them.
"""

from __future__ import annotations

import base64
import hashlib

import pytest

pytest.importorskip("fontTools", reason="needs the extra `documents`")
pytest.importorskip("noto_cjk_sans_otc", reason="needs the font package of the extra `documents`")

from licence.errors import FormatError
from licence.ofd import markup
from licence.ofd.container import pack, unpack
from licence.ofd.read import OWN, SHA256, SM3, Policy, digest, read_ofd
from tests.licence.ofd import paper
from tests.licence.ofd.test_read import LIST, SIGNATURE, VALUE, code, resigned, zipped

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
    names = [f"n{n}" for n in range(257)]
    assert len(read_ofd(with_data(files, *names[:-1])).custom) == 256
    assert code(with_data(files, *names)) == "ofd_element_repeated"


def test_the_document_that_is_named_must_be_there(files):
    assert code(changed(files, "Doc_0/Document.xml</ofd:DocRoot>", "Doc_0/Other.xml</ofd:DocRoot>")) == (
        code(changed(files, "/Doc_0/Signs/Signatures.xml<", "/Doc_0/Signs/Other.xml<"))
    )


def listing(files, *items):
    entries = "".join(
        "<ofd:Signature"
        + "".join(f' {name}="{value}"' for name, value in zip(("ID", "BaseLoc"), item, strict=False) if value)
        + "/>"
        for item in items
    )
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
    items = [(str(n), f"/Doc_0/Signs/Sign_{n}/Signature.xml") for n in range(65)]
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
    assert read_ofd(changed(files, title, f"<ofd:Title>{'t' * 4096}</ofd:Title>")).title == "t" * 4096
    assert code(changed(files, title, f"<ofd:Title>{'t' * 4097}</ofd:Title>")) == "too_large"


def test_for_our_own_documents_nothing_may_be_unauthenticated(files):
    assert (OWN.canonical, OWN.later_signatures) == (True, False)
    assert code(zipped(files), OWN) == "ofd_not_canonical"
    assert code(pack(resigned(files, leave_out=[LIST])), OWN) == "ofd_uncovered"


def test_what_a_list_leaves_out_is_told_as_empty_or_refused(files):
    here, other = f"/{SIGNATURE}", "/Doc_0/Signs/Sign_1/Signature.xml"
    assert read_ofd(listing(files, ("", here))).signatures[0].identifier == ""
    # No identifier is one as well, of one signature.
    assert code(listing(files, ("", here), ("x", other)), STRANGER) == "ofd_file_missing"
    assert code(listing(files, ("", here), ("", other)), STRANGER) == "ofd_element_repeated"
    assert code(listing(files, ("1", ""))) == "ofd_bad_path"


def test_what_kind_of_signature_it_is_the_list_says(files):
    text = files[LIST].decode()
    assert text.count('Type="Seal"') == 1
    signed = pack(resigned(files | {LIST: text.replace('Type="Seal"', 'Type="Sign"').encode()}))
    assert read_ofd(signed).signatures[0].kind == "Sign"


def test_a_document_without_title_has_none_and_a_datum_without_name_is_refused(files):
    assert read_ofd(changed(files, "<ofd:Title>营业执照</ofd:Title>", "")).title == ""
    nameless = with_data(files, "a")
    text = unpack(nameless).files["OFD.xml"].decode().replace(' Name="a"', "")
    assert code(pack(resigned(files | {"OFD.xml": text.encode()}))) == "ofd_element_repeated"


def with_signature(files, change):
    """Signature.xml changed after all: its value is of something else then, which is not judged here."""
    return pack(files | {SIGNATURE: change(resigned(files)[SIGNATURE].decode()).encode()})


def test_a_reference_names_its_file_and_a_signature_its_digest(files):
    assert code(with_signature(files, lambda text: text.replace(' FileRef="/OFD.xml"', ""))) == "ofd_bad_path"
    for method in ("", ' CheckMethod=""', ' CheckMethod="MD5"', ' CheckMethod="SM4"'):
        changed_one = with_signature(
            files, lambda text, m=method: text.replace(' CheckMethod="1.2.156.10197.1.401"', m)
        )
        assert code(changed_one) == "ofd_digest_not_allowed"


def test_a_provider_without_name_is_told_as_empty(files):
    nameless = with_signature(files, lambda t: t.replace("<ofd:SignedInfo>", "<ofd:SignedInfo><ofd:Provider/>"))
    assert read_ofd(nameless).signatures[0].provider == ""


def other_spellings(text):
    """A digest of 32 bytes in base64 with other bits where two carry nothing, and forms that are none."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = letters.index(text[-2])
    yield text[:-2] + letters[last ^ 1] + "="
    yield text[:-1]
    yield text + "="
    yield text[:4] + "!" + text[4:]
    yield text[:4] + "-" + text[5:]
    yield "?"


def test_a_digest_has_one_spelling(files):
    good = resigned(files)[SIGNATURE].decode()
    value = good.partition("<ofd:CheckValue>")[2].partition("<")[0]
    for other in other_spellings(value):
        assert code(with_signature(files, lambda text, o=other: text.replace(value, o, 1))) == "base64_not_canonical"
    assert code(with_signature(files, lambda text: text.replace(value, "A" * 43 + "=", 1))) == "ofd_digest_differs"


SEAL = "Doc_0/Signs/Sign_0/Seal.esl"


def sealed_apart(files, *, leave_out=()):
    """Signed with the seal in a file of its own, which the signature names and need not cover."""
    made = resigned(files, leave_out=leave_out)
    raw = made[SIGNATURE].decode()
    raw = raw.replace("<ofd:SignedInfo>", "<ofd:SignedInfo><ofd:Seal><ofd:BaseLoc>Seal.esl</ofd:BaseLoc></ofd:Seal>")
    return made | {SIGNATURE: raw.encode()}


def test_a_signature_covers_its_own_seal_whatever_may_be_added_later(files):
    assert read_ofd(pack(sealed_apart(files)), STRANGER).signatures[0].seal == files[SEAL]
    assert code(pack(sealed_apart(files, leave_out=[SEAL])), STRANGER) == "ofd_uncovered"


def signed_twice(files, *, second_leaves_out=()):
    """A second signature with a seal of its own, over all that was there and the list that names both."""
    first = sealed_apart(files, leave_out=[LIST])
    folder = "Doc_0/Signs/Sign_1"
    text = files[LIST].decode()
    entry = text[text.index("<ofd:Signature ") : text.index("/>", text.index("<ofd:Signature ")) + 2]
    second = entry.replace("Sign_0", "Sign_1").replace('ID="1"', 'ID="2"')
    whole = first | {LIST: text.replace(entry, entry + second).encode(), f"{folder}/Seal.esl": files[SEAL]}
    covered = {n: d for n, d in whole.items() if n not in second_leaves_out}
    raw = resigned(covered)[SIGNATURE].decode()
    own = "".join(
        f'<ofd:Reference FileRef="/{n}"><ofd:CheckValue>{base64.b64encode(digest(SM3, whole[n])).decode()}'
        "</ofd:CheckValue></ofd:Reference>"
        for n in (SIGNATURE, VALUE)
        if n not in second_leaves_out
    )
    raw = raw.replace("</ofd:References>", own + "</ofd:References>")
    raw = raw.replace("<ofd:SignedInfo>", "<ofd:SignedInfo><ofd:Seal><ofd:BaseLoc>Seal.esl</ofd:BaseLoc></ofd:Seal>")
    return pack(whole | {f"{folder}/Signature.xml": raw.encode(), f"{folder}/SignedValue.dat": b"value"})


def test_what_later_signatures_added_an_earlier_one_may_leave_out_and_nothing_else(files):
    first, second = read_ofd(signed_twice(files), STRANGER).signatures
    added = {LIST, *(f"Doc_0/Signs/Sign_1/{name}" for name in ("Signature.xml", "SignedValue.dat", "Seal.esl"))}
    assert (set(first.uncovered), second.uncovered) == (added, ())
    for name in (SIGNATURE, VALUE, SEAL):
        assert code(signed_twice(files, second_leaves_out=[name]), STRANGER) == "ofd_uncovered"
    assert code(signed_twice(files)) == "ofd_uncovered"
