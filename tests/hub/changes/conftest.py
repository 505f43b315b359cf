from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from catalog.model import Mask
from catalog.rows import parse_rule
from hub.callers import issue_key
from hub.control import Control
from hub.evidence import Evidence
from hub.office import Office
from hub.service import answer_signer
from hub.standing import Standing
from hub.webhooks.worker import open_feed
from tests.hub import world as worlds
from tests.hub.changes.parts import NOW, Houses, grant, houses, list_of
from tests.hub.publishing import publish_list

if TYPE_CHECKING:
    from hub.changes.feed import ChangeFeed
    from hub.settings import Settings


@dataclass
class Town:
    """A deployment with one resource that a department follows."""

    settings: Settings
    clock: worlds.Clock
    control: Control
    evidence: Evidence
    standing: Standing
    feed: ChangeFeed
    signer: object
    office: Office
    houses: Houses
    key: str

    @property
    def caller(self):
        return self.standing.now().caller(self.key)

    def give(self, rows=(), **changes):
        wanted = grant(
            **{
                "masks": (("owner", Mask.SURNAME),),
                "actions": ("query", "subscribe"),
                "rows": tuple(parse_rule(rule) for rule in rows),
                "expires": NOW.replace(day=1, month=6),
                **changes,
            }
        )
        return worlds.give(self.settings, self.control, self.evidence, wanted)

    def close(self):
        self.houses.house.close()
        self.evidence.log.close()
        self.control.close()


def settle_down(settings):
    clock = worlds.Clock(NOW)
    control, evidence = Control.open(settings), Evidence.open(settings, clock=clock)
    list_ = list_of(houses())
    publish_list(settings, control, evidence, list_, by="office")
    key = issue_key(control, evidence, list_, department="RS", name="window", by="office").key
    standing, signer = Standing(settings, control), answer_signer(settings)
    return Town(
        settings,
        clock,
        control,
        evidence,
        standing,
        open_feed(settings, standing, evidence, control, signer),
        signer,
        Office.over(settings, control, evidence),
        Houses(settings.home),
        key,
    )


@pytest.fixture
def town(settings):
    made = settle_down(settings)
    yield made
    made.close()
