from __future__ import annotations

import pytest

from connectors import relational as sql
from connectors.errors import ConnectorSettingsError, SourceIncompleteError
from connectors.protocol import Column

INTEGER = sql.SourceColumn("n", "int", "integer", 10)
BIG = sql.SourceColumn("n", "bigint", "integer", 19)


def decimal(digits, scale):
    return sql.SourceColumn("d", f"numeric({digits},{scale})", "decimal", digits, scale)


def of(kind):
    return sql.SourceColumn("c", kind, kind)


@pytest.mark.parametrize(
    ("asked", "source", "landed"),
    [
        ("BIGINT", INTEGER, "BIGINT"),
        ("BIGINT", BIG, "BIGINT"),
        ("DECIMAL(12,2)", INTEGER, "DECIMAL(12,2)"),
        ("DECIMAL(11,2)", INTEGER, "VARCHAR"),
        ("DECIMAL(38,19)", BIG, "DECIMAL(38,19)"),
        ("DECIMAL(12, 2)", decimal(12, 2), "DECIMAL(12, 2)"),
        ("DECIMAL(12,2)", decimal(12, 3), "VARCHAR"),
        ("DECIMAL(12,2)", decimal(13, 2), "VARCHAR"),
        ("DECIMAL(14,3)", decimal(12, 2), "DECIMAL(14,3)"),
        ("DECIMAL(38,2)", sql.SourceColumn("d", "numeric", "decimal"), "VARCHAR"),
        ("BIGINT", decimal(18, 0), "BIGINT"),
        ("BIGINT", decimal(19, 0), "VARCHAR"),
        ("BIGINT", decimal(3, 1), "VARCHAR"),
        ("BIGINT", sql.SourceColumn("d", "numeric", "decimal"), "VARCHAR"),
        ("BOOLEAN", of("boolean"), "BOOLEAN"),
        ("BIGINT", of("boolean"), "VARCHAR"),
        ("DATE", of("date"), "DATE"),
        ("DATE", of("timestamp"), "VARCHAR"),
        ("TIMESTAMP", of("timestamp"), "TIMESTAMP"),
        ("TIMESTAMP", of("date"), "VARCHAR"),
        ("TIMESTAMP", of("moment"), "VARCHAR"),
        ("VARCHAR", of("text"), "VARCHAR"),
        ("BIGINT", of("text"), "VARCHAR"),
        ("DATE", of("other"), "VARCHAR"),
        ("DATE", None, "DATE"),
        ("", None, "VARCHAR"),
        ("", of("date"), "VARCHAR"),
    ],
)
def test_a_type_is_taken_where_every_value_fits(asked, source, landed):
    assert sql.landed_type(Column("c", type=asked), source) == landed


def test_what_is_masked_is_text():
    column = Column("c", type="BIGINT", mask="redact", field_id=3)
    assert sql.landed_type(column, INTEGER) == sql.landed_type(column, None) == "VARCHAR"
    assert sql.Chosen(column, INTEGER, "VARCHAR").field_id == 0


@pytest.mark.parametrize(
    ("asked", "landed", "field_id"),
    [("DECIMAL(12, 2)", "DECIMAL(12,2)", 4), ("BIGINT", "VARCHAR", 0), ("VARCHAR", "VARCHAR", 4), ("", "VARCHAR", 0)],
)
def test_a_field_id_stands_for_a_type(asked, landed, field_id):
    assert sql.Chosen(Column("c", type=asked, field_id=4), INTEGER, landed).field_id == field_id


@pytest.mark.parametrize(
    ("text", "expected"), [("15m", (900, True)), ("2h", (7200, True)), ("1d", (86400, True)), ("7", (7, False))]
)
def test_durations(text, expected):
    assert sql.amount(text) == expected


def test_rows_must_add_up():
    sql.check_rows(None, 3, "t")
    sql.check_rows(3, 3, "t")
    for found in (2, 4):
        with pytest.raises(SourceIncompleteError) as caught:
            sql.check_rows(3, found, "t")
        assert caught.value.retryable


def test_options_have_their_defaults_and_nothing_filters():
    options = sql.ReadOptions.of({"where": "1 = 1; DROP TABLE t"}, "t")
    assert options == sql.ReadOptions(False, "", False, 0, "count", False)
    with pytest.raises(ConnectorSettingsError):
        sql.ReadOptions.of({"lag": "1 day"}, "t")


def test_strings_end_where_they_end():
    plain = sql.Plain()
    assert plain.literal("a'b", of("text")) == "'a''b'"
    assert plain.literal("1; DROP", INTEGER) == "'1; DROP'"
    assert plain.literal("-12.5", INTEGER) == "-12.5"
    assert plain.name('a"b') == '"a""b"'
    assert plain.after((INTEGER, of("text")), ("5", "x"), equal=True) == """("n", "c") <= (5, 'x')"""
