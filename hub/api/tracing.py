"""Spans of requests for OpenTelemetry, where the deployment asks for them and `opentelemetry-api` is there.

What becomes of a span, the deployment's own provider decides (`opentelemetry-instrument zhengtong serve`, or any other
that is set before the first request). A span says what the request's line in the journal says, and nothing more.

A span is made once its request has ended, by the journal's thread: whoever waits for an answer waits for no span.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from hub.api.metrics import STAGES
from hub.errors import SetupError

if TYPE_CHECKING:
    from hub.api.journal import Line, Seen
    from hub.settings import Settings

NAME: Final = "zhengtong"
_FAULT: Final = 500


class TracingMissingError(SetupError):
    """Spans are asked for, and what makes them is not installed."""

    code = "tracing_missing"
    en = "ZHENGTONG_TRACING is on, and OpenTelemetry is not installed: pip install zhengtong[otel]."
    zh = "ZHENGTONG_TRACING 已开启，但未安装 OpenTelemetry：pip install zhengtong[otel]。"


class Tracing:
    """Makes spans with what OpenTelemetry's *trace* module has been set to."""

    def __init__(self, trace: Any) -> None:  # noqa: ANN401 - a module that need not be there
        self._trace = trace
        self._tracer = trace.get_tracer(NAME)

    @classmethod
    def open(cls, settings: Settings) -> Tracing | None:
        """What *settings* ask for; None where they ask for none.

        Raises:
            TracingMissingError
        """
        if not settings.tracing:
            return None
        try:
            return cls(import_module("opentelemetry.trace"))
        except ModuleNotFoundError as error:
            raise TracingMissingError from error

    def span(self, seen: Seen, line: Line) -> None:
        """Make the span of *seen*; each stage of a call is an event of it, at the moment at which it ended."""
        trace = self._trace
        began = int(seen.at.timestamp() * 1e9)
        span = self._tracer.start_span(
            seen.door or seen.method,
            context=self._parent(seen),
            kind=trace.SpanKind.SERVER,
            attributes=_attributes(seen, line),
            start_time=began,
        )
        ended = began + seen.elapsed
        if span.is_recording():
            # The last stage ends when the answer is ready to be sent.
            moment = ended - sum(seen.stages)
            for name, spent in zip(STAGES, seen.stages, strict=False):
                moment += spent
                span.add_event(name, timestamp=moment)
            if line.status >= _FAULT:
                span.set_status(trace.StatusCode.ERROR)
        span.end(end_time=ended)

    def _parent(self, seen: Seen) -> Any:  # noqa: ANN401 - a context of the module
        """What the client says the request is part of; an empty context where it says nothing."""
        trace = self._trace
        if seen.parent is None:
            return import_module("opentelemetry.context").Context()
        span, flags = seen.parent
        told = trace.SpanContext(int(seen.id, 16), int(span, 16), is_remote=True, trace_flags=trace.TraceFlags(flags))
        return trace.set_span_in_context(trace.NonRecordingSpan(told), import_module("opentelemetry.context").Context())


def _attributes(seen: Seen, line: Line) -> dict[str, str | int]:
    """By the names of OpenTelemetry's semantic conventions where there are any. No address, no query, nobody's name."""
    said: dict[str, str | int] = {
        "http.request.method": seen.method,
        "http.response.status_code": line.status,
        "zhengtong.request_id": line.id,
        "zhengtong.outcome": line.outcome,
        "zhengtong.problem": line.problem,
        "zhengtong.department": line.department,
        "zhengtong.client": line.client,
        "zhengtong.resource": line.resource,
    }
    if line.entry is not None:
        said["zhengtong.entry"] = line.entry
    if line.status >= _FAULT:
        said["error.type"] = line.problem or str(line.status)
    return {name: value for name, value in said.items() if value != ""}
