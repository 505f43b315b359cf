"""The threat model names what there is: commands with their options, settings, codes, kinds of entry, keys."""

from __future__ import annotations

import re

import pytest

import catalog.reasons
from hub.alertwords import ALERTS
from hub.anomalies import VIEWS
from hub.api.problems import known_problems
from hub.cli import main
from hub.people import errors as people_errors
from hub.portal import errors as portal_errors
from hub.settings import Settings
from tests.test_docs import LINK, ROOT, command_of, prose
from tests.test_docs_facts import kinds_written, sources, table

PAGE, CHINESE = ROOT / "docs" / "threats.md", ROOT / "docs" / "zh" / "threats.md"
QUOTED = re.findall(r"`([^`]+)`", PAGE.read_text("utf-8"))
COMMANDS = sorted({(*command_of(line), *re.findall(r"--[a-z-]+", line)) for line in QUOTED if "zhengtong " in line})


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_that_shows_something_has_the_options_that_are_named(words, capsys):
    command = [word for word in words if not word.startswith("--")]
    assert main([*command, "--help"]) == 0
    told = capsys.readouterr().out
    assert [word for word in words if word.startswith("--") and word not in told] == []


def test_options_that_stand_alone_are_of_the_search(capsys):
    assert [word for word in QUOTED if word.startswith("--")] == ["--read-all"]
    main(["audit", "search", "--help"])
    assert "--read-all" in capsys.readouterr().out


def test_every_setting_that_is_named_is_read():
    named = {word for word in QUOTED if word.startswith("ZHENGTONG_")}
    assert len(named) >= 4
    assert named <= set(re.findall(r"\bZHENGTONG_[A-Z0-9_]+\b", sources()))


def test_every_code_and_kind_that_is_named_is_one():
    named = {word for word in QUOTED if re.fullmatch(r"[a-z]+[._][a-z_]+", word)}
    known = {*catalog.reasons.REASONS, *known_problems(), *kinds_written(), *ALERTS, "checkpoint.witnessed", "log.vkey"}
    of_people = [*vars(people_errors).values(), *vars(portal_errors).values()]
    known |= {*VIEWS, *(one.code for one in of_people if isinstance(one, type))}
    assert len(named) > 12
    assert named - known == set()
    views = {word for word in QUOTED if word in VIEWS}
    assert views == {"auditor_replaced", "bulk", "refusals"}


def test_the_files_that_are_named_are_made_under_these_names(tmp_path):
    settings = Settings.at(tmp_path / "var")
    assert settings.answer_key.name == "answers.key.pub"
    assert {"keys/subject.key", "answers.key.pub", "log.vkey"} <= set(QUOTED)
    assert '"subject"' in sources()


def test_every_row_says_what_is_left_or_that_nothing_is_and_both_languages_say_so_alike():
    rows, lines = table(PAGE, "tries"), table(CHINESE, "尝试")
    assert len(rows) == len(lines) > 40
    # A row that neither stops nor shows anything must own to it.
    assert [row[0] for row in rows if not row[1] and not row[2]] == []
    for row, line in zip(rows, lines, strict=True):
        words = [("stops", "阻止"), ("shows", "暴露")]
        assert [e in row[1].lower() for e, _ in words] == [z in line[1] for _, z in words], row[0]
        assert bool(row[2]) == bool(line[2]), row[0]
        assert sorted(re.findall(r"`([^`]+)`", "".join(row))) == sorted(re.findall(r"`([^`]+)`", "".join(line))), row[0]


def test_it_links_to_the_tools_of_others():
    assert "log-format.md#check-it-with-other-peoples-tools" in LINK.findall(prose(PAGE))


def test_the_tests_that_are_named_are_there():
    named = {word for word in QUOTED if word.startswith("tests/")}
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
