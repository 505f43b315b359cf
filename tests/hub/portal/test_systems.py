"""Client systems by pages: a department sees its own, the office gives and takes, a secret is shown once."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from hub import client_records as records
from hub import clients
from hub.actors import Actor
from hub.credentials import SANDBOX
from hub.people import Duty
from hub.signing.algorithms import public_text
from hub.signing.keyfiles import generate, prove_possession
from tests.hub.portal.browsing import HAN, text_of

BY = Actor("RS", "hub-office")
HOSTILE = '<script>alert("1")</script>'


@pytest.fixture
def office(signed_in):
    return signed_in(Duty.OFFICE)


@pytest.fixture
def staff(signed_in):
    return signed_in(Duty.STAFF)


@pytest.fixture(scope="module")
def made(service, url):
    """A system of the department, and one of another."""
    del url
    own = clients.register(service.office, department="RS", name="窗口系统", contact="data-officer", by=BY)
    other = clients.register(service.office, department="MZ", name="民政系统", contact="data-officer", by=BY)
    return own, other


def handed_in(client):
    key, _ = generate("ed25519")
    return f"{public_text(key.public)}\r\n{prove_possession(client, key)}\r\n"


def shown(visitor, client):
    """The value of the form as the page shows it now."""
    return re.search(r'name="sending" value="([\w-]+)"', visitor.see(f"/systems/{client}").text)[1]


def add(visitor, client, **form):
    return visitor.send(f"/systems/{client}/key", sending=shown(visitor, client), **form)


def held(service, client):
    return records.credentials(service.control, client)


def test_each_sees_its_departments_systems(staff, office, signed_in, of_department, made):
    own, other = made
    assert {one["id"] for one in staff.json("/systems.json")["items"]} >= {own.id}
    assert other.id not in {one["id"] for one in staff.json("/systems.json?department=MZ")["items"]}
    assert {one["id"] for one in office.json("/systems.json?department=MZ")["items"]} == {other.id}
    assert {own.id, other.id} <= {one["id"] for one in signed_in(Duty.AUDITOR).json("/systems.json")["items"]}
    assert staff.see(f"/systems/{other.id}").status_code == 403
    assert of_department("MZ", Duty.STAFF).see(f"/systems/{own.id}").status_code == 403
    assert staff.see("/systems/S404").status_code == 404


def test_a_system_without_a_key_says_how_to_get_one(staff, made):
    own, _ = made
    words = staff.read(f"/systems/{own.id}")
    for text in (
        "尚无有效密钥",
        f"echo {own.id} > window.client",
        "openssl genpkey -algorithm ed25519",
        "echo ed25519:",
    ):
        assert text in words
    assert "登记或轮换凭据" not in words


def test_only_the_office_takes_steps(signed_in, made, service):
    own, _ = made
    clients.add_bearer(service.office, own.id, by=BY)
    (credential, *_) = held(service, own.id)
    steps = ("key", f"keys/{credential.id}/revoke", "signed", "end")
    for duty in (one for one in Duty if one is not Duty.OFFICE):
        visitor = signed_in(duty)
        for step in steps:
            assert visitor.send(f"/systems/{own.id}/{step}", kind="bearer").status_code == 403
        assert visitor.send("/systems/new", department="RS", name="x", contact="y").status_code == 403
    assert records.get(service.control, own.id).ended_at is None


def register(office, name="window", environment="production"):
    answer = office.send("/systems/new", department="RS", name=name, contact="data-officer", environment=environment)
    assert answer.status_code == 303, text_of(answer.text)[:400]
    return answer.headers["location"].rpartition("/")[2]


def test_registering_and_handing_in_a_key(office, service):
    client = register(office, environment=SANDBOX)
    answer = add(office, client, kind="key", handed_in=handed_in(client), days="30")
    assert answer.status_code == 303, text_of(answer.text)[:400]
    (credential,) = held(service, client)
    assert credential.expires - credential.created == timedelta(days=30)
    shown = office.json(f"/systems/{client}.json")
    assert (shown["in_force"], shown["ends_soon"], shown["environment"]) == (1, True, "沙箱")
    assert shown["credentials"][0]["thumbprint"] == credential.thumbprint[:16]


def test_a_secret_is_shown_once_and_kept_nowhere(office, service):
    client = register(office)
    answer = add(office, client, kind="bearer")
    assert answer.status_code == 200
    key = re.search(r"zt_[\w-]{20,}", answer.text)[0]
    assert answer.headers["cache-control"] == "no-store"
    assert service.standing.now().bearer(key) is not None
    shared = add(office, client, kind="hmac")
    secret = re.search(r'id="secret" tabindex="0">([0-9a-f]{32})<', shared.text)[1]
    again = office.see(f"/systems/{client}").text + office.see("/systems").text + office.see("/inbox").text
    assert key not in again
    assert secret not in again
    log = service.evidence.log
    assert not any(key.encode() in leaf or secret.encode() in leaf for leaf in log.entries(0, log.size))


@pytest.mark.parametrize("kind", ["bearer", "hmac"])
def test_a_form_that_is_sent_again_makes_no_second_key(kind, office, service):
    client = register(office)
    form = {"kind": kind, "sending": shown(office, client)}
    first = office.send(f"/systems/{client}/key", **form)
    secret = re.search(r'id="secret" tabindex="0">([^<]+)<', first.text)[1]
    for lang, said in (("zh-CN", "密钥当时已生成并显示一次，此次未再生成"), ("en", "its key was made and shown once")):
        office.client.headers["accept-language"] = lang
        again = office.send(f"/systems/{client}/key", **form)
        assert again.status_code == 409
        assert said in text_of(again.text)
        assert secret not in again.text
    assert len(held(service, client)) == 1
    # The page that says so shows another form, and that one is good for another key.
    fresh = re.search(r'name="sending" value="([\w-]+)"', again.text)[1]
    assert fresh != form["sending"]
    assert office.send(f"/systems/{client}/key", kind=kind, sending=fresh).status_code == 200
    assert len(held(service, client)) == 2


def test_of_two_sendings_at_once_one_makes_a_key(office, service):
    client = register(office)
    form = {"kind": "bearer", "sending": shown(office, client)}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: office.send(f"/systems/{client}/key", **form).status_code, range(4)))
    assert sorted(answers) == [200, 409, 409, 409]
    assert len(held(service, client)) == 1


def test_after_an_error_the_same_form_may_be_sent_again(office, service):
    client = register(office)
    value = shown(office, client)
    assert office.send(f"/systems/{client}/key", kind="bearer", days="x", sending=value).status_code == 422
    assert office.send(f"/systems/{client}/key", kind="bearer", days="9", sending=value).status_code == 200
    assert len(held(service, client)) == 1


@pytest.mark.parametrize("value", ["", "x" * 41])
def test_a_form_without_what_our_page_puts_there_makes_no_key(value, office, service):
    client = register(office)
    assert office.send(f"/systems/{client}/key", kind="bearer", sending=value).status_code == 403
    assert held(service, client) == ()


def test_what_another_session_was_shown_is_not_used_up(office, signed_in, service):
    client, other = register(office), signed_in(Duty.OFFICE)
    form = {"kind": "bearer", "sending": shown(office, client)}
    assert other.send(f"/systems/{client}/key", **form).status_code == 200
    assert office.send(f"/systems/{client}/key", **form).status_code == 200
    assert len(held(service, client)) == 2


def test_rotating_leaves_both_for_a_while_and_revoking_ends_one(office, service):
    client = register(office)
    add(office, client, kind="key", handed_in=handed_in(client))
    (old,) = held(service, client)
    answer = add(office, client, kind="key", handed_in=handed_in(client), replaces=old.id, overlap="3")
    assert answer.status_code == 303, text_of(answer.text)[:400]
    before, new = sorted(held(service, client), key=lambda one: one.id != old.id)
    assert (new.replaces, (before.expires - service.office.now()).days) == (old.id, 3)
    assert f"接替 {old.id}" in office.read(f"/systems/{client}")
    assert office.send(f"/systems/{client}/keys/{old.id}/revoke").status_code == 303
    assert {one.state(service.office.now()) for one in held(service, client)} == {"revoked", "in_force"}
    assert "已吊销" in office.read(f"/systems/{client}")


def test_a_credential_of_another_system_is_none_of_this_one(office, service, made):
    client = register(office)
    clients.add_bearer(service.office, made[1].id, by=BY)
    foreign = held(service, made[1].id)[0]
    assert office.send(f"/systems/{client}/keys/{foreign.id}/revoke").status_code == 404
    assert add(office, client, kind="bearer", replaces=foreign.id).status_code == 404
    assert held(service, made[1].id)[0].revoked_at is None


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"kind": "key"}, "不能为空"),
        ({"kind": "key", "handed_in": "ed25519:abc"}, "请粘贴"),
        ({"kind": "certificate", "handed_in": HOSTILE}, "PEM"),
        ({"kind": "bearer", "days": "0"}, "有效天数"),
        ({"kind": "bearer", "days": "x"}, "整数"),
    ],
)
def test_what_cannot_be_is_said_and_what_was_typed_stays(form, said, office, service):
    client = register(office)
    answer = add(office, client, **form)
    assert answer.status_code == 422
    assert said in text_of(answer.text)
    assert "<script>alert" not in answer.text
    assert held(service, client) == ()


def test_the_proof_of_another_system_is_refused(office, service, made):
    client = register(office)
    answer = add(office, client, kind="key", handed_in=handed_in(made[0].id))
    assert answer.status_code == 422
    assert held(service, client) == ()


def test_signatures_alone_and_ending(office, service):
    client = register(office)
    assert office.send(f"/systems/{client}/signed", signed_only="yes").status_code == 422  # it has no public key
    add(office, client, kind="key", handed_in=handed_in(client))
    assert office.send(f"/systems/{client}/signed", signed_only="yes").status_code == 303
    assert records.get(service.control, client).signed_only
    assert office.send(f"/systems/{client}/end").status_code == 303
    assert "已停用" in office.read(f"/systems/{client}")
    assert client in {one["id"] for one in office.json("/systems.json?ended=1")["items"]}
    assert "登记或轮换凭据" not in office.read(f"/systems/{client}")


def test_calls_are_drawn_by_day_with_a_table(office, service):
    client = register(office)
    for count in (2, 1):
        service.evidence.append(
            "invocation.answered", actor="RS", facts={"caller": client, "grant": "G1", "count": count}
        )
    shown = office.json(f"/systems/{client}.json")
    assert (shown["today"], shown["calls"], shown["uncounted"]) == (3, 3, 0)
    page = office.see(f"/systems/{client}").text
    assert "以表格查看" in page
    assert "<title>2026-03-02: 3</title>" in page
    assert any(one["grant"] == "G1" and one["left"] is None for one in shown["quotas"])


def test_the_list_is_there_for_a_spreadsheet(staff, made):
    answer = staff.see("/systems.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert made[0].id in answer.text
    assert made[1].id not in answer.text


def test_a_hostile_name_stays_words(office):
    client = register(office, name='<b>"窗口"')
    page = office.see(f"/systems/{client}").text
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert office.send("/systems/new", department="RS", name=HOSTILE * 9, contact="x").status_code == 422


def test_it_speaks_english(signed_in, made):
    for duty in (Duty.STAFF, Duty.OFFICE):
        visitor = signed_in(duty, **{"accept-language": "en"})
        for path in ("/systems", f"/systems/{made[0].id}"):
            words = visitor.read(path)
            for name in ("示例市", "中文", f"测试{duty.words[1]}", "窗口系统", "民政系统", '<b>"窗口"'):
                words = words.replace(name, "")
            assert not HAN.findall(words), words
