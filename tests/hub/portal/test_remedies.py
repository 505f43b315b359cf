"""What pages say of errors: no backticks, no commands for what a page does, nobody by a code."""

from __future__ import annotations

import re

import pytest

from hub.api import problems
from hub.errors import KindUnknownError, LoadPausedError
from hub.people import Duty
from hub.portal import remedies
from hub.seals.errors import SealOutdatedError
from tests.hub.portal.browsing import HAN, text_of
from tests.hub.world import CODE


@pytest.mark.parametrize(
    ("error", "english"),
    [
        (KindUnknownError(kind="K.1"), "There is no licence kind “K.1”. The page of licences lists the kinds."),
        (
            LoadPausedError(resource="R", since="2026-03-02", by="MZ:x", reason="so. Again"),
            "Loads of “R” are paused since 2026-03-02 by MZ:x: so. Again. Let them go on from the page of its loads.",
        ),
        (
            SealOutdatedError(seal="S", custodian="MZ:x"),
            (
                "The key of its keeper was changed since seal “S” was made. "
                "Ask for its next version on the seal's page; another person approves it."
            ),
        ),
    ],
)
def test_a_page_is_named_where_messages_name_a_command(error, english):
    assert remedies.said(error, "en") == english
    chinese = remedies.said(error, "zh")
    assert HAN.search(chinese)
    assert "zhengtong" not in chinese
    assert chinese.count("。") == 2


def test_what_only_a_command_does_stays():
    assert "zhengtong material check" in remedies.said(problems_of("material_damaged"), "en")


def problems_of(code):
    """The error of this code with its words left open."""
    kinds, pending = {}, [problems.errors.HubError, problems.steps.CaseError]
    while pending:
        kind = pending.pop()
        pending.extend(kind.__subclasses__())
        kinds.setdefault(kind.code, kind)
    found = kinds[code]
    names = re.findall(r"\{(\w+)", found.en + found.zh)
    made = found.__new__(found)
    made.params = dict.fromkeys(names, "x")
    return made


@pytest.mark.parametrize("code", [*remedies.REMEDIES, *remedies.INSTEAD])
def test_every_remedy_is_of_an_error_and_leaves_no_command(code):
    for lang in ("zh", "en"):
        text = remedies.said(problems_of(code), lang)
        assert "zhengtong " not in text
        assert "`" not in text
        assert bool(HAN.search(text)) == (lang == "zh"), text


def test_an_error_page_quotes_and_names_departments_and_posts(of_department):
    english = {"accept-language": "en"}
    page = text_of(of_department("GA", Duty.STAFF, **english).see(f"/r/{CODE}9").text)
    assert f"holds no resource “{CODE}9”" in page
    assert "`" not in page
    assert "zhengtong list" not in page
    answer = of_department("MZ", Duty.REVIEWER).see(f"/recalls/new?resource={CODE}")
    assert answer.status_code == 403
    page = text_of(answer.text)
    assert "民政局" in page
    assert "应由 公安局 办理" in page
    assert not re.search(r"\b(GA|MZ)\b|`", page)
