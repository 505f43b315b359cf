"""Manifests offline: signature, digests and counts; every byte of one flipped, parts damaged, missing and added."""

from __future__ import annotations

import json
import shutil
from unittest import mock

import pytest

from audit.canonical import encode
from hub.batches import manifest as batches_manifest
from hub.batches.errors import ManifestInvalidError
from hub.batches.manifest import DOMAIN, NAME, check, read, sign
from hub.signatures import AnswerSigner
from tests.hub.databases import SQLITE

SIGNER = AnswerSigner.from_seed(b"\x07" * 32)
SMALL = {"batch": "B1", "parts": [], "rows": 0}


@pytest.fixture
def database():
    """Files are the same, wherever orders are kept."""
    return SQLITE


@pytest.fixture
def folder(granted, tmp_path):
    batch = granted.made(form="csv", fields=("name", "household"))
    shutil.copytree(granted.batches.folder(batch.id), tmp_path / "copy")
    return tmp_path / "copy"


def test_no_flipped_byte_is_ever_accepted():
    data = sign(SMALL, SIGNER)
    assert read(data, [SIGNER.verifier])["batch"] == "B1"
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            with pytest.raises(ManifestInvalidError):
                read(bytes(flipped), [SIGNER.verifier])


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"null", b"{", b"[" * 100_000, b"\xff", b'{"a":1,"a":1}', b'{"signature":"' + b"0" * 128 + b'"}',
        sign(SMALL, SIGNER) + b"\n", sign(SMALL, SIGNER)[:-1],
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(ManifestInvalidError):
        read(data, [SIGNER.verifier])


def test_another_key_another_type_and_no_key_are_refused():
    other = AnswerSigner.from_seed(b"\x08" * 32)
    with pytest.raises(ManifestInvalidError):
        read(sign(SMALL, SIGNER), [other.verifier])
    with pytest.raises(ManifestInvalidError):
        read(sign(SMALL, SIGNER), [])
    # Signed by the right key, for something else.
    named = {**SMALL, "type": "another/v1", "key": SIGNER.verifier.key_id}
    with pytest.raises(ManifestInvalidError):
        read(encode({**named, "signature": SIGNER.sign_bytes(DOMAIN + encode(named)).hex()}), [SIGNER.verifier])


def test_a_folder_that_is_whole_holds(granted, folder):
    checked = check(folder, [granted.signer.verifier])
    assert (checked.holds, checked.findings, checked.manifest["rows"]) == (True, (), 5)


def test_a_damaged_and_a_missing_part_are_found_and_an_added_file_is_named(granted, folder):
    (path,) = folder.glob("part-*")
    (folder / "notes.txt").write_text("x")
    assert [f.code for f in check(folder, [granted.signer.verifier]).findings] == ["file_unknown"]
    assert check(folder, [granted.signer.verifier]).holds
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    checked = check(folder, [granted.signer.verifier])
    assert ([f.code for f in checked.findings], checked.holds) == (["part_differs", "file_unknown"], False)
    path.unlink()
    checked = check(folder, [granted.signer.verifier])
    assert (checked.findings[0].code, checked.holds) == ("part_missing", False)
    for finding in checked.findings:
        assert "{" not in finding.text("zh") + finding.text("en")


def test_a_count_that_does_not_fit_is_found(granted, folder):
    with mock.patch.object(batches_manifest, "count_rows", return_value=4):
        checked = check(folder, [granted.signer.verifier])
    assert ([f.code for f in checked.findings], checked.holds) == (["part_rows"], False)


def test_a_name_that_leads_elsewhere_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "in").mkdir()
    part = {"number": 1, "name": "../secret", "rows": 1, "bytes": 1, "digest": "sha256:x"}
    (tmp_path / "in" / NAME).write_bytes(sign({**SMALL, "parts": [part]}, SIGNER))
    checked = check(tmp_path / "in", [SIGNER.verifier])
    assert [f.code for f in checked.findings] == ["part_missing"]


def test_without_a_manifest_nothing_is_said(tmp_path):
    with pytest.raises(ManifestInvalidError):
        check(tmp_path, [SIGNER.verifier])


def test_a_manifest_is_one_line_that_other_programs_read(granted, folder):
    data = (folder / NAME).read_bytes()
    plain = json.loads(data)
    assert b"\n" not in data
    assert {"batch", "entry", "log", "fields", "scopes", "parts", "rows", "made_at", "expires", "snapshot"} <= set(
        plain
    )
    assert plain["parts"][0].keys() == {"number", "name", "rows", "bytes", "digest"}
