"""Metrics over OTLP, as OpenTelemetry names those of generative AI; off unless the environment asks for them.

An answer is noted as it is, and reaches the histograms within a second, beside the requests.
"""

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from shared.domain.money import Usage
from shared.otlp import environment

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram
    from opentelemetry.sdk.metrics.export import MetricExporter

EVERY_S = 1.0
MOST_NOTED = 10_000
"""So many answers a second are measured; of more, the rest is left out."""

# The boundaries that the conventions advise.
_TOKENS = tuple(4**power for power in range(14))
_SECONDS = tuple(0.01 * 2**power for power in range(14))
_FIRST_TOKEN = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class Inference(msgspec.Struct, frozen=True):
    """A request to a model that has ended."""

    facts: dict[str, str]
    """Which operation it was, and of which model; `error.type` if it has failed."""
    took_s: float
    first_token_s: float | None = None
    """How long a stream took to begin."""
    usage: Usage | None = None


class Inferences(Protocol):
    """Measures requests to models."""

    def note(self, inference: Inference) -> None:
        """Measure one within a second."""


class OtlpMetrics:
    """Notes requests, and measures them when it is told to.

    The exporter is made at the first one, since it has a thread and a server forks after this object is built.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._noted: list[Inference] = []
        self._made: _Histograms | None = None
        self._lock = threading.Lock()

    def note(self, inference: Inference) -> None:
        """Measure a request within a second."""
        if len(self._noted) < MOST_NOTED:
            self._noted.append(inference)

    def publish(self) -> None:
        """Measure what was noted."""
        noted, self._noted = self._noted, []
        if not noted:
            return
        with self._lock:
            self._made = self._made or _histograms(self._env)
        for inference in noted:
            self._made.record(inference)


class _Histograms(msgspec.Struct, frozen=True):
    tokens: "Histogram"
    duration: "Histogram"
    first_token: "Histogram"

    def record(self, inference: Inference) -> None:
        facts = inference.facts
        self.duration.record(inference.took_s, facts)
        if inference.first_token_s is not None:
            self.first_token.record(inference.first_token_s, facts)
        for kind, count in tokens_of(inference.usage).items():
            self.tokens.record(count, {**facts, "gen_ai.token.type": kind})


def tokens_of(usage: Usage | None) -> dict[str, int]:
    """Tokens by the types of the conventions: those of a cache are input as well."""
    if usage is None:
        return {}
    read = usage.input + usage.cached + usage.cache_write_5m + usage.cache_write_1h
    return {"input": read, "output": usage.output}


def build(env: Mapping[str, str]) -> OtlpMetrics | None:
    """What measures, if OTEL_METRICS_EXPORTER is `otlp`, or an address for metrics alone is named."""
    wanted = env.get("OTEL_METRICS_EXPORTER", "")
    asked = environment.has_endpoint("METRICS", env, shared=wanted == "otlp") and wanted in {"", "otlp"}
    return OtlpMetrics(env) if asked and not environment.is_disabled(env) else None


def _histograms(env: Mapping[str, str]) -> _Histograms:
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - only those who measure pay for it
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    # Otherwise the exporter would log each batch that fails.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    resource = Resource.create({"service.name": environment.service(env)})
    meter = MeterProvider([PeriodicExportingMetricReader(_exporter(env))], resource=resource).get_meter("plano")

    def histogram(name: str, unit: str, text: str, bounds: tuple[float, ...]) -> "Histogram":
        return meter.create_histogram(name, unit, text, explicit_bucket_boundaries_advisory=bounds)

    return _Histograms(
        tokens=histogram("gen_ai.client.token.usage", "{token}", "Tokens that an answer used", _TOKENS),
        duration=histogram("gen_ai.client.operation.duration", "s", "How long a request took", _SECONDS),
        first_token=histogram(
            "gen_ai.server.time_to_first_token", "s", "How long a stream took to begin", _FIRST_TOKEN
        ),
    )


def _exporter(env: Mapping[str, str]) -> "MetricExporter":
    """Its address it reads, as all other settings, from OTEL_*."""
    if environment.protocol("METRICS", env) == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as over_grpc  # noqa: PLC0415

        environment.prepare_grpc()
        return over_grpc.OTLPMetricExporter(timeout=environment.EXPORT_S)
    from opentelemetry.exporter.otlp.proto.http import metric_exporter as over_http  # noqa: PLC0415

    return over_http.OTLPMetricExporter(timeout=environment.EXPORT_S)
