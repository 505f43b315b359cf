from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import identifiers as catalog_identifiers
from catalog.errors import IdentifierError as CatalogIdentifierError
from licence.errors import IdentifierError, PersonCodeError
from licence.identifiers import ALPHABET, LicenceIdentifier, check_char, mint
from licence.persons import (
    USCC_ALPHABET,
    check_citizen_id,
    check_holder_code,
    check_organisation_code,
    check_uscc,
)
from tests.licence.independent import InvalidError, read_identifier

ROOT = "1.2.156.3005.2"
# Identifiers of real licences and samples in published interface descriptions (a housing ministry's profile for safety
# officers' certificates, a provincial investment platform's public notices, a construction permit).
PUBLISHED = [
    f"{ROOT}.11100000000013338W011.11430000006122244L.20230000403.001.U",
    f"{ROOT}.11100000000013338W011.11430000006122244L.20230000403.002.S",
    f"{ROOT}.11100000000013338W009.11330105002500287C.2025052201.002.0",
    f"{ROOT}.11100000000013338W032.11220000013544541J.2430599.001.F",
]
# ISO 7064 hybrid MOD 37,36: GRid samples used by public test suites (python-stdnum and others).
ISO_7064 = ["A12425GABC1234002M", "B159D8FA01240000K", "188166C7342000003"]
# The vendor's rule (A = 11) applied to the published parts above.
VENDOR = {0: "D", 1: "B", 2: "I", 3: "M"}

parts = st.tuples(
    st.text(ALPHABET, min_size=21, max_size=21),
    st.text(ALPHABET, min_size=18, max_size=18),
    st.text(ALPHABET, min_size=1, max_size=64),
    st.integers(1, 999),
)


def code_of(text):
    with pytest.raises(IdentifierError) as caught:
        LicenceIdentifier.parse(text)
    assert caught.value.text("zh")
    assert caught.value.text("en")
    return caught.value.code


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_identifiers_hold(text):
    assert str(LicenceIdentifier.parse(text)) == text
    assert read_identifier(text)


@pytest.mark.parametrize("text", ISO_7064)
def test_iso_7064_vectors(text):
    assert check_char(text[:-1]) == text[-1]


def test_parts_of_a_published_identifier():
    found = LicenceIdentifier.parse(PUBLISHED[1])
    assert found == mint(
        type_code="11100000000013338W011", issuer="11430000006122244L", serial="20230000403", version=2
    )
    assert found.check == "S"


@pytest.mark.parametrize("number", VENDOR)
def test_vendor_check_character_is_named_and_refused(number):
    text = PUBLISHED[number][:-1] + VENDOR[number]
    assert code_of(text) == "identifier_vendor_check"
    with pytest.raises(IdentifierError, match=PUBLISHED[number][-1]):
        LicenceIdentifier.parse(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        # Issuer as a 6-digit division, from a municipal system's published test code.
        (f"{ROOT}.11100000MB03271699022.340100.000000016.001.9", "identifier_region_issuer"),
        (PUBLISHED[0].replace("3005", "3003"), "identifier_foreign_root"),
        (f"{ROOT}.11100000000013338W011.11430000006122244L.fce904468949.001.U", "identifier_lower_case_serial"),
        (PUBLISHED[0][:-1] + "V", "identifier_bad_check"),
        (PUBLISHED[0][:-1], "identifier_bad_check"),
        (PUBLISHED[0].lower(), "identifier_bad_characters"),
        (PUBLISHED[0] + " ", "identifier_bad_check"),
        (PUBLISHED[0] + ".1", "identifier_bad_shape"),
        (PUBLISHED[0].replace(".001.", ".000."), "identifier_bad_version"),
        (PUBLISHED[0].replace(".001.", ".1.", 1), "identifier_bad_version"),
        (PUBLISHED[0].replace(".001.", ".００１.", 1), "identifier_bad_version"),
        (PUBLISHED[0].replace("1.2.156", "1.2.157"), "identifier_bad_root"),
        (PUBLISHED[0].replace("W011", "W01"), "identifier_bad_length"),
        (f"{ROOT}.11100000000013338W011.11430000006122244L..001.U", "identifier_bad_characters"),
        ("", "identifier_bad_root"),
        (ROOT + "." + "9" * 500, "identifier_bad_shape"),
    ],
)
def test_deviations_are_named_and_refused(text, code):
    assert code_of(text) == code


@settings(deadline=None)
@given(parts)
def test_what_is_minted_reads_back(p):
    type_code, issuer, serial, version = p
    found = mint(type_code=type_code, issuer=issuer, serial=serial, version=version)
    assert LicenceIdentifier.parse(str(found)) == found
    assert read_identifier(str(found))


@settings(deadline=None)
@given(parts, st.data())
def test_any_single_wrong_character_is_caught(p, data):
    # The promise of ISO 7064: every single substitution is detected.
    text = str(mint(type_code=p[0], issuer=p[1], serial=p[2], version=p[3]))
    at = data.draw(st.sampled_from([i for i, c in enumerate(text) if i > len(ROOT) and c != "."]))
    other = data.draw(st.sampled_from(sorted(set(ALPHABET) - {text[at]})))
    with pytest.raises(IdentifierError):
        LicenceIdentifier.parse(text[:at] + other + text[at + 1 :])


@settings(deadline=None)
@given(st.text(max_size=120) | st.text(ALPHABET + ".", max_size=120).map(lambda t: f"{ROOT}.{t}"))
def test_parsing_agrees_with_the_independent_reader(text):
    try:
        found = str(LicenceIdentifier.parse(text))
    except IdentifierError:
        with pytest.raises(InvalidError):
            read_identifier(text)
    else:
        assert found == text


