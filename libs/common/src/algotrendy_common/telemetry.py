"""Logs as JSON lines, metrics for Prometheus, spans for OpenTelemetry; set up once a process.

Invariant: nothing here decides anything; a telemetry back end that is down never stops trading.
"""

# First, as everything below would be loaded whole.
import algotrendy_common.lean_imports  # noqa: F401

# isort: split
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from prometheus_client import Counter, Histogram

from algotrendy_common.settings import PlatformSettings
from algotrendy_common.tracing import current_traceparent, trace_id_of

Log = structlog.stdlib.BoundLogger

_MILLISECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

EVENTS_PUBLISHED = Counter("algotrendy_events_published_total", "Events published", ["subject"])
EVENTS_HANDLED = Counter("algotrendy_events_handled_total", "Events handled", ["subject", "outcome"])
HANDLING_SECONDS = Histogram(
    "algotrendy_handling_seconds", "Time in a handler, its commit included", ["subject"], buckets=_MILLISECONDS
)
SLOW_CONSUMER_DROPS = Counter("algotrendy_slow_consumer_drops_total", "Messages a slow reader lost", ["subject"])
DEAD_LETTERS = Counter("algotrendy_dead_letters_total", "Messages given up on", ["subject"])
OUTBOX_PUBLISHED = Counter("algotrendy_outbox_published_total", "Outbox rows published", ["stream"])
CALLS_SERVED = Counter("algotrendy_calls_served_total", "Remote calls answered", ["call", "outcome"])


def log(name: str) -> Log:
    """A logger of structured lines; call it with an event and fields: ``log("risk").info("halted", account=...)``."""
    logger: Log = structlog.get_logger(name)
    return logger


def set_up(service: str, settings: PlatformSettings) -> None:
    """Configure logs and traces of this process. Logs go to standard output, a JSON object a line."""
    _set_up_logs(service, settings.log_level)
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}), sampler=ParentBasedTraceIdRatio(settings.trace_ratio)
    )
    exporter = _exporter(service, settings)
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def shut_down() -> None:
    """Write out what is still buffered."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.shutdown()


def _exporter(service: str, settings: PlatformSettings) -> SpanExporter | None:
    if settings.otlp_endpoint:
        # Imported only where it is used: it costs every start a tenth of a second.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        return OTLPSpanExporter(endpoint=settings.otlp_endpoint)
    if settings.trace_dir:
        settings.trace_dir.mkdir(parents=True, exist_ok=True)
        return JsonLinesSpanExporter(settings.trace_dir / f"{service}.jsonl")
    return None


class JsonLinesSpanExporter(SpanExporter):
    """Spans as lines of a file, for machines without a collector. At 64 MiB the file starts anew, keeping one old."""

    LIMIT_BYTES = 64 * 1024 * 1024

    def __init__(self, path: Path) -> None:
        self._path = path

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._path.exists() and self._path.stat().st_size > self.LIMIT_BYTES:
            self._path.replace(self._path.with_suffix(".old.jsonl"))
        with self._path.open("a", encoding="utf-8") as file:
            file.writelines(span.to_json(indent=None) + "\n" for span in spans)
        return SpanExportResult.SUCCESS


def _add_trace(_: Any, __: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    trace_id = trace_id_of(current_traceparent())
    if trace_id:
        fields["trace_id"] = trace_id
    return fields


def _set_up_logs(service: str, level: str) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for noisy in ("nats", "faststream", "httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)
