from __future__ import annotations

import pytest

from hub.batches.desk import Batches
from hub.batches.making import Worker
from hub.batches.order import Wish
from hub.callers import issue_key
from hub.control import Control
from hub.evidence import Evidence
from hub.requests import Purpose
from hub.service import answer_signer
from hub.standing import KnownCaller, Standing
from tests.hub.databases import database
from tests.hub.world import CODE, MATTER, give, make_grant

__all__ = ["database"]

FIELDS = ("citizen_id", "name", "birth", "address", "married", "income", "household")
PURPOSE = Purpose(matter=MATTER, case="BJ-7")


class Room:
    """The batches of one world, and what a test does with them."""

    def __init__(self, world):
        self.world = world
        self.control = Control.open(world.settings)
        self.evidence = Evidence.open(world.settings, clock=world.clock)
        standing = Standing(world.settings, self.control)
        self.signer = answer_signer(world.settings)
        self.batches = Batches.over(world.settings, self.control, self.evidence, standing, self.signer)
        self.caller = KnownCaller("CAAAAAAAA", "RS", "window")
        self.other = KnownCaller("CBBBBBBBB", "MZ", "window")

    def close(self):
        self.batches.close()
        self.evidence.log.close()
        self.control.close()

    def grant(self, **changes):
        given = {"id": "G2", "actions": ("batch",), "fields": FIELDS, "masks": (), **changes}
        return give(self.world.settings, self.control, self.evidence, make_grant(self.world.list, **given))

    def order(self, *, caller=None, code=CODE, **changes):
        wish = Wish(**{"purpose": PURPOSE, "grant": "G2", **changes})
        return self.batches.order(caller or self.caller, code, wish)[0]

    def worker(self, **options):
        return Worker(self.batches, **options)

    def made(self, **changes):
        """An order that was taken and made."""
        batch = self.order(**changes)
        assert self.worker().run_once() == batch.id
        return self.batches.get(batch.id)

    def entries(self, kind):
        from audit.entry import Entry

        log = self.evidence.log
        found = [Entry.decode(leaf) for leaf in log.entries(0, log.size)]
        return [entry for entry in found if entry.kind == kind]

    def key(self, department="RS"):
        list_ = self.world.list
        return issue_key(self.control, self.evidence, list_, department=department, name="b", by="office").key


@pytest.fixture
def room(world):
    opened = Room(world)
    yield opened
    opened.close()


@pytest.fixture
def granted(room):
    room.grant()
    return room
