from __future__ import annotations

import random
from dataclasses import replace

import psycopg
import pyarrow.parquet as pq
import pytest

from connectors.cdc import PostgresqlCdcConnector, keys_file
from connectors.errors import (
    ConnectorSettingsError,
    SourceDeniedError,
    SourceLapsedError,
    SourceObjectMissingError,
    SourceShapeError,
    SourceUnavailableError,
)
from connectors.protocol import Acknowledges, Column, ReadRequest
from connectors.registry import connect
from connectors.slots import Position, default_name, lsn_of, lsn_text
from tests.services import postgres as service
from tests.services.postgres import postgres

__all__ = ["postgres"]

OPTIONS = {"create": "yes", "operation_column": "op", "order_column": "seq"}
COLUMNS = ("id", "name", "note")


class House:
    """A warehouse of one table: rows by key, and the cursor that was committed with them."""

    def __init__(self, connector, into, columns=COLUMNS, **options):
        self.connector = connector
        self.into = into
        self.options = {**OPTIONS, **options}
        self.columns = columns
        self.rows = {}
        self.cursor = None
        self.read_rows = []

    def request(self, **more):
        columns = tuple(Column(name) for name in (*self.columns, "op", "seq"))
        made = ReadRequest("R", "people", columns, self.cursor, "seq", self.options, key=("id",))
        return replace(made, **more)

    def read(self, **more):
        batch = self.connector.read(self.request(**more), self.into)
        table = pq.read_table(batch.path)
        self.read_rows = [
            dict(zip(table.column_names[1:], row[1:], strict=True))
            for row in zip(*(c.to_pylist() for c in table.columns), strict=True)
        ]
        assert len(self.read_rows) == batch.rows
        return batch

    def commit(self, batch):
        """The newest of a key wins; all at once, with the cursor, which never goes back."""
        assert self.cursor is None or batch.cursor >= self.cursor
        orders = [row["seq"] for row in self.read_rows]
        assert orders == sorted(orders)
        for row in self.read_rows:
            if row["op"] == "D":
                self.rows.pop(row["id"], None)
            else:
                self.rows[row["id"]] = tuple(row[name] for name in self.columns[1:])
        kept = keys_file(self.into)
        if kept.exists():
            present = set(pq.read_table(kept).column("id").to_pylist())
            self.rows = {key: row for key, row in self.rows.items() if key in present}
        self.cursor = batch.cursor

    def load(self):
        batch = self.read()
        self.commit(batch)
        self.connector.acknowledge("people", self.options, batch.cursor)
        return [(row["op"], row["id"]) for row in self.read_rows]


