"""Nothing but the workflow makes a grant: what writes the table of grants, and who calls it, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
PACKAGES = ("audit", "catalog", "connectors", "dags", "hub", "licence", "warehouse", "bench", "tools")
WRITERS = {"insert", "insert_once", "bulk_insert", "add", "add_all", "merge", "GrantRow"}
READ_ONLY = {"hub/control/models.py", "hub/control/__init__.py"}


def sources():
    for package in PACKAGES:
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            yield path.relative_to(REPOSITORY).as_posix(), path.read_text(encoding="utf-8")


def insertions(source):
    """The functions in which a call that writes rows has `GrantRow` among its arguments or is `GrantRow` itself."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        for call in ast.walk(function):
            if not isinstance(call, ast.Call):
                continue
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            named = {node.id for argument in call.args for node in ast.walk(argument) if isinstance(node, ast.Name)}
            if name in WRITERS and (name == "GrantRow" or "GrantRow" in named):
                found.append(getattr(function, "name", "lambda"))
    return found


def uses(source, name):
    """The functions that name *name* of a module, or import it."""
    found = set()
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            nodes = [node for node in ast.walk(function) if node is not function]
            if any(getattr(node, "attr", getattr(node, "id", "")) == name for node in nodes):
                found.add(function.name)
        if isinstance(function, ast.ImportFrom) and any(alias.name == name for alias in function.names):
            found.add(f"import from {function.module}")
    return found


def test_only_one_function_inserts_grants():
    found = {path: insertions(source) for path, source in sources() if path not in READ_ONLY}
    assert {path: names for path, names in found.items() if names} == {"hub/grants.py": ["_insert"]}


def test_only_the_workflow_and_lessening_call_it():
    from hub import grants

    assert callable(grants._insert)
    found = {
        (path, name)
        for path, source in sources()
        if path in ("hub/grants.py", "hub/applications.py") or "grants._insert" in source or "hub.grants" in source
        for name in uses(source, "_insert")
    }
    assert found == {("hub/grants.py", "shrink"), ("hub/applications.py", "_grant")}


def test_no_sql_writes_them_by_name():
    for path, source in sources():
        if path.startswith("hub/migrations/"):
            continue
        assert "insert into grants" not in source.lower().replace('"', ""), path


@pytest.mark.parametrize(
    "source",
    [
        "def f(c):\n    c.execute(sa.insert(GrantRow).values(id=1))",
        "def f(c):\n    insert_once(c, GrantRow, {})",
        "def f(s):\n    s.add(GrantRow(id=1))",
    ],
)
def test_the_watch_sees_a_second_way(source):
    assert insertions(source)
