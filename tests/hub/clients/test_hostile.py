"""A hub that hangs up, answers half, slowly, or something else: both clients under one suite."""

from __future__ import annotations

import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.client import (
    AnswerRefusedError,
    CallInvalidError,
    CallUnavailableError,
    ClientSettingError,
    HubCertificateError,
    HubUnreachableError,
)
from tests.hub.clients.hostile import (
    OTHER,
    RECORD,
    Both,
    answer,
    drips,
    endless,
    gateway,
    half,
    hangs_up,
    hub,
    problem,
    says,
    silent,
)


@pytest.fixture(params=["sync", "async"])
def both(request):
    return Both(request.param)


@pytest.fixture
def waits(monkeypatch):
    """No wait takes place; how long they would have been."""
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    # The suite's own server sleeps, too.
    real = time.sleep
    monkeypatch.setattr("hub.client.lines.time.sleep", lambda s: real(s) if s == 0.02 else waited.append(s))
    monkeypatch.setattr("asyncio.sleep", sleep)
    return waited


class TestLostAnswers:
    @pytest.mark.parametrize("loss", [hangs_up, half, gateway(502), gateway(504)])
    def test_a_call_is_asked_again_under_the_name_that_it_had(self, both, waits, loss):
        with hub(loss, loss, says()) as place:
            called = both.query(place.url)
        assert called.records == [RECORD]
        names = {heard.name for heard in place.heard}
        assert len(place.heard) == 3
        assert (len(names), None in names) == (1, False)
        assert 0.2 <= waits[0] <= 0.3
        assert 0.4 <= waits[1] <= 0.6

    def test_two_calls_have_two_names(self, both):
        with hub(says()) as place:
            both.query(place.url)
            both.query(place.url)
        assert len({heard.name for heard in place.heard}) == 2

    @pytest.mark.parametrize("loss", [hangs_up, half, gateway(504)])
    def test_without_a_name_it_is_not(self, both, waits, loss):
        with hub(loss, says()) as place, pytest.raises(HubUnreachableError) as caught:
            both.query(place.url, once=False)
        assert (len(place.heard), caught.value.lost, waits) == (1, True, [])

    def test_what_would_be_done_twice_is_not(self, both, waits):
        doings = (
            lambda client: client.batches.order("306010/000001", matter="SX001"),
            lambda client: client.batches.cancel("B1"),
            lambda client: client.hooks.register("306010/000001", "https://x.example/", matter="SX001"),
            lambda client: client.hooks.take("H1", "retry"),
        )
        for do in doings:
            with hub(hangs_up) as place, pytest.raises(HubUnreachableError):
                both.ask(place.url, do)
            assert len(place.heard) == 1

    def test_what_only_reads_is(self, both, waits):
        doings = (
            lambda client: client.resource("306010/000001"),
            lambda client: client.explain("306010/000001", matter="SX001"),
            lambda client: client.batches.show("B1"),
            lambda client: client.hooks.find(),
        )
        for do in doings:
            with hub(hangs_up) as place, pytest.raises(HubUnreachableError):
                both.ask(place.url, do, tries=3)
            assert len(place.heard) == 3

    def test_a_client_of_one_try_names_and_repeats_nothing(self, both, waits):
        with hub(hangs_up) as place, pytest.raises(HubUnreachableError):
            both.query(place.url, tries=1)
        assert [heard.name for heard in place.heard] == [None]


class TestComingAgain:
    def test_when_the_hub_says(self, both, waits):
        busy = says(problem, status=503, code="busy", more={"retry-after": "3"})
        with hub(busy, busy, says()) as place:
            assert both.query(place.url, once=False).records
        assert len(waits) == 2
        assert all(3 <= wait <= 4.5 for wait in waits)

    def test_not_after_the_time_is_over(self, both, waits):
        busy = says(problem, status=503, code="busy", more={"retry-after": "9"})
        with hub(busy) as place, pytest.raises(CallUnavailableError) as caught:
            both.query(place.url, patience_s=5)
        assert (len(place.heard), caught.value.retry_after_s, waits) == (1, 9, [])

    def test_not_without_a_signature(self, both, waits):
        busy = says(problem, status=503, code="busy", more={"retry-after": "1"}, signer=OTHER)
        with hub(busy) as place, pytest.raises(AnswerRefusedError):
            both.query(place.url)
        assert len(place.heard) == 1

    def test_not_when_the_day_s_quota_is_used_up(self, both, waits):
        spent = says(problem, status=429, code="quota_exhausted", more={"retry-after": "1"})
        with hub(spent) as place, pytest.raises(CallInvalidError):
            both.query(place.url)
        assert len(place.heard) == 1


class TestTime:
    def test_silence_ends(self, both):
        with hub(silent) as place, pytest.raises(HubUnreachableError, match="silent"):
            both.query(place.url, silence_s=0.2, tries=1)

    def test_so_does_an_answer_that_never_ends_in_time(self, both):
        with hub(drips) as place, pytest.raises(HubUnreachableError, match="not whole after"):
            both.query(place.url, patience_s=0.5)
        assert len(place.heard) == 1

    def test_tries_share_the_time(self, both):
        with hub(silent) as place, pytest.raises(HubUnreachableError):
            both.query(place.url, silence_s=0.3, patience_s=1.0)
        assert 1 <= len(place.heard) < 5

    def test_an_answer_without_an_end_fills_no_memory(self, both, monkeypatch):
        monkeypatch.setattr("hub.client.talk.Memory.__init__.__defaults__", (1 << 20,))
        with hub(endless) as place, pytest.raises(AnswerRefusedError, match="more came"):
            both.query(place.url)


def changed(name, value):
    def change(parts):
        parts[name] = value

    return change


