"""Asking wallets and judging what they answer: the request word for word, and each way to answer something else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from licence import credential, jose
from licence.errors import FormatError, WalletCallError
from licence.report import Outcome, Step, Verdict, VerificationReport
from licence.wallet import vp
from licence.wallet.holder import Wallet
from licence.wallet.vp import ClaimQuery, CredentialQuery, Judgement, PresentationRequest, Shown
from tests.licence import world as w

VCT = "zhengtong-licence-kind/" + w.KIND.code
HOLDER = Wallet(w.private_key("holder"))
NONCE, STATE = "nonce-0123456789abcdefghij", "state-0123456789abcdefghij"
NAME = CredentialQuery("name", (VCT,), (ClaimQuery("CZZT"),))
PUBLIC = replace(NAME, holder_binding=False)


@pytest.fixture(scope="module")
def held(world):
    return w.seal(world.agriculture, holder=HOLDER.public_key)


@pytest.fixture(scope="module")
def bundle(world, held):
    return w.bundle_of(world, held, w.status_token(world.status_key))


def ask(*queries, **changes):
    fields = {
        "client_id": "x509_hash:me",
        "response_uri": "https://me.example/answer",
        "nonce": NONCE,
        "state": STATE,
        "queries": queries or (NAME,),
    }
    return PresentationRequest(**(fields | changes))


def show(sealed, names=("CZZT",), request=None, **changes):
    request = request or ask()
    given = {"nonce": request.nonce, "audience": request.client_id, "at": w.AT} | changes
    return HOLDER.present(sealed.credential, names, **given)


def body(token, **fields):
    return urlencode({"state": STATE, "vp_token": json.dumps(token)} | fields).encode()


def judge(world, token, request=None, **changes):
    form = token if isinstance(token, bytes) else body(token)
    return vp.judge(request or ask(), form, **{"trust": world.trust, "at": w.AT} | changes)


def refused(world, token, request=None, **changes):
    with pytest.raises(FormatError) as caught:
        judge(world, token, request, **changes)
    return caught.value.code, caught.value.finding_params


class TestRequest:
    def test_is_this_word_for_word(self):
        queries = (
            CredentialQuery("a", (VCT, "other"), (ClaimQuery("x", (True, "y")), ClaimQuery("z"))),
            CredentialQuery("b-_9", (VCT,), holder_binding=False, multiple=True),
        )
        assert ask(*queries).payload() == {
            "aud": "https://self-issued.me/v2",
            "client_id": "x509_hash:me",
            "response_type": "vp_token",
            "response_mode": "direct_post",
            "response_uri": "https://me.example/answer",
            "nonce": NONCE,
            "state": STATE,
            "dcql_query": {
                "credentials": [
                    {
                        "id": "a",
                        "format": "dc+sd-jwt",
                        "meta": {"vct_values": [VCT, "other"]},
                        "claims": [{"path": ["x"], "values": [True, "y"]}, {"path": ["z"]}],
                    },
                    {
                        "id": "b-_9",
                        "format": "dc+sd-jwt",
                        "meta": {"vct_values": [VCT]},
                        "multiple": True,
                        "require_cryptographic_holder_binding": False,
                    },
                ]
            },
            "client_metadata": {
                "vp_formats_supported": {
                    "dc+sd-jwt": {
                        "sd-jwt_alg_values": ["ES256", "Ed25519"],
                        "kb-jwt_alg_values": ["ES256", "Ed25519"],
                    }
                }
            },
        }

    def test_is_signed_by_the_key_it_names(self, world):
        key = world.forestry
        digest = hashlib.sha256(key.chain_der[0]).digest()
        assert vp.client_id_of(key) == "x509_hash:" + jose.b64url(digest)
        request = ask(client_id=vp.client_id_of(key))
        parsed = jose.parse_compact(request.signed(key), typ="oauth-authz-req+jwt", max_bytes=65536, what="request")
        assert (parsed.payload, parsed.chain) == (request.payload(), key.chain_der)
        with pytest.raises(WalletCallError) as caught:
            request.signed(world.agriculture)
        assert caught.value.finding_params == {"part": "client_id"}

    @pytest.mark.parametrize("fresh", ["a" * 22, "a" * 256, "aZ09._~-" * 3])
    def test_is_fresh_by_128_bits(self, fresh):
        assert ask(nonce=fresh).nonce == fresh
        assert ask(state=fresh).state == fresh

    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"client_id": ""}, "client_id, response_uri"),
            ({"response_uri": "http://me.example"}, "client_id, response_uri"),
            ({"response_uri": "xhttps://me.example"}, "client_id, response_uri"),
            *(
                ({name: bad}, "nonce, state")
                for name in ("nonce", "state")
                for bad in ("a" * 21, "a" * 257, "a" * 22 + "+")
            ),
            ({"nonce": STATE}, "nonce, state"),
        ],
    )
    def test_that_is_malformed_is_not_made(self, changes, part):
        with pytest.raises(WalletCallError) as caught:
            ask(**changes)
        assert (caught.value.code, caught.value.finding_params) == ("vp_call_malformed", {"part": part})

    def test_has_one_to_eight_queries_of_different_names(self):
        assert len(ask(*(replace(NAME, id=f"q{n}") for n in range(8))).queries) == 8
        good = ask()
        for queries in ((), (NAME, NAME), tuple(replace(NAME, id=f"q{n}") for n in range(9))):
            with pytest.raises(WalletCallError) as caught:
                replace(good, queries=queries)
            assert caught.value.finding_params == {"part": "queries"}
        assert ask(replace(NAME, id="a" * 64))
        for bad in ("", "a" * 65, "a b", "é"):
            with pytest.raises(WalletCallError) as caught:
                ask(replace(NAME, id=bad))
            assert caught.value.finding_params == {"part": "queries"}

    def test_asks_for_kinds_and_for_different_claims(self):
        many = tuple(ClaimQuery(f"c{n}") for n in range(65))
        assert ask(replace(NAME, claims=many[:64]))
        assert ask(replace(NAME, claims=()))
        for changes in (
            {"vct_values": ()},
            {"claims": many},
            {"claims": (*NAME.claims, *NAME.claims)},
            {"claims": (ClaimQuery(""),)},
        ):
            with pytest.raises(WalletCallError) as caught:
                ask(replace(NAME, **changes))
            assert caught.value.finding_params == {"part": "query name"}


class TestForm:
    def test_is_of_this_session(self, world, held):
        token = {"name": [show(held)]}
        for state in ("", "other", STATE + "x", STATE[:-1], "号"):
            assert refused(world, body(token, state=state)) == ("vp_other_session", {})
        assert refused(world, b"vp_token=%7B%7D") == ("vp_other_session", {})
        assert refused(world, body(token, state="other", error="x"))[0] == "vp_other_session"

    def test_that_declines_declines(self, world):
        assert refused(world, urlencode({"state": STATE, "error": "access_denied"}).encode()) == ("vp_declined", {})
        assert refused(world, body({"name": []}, error=""))[0] == "vp_declined"

    def test_holds_a_token_that_is_an_object(self, world):
        malformed = ("vp_response_malformed", {"part": "vp_token"})
        assert refused(world, urlencode({"state": STATE}).encode()) == malformed
        assert refused(world, body([])) == malformed
        assert refused(world, body("x")) == malformed
        broken = urlencode({"state": STATE, "vp_token": "{"}).encode()
        assert refused(world, broken) == ("json_invalid", {"what": "vp_token"})

    def test_is_a_form(self, world):
        assert refused(world, b"a")[0] == "vci_form_malformed"
        assert refused(world, b"a" * (1024 * 1024 + 1))[1]["what"] == "wallet answer"


class TestPresentations:
    def test_answer_every_query_and_no_other(self, world, held):
        assert refused(world, {}) == ("vp_not_answered", {"query": "name"})
        token = {"name": [show(held)]}
        assert refused(world, token | {"other": [show(held)]}) == ("vp_not_asked", {"query": "vp_token"})
        two = ask(NAME, replace(NAME, id="second"))
        assert refused(world, token, two) == ("vp_not_answered", {"query": "second"})
        found = judge(world, token | {"second": [show(held)]}, two)
        assert [s.query for s in found.shown] == ["name", "second"]

    @pytest.mark.parametrize("listed", ["x", {}, [], [1], ["x", None], 0, False])
    def test_are_lists_of_text(self, world, listed):
        assert refused(world, {"name": listed}) == ("vp_response_malformed", {"part": "name"})

    def test_are_one_or_eight_where_several_will_do(self, world, held):
        text = show(held)
        assert refused(world, {"name": [text] * 2}) == ("vp_not_asked", {"query": "name"})
        many = ask(replace(NAME, multiple=True))
        assert len(judge(world, {"name": [text] * 8}, many).shown) == 8
        assert refused(world, {"name": [text] * 9}, many) == ("vp_not_asked", {"query": "name"})

    def test_are_of_a_kind_that_was_asked_for(self, world, held):
        token = {"name": [show(held)]}
        assert refused(world, token, ask(replace(NAME, vct_values=("other",)))) == ("vp_other_kind", {"query": "name"})
        assert judge(world, token, ask(replace(NAME, vct_values=("other", VCT)))).shown

    def test_disclose_what_was_asked_for_and_no_more(self, world, held):
        assert refused(world, {"name": [show(held, ())]}) == ("vp_not_answered", {"query": "name: `CZZT`"})
        assert refused(world, {"name": [show(held, ("CZZT", "ZZMC"))]}) == ("vp_not_asked", {"query": "name"})
        both = ask(replace(NAME, claims=(*NAME.claims, ClaimQuery("ZZMC"))))
        assert refused(world, {"name": [show(held)]}, both) == ("vp_not_answered", {"query": "name: `ZZMC`"})
        (shown,) = judge(world, {"name": [show(held, ("CZZT", "ZZMC"))]}, both).shown
        assert shown.claims == {"CZZT": w.FACTS["name"], "ZZMC": w.KIND.name}
        assert judge(world, {"name": [show(held, ())]}, ask(replace(NAME, claims=()))).shown[0].claims == {}

    @pytest.mark.parametrize(
        ("values", "good"),
        [((), True), (("王小明",), True), (("x", "王小明"), True), (("x",), False), ((True,), False), (("王",), False)],
    )
    def test_show_a_value_that_will_do(self, world, held, values, good):
        request = ask(replace(NAME, claims=(ClaimQuery("CZZT", values),)))
        if good:
            assert judge(world, {"name": [show(held)]}, request).shown
        else:
            told = {"query": "name", "claim": "CZZT"}
            assert refused(world, {"name": [show(held)]}, request) == ("vp_value_differs", told)

    def test_a_truth_is_no_number_and_no_text(self, world):
        sealed = w.seal(world.agriculture, kind=replace(w.KIND, predicates=("age_over_18",)), holder=HOLDER.public_key)
        for values, good in (((True,), True), ((1,), False), (("true",), False), ((False,), False)):
            request = ask(replace(NAME, claims=(ClaimQuery("age_over_18", values),)))
            token = {"name": [show(sealed, ("age_over_18",))]}
            if good:
                assert judge(world, token, request).shown[0].claims == {"age_over_18": True}
            else:
                assert refused(world, token, request)[0] == "vp_value_differs"


class TestBinding:
    def test_is_to_this_request_at_this_time(self, world, held):
        good = {"name": [show(held)]}
        (shown,) = judge(world, good).shown
        assert shown.holder_bound
        for changes, code in (
            ({"nonce": "x" * 22}, "binding_other_request"),
            ({"audience": "x"}, "binding_other_verifier"),
        ):
            assert refused(world, {"name": [show(held, **changes)]})[0] == code
        assert refused(world, good, at=w.AT + timedelta(hours=1))[0] == "jwt_not_fresh"

    def test_may_lack_where_it_is_not_asked_for_and_must_be_right_where_it_stands(self, world, held):
        bare = {"name": [credential.parse(held.credential).present(["CZZT"])]}
        assert refused(world, bare)[0] == "binding_missing"
        assert not judge(world, bare, ask(PUBLIC)).shown[0].holder_bound
        assert judge(world, {"name": [show(held)]}, ask(PUBLIC)).shown[0].holder_bound
        wrong = {"name": [show(held, nonce="x" * 22)]}
        assert refused(world, wrong, ask(PUBLIC))[0] == "binding_other_request"


class TestVerify:
    def found(self, world, held, **changes):
        return judge(world, {"name": [show(held)]}, **changes).shown[0].report

    def test_without_evidence_it_is_open(self, world, held):
        assert self.found(world, held).sub_indication == "LOG_PROOF_MISSING"
        assert self.found(world, held, evidence={"other": None}).sub_indication == "LOG_PROOF_MISSING"

    def test_evidence_is_taken_by_identifier_and_else_asked_for(self, world, held, bundle):
        asked = []

        def find(found):
            asked.append(found.jti)
            return bundle

        assert self.found(world, held, evidence={held.identifier: bundle}, find=find).verdict is Verdict.PASSED
        assert asked == []
        assert self.found(world, held, find=find).verdict is Verdict.PASSED
        assert asked == [held.identifier]
        assert self.found(world, held, find=lambda _: None).sub_indication == "LOG_PROOF_MISSING"

    def test_it_is_the_credential_shown_that_is_verified(self, world, held, bundle):
        report = self.found(world, held, evidence={held.identifier: bundle})
        assert report.licence["claims"] == {"CZZT": "王小明"}
        # The chain of the evidence is not the credential's.
        other = replace(bundle, chain=world.forestry.chain_der)
        assert self.found(world, held, evidence={held.identifier: other}).verdict is Verdict.PASSED

    def test_by_the_trust_the_time_and_the_lists_that_are_given(self, world, held, bundle):
        given = {held.identifier: bundle}
        revoked = w.status_token(world.status_key, 1, w.ISSUED + timedelta(hours=1))
        assert self.found(world, held, evidence=given, status_tokens=[revoked]).sub_indication == "REVOKED"
        stranger = replace(world.trust, anchors=(w.make_root("stranger").certificate,))
        assert self.found(world, held, evidence=given, trust=stranger).verdict is Verdict.INDETERMINATE


class TestJudgement:
    def of(self, *outcomes):
        shown = []
        for outcome in outcomes:
            steps = (Step(1, "format", outcome, "format_ok"),)
            if outcome is Outcome.PASSED:
                steps = tuple(Step(n, "x", outcome, "format_ok") for n in range(1, 9))
            shown.append(Shown("q", VerificationReport(steps, w.AT), True, {}))
        return Judgement(tuple(shown)).verdict

    def test_passes_when_all_passed_and_fails_when_one_failed(self):
        passed, failed, undecided = Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE
        assert self.of(passed) is self.of(passed, passed) is Verdict.PASSED
        assert self.of(passed, failed) is self.of(failed, undecided) is self.of(undecided, failed) is Verdict.FAILED
        assert self.of(passed, undecided) is self.of(undecided) is self.of() is Verdict.INDETERMINATE
