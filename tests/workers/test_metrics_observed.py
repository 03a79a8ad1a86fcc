"""What the pool has seen itself as a source of latencies, and candidates that no source knows."""

import time
from pathlib import Path

import pytest
import redis

from shared import bootstrap
from shared.config.sections import MetricSource
from shared.domain.conversation import Message
from shared.domain.latency import Sample
from shared.domain.ranking import EMPTY, Kind, Measure, Snapshot
from shared.domain.routes import Prefer, Route
from shared.env_settings import Settings
from shared.job_messages import DecisionRequest
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.metrics.latency import LatencyStore
from shared.store.metrics.snapshot import MetricsStore
from tests.uncounted import Uncounted
from workers import in_place
from workers.metrics.missing import Gaps
from workers.metrics.refresh import Refresher

MODELS = ("acme/one", "acme/two")
SOURCE = MetricSource(type="latency", provider="observed", refresh_interval=10)
ROUTES = (Route("any", "anything", MODELS, Prefer.FASTEST), Route("cost", "cheap", ("acme/x",), Prefer.CHEAPEST))


@pytest.fixture
def seen(client: StoreClient) -> LatencyStore:
    return LatencyStore(client, SOURCE.half_life_s, SOURCE.kept_s)


@pytest.fixture
def metrics(client: StoreClient) -> MetricsStore:
    return MetricsStore(client)


def test_each_figure_is_as_old_as_the_models_last_answer(
    store: redis.Redis, seen: LatencyStore, metrics: MetricsStore
) -> None:
    """However often it is read: a model that nobody asks must not look well known."""
    as_of = round(time.time() - 200, 3)
    seen.add({"acme/one": Sample(0.6, 2)})
    store.hset(keys.OBSERVED, "acme/two", f"[0.5,1,{as_of}]")

    Refresher([SOURCE], metrics, averages=seen).refresh(Kind.LATENCY)

    latency = metrics.snapshot().latency
    assert latency["acme/two"] == Measure(0.5, as_of, "observed")
    assert latency["acme/one"].value == pytest.approx(0.3)
    assert latency["acme/one"].as_of == pytest.approx(time.time(), abs=10)


def test_a_pool_that_nobody_has_asked_yet_has_no_figures_and_no_fault(
    seen: LatencyStore, metrics: MetricsStore, caplog: pytest.LogCaptureFixture
) -> None:
    refresher = Refresher([SOURCE], metrics, averages=seen)
    for _ in range(3):
        refresher.refresh(Kind.LATENCY)

    assert metrics.snapshot() == EMPTY
    assert not caplog.records


def test_the_snapshot_outlives_the_half_lives_that_count(
    store: redis.Redis, seen: LatencyStore, metrics: MetricsStore
) -> None:
    seen.add({"acme/one": Sample(0.6, 2)})

    Refresher([SOURCE], metrics, averages=seen).refresh(Kind.LATENCY)

    assert 9 * 300 - 5 <= store.ttl(keys.METRICS_SNAPSHOT) <= 9 * 300


def test_a_candidate_without_data_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    gaps = Gaps(ROUTES)
    for _ in range(3):
        gaps.look(Kind.LATENCY, Snapshot(latency={"two": Measure(1, 1)}))
    gaps.look(Kind.COST, Snapshot(cost={"acme/x": Measure(1, 1)}))

    assert caplog.messages == ["no latency of acme/one: ranked behind candidates with data"]


def test_a_refresh_warns_of_candidates_that_its_source_does_not_know(
    seen: LatencyStore, metrics: MetricsStore, caplog: pytest.LogCaptureFixture
) -> None:
    seen.add({"acme/two": Sample(0.6, 2)})
    refresher = Refresher([SOURCE], metrics, averages=seen, routes=ROUTES)
    for _ in range(2):
        refresher.refresh(Kind.LATENCY)

    assert caplog.messages == ["no latency of acme/one: ranked behind candidates with data"]


def test_figures_that_are_no_number_never_reach_the_snapshot(metrics: MetricsStore) -> None:
    """JSON has none: written as null they would make all of it unreadable."""
    odd = {"a": Measure(float("nan"), 1), "b": Measure(float("inf"), 1), "c": Measure(1, 1)}

    metrics.replace(Snapshot(cost=odd, latency=odd), 60)

    assert metrics.snapshot() == Snapshot(cost={"c": odd["c"]}, latency={"c": odd["c"]})


def test_an_unreadable_snapshot_is_told_once(
    store: redis.Redis, metrics: MetricsStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.set(keys.METRICS_SNAPSHOT, b'{"cost":{"a":[null,1]}}', ex=60)

    assert [metrics.snapshot() for _ in range(3)] == [EMPTY] * 3
    assert len(caplog.records) == 1


def test_memory_mode_ranks_by_what_its_process_sees(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("""
version: v0.4.0
model_providers: [{model: acme/*, base_url: "http://127.0.0.1:1/v1", provider_interface: openai}]
model_metrics_sources: [{type: latency, provider: observed}]
routing: {session_cache: {type: memory}}
""")
    web = bootstrap.web(Settings(config=config), {}, Uncounted(), lambda: in_place.build)
    assert web.latencies
    web.latencies.add({"acme/one": Sample(0.6, 1), "acme/two": Sample(0.1, 1)})
    for each in web.background:
        each.start()

    verdict = web.decisions.ask(
        DecisionRequest(
            model_name="acme/one",
            session=None,
            ttl_s=60,
            routes=(Route("anything", "anything at all", MODELS, Prefer.FASTEST),),
            inline=False,
            messages=(Message("user", "anything at all"),),
            request_id="r",
            traceparent="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        ),
        5,
    )

    assert verdict.models == ("acme/two", "acme/one")
