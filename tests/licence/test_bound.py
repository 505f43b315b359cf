"""A licence sealed again for a wallet's key: its own log entry, the same status; verified, folded, audited."""

from __future__ import annotations

import pytest

from audit.entry import Entry
from licence import credential
from licence.errors import FormatError
from licence.keys import pem_bundle
from licence.report import Verdict
from licence.status.events import Bound, read_event
from licence.status.projection import Projection
from licence.verify import verify
from licence.wallet.holder import Wallet
from tests.licence import independent
from tests.licence import world as w
from tests.licence.test_status_projection import SLOTS, changed, issued, uri

HOLDER = Wallet(w.private_key("holder"))


def entry_of(sealed, kind="licence.bound", **facts):
    return Entry(kind, w.ISSUED, "hub:wallets", "", "R1", "", sealed.log_facts() | facts).encode()


@pytest.fixture(scope="module")
def bound(world):
    return w.seal(world.agriculture, salts=w.salts("bound"), holder=HOLDER.public_key)


def judged(world, sealed, **changes):
    bundle = w.bundle_of(world, sealed, w.status_token(world.status_key), **changes)
    return verify(bundle, world.trust, w.AT), bundle


def test_it_is_verified_by_its_own_entry(world, bound):
    report, _ = judged(world, bound, entry=entry_of(bound))
    assert report.verdict is Verdict.PASSED


def test_the_second_verifier_agrees(world, bound, sealed):
    anchors = pem_bundle(world.trust.anchors)
    log_keys = [independent.read_log_key(v.to_text()) for v in world.trust.log_verifiers]
    for one, entry, code in (
        (bound, entry_of(bound), 0),
        (sealed, entry_of(sealed), 13),
        (bound, entry_of(sealed), 13),
    ):
        _, bundle = judged(world, one, entry=entry)
        assert independent.verify(bundle.to_json(), anchors, log_keys, int(w.AT.timestamp())) == code


def test_the_entry_of_the_licence_does_not_vouch_for_it(world, bound, sealed):
    report, _ = judged(world, bound, entry=w.issued_entry(sealed))
    assert report.sub_indication == "HASH_FAILURE"


def test_a_licence_without_a_key_needs_the_entry_of_its_issue(world, sealed):
    report, _ = judged(world, sealed, entry=entry_of(sealed))
    assert report.deciding.code == "log_entry_wrong_kind"


@pytest.mark.parametrize("kind", ["licence.offered", "licence.presented", "licence.status", "status.published"])
def test_no_other_entry_vouches_for_it(world, bound, kind):
    report, _ = judged(world, bound, entry=entry_of(bound, kind))
    assert report.verdict is Verdict.FAILED


def bound_entry(name, shard=1, idx=0, **facts):
    base = {"licence": name, "credential": "sha256:" + "1" * 64, "kind": "K", "status": {"uri": uri(shard), "idx": idx}}
    return Entry("licence.bound", w.AT, "hub:wallets", "", "R1", "", base | facts).encode()


def test_it_is_an_event_and_takes_no_entry_of_a_list():
    assert isinstance(read_event(bound_entry("A"), 3), Bound)
    plain, found = (Projection.of([issued("A"), *more], slots=SLOTS) for more in ([], [bound_entry("A")] * 2))
    assert (found.issued, found.bound, found.faults) == (1, 2, [])
    assert found.lists == plain.lists
    assert found.counts() == plain.counts()


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([bound_entry("A")], "projection_bound_unknown"),
        ([issued("A"), bound_entry("A", idx=1)], "projection_bound_elsewhere"),
        ([issued("A"), bound_entry("A", shard=2)], "projection_bound_elsewhere"),
        ([issued("A"), changed("A"), bound_entry("A")], "projection_bound_not_in_force"),
        ([issued("A"), changed("A", "02", "suspend"), bound_entry("A")], "projection_bound_not_in_force"),
        ([issued("A"), bound_entry("A", credential="x")], "licence_entry_malformed"),
    ],
)
def test_one_that_cannot_be_right_is_a_finding(entries, code):
    found = Projection.of(entries, slots=SLOTS)
    assert [fault.code for fault in found.faults] == [code]
    assert found.bound == 0
    for fault in found.faults:
        assert fault.text("zh")


def test_a_resumed_licence_may_be_bound_again():
    entries = [issued("A"), changed("A", "02", "suspend"), changed("A", "01", "resume"), bound_entry("A")]
    assert Projection.of(entries, slots=SLOTS).bound == 1


def test_a_presentation_of_it_shows_what_was_chosen(bound):
    shown = HOLDER.present(bound.credential, ["ZZMC"], nonce="n", audience="v", at=w.AT)
    found = credential.parse_presentation(shown)
    assert set(found.credential.claims) == {"ZZMC"}
    with pytest.raises(FormatError):
        credential.parse_presentation(shown.replace("~", "~AAAA~", 1))
