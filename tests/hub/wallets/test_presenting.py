"""A department asks a wallet over HTTP: what it may ask, what the wallet shows, who hears of it, and how often."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hub.control import WalletRequestRow
from hub.wallets.requests import MAX_TRIES, WAITS
from licence import credential, jose
from licence.lifecycle import Action
from licence.wallet import vp
from licence.wallet.holder import Wallet
from tests.hub.wallets.test_issuing import deliver, unhurried
from tests.hub.world import IDS, MATTER

__all__ = ["unhurried"]

KIND = "11100000000013338W011"
FIELDS = ["KZ_XM", "KZ_CSRQ"]
HOLDER = Wallet(ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture(scope="module")
def held(city):
    """A licence, and the credential that its holder's wallet has."""
    identifier = city.issue(0)
    return identifier, deliver(city, identifier, HOLDER).json()["credentials"][0]["credential"]


def ask(city, by="clerk", fields=FIELDS, matter=MATTER, **more):
    body = {"matter": matter, "licences": [{"kind": KIND, "fields": fields}], **more}
    return city.call("POST", "/v1/wallet-requests", by, json=body)


def fetch(city, asked):
    """The request as a wallet has it."""
    where = parse_qs(urlsplit(asked["link"]).query)
    path = urlsplit(where["request_uri"][0]).path
    answer = city.http.get(path)
    assert answer.headers["content-type"] == "application/oauth-authz-req+jwt"
    found = jose.parse_compact(answer.text, typ=vp.REQUEST_TYP, max_bytes=65536, what="request")
    assert where["client_id"] == [found.payload["client_id"]]
    return found.payload


def post(city, request, body):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return city.http.post(urlsplit(request["response_uri"]).path, content=body, headers=headers)


def collect(city, asked, by="clerk"):
    return city.call("GET", f"/v1/wallet-requests/{asked['id']}", by)


def answered(city, held, wallet=HOLDER, **changes):
    asked = ask(city).json()
    request = fetch(city, asked)
    return asked, post(city, request, wallet.answer(request | changes, [held[1]], at=city.clock()))


def forged(body, change):
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    token = json.loads(form["vp_token"])
    form["vp_token"] = json.dumps({name: [change(one) for one in shown] for name, shown in token.items()})
    return urlencode(form).encode()


def test_what_was_asked_is_shown_once(city, held):
    asked, posted = answered(city, held)
    assert (posted.status_code, posted.json()) == (200, {})
    got = collect(city, asked)
    assert got.status_code == 200
    found = got.json()
    assert (found["state"], found["verdict"]) == ("judged", "TOTAL-PASSED")
    (shown,) = found["licences"]
    assert shown["holder_bound"]
    assert shown["identifier"] == held[0]
    assert shown["fields"] == {"KZ_XM": "张三", "KZ_CSRQ": "1990-01-01"}
    assert [step["outcome"] for step in shown["steps"]] == ["passed"] * 8
    again = collect(city, asked)
    assert (again.status_code, again.json()["code"]) == (404, "wallet_request_unknown")


def test_the_use_is_logged_by_names_of_fields(city, held):
    asked, _ = answered(city, held)
    entry = city.logged("licence.presented")[-1]
    assert (entry.actor, entry.purpose) == ("RS:clerk", MATTER)
    assert entry.facts == {
        "fields": sorted(FIELDS),
        "kind": KIND,
        "licence": held[0],
        "verdict": "TOTAL-PASSED",
    }
    assert entry.subject == city.logged("licence.bound")[-1].subject
    assert not any(value in str(entry.plain()) for value in ("张三", "1990-01-01", IDS[0]))
    assert collect(city, asked).json()["licences"][0]["entry"] > 0


def test_nothing_is_kept_in_the_clear(city, held):
    answered(city, held)
    import sqlalchemy as sa

    with city.office.control.reading() as connection:
        rows = connection.execute(sa.select(WalletRequestRow.__table__)).all()
    assert rows
    kept = b"".join(part for row in rows for part in (row.asked, row.found or b""))
    assert not any(value.encode() in kept for value in ("张三", "KZ_XM", MATTER, held[0]))