class Source:
    """A department's database."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.connection = psycopg.connect(host=str(server.folder), user=service.USER, dbname=name, autocommit=True)
        # The server of the tests brings commits to disk when it likes; here it matters when.
        self.do("SET synchronous_commit = on")
        self.do("CREATE TABLE people (id int PRIMARY KEY, name text, note text)")

    def do(self, statement, *parameters):
        return self.connection.execute(statement, parameters or None)

    def leave(self):
        """Nothing of a test is there for the next one; a database of its own for each would cost more than the test."""
        self.do("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
        for (name,) in self.do("SELECT pubname FROM pg_publication").fetchall():
            self.do(f"DROP PUBLICATION {name}")
        self.do("DROP SCHEMA public CASCADE")
        self.do("CREATE SCHEMA public")
        self.connection.close()

    def rows(self):
        return {str(key): (name, note) for key, name, note in self.do("SELECT * FROM people")}

    def settings(self, **more):
        return {"host": str(self.server.folder), "database": self.name, "user": service.USER, **more}

    def connector(self, **more):
        return PostgresqlCdcConnector(self.settings(**more), str)

    def slot(self):
        return default_name(self.name, "people")

    def health(self):
        return self.connector().watch("people", {})


@pytest.fixture(scope="module")
def database(postgres):
    name = postgres.create()
    yield name
    postgres.drop(name)


@pytest.fixture
def source(postgres, database):
    made = Source(postgres, database)
    yield made
    made.leave()


@pytest.fixture
def house(source, into):
    source.do("INSERT INTO people VALUES (1, '甲', 'a'), (2, '乙', NULL), (3, '', '😀龘')")
    return House(source.connector(), into)


def fails(house, error, problem):
    before = house.cursor
    with pytest.raises(error) as caught:
        house.read()
    assert caught.value.problem == problem
    assert caught.value.text("zh")
    for text in (caught.value.text("en"), repr(caught.value.__dict__)):
        assert "甲" not in text
    assert house.cursor == before
    assert not keys_file(house.into).exists()
    return caught.value


# --- the ordinary way ------------------------------------------------------------------------------------------------


def test_the_first_read_is_of_the_table_and_the_next_of_its_changes(source, house):
    assert house.load() == [("R", "1"), ("R", "2"), ("R", "3")]
    assert house.rows == source.rows()
    source.do("INSERT INTO people VALUES (4, '丁', '𬱖')")
    source.do("UPDATE people SET note = 'b' WHERE id = 1")
    source.do("DELETE FROM people WHERE id = 2")
    assert house.load() == [("I", "4"), ("U", "1"), ("D", "2")]
    assert house.rows == source.rows()
    assert house.load() == []


def test_a_changed_key_is_a_deletion_and_a_row(source, house):
    house.load()
    source.do("UPDATE people SET id = 9 WHERE id = 1")
    assert house.load() == [("D", "1"), ("U", "9")]
    assert house.rows == source.rows()


def test_the_newest_of_a_key_orders_last(source, house):
    house.load()
    for turn in range(12):
        source.do("UPDATE people SET note = %s WHERE id = 1", str(turn))
    with source.connection.transaction():
        source.do("DELETE FROM people WHERE id = 2")
        source.do("INSERT INTO people VALUES (2, 'back', NULL)")
    house.load()
    orders = [row["seq"] for row in house.read_rows]
    assert orders == sorted(set(orders))
    assert house.rows == source.rows()


def test_a_transaction_that_is_rolled_back_is_never_seen(source, house):
    house.load()
    with source.connection.transaction(force_rollback=True):
        source.do("INSERT INTO people VALUES (7, 'never', NULL)")
    assert house.load() == []


def test_other_tables_of_the_publication_are_passed_over_and_move_the_slot_on(source, house):
    source.do("CREATE TABLE other (id int PRIMARY KEY, body text)")
    source.do("CREATE PUBLICATION two FOR TABLE people, other")
    house.options["publication"] = "two"
    house.load()
    before = source.health().confirmed_lsn
    source.do("INSERT INTO other SELECT n, repeat('x', 500) FROM generate_series(1, 500) n")
    assert house.load() == []
    assert lsn_of(source.health().confirmed_lsn) > lsn_of(before)
    with source.connection.transaction():
        source.do("DELETE FROM other")
        source.do("DELETE FROM people WHERE id = 3")
    assert house.load() == [("D", "3")]


def test_a_big_transaction_comes_whole_whatever_the_bound(source, house):
    house.load()
    source.do("INSERT INTO people SELECT n, 'n' || n, NULL FROM generate_series(10, 21009) n")
    source.do("UPDATE people SET note = 'after' WHERE id = 10")
    house.options["max_changes"] = "100"
    assert len(house.load()) == 21_000
    assert house.load() == [("U", "10")]
    assert house.rows == source.rows()


def test_many_transactions_come_a_bounded_number_at_a_time(source, house):
    house.load()
    for n in range(20, 60):
        source.do("INSERT INTO people VALUES (%s, 'x', NULL)", n)
    house.options["max_changes"] = "40"
    loads = []
    while got := house.load():
        loads.append(len(got))
    assert sum(loads) == 40
    assert len(loads) > 2
    assert house.rows == source.rows()


# --- crashes ---------------------------------------------------------------------------------------------------------


def test_a_kill_between_read_and_commit_loses_nothing(source, house):
    house.load()
    source.do("DELETE FROM people WHERE id = 1")
    house.read()
    source.do("INSERT INTO people VALUES (5, 'later', NULL)")
    assert house.load() == [("D", "1"), ("I", "5")]
    assert house.rows == source.rows()


def test_a_kill_between_commit_and_acknowledge_brings_nothing_twice(source, house):
    house.load()
    source.do("UPDATE people SET note = 'x'")
    house.commit(house.read())
    # Far more than the bound is there already, and new changes behind it.
    for _ in range(8):
        source.do("UPDATE people SET note = note || 'y'")
        house.commit(house.read())
    source.do("DELETE FROM people WHERE id = 2")
    house.options["max_changes"] = "3"
    assert house.load() == [("D", "2")]
    assert house.rows == source.rows()


def test_acknowledging_twice_is_acknowledging_once(source, house):
    house.load()
    old = house.cursor
    source.do("DELETE FROM people WHERE id = 1")
    house.load()
    where = source.health().confirmed_lsn
    for cursor in (house.cursor, old, None):
        house.connector.acknowledge("people", house.options, cursor)
    assert source.health().confirmed_lsn == where
    assert lsn_text(lsn_of(where)) == house.cursor.split()[0]


def test_reading_moves_nothing(source, house):
    house.load()
    source.do("DELETE FROM people WHERE id = 1")
    where = source.health().confirmed_lsn
    house.read()
    first = house.read_rows
    house.read()
    assert (house.read_rows, source.health().confirmed_lsn) == (first, where)


def test_a_first_read_killed_before_its_commit_begins_anew(source, house):
    house.read()
    source.do("DELETE FROM people WHERE id = 1")
    assert house.load() == [("R", "2"), ("R", "3")]
    source.do("DELETE FROM people WHERE id = 2")
    assert house.load() == [("D", "2")]


@pytest.mark.parametrize("seed", range(2))
def test_any_history_with_crashes_anywhere_ends_as_the_source(source, house, seed):
    dice = random.Random(seed)
    options = house.options
    for _ in range(25):
        with source.connection.transaction():
            for _ in range(dice.randint(1, 4)):
                key, text = dice.randint(1, 6), dice.choice(["", "王", "x" * 9000, None])
                match dice.randint(0, 4):
                    case 0:
                        source.do("DELETE FROM people WHERE id = %s", key)
                    case 1:
                        source.do("UPDATE people SET name = %s WHERE id = %s", text, key)
                    case 2:
                        source.do(
                            "UPDATE people SET id = %s WHERE id = %s AND NOT EXISTS (SELECT FROM people WHERE id = %s)",
                            key + 10, key, key + 10,
                        )  # fmt: skip
                    case _:
                        source.do(
                            "INSERT INTO people VALUES (%s, %s, %s) "
                            "ON CONFLICT (id) DO UPDATE SET note = EXCLUDED.note",
                            key, text, dice.randbytes(4000).hex(),
                        )  # fmt: skip
        options["max_changes"] = str(dice.choice([1, 5, 1000]))
        match dice.randint(0, 3):
            case 0:
                house.read()
            case 1:
                house.commit(house.read())
            case 2:
                house.load()
            case _:
                pass
    options["max_changes"] = "1000"
    house.load()
    house.load()
    assert house.rows == source.rows()


def test_commits_that_do_not_wait_for_the_disk_are_seen(source, house):
    source.do("SET synchronous_commit = off")
    house.load()
    for n in range(3):
        source.do("UPDATE people SET note = %s WHERE id = 1", str(n))
        house.load()
    assert house.rows == source.rows()


def test_what_commits_while_the_table_is_read_is_not_lost(source, house):
    other = psycopg.connect(host=str(source.server.folder), user=service.USER, dbname=source.name)
    slept = []

    def sleep(seconds):
        # The slot is there and its place is known; the table has not been read yet.
        slept.append(seconds)
        if not other.closed:
            other.commit()

    house.load()
    house.cursor, house.rows = None, {}
    other.execute("INSERT INTO people VALUES (8, 'open', NULL)")
    house.connector = PostgresqlCdcConnector(source.settings(), str, sleep=sleep)
    house.load()
    other.close()
    assert slept
    assert house.rows == source.rows()
    house.load()
    assert house.rows == source.rows()


def test_transactions_that_never_end_are_not_waited_for_for_ever(source, house):
    house.load()
    house.cursor = None
    with psycopg.connect(host=str(source.server.folder), user=service.USER, dbname=source.name) as other:
        other.execute("INSERT INTO people VALUES (8, 'open', NULL)")
        house.options["settle_s"] = "0.1"
        assert fails(house, SourceUnavailableError, "transactions_open").retryable
        other.rollback()


# --- values ----------------------------------------------------------------------------------------------------------

TYPES = """
    id int PRIMARY KEY, b boolean, c char(5), v varchar(9), n numeric(45,5), f float8, d date, t timestamp,
    z timestamptz, i interval, y bytea, j json, jb jsonb, a int[], ip inet, ip6 inet, net cidr, u uuid, m money,
    x xml, p point, nan numeric
