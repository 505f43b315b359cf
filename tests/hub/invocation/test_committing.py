"""Calls of one loop become durable in groups, and none waits for others that do not come."""

import asyncio
from types import SimpleNamespace

import pytest

from hub import committing
from hub.committing import Committer


class Kept:
    """What was kept, and when by the loop's clock."""

    def __init__(self):
        self.groups = []
        self.settled = []
        self.fails = False

    def keep(self, group):
        if self.fails:
            raise OSError
        self.groups.append((asyncio.get_running_loop().time(), [one.name for one in group]))
        return [f"promise of {one.name}" for one in group]


def prepared(name, generation=1):
    return SimpleNamespace(name=name, generation=generation)


def run(scenario, generation=lambda: 1):
    kept = Kept()

    async def main():
        committer = Committer(
            asyncio.get_running_loop(), kept.keep, generation, lambda one: kept.settled.append(one.name)
        )
        return await scenario(committer, kept)

    return asyncio.run(main()), kept


def test_what_is_ready_at_once_is_kept_at_once():
    async def scenario(committer, kept):
        return await asyncio.gather(*(committer.submit(prepared(n)) for n in "abc"))

    told, kept = run(scenario)
    assert told == ["promise of a", "promise of b", "promise of c"]
    assert [names for _, names in kept.groups] == [["a", "b", "c"]]
    assert kept.settled == ["a", "b", "c"]


def test_after_a_group_the_next_waits_so_that_it_is_one_too(monkeypatch):
    monkeypatch.setattr(committing, "PACE_S", 0.2)

    async def scenario(committer, kept):
        await asyncio.gather(committer.submit(prepared("a")), committer.submit(prepared("b")))
        first = committer.submit(prepared("c"))
        await asyncio.sleep(0.05)
        await asyncio.gather(first, committer.submit(prepared("d")))

    _, kept = run(scenario)
    (before, _), (after, names) = kept.groups
    assert names == ["c", "d"]
    assert after - before >= 0.2


def test_who_calls_alone_never_waits_for_others(monkeypatch):
    monkeypatch.setattr(committing, "PACE_S", 3600)

    async def scenario(committer, kept):
        for name in "abc":
            await asyncio.wait_for(committer.submit(prepared(name)), 60)

    _, kept = run(scenario)
    assert [names for _, names in kept.groups] == [["a"], ["b"], ["c"]]


def test_what_rests_on_an_older_state_is_handed_back_and_not_kept():
    async def scenario(committer, kept):
        return await asyncio.gather(committer.submit(prepared("old", 1)), committer.submit(prepared("new", 2)))

    told, kept = run(scenario, generation=lambda: 2)
    assert told == [None, "promise of new"]
    assert [names for _, names in kept.groups] == [["new"]]
    assert kept.settled == ["old", "new"]


def test_what_could_not_be_kept_is_told_to_all_and_the_next_group_is_tried():
    async def scenario(committer, kept):
        kept.fails = True
        told = await asyncio.gather(*(committer.submit(prepared(n)) for n in "ab"), return_exceptions=True)
        kept.fails = False
        return told, await committer.submit(prepared("c"))

    ((one, other), after), kept = run(scenario)
    assert isinstance(one, OSError)
    assert isinstance(other, OSError)
    assert after == "promise of c"
    assert kept.settled == ["a", "b", "c"]


def test_one_who_went_away_keeps_nobody_from_an_answer():
    async def scenario(committer, kept):
        gone, stays = committer.submit(prepared("gone")), committer.submit(prepared("stays"))
        gone.cancel()
        return await stays

    told, kept = run(scenario)
    assert told == "promise of stays"
    # It was prepared, and its evidence does no harm.
    assert [names for _, names in kept.groups] == [["gone", "stays"]]


@pytest.mark.parametrize("calls", [1, 2])
def test_a_group_in_whose_keeping_more_come_is_followed_by_another(calls):
    async def scenario(committer, kept):
        first = [committer.submit(prepared(f"a{n}")) for n in range(calls)]
        await asyncio.sleep(0)
        second = committer.submit(prepared("b"))
        return await asyncio.gather(*first, second)

    told, kept = run(scenario)
    assert told[-1] == "promise of b"
    assert sorted(name for _, names in kept.groups for name in names) == sorted([*(f"a{n}" for n in range(calls)), "b"])
