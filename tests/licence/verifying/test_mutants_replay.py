"""A report with all it was judged by, word for word; judged again it is the same, and altered it is none."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from licence.errors import FormatError
from licence.second import SecondKey, read_keys, write_keys
from licence.trust import TrustStore, fingerprint
from licence.verifying.replay import diagnostic, replay
from tests.licence import world as w

# The package has a function of that name.
module = importlib.import_module("licence.verifying.replay")
CHINA = timezone(timedelta(hours=8))
SUITE = "ecdsa-p256-sha256"


def b64(data):
    return base64.b64encode(data).decode()


class Reported:
    """What is judged is not looked at here."""

    @staticmethod
    def to_json():
        return '{"verdict": "TOTAL-PASSED", "name": "证照"}'


@pytest.fixture(scope="module")
def trust(world):
    pins = {"licence_signers": frozenset({"b" * 64, "a" * 64}), "status_signers": frozenset({"d" * 64, "c" * 64})}
    helpers = {"certificates": (b"c1", b"c2"), "crls": (b"l1",)}
    anchors = (world.root.certificate, w.make_root("other").certificate)
    return TrustStore(anchors, world.trust.log_verifiers, frozenset({SUITE, "ed25519"}), **pins, **helpers)


GIVEN = {
    "status_tokens": ["jwt", b"cwt"],
    "crls": [b"l2", b"l1", b"l2"],
    "certificates": [b"c3", b"c1"],
    "histories": ["h一", b"\xff"],
}


@pytest.fixture
def judged(monkeypatch):
    """What `judge` was asked, in place of judging."""
    asked = []
    monkeypatch.setattr(module, "judge", lambda *a, **k: asked.append((a, k)) or "report")
    return asked


@pytest.fixture(scope="module")
def text(trust):
    return diagnostic(Reported, b"ZT1:\xff", trust, datetime(2025, 3, 1, 16, tzinfo=CHINA), **GIVEN)


def altered(text, **inputs):
    document = json.loads(text)
    document["inputs"] |= inputs
    return json.dumps(document)


def with_trust(text, **changes):
    return altered(text, trust={**json.loads(text)["inputs"]["trust"], **changes})


def refused(text, **options):
    with pytest.raises(FormatError) as caught:
        replay(text, **options)
    fault = caught.value
    return fault.code, fault.finding_params.get("part"), fault.sub_indication


def test_it_holds_everything_word_for_word(text, trust):
    assert json.loads(text) == {
        "format": "zhengtong-diagnostic/1",
        "form": "qr",
        "report": {"verdict": "TOTAL-PASSED", "name": "证照"},
        "inputs": {
            "data": b64(b"ZT1:\xff"),
            "sha256": hashlib.sha256(b"ZT1:\xff").hexdigest(),
            "at": "2025-03-01T08:00:00+00:00",
            "trust": {
                "anchors": sorted(b64(a.public_bytes(Encoding.DER)) for a in trust.anchors),
                "log_keys": [v.to_text() for v in trust.log_verifiers],
                "suites": [SUITE, "ed25519"],
                "licence_signers": ["a" * 64, "b" * 64],
                "status_signers": ["c" * 64, "d" * 64],
            },
            "status_tokens": ["jwt", {"cwt": b64(b"cwt")}],
            "crls": [b64(b"l2"), b64(b"l1")],
            "certificates": [b64(c) for c in (b"c3", b"c1", b"c2")],
            "histories": [b64("h一".encode()), b64(b"\xff")],
        },
    }
    assert text.endswith("}\n")
    assert '\n "format"' in text
    assert "证照" in text


def test_what_is_not_given_is_empty(world):
    document = json.loads(diagnostic(Reported, b"", world.trust, w.AT))
    names = ("status_tokens", "crls", "certificates", "histories")
    assert [document["inputs"][name] for name in names] == [[]] * 4


def test_it_is_judged_by_what_is_written_down(text, trust, judged):
    assert replay(text) == "report"
    ((arguments, named),) = judged
    data, pinned, at = arguments
    assert (data, at) == (b"ZT1:\xff", datetime(2025, 3, 1, 8, tzinfo=UTC))
    assert set(pinned.anchors) == set(trust.anchors)
    for name in ("log_verifiers", "suites", "licence_signers", "status_signers", "second_keys", "require_second"):
        assert getattr(pinned, name) == getattr(trust, name), name
    assert (pinned.certificates, pinned.crls) == ((), ())
    assert named == {
        "status_tokens": ["jwt", b"cwt"],
        "crls": [b"l2", b"l1"],
        "certificates": [b"c3", b"c1", b"c2"],
        "histories": ["h一".encode(), b"\xff"],
    }
    replay(text.encode())
    assert judged[1][0] == arguments


def test_another_policy_or_time_takes_the_place_of_the_one_written(text, trust, world, judged):
    replay(text, trust=world.trust, at=w.UNTIL)
    assert judged[0][0] == (b"ZT1:\xff", world.trust, w.UNTIL)
    # What was written of the trust is then not read.
    replay(altered(text, trust=None), trust=world.trust)
    replay(altered(text, at=None), at=w.UNTIL)
    assert len(judged) == 3


def test_one_of_before_histories_were_heard_has_none(text, judged):
    document = json.loads(text)
    del document["inputs"]["histories"]
    replay(json.dumps(document))
    assert judged[0][1]["histories"] == []


@pytest.fixture(scope="module")
def keys():
    key = MLDSA65PrivateKey.from_seed_bytes(b"a" * 32)
    return frozenset({SecondKey.of(w.AGRICULTURE, key.public_key())})


class TestSecondKeys:
    @pytest.mark.parametrize("required", [False, True])
    def test_are_written_where_they_are_pinned(self, trust, keys, judged, required):
        pinned = replace(trust, second_keys=keys, require_second=required)
        text = diagnostic(Reported, b"", pinned, w.AT)
        written = json.loads(text)["inputs"]["trust"]
        assert (written["second_keys"], written["require_second"]) == (write_keys(keys).decode(), required)
        replay(text)
        found = judged[0][0][1]
        assert (found.second_keys, found.require_second) == (keys, required)
        assert read_keys(written["second_keys"]) == keys

    def test_come_with_both_members_of_their_kinds_or_with_none(self, text, keys):
        held = write_keys(keys).decode()
        bad = ("diagnostic_malformed", "trust", "FORMAT_FAILURE")
        assert refused(with_trust(text, second_keys=held)) == bad
        assert refused(with_trust(text, require_second=False)) == bad
        for second, required in ((None, False), (1, True), (held, 1), (held, None), ("", False), ("{}", True)):
            assert refused(with_trust(text, second_keys=second, require_second=required)) == bad


class TestRefused:
    @pytest.mark.parametrize(
        "text", ["[]", "1", "{}", '{"format": "zhengtong-diagnostic/2"}', '{"format": null, "inputs": {}}']
    )
    def test_what_is_no_such_text(self, text):
        assert refused(text) == ("diagnostic_malformed", "format", "FORMAT_FAILURE")

    def test_what_is_too_large(self, monkeypatch):
        # Room for what readers take.
        assert module.MAX_DIAGNOSTIC_BYTES == 1 << 28
        monkeypatch.setattr(module, "MAX_DIAGNOSTIC_BYTES", 10)
        with pytest.raises(FormatError) as caught:
            replay("[" + " " * 10)
        assert caught.value.code == "too_large"
        assert caught.value.finding_params == {"what": "diagnostic", "limit": "10"}
        assert refused("{" + " " * 8 + "}")[1] == "format"

    def test_what_is_no_json(self):
        with pytest.raises(FormatError) as caught:
            replay("{")
        assert caught.value.finding_params["what"] == "diagnostic"

    @pytest.mark.parametrize("inputs", [None, [], "x", {}])
    def test_inputs_that_are_none(self, text, inputs):
        document = json.loads(text) | {"inputs": inputs}
        assert refused(json.dumps(document)) == ("diagnostic_malformed", "inputs", "FORMAT_FAILURE")

    def test_an_input_more_or_less(self, text):
        assert refused(altered(text, more=1))[:2] == ("diagnostic_malformed", "inputs")
        document = json.loads(text)
        del document["inputs"]["crls"]
        assert refused(json.dumps(document))[:2] == ("diagnostic_malformed", "inputs")

    def test_data_that_its_digest_does_not_fit(self, text):
        assert refused(altered(text, data=b64(b"x"))) == ("diagnostic_malformed", "sha256", "HASH_FAILURE")
        assert refused(altered(text, sha256="")) == ("diagnostic_malformed", "sha256", "HASH_FAILURE")

    @pytest.mark.parametrize("data", [1, None, "?", "AA", "A A=", "AA==\n", "ZZ$Z", "é"])
    def test_data_that_is_no_base64(self, text, data):
        assert refused(altered(text, data=data)) == ("diagnostic_malformed", "data", "FORMAT_FAILURE")

    @pytest.mark.parametrize("at", [1, None, "", "soon", "2025-03-01T08:00:00", "2025-03-01"])
    def test_a_time_that_is_none_or_has_no_zone(self, text, at):
        assert refused(altered(text, at=at)) == ("diagnostic_malformed", "at", "FORMAT_FAILURE")

    @pytest.mark.parametrize("name", ["crls", "certificates", "histories"])
    @pytest.mark.parametrize("value", [None, "AA==", {"AA==": 1}, [1], ["AA==", None], ["?"], ["A A="]])
    def test_lists_that_are_none(self, text, name, value):
        assert refused(altered(text, **{name: value})) == ("diagnostic_malformed", name, "FORMAT_FAILURE")

    @pytest.mark.parametrize("value", [None, "jwt", [1], [{}], [{"cwt": 1}], [{"cwt": "?"}], [{"cwt": "AA==", "x": 1}]])
    def test_status_lists_that_are_none(self, text, value):
        assert refused(altered(text, status_tokens=value)) == (
            "diagnostic_malformed",
            "status_tokens",
            "FORMAT_FAILURE",
        )

    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"anchors": []}, "trust"),
            ({"anchors": ["AA=="]}, "trust"),
            ({"anchors": ["?"]}, "anchors"),
            ({"anchors": "AA=="}, "anchors"),
            ({"anchors": [1]}, "anchors"),
            ({"log_keys": []}, "trust"),
            ({"log_keys": ["x"]}, "trust"),
            ({"log_keys": [1]}, "log_keys"),
            ({"suites": []}, "trust"),
            ({"suites": ["md5"]}, "trust"),
            ({"suites": SUITE}, "suites"),
            ({"licence_signers": "a"}, "licence_signers"),
            ({"licence_signers": [1]}, "licence_signers"),
            ({"status_signers": None}, "status_signers"),
            ({"more": 1}, "trust"),
        ],
    )
    def test_a_trust_that_is_none(self, text, changes, part):
        assert refused(with_trust(text, **changes)) == ("diagnostic_malformed", part, "FORMAT_FAILURE")

    @pytest.mark.parametrize("name", ["anchors", "log_keys", "suites", "licence_signers", "status_signers"])
    def test_a_trust_that_lacks_a_part(self, text, name):
        trust = json.loads(text)["inputs"]["trust"]
        del trust[name]
        assert refused(altered(text, trust=trust)) == ("diagnostic_malformed", "trust", "FORMAT_FAILURE")
        assert refused(altered(text, trust=[trust]))[1] == "trust"


def test_a_pin_is_what_it_was(world, judged):
    pin = frozenset({fingerprint(world.agriculture.chain_der[0])})
    pinned = replace(world.trust, licence_signers=pin)
    replay(diagnostic(Reported, b"", pinned, w.AT))
    assert judged[0][0][1].licence_signers == pin
