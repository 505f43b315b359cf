from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from licence import credential, jose
from licence.errors import FormatError, WalletCallError
from licence.report import Verdict
from licence.wallet import vp
from licence.wallet.holder import Wallet
from licence.wallet.vp import ClaimQuery, CredentialQuery, PresentationRequest
from tests.licence import world as w

VCT = "zhengtong-licence-kind/" + w.KIND.code
ADULTS = replace(w.KIND, predicates=("age_over_18",))
QUERY = CredentialQuery("licence", (VCT,), (ClaimQuery("age_over_18", (True,)),))
HOLDER = Wallet(w.private_key("holder"))


@pytest.fixture(scope="module")
def held(world):
    return w.seal(world.agriculture, kind=ADULTS, holder=HOLDER.public_key)


def ask(world, *queries, **changes):
    arguments = {
        "client_id": vp.client_id_of(world.forestry),
        "response_uri": "https://forestry.city.example/answer",
        "nonce": "nonce-0123456789abcdefghij",
        "state": "state-0123456789abcdefghij",
        "queries": queries or (QUERY,),
    } | changes
    return PresentationRequest(**arguments)


def answer(request, *sealed, wallet=HOLDER):
    return wallet.answer(request.payload(), [s.credential for s in sealed], at=w.AT)


def judge(world, request, body, sealed=None, **changes):
    token = w.status_token(world.status_key)
    evidence = {sealed.identifier: w.bundle_of(world, sealed, token)} if sealed else {}
    return vp.judge(request, body, **{"trust": world.trust, "at": w.AT, "evidence": evidence} | changes)


def refused(world, request, body, **changes):
    with pytest.raises(FormatError) as caught:
        judge(world, request, body, **changes)
    assert caught.value.text("zh")
    return caught.value.code


def with_token(body, change):
    form = {k: v[0] for k, v in parse_qs(body.decode()).items()}
    form["vp_token"] = json.dumps(change(json.loads(form["vp_token"])))
    return urlencode(form).encode()


def test_over_18_and_nothing_else(world, held):
    request = ask(world)
    found = judge(world, request, answer(request, held), held)
    assert found.verdict is Verdict.PASSED
    assert [s.claims for s in found.shown] == [{"age_over_18": True}]
    assert found.shown[0].holder_bound
    assert found.shown[0].report.licence["claims"] == {"age_over_18": True}


def test_without_evidence_nobody_can_say(world, held):
    request = ask(world)
    found = judge(world, request, answer(request, held))
    assert found.verdict is Verdict.INDETERMINATE
    assert found.shown[0].report.sub_indication == "LOG_PROOF_MISSING"


def test_evidence_of_another_licence(world, held):
    request = ask(world)
    other = w.seal(world.agriculture, salts=w.salts("other"))
    assert other.identifier == held.identifier
    assert judge(world, request, answer(request, held), other).verdict is Verdict.FAILED


def test_revoked(world, held):
    request = ask(world)
    revoked = w.status_token(world.status_key, 1, w.ISSUED + timedelta(hours=1))
    found = judge(world, request, answer(request, held), held, status_tokens=[revoked])
    assert found.verdict is Verdict.FAILED


def test_request_object(world):
    request = ask(world)
    text = request.signed(world.forestry)
    parsed = jose.parse_compact(text, typ="oauth-authz-req+jwt", max_bytes=65536, what="request")
    jose.verify(parsed, world.forestry.public_key, ["ecdsa-p256-sha256"])
    assert parsed.payload["response_mode"] == "direct_post"
    assert parsed.payload["response_type"] == "vp_token"
    assert parsed.payload["dcql_query"] == {
        "credentials": [
            {
                "id": "licence",
                "format": "dc+sd-jwt",
                "meta": {"vct_values": [VCT]},
                "claims": [{"path": ["age_over_18"], "values": [True]}],
            }
        ]
    }
    with pytest.raises(WalletCallError):
        request.signed(world.agriculture)


def test_public_licence_without_binding(world, sealed):
    query = CredentialQuery("shop", (VCT,), (ClaimQuery("ZZMC"),), holder_binding=False)
    request = ask(world, query)
    assert request.payload()["dcql_query"]["credentials"][0]["require_cryptographic_holder_binding"] is False
    found = judge(world, request, answer(request, sealed), sealed)
    assert found.verdict is Verdict.PASSED
    assert not found.shown[0].holder_bound


def test_binding_that_is_there_must_be_right(world, held):
    query = CredentialQuery("shop", (VCT,), (ClaimQuery("ZZMC"),), holder_binding=False)
    request = ask(world, query)
    text = HOLDER.present(held.credential, ["ZZMC"], nonce="other", audience=request.client_id, at=w.AT)
    body = with_token(answer(request, held), lambda _: {"shop": [text]})
    assert refused(world, request, body) == "binding_other_request"


