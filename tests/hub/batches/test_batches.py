"""Batch orders from order to expiry: what is refused, what is shown, what the log says, and what stops one."""

from __future__ import annotations

import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from unittest import mock

import pyarrow.parquet as pq
import pytest

from audit.entry import seal_body
from catalog.model import Mask
from catalog.rows import parse_rule
from hub import receipts
from hub.batches.errors import (
    FAILURES,
    BatchClosedError,
    BatchExpiredError,
    BatchSourceError,
    BatchStateError,
    BatchTooLargeError,
    BatchUnknownError,
    TooManyBatchesError,
)
from hub.batches.making import LEASE
from hub.batches.manifest import FINDINGS, check, digest
from hub.batches.order import Wish
from hub.errors import DeniedError, InvalidRequestError, QuotaExhaustedError, ResourceUnknownError
from hub.invocation import RefusedError
from tests.hub.batches.conftest import FIELDS, PURPOSE
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, EMPTY_CODE, IDS, MATTER, end, make_list, resource
from warehouse.errors import SnapshotMissingError
from warehouse.masking import Masked


def rows_of(room, batch):
    """All rows of a batch that is ready, after its folder was checked with the pinned key."""
    folder = room.batches.folder(batch.id)
    checked = check(folder, [room.signer.verifier])
    assert checked.findings == ()
    return [row for part in checked.manifest["parts"] for row in pq.read_table(folder / part["name"]).to_pylist()]


def refusal(room, **changes):
    with pytest.raises(RefusedError) as caught:
        room.order(**changes)
    return caught.value


def test_an_order_is_made_masked_signed_and_recorded(room):
    room.grant(masks=(("name", Mask.SURNAME), ("address", Mask.COUNTY)))
    batch = room.made()
    assert (batch.state, batch.rows_total, batch.rows_done, batch.error_code) == ("ready", 5, 5, "")
    rows = {row["citizen_id"]: row for row in rows_of(room, batch)}
    first = rows[IDS[0][:6] + "********" + IDS[0][-4:]]
    assert (first["name"], first["address"], str(first["income"]), first["married"]) == (
        "张**",
        "北京市朝阳区***",
        "1200.50",
        True,
    )
    assert rows[IDS[2][:6] + "********" + IDS[2][-4:]]["income"] is None
    manifest = json.loads(room.batches.manifest(batch.id, "RS"))
    assert manifest["rows"] == 5
    assert (manifest["grant"], manifest["snapshot"], manifest["list_version"]) == (
        "G2", str(room.world.snapshot), room.world.list.version,
    )  # fmt: skip
    assert {f["name"]: f["masks"] for f in manifest["fields"]}["name"] == ["surname"]
    (ordered,), (ready,) = room.entries("batch.ordered"), room.entries("batch.ready")
    assert ordered.subject == ready.subject == ""
    assert (ordered.actor, ordered.resource, ordered.purpose) == ("RS", CODE, MATTER)
    assert ordered.facts["masks"] == {"citizen_id": "citizen_id", "name": "surname", "address": "county"}
    assert manifest["order_digest"] == ordered.facts["request_digest"]
    assert ready.facts["manifest_digest"] == batch.manifest_digest == digest(manifest)
    # Nothing of the case number or of a person stands in either.
    assert b"BJ-7" not in ordered.encode() + ready.encode() + json.dumps(manifest).encode()


def test_the_receipt_of_an_order_opens_its_digest_and_the_body_holds_all_of_it(granted):
    wish = Wish(PURPOSE, ("name",), grant="G2")
    batch, receipt = granted.batches.order(granted.caller, CODE, wish)
    receipts.check(receipt, [granted.signer.verifier], request=wish.plain())
    (entry,) = granted.entries("batch.ordered")
    salt, body = granted.evidence.bodies.get(entry.body_digest)
    assert seal_body(body, salt) == entry.body_digest
    assert (body["id"], body["snapshot"], body["rows"]) == (batch.id, str(granted.world.snapshot), 5)
    assert body["order"]["purpose"] == {"matter": MATTER, "case": "BJ-7"}
    assert [grant["id"] for grant in body["grants"]] == ["G1", "G2"]


