from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from audit import tree
from audit.checkpoint import Checkpoint
from audit.entry import Entry
from audit.notes import SignerKey
from audit.proof import LogProof
from licence.errors import FormatError, MaterialRefusedError
from licence.materials import (
    MATERIAL_ENTRY,
    MAX_BYTES,
    Material,
    Origin,
    Provenance,
    ReuseRules,
    digest_of,
    verify_material,
)
from licence.model import Category

AT = datetime(2025, 3, 1, 8, 0, 0, tzinfo=UTC)
CONTENT = b"%PDF-1.7 lease contract"
KEY = SignerKey("log.city.example", hashlib.sha256(b"log").digest())
OTHER_KEY = SignerKey("log.city.example", hashlib.sha256(b"other").digest())
MATERIAL = Material(
    identifier="M-2025-1",
    name="房屋租赁合同",
    digest=digest_of(CONTENT),
    media_type="application/pdf",
    size_bytes=len(CONTENT),
    holder="ab" * 32,
    provenance=Provenance(Origin.HANDED_IN, "GAJ", "居住证申领", AT, checked_against_original=True),
    reuse=ReuseRules(units=("JYJ", "ZJJ"), matters=("义务教育入学", "租赁备案")),
    valid_from=AT,
    valid_until=AT + timedelta(days=365),
)


def refused(call, *args, **kwargs):
    with pytest.raises(MaterialRefusedError) as caught:
        call(*args, **kwargs)
    for lang in ("en", "zh"):
        assert "<" not in caught.value.text(lang)
    return caught.value.code


def reuse(material=MATERIAL, **changes):
    values = {"unit": "JYJ", "matter": "义务教育入学", "at": AT, "consent": True}
    material.check_reuse(**(values | changes))


def entry_of(material=MATERIAL, **changes):
    values = {
        "kind": MATERIAL_ENTRY, "at": AT, "actor": "GAJ", "subject": material.holder, "resource": "", "purpose": "",
        "facts": material.log_facts(),
    }  # fmt: skip
    return Entry(**(values | changes)).encode()


def prove(entry, key=KEY):
    leaves = [tree.leaf_hash(d) for d in (b"x", entry, b"y")]
    note = Checkpoint(key.name, 3, tree.root(leaves)).sign([key])
    return LogProof(1, tree.inclusion_path(1, 3, tree.subtrees(leaves)), note).to_text()


def check(material=MATERIAL, content=CONTENT, entry=None, proof=None):
    entry = entry_of() if entry is None else entry
    proof = prove(entry) if proof is None else proof
    return verify_material(material, content, entry=entry, proof=proof, log_verifiers=[KEY.verifier])


def failed(**changes):
    with pytest.raises(FormatError) as caught:
        check(**changes)
    assert caught.value.text("zh")
    return caught.value.code


def test_a_material_is_of_its_own_class():
    assert MATERIAL.category is Category.MATERIAL
    assert Origin.MADE.zh == "部门生成"


def test_reuse_by_the_rules():
    reuse()
    reuse(unit="ZJJ", matter="租赁备案")
    reuse(replace(MATERIAL, reuse=ReuseRules(("*",), ("*",))), unit="any", matter="any")
    reuse(replace(MATERIAL, reuse=ReuseRules(("JYJ",), ("义务教育入学",), needs_consent=False)), consent=False)
    # Who took it in uses it for what it was taken in for.
    reuse(unit="GAJ", matter="居住证申领", consent=False)
    reuse(unit="GAJ")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"unit": "SWJ"}, "material_other_unit"),
        ({"unit": "SWJ", "matter": "居住证申领"}, "material_other_unit"),
        ({"matter": "贷款"}, "material_other_matter"),
        ({"unit": "GAJ", "matter": "贷款"}, "material_other_matter"),
        ({"consent": False}, "material_no_consent"),
        ({"unit": "GAJ", "consent": False}, "material_no_consent"),
        ({"at": AT - timedelta(seconds=1)}, "material_not_valid"),
        ({"at": AT + timedelta(days=365)}, "material_not_valid"),
    ],
)
def test_reuse_refused(changes, code):
    assert refused(reuse, **changes) == code


