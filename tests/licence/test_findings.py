"""Every code that the package can report has its sentence in both languages, and each sentence has a use."""

from __future__ import annotations

import ast
import re
import string
import subprocess
import sys
from pathlib import Path

import hub
import licence
from licence.findings import FINDINGS, finding_text

FOLDER = Path(licence.__file__).parent
# The hub raises some of the package's errors: who offers a licence or stamps a document finds out what is wrong.
RAISING = (FOLDER, Path(hub.__file__).parent)


def literals():
    found = set()
    for path in (path for folder in RAISING for path in folder.rglob("*.py")):
        if path.name.endswith("findings.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_sentence_is_used():
    assert set(FINDINGS) - literals() == set()


def test_both_languages_name_the_same_params():
    for code, (en, zh) in FINDINGS.items():
        names = [{n for _, n, _, _ in string.Formatter().parse(t) if n} for t in (en, zh)]
        assert names[1] <= names[0], code
        assert re.search("[一-鿿]", zh), code
        assert not re.search("[一-鿿]", en) or code == "bad_category", code


def test_missing_params_do_not_raise():
    for code in FINDINGS:
        assert finding_text(code, {}, "zh")


def test_verifying_needs_no_yaml_and_nothing_else_of_ours():
    code = (
        "import sys, licence.verify, licence.bundle, licence.trust; "
        "print([m for m in sys.modules if m.split('.')[0] in "
        "{'yaml', 'catalog', 'connectors', 'warehouse', 'hub', 'duckdb', 'pyarrow', 'pandas', 'sqlalchemy'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER.parent)
    assert done.stdout.strip() == "[]"
