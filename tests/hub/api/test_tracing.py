"""Spans of requests, as OpenTelemetry's own SDK takes them."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace

import httpx
import pytest

from hub.api import create_app
from hub.api.metrics import STAGES
from hub.api.tracing import Tracing, TracingMissingError
from hub.service import Service
from tests.hub import world as worlds
from tests.hub.api.conftest import serving
from tests.hub.world import CODE, IDS, body

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk is not installed")

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def exported():
    """What the process's provider has exported; there can be one provider a process."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = trace._TRACER_PROVIDER
    trace._TRACER_PROVIDER = provider
    yield exporter
    trace._TRACER_PROVIDER = before
    provider.shutdown()


@pytest.fixture(scope="module")
def traced(world, exported, tmp_path_factory):
    copied = worlds.copy(world, tmp_path_factory.mktemp("traced") / "own")
    chosen = replace(copied.settings, tracing=True)
    app = create_app(chosen, open_service=lambda given: Service.open(given, clock=copied.clock))
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        client.key = copied.key
        yield client


def spans(exported, count):
    until = time.monotonic() + 10
    while len(found := exported.get_finished_spans()) < count:
        assert time.monotonic() < until
        time.sleep(0.02)
    exported.clear()
    return found


def call(http, plain=None, **fields):
    fields = {"authorization": f"Bearer {http.key}", "content-type": "application/json"} | fields
    return http.post(f"/v1/resources/{CODE}:query", content=json.dumps(plain or body()).encode(), headers=fields)


def test_a_call_is_a_span_of_the_trace_it_is_part_of_with_its_stages(traced, exported):
    got = call(traced, traceparent=f"00-{TRACE}-{SPAN}-01")
    (span,) = spans(exported, 1)
    assert (span.name, span.kind.name) == ("query", "SERVER")
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == SPAN
    assert span.parent.is_remote
    assert [event.name for event in span.events] == list(STAGES)
    moments = [span.start_time, *(event.timestamp for event in span.events), span.end_time]
    assert moments == sorted(moments)
    said = span.attributes
    assert (said["http.response.status_code"], said["zhengtong.outcome"]) == (200, "answered")
    assert (said["zhengtong.department"], said["zhengtong.resource"]) == ("RS", CODE)
    assert said["zhengtong.entry"] == got.json()["receipt"]["entry"]


def test_without_a_trace_it_is_the_first_of_its_own(traced, exported):
    got = call(traced)
    (span,) = spans(exported, 1)
    assert span.parent is None
    # By this name the two are found together.
    assert span.attributes["zhengtong.request_id"] == got.headers["zhengtong-request-id"]


def test_what_the_caller_does_not_have_traced_is_not(traced, exported):
    call(traced, traceparent=f"00-{TRACE}-{SPAN}-00")
    traced.get("/v1/keys")
    assert [span.name for span in spans(exported, 1)] == ["GET /v1/keys"]


def test_nothing_personal_is_in_one(traced, exported):
    call(traced)
    call(traced, body(fields=["address"], keys={"citizen_id": IDS[1]}))
    traced.get(f"/{IDS[0]}", params={"q": "张三"})
    found = spans(exported, 3)
    text = "".join(span.to_json(indent=None) for span in found)
    for personal in (IDS[0], IDS[1], "张", "BJ-1", traced.key, "127.0.0.1"):
        assert personal not in text
    assert [span.attributes.get("zhengtong.problem") for span in found] == [None, "denied", "not_found"]


def test_a_fault_is_an_error(traced, exported, monkeypatch):
    def fail(*args, **named):
        raise RuntimeError(IDS[0])

    monkeypatch.setattr("hub.api.public.catalogue", fail)
    traced.get("/v1/catalog")
    (span,) = spans(exported, 1)
    assert span.status.status_code.name == "ERROR"
    assert span.attributes["error.type"] == "internal"
    assert IDS[0] not in span.to_json()


def test_where_it_is_not_installed_the_start_says_so(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    assert Tracing.open(settings) is None
    with pytest.raises(TracingMissingError):
        Tracing.open(replace(settings, tracing=True))
