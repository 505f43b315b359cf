from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from audit.entry import Entry
from catalog.decide import AccessRequest
from catalog.rows import parse_rule
from hub.callers import issue_key, revoke_key
from hub.control import Caller, Control, GrantRow, raise_generation
from hub.errors import CallerUnknownError, EvidenceUnavailableError, GrantUnknownError
from hub.invocation import RefusedError
from hub.published import current_list, list_version
from tests.hub.publishing import publish_list
from tests.hub.world import CODE, NOW, body, end, make_list, resource


def query(service, world, key=None):
    return service.invocation.query(key or world.key, CODE, json.dumps(body()).encode())


def reasons(caught):
    return [reason.code for reason in caught.value.cause.reasons]


def test_a_revocation_bites_on_the_next_call_also_from_another_process(service, world):
    assert query(service, world).content["records"]
    other = Control.open(world.settings)  # as another process would
    index = end(world.settings, other, service.evidence, "G1")
    with pytest.raises(RefusedError) as caught:
        query(service, world)
    assert reasons(caught) == ["grant_revoked"]
    assert Entry.decode(service.evidence.log.entry(index)).facts == {"grant": "G1", "consumer": "RS"}
    assert end(world.settings, other, service.evidence, "G1") == index
    other.close()


def test_a_suspension_bites_on_the_next_call_also_from_another_process_until_resumed(service, world):
    assert query(service, world).content["records"]
    other = Control.open(world.settings)  # as another process would
    try:
        rest(other, NOW)
        with pytest.raises(RefusedError) as caught:
            query(service, world)
        assert reasons(caught) == ["grant_suspended"]
        rest(other, None)
        assert query(service, world).content["records"]
    finally:
        other.close()


def rest(control, at):
    """What suspending and resuming leave in the row, whoever does it."""
    with control.writing() as connection:
        connection.execute(sa.update(GrantRow).where(GrantRow.id == "G1").values(suspended_at=at))
        raise_generation(connection)


def test_a_grant_is_read_with_all_its_terms(service, world):
    added = {"rows": ["household in H1"], "quota_per_day": 7, "application": "A1", "predecessor": "G0"}
    with service.control.writing() as connection:
        connection.execute(sa.update(GrantRow).where(GrantRow.id == "G1").values(**added, suspended_at=NOW))
        raise_generation(connection)
    (grant,) = service.standing.now().grants("RS", CODE)
    expected = replace(
        world.grant,
        rows=(parse_rule("household in H1"),),
        quota_per_day=7,
        application="A1",
        predecessor="G0",
        suspended_at=NOW,
    )
    assert grant == expected


def test_what_a_view_decides_is_what_its_rights_decide(service, world):
    view = service.standing.now()
    request = AccessRequest("RS", CODE, "query", (), ("citizen_id",), "SX001")
    rights = view.rights("RS", CODE)
    assert view.decide(request, NOW) == rights.decide(request, NOW)
    assert view.decide(request, NOW).allowed
    assert rights.grants == (world.grant,)
    # Of one generation it is worked out once; of the next, anew.
    assert service.standing.now().rights("RS", CODE) is rights
    rest(service.control, NOW)
    assert not service.standing.now().decide(request, NOW).allowed
    # Who holds the old view answers by the old state throughout.
    assert view.decide(request, NOW).allowed


def test_an_expired_grant_is_refused(service, world):
    world.clock.now = world.grant.expires - timedelta(microseconds=1)
    assert query(service, world).content["records"]
    world.clock.now = world.grant.expires
    with pytest.raises(RefusedError) as caught:
        query(service, world)
    assert reasons(caught) == ["grant_expired"]


def test_a_revoked_key_is_refused_on_the_next_call(service, world):
    issued = issue_key(service.control, service.evidence, world.list, department="RS", name="n", by="office")
    assert query(service, world, issued.key).content["records"]
    index = revoke_key(service.control, service.evidence, issued.caller, by="office")
    with pytest.raises(RefusedError) as caught:
        query(service, world, issued.key)
    assert caught.value.cause.code == "key_refused"
    assert query(service, world).content["records"]
    assert revoke_key(service.control, service.evidence, issued.caller, by="office") == index


def test_a_key_is_nowhere_but_in_the_callers_hands(service, world):
    issued = issue_key(service.control, service.evidence, world.list, department="RS", name="n", by="office")
    assert issued.key not in repr(issued)
    with service.control.reading() as connection:
        row = connection.execute(sa.select(Caller).where(Caller.id == issued.caller)).one()
    assert issued.key not in str(row)
    assert issued.key.startswith(row.key_prefix)
    entry = service.evidence.log.entry(issued.log_index)
    assert issued.key[:11] not in entry.decode()
    for path in world.settings.home.glob("control.sqlite*"):
        assert issued.key.encode() not in path.read_bytes()


def test_another_departments_key_does_not_open_the_grant(service, world):
    issued = issue_key(service.control, service.evidence, world.list, department="MZ", name="n", by="office")
    with pytest.raises(RefusedError) as caught:
        query(service, world, issued.key)
    assert "no_grant" in reasons(caught)


def test_what_is_not_there_cannot_be_revoked(service, world):
    with pytest.raises(GrantUnknownError):
        end(world.settings, service.control, service.evidence, "G404")
    with pytest.raises(CallerUnknownError):
        revoke_key(service.control, service.evidence, "C404", by="office")


def test_a_revocation_holds_even_when_the_log_cannot_be_written(service, world, monkeypatch):
    def full(entries):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(service.evidence.log, "append", full)
    with pytest.raises(EvidenceUnavailableError):
        end(world.settings, service.control, service.evidence, "G1")
    monkeypatch.undo()
    with pytest.raises(RefusedError) as caught:
        query(service, world)
    assert reasons(caught) == ["grant_revoked"]
    index = end(world.settings, service.control, service.evidence, "G1")
    assert Entry.decode(service.evidence.log.entry(index)).kind == "grant.revoked"


def test_publishing_the_same_version_again_publishes_nothing(service, world):
    size = service.evidence.log.size
    again = publish_list(world.settings, service.control, service.evidence, make_list(), by="office")
    assert (again.already, again.version) == (True, world.list.version)
    assert service.evidence.log.size == size


def test_a_new_version_holds_from_the_next_call_and_the_old_one_stays(service, world):
    assert query(service, world).content["list_version"] == world.list.version
    newer = make_list(batch=2, resources=(resource(), resource("306010/000002", abstract="x")))
    published = publish_list(world.settings, service.control, service.evidence, newer, by="office")
    assert not published.already
    assert query(service, world).content["list_version"] == newer.version
    assert current_list(world.settings) == newer
    assert list_version(world.settings, world.list.version) == world.list
    back = publish_list(world.settings, service.control, service.evidence, world.list, by="office")
    assert not back.already
    assert current_list(world.settings) == world.list
