"""How many of a thing, in English."""

from __future__ import annotations

import re

import pytest

from hub.figurewords import SENTENCES
from hub.plurals import agreed
from hub.portal.words import counted


@pytest.mark.parametrize(("count", "said"), [(0, "0 lights are"), (1, "1 light is"), (2, "2 lights are")])
def test_words_agree_with_how_many_there_are(count, said):
    assert counted("%s [light is|lights are]", count) == said
    assert counted("%s 项", 12_345) == "12,345 项"


def test_every_sentence_of_a_week_reads_for_one_and_for_many():
    for key, (english, chinese) in SENTENCES.items():
        numbers = dict.fromkeys(SENTENCES, 1) | {"failed": 0, "calls_before": 3}
        for count in (1, 2):
            said = agreed(english, count).format(**numbers | {key: count})
            assert not re.search(r"[][|(){}]", said), said
            assert said.startswith(f"{count} ")
        assert agreed(english, 1) != agreed(english, 2)
        assert agreed(chinese, 1) == chinese


def test_one_resource_was_collected():
    assert agreed(SENTENCES["first"][0], 1).format(first=1) == "1 resource was collected for the first time."
