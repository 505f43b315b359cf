from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import json_files, text
from connectors.errors import (
    ConnectorError,
    SourceEncodingError,
    SourceIncompleteError,
    SourceShapeError,
)
from connectors.protocol import Column, ReadRequest
from connectors.registry import connect
from tests.connectors.kinds import no_secrets
from tests.contracts.connector_suite import SECRET, landed


def read(folder, into, document, *columns, **options):
    (folder / "a.json").write_bytes(document if isinstance(document, bytes) else document.encode())
    wanted = tuple(Column(column) for column in columns or ("id",))
    connector = connect("json", {"folder": str(folder)}, no_secrets)
    return connector.read(ReadRequest("R", "a.json", wanted, None, "", options), into)


def rows(*arguments, **options):
    return [row[1:] for row in landed(read(*arguments, **options))]


def test_arrays_at_the_root_and_below_it(folder, into):
    assert rows(folder, into, '[{"id": 1.10}, {"id": "甲"},\n{"id": null}, {"x": 1}]') == [
        ("1.10",),
        ("甲",),
        (None,),
        (None,),
    ]
    document = '{"a": [1, {"rows": []}], "b": {"c": "]}", "rows": [{"id": [1, {"x": "}"}]}], "d": 1}, "e": -1e5 }\n'
    assert rows(folder, into, document, rows="b.rows") == [('[1,{"x":"}"}]',)]
    assert rows(folder, into, " [ ] ", "id") == []
    assert rows(folder, into, '\ufeff[{"\\u0069d": "a\\"b\\\\"}]') == [('a"b\\',)]
    assert rows(folder, into, '[{"id": "𬱖"}]'.encode("gb18030"), encoding="gb18030") == [("𬱖",)]


@pytest.mark.parametrize(
    ("document", "path", "error", "problem", "where"),
    [
        ('[{"id": 1}, {"id": "' + SECRET, "", SourceIncompleteError, "truncated", "a.json:1"),
        ('[{"id": 1}', "", SourceIncompleteError, "truncated", "a.json:1"),
        ("", "", SourceIncompleteError, "truncated", "a.json:1"),
        ('{"rows": [{"id": 1}], "total": ', "rows", SourceIncompleteError, "truncated", "a.json:1"),
        ('{"rows": [{"id": 1}]', "rows", SourceIncompleteError, "truncated", "a.json:1"),
        ('[{"id": 1}\n{"id": 2}]', "", SourceShapeError, "bad_json", "a.json:2"),
        ('[{"id": 1}] "' + SECRET + '"', "", SourceShapeError, "bad_json", "a.json:1"),
        ('[{"id": 1},\n{"id": ' + SECRET + "}]", "", SourceShapeError, "bad_json", "a.json:2"),
        ('[{"id": NaN}]', "", SourceShapeError, "bad_json", "a.json:1"),
        ('[{"id": 1,}]', "", SourceShapeError, "bad_json", "a.json:1"),
        ('[{"id": 1},\n\n"' + SECRET + '"]', "", SourceShapeError, "not_an_object", "a.json:3"),
        ('[{"id": 1, "id": 2}]', "", SourceShapeError, "json_name_duplicate", "a.json:1"),
        ('{"rows": [], "rows": []}', "rows", SourceShapeError, "json_name_duplicate", "a.json:1"),
        ('{"rows": []}', "", SourceShapeError, "rows_not_found", "a.json"),
        ('{"rows": []}', "data.rows", SourceShapeError, "rows_not_found", "a.json"),
        ('{"data": {"rows": 1}}', "data.rows", SourceShapeError, "rows_not_found", "a.json"),
        ("[]", "rows", SourceShapeError, "rows_not_found", "a.json"),
        ("[" * 100_000, "", SourceIncompleteError, "truncated", "a.json:1"),
        ("[{" + '"a":[' * 100_000 + "]" * 100_000 + "}]", "", SourceShapeError, "bad_json", "a.json:1"),
        ("{1: 2}", "rows", SourceShapeError, "bad_json", "a.json:1"),
    ],
    ids=range(20),
)
def test_documents_that_are_cut_or_wrong(folder, into, document, path, error, *, problem, where):
    with pytest.raises(error) as caught:
        read(folder, into, document, rows=path)
    assert (caught.value.problem, caught.value.where) == (problem, where)
    assert SECRET not in caught.value.text("en") + caught.value.text("zh") + repr(caught.value.params)
    assert not into.exists()


def test_bytes_that_are_not_text_are_named(folder, into):
    with pytest.raises(SourceEncodingError):
        read(folder, into, b'[{"id": "\xff"}]')


def test_a_value_that_does_not_end_is_refused_before_it_fills_the_memory(folder, into, monkeypatch):
    monkeypatch.setattr(json_files, "RECORD_BYTES", 1000)
    monkeypatch.setattr(text, "BLOCK_BYTES", 100)
    for document in ('[{"id": "' + "x" * 3000 + '"}]', "[" + "1" * 3000 + "]", '[{"id": [' + "1," * 3000 + "1]}]"):
        with pytest.raises(SourceShapeError) as caught:
            read(folder, into, document)
        assert caught.value.problem == "record_too_long"
    # What is stepped over may be as long as it likes, but for a single text in it.
    beside = ",".join(['"abc"'] * 3000)
    assert rows(folder, into, '{"other": [' + beside + '], "rows": [{"id": 1}]}', rows="rows") == [("1",)]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(st.sampled_from('ab"\\{}[],: \n甲𬱖'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(("id", "x", "y")), VALUES, max_size=3), max_size=5)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(RECORDS, VALUES, st.sampled_from((None, 1)), st.integers(1, 40))
def test_what_is_read_is_what_the_json_module_reads(records, beside, indent, block):
    document = json.dumps({"a": beside, "rows": records, "b": beside}, ensure_ascii=False, indent=indent)

    def wanted(record):
        value = record.get("id")
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK_BYTES", block)
        folder, into = Path(name), Path(name) / "out"
        try:
            found = [row[0] for row in rows(folder, into, document, rows="rows")]
        except ConnectorError as failure:
            # A required column that no record has is missing, as everywhere.
            assert failure.problem in {"columns_missing", "header_missing"}  # noqa: PT017
            assert not any("id" in record for record in records)
        else:
            assert found == [wanted(record) for record in records]
        # Every cut is noticed.
        for cut in range(0, len(document) - 1, 1 + len(document) // 20):
            with pytest.raises((SourceIncompleteError, SourceShapeError)):
                read(folder, into, document[:cut], rows="rows")