def after(change):
    def meddle(parts):
        parts["after"] = change

    return meddle


def _flip_leaf(receipt):
    receipt["leaf"]["facts"]["fields"] = ["income"]


def _flip_index(receipt):
    receipt["entry"] += 1


def _flip_origin(receipt):
    receipt["log"] = "other.example/log"


def _flip_signature(receipt):
    receipt["signature"] = ("B" if receipt["signature"][0] == "A" else "A") + receipt["signature"][1:]


def _flip_salt(name):
    def flip(receipt):
        receipt[name] = "cd" * 32

    return flip


def _drop(name):
    return lambda receipt: receipt.pop(name)


ANOTHER = {"keys": {"id": "2"}, "purpose": {"matter": "SX001"}}
FLIPS = {
    "records": changed("content", {"records": [{"name": "李四"}], "masked": []}),
    "a_member_more": changed("content", {"records": [RECORD], "masked": [], "stale": True}),
    "request": changed("request", ANOTHER),
    "purpose": changed("request", {"keys": {"id": "1"}, "purpose": {"matter": "SX002"}}),
    "header_entry": changed("index", 8),
    "header_log": changed("origin", "other.example/log"),
    "old": changed("at", datetime.now(UTC) - timedelta(hours=1)),
    "ahead": changed("at", datetime.now(UTC) + timedelta(hours=1)),
    "leaf": after(_flip_leaf),
    "index": after(_flip_index),
    "log": after(_flip_origin),
    "signature": after(_flip_signature),
    "request_salt": after(_flip_salt("request_salt")),
    "answer_salt": after(_flip_salt("answer_salt")),
    "no_salt": after(_drop("answer_salt")),
    "no_signature": after(_drop("signature")),
    "no_leaf": after(_drop("leaf")),
}


class TestAnswers:
    def test_a_true_one_is_believed(self, both):
        with hub(says()) as place:
            assert both.query(place.url).records == [RECORD]

    @pytest.mark.parametrize("flip", FLIPS.values(), ids=FLIPS)
    def test_a_false_one_is_refused_and_not_asked_for_again(self, both, flip):
        with hub(says(change=flip)) as place, pytest.raises(AnswerRefusedError) as caught:
            both.query(place.url)
        assert len(place.heard) == 1
        assert caught.value.text("zh") != caught.value.text("en")

    def test_nor_one_of_another_key(self, both):
        with hub(says(signer=OTHER)) as place, pytest.raises(AnswerRefusedError, match="not pinned"):
            both.query(place.url)

    def test_an_old_answer_is_one_only_to_a_call_that_its_caller_named(self, both):
        with hub(says(change=FLIPS["old"])) as place:
            assert both.query(place.url, name="yesterday").records

    def test_a_true_answer_to_another_question_is_refused(self, both):
        first = []

        def repeat(connection, heard):
            first.append(first[0] if first else answer(heard))
            connection.sendall(first[0])

        with hub(repeat) as place:
            assert both.query(place.url).records
            with pytest.raises(AnswerRefusedError, match="another request"):
                both.ask(place.url, lambda c: c.query("306010/000001", {"id": "2"}, matter="SX001"))

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"{}", b"\xff", b'{"receipt": 7}'])
    def test_nor_is_what_is_none(self, both, body):
        with hub(gateway(200, body)) as place, pytest.raises(AnswerRefusedError):
            both.query(place.url)

    def test_an_address_that_leads_elsewhere_is_not_followed(self, both):
        away = gateway(308, location="http://elsewhere.example/")
        with hub(away) as place, pytest.raises(ClientSettingError, match="leads elsewhere"):
            both.query(place.url)
        assert len(place.heard) == 1


def test_nothing_listens_and_a_name_that_nobody_has(both):
    with pytest.raises(HubUnreachableError, match="nothing listens") as caught:
        both.query("http://127.0.0.1:9", tries=1)
    assert (caught.value.lost, "127.0.0.1:9" in caught.value.text("zh")) == (False, True)
    with pytest.raises(HubUnreachableError, match="name is not known"):
        both.query("http://hub.invalid", tries=1)


class TestCertificates:
    @pytest.fixture
    def tls(self, tmp_path):
        """A hub at https whose certificate is of an authority of its own."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "city")])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / "city.pem").write_bytes(made.public_bytes(Encoding.PEM))
        (tmp_path / "own.pem").write_bytes(pem + made.public_bytes(Encoding.PEM))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "own.pem")
        with hub(says(), context=context) as place:
            yield place

    def test_one_that_nobody_vouches_for_is_said_at_once(self, both, tls, waits):
        with pytest.raises(HubCertificateError, match="`ca`") as caught:
            both.query(tls.url)
        assert (tls.heard, caught.value.lost, waits) == ([], False, [])

    def test_one_of_an_own_authority_is_believed(self, both, tls, tmp_path):
        assert both.query(tls.url, ca_file=tmp_path / "city.pem").records

    @pytest.mark.parametrize("text", [None, "no certificate"])
    def test_a_file_without_certificates_is_said(self, both, tls, tmp_path, text):
        if text is not None:
            (tmp_path / "none.pem").write_text(text)
        with pytest.raises(ClientSettingError, match="no certificates"):
            both.query(tls.url, ca_file=tmp_path / "none.pem")

    def test_http_where_https_is_wanted_and_the_other_way_about(self, both, tls, tmp_path):
        with pytest.raises(HubUnreachableError):
            both.query(tls.url.replace("https", "http"), tries=1)
        with hub(says()) as plain, pytest.raises(HubUnreachableError, match="TLS"):
            both.query(plain.url.replace("http", "https"), tries=1)
