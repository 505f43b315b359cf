"""The whole way with the log as it is kept on disk: append, publish, prove, bundle, verify, then revoke."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from audit.log import Log
from licence import credential, lifecycle
from licence.bundle import LicenceBundle
from licence.status import StatusList, sign_status_list
from licence.verify import verify
from tests.licence import world as w


def publish(world, licence, issued_at):
    statuses = StatusList.build(64, {w.IDX: licence.status})
    ends = issued_at + timedelta(days=1)
    return sign_status_list(
        statuses, key=world.status_key, uri=w.STATUS_URI, issued_at=issued_at, expires_at=ends, ttl_s=3600
    )


def test_issue_log_bundle_verify_revoke(tmp_path, world, sealed):
    why = {"reason": "申请", "ground": "《条例》第五条"}
    licence = lifecycle.issue(identifier=sealed.identifier, kind=sealed.kind, issuer="a", at=w.ISSUED, **why)
    token = publish(world, licence, w.ISSUED)
    with Log.create(tmp_path / "log", "log.city.example", world.log_key) as log:
        log.append([w.status_entry(token, version=i) for i in range(600)])
        at = log.append([w.issued_entry(sealed), w.status_entry(token)])
        log.publish()
        bundle = LicenceBundle(
            identifier=sealed.identifier,
            credential=sealed.credential,
            chain=credential.parse(sealed.credential).jws.chain,
            entry=log.entry(at[0]),
            proof=log.prove(at[0]).to_text(),
            status_token=token,
            status_entry=log.entry(at[1]),
            status_proof=log.prove(at[1]).to_text(),
        )
    text = bundle.to_json()
    report = verify(text, world.trust, w.AT)
    assert report.exit_code == 0, report.text("en")
    assert report.licence["log"]["index"] == 600
    revoked = lifecycle.revoke(licence, by="a", at=w.AT, reason="材料虚假", ground="《行政许可法》第六十九条")
    newer = publish(world, revoked, w.AT)
    assert verify(text, world.trust, w.AT + timedelta(minutes=1), [newer]).exit_code == 12
    tampered = replace(bundle, credential=bundle.credential.replace("~", "~A", 1))
    assert verify(tampered.to_json(), world.trust, w.AT).exit_code == 10
