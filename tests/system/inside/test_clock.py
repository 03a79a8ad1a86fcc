"""The clock asks for refreshes, workers do them: real processes, and what the clock does in a tick."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import redis

from shared.config.sections import MetricSource
from shared.domain.conversation import Message
from shared.domain.ranking import EMPTY, Kind
from shared.domain.routes import Prefer, Route
from shared.errors import QueueDown, StoreDown
from shared.job_messages import DecisionRequest
from shared.store.metrics.snapshot import MetricsStore
from shared.store.queue import REFRESH_LIMIT_S, DecisionQueue, RefreshQueue
from tests.endpoints import PATIENT_S, endpoint_to, replica_on, serving
from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.fakes.sources import Sources
from tests.harness import Pool, Process, RedisServer, wait_until
from workers.clock import tick
from workers.metrics.schedule import Schedule

MODELS = ("acme/one", "acme/two")
TURNED = MODELS[::-1]
COST = MetricSource(type="cost", provider="models.dev", refresh_interval=60)
LATENCY = MetricSource(type="latency", provider="prometheus", refresh_interval=60)
ENDS_WITHIN_S = 5.0
"""It ends at once; a busy machine takes its time for anything."""


class Running(NamedTuple):
    """Two workers, a clock and one that has nothing to do."""

    pool: Pool
    clock: Process
    idle: Process
    pages: Sources
    decisions: DecisionQueue
    refreshes: RefreshQueue
    metrics: MetricsStore
    client: redis.Redis

    def models(self, prefer: Prefer) -> set[tuple[str, ...]]:
        """The orders that the workers come to; of so many decisions at once each makes some."""
        with ThreadPoolExecutor(16) as together:
            verdicts = list(together.map(lambda _: self.decisions.ask(order(prefer), 5), range(16)))
        return {verdict.models for verdict in verdicts}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    with Sources() as pages, Router() as router, server.client() as client, ThreadPoolExecutor(4) as together:
        pages.prices = {"one": (1, 1), "two": (2, 2)}
        pages.latencies = {"one": 0.5, "acme/two": 0.1}
        pool = Pool(tmp_path_factory.mktemp("pool"), config_of(pages, router), server.url)
        idle_pool = Pool(tmp_path_factory.mktemp("idle"), config_of(None, router), server.url)
        try:
            server.start()
            workers = [together.submit(pool.worker) for _ in range(2)]
            clock, idle = pool._start("clock"), idle_pool._start("clock")
            for worker in workers:
                worker.result()
            with replica_on(server.url, silence_s=PATIENT_S) as replica:
                refreshes = RefreshQueue(replica.endpoint.client(QueueDown))
                metrics = MetricsStore(replica.endpoint.client(StoreDown))
                yield Running(pool, clock, idle, pages, replica.queue(), refreshes, metrics, client)
        finally:
            for process in (*pool.processes, *idle_pool.processes):
                process.stop(signal.SIGKILL)  # how a worker drains is tested elsewhere
            server.stop()


def config_of(pages: Sources | None, router: Router) -> str:
    sources = (
        pages
        and f"""
model_metrics_sources:
  - {{type: cost, provider: digitalocean, url: "{pages.digitalocean}"}}
  - {{type: latency, provider: prometheus, url: "{pages.prometheus}", query: ttft, refresh_interval: 60}}
"""
    )
    return f"""
version: v0.4.0
model_providers:
  - {{model: acme/*, base_url: "http://127.0.0.1:{free_port()}/v1", provider_interface: openai}}
{sources or ""}
routing: {{router: {{url: "{router.url}", model: Arch-Router}}}}
"""


def order(prefer: Prefer) -> DecisionRequest:
    return DecisionRequest(
        model_name=MODELS[0],
        session=None,
        ttl_s=60,
        routes=(Route("any", "anything", MODELS, prefer),),
        inline=False,
        messages=(Message("user", "anything at all"),),
        request_id="r",
        traceparent="00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
    )


def ids(client: redis.Redis) -> list[str]:
    return [key.decode() for key in client.scan_iter("rq:job:refresh-*")]


def test_the_pool_ranks_by_what_its_sources_say_and_goes_on_without_them(running: Running) -> None:
    """Sources and clock may go: all that changes is the age of the data."""
    wait_until(lambda: running.metrics.snapshot().cost and running.metrics.snapshot().latency, what="a snapshot")
    wait_until(lambda: running.models(Prefer.CHEAPEST) == {MODELS}, what="the cheapest first")
    wait_until(lambda: running.models(Prefer.FASTEST) == {TURNED}, what="the fastest first")

    running.pages.prices = {"one": (3, 3), "two": (2, 2)}
    running.refreshes.refresh("cost", "digitalocean")
    wait_until(lambda: running.models(Prefer.CHEAPEST) == {TURNED}, what="the new order")
    standing = running.metrics.snapshot()

    running.pages.close()
    begin = time.monotonic()
    assert running.clock.stop() == 0
    assert time.monotonic() - begin < ENDS_WITHIN_S
    running.refreshes.refresh("cost", "digitalocean")
    wait_until(lambda: any("s old stands" in one.text() for one in running.pool.processes), what="the failed refresh")
    wait_until(lambda: not ids(running.client), what="the job's end")

    assert running.metrics.snapshot() == standing
    # Each worker reads the snapshot by itself.
    wait_until(lambda: running.models(Prefer.CHEAPEST) == {TURNED}, what="the cheapest first, as before")
    assert running.models(Prefer.FASTEST) == {TURNED}
    assert not list(running.client.scan_iter("rq:failed:*"))


def test_a_clock_without_sources_says_so_and_waits(running: Running) -> None:
    wait_until(lambda: "clock started: no metric sources are configured" in running.idle.text())
    begin = time.monotonic()

    assert running.idle.stop(signal.SIGTERM) == 0
    assert time.monotonic() - begin < ENDS_WITHIN_S
    assert "clock stopped" in running.idle.text()


@pytest.fixture
def queue(redis_server: RedisServer) -> Iterator[RefreshQueue]:
    with serving(redis_server.url, silence_s=PATIENT_S) as endpoint:
        yield RefreshQueue(endpoint.client(QueueDown))


def test_every_source_is_asked_for_at_the_start_under_an_id_of_its_own(
    queue: RefreshQueue, store: redis.Redis
) -> None:
    tick(Schedule([COST, LATENCY]), queue, EMPTY, 1000)

    assert sorted(ids(store)) == ["rq:job:refresh-cost-models_dev", "rq:job:refresh-latency-prometheus"]


def test_two_clocks_ask_for_one_refresh(queue: RefreshQueue, store: redis.Redis) -> None:
    for _ in range(2):
        tick(Schedule([COST]), queue, EMPTY, 1000)

    assert store.llen("rq:queue:plano") == 1


def test_a_refresh_that_no_worker_takes_goes_away(queue: RefreshQueue, store: redis.Redis) -> None:
    """So does the id of one whose worker was killed."""
    assert queue.refresh(Kind.COST, "models.dev")

    assert 0 < store.ttl("rq:job:refresh-cost-models_dev") <= 2 * REFRESH_LIMIT_S


def test_what_the_queue_did_not_take_stays_due(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    schedule = Schedule([COST])
    queue = RefreshQueue(endpoint_to(server.url).client(QueueDown))
    with server.client() as client:
        tick(schedule, queue, EMPTY, 1000)
        server.start()

        tick(schedule, queue, EMPTY, 1001)

        assert ids(client) == ["rq:job:refresh-cost-models_dev"]
        assert schedule.due(EMPTY, 1002) == []
    server.stop()
