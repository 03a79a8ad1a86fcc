"""One trace from the client through web, queue, worker, router and provider."""

from collections.abc import Callable, Iterator

import pytest
import requests

from tests.fakes.otlp import Collector, Span
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, wait_until
from tests.system.asking import DEEP

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CLIENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """The stand-in collector."""
    with Collector() as server:
        yield server


def test_a_first_request_is_one_trace_through_every_process(
    start: Callable[..., Pool],
    ports: tuple[int, int],
    collector: Collector,
    provider: Provider,
    router: Router,
) -> None:
    pool = start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1")})
    pool.serve(ports[0])

    answer = _ask(ports[0], "t-1")
    spans = _trace(collector, 7)

    root = spans["POST /v1/chat/completions openai/gpt-4o-mini -> openai/gpt-5.2"]
    assert answer.ok
    assert root.parent_id == CLIENT.split("-")[2]
    assert root.service == "plano"
    assert root.attributes["plano.session"] == "t-1"
    assert root.attributes["plano.route"] == "deep_reasoning"
    assert root.attributes["plano.pinned"] is False
    assert root.attributes["llm.provider"] == "openai"
    assert root.attributes["http.status_code"] == 200
    assert root.attributes["llm.time_to_first_token_ms"] > 0
    assert spans["rank"].attributes["plano.rank.1"] == "openai/gpt-5.2"
    parents = {name: _parent(spans, name) for name in spans if name != root.name}
    assert parents == {
        "redis.pin": root.name,
        "plano.decide": root.name,
        "llm.upstream": root.name,
        "arch-router": "plano.decide",
        "rank": "plano.decide",
        "settle": "plano.decide",
    }
    assert router.requests[0].header("traceparent") == _traceparent(spans["arch-router"])
    assert provider.requests[0].header("traceparent") == _traceparent(spans["llm.upstream"])


def test_a_pinned_request_has_no_router_span_and_a_stream_is_traced_to_its_end(
    start: Callable[..., Pool], ports: tuple[int, int], collector: Collector
) -> None:
    pool = start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1")})
    pool.serve(ports[0])
    _ask(ports[0], "t-2")
    _trace(collector, 7)
    collector.spans.clear()

    _ask(ports[0], "t-2", stream=True)
    spans = _trace(collector, 3)

    assert {name.split()[0] for name in spans} == {"POST", "redis.pin", "llm.upstream"}
    root = next(span for name, span in spans.items() if name.startswith("POST"))
    assert root.attributes["plano.pinned"] is True


def test_a_request_for_a_kept_response_is_named_by_what_it_is_and_not_by_which(
    start: Callable[..., Pool], ports: tuple[int, int], collector: Collector
) -> None:
    pool = start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1")})
    pool.serve(ports[0])
    address = f"http://127.0.0.1:{ports[0]}/v1/responses"
    kept = requests.post(address, json={"model": "openai/gpt-5.2", "input": "hi"}, timeout=10).json()["id"]

    answer = requests.get(f"{address}/{kept}", headers={"traceparent": CLIENT}, timeout=10)

    (span,) = wait_until(lambda: collector.named("GET"), what="the trace")
    assert answer.ok
    assert span.name.split()[:2] == ["GET", "/v1/responses/<response_id>"]
    assert span.trace_id == TRACE_ID


def test_traces_go_over_grpc_too(start: Callable[..., Pool], ports: tuple[int, int], collector: Collector) -> None:
    with collector.grpc() as address:
        pool = start(tracing=f"tracing: {{random_sampling: 100, opentracing_grpc_endpoint: {address}}}")
        pool.serve(ports[0])

        _ask(ports[0], "t-3")
        spans = _trace(collector, 7)

    assert {"plano.decide", "arch-router"} <= set(spans)


def test_the_trace_of_a_decision_is_the_one_that_is_exported(
    start: Callable[..., Pool], ports: tuple[int, int], collector: Collector
) -> None:
    pool = start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1")})
    pool.serve(ports[0])

    body = {"messages": [{"role": "user", "content": DEEP}]}
    said = requests.post(f"http://127.0.0.1:{ports[0]}/routing/v1/chat/completions", json=body, timeout=10).json()
    wait_until(lambda: collector.named("POST /routing"), what="the trace")

    assert collector.named("POST /routing")[0].trace_id == said["trace_id"]


def test_a_collector_that_is_down_costs_a_request_nothing(start: Callable[..., Pool], ports: tuple[int, int]) -> None:
    pool = start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"})
    _, (web,) = pool.serve(ports[0])

    answers = [_ask(ports[0], "t-4") for _ in range(5)]

    assert all(answer.ok for answer in answers)
    assert min(answer.elapsed.total_seconds() for answer in answers) < 1, "each waited for the collector"
    assert "Traceback" not in web.text()


def _ask(port: int, session: str, *, stream: bool = False) -> requests.Response:
    return requests.post(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json={"messages": [{"role": "user", "content": DEEP}], "stream": stream},
        headers={"X-Model-Affinity": session, "traceparent": CLIENT},
        timeout=10,
    )


def _trace(collector: Collector, count: int) -> dict[str, Span]:
    """The spans of the client's trace by name, once there are so many."""

    def spans() -> dict[str, Span]:
        return {span.name: span for span in tuple(collector.spans) if span.trace_id == TRACE_ID}

    wait_until(lambda: len(spans()) >= count, within_s=10, what=f"a trace of {count} spans")
    return spans()


def _parent(spans: dict[str, Span], name: str) -> str:
    by_id = {span.span_id: span.name for span in spans.values()}
    return by_id[spans[name].parent_id]


def _traceparent(span: Span) -> str:
    return f"00-{span.trace_id}-{span.span_id}-01"