def test_the_result_is_gone_in_minutes(city, held):
    asked, _ = answered(city, held)
    city.clock.now += timedelta(minutes=5)
    assert collect(city, asked).status_code == 404


def test_another_department_learns_nothing(city, held):
    asked, _ = answered(city, held)
    forced, unknown = collect(city, asked, "stranger"), collect(city, {"id": "A" * 32}, "stranger")
    assert forced.status_code == unknown.status_code == 404
    assert forced.json()["code"] == unknown.json()["code"]
    assert collect(city, asked).json()["verdict"] == "TOTAL-PASSED"


def test_who_shows_no_key_collects_nothing(city, held):
    asked, _ = answered(city, held)
    assert city.http.get(f"/v1/wallet-requests/{asked['id']}").status_code == 401
    assert collect(city, asked, "channel").status_code == 403


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fields": ["KZ_ZZ"]}, "wallet_ask_fields"),
        ({"fields": ["CZZTDM"]}, "wallet_ask_fields"),
        ({"fields": ["no such"]}, "wallet_ask_fields"),
        ({"matter": "MZ001"}, "wallet_ask_matter"),
        ({"matter": "nothing"}, "wallet_ask_matter"),
        ({"matter": "SX002"}, "wallet_ask_kind"),
        ({"fields": ["KZ_XM", "KZ_XM"]}, "request_invalid"),
        ({"fields": "KZ_XM"}, "request_invalid"),
        ({"licences": []}, "request_invalid"),
        ({"licences": [{"kind": KIND}]}, "request_invalid"),
        ({"licences": [{"kind": "other", "fields": []}]}, "wallet_ask_kind"),
        ({"more": 1}, "request_invalid"),
    ],
)
def test_more_than_the_matter_needs_is_refused(city, changes, code):
    refused = ask(city, **changes)
    assert (refused.status_code, refused.json()["code"]) == (422, code)


def test_the_refusal_says_what_may_be_asked(city):
    detail = ask(city, fields=["KZ_ZZ"]).json()["detail"]
    assert "KZ_ZZ" in detail
    assert "KZ_XM" in detail


def test_the_holders_name_by_what_the_matter_needs(city):
    assert ask(city, fields=["CZZT", "ZZMC"]).status_code == 201


def refused(answer, status=400):
    assert answer.status_code == status, answer.text
    assert answer.json().keys() == {"error", "error_description"}


def waits(city, asked):
    assert collect(city, asked).json() == {
        "state": "waiting",
        "licences": [],
        "verdict": None,
        "answered_at": None,
    } or (collect(city, asked).json()["state"] == "waiting")


@pytest.mark.parametrize(
    "change",
    [
        lambda shown: shown.rpartition("~")[0] + "~",  # without key binding
        lambda shown: shown.replace("~", "~" + jose.b64url(b'["AAAAAAAAAAAAAAAAAAAAAA","KZ_XM","x"]') + "~", 1),
        lambda shown: "~".join(part for n, part in enumerate(shown.split("~")) if n != 1),  # one field fewer
        lambda shown: shown[:-4] + "AAAA",
    ],
)
def test_presentations_that_were_tampered_with(city, held, change):
    asked = ask(city).json()
    request = fetch(city, asked)
    body = HOLDER.answer(request, [held[1]], at=city.clock())
    refused(post(city, request, forged(body, change)))
    waits(city, asked)
    assert post(city, request, body).status_code == 200


@pytest.mark.parametrize("changes", [{"client_id": "x509_hash:other"}, {"nonce": "n" * 43}, {"state": "s" * 43}])
def test_presentations_for_somebody_else(city, held, changes):
    asked, posted = answered(city, held, **changes)
    refused(posted)
    waits(city, asked)


def test_a_presentation_is_not_taken_twice(city, held):
    first = ask(city).json()
    request = fetch(city, first)
    body = HOLDER.answer(request, [held[1]], at=city.clock())
    assert post(city, request, body).status_code == 200
    refused(post(city, request, body), 404)
    second = ask(city).json()
    refused(post(city, fetch(city, second), body))


def test_another_key_than_the_licence_is_bound_to(city, held):
    thief = Wallet(ec.generate_private_key(ec.SECP256R1()))
    refused(answered(city, held, thief)[1])


