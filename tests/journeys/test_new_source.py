"""A stranger's way: a resource from a new database, by the list and the file of systems alone."""

import itertools
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from hub.control import Control
from hub.loads import newest_of
from hub.settings import Settings
from tests.services import mariadb as my
from tests.services.mariadb import mariadb, mariadb_url  # noqa: F401 - fixtures
from tests.services.postgres import postgres, postgres_url  # noqa: F401 - fixtures

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-c", "import sys; from hub.cli import main; sys.exit(main())")
DEMO = (REPOSITORY / "demo" / "responsibilities.yaml").read_text(encoding="utf-8")
CODE, SYSTEM = "3100010003", "ly-felling"
EDITOR, REVIEWER = ("--by", "SZJ:list-editor"), ("--by", "SZJ:list-reviewer")
CHINESE = re.compile("[\u4e00-\u9fff]")

RESOURCE = """
  - code: "3100010003"
    name: 林木采伐许可信息
    name_en: Felling permits
    provider: LYJ
    abstract: 林木采伐许可证的核发信息，取自林业局采伐管理系统。
    format: "3"
    share_type: "2"
    share_condition: 须说明办理事项，凭授权按需调用
    share_method: "3"
    cadence: "2"
    open: false
    published_on: 2026-03-02
    disposition: merge
    error_budget: 0.2
    source: {system: ly-felling, object: permit, cursor_field: updated_at}
    quality:
      - {kind: consistency, field: valid_until, threshold: 1, target: "valid_from <= valid_until"}
    fields:
      - {name: permit_no, title: 许可证编号, type: "string(20)", key: true, nullable: false, lookup: true}
      - {name: holder_name, title: 采伐人, type: "string(50)", nullable: false}
      - {name: kind, title: 采伐类型, type: "string(1)", nullable: false, codes: ["1", "2"]}
      - {name: volume, title: 采伐蓄积（立方米）, type: "decimal(8,3)", nullable: false, aliases: [cubic_metres]}
      - {name: valid_from, title: 有效期始, type: date, nullable: false}
      - {name: valid_until, title: 有效期止, type: date, nullable: false}
      - {name: updated_at, title: 更新时间, type: datetime, nullable: false}
"""
LINE = f"""
  - resource: "3100010003"
    provider: LYJ
    consumers: [SZJ]
    purposes: ["341200-SZJ-0001"]
    ground: 《中华人民共和国森林法》第五十六条
    method: "3"
    cadence: "2"
    deadline: {datetime.now(UTC).year + 1}-06-30
    domain: 政务
"""
COLUMNS = (
    "permit_no VARCHAR(20) PRIMARY KEY, holder_name VARCHAR(50), kind CHAR(1), cubic_metres DECIMAL(8,3), "
    "valid_from DATE, valid_until DATE, updated_at TIMESTAMP NOT NULL"
)
ROWS = 20
# A code that the list does not know yet, and a permit that ends before it begins.
UNKNOWN, BACKWARDS = "LC0007", "LC0009"
FILL = (
    f"CREATE TABLE permit ({COLUMNS})",
    *(
        f"INSERT INTO permit VALUES ('LC{n:04d}', '林场{n}', '{1 + n % 2}', {n}.125, '2026-01-01', '2026-12-31', "
        f"'2026-03-{1 + n // 10:02d} 08:{n:02d}:00')"
        for n in range(ROWS)
    ),
    f"UPDATE permit SET kind = '3', updated_at = '2026-03-01 08:07:00' WHERE permit_no = '{UNKNOWN}'",
    f"UPDATE permit SET valid_until = '2020-01-01', updated_at = '2026-03-01 08:09:00' WHERE permit_no = '{BACKWARDS}'",
)


def written(resource=RESOURCE):
    """The demonstration's list with one resource and one line more."""
    text = DEMO.replace("\nresponsibilities:\n", f"{resource}\nresponsibilities:\n")
    return text.replace("\nmatters:\n", f"{LINE}\nmatters:\n")


