"""The words for cases and their clocks."""

from __future__ import annotations

from catalog.clock import RULE_CODES
from hub.casewords import CLOCKS


def test_every_clock_has_a_name():
    assert tuple(sorted(CLOCKS)) == tuple(sorted(RULE_CODES))
