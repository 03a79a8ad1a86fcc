"""A source's figures on their way into the snapshot, and from there into the order of candidates."""

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from shared import bootstrap
from shared.config.sections import MetricSource, max_ages_s
from shared.domain.conversation import Message
from shared.domain.decisions import Trace
from shared.domain.money import Prices
from shared.domain.ranking import EMPTY, Kind, Measure, Snapshot, rank
from shared.domain.routes import Prefer, Route
from shared.env_settings import Settings
from shared.errors import StoreDown
from shared.job_messages import DecisionRequest
from shared.memory.cooldowns import MemoryCooldowns
from shared.memory.pins import MemoryPins
from shared.store import keys
from shared.store.connection.store_client import StoreClient
from shared.store.metrics.snapshot import MetricsStore, RecentSnapshot
from tests.endpoints import endpoint_to
from tests.fakes.router import Router
from tests.fakes.sources import Sources
from tests.harness import RedisServer
from tests.uncounted import Uncounted
from workers import in_place
from workers.decide import Decider
from workers.metrics.fetch import Fetch
from workers.metrics.refresh import Refresher
from workers.metrics.schedule import RETRY_S, Schedule

MODELS = ("acme/one", "acme/two", "acme/three")
HOUR = 3600


class Moment:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class First:
    """A router that always takes the first route."""

    def choose(self, routes: Sequence[Route], messages: Sequence[Message], trace: Trace) -> str:  # noqa: ARG002
        return routes[0].name


@pytest.fixture(scope="module")
def server() -> Iterator[Sources]:
    with Sources() as sources:
        yield sources


@pytest.fixture
def pages(server: Sources) -> Iterator[Sources]:
    server.prices = {"acme/one": (2, 4, 1), "acme/two": (1, 1)}
    server.latencies = {"one": 0.1, "two": 0.3}
    server.clear()
    yield server
    server.behave(None)


@pytest.fixture
def router() -> Iterator[Router]:
    with Router() as server:
        yield server


@pytest.fixture
def metrics(client: StoreClient) -> MetricsStore:
    return MetricsStore(client)


@pytest.fixture
def sources(pages: Sources) -> tuple[MetricSource, ...]:
    cost = MetricSource(type="cost", provider="models.dev", url=pages.models_dev, refresh_interval=HOUR)
    latency = MetricSource(
        type="latency", provider="prometheus", url=pages.prometheus, query="ttft", refresh_interval=60
    )
    return cost, latency


def order(prefer: Prefer, models: tuple[str, ...] = MODELS) -> DecisionRequest:
    return DecisionRequest(
        model_name=models[0],
        session=None,
        ttl_s=60,
        routes=(Route("any", "anything", models, prefer),),
        inline=False,
        messages=(Message("user", "anything at all"),),
        request_id="r",
        traceparent="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
    )


def decider(metrics: MetricsStore | RecentSnapshot, sources: Sequence[MetricSource] = ()) -> Decider:
    return Decider(
        router=First(),
        pins=MemoryPins(10, 60),
        metrics=metrics,
        cooldowns=MemoryCooldowns(),
        max_ages_s=max_ages_s(sources),
    )


def ranked(who: Decider, prefer: Prefer) -> tuple[str, ...]:
    return who.decide(order(prefer)).models


def test_a_refresh_puts_figures_down_with_their_time_and_source(
    metrics: MetricsStore, sources: tuple[MetricSource, ...]
) -> None:
    before = time.time()
    Refresher(sources, metrics).refresh(Kind.COST)

    snapshot = metrics.snapshot()
    assert {name: (one.value, one.source) for name, one in snapshot.cost.items()} == {
        "acme/one": (6, "models.dev"),
        "acme/two": (2, "models.dev"),
    }
    assert snapshot.prices == {"acme/one": Prices(2, 4, 1), "acme/two": Prices(1, 1)}
    assert before <= (snapshot.as_of(Kind.COST) or 0) <= time.time()


