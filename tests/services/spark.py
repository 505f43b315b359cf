"""A real Spark with Iceberg for tests, which reads the product's tables through the product's own catalogue.

Installing it is `tests/services/install`: a Python environment of its own, for Spark's dependencies are not ours.

Without it such tests are skipped, and say so; ``ZHENGTONG_REQUIRE_SERVICES=1`` makes that a failure.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

REQUIRED = "ZHENGTONG_REQUIRE_SERVICES"
CACHE = "ZHENGTONG_SERVICES"
ANSWER_S = 240
# One question after another, for starting takes most of the time. Answers are rows as JSON.
READER = """
import json, sys
from pathlib import Path
from pyspark.sql import SparkSession
asked = json.load(sys.stdin)
catalog = "spark.sql.catalog.zhengtong"
builder = (
    SparkSession.builder.master("local[1]")
    .config("spark.jars", ",".join(str(jar) for jar in Path(asked["jars"]).glob("*.jar")))
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.memory", "1g")
    .config("spark.local.dir", asked["scratch"])
    .config("spark.sql.warehouse.dir", asked["scratch"])
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config(catalog, "org.apache.iceberg.spark.SparkCatalog")
    .config(catalog + ".type", "jdbc")
    .config(catalog + ".jdbc.schema-version", "V1")
)
for name, value in asked["catalog"].items():
    builder = builder.config(f"{catalog}.{name}", value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")
answers = [[json.loads(row) for row in spark.sql(query).toJSON().collect()] for query in asked["queries"]]
spark.stop()
print("ANSWERS " + json.dumps(answers, ensure_ascii=False))
"""


def folder():
    """Where Spark is installed."""
    kept = Path(os.environ.get(CACHE) or Path.home() / ".cache" / "zhengtong" / "services")
    return kept / "spark"


def missing():
    """Why there can be no Spark here, or None."""
    if shutil.which("java") is None:
        return "Java is not installed; tests/services/install does it"
    ready = (folder() / "venv" / "bin" / "python").exists() and any(
        (folder() / "jars").glob("iceberg-spark-runtime-*.jar")
    )
    return None if ready else "Spark is not installed; tests/services/install does it"


def require():
    """End the test that asked for Spark where there can be none."""
    why = missing()
    if why is not None:
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(why)


class Spark:
    """Asks a Spark of its own for each list of questions."""

    def __init__(self, scratch):
        self.scratch = scratch

    def ask(self, catalog, *queries):
        """The rows that each query answers, as dicts (absent: NULL), over tables called ``zhengtong.city.…``.

        *catalog* are the properties of the catalogue: ``uri`` (JDBC), ``warehouse`` and, with a database that asks,
        ``jdbc.user``.
        """
        asked = {
            "jars": str(folder() / "jars"),
            "scratch": str(self.scratch),
            "catalog": catalog,
            "queries": queries,
        }
        done = subprocess.run(
            [folder() / "venv" / "bin" / "python", "-c", READER],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            cwd=self.scratch,
            timeout=ANSWER_S,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(self.scratch), "LANG": "C.UTF-8"},
        )
        told = [line for line in done.stdout.splitlines() if line.startswith("ANSWERS ")]
        if done.returncode or not told:
            # Without the lines of the stacks, of which there are hundreds.
            lines = [line for line in done.stderr.splitlines() if not line.startswith("\t") and "WARN" not in line]
            pytest.fail("Spark did not answer: " + "\n".join(lines)[-3000:])
        return json.loads(told[0].removeprefix("ANSWERS "))


@pytest.fixture
def spark(tmp_path):
    """A Spark that reads catalogues."""
    require()
    scratch = tmp_path / "spark"
    scratch.mkdir()
    return Spark(scratch)
