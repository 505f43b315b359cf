"""Remote signing in the portal: a key of one's own, what is shown before it signs, and who sees nothing of it."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest

pytest.importorskip("typst", reason="needs the extra `documents`")

from hub.api import offices
from hub.authority.keeping import sm2_signs
from hub.evidence import utc_now
from hub.people import Duty
from hub.seals.store import change_signer
from hub.settings import Settings
from licence.pdf.read import read_signatures
from licence.seals import otp
from licence.seals.algorithms import sm3
from licence.seals.cloud import MAX_ATTEMPTS
from licence.suites import SM2_SM3
from tests.hub.portal.browsing import HAN, text_of
from tests.hub.portal.test_licences import enter, went  # noqa: F401 - a fixture
from tests.hub.seals import city
from tests.licence.pdf import papers

LAW = "《印章管理办法》"
PIN = "73-blue-owl"
TITLE = "人社复〔2026〕3 号<b>"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    if not sm2_signs():
        pytest.skip("this libcrypto signs no SM2")
    home = tmp_path_factory.mktemp("signing") / "var"
    office = city.found(home)
    office.evidence.log.close()
    office.control.close()
    return SimpleNamespace(settings=Settings.at(home), clock=utc_now)


@pytest.fixture(scope="module")
def signer(enter):  # noqa: F811
    return enter("deputy", "RS", Duty.LEADER)


@pytest.fixture(scope="module")
def clerk(enter):  # noqa: F811
    return enter("clerk", "RS", Duty.STAFF)


@pytest.fixture(scope="module")
def officer(enter):  # noqa: F811
    return enter("officer", "RS", Duty.LICENCES)


@pytest.fixture(scope="module")
def secret(signer):
    """What the signer's authenticator holds: the key is set up."""
    assert signer.send("/signing/key", pin=PIN, again="another").status_code == 422
    assert signer.send("/signing/key", pin="123456", again="123456").status_code == 422
    made = signer.send("/signing/key", pin=PIN, again=PIN)
    assert made.status_code == 200, text_of(made.text)[:300]
    assert PIN not in made.text
    assert 'src="data:image/png' in made.text
    text = re.search(r"secret=([A-Z2-7]+)", made.text)[1]
    return base64.b32decode(text + "=" * (-len(text) % 8))


@pytest.fixture(scope="module")
def seal(secret, officer, enter):  # noqa: F811
    """The seal of the signer's signature, in use."""
    order = {
        "sort": "signature",
        "name": "签名",
        "custodian": "RS:deputy",
        "valid_from": "2026-01-01",
        "valid_until": f"{utc_now().year + 1}-12-31",
        "width": "30",
        "height": "15",
        "ground": LAW,
    }
    path = went(officer.send("/seals/new", files={"picture": ("a.png", city.png())}, **order))
    went(enter("chief", "RS", Duty.LICENCES).send(f"{path}/approve", ground=LAW))
    return path.rpartition("/")[2]


@pytest.fixture
def asked(clerk, seal):
    files = {"file": ("张三.pdf", papers.page())}
    return went(clerk.send(f"/signing/ask/{seal}", files=files, title=TITLE, purpose="签批"))


def steps():
    """One-time passwords are taken once: each next one is of the next step that is still accepted."""
    seen = set()

    def draw(secret):
        now = otp.step_at(utc_now())
        step = next(one for one in (now - 1, now, now + 1) if one not in seen)
        seen.update(range(now - 1, step + 1))
        return otp.password(secret, step)

    return draw


draw = steps()


