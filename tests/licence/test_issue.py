from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import credential
from licence.credential import Disclosure
from licence.errors import FactsIncompleteError, FormatError, IssueRefusedError
from licence.identifiers import mint
from licence.issue import salts_needed
from tests.licence import world as w


def test_sealed_licence(sealed):
    parsed = credential.parse(sealed.credential)
    assert parsed.jti == sealed.identifier
    assert parsed.digest == sealed.digest
    assert parsed.compact() == sealed.credential
    assert parsed.claims["CZZTDM"] == w.FACTS["citizen_id"]
    assert parsed.claims["CZZTDMLX"] == "公民身份号码"
    assert parsed.claims["ZZBFRQ"] == "2025-03-01"
    assert sealed.log_facts()["status"] == {"uri": w.STATUS_URI, "idx": w.IDX}


def test_nothing_personal_stands_in_the_signed_part(sealed):
    payload = credential.parse(sealed.credential).jws.payload
    assert set(payload) == {"iss", "jti", "iat", "nbf", "exp", "vct", "status", "_sd", "_sd_alg"}
    for value in (w.FACTS["citizen_id"], w.FACTS["name"]):
        assert value not in str(payload)


def test_digest_does_not_depend_on_what_is_shown(sealed):
    parsed = credential.parse(sealed.credential)
    assert credential.parse(parsed.present(["ZZMC"])).digest == sealed.digest


def test_other_salts_hide_the_same_facts_differently(world, sealed):
    other = w.seal(world.agriculture, salts=w.salts("other"))
    ours, theirs = (set(credential.parse(s.credential).jws.payload["_sd"]) for s in (sealed, other))
    assert not ours & theirs


@pytest.mark.parametrize("field", ["citizen_id", "name", "vehicle_class"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_empty_required_fields_refuse_without_naming_values(world, field, value):
    with pytest.raises(FactsIncompleteError) as caught:
        w.seal(world.agriculture, facts=w.FACTS | {field: value})
    assert f"`{field}`" in caught.value.text("zh")
    assert "王小明" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"salts": w.salts("x", 3)}, "bad_salts"),
        ({"salts": [b"same-same-same-16"] * 40}, "bad_salts"),
        ({"salts": [bytes([i]) * 15 for i in range(40)]}, "bad_salts"),
        ({"valid_until": w.ISSUED}, "licence_validity_empty"),
        ({"issued_at": w.ISSUED.replace(tzinfo=None)}, "time_not_aware"),
        (
            {"identifier": mint(type_code=w.KIND.code, issuer=w.FORESTRY, serial="1")},
            "identifier_of_other_issuer",
        ),
        (
            {"identifier": mint(type_code=w.DEFINER + "999", issuer=w.AGRICULTURE, serial="1")},
            "identifier_of_other_kind",
        ),
    ],
)
def test_contradictions_are_refused(world, changes, code):
    with pytest.raises(IssueRefusedError) as caught:
        w.seal(world.agriculture, **changes)
    assert caught.value.code == code
    assert caught.value.text("zh")


def test_salts_needed_is_enough(world):
    facts = w.FACTS | {"address": "某县某乡"}
    assert w.seal(world.agriculture, facts=facts, salts=w.salts("n", salts_needed(w.KIND)))
    with pytest.raises(IssueRefusedError):
        w.seal(world.agriculture, facts=facts, salts=w.salts("n", salts_needed(w.KIND) - 1))


NAMES = st.from_regex(r"KZ_[A-Z0-9]{1,10}", fullmatch=True)


@settings(deadline=None)
@given(NAMES, st.text(max_size=30).filter(lambda t: t.isprintable()) | st.booleans(), st.binary(min_size=16))
def test_disclosures_read_back(name, value, salt):
    made = Disclosure.make(name, value, salt)
    assert Disclosure.parse(made.encoded) == made


@settings(deadline=None, max_examples=40)
@given(claims=st.dictionaries(NAMES, st.text("中文ab ", max_size=10), max_size=12), data=st.data())
def test_any_subset_is_shown_exactly(claims, data, world):
    sealed = credential.seal(
        world.agriculture,
        jti="j",
        vct="v",
        issued_at=1,
        not_before=1,
        expires_at=None,
        status=w.StatusRef("u", 0),
        claims=list(claims.items()),
        salts=w.salts("p"),
    )
    parsed = credential.parse(sealed)
    assert parsed.claims == claims
    shown = data.draw(st.sets(st.sampled_from(sorted(claims))) if claims else st.just(set()))
    part = credential.parse(parsed.present(shown))
    assert part.claims == {n: v for n, v in claims.items() if n in shown}
    assert part.withheld == len(claims) - len(shown)


@pytest.mark.parametrize("claims", [[("exp", "1")], [("_sd", "1")], [("...", "1")], [("A", "1"), ("A", "2")]])
def test_reserved_or_repeated_claims_are_refused(world, claims):
    with pytest.raises(IssueRefusedError):
        credential.seal(
            world.agriculture,
            jti="j",
            vct="v",
            issued_at=1,
            not_before=1,
            expires_at=None,
            status=w.StatusRef("u", 0),
            claims=claims,
            salts=w.salts("p"),
        )


@settings(deadline=None)
@given(st.text(max_size=60))
def test_parsing_raises_format_errors_only(text):
    with pytest.raises(FormatError):
        credential.parse(text)
    with pytest.raises(FormatError):
        Disclosure.parse(text)
