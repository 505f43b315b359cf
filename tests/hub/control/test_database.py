from __future__ import annotations

import io
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hub.control import Base, Caller, Control, Generations, Load, MissedQuery, raise_generation
from hub.control.database import open_engine
from hub.control.models import UtcDateTime
from hub.errors import ControlShapeError, ControlUnavailableError
from hub.migrations import configuration, upgrade
from hub.settings import Settings


def test_the_migrations_make_exactly_the_tables_of_the_models(control):
    with control.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrading_again_changes_nothing(settings, control):
    before = control.generation()
    upgrade(control.engine)
    assert control.generation() == before == 1


def test_processes_may_upgrade_at_once(empty_url):
    program = (
        "import sys; from hub.control.database import open_engine; from hub.migrations import upgrade;"
        "upgrade(open_engine(sys.argv[1]))"
    )
    children = [subprocess.Popen([sys.executable, "-c", program, empty_url]) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    control = Control(open_engine(empty_url))
    assert control.generation() == 1
    control.close()


def test_many_may_open_a_new_file_at_once(tmp_path):
    def enter(url):
        control = Control(open_engine(url))
        together.wait(timeout=60)
        with control.reading():
            pass
        control.close()

    together = threading.Barrier(6)
    with ThreadPoolExecutor(6) as pool:
        for new in range(20):
            list(pool.map(enter, [f"sqlite:///{tmp_path / f'{new}.sqlite'}"] * 6))


def test_sqlite_is_in_wal_mode_with_full_sync(tmp_path):
    control = Control(open_engine(f"sqlite:///{tmp_path / 'control.sqlite'}"))
    with control.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    control.close()


def test_a_failed_write_leaves_nothing(control):
    def fail():
        with control.writing() as connection:
            raise_generation(connection)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert control.generation() == 1


def test_writers_queue_and_none_is_lost(control):
    def work():
        for _ in range(20):
            with control.writing() as connection:
                raise_generation(connection)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert control.generation() == 81


def test_instants_come_back_aware_and_in_utc(control):
    beijing = datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    with control.writing() as connection:
        connection.execute(
            sa.insert(Load).values(
                resource="r",
                batch_id="b",
                run="run-1",
                started=beijing,
                outcome="done",
                reasons={"bad_type": 2},
                seconds={},
                snapshot=9_223_372_036_854_775_807,
            )
        )
    with control.reading() as connection:
        row = connection.execute(sa.select(Load.started, Load.reasons, Load.snapshot, Load.accepted)).one()
    assert tuple(row) == (datetime(2026, 3, 1, 0, tzinfo=UTC), {"bad_type": 2}, 9_223_372_036_854_775_807, 0)


def test_a_naive_instant_is_refused():
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), sa.engine.default.DefaultDialect())  # noqa: DTZ001


def test_one_key_hash_belongs_to_one_caller(control):
    row = {
        "department": "d",
        "name": "n",
        "key_hash": "h",
        "key_prefix": "p",
        "created": datetime(2026, 1, 1, tzinfo=UTC),
        "log_index": 1,
    }
    with control.writing() as connection:
        connection.execute(sa.insert(Caller).values(id="a", **row))
    with pytest.raises(sa.exc.IntegrityError), control.writing() as connection:
        connection.execute(sa.insert(Caller).values(id="b", **row))


@pytest.mark.parametrize("unreachable", ["sqlite:///{}/file/x.sqlite", "postgresql+psycopg://u@/x?host={}/file"])
def test_an_unreachable_database_says_try_again(tmp_path, unreachable):
    (tmp_path / "file").write_text("")
    settings = Settings.from_environment(
        {"ZHENGTONG_HOME": str(tmp_path), "ZHENGTONG_CONTROL_URL": unreachable.format(tmp_path)}
    )
    with pytest.raises(ControlUnavailableError):
        Control.open(settings)


def test_the_same_revisions_render_for_postgresql(capsys):
    config = configuration()
    config.set_main_option("sqlalchemy.url", "postgresql://")
    config.output_buffer = buffer = io.StringIO()
    try:
        command.upgrade(config, "head", sql=True)
    except ModuleNotFoundError as missing:
        pytest.skip(f"needs a PostgreSQL driver to render: {missing.name}")
    text = buffer.getvalue()
    assert "CREATE TABLE grants" in text
    assert "TIMESTAMP WITH TIME ZONE" in text
    assert "BIGINT" in text
    assert "INSERT INTO control_state" in text


def test_tables_of_another_version_are_not_worth_waiting_for(control):
    with control.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE missed_queries RENAME COLUMN times TO often")
    with pytest.raises(ControlShapeError), control.reading() as connection:
        connection.execute(sa.select(MissedQuery.times))
    with control.writing() as connection:
        connection.exec_driver_sql("DROP TABLE missed_queries")
    with pytest.raises(ControlShapeError), control.reading() as connection:
        connection.execute(sa.select(MissedQuery.query))


def test_a_question_for_the_generation_after_closing_opens_nothing_that_nobody_closes(control):
    generations = Generations(control)
    with control.writing() as connection:
        raise_generation(connection)
    assert generations() == control.generation()
    generations.close()
    assert generations() == control.generation()
    assert generations._connection is None
