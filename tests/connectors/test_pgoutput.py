from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConnectorError, SourceEncodingError, SourceShapeError
from connectors.pgoutput import (
    UNCHANGED,
    Begin,
    Commit,
    Delete,
    Insert,
    Other,
    Relation,
    RelationColumn,
    Truncate,
    Update,
    decode,
)


def text(value):
    return value.encode() + b"\0"


def row(*values):
    parts = [struct.pack(">H", len(values))]
    for value in values:
        if value is None:
            parts.append(b"n")
        elif value is UNCHANGED:
            parts.append(b"u")
        else:
            data = value.encode()
            parts.append(b"t" + struct.pack(">I", len(data)) + data)
    return b"".join(parts)


VALUES = st.lists(
    st.one_of(st.none(), st.just(UNCHANGED), st.text(st.characters(exclude_categories=["Cs"]))), max_size=6
)


def encode(message):
    match message:
        case Begin():
            return b"B" + struct.pack(">QqI", message.lsn, 0, message.xid)
        case Commit():
            return b"C" + struct.pack(">BQQq", 0, message.lsn, message.end, 0)
        case Relation():
            head = (
                struct.pack(">I", message.oid) + text(message.schema) + text(message.name) + message.identity.encode()
            )
            columns = b"".join(
                struct.pack(">B", c.key) + text(c.name) + struct.pack(">Ii", c.type_oid, -1) for c in message.columns
            )
            return b"R" + head + struct.pack(">H", len(message.columns)) + columns
        case Insert():
            return b"I" + struct.pack(">I", message.relation) + b"N" + row(*message.new)
        case Update():
            old = b"" if message.old is None else (b"O" if message.whole else b"K") + row(*message.old)
            return b"U" + struct.pack(">I", message.relation) + old + b"N" + row(*message.new)
        case Delete():
            return b"D" + struct.pack(">I", message.relation) + (b"O" if message.whole else b"K") + row(*message.old)
        case Truncate():
            return b"T" + struct.pack(f">IB{len(message.relations)}I", len(message.relations), 0, *message.relations)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
OIDS = st.integers(0, 2**32 - 1)
LSNS = st.integers(0, 2**64 - 1)
ROWS = VALUES.map(tuple)
MESSAGES = st.one_of(
    st.builds(Begin, LSNS, OIDS),
    st.builds(Commit, LSNS, LSNS),
    st.builds(
        Relation,
        OIDS,
        NAMES,
        NAMES,
        st.sampled_from("dnfi"),
        st.lists(st.builds(RelationColumn, NAMES, st.booleans(), OIDS), max_size=4).map(tuple),
    ),
    st.builds(Insert, OIDS, ROWS),
    st.builds(Update, OIDS, ROWS, st.booleans(), ROWS),
    st.builds(lambda oid, new: Update(oid, None, False, new), OIDS, ROWS),
    st.builds(Delete, OIDS, ROWS, st.booleans()),
    st.builds(Truncate, st.lists(OIDS, max_size=5).map(tuple)),
)


@settings(max_examples=25, deadline=None)
@given(MESSAGES)
def test_every_message_is_read_as_it_was_written(message):
    assert decode(encode(message), "db:t") == message


@settings(max_examples=25, deadline=None)
@given(MESSAGES, st.data())
def test_a_message_cut_or_drawn_out_is_refused(message, data):
    whole = encode(message)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    for broken in (cut, whole + b"\0"):
        with pytest.raises((SourceShapeError, SourceEncodingError)):
            decode(broken, "db:t")


@settings(max_examples=25, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.tuples(st.sampled_from(b"BCRYIUDTOM"), st.binary(max_size=80))))
def test_any_bytes_are_a_message_or_our_error(data):
    raw = data if isinstance(data, bytes) else bytes([data[0]]) + data[1]
    try:
        decode(raw, "db:t")
    except ConnectorError as error:
        assert error.text("zh")  # noqa: PT017 - either outcome is right


@settings(max_examples=25, deadline=None)
@given(MESSAGES, st.data())
def test_a_message_with_a_wrong_byte_is_a_message_or_our_error(message, data):
    raw = bytearray(encode(message))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(raw), "db:t")
    except ConnectorError as error:
        assert "db:t" in str(error)  # noqa: PT017 - either outcome is right


def test_a_length_beyond_the_message_takes_no_memory():
    for data in (
        b"I" + struct.pack(">I", 1) + b"N" + struct.pack(">H", 1) + b"t" + struct.pack(">I", 2**32 - 1),
        b"T" + struct.pack(">IB", 2**32 - 1, 0),
        b"M" + struct.pack(">BQ", 0, 0) + b"p\0" + struct.pack(">I", 2**31),
    ):
        with pytest.raises(SourceShapeError):
            decode(data, "db:t")


def test_what_changes_no_row_is_passed_over():
    kinds = {
        "Y": struct.pack(">I", 7) + text("public") + text("mood"),
        "O": struct.pack(">Q", 7) + text("elsewhere"),
        "M": struct.pack(">BQ", 1, 7) + text("prefix") + struct.pack(">I", 2) + b"hi",
    }
    for tag, body in kinds.items():
        assert decode(tag.encode() + body, "db:t") == Other(tag)


def test_text_that_is_not_utf8_is_not_guessed_at():
    data = b"I" + struct.pack(">I", 1) + b"N" + struct.pack(">H", 1) + b"t" + struct.pack(">I", 1) + b"\xd5"
    with pytest.raises(SourceEncodingError):
        decode(data, "db:t")


def test_a_relation_of_the_catalogue_has_its_schema():
    assert decode(encode(Relation(1, "", "pg_x", "d", ())), "db:t").schema == "pg_catalog"
