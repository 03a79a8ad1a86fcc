"""Traces over OTLP, where the config or the environment asks for them.

A span names its parent by a W3C traceparent. So a trace continues through HTTP headers and through the queue alike,
and no hidden context has to follow a request from greenlet to greenlet.
"""

import contextlib
import logging
import random
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, Self

from shared.config.sections import Tracing as Wanted
from shared.otlp import environment

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer

Facts = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """One step of a request."""

    @property
    def traceparent(self) -> str:
        """What a step within this one names as its parent."""

    def note(self, facts: Facts) -> None:
        """Add attributes."""

    def rename(self, name: str) -> None:
        """Change the name, when the right one is known only now."""

    def end(self) -> None:
        """End the step; a second call does nothing."""


class Tracing(Protocol):
    """Makes spans."""

    on: bool

    def start(self, name: str, parent: str | None, facts: Facts) -> Span:
        """A span under the parent's traceparent, or a trace of its own; the caller ends it."""

    def enter(self, name: str, parent: str | None) -> Span:
        """A client's request, under the traceparent that it names: its flag does not say whether it is sampled."""

    def span(self, name: str, parent: str, facts: Facts) -> contextlib.AbstractContextManager[Span]:
        """The same as `start`, ended with the block."""


class _Nothing:
    """A span where tracing is off: its traceparent is its parent's."""

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent

    def note(self, facts: Facts) -> None: ...

    def rename(self, name: str) -> None: ...

    def end(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None: ...


class Off:
    """Tracing that is off."""

    on = False

    def start(self, name: str, parent: str | None, facts: Facts) -> Span:  # noqa: ARG002 - nobody reads them
        """Nothing that is recorded."""
        return _Nothing(parent or "")

    def enter(self, name: str, parent: str | None) -> Span:
        """Nothing that is recorded."""
        return self.start(name, parent, {})

    def span(self, name: str, parent: str, facts: Facts) -> "_Nothing":  # noqa: ARG002 - nobody reads them
        """Nothing that is recorded."""
        return _Nothing(parent)


OFF = Off()


class _Recorded:
    """A span that will be exported, if its trace is sampled."""

    def __init__(self, span: "OtelSpan") -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def note(self, facts: Facts) -> None:
        self._span.set_attributes(dict(facts))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def end(self) -> None:
        if self._span.is_recording():
            self._span.end()


class Otlp:
    """Tracing that exports in the background, so that a collector that is down costs a request nothing.

    The exporter is made at the first span, since it has threads and a server forks after this object is built.
    """

    on = True

    def __init__(self, wanted: Wanted, env: Mapping[str, str]) -> None:
        self._wanted = wanted
        self._env = env
        self._made: Tracer | None = None
        self._lock = threading.Lock()

    def start(self, name: str, parent: str | None, facts: Facts) -> Span:
        """A span under the parent's traceparent, or a trace of its own; the caller ends it."""
        from opentelemetry import trace  # noqa: PLC0415 - only those who trace pay for it

        context = None
        if parent:
            _, trace_id, span_id, flags = parent.split("-")
            of = trace.SpanContext(int(trace_id, 16), int(span_id, 16), True, trace.TraceFlags(int(flags, 16)))
            context = trace.set_span_in_context(trace.NonRecordingSpan(of))
        return _Recorded(self._tracer().start_span(name, context=context, attributes=dict(facts)))

    def enter(self, name: str, parent: str | None) -> Span:
        """A client's request, under the traceparent that it names: its flag does not say whether it is sampled.

        Nor does its trace id, which the client has chosen, too.
        """
        if parent:
            sampled = random.random() * 100 < self._wanted.random_sampling  # noqa: S311 - no secret
            parent = f"{parent[:-2]}{sampled:02x}"
        return self.start(name, parent, {})

    @contextlib.contextmanager
    def span(self, name: str, parent: str, facts: Facts) -> Iterator[Span]:
        """The same, ended with the block."""
        span = self.start(name, parent, facts)
        try:
            yield span
        finally:
            span.end()

    def _tracer(self) -> "Tracer":
        if self._made is None:
            with self._lock:
                if self._made is None:  # another request may have made it meanwhile
                    self._made = self._make()
        return self._made

    def _make(self) -> "Tracer":
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only those who trace pay for it
        from opentelemetry.sdk.trace import TracerProvider, sampling  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        # Otherwise the exporters would log each batch that fails, once a second while the collector is away.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        share = sampling.TraceIdRatioBased(self._wanted.random_sampling / 100)
        resource = Resource.create({"service.name": environment.service(self._env)})
        provider = TracerProvider(sampler=sampling.ParentBased(share), resource=resource)
        provider.add_span_processor(BatchSpanProcessor(self._exporter(), schedule_delay_millis=1000))
        return provider.get_tracer("plano")

    def _exporter(self) -> "SpanExporter":
        endpoint = self._wanted.opentracing_grpc_endpoint
        protocol = environment.protocol("TRACES", self._env)
        if protocol == "grpc" or (endpoint and not protocol):
            return _grpc_exporter(endpoint)
        from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415

        # Without an address it reads the address, as all other settings, from OTEL_*.
        address = f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None
        return trace_exporter.OTLPSpanExporter(address, timeout=environment.EXPORT_S)


def _grpc_exporter(endpoint: str | None) -> "SpanExporter":
    from opentelemetry.exporter.otlp.proto.grpc import trace_exporter  # noqa: PLC0415 - only those who trace pay for it

    environment.prepare_grpc()
    insecure = endpoint.startswith("http://") if endpoint else None
    return trace_exporter.OTLPSpanExporter(endpoint=endpoint, insecure=insecure, timeout=environment.EXPORT_S)


def build(wanted: Wanted, env: Mapping[str, str]) -> Tracing:
    """Tracing as the config and the OTEL_* variables ask for it."""
    asked = wanted.opentracing_grpc_endpoint or environment.has_endpoint("TRACES", env)
    disabled = environment.is_disabled(env) or wanted.random_sampling == 0
    return Otlp(wanted, env) if asked and not disabled else OFF