def test_scope_rows_alone_leave_and_a_field_is_masked_in_one_scope_and_open_in_another(room):
    room.grant(rows=(parse_rule("household in H1"),), fields=("citizen_id", "name"))
    room.grant(id="G3", rows=(parse_rule("birth >= 1990-01-02"), parse_rule("birth <= 1990-01-04")),
               fields=("name",), masks=(("name", Mask.SURNAME),))  # fmt: skip
    batch = room.made(grant=None, fields=("name", "citizen_id"))
    rows = rows_of(room, batch)
    assert [row["name"] for row in rows] == ["张三", "欧阳四", "王**", "Ａ**"]
    assert [row["citizen_id"] is None for row in rows] == [False, False, True, True]
    assert "赵六" not in str(rows)
    manifest = json.loads(room.batches.manifest(batch.id, "RS"))
    assert [scope["grant"] for scope in manifest["scopes"]] == ["G2", "G3"]
    assert manifest["fields"][0] == {"name": "name", "type": "text", "masks": ["none", "surname"]}


def test_rows_are_chosen_by_fields_that_are_shown_as_they_are_and_by_no_others(room):
    room.grant(fields=("name", "household", "birth", "citizen_id"), masks=(("birth", Mask.YEAR),))
    batch = room.made(fields=("name",), rules=(parse_rule("household in H2"),))
    assert rows_of(room, batch) == [{"name": "王五"}, {"name": "ＡＢＣ 有限"}, {"name": "赵六"}]
    for rule, kind in (
        ("birth >= 1990-01-03", InvalidRequestError),
        ("income >= 100", DeniedError),
        ("gone in 1", InvalidRequestError),
        ("citizen_id prefix 110105", InvalidRequestError),
    ):
        refused = refusal(room, fields=("name",), rules=(parse_rule(rule),))
        assert isinstance(refused.cause, kind), rule
    assert [e.facts["outcome"] for e in room.entries("batch.denied")] == ["refused", "denied", "refused", "refused"]


def test_denials_have_reasons_and_evidence(room):
    refused = refusal(room, grant=None)
    assert [reason.code for reason in refused.cause.reasons] == ["action_not_granted"]
    room.grant(fields=("name",))
    assert [r.code for r in refusal(room, fields=("income",)).cause.reasons] == ["field_not_granted"]
    missing = Wish(type(PURPOSE)(), grant="G2")
    with pytest.raises(RefusedError) as caught:
        room.batches.order(room.caller, CODE, missing)
    assert "purpose_missing" in [r.code for r in caught.value.cause.reasons]
    assert isinstance(refusal(room, code="no/such").cause, ResourceUnknownError)
    facts = [entry.facts for entry in room.entries("batch.denied")]
    assert [f["reasons"] for f in facts][:2] == [["action_not_granted"], ["field_not_granted"]]
    assert len(facts) == 4
    assert refused.receipt.facts("outcome") == "denied"
    assert room.batches.find("RS") == ()


def test_a_fault_of_form_is_recorded_too(granted):
    fault = InvalidRequestError(where="x", why="y", why_zh="z")
    with pytest.raises(RefusedError):
        granted.batches.order(granted.caller, CODE, fault)
    assert [e.facts["reasons"] for e in granted.entries("batch.denied")] == [["request_invalid"]]


def test_what_is_too_large_is_refused_before_anything_is_made(granted):
    from dataclasses import replace

    granted.batches.settings = replace(granted.batches.settings, batch_rows=4)
    refused = refusal(granted)
    assert isinstance(refused.cause, BatchTooLargeError)
    assert "5" in refused.cause.text("zh")
    assert granted.order(rules=(parse_rule("household in H2"),)).rows_total == 3


def test_an_order_is_one_call_of_the_quota_and_another_grant_steps_in(room):
    room.grant(quota_per_day=2)
    room.order()
    room.order()
    refused = refusal(room)
    assert isinstance(refused.cause, QuotaExhaustedError)
    assert refused.cause.params["grant"] == "G2"
    room.grant(id="G3", masks=(("name", Mask.REDACT),))
    batch = room.order(grant=None)
    assert batch.grant == "G3"
    room.world.clock.now += timedelta(days=1)
    assert room.order().grant == "G2"


def test_orders_at_once_do_not_overtake_the_quota(room, monkeypatch):
    room.grant(quota_per_day=2)
    today = room.batches.usage.today

    def slowly(grant, at):
        used = today(grant, at)
        time.sleep(0.05)  # long enough for another to ask, if nothing made it wait
        return used

    monkeypatch.setattr(room.batches.usage, "today", slowly)

    def order(_):
        try:
            return room.order()
        except RefusedError as refused:
            return refused.cause

    with ThreadPoolExecutor(5) as pool:
        came = list(pool.map(order, range(5)))
    assert sum(isinstance(one, QuotaExhaustedError) for one in came) == 3
    assert len(room.batches.find("RS")) == len(room.entries("batch.ordered")) == 2


