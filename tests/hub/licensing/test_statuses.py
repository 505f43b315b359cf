"""Published versions of a status list: counted, chained, kept; what a crash between two writes leaves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hub.control import LicenceRow, StatusListRow
from hub.licensing import Licensing, status_uri, statuses
from hub.licensing.lookups import PENDING, take_slots
from licence.errors import FormatError, TransitionRefusedError
from licence.lifecycle import Action, State
from licence.model import LicenceKind
from licence.status.events import Published, read_event
from licence.status.history import StatusHistory, StatusVersion
from licence.trust import TrustStore

KIND = "11100000000013338W011"


class DiedError(BaseException):
    pass


def add_licence(office, identifier, state=State.VALID):
    at = datetime(2026, 3, 2, tzinfo=UTC)
    first = {"action": "issue", "state": "01", "by": "GA", "officer": "x", "at": at.isoformat()}
    with office.control.writing() as connection:
        ((shard, slot, _),) = take_slots(connection, office.slots, 1)
        row = {
            "identifier": identifier, "kind": KIND, "holder_hash": "h" + identifier, "resource": "r",
            "status_list": shard, "status_index": slot, "state": state, "issued_at": at,
            "credential_digest": "", "history": [{**first, "reason": "r", "ground": "g"}],
        }  # fmt: skip
        connection.execute(sa.insert(LicenceRow).values(**row))
    return slot


def versions(office):
    log = office.evidence.log
    events = [read_event(leaf, index) for index, leaf in enumerate(log.entries(0, log.size))]
    return [event for event in events if isinstance(event, Published)]


def history(office, leave_out=()):
    office.evidence.publish()
    log, found = office.evidence.log, []
    for event in versions(office):
        if event.version not in leave_out:
            token = office.kept_status("1", event.version).read_text("ascii")
            found.append(StatusVersion(log.entry(event.index), log.prove(event.index).to_text(), token))
    return StatusHistory.verified(status_uri("1"), found, TrustStore.load(office.settings.trust))


def test_versions_are_counted_and_each_names_the_one_before(office):
    add_licence(office, "a")
    for _ in range(3):
        office.publish_status("1")
    first, second, third = versions(office)
    assert [v.version for v in (first, second, third)] == [1, 2, 3]
    assert (first.previous, second.previous, third.previous) == ("", first.token, second.token)


def test_every_published_token_is_kept_and_proves_the_past(office):
    slot = add_licence(office, "a")
    office.publish_status("1")
    with office.control.writing() as connection:
        connection.execute(sa.update(LicenceRow).values(state=State.REVOKED.value))
    token, _ = office.publish_status("1")
    assert office.kept_status("1", 2).read_text("ascii") == token
    assert (office.settings.status / "1.jwt").read_text("ascii") == token
    before, after = versions(office)
    told = history(office)
    assert told.status_at(before.at, slot).value == 0
    assert told.status_at(before.at, slot).closed
    assert told.status_at(after.at + timedelta(seconds=1), slot).value == 1


def test_a_version_left_out_shows(office):
    add_licence(office, "a")
    for _ in range(3):
        office.publish_status("1")
    assert len(history(office)) == 3
    with pytest.raises(FormatError) as refused:
        history(office, leave_out={2})
    assert refused.value.code == "history_version_missing"


@pytest.mark.parametrize("moment", ["append", "replace_file", "update_status_list"])
def test_a_crash_while_publishing_leaves_a_history_that_holds(office, monkeypatch, moment):
    add_licence(office, "a")
    office.publish_status("1")

    def die(*_arguments, **_named):
        raise DiedError

    with monkeypatch.context() as patch:
        if moment == "append":
            patch.setattr(office.evidence, "append", die)
        else:
            patch.setattr(statuses, moment, die)
        with pytest.raises(DiedError):
            office.publish_status("1")
    office.publish_status("1")
    office.publish_status("1")
    # What was logged before the crash counts, and no number is given twice.
    logged = 3 if moment != "update_status_list" else 4
    assert [v.version for v in versions(office)] == list(range(1, logged + 1))
    assert len(history(office)) == logged


def test_a_list_of_before_versions_were_counted_goes_on_from_one(office):
    add_licence(office, "a")
    office.publish_status("1")
    with office.control.writing() as connection:
        connection.execute(sa.update(StatusListRow).values(version=0, last_digest=""))
        old = connection.execute(sa.select(StatusListRow.log_index)).scalar_one()
    office.kept_status("1", 1).unlink()
    office.publish_status("1")
    newest = versions(office)[-1]
    assert (newest.version, newest.previous) == (1, "")
    assert newest.index > old


def test_pending_licences_and_those_in_force_are_valid_in_the_list(office):
    slots = {state: add_licence(office, state or "x", state) for state in (PENDING, "01", "02", "03", "06")}
    office.publish_status("1")
    told, at = history(office), versions(office)[-1].at
    assert {s: told.status_at(at, slot).value for s, slot in slots.items()} == {
        PENDING: 0, "01": 0, "02": 2, "03": 1, "06": 1,
    }  # fmt: skip


@pytest.fixture
def kind():
    values = dict.fromkeys(("name", "name_en", "category", "authority", "holder_type", "holder_field"), "x")
    return LicenceKind(
        code=KIND, authority_code=KIND[:18], issuer="GA", resource="r", holder_name_field="n", face=(), **values
    )


def test_a_licence_that_is_transferred_out_does_not_hold_any_more_and_stays_so(office, kind):
    office.kinds = {KIND: kind}
    slot = add_licence(office, "a")
    order = {"by": "GA", "reason": "档案转出", "ground": "《机动车驾驶证申领和使用规定》", "officer": "licence-officer"}
    assert office.change("a", Action.TRANSFER, **order) is State.TRANSFERRED
    assert history(office).status_at(versions(office)[-1].at, slot).value == 1
    with pytest.raises(TransitionRefusedError):
        office.change("a", Action.RESUME, **order)


def test_a_change_that_was_not_published_is_published_by_refresh_once(office, kind, monkeypatch):
    office.kinds = {KIND: kind}
    add_licence(office, "a")
    office.publish_status("1")
    order = {"by": "GA", "reason": "r", "ground": "g", "officer": "o"}

    def die(*_):
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(Licensing, "publish_status", die)
        with pytest.raises(DiedError):
            office.change("a", Action.SUSPEND, **order)
    assert office.refresh() == ["1"]
    assert office.refresh() == []
    assert [v.version for v in versions(office)] == [1, 2]
    assert versions(office)[1].previous == versions(office)[0].token
