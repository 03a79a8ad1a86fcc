"""A stand-in for an OpenTelemetry collector: takes traces and metrics over HTTP and over gRPC and decodes them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.fakes.stand_in import StandIn
from tests.fakes.wire import Answer, Request


@dataclass(frozen=True)
class Span:
    """One exported span."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Series:
    """One series of a histogram, as it was exported last."""

    name: str
    unit: str
    attributes: dict[str, Any]
    count: int
    sum: float


class Collector(StandIn):
    """Takes `POST /v1/traces` and `/v1/metrics`; `grpc()` listens for gRPC as well."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.spans: list[Span] = []
        self.series: list[Series] = []

    def respond(self, request: Request) -> Answer:
        """Keep what a protobuf request brings."""
        if request.path.endswith("/metrics"):
            self._measure(metrics_service_pb2.ExportMetricsServiceRequest.FromString(request.body))
        else:
            self._keep(trace_service_pb2.ExportTraceServiceRequest.FromString(request.body))
        return Answer(headers=(("content-type", "application/x-protobuf"),))

    @contextmanager
    def grpc(self) -> Iterator[str]:
        """Listen for gRPC too; yields the address."""
        server = grpc.server(ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Service(self), server)  # type: ignore[no-untyped-call]
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(self), server)  # type: ignore[no-untyped-call]
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stop(0).wait(5)

    def named(self, name: str) -> list[Span]:
        """The spans whose name begins so."""
        return [span for span in tuple(self.spans) if span.name.startswith(name)]

    def _measure(self, request: metrics_service_pb2.ExportMetricsServiceRequest) -> None:
        """Counts and sums are those since the process began, so the last export stands for all."""
        metrics = [
            metric
            for resource in request.resource_metrics
            for each in resource.scope_metrics
            for metric in each.metrics
        ]
        self.series = [
            Series(
                name=metric.name,
                unit=metric.unit,
                attributes={pair.key: _value(pair.value) for pair in point.attributes},
                count=point.count,
                sum=point.sum,
            )
            for metric in metrics
            for point in metric.histogram.data_points
        ]

    def _keep(self, request: trace_service_pb2.ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            of = {pair.key: _value(pair.value) for pair in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Span(
                            service=str(of.get("service.name")),
                            name=span.name,
                            trace_id=span.trace_id.hex(),
                            span_id=span.span_id.hex(),
                            parent_id=span.parent_span_id.hex(),
                            attributes={pair.key: _value(pair.value) for pair in span.attributes},
                        )
                    )


class _Service(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(  # noqa: N802 - the protocol's name
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: Any
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Keep the spans."""
        del context
        self._collector._keep(request)
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(  # noqa: N802 - the protocol's name
        self, request: metrics_service_pb2.ExportMetricsServiceRequest, context: Any
    ) -> metrics_service_pb2.ExportMetricsServiceResponse:
        """Keep the series."""
        del context
        self._collector._measure(request)
        return metrics_service_pb2.ExportMetricsServiceResponse()


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")