def test_binding_is_demanded(world, held, sealed):
    request = ask(world)
    bare = credential.parse(held.credential).present(["age_over_18"])
    body = with_token(answer(request, held), lambda _: {"licence": [bare]})
    assert refused(world, request, body) == "binding_missing"
    request = ask(world, CredentialQuery("a", (VCT,), (ClaimQuery("ZZMC"),)))
    assert refused(world, request, answer(request, sealed)) == "binding_no_key"


def test_replays(world, held):
    first = ask(world)
    body = answer(first, held)
    assert refused(world, ask(world, nonce="another-nonce-0123456789ab"), body) == "binding_other_request"
    assert refused(world, ask(world, state="another-state-0123456789ab"), body) == "vp_other_session"
    assert refused(world, ask(world, client_id="x509_hash:other"), body) == "binding_other_verifier"
    assert refused(world, first, body, at=w.AT + timedelta(hours=1)) == "jwt_not_fresh"


def test_thief_with_a_copy(world, held):
    request = ask(world)
    body = answer(request, held, wallet=Wallet(w.private_key("thief")))
    with pytest.raises(FormatError) as caught:
        judge(world, request, body)
    assert caught.value.sub_indication == "SIG_CRYPTO_FAILURE"


def shows(held, names, request):
    return HOLDER.present(held.credential, names, nonce=request.nonce, audience=request.client_id, at=w.AT)


@pytest.mark.parametrize(
    ("names", "code"), [([], "vp_not_answered"), (["age_over_18", "CZZT"], "vp_not_asked"), (["CZZT"], "vp_not_asked")]
)
def test_too_little_or_too_much(world, held, names, code):
    request = ask(world)
    body = with_token(answer(request, held), lambda _: {"licence": [shows(held, names, request)]})
    assert refused(world, request, body) == code


def test_other_kind_and_other_value(world, held):
    request = ask(world)
    body = answer(request, held)
    other = CredentialQuery("licence", ("zhengtong-licence-kind/other",), (ClaimQuery("age_over_18"),))
    assert refused(world, ask(world, other), body) == "vp_other_kind"
    texts = CredentialQuery("licence", (VCT,), (ClaimQuery("age_over_18", ("true", "1")),))
    assert refused(world, ask(world, texts), body) == "vp_value_differs"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda _: {}, "vp_not_answered"),
        (lambda _: [], "vp_response_malformed"),
        (lambda t: t | {"other": t["licence"]}, "vp_not_asked"),
        (lambda t: {"licence": t["licence"] * 2}, "vp_not_asked"),
        (lambda t: {"licence": t["licence"][0]}, "vp_response_malformed"),
        (lambda _: {"licence": []}, "vp_response_malformed"),
        (lambda _: {"licence": [{}]}, "vp_response_malformed"),
        (lambda _: {"licence": ["x"]}, "not_sd_jwt"),
    ],
)
def test_malformed_tokens(world, held, change, code):
    request = ask(world)
    assert refused(world, request, with_token(answer(request, held), change)) == code


def test_declined(world):
    request = ask(world)
    body = urlencode({"error": "access_denied", "state": request.state}).encode()
    assert refused(world, request, body) == "vp_declined"
    assert refused(world, request, b"error=access_denied") == "vp_other_session"
    assert refused(world, request, urlencode({"state": request.state}).encode()) == "vp_response_malformed"


def test_two_queries(world, held):
    second = CredentialQuery("name", (VCT,), (ClaimQuery("CZZT"),))
    request = ask(world, QUERY, second)
    found = judge(world, request, answer(request, held), held)
    assert [(s.query, set(s.claims)) for s in found.shown] == [("licence", {"age_over_18"}), ("name", {"CZZT"})]
    assert found.verdict is Verdict.PASSED


def test_an_empty_judgement_is_no_pass():
    assert vp.Judgement(()).verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "short"},
        {"state": "spaces are not allowed here"},
        {"state": "nonce-0123456789abcdefghij"},
        {"client_id": ""},
        {"response_uri": "http://a.example"},
        {"queries": ()},
        {"queries": (QUERY, QUERY)},
        {"queries": (replace(QUERY, id="a b"),)},
        {"queries": (replace(QUERY, vct_values=()),)},
        {"queries": (replace(QUERY, claims=QUERY.claims * 2),)},
    ],
)
def test_requests_that_are_not_made(world, changes):
    if changes.get("queries") == ():
        with pytest.raises(WalletCallError):
            replace(ask(world), queries=())
        return
    queries = changes.pop("queries", (QUERY,))
    with pytest.raises(WalletCallError):
        ask(world, *queries, **changes)


def test_wallet_without_the_licence_shows_nothing(world, sealed):
    with pytest.raises(FormatError):
        answer(ask(world), sealed)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=100) | st.recursive(st.text() | st.integers(), st.lists, max_leaves=8).map(json.dumps))
def test_hostile_answers_raise_format_errors_only(world, text):
    request = ask(world)
    body = urlencode({"state": request.state, "vp_token": text}).encode("ascii")
    refused(world, request, body)
