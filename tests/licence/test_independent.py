"""The independent verifiers share no code with `licence`, and read status lists as it does."""

from __future__ import annotations

import ast
import base64
import json
import sys
import zlib
from datetime import timedelta
from pathlib import Path

import pytest

from licence import authority, jose
from licence.profile import STATUS_TYP
from licence.status import StatusList
from tests.licence import world as w
from tests.licence.forging import both

FILES = sorted(Path(__file__).parent.glob("independent*.py"))
DAY = timedelta(days=1)


def imports(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def strangers(source):
    allowed = sys.stdlib_module_names | {"cryptography"}
    return [name for name in imports(source) if name.partition(".")[0] not in allowed]


@pytest.mark.parametrize("path", FILES, ids=[p.name for p in FILES])
def test_it_needs_the_standard_library_and_cryptography_alone(path):
    source = path.read_text(encoding="utf-8")
    assert strangers(source) == []
    # Nothing by the back door either.
    assert not {"__import__", "import_module", "importlib", "exec", "eval"} & {
        node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)
    }


def test_the_rule_about_imports_can_fail():
    assert strangers(
        "import licence.sm2\nfrom . import x\nfrom tests.licence import y\nimport os, cryptography.x509"
    ) == [
        "licence.sm2",
        ".",
        "tests.licence",
    ]
    assert len(FILES) == 3


def listed(world, *, key=None, typ=STATUS_TYP, claim=None, **changes):
    """A status list token with members replaced, signed."""
    key = key or world.status_key
    start = int(w.ISSUED.timestamp())
    payload = {
        "iss": key.issuer_uri,
        "sub": w.STATUS_URI,
        "iat": start,
        "exp": start + 86400,
        "ttl": 3600,
        "status_list": StatusList.build(64, {1: 1, 2: 2}).to_claim() | (claim or {}),
    } | changes
    return jose.sign(key, typ, {k: v for k, v in payload.items() if v is not None})


def lst(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def flip_payload(token):
    head, body, signature = token.split(".")
    at = len(body) // 2
    return f"{head}.{body[:at]}{'A' if body[at] != 'A' else 'B'}{body[at + 1 :]}.{signature}"


def unsigned(token):
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": STATUS_TYP}).encode()).decode().rstrip("=")
    return f"{head}.{token.split('.')[1]}."


TOKENS = {
    "good": listed,
    "one bit": lambda x: listed(x, claim={"bits": 1, "lst": lst(zlib.compress(bytes(8)))}),
    "eight bits": lambda x: listed(x, claim={"bits": 8, "lst": lst(zlib.compress(bytes(64)))}),
}
BAD_TOKENS = {
    "revoked": lambda x: listed(x, status_list=StatusList.build(64, {w.IDX: 1}).to_claim()),
    "suspended": lambda x: listed(x, status_list=StatusList.build(64, {w.IDX: 2}).to_claim()),
    "unknown value": lambda x: listed(x, status_list=StatusList.build(64, {w.IDX: 3}).to_claim()),
    "index outside": lambda x: listed(x, status_list=StatusList.build(4, {}).to_claim()),
    "expired": lambda x: listed(x, exp=int(w.ISSUED.timestamp()) + 1),
    "from the future": lambda x: listed(x, iat=int((w.AT + DAY).timestamp()), exp=int((w.AT + 2 * DAY).timestamp())),
    "other list": lambda x: listed(x, sub=w.STATUS_URI + "0"),
    "no expiry": lambda x: listed(x, exp=None),
    "text as a date": lambda x: listed(x, iat="1"),
    "wrong typ": lambda x: listed(x, typ="JWT"),
    "three bits": lambda x: listed(x, claim={"bits": 3}),
    "not deflated": lambda x: listed(x, claim={"lst": lst(bytes(16))}),
    "cut": lambda x: listed(x, claim={"lst": lst(zlib.compress(bytes(16))[:-2])}),
    "bytes behind": lambda x: listed(x, claim={"lst": lst(zlib.compress(bytes(16)) + b"x")}),
    "padded": lambda x: listed(x, claim={"lst": lst(zlib.compress(bytes(16))) + "="}),
    "a licence's key": lambda x: listed(x, key=x.agriculture),
    "a stranger's key": lambda x: listed(
        x, key=w.make_leaf(w.make_root("other"), "status", w.STATUS_OFFICE, role=authority.Role.STATUS)
    ),
    "altered": lambda x: flip_payload(listed(x)),
    "alg none": lambda x: unsigned(listed(x)),
    "signature of another": lambda x: listed(x).rpartition(".")[0] + "." + listed(x, ttl=1).rpartition(".")[2],
    "empty": lambda x: "",
}


@pytest.mark.parametrize("name", TOKENS)
def test_both_take_a_status_list(world, sealed, name):
    assert both(w.bundle_of(world, sealed, None), world.trust, w.AT, [TOKENS[name](world)]).exit_code == 0


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_both_agree_on_what_a_status_list_does_not_prove(world, sealed, name):
    bare = w.bundle_of(world, sealed, None)
    report = both(bare, world.trust, w.AT, [BAD_TOKENS[name](world)])
    assert report.exit_code != 0
    # In the bundle it is the same.
    inside = both(w.bundle_of(world, sealed, BAD_TOKENS[name](world)), world.trust, w.AT)
    assert inside.exit_code != 0