class Stranger:
    """Somebody with the command line, a list and a file of systems."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "var"
        self.home.mkdir()
        self.secrets = {}

    def types(self, *arguments, lang="zh", code=0):
        env = {**os.environ, "ZHENGTONG_HOME": str(self.home), "LC_ALL": "", **self.secrets}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        told = subprocess.run(
            [*PROGRAM, "--lang", lang, *arguments],
            env=env,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert told.returncode == code, (arguments, told.stdout[-2000:], told.stderr[-2000:])
        assert "Traceback" not in told.stderr
        return told

    def reads(self, *arguments, code=0):
        return json.loads(self.types(*arguments, "--json", code=code).stdout)

    def describes(self, kind, **settings):
        plain = {"systems": {SYSTEM: {"kind": kind, "settings": settings}}}
        (self.home / "systems.yaml").write_text(yaml.safe_dump(plain), encoding="utf-8")

    def publishes(self, text, *, at_once=False):
        path = self.folder / "list.yaml"
        path.write_text(text, encoding="utf-8")
        if at_once:
            self.types("list", "publish", str(path), *EDITOR, "--approved-by", REVIEWER[1])
            return
        self.types("list", "check", str(path))
        draft = self.reads("list", "submit", str(path), *EDITOR, code=8)["case"]
        self.types("list", "approve", draft, *REVIEWER)
        self.types("list", "publish", draft, *REVIEWER)

    def loads(self, *arguments):
        """What one load did: rows read, new, changed, gone, rejected."""
        (report,) = self.reads("ingest", *arguments)
        return tuple(report[name] for name in ("read", "inserted", "updated", "deleted", "rejected"))


@pytest.fixture
def stranger(tmp_path):
    stranger = Stranger(tmp_path)
    demo = str(REPOSITORY / "demo" / "responsibilities.yaml")
    stranger.types("list", "publish", demo, *EDITOR, "--approved-by", REVIEWER[1])
    return stranger


@pytest.fixture
def forestry(mariadb, stranger):  # noqa: F811 - a fixture
    """The forestry bureau's database, and the systems file that says where it is."""
    name = mariadb.create()
    mariadb.do(*FILL, name=name)
    stranger.secrets["LY_PASSWORD"] = my.PASSWORD
    settings = {
        "host": "127.0.0.1",
        "port": mariadb.port,
        "database": name,
        "user": my.USER,
        "password": "env:LY_PASSWORD",
    }
    stranger.describes("mysql", **settings)

    def does(*statements):
        return mariadb.do(*statements, name=name)

    yield does, settings
    mariadb.drop(name)


def cursor(stranger):
    return stranger.reads("ingest", "plan", CODE)[0]["cursor"]


