"""A key is lost: what it signed is found, it is revoked as of then, and its licences are issued anew, each once."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from hub.authority import drill, register
from hub.authority.errors import CertificateUnknownError, KeyStepRefusedError
from hub.authority.revocations import list_file
from hub.control import LicenceRow
from hub.errors import LicenceExistsError
from licence import crl

WHO = {"ground": "演练", "by": "DSJ:key-keeper", "second": "DSJ:auditor"}


@pytest.fixture
def code(keys):
    return next(iter(keys._known))


def add(keys, code, number, *, at, key=None):
    from licence.lifecycle import State

    state = State.VALID.value
    used = register.key_id_of((key or keys.department(code)).certificate)
    table = LicenceRow.__table__
    values = {
        "identifier": f"L{number:03}",
        "kind": "K",
        "holder_hash": f"h{number}",
        "resource": "R",
        "status_list": "1",
        "status_index": number,
        "state": state,
        "issued_at": at,
        "credential_digest": "",
        "key_id": used,
        "history": [],
    }
    for column in table.columns:
        if not column.nullable and column.name not in values and not column.primary_key:
            values[column.name] = "" if isinstance(column.type, sa.String) else 0
    with keys.control.writing() as connection:
        connection.execute(sa.insert(table).values(**values))
    return values["identifier"]


@pytest.fixture
def lost(keys, code, clock):
    """Three licences before T and four since; T is the time that is returned."""
    for n in range(3):
        add(keys, code, n, at=clock())
    clock.pass_(hours=1)
    since = clock()
    for n in range(3, 7):
        add(keys, code, n, at=clock() + timedelta(minutes=n))
    clock.pass_(hours=1)
    return since


class Office:
    """Renews as the licence office promises: the last version lapses with the next one, in one transaction."""

    def __init__(self, keys, code, *, dies_at=0, refuses=()):
        self.control, self.keys, self.code = keys.control, keys, code
        self.calls, self.dies_at, self.refuses = [], dies_at, refuses

    def renew(self, identifier, *, reason, ground, by, second="", ex_officio=False):
        assert ex_officio
        assert reason
        assert ground
        self.calls.append(identifier)
        if len(self.calls) == self.dies_at:
            raise KeyboardInterrupt
        if identifier in self.refuses:
            raise LicenceExistsError(identifier=identifier)
        from licence.lifecycle import State

        with self.control.writing() as connection:
            connection.execute(
                sa.update(LicenceRow).where(LicenceRow.identifier == identifier).values(state=State.LAPSED.value)
            )
        return SimpleNamespace(identifier=add(self.keys, self.code, int(identifier[1:]) + 100, at=self.keys.clock()))


def test_what_it_signed_since(keys, log, code, lost):
    size = log.log.size
    found = drill.signed_since(keys, log, code, lost)
    assert found.licences == found.holding == ("L003", "L004", "L005", "L006")
    assert log.log.size == size
    with pytest.raises(CertificateUnknownError):
        drill.signed_since(keys, log, "nobody", lost)


def test_what_only_the_log_has_is_told(keys, log, code, lost):
    uscc = keys.department(code).organisation_code
    missing = f"1.2.156.3005.2.T.{uscc}.1.001.X"
    log.append("licence.issued", facts={"licence": missing}, actor="x")
    assert drill.signed_since(keys, log, code, lost).unknown == (missing,)


def test_status_lists_of_a_lost_status_key(keys, log, lost):
    log.append("status.published", facts={"uri": "u"}, actor="hub:licensing")
    assert len(drill.signed_since(keys, log, "status", lost).status_lists) == 1


def test_revoked_as_of_then_and_changed(keys, log, code, lost):
    old = keys.department(code)
    with pytest.raises(KeyStepRefusedError):
        drill.compromised(keys, log, code, since=lost, **{**WHO, "second": WHO["by"]})
    (gone,), fresh = drill.compromised(keys, log, code, since=lost, **WHO)
    assert keys.department(code).certificate == fresh.certificate != old.certificate
    read = crl.read(list_file(keys.settings, gone.issuer).read_bytes(), old.chain[1])
    assert read.entries[old.certificate.serial_number].effective == lost
    # Doing it again neither revokes the new key nor makes a third.
    assert drill.compromised(keys, log, code, since=lost, **WHO) == ((gone,), fresh)


@pytest.mark.parametrize("dies_at", [1, 2, 4])
def test_reissued_once_each_whatever_is_killed(keys, log, code, lost, dies_at):
    drill.compromised(keys, log, code, since=lost, **WHO)
    dying = Office(keys, code, dies_at=dies_at)
    with pytest.raises(KeyboardInterrupt):
        drill.reissue(dying, keys, log, code, since=lost, ground="x", by="DSJ:key-keeper")
    done = drill.reissue(Office(keys, code), keys, log, code, since=lost, ground="x", by="DSJ:key-keeper")
    assert len(done.done) == 4 - (dies_at - 1)
    with keys.control.reading() as connection:
        rows = list(connection.execute(sa.select(LicenceRow.identifier)).scalars())
    assert sorted(rows) == [f"L{n:03}" for n in (*range(7), 103, 104, 105, 106)]
    assert drill.reissue(Office(keys, code), keys, log, code, since=lost, ground="x", by="DSJ:key-keeper").done == ()


def test_what_cannot_be_reissued_is_left_and_told(keys, log, code, lost):
    drill.compromised(keys, log, code, since=lost, **WHO)
    office = Office(keys, code, refuses={"L004"})
    done = drill.reissue(office, keys, log, code, since=lost, ground="x", by="DSJ:key-keeper")
    assert [old for old, _ in done.done] == ["L003", "L005", "L006"]
    assert done.left == (("L004", LicenceExistsError.code),)


def test_before_it_is_revoked_nothing_is_reissued(keys, log, code, lost):
    office = Office(keys, code)
    assert drill.reissue(office, keys, log, code, since=lost, ground="x", by="DSJ:key-keeper").done == ()
    assert office.calls == []
