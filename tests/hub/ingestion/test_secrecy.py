"""What must be written nowhere: values that are masked as they land, and the secrets of systems."""

import io
import logging
import sqlite3
import traceback
from contextlib import redirect_stderr, redirect_stdout

import pytest

from catalog.model import Disposition, FieldKind, Mask
from connectors.errors import ConnectorError
from hub.ingestion import MEASURES
from tests.hub.ingestion.city import FULL, City, counts, field, holding, postgres_settings, resource

RAW = ("110105199001011234", "13800001111", "1990-07-09", "13800002222")
FIELDS = (
    field("no", length=64, key=True, nullable=False, lookup=True, landing=Mask.HASH),
    field("phone", length=11, landing=Mask.KEEP_LAST_4),
    field("born", length=10, landing=Mask.YEAR),
    field("pay", FieldKind.INTEGER),
)
HEADINGS = "no, phone, born, pay"
ROWS = [(RAW[0], RAW[1], RAW[2], "100"), ("110105199001015678", RAW[3], "1991-01-01", "no number")]


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("CITY_LANDING_KEY", "a key of sixteen bytes or more")


def csv(tmp_path, _request):
    (tmp_path / "drop").mkdir()
    lines = [HEADINGS.replace(" ", ""), *(",".join(row) for row in ROWS)]
    (tmp_path / "drop" / "people.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"kind": "csv", "settings": {"folder": str(tmp_path / "drop")}}, "people.csv", {}


def sqlite(tmp_path, _request):
    with sqlite3.connect(tmp_path / "base.sqlite") as base:
        base.execute(f"CREATE TABLE people ({HEADINGS})")
        base.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", ROWS)
    return {"kind": "sqlite", "settings": {"path": str(tmp_path / "base.sqlite")}}, "people", {"measure": "columns"}


def postgresql(_tmp_path, request):
    department = request.getfixturevalue("department")
    department.do("CREATE TABLE masked (no text PRIMARY KEY, phone text, born date, pay text)")
    for row in ROWS:
        department.do(f"INSERT INTO masked VALUES {row}")
    return {"kind": "postgresql", "settings": postgres_settings(department.url)}, "masked", {"measure": "columns"}


@pytest.mark.parametrize(
    "source", [csv, sqlite, pytest.param(postgresql, marks=pytest.mark.service("postgresql"))], ids=lambda f: f.__name__
)
def test_a_value_that_is_masked_as_it_lands_is_in_no_file_of_ours(tmp_path, request, source):
    system, object_, options = source(tmp_path, request)
    system["settings"]["landing_key"] = "env:CITY_LANDING_KEY"
    of = resource("R-M", system="base", object_=object_, fields=FIELDS, options=tuple(options.items()))
    with City(tmp_path / "var", {"base": system}, of) as city:
        ingestion = city.begin()
        handed = ingestion.extract()
        assert holding(city.settings.home, *RAW) == []
        assert not [value for value in RAW if value in repr(handed)]
        if options:
            assert (ingestion.folder / MEASURES).exists()
        ingestion.index(ingestion.commit(ingestion.check(handed)))
        assert counts(city.report("run"))[0::3] == (1, 1)
        assert holding(city.settings.home, *RAW) == []
        with city.house() as house:
            (row,) = house.scan("R-M")
            assert (row["phone"][-4:], row["born"][:4]) == ("1111", "1990")
            (rejected,) = house.rejected(of)
            assert not [value for value in RAW if value in repr(rejected)]
        # The test itself can tell: a value that is not masked is found.
        assert holding(city.settings.home, "no number")


SECRET = "wo0rd-of-the-department"


def everything(error):
    """All that hangs on an error, as whoever prints it would see."""
    seen, told = set(), []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        told += [repr(one), str(one), repr(one.__dict__), "".join(traceback.format_exception(one))]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(told)


@pytest.mark.service("postgresql")
class TestSecrets:
    @pytest.fixture
    def city(self, tmp_path, department, monkeypatch):
        department.people(("N1", "甲", 1, 1))
        monkeypatch.setenv("CITY_PASSWORD", SECRET)
        settings = postgres_settings(department.url, password="env:CITY_PASSWORD")
        of = resource("R-S", Disposition.MERGE, cursor_field="updated_at", error_budget=0.0)
        with City(tmp_path / "var", {"base": {"kind": "postgresql", "settings": settings}}, of) as city:
            yield city

    def clean(self, city, caplog, *texts):
        assert not [text for text in (caplog.text, *texts) if SECRET in text]
        assert holding(city.settings.home, SECRET) == []

    def test_a_good_load_tells_it_to_nobody(self, city, caplog):
        caplog.set_level(logging.DEBUG)
        out = io.StringIO()
        with redirect_stderr(out), redirect_stdout(out):
            ingestion = city.begin()
            handed = ingestion.check(ingestion.extract())
            ingestion.index(ingestion.commit(handed))
        self.clean(city, caplog, out.getvalue(), repr(handed), repr(ingestion), repr(city.report("run")))

    @pytest.mark.parametrize("wrong", [{"host": "/nowhere"}, {"database": "no_such"}, {"user": "nobody-here"}])
    def test_a_source_that_refuses_us_is_told_without_it(self, city, caplog, wrong):
        caplog.set_level(logging.DEBUG)
        text = city.settings.systems_file.read_text(encoding="utf-8")
        ((name, value),) = wrong.items()
        lines = [
            f"      {name}: {value}" if line.strip().startswith(f"{name}:") else line for line in text.splitlines()
        ]
        city.settings.systems_file.write_text("\n".join(lines), encoding="utf-8")
        with pytest.raises(ConnectorError) as refused:
            city.load(run="refused")
        self.clean(city, caplog, everything(refused.value), repr(city.report("refused")))

    def test_a_table_that_is_gone_is_told_without_it(self, city, department, caplog):
        department.do("DROP TABLE people")
        with pytest.raises(ConnectorError) as refused:
            city.load(run="gone", order=FULL)
        self.clean(city, caplog, everything(refused.value), repr(city.report("gone")))