def test_what_is_signed_is_shown_and_signed_with_the_persons_own_key(signer, clerk, secret, asked, seal):
    plain = signer.json(f"{asked}.json")
    assert plain["digest"] == sm3(papers.page()).hex()
    assert (plain["title"], plain["asked_by"], plain["can_answer"]) == (TITLE, "RS:clerk", True)
    page = signer.see(asked).text
    assert "人社复〔2026〕3 号&lt;b&gt;" in page
    assert "张三" not in page
    assert signer.see(f"{asked}/picture").content[:4] == b"\x89PNG"
    assert signer.json("/home.json")["signing"] >= 1
    other = {"file": ("b.pdf", papers.page() + b"\n")}
    wrong = signer.send(f"{asked}/approve", files=other, pin=PIN, password="000000")
    assert wrong.status_code in {409, 422}
    assert signer.json(f"{asked}.json")["failures"] == 0
    mine = {"file": ("b.pdf", papers.page())}
    denied = signer.send(f"{asked}/approve", files=mine, pin="no-such-pin", password="000000")
    assert denied.status_code == 403
    assert "no-such-pin" not in denied.text
    assert signer.json(f"{asked}.json")["failures"] == 1
    done = signer.send(f"{asked}/approve", files=mine, pin=PIN, password=draw(secret))
    assert done.status_code == 200, text_of(done.text)[:400]
    (signature,) = read_signatures(done.content, [SM2_SM3]).signatures
    assert signature.reason == "签批"
    after = clerk.json(f"{asked}.json")
    assert (after["state"], after["can_answer"]) == ("spent", False)
    assert signer.send(f"{asked}/approve", files=mine, pin=PIN, password="000000").status_code == 409


def test_declined_is_for_good(signer, clerk, asked):
    assert clerk.send(f"{asked}/decline").status_code == 403
    went(signer.send(f"{asked}/decline"))
    assert clerk.json(f"{asked}.json")["state"] == "declined"
    assert signer.send(f"{asked}/decline").status_code == 409


def test_a_request_is_there_for_the_two_it_concerns(signer, clerk, officer, enter, asked):  # noqa: F811
    stranger = enter("stranger", "MZ", Duty.STAFF)
    for who in (officer, stranger):
        assert who.see(asked).status_code == 404
        assert who.see(f"{asked}/picture").status_code == 404
        assert who.send(f"{asked}/decline").status_code == 404
    assert signer.json("/signing.json")["items"][0]["id"] == asked.rpartition("/")[2]
    assert clerk.json("/signing.json")["total"] == 0
    assert clerk.json("/signing.json?tab=asked")["total"] == signer.json("/signing.json")["total"]


def test_other_departments_cannot_ask(enter, seal, service):  # noqa: F811
    stranger, size = enter("stranger", "MZ", Duty.STAFF), service.evidence.log.size
    assert stranger.see(f"/signing/ask/{seal}").status_code == 404
    files = {"file": ("a.pdf", papers.page())}
    assert stranger.send(f"/signing/ask/{seal}", files=files, title="a", purpose="b").status_code == 404
    assert stranger.json("/signing.json")["others"] == []
    assert service.evidence.log.size == size


def test_a_request_names_no_person_and_a_document_that_can_be_signed(clerk, seal):
    path, files = f"/signing/ask/{seal}", {"file": ("a.pdf", papers.page())}
    refused = clerk.send(path, files=files, title="110105194912310020", purpose="签批")
    assert refused.status_code == 422
    assert clerk.send(path, files=files, title="", purpose="签批").status_code == 422
    assert clerk.send(path, title="批复", purpose="签批").status_code == 422
    assert clerk.send(path, files={"file": ("a.pdf", b"%PDF-1")}, title="批复", purpose="签批").status_code == 422


def test_others_are_offered_and_the_own_seal_apart(signer, clerk, enter, seal):  # noqa: F811
    link = f"/signing/ask/{seal}"
    of_clerk, of_signer = clerk.json("/signing.json"), signer.json("/signing.json")
    offered = [{"code": seal, "custodian": "RS:deputy", "why": ""}]
    assert (of_clerk["others"], of_clerk["own"], of_clerk["unable"]) == (offered, [], [])
    # To be asked by oneself makes no sense; to sign a document of one's own does, and is what it is called.
    assert (of_signer["others"], of_signer["own"]) == ([], offered)
    page = signer.read("/signing")
    assert "除您以外，本部门没有人" in page
    assert "签署自己的文件" in page
    assert "签署自己的文件" not in clerk.read("/signing")
    assert "签署自己的文件" in signer.read(link)
    assert '请 <span title="RS:deputy">' in clerk.see(link).text
    files = {"file": ("a.pdf", papers.page())}
    mine = went(signer.send(link, files=files, title="签批件", purpose="签批"))
    assert "已提出，请在十分钟内签署。" in signer.read(mine)
    assert signer.json(f"{mine}.json")["can_answer"] is True
    went(signer.send(f"{mine}/decline"))
    signer.see(mine)
    nobody = enter("stranger", "MZ", Duty.STAFF).read("/signing")
    assert "本部门没有人持有在用的签名章。请签署人先在本页设置签名密钥" in nobody


