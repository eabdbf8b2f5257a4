"""Trace context as text, so that one tick can be followed through every process to its fill.

Invariant: a trace id made at ingest is never replaced on the way, only extended.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("algotrendy")


def current_traceparent() -> str | None:
    """The active span's W3C ``traceparent``; None outside any span."""
    span_context = trace.get_current_span().get_span_context()
    if not span_context.is_valid:
        return None
    return f"00-{span_context.trace_id:032x}-{span_context.span_id:016x}-{span_context.trace_flags:02x}"


def trace_id_of(traceparent: str | None) -> str | None:
    return traceparent.split("-")[1] if traceparent else None


@contextmanager
def span(
    name: str,
    *,
    parent: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    start_ns: int | None = None,
    **attributes: str | int | float | bool,
) -> Iterator[Span]:
    """A span as the current one; ``parent`` is a traceparent from an event, ``start_ns`` since the epoch."""
    parent_context = _PROPAGATOR.extract({"traceparent": parent}) if parent else context.get_current()
    with _TRACER.start_as_current_span(
        name, context=parent_context, kind=kind, attributes=attributes, start_time=start_ns
    ) as active:
        yield active