def test_a_resource_from_mariadb(stranger, forestry):
    does, _ = forestry
    stranger.publishes(written())
    (plan,) = stranger.reads("ingest", "plan", CODE)
    assert (plan["kind"], plan["object"], plan["cursor"], plan["light"]) == ("mysql", "permit", None, "never")
    assert plan["trouble"] == {}

    # A trial commits nothing; the load takes what is right and says what is not, never the values.
    assert stranger.loads("run", CODE, "--dry-run") == (ROWS, 0, 0, 0, 2)
    assert stranger.loads("run", CODE) == (ROWS, ROWS - 2, 0, 0, 2)
    (status,) = stranger.reads("ingest", "status", CODE)
    assert (status["outcome"], status["accepted"]) == ("loaded", ROWS - 2)
    assert status["reasons"] == {"bad_code:kind": 1, "cross_field:valid_until": 1}
    rejected = stranger.reads("ingest", "rejects", CODE)
    assert sorted(reason for row in rejected for reason in row["reasons"]) == [
        "bad_code:kind",
        "cross_field:valid_until",
    ]
    told = stranger.types("ingest", "rejects", CODE).stdout
    assert "采伐类型" in told
    assert UNKNOWN not in told

    # The list learns the code, and what waited for it comes in; the other stays out until the bureau has mended it.
    stranger.publishes(written(RESOURCE.replace('codes: ["1", "2"]', 'codes: ["1", "2", "3"]')))
    assert stranger.loads("replay", CODE) == (2, 1, 0, 0, 1)
    assert [row["reasons"] for row in stranger.reads("ingest", "rejects", CODE)] == [["cross_field:valid_until"]]

    # A day later: one record more, one changed, and one put in belatedly below the cursor, which a backfill brings.
    does(
        "INSERT INTO permit VALUES ('LC0100', '新林场', '1', 1, '2026-03-01', '2026-12-31', '2026-03-05 08:00:00')",
        "UPDATE permit SET holder_name = '老林场', updated_at = '2026-03-05 09:00:00' WHERE permit_no = 'LC0001'",
        "INSERT INTO permit VALUES ('LC0101', '迟林场', '2', 2, '2026-03-01', '2026-12-31', '2026-03-02 08:15:30')",
    )
    assert stranger.loads("run", CODE)[1:] == (1, 1, 0, 0)
    before = cursor(stranger)
    assert before.startswith("2026-03-05")
    assert stranger.loads("backfill", CODE, "--from", "2026-03-02", "--to", "2026-03-02")[1:4] == (1, 0, 0)
    assert cursor(stranger) == before

    # The table is what its source is, until somebody writes past the program; a full load mends it.
    same = stranger.reads("ingest", "reconcile", CODE)
    assert (same["source_rows"], same["rejected"], same["table_rows"]) == (ROWS + 2, 1, ROWS + 1)
    does(
        # MariaDB would put the time of such a change into the first TIMESTAMP column by itself.
        "UPDATE permit SET holder_name = '某', updated_at = updated_at WHERE permit_no = 'LC0003'",
        "DELETE FROM permit WHERE permit_no = 'LC0004'",
    )
    differs = stranger.reads("ingest", "reconcile", CODE, code=20)
    assert (differs["missing"], differs["extra"], differs["changed"]) == (0, 1, 1)
    assert stranger.loads("run", CODE)[1:4] == (0, 0, 0)
    assert stranger.loads("run", CODE, "--full")[1:4] == (0, 1, 1)
    stranger.types("ingest", "reconcile", CODE)

    # What is kept of all that.
    stranger.types("warehouse", "fsck", "--deep")
    changes = stranger.reads("warehouse", "changes", CODE)
    assert [change["sequence"] for change in changes] == list(range(1, 1 + len(changes)))
    assert sorted(change["kind"] for change in changes) == ["baseline", "delete", *["insert"] * 3, *["update"] * 2]
    snapshots = stranger.reads("warehouse", "snapshots", CODE)
    assert [one["total"] for one in snapshots] == [ROWS, ROWS + 1, ROWS, ROWS - 1, ROWS - 2]
    assert stranger.reads("warehouse", "count", CODE)["rows"] == ROWS