def test_whom_the_rule_refuses_is_not_offered_and_the_page_says_why(clerk, seal, app, monkeypatch):
    files = {"file": ("a.pdf", papers.page())}
    clock = utc_now() + timedelta(days=3 * 365)
    office = offices.seals(SimpleNamespace(app=app))
    with office.control.writing() as connection:
        change_signer(connection, "RS:deputy", 1, failures=MAX_ATTEMPTS)
    page = clerk.read("/signing")
    assert clerk.json("/signing.json")["others"] == []
    assert "目前没有可以请的签署人，原因见下。" in page
    assert "因多次验证失败已锁定" in page
    assert clerk.send(f"/signing/ask/{seal}", files=files, title="批复", purpose="签批").status_code == 409
    with office.control.writing() as connection:
        change_signer(connection, "RS:deputy", 1, failures=0)
    monkeypatch.setattr(office, "clock", lambda: clock)
    assert "is not within its validity" in clerk.read("/signing", **{"accept-language": "en"})
    monkeypatch.undo()
    assert [one["code"] for one in clerk.json("/signing.json")["others"]] == [seal]


def test_the_keeper_is_led_to_remote_signing(officer, seal):
    plain = officer.json(f"/seals/{seal}.json")
    assert (plain["can_use"], plain["can_be_asked"], plain["signed_by_person"]) == (False, True, True)
    assert f"/signing/ask/{seal}" in officer.see(f"/seals/{seal}").text


def test_administrators_and_auditors_sign_nothing(enter):  # noqa: F811
    for duty in (Duty.ADMINISTRATOR, Duty.AUDITOR):
        assert enter(f"apart-{duty}", "RS", duty).see("/signing").status_code == 403


def test_pages_are_in_english_too(signer, clerk, officer, seal, asked):
    # What the last step said is told once, in the language it was taken in.
    clerk.see(asked)
    for who, path in (
        (signer, "/signing"),
        (signer, "/signing/key"),
        (clerk, f"/signing/ask/{seal}"),
        (officer, "/signing/people"),
        (officer, "/signing/people/RS:deputy"),
    ):
        text = text_of(who.see(path, **{"accept-language": "en"}).text)
        main = text.partition("Help")[2]
        found = set(re.findall(r"[\u3400-\u9fff]+", main))
        assert not {one for one in found if one != "中文" and not one.startswith(("测试", "人社复", "号", "签批"))}
    assert HAN.search(signer.read("/signing"))


def test_another_key_is_given_by_somebody_else(signer, officer, enter, secret, seal):  # noqa: F811
    path = "/signing/people/RS:deputy"
    assert enter("stranger-officer", "MZ", Duty.LICENCES).see(path).status_code == 404
    assert signer.see(path).status_code == 403
    words = {"pin": "other-pin-1", "again": "other-pin-1", "ground": LAW}
    assert officer.send(path, **{**words, "ground": ""}).status_code == 422
    made = officer.send(path, **words)
    assert made.status_code == 200, text_of(made.text)[:300]
    rows = officer.json("/signing/people.json")["items"]
    assert [(one["number"], one["renews"]) for one in rows if one["person"] == "RS:deputy"] == [(1, False), (2, True)]
    assert officer.json(f"/seals/{seal}.json")["state"] == "disabled"
    assert "other-pin-1" not in made.text
