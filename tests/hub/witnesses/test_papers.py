"""What the papers show of witnesses can be used as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from audit.verifiers import Trust
from hub.witnesses.asking import load

from .conftest import signer

DOCS = Path(__file__).parents[3] / "docs"
KEY = re.compile(r"\S+\+KEYHASH\+BASE64")


def policies(name):
    blocks = re.findall(r"^```text\n(.*?)^```", (DOCS / name).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    numbers = iter(range(1, 100))
    return [KEY.sub(lambda _: signer(next(numbers)).verifier.to_text(), b) for b in blocks if b.startswith("witness ")]


def test_the_policy_files_load(tmp_path):
    found = []
    for name in ("log-format.md", "operations.md", "zh/operations.md"):
        (text,) = policies(name)
        (tmp_path / "policy.txt").write_text(text)
        found.append(load(tmp_path / "policy.txt"))
    assert [(len(one.witnesses), one.quorum.least) for one in found] == [(3, 2), (1, 1), (1, 1)]


def test_the_lines_of_python_make_a_trust_of_one(tmp_path, monkeypatch):
    section = (DOCS / "log-format.md").read_text("utf-8").split("\n## Witnesses\n")[1].split("\n## ")[0]
    (lines,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    (text,) = policies("log-format.md")
    (tmp_path / "policy.txt").write_text(text)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(lines.replace("open(", "_open("), "paper", "exec"), {"_open": Reading}, names)  # noqa: S102 - our own
    assert isinstance(names["trust"], Trust)
    assert len(names["trust"].quorum.keys) == 3


class Reading:
    """`open` that closes its file."""

    def __init__(self, name, encoding):
        self.read = lambda: Path(name).read_text(encoding)
