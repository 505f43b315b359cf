"""What counts as a Java that can run source files."""

from __future__ import annotations

import pytest

from tests.services import jdk as module


@pytest.mark.parametrize(
    ("modules", "why"),
    [
        ("java.base@17.0.1\njdk.compiler@17.0.1\n", None),
        ("java.base@21\njdk.compiler@21\n", None),
        ("java.base@11\njdk.compiler@11\n", "older"),
        ("java.base@17.0.1\n", "no compiler"),
    ],
)
def test_a_compiler_of_17_or_later_is_needed(tmp_path, monkeypatch, modules, why):
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\nprintf '{modules}'\n".replace("\n'", "'"))
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = module.missing()
    assert found is None if why is None else why in found


def test_without_java_the_reason_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "not installed" in module.missing()


def test_where_it_is_required_its_absence_is_a_failure(monkeypatch):
    monkeypatch.setattr(module, "missing", lambda: "gone")
    for value, outcome in (("1", pytest.fail.Exception), ("", pytest.skip.Exception)):
        monkeypatch.setenv(module.REQUIRED, value)
        with pytest.raises(outcome, match="gone"):
            module.require()
