"""A list comes into force by its review and by nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

HUB = Path(__file__).parents[3] / "hub"


def test_only_the_review_puts_a_list_in_force():
    callers = {
        path.relative_to(HUB).as_posix()
        for path in HUB.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "put_in_force"
    }
    assert callers == {"drafts.py"}