def test_a_refresh_of_one_kind_leaves_the_other(metrics: MetricsStore, sources: tuple[MetricSource, ...]) -> None:
    refresher = Refresher(sources, metrics)
    refresher.refresh(Kind.LATENCY)
    refresher.refresh(Kind.COST)
    refresher.refresh(Kind.LATENCY)

    snapshot = metrics.snapshot()
    assert (len(snapshot.cost), len(snapshot.latency), len(snapshot.prices)) == (2, 2, 2)


def test_two_refreshes_at_once_lose_nothing(metrics: MetricsStore) -> None:
    """Two workers read two kinds: whoever writes last must have seen what the other wrote."""
    latency, cost = {"a": Measure(0.1, 1)}, {"a": Measure(2, 1)}
    calls: list[Snapshot] = []

    def slow(standing: Snapshot) -> Snapshot:
        if not calls:
            metrics.update(lambda other: other.renewed(Kind.LATENCY, latency, {}), 60)
        calls.append(standing)
        return standing.renewed(Kind.COST, cost, {})

    metrics.update(slow, 60)

    assert metrics.snapshot() == Snapshot(cost=cost, latency=latency)
    assert len(calls) == 2


def test_a_model_that_left_the_source_leaves_the_snapshot(
    metrics: MetricsStore, sources: tuple[MetricSource, ...], pages: Sources
) -> None:
    refresher = Refresher(sources, metrics)
    refresher.refresh(Kind.COST)
    pages.prices = {"acme/two": (1, 1)}
    refresher.refresh(Kind.COST)

    assert set(metrics.snapshot().cost) == set(metrics.snapshot().prices) == {"acme/two"}


@pytest.mark.parametrize(
    "fault", [{"kind": "hang"}, {"kind": "status"}, {"kind": "half_body"}, {"kind": "not_json"}, {"kind": "empty"}]
)
def test_a_source_that_fails_leaves_what_stands(
    fault: dict[str, Any],
    metrics: MetricsStore,
    sources: tuple[MetricSource, ...],
    pages: Sources,
    caplog: pytest.LogCaptureFixture,
) -> None:
    Refresher(sources, metrics).refresh(Kind.COST)
    standing = metrics.snapshot()
    if fault["kind"] == "empty":
        pages.prices = {"acme/one": None}
    else:
        pages.behave(**fault)

    Refresher(sources, metrics, Fetch(total_s=0.1)).refresh(Kind.COST)

    assert metrics.snapshot() == standing != EMPTY
    assert re.search(r"data \d s old stands", caplog.text)


