import json
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from openlineage.client import facet_v2
from openlineage.client.serde import Serde

from catalog.model import Mask
from hub import lineage
from hub.settings import Settings
from hub.systems import SourceSystem
from tests.hub import world as worlds

AT = datetime(2026, 3, 1, tzinfo=UTC)


def event(kind="COMPLETE", **more):
    resource = worlds.resource()
    system = SourceSystem("base", "postgresql", {"host": "db.example", "database": "ga", "password": "env:GA"})
    return resource, lineage.event(
        kind, resource=resource, system=system, run="r1", at=AT, table=("file", "/w/R1"), counts={"accepted": 7}, **more
    )


def test_every_field_of_the_table_names_the_field_it_comes_from():
    resource, plain = event()
    (output,) = plain["outputs"]
    lines = output["facets"]["columnLineage"]["fields"]
    assert list(lines) == [f.name for f in resource.fields]
    (first,) = lines[resource.fields[0].name]["inputFields"]
    assert (first["namespace"], first["name"]) == ("postgres://db.example:5432", f"ga.{resource.source.object}")
    assert [f["name"] for f in output["facets"]["schema"]["fields"]] == list(lines)
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 7


def test_a_field_that_is_masked_as_it_lands_says_so():
    resource = worlds.resource()
    fields = (replace(resource.fields[0], landing=Mask.HASH), *resource.fields[1:])
    plain = lineage.event(
        "START",
        resource=replace(resource, fields=fields),
        system=SourceSystem("s", "csv", {"folder": "/drop"}),
        run="r",
        at=AT,
        table=("file", "/w"),
    )
    lines = plain["outputs"][0]["facets"]["columnLineage"]["fields"]
    masked = [name for name, line in lines.items() if line["inputFields"][0]["transformations"][0]["masking"]]
    assert masked == [fields[0].name]


def test_all_events_of_one_run_belong_together():
    assert event("START")[1]["run"]["runId"] == event("COMPLETE")[1]["run"]["runId"]


def test_events_are_those_of_the_official_client():
    """The members of our facets are those that its classes write, underscored ones included."""
    _, plain = event("FAIL", error="it broke")
    facets = {
        "schema": facet_v2.schema_dataset.SchemaDatasetFacet,
        "columnLineage": facet_v2.column_lineage_dataset.ColumnLineageDatasetFacet,
    }
    for name, kind in facets.items():
        ours = plain["outputs"][0]["facets"][name]
        theirs = json.loads(Serde.to_json(kind(fields=[] if name == "schema" else {})))
        assert set(theirs) - {"dataset"} <= set(ours), name
        assert ours["_schemaURL"].rpartition("/")[2] == theirs["_schemaURL"].rpartition("/")[2]
    assert plain["run"]["facets"]["errorMessage"]["message"] == "it broke"


@pytest.mark.parametrize(
    ("system", "namespace"),
    [
        (SourceSystem("a", "mysql", {"host": "h", "port": "3307", "database": "d"}), "mysql://h:3307"),
        (SourceSystem("a", "csv", {"place": "s3", "bucket": "b", "prefix": "/p/"}), "s3://b"),
        (SourceSystem("a", "csv", {"place": "sftp", "host": "h", "folder": "/in"}), "sftp://h:22"),
        (SourceSystem("a", "http-json", {"base_url": "https://u:p@api.example/v1"}), "https://api.example:443"),
        (SourceSystem("a", "sqlalchemy", {"url": "oracle+oracledb://u:p@db:1521/x"}), "oracle+oracledb://db:1521"),
        (SourceSystem("a", "sqlite", {"path": "/a/b.sqlite"}), "file"),
    ],
)
def test_sources_are_named_by_the_rules_of_the_standard_and_hold_no_secret(system, namespace):
    found = lineage.source_of(system, "people")
    assert found[0] == namespace
    assert "people" in found[1]
    assert "u:p" not in lineage.uri_of(system, "people")


def test_a_server_that_is_down_fails_nothing(tmp_path):
    settings = replace(Settings.at(tmp_path), openlineage="http://lineage.example/api/v1/lineage")
    down = httpx.MockTransport(lambda _: httpx.Response(500))
    assert lineage.emit(settings, {"a": 1}, transport=down) is False
    assert lineage.emit(Settings.at(tmp_path), {"a": 1}) is False


def test_events_may_go_into_a_file(tmp_path):
    settings = replace(Settings.at(tmp_path), openlineage=f"file://{tmp_path}/events.ndjson")
    for number in range(3):
        assert lineage.emit(settings, {"number": number})
    lines = (tmp_path / "events.ndjson").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["number"] for line in lines] == [0, 1, 2]