"""
VALUES = """
    true, 'ab ', ' 王　', 1234567890123456789012345678901234567890.12345, 0.1, '0044-03-15 BC',
    'infinity', '2024-05-08 12:00:00+08', '1 mon 2 days', '\\x00ff', '{"a" : 1.10}', '{"a" : 1.10}', '{1,NULL}',
    '10.0.0.1', '::1',
    '10.0.0.0/8', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '1.5', '<a>1</a>', '(1,2)', 'NaN'
"""


def test_a_value_lands_alike_from_the_table_and_from_the_log(source, into):
    source.do("DROP TABLE people")
    source.do(f"CREATE TABLE people ({TYPES.strip()})")
    values = VALUES.strip()
    source.do(f"INSERT INTO people VALUES (1, {values})")
    names = tuple(
        row[0]
        for row in source.do(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'people'::regclass AND attnum > 0 ORDER BY attnum"
        )
    )
    house = House(source.connector(), into, columns=names)
    house.load()
    read = house.rows["1"]
    source.do(f"INSERT INTO people VALUES (2, {values})")
    house.load()
    assert house.rows["2"] == read
    shown = dict(zip(names[1:], read, strict=True))
    assert (shown["b"], shown["c"], shown["ip"], shown["y"]) == ("true", "ab", "10.0.0.1/32", "\\x00ff")
    assert (shown["n"], shown["nan"]) == ("1234567890123456789012345678901234567890.12345", "NaN")
    assert (shown["d"], shown["t"], shown["z"]) == ("0044-03-15 BC", "infinity", "2024-05-08 04:00:00+00")


BIG = "SELECT string_agg(md5(n::text), '') FROM generate_series(1, 400) n"


def test_an_unchanged_value_out_of_line_is_read_again(source, house):
    source.do(f"UPDATE people SET note = ({BIG})")
    house.load()
    source.do("UPDATE people SET name = 'new' WHERE id IN (1, 2)")
    source.do("UPDATE people SET name = 'gone' WHERE id = 3")
    source.do("DELETE FROM people WHERE id = 3")
    assert house.load() == [("U", "1"), ("U", "2"), ("D", "3")]
    assert house.rows == source.rows()
    assert len(house.rows["1"][1]) == 12_800


def test_with_full_identity_the_log_holds_it(source, house):
    source.do("ALTER TABLE people REPLICA IDENTITY FULL")
    source.do(f"UPDATE people SET note = ({BIG})")
    house.load()
    source.do("UPDATE people SET name = 'then' WHERE id = 1")
    source.do("UPDATE people SET name = 'gone' WHERE id = 3")
    source.do("UPDATE people SET id = 30 WHERE id = 3")
    assert house.load() == [("U", "1"), ("U", "3"), ("D", "3"), ("U", "30")]
    assert house.rows == source.rows()


def test_reading_again_finds_keys_of_any_type(source, into):
    source.do("DROP TABLE people")
    source.do('CREATE TABLE people ("i%d" char(4), day timestamptz, note text, name text, PRIMARY KEY (day, "i%d"))')
    source.do(f"INSERT INTO people VALUES ('a', '2024-01-01 08:00+08', ({BIG}), 'x')")
    house = House(source.connector(), into)
    columns = tuple(Column(name) for name in ("i%d", "day", "note", "name", "op", "seq"))
    house.commit = lambda batch: setattr(house, "cursor", batch.cursor)
    make = house.request
    house.request = lambda: replace(make(), columns=columns, key=("i%d", "day"))
    for expected in ("x", "y"):
        house.commit(house.read())
        assert [(row["i%d"], row["name"], len(row["note"])) for row in house.read_rows] == [("a", expected, 12_800)]
        source.do("UPDATE people SET name = 'y'")


# --- shape -----------------------------------------------------------------------------------------------------------


def test_a_column_added_in_mid_stream_is_told_and_taken_when_asked_for(source, house):
    house.load()
    source.do("UPDATE people SET note = 'before' WHERE id = 1")
    source.do("ALTER TABLE people ADD COLUMN phone text")
    source.do("INSERT INTO people VALUES (4, '丁', NULL, '12345')")
    batch = house.read()
    assert batch.extra == ("phone",)
    columns = (*house.request().columns, Column("phone", required=False))
    house.read(columns=columns)
    assert [(row["id"], row["phone"]) for row in house.read_rows] == [("1", None), ("4", "12345")]


def test_a_column_dropped_is_an_error_that_moves_nothing(source, house):
    house.load()
    source.do("ALTER TABLE people DROP COLUMN note")
    source.do("INSERT INTO people VALUES (4, '丁')")
    fails(house, SourceShapeError, "columns_missing")
    assert source.health().lag_bytes > 0


def test_a_renamed_column_is_found_under_its_old_name_and_its_new(source, house):
    house.load()
    source.do("UPDATE people SET note = 'old' WHERE id = 1")
    source.do("ALTER TABLE people RENAME COLUMN note TO remark")
    source.do("UPDATE people SET remark = 'new' WHERE id = 2")
    columns = (Column("id"), Column("name"), Column("note", aliases=("remark",)), Column("op"), Column("seq"))
    batch = house.read(columns=columns)
    assert [row["note"] for row in house.read_rows] == ["old", "new"]
    assert batch.renamed == (("note", "remark"),)


def test_deletes_that_do_not_tell_the_key_are_refused(source, house):
    house.load()
    source.do("ALTER TABLE people ALTER COLUMN name SET NOT NULL")
    source.do("CREATE UNIQUE INDEX by_name ON people (name)")
    source.do("ALTER TABLE people REPLICA IDENTITY USING INDEX by_name")
    source.do("DELETE FROM people WHERE id = 1")
    error = fails(house, SourceShapeError, "cdc_key")
    assert (error.params["identity"], error.params["key"]) == ("name", "id")


def test_a_view_cannot_be_followed(source, house):
    source.do("CREATE VIEW seen AS SELECT * FROM people")
    with pytest.raises(SourceShapeError) as caught:
        house.read(object="seen")
    assert caught.value.problem == "cdc_table"


def test_a_partitioned_table_is_one_table(source, into):
    source.do("DROP TABLE people")
    source.do("CREATE TABLE people (id int PRIMARY KEY, name text, note text) PARTITION BY RANGE (id)")
    source.do("CREATE TABLE low PARTITION OF people FOR VALUES FROM (0) TO (10)")
    source.do("CREATE TABLE high PARTITION OF people FOR VALUES FROM (10) TO (20)")
    source.do("INSERT INTO people VALUES (1, 'a', NULL), (11, 'b', NULL)")
    house = House(source.connector(), into)
    assert len(house.load()) == 2
    source.do("UPDATE people SET name = 'c'")
    source.do("DELETE FROM low")
    house.load()
    assert house.rows == source.rows() == {"11": ("c", None)}


def test_half_a_publication_is_refused(source, house):
    for number, what in enumerate(
        ("FOR TABLE people WITH (publish = 'insert')", "FOR TABLE people WHERE (id > 1)", ""), 1
    ):
        source.do(f"CREATE PUBLICATION p{number} {what}")
        house.options["publication"] = f"p{number}"
        fails(house, SourceShapeError, "not_published")


@pytest.mark.parametrize(
    "change",
    [
        {"order_column": "id"},
        {"operation_column": "seq"},
        {"operation_column": "other"},
        {"create": "perhaps"},
        {"recover": "all"},
        {"max_changes": "0"},
    ],
)
def test_options_that_cannot_be_meant(source, house, change):
    house.options |= change
    with pytest.raises(ConnectorSettingsError):
        house.read()


def test_it_needs_the_cursor_field_and_knows_no_window(source, house):
    for more in ({"cursor_column": ""}, {"window": ("a", "b")}):
        with pytest.raises(ConnectorSettingsError):
            house.read(**more)


# --- slots -----------------------------------------------------------------------------------------------------------


def test_nothing_is_made_at_the_source_unless_allowed(source, house):
    house.options["create"] = "no"
    fails(house, SourceObjectMissingError, "no_publication")
    source.do(f"CREATE PUBLICATION {source.slot()} FOR TABLE people")
    fails(house, SourceObjectMissingError, "no_slot")
    assert not source.health().exists


def test_a_user_without_the_right_is_denied(source, house):
    source.do("CREATE ROLE reader LOGIN")
    source.do("GRANT SELECT ON people TO reader")
    try:
        source.do(f"CREATE PUBLICATION {source.slot()} FOR TABLE people")
        house.connector = source.connector(user="reader")
        fails(house, SourceDeniedError, "replication_denied")
    finally:
        source.do("DROP OWNED BY reader")
        source.do("DROP ROLE reader")


def test_a_slot_is_watched(source, house):
    assert not house.connector.watch("people", {}).exists
    house.load()
    before = house.connector.watch("people", {})
    assert (before.exists, before.lost, before.active, before.wal_status) == (True, False, False, "reserved")
    source.do("INSERT INTO people SELECT n, repeat('x', 100) FROM generate_series(10, 5000) n")
    assert house.connector.watch("people", {}).lag_bytes > before.lag_bytes + 400_000


def test_a_slot_of_someone_elses_is_left_alone(source, house):
    source.do(f"SELECT pg_create_logical_replication_slot('{source.slot()}', 'test_decoding')")
    fails(house, SourceShapeError, "slot_foreign")
    assert source.health().plugin == "test_decoding"


def drop_slot(source):
    source.do("SELECT pg_drop_replication_slot(%s)", source.slot())


def lose_slot(source):
    """Have the server give up the slot's log: it is held to a megabyte, and a few segments go by."""
    source.do("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    source.do("SELECT pg_reload_conf()")
    for _ in range(30):
        source.do("SELECT pg_logical_emit_message(false, 'noise', repeat('x', 100))")
        source.do("SELECT pg_switch_wal()")
        source.do("CHECKPOINT")
        if source.health().wal_status == "lost":
            break
    source.do("ALTER SYSTEM RESET max_slot_wal_keep_size")
    source.do("SELECT pg_reload_conf()")
    assert source.health().lost


LAPSES = [(drop_slot, "slot_gone"), (lose_slot, "slot_lost")]


@pytest.mark.parametrize(("lapse", "problem"), LAPSES)
def test_a_lapse_is_told_and_nothing_read(source, house, lapse, problem):
    house.load()
    source.do("DELETE FROM people WHERE id = 1")
    lapse(source)
    error = fails(house, SourceLapsedError, problem)
    assert isinstance(error, SourceShapeError)
    assert not error.retryable
    with pytest.raises(SourceLapsedError):
        house.connector.acknowledge("people", house.options, house.cursor)
    # The full reload that is due.
    house.cursor, house.rows = None, {}
    house.load()
    assert house.rows == source.rows()


@pytest.mark.parametrize(("lapse", "problem"), LAPSES)
def test_a_lapse_is_recovered_without_reading_what_did_not_change(source, house, lapse, problem):
    source.do("INSERT INTO people SELECT n, 'n' || n, NULL FROM generate_series(10, 2000) n")
    house.options["recover"] = "keys"
    house.load()
    source.do("UPDATE people SET note = 'seen' WHERE id = 1")
    house.load()
    source.do("DELETE FROM people WHERE id IN (2, 11)")
    with source.connection.transaction():
        source.do("UPDATE people SET note = 'missed' WHERE id = 12")
        with source.connection.transaction():
            source.do("INSERT INTO people VALUES (3000, 'in a subtransaction', NULL)")
    source.do("UPDATE people SET id = 3001 WHERE id = 13")
    lapse(source)
    source.do("DELETE FROM people WHERE id = 14")
    source.do("UPDATE people SET note = 'after the lapse' WHERE id = 15")
    assert sorted(house.load()) == [("R", "12"), ("R", "15"), ("R", "3000"), ("R", "3001")]
    assert house.rows == source.rows()
    source.do("DELETE FROM people WHERE id = 16")
    assert house.load() == [("D", "16")]
    assert not keys_file(house.into).exists()
    assert house.rows == source.rows()


def test_a_transaction_open_across_the_lapse_is_recovered_too(source, house):
    house.options["recover"] = "keys"
    other = psycopg.connect(host=str(source.server.folder), user=service.USER, dbname=source.name)
    house.load()
    other.execute("INSERT INTO people VALUES (7, 'slow', NULL)")
    # Its id is older than that of everything the cursor has passed.
    source.do("UPDATE people SET note = 'quick' WHERE id = 1")
    house.load()
    other.commit()
    other.close()
    drop_slot(source)
    assert house.load()
    assert house.rows == source.rows()


def test_rows_frozen_since_are_recovered_too(source, house):
    house.options["recover"] = "keys"
    house.load()
    source.do("UPDATE people SET note = 'frozen' WHERE id = 1")
    source.do("VACUUM (FREEZE) people")
    drop_slot(source)
    assert ("R", "1") in house.load()
    assert house.rows == source.rows()


def test_a_truncate_needs_a_reload_or_is_recovered(source, house):
    house.load()
    source.do("INSERT INTO people VALUES (4, 'x', NULL)")
    source.do("TRUNCATE people")
    source.do("INSERT INTO people VALUES (5, 'y', NULL)")
    fails(house, SourceLapsedError, "table_truncated")
    house.options["recover"] = "keys"
    assert house.load() == [("R", "5")]
    assert house.rows == source.rows()
    source.do("DELETE FROM people")
    assert house.load() == [("D", "5")]


def test_a_slot_that_someone_else_read_from_is_a_lapse(source, house):
    house.load()
    source.do("DELETE FROM people WHERE id = 1")
    other = "pg_logical_slot_get_binary_changes(%s, NULL, NULL, 'proto_version', '1', 'publication_names', %s)"
    source.do(f"SELECT count(*) FROM {other}", source.slot(), source.slot())
    fails(house, SourceLapsedError, "slot_elsewhere")


@pytest.mark.parametrize(
    "change",
    [
        {"server": "12345"},
        {"timeline": "00000009"},
        {"lsn": 2**62},
    ],
)
def test_another_server_is_never_recovered_from(source, house, change):
    house.options["recover"] = "keys"
    house.load()
    house.cursor = replace(Position.parse(house.cursor, "x"), **change).text()
    fails(house, SourceLapsedError, "server_other")
    with pytest.raises(SourceLapsedError):
        house.connector.acknowledge(
            "people", house.options, replace(Position.parse(house.cursor, "x"), server="1").text()
        )


def test_a_horizon_that_is_not_known_recovers_nothing(source, house):
    house.options["recover"] = "keys"
    house.load()
    house.cursor = replace(Position.parse(house.cursor, "x"), xid=0).text()
    drop_slot(source)
    fails(house, SourceLapsedError, "slot_gone")


def test_a_cursor_of_another_kind_is_told_as_such(source, house):
    house.cursor = "2024-01-01"
    fails(house, SourceLapsedError, "position_unfit")


def test_positions_order_as_texts(source):
    lsns = [0, 1, 15, 16, 2**32 - 1, 2**32, 2**40, 2**63]
    texts = [Position(lsn, 7, "00000001", "99").text() for lsn in lsns]
    assert texts == sorted(texts)
    assert [Position.parse(text, "x").lsn for text in texts] == lsns
    assert lsn_text(lsn_of("A/1B2C3D")) == "0000000A/001B2C3D"


@pytest.mark.parametrize("table", ["人口", "人户", "a" * 80, "Mixed.Case", "plain"])
def test_slot_names_are_legal_and_each_tables_own(table):
    name = default_name("库", table)
    assert len(name) <= 63
    assert name == name.lower()
    assert name.replace("_", "").isascii()
    assert name != default_name("库", table + "x")


def test_the_registry_knows_it(source):
    connector = connect("postgresql-cdc", source.settings(hours="00:00-24:00"), str)
    assert isinstance(connector, Acknowledges)
    assert connector.probe("people", {}) == ("id", "name", "note")
    assert not connector.watch("people", {}).exists
    assert isinstance(connect("postgresql-cdc", source.settings(), str), Acknowledges)
