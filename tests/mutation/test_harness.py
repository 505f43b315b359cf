"""`python -m bench.mutation` finds what tests miss in a module made for it, and keeps what it found."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.mutation.__main__ import EQUIVALENTS, MODULES, explanations, report
from bench.mutation.operators import sites

ROOT = Path(__file__).resolve().parent.parent.parent
GATE = '''
"""Doors."""

import functools

LIMIT = 18


def forbidden(age):
    if age < LIMIT:
        raise ValueError("too young")
    return age + 2


class Door:
    @functools.cache
    def opens(self, age, *, ticket=True):
        forbidden(age)
        return ticket and age != 99


def unseen(word):
    return word in ("yes", "no")
'''
TESTS = """
import pytest
from toy.gate import Door, forbidden


@pytest.fixture(scope="session")
def door():
    return Door()


def test_young(door):
    with pytest.raises(ValueError):
        forbidden(17)
    assert forbidden(18) == 20


def test_opens(door):
    assert door.opens(30) is True
    assert door.opens(30, ticket=False) is False
"""


@pytest.fixture
def toy(tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/__init__.py").touch()
    (tmp_path / "toy/gate.py").write_text(GATE)
    (tmp_path / "test_gate.py").write_text(TESTS)
    (tmp_path / "explained.toml").write_text("")
    return tmp_path


def mutate(toy, *options):
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{toy}"}
    parts = ["--package", "toy", "--module", "gate", "--out", "out.jsonl", "--explained", "explained.toml", *options]
    command = [sys.executable, "-m", "bench.mutation", *parts, "--tests", "test_gate.py"]
    return subprocess.run(command, cwd=toy, env=environment, capture_output=True, text=True, check=False)


def test_what_no_test_notices_is_told_and_what_one_notices_is_not(toy):
    ran = mutate(toy)
    assert ran.returncode == 1, ran.stderr
    rows = {row["name"].partition(":")[2]: row for row in map(json.loads, (toy / "out.jsonl").read_text().splitlines())}
    states = {name: row["state"] for name, row in rows.items()}
    assert states["forbidden: age < LIMIT → age <= LIMIT"] == "killed"
    assert states["forbidden: raise ValueError('too young') → pass"] == "killed"
    assert states["<module>: 18 in LIMIT = 18 → 19"] == "killed"
    assert states["forbidden: age + 2 → age - 2"] == "killed"
    # The door's own test opens it to grown-ups only: leaving the check out is not noticed.
    assert states["Door.opens: forbidden(age) → pass"] == "survived"
    assert states["Door.opens: ticket and age != 99 → ticket or age != 99"] == "killed"
    assert states["Door.opens: 99 in age != 99 → 98"] == "survived"
    assert states["unseen: word in ('yes', 'no') → word not in ('yes', 'no')"] == "not covered"
    assert "survived: toy.gate:Door.opens: forbidden(age) → pass" in ran.stdout
    assert "raise ValueError" not in ran.stdout
    assert rows["Door.opens: ticket and age != 99 → ticket or age != 99"]["by"].endswith("test_opens")
    # Nothing is written to the module, and a second run has nothing left to do.
    assert (toy / "toy/gate.py").read_text() == GATE
    kept = (toy / "out.jsonl").read_bytes()
    assert mutate(toy).returncode == 1
    assert (toy / "out.jsonl").read_bytes() == kept


def test_a_mutant_without_end_is_stopped(toy):
    (toy / "toy/gate.py").write_text("def down(n):\n    while n:\n        n -= 1\n    return n\n")
    (toy / "test_gate.py").write_text("from toy.gate import down\n\n\ndef test_down():\n    assert down(3) == 0\n")
    mutate(toy, "--patience", "1")
    states = {row["name"]: row["state"] for row in map(json.loads, (toy / "out.jsonl").read_text().splitlines())}
    assert states == {
        "toy.gate:down: while n → while False": "killed",
        "toy.gate:down: n -= 1 → n += 1": "timed out",
        "toy.gate:down: 1 in n -= 1 → 2": "timed out",
        "toy.gate:down: 1 in n -= 1 → 0": "timed out",
    }


def test_a_new_test_kills_what_survived(toy):
    keep = "def test_strangers():\n    from toy.gate import unseen\n    assert unseen('yes')\n    assert unseen('no')\n"
    mutate(toy, "--minutes", "0")
    assert not (toy / "out.jsonl").exists()
    mutate(toy)
    (toy / "test_gate.py").write_text(keep)
    ran = mutate(toy, "--again")
    assert "word not in" not in ran.stdout
    assert "Door.opens: forbidden(age) → pass" in ran.stdout


def test_explanations_hide_a_survivor_and_are_told_when_they_outlive_it():
    rows = [
        {"name": "m:f: a → b", "module": "m", "line": 3, "state": "survived", "seconds": 1.0},
        {"name": "m:f: c → d", "module": "m", "line": 4, "state": "killed", "seconds": 1.0},
    ]
    text, left = report(rows, {"m:f: a → b": "the same"}, stale=True)
    assert left == 0
    assert "| `m` | 2 | 1 | 1 | 0 |" in text
    text, left = report(rows, {"m:f: a → b": "the same", "m:f: c → d": "too"}, stale=True)
    assert left == 1
    assert "explained, and no survivor: m:f: c → d" in text
    _, left = report(rows, {}, stale=True)
    assert left == 1


def test_each_explanation_names_a_mutant_that_can_be_made():
    told = explanations(EQUIVALENTS.read_text(encoding="utf-8"))
    assert all(told.values())
    made = set()
    for module in {name.partition(":")[0] for name in told}:
        file = ROOT / f"{module.replace('.', '/')}.py"
        made |= {site.mutant.name for site in sites(ast.parse(file.read_text(encoding="utf-8")), module)}
    assert set(told) <= made


def test_every_module_that_is_to_be_tried_exists():
    assert all((ROOT / "licence" / f"{name.replace('.', '/')}.py").exists() for name in MODULES)


def test_words_annotations_and_texts_of_errors_are_left_alone():
    text = 'def f(a: "x" = 1) -> "y":\n    """Doc."""\n    note(f"{a + 1}", {"k": a})\n    raise E("words", a + 1)\n'
    names = {site.mutant.name for site in sites(ast.parse(text), "m")}
    assert names == {
        "m:f: note(f'{a + 1}', {'k': a}) → pass",
        "m:f: raise E('words', a + 1) → pass",
    }