def test_the_licence_that_is_bound_to_no_key(city, held):
    stored = city.office.sealed(held[0]).credential
    asked = ask(city).json()
    request = fetch(city, asked)
    refused(post(city, request, HOLDER.answer(request, [stored], at=city.clock())))


def test_more_than_was_asked_is_not_looked_at(city, held):
    asked = ask(city, fields=["KZ_XM"]).json()
    request = fetch(city, asked)
    body = HOLDER.answer(request, [held[1]], at=city.clock())

    def more(shown):
        del shown
        return HOLDER.present(held[1], FIELDS, nonce=request["nonce"], audience=request["client_id"], at=city.clock())

    refused(post(city, request, forged(body, more)))


def test_a_stale_presentation(city, held):
    asked = ask(city).json()
    request = fetch(city, asked)
    refused(post(city, request, HOLDER.answer(request, [held[1]], at=city.clock() - timedelta(hours=1))))


def test_a_request_runs_out(city, held):
    asked = ask(city).json()
    request = fetch(city, asked)
    city.clock.now += WAITS
    refused(post(city, request, HOLDER.answer(request, [held[1]], at=city.clock())), 404)
    assert collect(city, asked).status_code == 404


def test_a_person_may_say_no(city):
    asked = ask(city).json()
    request = fetch(city, asked)
    refused(post(city, request, urlencode({"error": "access_denied", "state": request["state"]}).encode()))
    assert collect(city, asked).json()["state"] == "declined"


def test_answers_that_are_none_end_the_request(city, held):
    asked = ask(city).json()
    request = fetch(city, asked)
    for _ in range(MAX_TRIES):
        refused(post(city, request, b"vp_token=x&state=" + request["state"].encode()))
    refused(post(city, request, HOLDER.answer(request, [held[1]], at=city.clock())), 404)
    assert collect(city, asked).json()["state"] == "declined"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "[]",
        "{}",
        '{"licence-1":[]}',
        '{"licence-1":["x"]}',
        "[" * 9000,
        '{"licence-1":[1]}',
        '{"a":["b"]}',
        "\ud800",
    ],
)
def test_hostile_answers(city, token):
    asked = ask(city).json()
    request = fetch(city, asked)
    form = urlencode({"vp_token": token, "state": request["state"]}, errors="surrogatepass").encode()
    refused(post(city, request, form))
    refused(post(city, request, b"\xff=&&&"))


def test_addresses_of_requests_that_there_are_not(city):
    for path in ("/wallet/requests/x", "/wallet/requests/" + "A" * 500, "/wallet/requests/%F0%9F%98%80"):
        refused(city.http.get(path), 404)
    post_ = city.http.post("/wallet/responses/x", data={"state": "x"})
    refused(post_, 404)


def test_a_revoked_licence_is_seen(city):
    identifier = city.issue(3)
    wallet = Wallet(ec.generate_private_key(ec.SECP256R1()))
    text = deliver(city, identifier, wallet).json()["credentials"][0]["credential"]
    city.office.change(identifier, Action.REVOKE, by="RS", reason="x", ground="y", officer="z")
    city.clock.now += timedelta(seconds=1)
    asked, posted = answered(city, (identifier, text), wallet)
    assert posted.status_code == 200
    found = collect(city, asked).json()
    assert found["verdict"] == "TOTAL-FAILED"
    assert found["licences"][0]["sub_indication"] == "REVOKED"


def test_a_credential_that_the_log_does_not_have(city, held):
    """Sealed by the department's own key, and never logged: nobody can say that it was issued."""
    found = credential.parse(held[1])
    claims = list(found.claims.items())
    forged_ = credential.seal(
        city.office.keys.department("RS"),
        jti=found.jti, vct=found.vct, issued_at=found.issued_at, not_before=found.not_before,
        expires_at=found.expires_at, status=found.status, claims=claims,
        salts=[bytes([n]) * 16 for n in range(len(claims))], holder=HOLDER.public_key,
    )  # fmt: skip
    asked, posted = answered(city, (held[0], forged_))
    assert posted.status_code == 200
    assert collect(city, asked).json()["verdict"] == "INDETERMINATE"