def test_check_char_refuses_what_it_cannot_value():
    for text in ("", "a", "A.B", "１"):
        with pytest.raises(IdentifierError):
            check_char(text)


def test_published_check_characters_by_every_change_and_every_swap():
    # ISO 7064 hybrid systems detect every substitution, and nearly every swap of neighbours: here one in 109 escapes.
    escaped, swaps = [], 0
    for text in PUBLISHED:
        payload = "".join(text[len(ROOT) + 1 : -2].split("."))
        for i, c in enumerate(payload):
            for other in set(ALPHABET) - {c}:
                assert check_char(payload[:i] + other + payload[i + 1 :]) != text[-1]
        for i in range(len(payload) - 1):
            if payload[i] != payload[i + 1]:
                swaps += 1
                if check_char(payload[:i] + payload[i + 1] + payload[i] + payload[i + 2 :]) == text[-1]:
                    escaped.append((text, payload[i : i + 2]))
    assert (swaps, escaped) == (109, [(PUBLISHED[3], "54")])


# --- codes of organisations and persons (GB 32100, GB 11714, GB 11643) ------------------------------------------------

# Published: the codes in the identifiers above; the sample of GB 11643.
USCC = ["11100000000013338W", "11430000006122244L", "11330105002500287C", "11220000013544541J", "11100000MB03271699"]
CITIZEN = "11010519491231002X"


def person_code(check, text):
    with pytest.raises(PersonCodeError) as caught:
        check(text)
    assert caught.value.text("zh")
    assert not text or text not in caught.value.text("en") + caught.value.text("zh")
    return caught.value.code


@pytest.mark.parametrize("text", USCC)
def test_published_usccs_hold(text):
    assert check_uscc(text) == text
    assert check_organisation_code(text[8:17]) == text[8:17]


@pytest.mark.parametrize("text", USCC)
def test_a_uscc_detects_every_change_and_every_swap(text):
    # 31 is a prime and no two neighbouring weights are alike: nothing of the kind escapes.
    for i, c in enumerate(text):
        for other in set(USCC_ALPHABET) - {c}:
            person_code(check_uscc, text[:i] + other + text[i + 1 :])
    for i in range(len(text) - 1):
        if text[i] != text[i + 1]:
            person_code(check_uscc, text[:i] + text[i + 1] + text[i] + text[i + 2 :])


def test_a_citizen_id_detects_every_change_and_every_swap():
    assert check_citizen_id(CITIZEN) == CITIZEN
    for i, c in enumerate(CITIZEN):
        for other in set("0123456789" + "X" * (i == 17)) - {c}:
            person_code(check_citizen_id, CITIZEN[:i] + other + CITIZEN[i + 1 :])
    for i in range(17):
        if CITIZEN[i] != CITIZEN[i + 1]:
            person_code(check_citizen_id, CITIZEN[:i] + CITIZEN[i + 1] + CITIZEN[i] + CITIZEN[i + 2 :])


def test_the_organisation_code_inside_is_examined():
    # The outer check character is made to hold again: only the inner one tells.
    body = "11100000000013339"
    text = body + catalog_identifiers.uscc_check_char(body)
    assert person_code(check_uscc, text) == "person_code_organisation"
    assert check_organisation_code("00001333" + "8") == "000013338"
    assert person_code(check_organisation_code, "000013339") == "person_code_check"
    assert person_code(check_organisation_code, "0000a3338") == "person_code_characters"


@pytest.mark.parametrize(
    ("check", "text", "code"),
    [
        (check_uscc, "", "person_code_length"),
        (check_uscc, USCC[0] + " ", "person_code_length"),
        (check_uscc, USCC[0].lower(), "person_code_characters"),
        (check_uscc, "１" + USCC[0][1:], "person_code_characters"),
        (check_uscc, USCC[0].replace("W", "I"), "person_code_characters"),
        (check_uscc, "1110000A" + USCC[0][8:], "person_code_characters"),
        (check_citizen_id, CITIZEN[:-1] + "x", "person_code_characters"),
        (check_citizen_id, CITIZEN[:5] + "X" + CITIZEN[6:], "person_code_characters"),
        (check_citizen_id, "110105491231002", "person_code_length"),
        (check_citizen_id, CITIZEN[:-1] + "\n", "person_code_characters"),
        (check_citizen_id, "11010519490231002X", "person_code_date"),
        (check_citizen_id, "11010500001231002X", "person_code_date"),
        (check_citizen_id, "110105194912310021", "person_code_check"),
    ],
)
def test_what_no_code_is(check, text, code):
    assert person_code(check, text) == code


def test_a_holder_code_is_judged_by_its_type():
    assert check_holder_code("001", USCC[0]) == USCC[0]
    assert check_holder_code("111", CITIZEN) == CITIZEN
    assert check_holder_code("414", "E12345678") == "E12345678"
    for code_type, text in (("001", CITIZEN), ("111", USCC[0])):
        with pytest.raises(PersonCodeError):
            check_holder_code(code_type, text)


@settings(deadline=None, max_examples=25)
@given(st.text(USCC_ALPHABET, min_size=18, max_size=18) | st.text("0123456789X", min_size=18, max_size=18))
def test_the_two_readers_of_codes_agree(text):
    for ours, theirs in (
        (check_uscc, catalog_identifiers.check_uscc),
        (check_citizen_id, catalog_identifiers.check_citizen_id),
    ):
        try:
            theirs(text)
        except CatalogIdentifierError:
            with pytest.raises(PersonCodeError):
                ours(text)
        else:
            assert ours(text) == text
