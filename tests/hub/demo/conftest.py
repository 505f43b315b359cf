"""One small city for the whole session: the national divisions are written once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from catalog.load import load
from hub.demo.city import build

DEMO = Path(__file__).parents[3] / "demo"
SEED = 20260302
SCALE = 0.02


@pytest.fixture(scope="session")
def demo_data():
    return DEMO


@pytest.fixture(scope="session")
def demo_list():
    return load(DEMO / "responsibilities.yaml")


@pytest.fixture(scope="session")
def city(tmp_path_factory):
    """A complete city that no test may change, and its manifest."""
    folder = tmp_path_factory.mktemp("demo") / "city"
    return folder, build(folder, seed=SEED, scale=SCALE, demo_data=DEMO)


@pytest.fixture
def own_city(city, tmp_path):
    """A copy of the city for one test to change, without the national divisions, which never change."""
    folder = tmp_path / "city"
    shutil.copytree(city[0], folder, ignore=shutil.ignore_patterns("tj"))
    return folder


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """Demo data whose list of villages is cut to the city: building from it takes no time."""
    divisions = tmp_path_factory.mktemp("small") / "divisions"
    shutil.copytree(DEMO / "divisions", divisions)
    villages = pq.read_table(divisions / "villages.parquet")
    pq.write_table(villages.filter(pc.equal(villages["cityCode"], "3412")), divisions / "villages.parquet")
    return divisions.parent
