"""What collectors hear of answers, by the names that OpenTelemetry has for generative AI."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fakes.metered import Metered
from tests.fakes.otlp import Collector, Series
from tests.harness import Pool, wait_until
from tests.system.asking import DEEP, ask

WITHIN_S = 30.0
SESSION = "anna@example.org"
CONVERSATION = hashlib.sha256(SESSION.encode()).hexdigest()[:32]
OFTEN = {"OTEL_METRIC_EXPORT_INTERVAL": "300"}
LONG = DEEP + " It is long." * 800
FACTS = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5.2",
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        yield server


@pytest.fixture
def provider() -> Iterator[Metered]:
    """It says what was read from its prompt cache."""
    with Metered() as server:
        yield server


@pytest.mark.parametrize("stream", [False, True])
def test_the_span_of_an_attempt_says_who_answered_what_and_how_many_tokens_it_took(
    start: Callable[..., Pool], ports: tuple[int, int], collector: Collector, *, stream: bool
) -> None:
    pool = start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1")})
    pool.serve(ports[0])
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if stream else {}

    for _ in range(2):
        assert ask(ports[0], SESSION, LONG, stream=stream, **options).ok
    _wait_for_attempts(collector, 2)

    attempts = [span.attributes for span in collector.named("llm.upstream")]
    assert all(said.items() >= {**FACTS, "gen_ai.conversation.id": CONVERSATION}.items() for said in attempts)
    assert all(said["gen_ai.usage.input_tokens"] > 1000 for said in attempts)
    assert all(said["gen_ai.usage.output_tokens"] > 0 for said in attempts)
    assert max(said.get("gen_ai.usage.cache_read.input_tokens", 0) for said in attempts) > 1000
    (root, *_) = collector.named("POST")
    assert root.attributes["gen_ai.conversation.id"] == CONVERSATION


def test_an_attempt_that_fails_says_how(
    start: Callable[..., Pool], ports: tuple[int, int], collector: Collector, provider: Metered
) -> None:
    pool = start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1")})
    pool.serve(ports[0])
    provider.behave("status", code=503, model="gpt-5.2")

    ask(ports[0], SESSION)
    _wait_for_attempts(collector, 2)

    said = {span.attributes["llm.model"]: span.attributes for span in collector.named("llm.upstream")}
    assert said["openai/gpt-5.2"]["error.type"] == "503"
    assert "error.type" not in said["openai/gpt-4o-mini"]


def test_metrics_go_over_http_where_they_are_asked_for(
    start: Callable[..., Pool], ports: tuple[int, int], collector: Collector, provider: Metered
) -> None:
    """Without tracing. A stream alone says when its first token came."""
    pool = start(env={"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{collector.url}/metrics", **OFTEN})
    pool.serve(ports[0])

    ask(ports[0], SESSION, LONG)
    ask(ports[0], SESSION, LONG, stream=True)
    provider.behave("status", code=503, model="gpt-5.2", times=1)
    ask(ports[0], SESSION)
    wait_until(lambda: _counts(collector).get("gen_ai.client.operation.duration") == 4, within_s=WITHIN_S)

    series = tuple(collector.series)
    assert _counts(collector)["gen_ai.server.time_to_first_token"] == 1
    tokens = {
        (each.attributes["gen_ai.request.model"], each.attributes["gen_ai.token.type"]): each
        for each in series
        if each.name == "gen_ai.client.token.usage"
    }
    assert tokens.keys() == {(model, kind) for model in ("gpt-5.2", "gpt-4o-mini") for kind in ("input", "output")}
    assert tokens["gpt-5.2", "input"].sum > 2000
    assert {each.attributes.get("error.type") for each in _named(series, "gen_ai.client.operation.duration")} == {
        None,
        "503",
    }
    assert all(each.attributes["gen_ai.operation.name"] == "chat" for each in series)
    assert {each.unit for each in series} == {"s", "{token}"}
    assert not collector.spans
    assert SESSION not in repr(series)


def test_metrics_go_over_grpc_too(start: Callable[..., Pool], ports: tuple[int, int], collector: Collector) -> None:
    with collector.grpc() as address:
        wanted = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        pool = start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": address, **wanted, **OFTEN})
        pool.serve(ports[0])

        ask(ports[0], SESSION)
        wait_until(lambda: _counts(collector).get("gen_ai.client.operation.duration") == 1, within_s=WITHIN_S)


def test_an_address_for_both_brings_traces_only(
    start: Callable[..., Pool], ports: tuple[int, int], collector: Collector
) -> None:
    """Many a collector of traces takes no metrics."""
    pool = start(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url.removesuffix("/v1"), **OFTEN})
    pool.serve(ports[0])

    for count in (1, 2, 3):  # each trace takes a second, in which metrics would have come
        ask(ports[0], SESSION)
        _wait_for_attempts(collector, count)

    assert {request.path for request in tuple(collector.requests)} == {"/v1/traces"}


def _wait_for_attempts(collector: Collector, count: int) -> None:
    wait_until(lambda: len(collector.named("llm.upstream")) == count, within_s=WITHIN_S, what=f"{count} attempts")


def _named(series: tuple[Series, ...], name: str) -> list[Series]:
    return [each for each in series if each.name == name]


def _counts(collector: Collector) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in tuple(collector.series):
        counts[each.name] = counts.get(each.name, 0) + each.count
    return counts