def test_a_source_that_goes_on_failing_is_told_once_and_once_when_it_is_well(
    metrics: MetricsStore, sources: tuple[MetricSource, ...], pages: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be read every second."""
    caplog.set_level("INFO", "plano.metrics")
    refresher = Refresher(sources, metrics)

    for kind in ("status", None, "status"):
        pages.behave(kind)
        for _ in range(3):
            refresher.refresh(Kind.COST)

    failed = "cost from models.dev: .* answered with status 500; "
    told = [
        failed + "there is no data yet",
        "cost from models.dev: well again, 2 models",
        failed + r"data \d s old stands",
    ]
    assert len(caplog.messages) == len(told)
    assert all(map(re.fullmatch, told, caplog.messages)), caplog.messages


def test_a_kind_without_a_source_changes_nothing(
    metrics: MetricsStore, sources: tuple[MetricSource, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """A clock with a newer config may ask for it."""
    Refresher(sources[:1], metrics).refresh(Kind.LATENCY)

    assert metrics.snapshot() == EMPTY
    assert "no source of type latency" in caplog.text


def test_the_snapshot_outlives_the_age_at_which_it_stops_to_count(
    store: redis.Redis, metrics: MetricsStore, sources: tuple[MetricSource, ...]
) -> None:
    """Of all its sources: the next refresh of latencies must not let the costs expire."""
    Refresher(sources, metrics).refresh(Kind.LATENCY)

    assert 9 * HOUR - 5 <= store.ttl(keys.METRICS_SNAPSHOT) <= 9 * HOUR


def test_a_value_that_is_no_snapshot_counts_as_none(store: redis.Redis, metrics: MetricsStore) -> None:
    store.set(keys.METRICS_SNAPSHOT, b'{"cost": 7}', ex=60)

    assert metrics.snapshot() == EMPTY
    metrics.update(lambda standing: standing.renewed(Kind.COST, {"a": Measure(1, 1)}, {}), 60)
    assert metrics.snapshot().cost == {"a": Measure(1, 1)}


def test_workers_rank_the_same_within_a_refresh(
    metrics: MetricsStore, sources: tuple[MetricSource, ...], pages: Sources
) -> None:
    moment, refresher = Moment(), Refresher(sources, metrics)
    both = [decider(RecentSnapshot(metrics, moment), sources) for _ in range(2)]
    refresher.refresh(Kind.COST)
    refresher.refresh(Kind.LATENCY)
    assert {ranked(one, Prefer.CHEAPEST) for one in both} == {("acme/two", "acme/one", "acme/three")}
    assert {ranked(one, Prefer.FASTEST) for one in both} == {("acme/one", "acme/two", "acme/three")}

    pages.prices = {"acme/three": (0.5, 0.5), "acme/one": (9, 9), "acme/two": (8, 8)}
    pages.latencies = {"acme/three": 0.5, "two": 0.2}
    refresher.refresh(Kind.COST)
    refresher.refresh(Kind.LATENCY)
    moment.now += 1

    assert {ranked(one, Prefer.CHEAPEST) for one in both} == {("acme/three", "acme/two", "acme/one")}
    assert {ranked(one, Prefer.FASTEST) for one in both} == {("acme/two", "acme/three", "acme/one")}


@pytest.mark.parametrize(("age_s", "first"), [(6 * HOUR - 9, "acme/two"), (6 * HOUR + 9, "acme/one")])
def test_data_older_than_six_intervals_ranks_as_missing(
    age_s: int, first: str, metrics: MetricsStore, sources: tuple[MetricSource, ...]
) -> None:
    metrics.replace(Snapshot(cost={"acme/two": Measure(1, time.time() - age_s)}), 60)

    assert ranked(decider(metrics, sources), Prefer.CHEAPEST)[0] == first


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_figure_that_is_no_number_ranks_as_missing(value: float) -> None:
    snapshot = Snapshot(cost={"acme/one": Measure(value, 1), "acme/three": Measure(5, 1)})

    assert rank(MODELS, Prefer.CHEAPEST, snapshot) == ("acme/three", "acme/one", "acme/two")


def test_a_bare_id_serves_where_the_qualified_name_s_figure_is_too_old() -> None:
    snapshot = Snapshot(latency={"acme/two": Measure(0.1, 1), "two": Measure(9, 50), "one": Measure(5, 50)})

    assert rank(MODELS, Prefer.FASTEST, snapshot, since=2) == ("acme/one", "acme/two", "acme/three")


def test_a_snapshot_is_read_and_decoded_once(store: redis.Redis, metrics: MetricsStore) -> None:
    """Only its first bytes are looked at afterwards, once a second."""
    metrics.replace(Snapshot(cost={"a": Measure(1, 1)}), 60)
    moment = Moment()
    recent = RecentSnapshot(metrics, moment)
    store.config_resetstat()
    first = recent.snapshot()
    for _ in range(5):
        assert recent.snapshot() is first
    moment.now += 1
    assert recent.snapshot() is first

    calls = {name: one["calls"] for name, one in store.info("commandstats").items()}
    assert (calls["cmdstat_get"], calls["cmdstat_getrange"]) == (1, 2)


def test_a_snapshot_that_expired_is_gone(store: redis.Redis, metrics: MetricsStore) -> None:
    metrics.replace(Snapshot(cost={"a": Measure(1, 1)}), 60)
    moment = Moment()
    recent = RecentSnapshot(metrics, moment)
    recent.snapshot()

    store.delete(keys.METRICS_SNAPSHOT)
    moment.now += 1

    assert recent.snapshot() == EMPTY


def test_the_last_snapshot_stands_while_redis_is_away(tmp_path: Path) -> None:
    server = RedisServer(tmp_path).start()
    moment = Moment()
    store = MetricsStore(endpoint_to(server.url).client(StoreDown))
    store.replace(Snapshot(cost={"a": Measure(1, 1)}), 60)
    recent = RecentSnapshot(store, moment)
    first = recent.snapshot()
    server.stop()
    moment.now += 1

    assert recent.snapshot() is first
    assert RecentSnapshot(store).snapshot() == EMPTY


def test_five_thousand_models_cost_a_decision_less_than_a_millisecond(metrics: MetricsStore) -> None:
    now, names = time.time(), [f"provider-{n % 40}/some-model-{n}" for n in range(5000)]
    cost = {name: Measure(n + 0.25, now, "models.dev") for n, name in enumerate(names)}
    prices = {name: Prices(n, 0.25, 0.1) for n, name in enumerate(names)}
    metrics.replace(Snapshot(cost=cost, latency=cost, prices=prices), 60)
    who = decider(RecentSnapshot(metrics), [MetricSource(type="cost", provider="models.dev")])
    asked = order(Prefer.CHEAPEST, tuple(names[9::-1]))
    assert who.decide(asked).models == tuple(names[:10])

    begin = time.thread_time()  # whoever else uses the processor does not count
    for _ in range(100):
        who.decide(asked)

    assert (time.thread_time() - begin) / 100 < 0.001


def test_a_source_is_due_at_the_start_and_at_each_interval(sources: tuple[MetricSource, ...]) -> None:
    cost, latency = sources
    fresh = Snapshot(cost={"a": Measure(1, 1000)}, latency={"a": Measure(1, 1000)})
    schedule = Schedule(sources)
    assert schedule.due(fresh, 1000) == [cost, latency]
    for source in sources:
        schedule.asked(source, 1000)

    assert schedule.due(fresh, 1059) == []
    assert schedule.due(fresh, 1060) == [latency]
    assert schedule.due(fresh, 1000 + HOUR) == [cost, latency]


def test_a_refresh_that_brought_nothing_is_due_again_soon(sources: tuple[MetricSource, ...]) -> None:
    """Not an interval later: that may be an hour. Redis may also have lost what it held."""
    cost = sources[0]
    schedule = Schedule([cost])
    schedule.asked(cost, 1000)

    assert schedule.due(EMPTY, 1000 + RETRY_S - 1) == []
    assert schedule.due(EMPTY, 1000 + RETRY_S) == [cost]
    assert schedule.due(Snapshot(cost={"a": Measure(1, 1000 + RETRY_S - HOUR)}), 1000 + RETRY_S) == [cost]


def test_a_clock_that_is_set_back_stops_no_refresh(sources: tuple[MetricSource, ...]) -> None:
    schedule = Schedule(sources[:1])
    schedule.asked(sources[0], 1000)

    assert schedule.due(EMPTY, 900) == [sources[0]]


def test_memory_mode_reads_its_sources_itself(tmp_path: Path, pages: Sources, router: Router) -> None:
    """From the first decision on: it waits a moment for the first answer."""
    config = tmp_path / "config.yaml"
    config.write_text(f"""
version: v0.4.0
model_providers:
  - {{model: acme/*, base_url: "http://127.0.0.1:1/v1", provider_interface: openai}}
model_metrics_sources:
  - {{type: cost, provider: digitalocean, url: "{pages.digitalocean}", model_aliases: {{acme/two: acme/three}}}}
routing: {{session_cache: {{type: memory}}, router: {{url: "{router.url}", model: Arch-Router}}}}
""")
    web = bootstrap.web(Settings(config=config), {}, Uncounted(), lambda: in_place.build)
    assert pages.calls == 0, "a server forks after it is built"

    for each in web.background:
        each.start()
    cheapest, fastest = (web.decisions.ask(order(prefer), 5).models for prefer in (Prefer.CHEAPEST, Prefer.FASTEST))

    assert cheapest == ("acme/two", "acme/three", "acme/one")
    assert fastest == MODELS
    assert pages.calls == 1
