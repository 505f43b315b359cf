from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from licence.population.seals import in_force
from licence.seals.published import PublishedSeal, Register

T = datetime(2026, 1, 1, tzinfo=UTC)


def day(number):
    return T + timedelta(days=number)


def seal(state="in_use", since=0, ends=100, digit="a", department="RS"):
    return PublishedSeal("S1", "sm3:" + digit * 64, department, state, day(since), day(0), day(ends))


def register(version, *seals):
    return Register("u", version, "", day(0), day(1), {one.digest: one for one in seals})


def test_a_seal_is_in_force_from_its_making_to_its_end():
    assert in_force([register(1, seal(since=2))]) == {"RS": ((day(2), day(100)),)}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_it_is_not_while_it_is_disabled_in_whatever_order_versions_come(order):
    versions = [register(1, seal()), register(2, seal("disabled", 10)), register(3, seal("in_use", 20))]
    assert in_force([versions[n] for n in order]) == {"RS": ((day(0), day(10)), (day(20), day(100)))}


def test_of_a_seal_that_was_never_in_force_the_department_is_told_with_nothing():
    assert in_force([register(1, seal("destroyed", 5))]) == {"RS": ()}
    assert in_force([register(1, seal(since=100))]) == {"RS": ()}
    assert in_force([]) == {}


def test_each_department_has_its_own_and_one_seal_may_follow_another():
    found = in_force([register(1, seal(ends=50), seal(digit="b", since=40), seal(digit="c", department="GA"))])
    assert found == {"RS": ((day(0), day(50)), (day(40), day(100))), "GA": ((day(0), day(100)),)}