def test_a_resource_from_postgresql(stranger, postgres_url):  # noqa: F811 - a fixture
    import psycopg
    import sqlalchemy as sa

    url = sa.make_url(postgres_url)
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)

    def does(*statements):
        with psycopg.connect(dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    does(*FILL)
    stranger.describes("postgresql", host=str(url.query["host"]), database=url.database, user=url.username)
    # The whole each time, and what goes is kept and shown to nobody.
    whole = RESOURCE.replace("disposition: merge\n", "disposition: replace\n    deletion: soft\n")
    stranger.publishes(written(whole.replace(", cursor_field: updated_at", "")), at_once=True)
    assert stranger.loads("run", CODE) == (ROWS, ROWS - 2, 0, 0, 2)

    # The bureau mends one record and loses another; the list has no part in that.
    does(
        f"UPDATE permit SET valid_until = '2026-12-31' WHERE permit_no = '{BACKWARDS}'",
        "DELETE FROM permit WHERE permit_no = 'LC0001'",
        "ALTER TABLE permit ADD COLUMN remark TEXT",
    )
    assert stranger.loads("run", CODE) == (ROWS - 1, 1, 0, 1, 1)
    assert "remark" in stranger.types("ingest", "drift", CODE).stdout
    kinds = [change["kind"] for change in stranger.reads("warehouse", "changes", CODE, "--after", "1")]
    assert sorted(kinds) == ["delete", "insert"]
    assert stranger.reads("warehouse", "count", CODE)["rows"] == ROWS - 2
    assert stranger.reads("ingest", "reconcile", CODE)["changed"] == 0
    refused = stranger.types("ingest", "backfill", CODE, "--from", "2026-03-01", code=5, lang="en").stderr
    assert "no cursor field" in refused

    # Decimals come as they are, and a caller's look-up finds them.
    from warehouse.engine import Warehouse

    with Warehouse(stranger.home / "warehouse") as house:
        (row,) = house.scan(CODE, None, {"permit_no": "LC0003"}, ["volume", "valid_from"])
    assert row == {"volume": "3.125", "valid_from": "2026-01-01"}


def test_mistakes_are_told_in_words_that_help(stranger, forestry, tmp_path):
    does, settings = forestry
    stranger.publishes(written(), at_once=True)
    control = Control.open(Settings.at(stranger.home))
    languages = itertools.cycle(["zh", "en"])

    def mistake(*words):
        """The command line says it with *words*, the record does in both languages, and neither tells a secret."""
        lang = next(languages)
        told = stranger.types("ingest", "run", CODE, lang=lang, code=5)
        (report,) = newest_of(control, CODE, 1)
        said = {"zh": report.error("zh"), "en": report.error("en")}
        assert said[lang] in told.stderr
        for text in said.values():
            assert all(word in text for word in words), (words, text)
        assert (bool(CHINESE.search(said["zh"])), bool(CHINESE.search(said["en"]))) == (True, False)
        assert not [secret for secret in (my.PASSWORD, "hunter2") if secret in told.stdout + told.stderr + str(said)]

    def unknown(*arguments, code, words):
        told = stranger.types(*arguments, lang=next(languages), code=code)
        assert all(word in told.stdout + told.stderr for word in words), told.stdout + told.stderr

    def planned():
        return stranger.reads("ingest", "plan", CODE)[0]["trouble"]["en"]

    stranger.describes("mysql", **{**settings, "password": "hunter2"})
    mistake("`password`", "env:NAME")
    assert "env:NAME" in planned()
    stranger.describes("mysq", **settings)
    mistake("`mysq`", "mysql, ndjson")
    assert "mysql, ndjson" in planned()
    stranger.describes("mysql", **{**settings, "hours": "9-5"})
    mistake("`hours`", "22:00-06:00")
    stranger.describes("mysql", **{**settings, "database": "nowhere"})
    mistake("nowhere")
    stranger.describes("mysql", **{**settings, "port": my.free_port()})
    mistake("permit")
    path = stranger.home / "systems.yaml"
    path.write_text("systems:\n  another: {kind: mysql}\n", encoding="utf-8")
    mistake(f"`{SYSTEM}`", str(path))
    assert str(path) in planned()
    path.write_text(f"systems:\n  {SYSTEM}:\n    kind: mysql\n    host: hunter2\n", encoding="utf-8")
    mistake(f"`{SYSTEM}`", "`host`")
    path.write_text("systems:\n  a: [\n  b: hunter2 }\n", encoding="utf-8")
    mistake("line 3", "docs/ingestion.md")
    path.unlink()
    mistake(str(path))

    stranger.describes("mysql", **settings)
    del stranger.secrets["LY_PASSWORD"]
    mistake("`env:LY_PASSWORD`")
    stranger.secrets["LY_PASSWORD"] = "hunter2"
    mistake("permit")
    assert stranger.reads("ingest", "status", CODE)[0]["error_code"] == "SourceDeniedError"
    stranger.secrets["LY_PASSWORD"] = my.PASSWORD

    does("ALTER TABLE permit CHANGE kind sort CHAR(1)")
    mistake("`kind`", "`sort`")
    does("RENAME TABLE permit TO permits")
    mistake("`permit`")
    unknown("ingest", "run", "3100010009", code=3, words=["`3100010009`"])
    unknown("ingest", "plan", "3100010009", code=3, words=["`3100010009`"])

    # The list is told of at once, with its place.
    bad = tmp_path / "bad.yaml"
    bad.write_text(written(RESOURCE.replace("valid_from <= valid_until", "valid_from <= ended")), encoding="utf-8")
    unknown("list", "check", str(bad), code=5, words=["bad.yaml:", "`ended`"])
    bad.write_text(written(RESOURCE.replace("cursor_field: updated_at", "cursor_field: changed_at")), encoding="utf-8")
    unknown("list", "check", str(bad), code=5, words=["bad.yaml:", "`changed_at`"])

    # Nothing of all this came in, and once all is mended the load goes through.
    does("RENAME TABLE permits TO permit", "ALTER TABLE permit CHANGE sort kind CHAR(1)")
    assert stranger.loads("run", CODE) == (ROWS, ROWS - 2, 0, 0, 2)
    assert [load["resource"] for load in stranger.reads("ingest", "status")] == [CODE]
    control.close()