def test_calls_count_as_orders_do(room):
    room.grant(quota_per_day=2, actions=("batch", "query"))
    room.order()
    entry = {"grant": "G2", "outcome": "answered"}
    room.evidence.append("invocation.answered", actor="RS", resource=CODE, facts=entry)
    assert isinstance(refusal(room).cause, QuotaExhaustedError)


def test_a_department_has_so_many_under_way_and_no_more(granted):
    with mock.patch("hub.batches.taking.MAX_UNDER_WAY", 2):
        granted.order()
        granted.order()
        assert isinstance(refusal(granted).cause, TooManyBatchesError)


def test_a_resource_without_a_table_is_told_as_such(room):
    room.grant(resource=EMPTY_CODE)
    assert isinstance(refusal(room, code=EMPTY_CODE).cause, BatchSourceError)


def test_an_empty_result_is_ready_with_its_columns(granted):
    batch = granted.made(rules=(parse_rule("household in H9"),))
    assert (batch.state, batch.rows_total) == ("ready", 0)
    assert rows_of(granted, batch) == []
    (part,) = granted.batches.parts(batch.id)
    assert pq.read_schema(granted.batches.folder(batch.id) / part.name).names == list(FIELDS)


@pytest.mark.parametrize("form", ["csv", "csv.gz"])
def test_csv_is_made_and_checked_alike(granted, form):
    batch = granted.made(form=form, fields=("name", "income"))
    folder = granted.batches.folder(batch.id)
    checked = check(folder, [granted.signer.verifier])
    assert checked.holds
    assert checked.manifest["csv"]["encoding"] == "utf-8-sig"
    name = checked.manifest["parts"][0]["name"]
    data = (folder / name).read_bytes()
    text = (gzip.decompress(data) if form == "csv.gz" else data).decode("utf-8-sig")
    assert text.splitlines()[:4] == ["name,income", "张三,1200.50", "欧阳四,8.00", "王五,"]


def test_only_the_department_that_ordered_sees_and_fetches_it(granted):
    batch = granted.made()
    for step in (
        lambda: granted.batches.get(batch.id, "MZ"),
        lambda: granted.batches.manifest(batch.id, "MZ"),
        lambda: granted.batches.fetch(granted.other, batch.id, 1),
        lambda: granted.batches.cancel(batch.id, "MZ", by="x"),
        lambda: granted.batches.get("BNOSUCH"),
        lambda: granted.batches.fetch(granted.caller, batch.id, 2),
    ):
        with pytest.raises(BatchUnknownError):
            step()
    assert granted.batches.find("MZ") == ()


def test_the_first_download_of_a_part_leaves_one_entry(granted):
    batch = granted.made()
    path, part = granted.batches.fetch(granted.caller, batch.id, 1)
    assert path.stat().st_size == part.bytes
    assert granted.batches.fetch(granted.caller, batch.id, 1)[1].fetched_log_index == part.fetched_log_index
    (entry,) = granted.entries("batch.fetched")
    assert (entry.facts["batch"], entry.facts["part"], entry.facts["digest"]) == (batch.id, 1, part.digest)


def test_files_are_served_until_they_expire_and_then_they_go(granted):
    batch = granted.order()
    with pytest.raises(BatchStateError):
        granted.batches.manifest(batch.id, "RS")
    granted.worker().run_once()
    granted.world.clock.now += timedelta(hours=71, minutes=59)
    assert granted.batches.sweep() == 0
    granted.batches.fetch(granted.caller, batch.id, 1)
    granted.world.clock.now += timedelta(minutes=1)
    # Closed at once, swept later.
    with pytest.raises(BatchExpiredError):
        granted.batches.fetch(granted.caller, batch.id, 1)
    assert granted.batches.folder(batch.id).is_dir()
    assert (granted.batches.sweep(), granted.batches.sweep()) == (1, 0)
    assert not granted.batches.folder(batch.id).exists()
    assert granted.batches.get(batch.id).state == "expired"
    assert len(granted.entries("batch.expired")) == 1
    with pytest.raises(BatchExpiredError):
        granted.batches.manifest(batch.id, "RS")


def test_what_lies_there_of_no_order_that_goes_on_is_swept(granted):
    batch = granted.made()
    stray = granted.batches.folder("BGONE")
    stray.mkdir()
    granted.batches.sweep()
    assert not stray.exists()
    assert granted.batches.folder(batch.id).is_dir()


def test_cancelling_before_and_after_it_is_made(granted):
    made, waiting = granted.made(), granted.order()
    for batch in (made, waiting):
        assert granted.batches.cancel(batch.id, "RS", by="C1").state == "cancelled"
        assert not granted.batches.folder(batch.id).exists()
        with pytest.raises(BatchStateError):
            granted.batches.cancel(batch.id, "RS", by="C1")
    assert len(granted.entries("batch.cancelled")) == 2
    assert granted.worker().run_once() is None


