"""Keys change with overlap, certificates are revoked by two, and what was signed before goes on holding."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.entry import Entry
from hub.authority import changes, making, register, revocations
from hub.authority.changes import rotate, standings
from hub.authority.errors import CertificateUnknownError, KeyStepRefusedError, RootApartError, SigningKeyMissingError
from hub.authority.revocations import Order, list_file, renew_lists, revoke
from hub.errors import ActorInvalidError
from licence import crl
from licence.crl import Reason
from licence.suites import ECDSA_P256_SHA256
from licence.trust import TrustStore
from tests.hub.authority.conftest import again, prepare

BY, SECOND = "DSJ:key-keeper", "DSJ:auditor"


def order(**changed):
    return Order(**{"reason": Reason.SUPERSEDED, "ground": "换发", "by": BY, "second": SECOND, **changed})


def entries(log, kind):
    found = [Entry.decode(leaf) for leaf in log.log.entries(0, log.log.size)]
    return [e for e in found if e.kind == kind]


def state(keys, key_id):
    return next(s for s in standings(keys, keys.kept(), keys.clock()) if s.kept.key_id == key_id)


def test_the_next_key_signs_from_the_planned_day(keys, log, clock):
    first = keys.status().certificate
    planned = rotate(keys, log, "status", by=BY, signs_from=clock() + timedelta(days=30))
    assert keys.status().certificate == first
    assert state(keys, planned.key_id).state == "planned"
    with pytest.raises(KeyStepRefusedError, match="2026"):
        rotate(keys, log, "status", by=BY)
    clock.pass_(days=30)
    assert keys.status().certificate == planned.certificate
    assert state(keys, register.key_id_of(first)).state == "replaced"
    (entry,) = entries(log, "keys.rotated")
    assert entry.facts["key"] == planned.key_id
    assert entry.facts["replaces"] == register.key_id_of(first)


def test_what_ends_within_sixty_days_is_due(keys, log, clock):
    clock.pass_(days=making.LEAF_DAYS - 59)
    one = register.key_id_of(keys.status().certificate)
    assert state(keys, one).due
    rotate(keys, log, "status", by=BY, signs_from=clock() + timedelta(days=1))
    assert not state(keys, one).due


def test_a_department_by_its_code(keys, log):
    code = next(iter(keys._known))
    before = keys.department(code)
    made = rotate(keys, log, code, by=BY)
    after = keys.department(code)
    assert after.certificate == made.certificate != before.certificate
    assert after.organisation_code == before.organisation_code
    with pytest.raises(CertificateUnknownError):
        rotate(keys, log, "nobody", by=BY)
    with pytest.raises(ActorInvalidError):
        rotate(keys, log, code, by="13800001111")


def test_the_issuing_authority_changes_and_both_verify(keys, log):
    old = keys.status()
    made = rotate(keys, log, "issuing", by=BY)
    rotate(keys, log, "status", by=BY)
    assert keys.status().chain[1] == made.certificate
    keys.publish((log.verifier,))
    trust = TrustStore.load(keys.settings.trust)
    for key in (old, keys.status()):
        assert key.chain_der[1] in trust.certificates
        assert key.chain[-1] in trust.anchors


@pytest.mark.parametrize("where", ["write_key", "insert", "append", "publish"])
def test_killed_while_changing(keys, log, monkeypatch, where):
    before = keys.status().certificate
    owner, name = {
        "write_key": (making, "write_key"),
        "insert": (register, "insert"),
        "append": (log, "append"),
        "publish": (keys, "publish"),
    }[where]

    def killed(*_args, **_named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, killed)
        with pytest.raises(KeyboardInterrupt):
            rotate(keys, log, "status", by=BY)
    other = again(keys)
    prepare(other)
    assert all(other.open(k).certificate == k.certificate for k in other.kept())
    if where == "publish":
        assert other.status().certificate != before
        return
    assert other.status().certificate == before
    made = rotate(other, log, "status", by=BY)
    assert made.number == 2
    assert other.status().certificate == made.certificate


def test_revoking_takes_two_and_a_ground(keys, log):
    serial = f"{keys.status().certificate.serial_number:x}"
    for wrong in (order(second=BY), order(ground=" ")):
        with pytest.raises(KeyStepRefusedError):
            revoke(keys, log, serial, wrong)
    with pytest.raises(ActorInvalidError):
        revoke(keys, log, serial, order(by="nobody"))
    with pytest.raises(KeyStepRefusedError):
        revoke(keys, log, serial, order(since=keys.clock() + timedelta(days=1)))
    with pytest.raises(CertificateUnknownError):
        revoke(keys, log, "abcdef0123", order())
    with pytest.raises(KeyStepRefusedError, match="pin"):
        revoke(keys, log, f"{keys.roots()[0].serial_number:x}", order())
    assert entries(log, "keys.revoked") == []


def test_a_revoked_key_signs_no_more_and_the_one_before_does_not_return(keys, log):
    rotate(keys, log, "status", by=BY)
    now = keys.status()
    since = keys.clock() - timedelta(minutes=5)
    revoke(keys, log, f"{now.certificate.serial_number:x}", order(since=since, reason=Reason.KEY_COMPROMISE))
    with pytest.raises(SigningKeyMissingError):
        keys.status()
    read = crl.read(list_file(keys.settings, register.key_id_of(now.chain[1])).read_bytes(), now.chain[1])
    (entry,) = read.entries.values()
    assert (entry.serial, entry.reason, entry.effective) == (
        now.certificate.serial_number,
        Reason.KEY_COMPROMISE,
        since,
    )
    assert TrustStore.load(keys.settings.trust).crls == keys.crls()
    made = rotate(keys, log, "status", by=BY)
    assert keys.status().certificate == made.certificate


@pytest.mark.parametrize("where", ["append", "sign_list", "publish_lists"])
def test_killed_while_revoking(keys, log, monkeypatch, where):
    serial = f"{keys.status().certificate.serial_number:x}"

    def killed(*_args, **_named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(log if where == "append" else revocations, where, killed)
        with pytest.raises(KeyboardInterrupt):
            revoke(keys, log, serial, order())
    revoked = [k for k in keys.kept() if k.revoked_at]
    assert len(revoked) == (where == "publish_lists")
    one, index = revoke(keys, log, serial, order())
    assert one.log_index == index
    found = [crl.load(der) for der in keys.crls()]
    assert sum(len(list(each)) for each in found) == 1
    assert list_file(keys.settings, one.issuer).exists()


def test_lists_are_numbered_logged_and_renewed_before_they_end(keys, log, clock):
    everybody = sum(k.authority for k in keys.kept())
    assert len(renew_lists(keys, log)) == everybody
    assert renew_lists(keys, log) == []
    clock.pass_(days=4)
    assert set(renew_lists(keys, log)) == {"issuing"}
    logged = entries(log, "crl.published")
    assert len(logged) == everybody + everybody // 2
    assert sorted({e.facts["number"] for e in logged}) == [1, 2]
    assert all(crl.load(der).next_update_utc > clock() for der in keys.crls())


def test_a_root_kept_apart_renews_nothing(keys, log):
    keys.path("root", ECDSA_P256_SHA256, 1).unlink()
    issuing = next(k for k in keys.kept() if k.name == "issuing" and k.suite == ECDSA_P256_SHA256)
    renew_lists(keys, log)
    with pytest.raises(RootApartError):
        revoke(keys, log, issuing.serial, order())
    assert [k for k in keys.kept() if k.revoked_at] == []
    with pytest.raises(RootApartError):
        rotate(keys, log, changes.ISSUING, by=BY)
