from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import CatalogError, IdentifierError
from catalog.identifiers import (
    USCC_ALPHABET,
    check_citizen_id,
    check_uscc,
    citizen_id_check_char,
    make_citizen_id,
    make_uscc,
    org_code_check_char,
    uscc_check_char,
)

from .strategies import usccs

# Codes of authorities as they stand in published licence identifiers (types and issuers of GB/T 36904 identifiers).
PUBLISHED = ["11100000000013338W", "11430000006122244L", "11330105002500287C", "11220000013544541J"]
# The worked example of GB 11643-1999.
PUBLISHED_ID = "11010519491231002X"


@pytest.mark.parametrize("code", PUBLISHED)
def test_published_codes_hold(code):
    assert check_uscc(code) == code
    assert uscc_check_char(code[:17]) == code[17]
    assert org_code_check_char(code[8:16]) == code[16]
    assert make_uscc(code[:17]) == code


def test_the_published_citizen_id_holds():
    assert check_citizen_id(PUBLISHED_ID) == PUBLISHED_ID
    assert citizen_id_check_char(PUBLISHED_ID[:17]) == "X"
    assert make_citizen_id("110105", date(1949, 12, 31), 2) == PUBLISHED_ID


def test_full_width_small_letters_and_space_are_normalised():
    assert check_uscc(" １１１０００００００００１３３３８ｗ\t") == "11100000000013338W"
    assert check_citizen_id("11010519491231002x") == PUBLISHED_ID


@given(usccs(), st.integers(0, 17), st.sampled_from(USCC_ALPHABET))
def test_every_single_wrong_character_of_a_uscc_is_found(code, position, char):
    wrong = code[:position] + char + code[position + 1 :]
    if wrong == code:
        assert check_uscc(wrong) == code
    else:
        with pytest.raises(IdentifierError):
            check_uscc(wrong)


@given(
    st.from_regex(r"[1-9][0-9]{5}", fullmatch=True),
    st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    st.integers(0, 999),
    st.integers(0, 17),
    st.sampled_from("0123456789"),
)
def test_every_single_wrong_digit_of_a_citizen_id_is_found(division, birth, sequence, position, char):
    number = make_citizen_id(division, birth, sequence)
    assert check_citizen_id(number) == number
    wrong = number[:position] + char + number[position + 1 :]
    if wrong != number:
        with pytest.raises(IdentifierError):
            check_citizen_id(wrong)


def _why(call, *args):
    with pytest.raises(IdentifierError) as caught:
        call(*args)
    return caught.value.why


def test_each_kind_of_mistake_is_told():
    assert _why(check_uscc, "1110000000001333") == "length"
    assert _why(check_uscc, "11100000000013338V") == "alphabet"
    assert _why(check_uscc, "11100000000013338X") == "check_char"
    assert _why(check_uscc, "1110000000001333OW") == "alphabet"
    assert _why(make_uscc, "11A00000000013338") == "alphabet"
    assert _why(make_uscc, "11100000000013339") == "org_code"
    assert _why(org_code_check_char, "0000133a") == "alphabet"
    assert _why(check_citizen_id, "110105194912310021") == "check_char"
    assert _why(check_citizen_id, "11010519491231002A") == "alphabet"
    assert _why(check_citizen_id, "1101051949123100二X") == "alphabet"
    body = "11010519490230002"
    assert _why(check_citizen_id, body + citizen_id_check_char(body)) == "date"
    assert _why(make_citizen_id, "110105", date(1949, 12, 31), 1000) == "sequence"
    assert _why(make_citizen_id, "11010", date(1949, 12, 31), 1) == "length"
    assert _why(make_citizen_id, "110105", date(949, 12, 31), 1) == "date"


@pytest.mark.parametrize("wrong", ["110105194912310021", "91999999999999999X", "11010519491331002X"])
def test_no_message_holds_the_identifier(wrong):
    for check in (check_uscc, check_citizen_id):
        with pytest.raises(CatalogError) as caught:
            check(wrong)
        for text in (str(caught.value), caught.value.text("zh"), caught.value.text("en")):
            assert wrong[:8] not in text
            assert wrong[-8:] not in text
