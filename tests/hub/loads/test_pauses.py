import pytest

from hub import pauses
from hub.actors import Actor
from hub.errors import LoadPausedError, ResourceUnknownError
from hub.office import Office
from tests.hub.world import CODE

KEEPER = Actor("GA", "data-engineer")


@pytest.fixture
def office(world):
    with Office.open(world.settings) as office:
        yield office


def test_a_pause_holds_loads_back_until_it_is_lifted(office):
    pauses.check(office.control, CODE)
    pauses.pause(office, CODE, KEEPER, "机房检修")
    with pytest.raises(LoadPausedError, match="机房检修") as refused:
        pauses.check(office.control, CODE)
    assert "GA:data-engineer" in refused.value.text("zh")
    assert pauses.resume(office, CODE, KEEPER)
    pauses.check(office.control, CODE)


def test_pausing_twice_pauses_once(office):
    first = pauses.pause(office, CODE, KEEPER, "甲")
    assert pauses.pause(office, CODE, KEEPER, "乙") == first
    assert pauses.resume(office, CODE, KEEPER)
    assert not pauses.resume(office, CODE, KEEPER)


def test_both_are_entries_of_the_log(office):
    before = office.evidence.log.size
    pauses.pause(office, CODE, KEEPER, "甲")
    pauses.resume(office, CODE, KEEPER)
    assert office.evidence.log.size == before + 2


def test_an_unknown_resource_is_named(office):
    with pytest.raises(ResourceUnknownError, match="NO-SUCH"):
        pauses.pause(office, "NO-SUCH", KEEPER, "甲")