def test_nobody_may_reuse_without_rules():
    alone = replace(MATERIAL, reuse=ReuseRules((), ()))
    assert refused(reuse, alone) == "material_other_unit"
    reuse(alone, unit="GAJ", matter="居住证申领")


def test_a_void_material_is_not_reused_even_where_it_came_from():
    void = replace(MATERIAL, invalidated_at=AT + timedelta(days=2))
    reuse(void, at=AT + timedelta(days=1))
    at = AT + timedelta(days=2)
    assert refused(reuse, void, at=at) == "material_invalidated"
    assert refused(reuse, void, at=at, unit="GAJ", matter="居住证申领") == "material_invalidated"


@pytest.mark.parametrize(
    "changes",
    [
        {"identifier": "../x"},
        {"identifier": ""},
        {"name": " "},
        {"name": "a\u202eb"},
        {"digest": "sha256:AB"},
        {"digest": digest_of(b"").upper()},
        {"media_type": "application/pdf; x=1"},
        {"size_bytes": 0},
        {"size_bytes": MAX_BYTES + 1},
        {"holder": "11010519491231002X"},
        {"provenance": Provenance(Origin.MADE, "", "x", AT)},
        {"provenance": Provenance(Origin.MADE, "x", "x", AT.replace(tzinfo=None))},
        {"valid_from": AT.replace(tzinfo=None)},
        {"valid_until": AT},
        {"reuse": ReuseRules(("a", "a"), ())},
        {"reuse": ReuseRules(tuple(str(i) for i in range(501)), ())},
    ],
)
def test_malformed(changes):
    assert refused(replace, MATERIAL, **changes) == "material_bad"


def test_verified_by_digest_and_proof():
    report = check()
    assert (report.material, report.origin, report.index, report.size) == ("M-2025-1", KEY.name, 1, 3)
    assert report.logged_at == AT


def test_every_changed_byte_of_file_entry_and_proof_is_noticed():
    entry = entry_of()
    proof = prove(entry)
    for i in range(len(CONTENT)):
        changed = bytes([*CONTENT[:i], CONTENT[i] ^ 1, *CONTENT[i + 1 :]])
        assert failed(content=changed) == "material_digest_differs"
    for i in range(len(entry)):
        assert failed(entry=bytes([*entry[:i], entry[i] ^ 1, *entry[i + 1 :]]), proof=proof)
    for i in range(len(proof)):
        assert failed(entry=entry, proof=proof[:i] + chr(ord(proof[i]) ^ 1) + proof[i + 1 :])


def test_whose_log_it_is_matters():
    assert failed(proof=prove(entry_of(), OTHER_KEY)) == "log_key_untrusted"
    assert failed(proof="") == "log_proof_invalid"
    noted = LogProof.from_text(prove(entry_of()))
    assert failed(proof=replace(noted, extra=b"x").to_text()) == "log_proof_invalid"


def test_the_entry_must_say_what_the_material_says():
    assert failed(entry=entry_of(kind="licence.issued")) == "log_entry_wrong_kind"
    assert failed(entry=b"{}") == "log_entry_unreadable"
    assert failed(entry=entry_of(subject="cd" * 32)) == "material_entry_differs"
    others = [
        replace(MATERIAL, identifier="M-2"),
        replace(MATERIAL, media_type="image/png"),
        replace(MATERIAL, valid_until=None),
        replace(MATERIAL, valid_from=AT - timedelta(days=1)),
        replace(MATERIAL, reuse=ReuseRules(("*",), ("*",))),
        replace(MATERIAL, reuse=replace(MATERIAL.reuse, needs_consent=False)),
        replace(MATERIAL, provenance=replace(MATERIAL.provenance, unit="SWJ")),
        replace(MATERIAL, provenance=replace(MATERIAL.provenance, matter="x")),
        replace(MATERIAL, provenance=replace(MATERIAL.provenance, origin=Origin.MADE)),
        replace(MATERIAL, provenance=replace(MATERIAL.provenance, at=AT + timedelta(1))),
        replace(MATERIAL, provenance=replace(MATERIAL.provenance, checked_against_original=False)),
    ]
    for other in others:
        assert failed(material=other) == "material_entry_differs"


def test_the_log_learns_nothing_of_the_holder():
    assert MATERIAL.holder not in str(MATERIAL.log_facts())
    assert MATERIAL.name not in str(MATERIAL.log_facts())
