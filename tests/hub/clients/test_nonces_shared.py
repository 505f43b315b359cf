"""Nonces in the control database: the primary key says who was first, and what is long past is swept out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from hub.control import Control, NonceRow
from hub.errors import ControlUnavailableError
from hub.nonces_shared import KEPT_S, SWEEP_S, SharedNonces
from hub.signing.errors import NoncesForgottenError, SignatureReplayedError
from hub.signing.nonces import LIFETIME_S

NOW = 1_772_352_000.0


def take(nonces, name="a" * 16, *, key="k", created=NOW, now=NOW):
    nonces.take(key, name, until=created + LIFETIME_S, now=now)


def kept(control):
    with control.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(NonceRow)).scalar_one()


def test_a_name_is_taken_once_also_by_another_machine(settings, control):
    other = Control.attach(settings)
    first, second = SharedNonces(control), SharedNonces(other)
    take(first)
    for one in (first, second, SharedNonces(other)):
        with pytest.raises(SignatureReplayedError):
            take(one)
    take(second, key="other")
    other.close()


def test_of_many_at_once_one_has_it(control):
    nonces = SharedNonces(control)

    def attempt(_):
        try:
            take(nonces)
        except SignatureReplayedError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(24))) == 1


def test_what_is_long_past_is_swept_out_and_not_let_in_again(control):
    nonces = SharedNonces(control)
    take(nonces)
    take(nonces, "b", now=NOW + SWEEP_S)
    assert kept(control) == 2
    later = NOW + LIFETIME_S + KEPT_S + 1
    take(nonces, "c", created=later, now=later)
    assert kept(control) == 1
    # A clock that is set back, even this far, lets nothing in again.
    with pytest.raises(NoncesForgottenError):
        take(nonces)


def test_what_cannot_be_remembered_is_not_taken(settings, control, tmp_path):
    gone = Control.attach(type(settings).from_environment({"ZHENGTONG_HOME": str(tmp_path / "x" / "y")}))
    with pytest.raises(ControlUnavailableError):
        take(SharedNonces(gone))
    gone.close()
