"""Lineage of loads as OpenLineage events: from which object of which system each field of a table comes.

Written by hand to the OpenLineage specification (2-0-2), for its events are small JSON objects; sending them is at most
a post or a line of a file. A lineage server that is down never fails a load.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import httpx

from catalog.model import Mask
from hub.registry import dag_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from catalog.model import InformationResource
    from hub.settings import Settings
    from hub.systems import SourceSystem

PRODUCER: Final = "https://github.com/zhengtong/zhengtong"
SPEC: Final = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS: Final = "https://openlineage.io/spec/facets"
NAMESPACE: Final = "zhengtong"
TIMEOUT_S: Final = 5.0
_PORTS: Final[Mapping[str, int]] = {"postgresql": 5432, "postgresql-cdc": 5432, "mysql": 3306}
_SCHEMES: Final[Mapping[str, str]] = {"postgresql": "postgres", "postgresql-cdc": "postgres", "mysql": "mysql"}
_logger = logging.getLogger(__name__)


def source_of(system: SourceSystem, object_: str) -> tuple[str, str]:
    """The dataset (namespace, name) of an object of *system*, by OpenLineage's naming rules; never a secret in it."""
    settings = system.settings
    scheme = _SCHEMES.get(system.kind)
    if scheme is not None:
        host = settings.get("host") or "localhost"
        port = settings.get("port") or str(_PORTS[system.kind])
        parts = [settings.get("database", ""), *([settings["schema"]] if settings.get("schema") else []), object_]
        return f"{scheme}://{host}:{port}", ".".join(part for part in parts if part)
    if settings.get("place") == "s3":
        return f"s3://{settings.get('bucket', '')}", "/".join(
            part for part in (settings.get("prefix", "").strip("/"), object_) if part
        )
    if settings.get("place") == "sftp":
        folder = settings.get("folder", "").strip("/")
        return f"sftp://{settings.get('host', '')}:{settings.get('port') or '22'}", f"{folder}/{object_}".strip("/")
    if settings.get("base_url"):
        address = urlsplit(settings["base_url"])
        return f"{address.scheme}://{address.hostname}:{address.port or 443}", f"{address.path.rstrip('/')}/{object_}"
    if settings.get("url"):
        address = urlsplit(settings["url"])
        port = f":{address.port}" if address.port else ""
        return f"{address.scheme}://{address.hostname or 'localhost'}{port}", f"{address.path.strip('/')}.{object_}"
    place = settings.get("folder") or settings.get("path") or settings.get("file") or system.name
    return "file", f"{place}#{object_}"


def uri_of(system: SourceSystem, object_: str) -> str:
    """The same dataset as one URI, for an asset of the scheduler."""
    namespace, name = source_of(system, object_)
    # Sheets, globs and Chinese names are no characters of a URI.
    quoted = quote(name, safe="/")
    return f"{namespace}://{quoted}" if namespace == "file" else f"{namespace}/{quoted}"


def event(
    kind: str,
    *,
    resource: InformationResource,
    system: SourceSystem,
    run: str,
    at: datetime,
    table: tuple[str, str],
    counts: Mapping[str, int] | None = None,
    error: str = "",
) -> dict[str, Any]:
    """One run event: *kind* is START, COMPLETE or FAIL. *table* is the output dataset, *error* our own sentence."""
    source = source_of(system, resource.source.object)
    fields = [{"name": f.name, "type": str(f.type), "description": f.title} for f in resource.fields]
    output: dict[str, Any] = {
        "namespace": table[0],
        "name": table[1],
        "facets": {
            "schema": _facet("1-1-1/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet", fields=fields),
            "columnLineage": _facet(
                "1-2-0/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet",
                fields={
                    f.name: {"inputFields": [_input(source, f.name, masked=f.landing is not Mask.NONE)]}
                    for f in resource.fields
                },
            ),
        },
    }
    if counts:
        output["outputFacets"] = {
            "outputStatistics": _facet(
                "1-0-2/OutputStatisticsOutputDatasetFacet.json#/$defs/OutputStatisticsOutputDatasetFacet",
                rowCount=counts.get("accepted", 0),
                size=counts.get("bytes", 0),
            )
        }
    facets: dict[str, Any] = {
        "processing_engine": _facet(
            "1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet", version="1", name="zhengtong"
        )
    }
    if error:
        facets["errorMessage"] = _facet(
            "1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet", message=error, programmingLanguage="PYTHON"
        )
    return {
        "eventType": kind,
        "eventTime": at.astimezone(UTC).isoformat(),
        "producer": PRODUCER,
        "schemaURL": SPEC,
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{resource.code}/{run}")), "facets": facets},
        "job": {"namespace": NAMESPACE, "name": dag_of(resource.code), "facets": {}},
        "inputs": [{"namespace": source[0], "name": source[1], "facets": {}}],
        "outputs": [output],
    }


def _facet(schema: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401 - a facet's own members
    return {"_producer": PRODUCER, "_schemaURL": f"{_FACETS}/{schema}", **values}


def _input(source: tuple[str, str], field: str, *, masked: bool) -> dict[str, Any]:
    # A field comes through as it is but for normalisation; one that is masked as it lands says so.
    how = {"type": "DIRECT", "subtype": "IDENTITY", "description": "", "masking": masked}
    return {"namespace": source[0], "name": source[1], "field": field, "transformations": [how]}


def emit(settings: Settings, plain: Mapping[str, Any], *, transport: httpx.BaseTransport | None = None) -> bool:
    """Send one event to where the deployment wants it; whether it was taken. Never raises for the other side's sake."""
    if not settings.openlineage:
        return False
    address = urlsplit(settings.openlineage)
    data = json.dumps(plain, ensure_ascii=False)
    try:
        if address.scheme == "file":
            _append(address.path, data)
        else:
            with httpx.Client(timeout=TIMEOUT_S, transport=transport) as client:
                headers = {"Content-Type": "application/json"}
                client.post(settings.openlineage, content=data.encode(), headers=headers).raise_for_status()
    except (httpx.HTTPError, OSError) as error:
        _logger.warning("a lineage event was not taken: %s", type(error).__name__)
        return False
    return True


def _append(path: str | Path, data: str) -> None:
    # One write of one line with O_APPEND: lines of several tasks never mix.
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, data.encode() + b"\n")
    finally:
        os.close(handle)