def test_a_grant_that_was_revoked_stops_the_order_that_waits(granted):
    batch = granted.order()
    end(granted.world.settings, granted.control, granted.evidence, "G2")
    granted.worker().run_once()
    failed = granted.batches.get(batch.id)
    assert (failed.state, failed.error_code) == ("failed", "batch_denied")
    (entry,) = granted.entries("batch.failed")
    assert entry.facts["reasons"] == ["batch_denied", "grant_revoked"]
    for lang in ("en", "zh"):
        assert "{" not in failed.plain(lang)["error"]["text"]
    assert not granted.batches.folder(batch.id).exists()


def test_a_grant_that_was_revoked_closes_files_that_are_ready(granted):
    batch = granted.made()
    end(granted.world.settings, granted.control, granted.evidence, "G2")
    for step in (
        lambda: granted.batches.manifest(batch.id, "RS"),
        lambda: granted.batches.fetch(granted.caller, batch.id, 1),
    ):
        with pytest.raises(BatchClosedError):
            step()
    assert granted.entries("batch.fetched") == []
    assert [e.facts["reasons"] for e in granted.entries("batch.denied")] == [["batch_denied"]] * 2


def republish(room, **changes):
    of = resource()
    fields = tuple(
        type(f)(**{**{name: getattr(f, name) for name in f.__slots__}, **changes.get(f.name, {})}) for f in of.fields
    )
    list_ = make_list(resources=(resource(fields=fields), resource(EMPTY_CODE)), year=2027)
    publish_list(room.world.settings, room.control, room.evidence, list_, by="office")


def test_a_list_that_changes_nothing_for_the_order_does_not_stop_it(granted):
    batch = granted.order()
    republish(granted)
    granted.worker().run_once()
    assert granted.batches.get(batch.id).state == "ready"
    assert json.loads(granted.batches.manifest(batch.id, "RS"))["list_version"] == granted.world.list.version


def test_a_list_that_masks_more_stops_it_before_and_after_it_is_made(granted):
    ready, waiting = granted.made(), granted.order()
    republish(granted, name={"mask": Mask.REDACT})
    granted.worker().run_once()
    assert granted.batches.get(waiting.id).error_code == "batch_terms_changed"
    with pytest.raises(BatchClosedError):
        granted.batches.fetch(granted.caller, ready.id, 1)


def test_a_further_grant_stops_nothing(room):
    room.grant(masks=(("name", Mask.SURNAME),))
    batch = room.order(grant=None)
    room.grant(id="G3")
    room.worker().run_once()
    assert room.batches.get(batch.id).state == "ready"
    assert rows_of(room, batch)[0]["name"] == "张**"


def test_a_snapshot_that_is_no_longer_kept_fails_the_order(granted):
    batch = granted.order()
    gone = SnapshotMissingError(resource=CODE, snapshot=batch.snapshot)
    with mock.patch.object(type(granted.batches.house), "masked", side_effect=gone):
        granted.worker().run_once()
    failed = granted.batches.get(batch.id)
    assert (failed.state, failed.error_code) == ("failed", "batch_snapshot_gone")


def test_a_row_too_few_fails_the_order_and_nothing_is_handed_out(granted):
    batch = granted.order()
    with mock.patch.object(Masked, "count", return_value=6):
        granted.worker().run_once()
    failed = granted.batches.get(batch.id)
    assert (failed.state, failed.error_code) == ("failed", "batch_count_differs")
    assert failed.error == {"made": 5, "counted": 6}
    assert not granted.batches.folder(batch.id).exists()


def test_what_may_pass_is_tried_again_later_and_not_for_ever(granted):
    batch = granted.order()
    with mock.patch.object(Masked, "write", side_effect=OSError("disk")):
        for _ in range(7):
            assert granted.worker().run_once() == batch.id
            assert granted.batches.get(batch.id).state == "ordered"
            assert granted.worker().run_once() is None
            granted.world.clock.now += LEASE * 10
        granted.worker().run_once()
    failed = granted.batches.get(batch.id)
    assert (failed.state, failed.error_code, failed.error["kind"]) == ("failed", "batch_gave_up", "OSError")


def test_every_sentence_says_the_same_in_both_languages():
    import string

    for english, chinese in [*FAILURES.values(), *FINDINGS.values()]:
        names = [{n.removesuffix("_zh") for _, n, _, _ in string.Formatter().parse(t) if n} for t in (english, chinese)]
        assert names[0] == names[1]
