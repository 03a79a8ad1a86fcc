"""Debian's Prometheus scrapes a running pool: what dashboards and alerts ask for is there."""

import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import yaml

from deploy.grafana.__main__ import DASHBOARDS
from tests.fakes.metered import Metered
from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.harness import Pool, Process, RedisServer, running, wait_until
from tests.system.asking import DEEP, ask
from tests.system.conftest import config_text
from tests.system.prometheus import MISSING, PROGRAM, RULES, Prometheus

pytestmark = pytest.mark.skipif(not PROGRAM, reason=MISSING)

WITHIN_S = 60.0
PRICES = """
openai/gpt-4o-mini: {input: 0.15, output: 0.6, cache_read: 0.075}
openai/gpt-5.2: {input: 2, output: 8, cache_read: 0.2}
"""
COST = "model_metrics_sources: [{type: cost, provider: file, path: prices.yaml, refresh_interval: 1}]"
LONG = DEEP + " of what follows." + " It is long." * 800
ALERTS = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
KEPT = 'sum(increase(plano_kept_usd_total{job="$job"}[1h]))'
EMPTY = {
    "PlanoSplitSession": "no session is split here; the counter is there, and 0",
    "PlanoPinHitsFall": "it compares with what was half an hour ago; promtool has its fault",
}
"""The alerts whose faults this pool does not have, and why."""
EXPRESSIONS = sorted(
    {
        target["expr"]
        for dashboard in DASHBOARDS.values()
        for panel in dashboard.json()["panels"]
        for target in panel.get("targets", ())
    }
)


class Watched:
    """A pool of two replicas and a worker, and the Prometheus that watches it."""

    def __init__(self, pool: Pool, worker: Process, ports: tuple[int, int], prometheus: Prometheus) -> None:
        self.pool = pool
        self.worker = worker
        self.ports = ports
        self.prometheus = prometheus
        self._turns = 0

    def values(self, expr: str) -> list[float]:
        """What an expression of a dashboard or an alert says."""
        return self.prometheus.values(expr.replace("$job", "plano").replace("$__rate_interval", "30s"))

    def turn(self, provider: Metered, store: RedisServer) -> None:
        """What clients do: begin sessions, go on, meet a model that fails, and ask for what is not there."""
        self._turns += 1
        for n, port in enumerate(self.ports):
            session = f"s-{self._turns}-{n}"
            for _ in range(3):
                ask(port, session, LONG)
            provider.behave("status", code=503, model="gpt-5.2", times=1)
            ask(port, session, LONG)
            provider.behave(None)
            requests.get(f"http://127.0.0.1:{port}/nothing", timeout=5)
            with store.client() as client:  # something else writes to a key of ours
                client.set("plano:affinity:garbled", b"no pin", ex=60)
            ask(port, "garbled")


@pytest.fixture(scope="module")
def provider() -> Iterator[Metered]:
    """It says in its answers what came from a prompt cache."""
    with Metered() as server:
        yield server


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def watched(provider: Metered, store: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The second replica has another config, and at a third address is none."""
    folders = [tmp_path_factory.mktemp(name) for name in ("pool", "odd", "prometheus")]
    ports = free_port(), free_port()
    with Router() as router:
        text = config_text(provider, router, tracing=COST, budget_ms=10_000)
        pool = Pool(folders[0], text, store.url)
        odd = Pool(folders[1], text + "# its digest differs\n", store.url)
        for folder in folders[:2]:
            (folder / "prices.yaml").write_text(PRICES)
        with running(pool), running(odd):
            worker, _ = pool.serve(ports[0])
            odd.web(ports[1])
            prometheus = Prometheus(folders[2], (*ports, free_port()))
            try:
                yield Watched(pool, worker, ports, prometheus.start())
            finally:
                prometheus.stop()


def test_without_prices_the_alert_says_so(watched: Watched) -> None:
    """No clock runs yet, so nobody has read the source."""
    wait_until(lambda: watched.values(ALERTS["PlanoNoPrices"]), within_s=WITHIN_S, what="the alert's data")


def test_every_expression_of_the_dashboards_returns_data(
    watched: Watched, provider: Metered, store: RedisServer
) -> None:
    watched.pool._start("clock")
    wait_until(lambda: not watched.values(ALERTS["PlanoNoPrices"]), within_s=WITHIN_S, what="prices")
    missing = set(EXPRESSIONS)

    def found() -> bool:
        watched.turn(provider, store)
        missing.difference_update([expr for expr in missing if watched.values(expr)])
        return not missing and max(watched.values(KEPT)) > 0

    try:
        wait_until(found, within_s=WITHIN_S)
    finally:
        assert not missing


@pytest.mark.parametrize("alert", ["PlanoConfigsDiffer", "PlanoReplicaDown", "PlanoModelCooling"])
def test_the_data_of_an_alert_is_there_in_its_fault(watched: Watched, provider: Metered, alert: str) -> None:
    """A replica has another config; there is no replica at the third address; a model has failed twice."""
    for port in watched.ports:
        provider.behave("status", code=503, model="gpt-5.2", times=2)
        ask(port)
        ask(port)
    provider.behave(None)

    wait_until(lambda: watched.values(ALERTS[alert]), within_s=WITHIN_S, what=f"the data of {alert}")


def test_answers_that_are_errors_raise_the_alert(watched: Watched, provider: Metered) -> None:
    provider.behave("status", code=503)

    def raised() -> list[float]:
        for port in watched.ports:
            ask(port)
        return watched.values(ALERTS["PlanoServerErrors"])

    wait_until(raised, within_s=WITHIN_S, what="the data of PlanoServerErrors")
    provider.behave(None)


def test_jobs_that_wait_raise_the_alert(watched: Watched) -> None:
    """The worker stands still, and for three seconds nobody has noticed."""
    with ThreadPoolExecutor(20) as together:
        watched.worker.send(signal.SIGSTOP)
        try:
            for n in range(20):
                together.submit(ask, watched.ports[n % 2], f"waits-{n}")
            wait_until(lambda: watched.values(ALERTS["PlanoQueueGrows"]), within_s=WITHIN_S)
        finally:
            watched.worker.send(signal.SIGCONT)


def test_without_workers_three_alerts_say_so(watched: Watched) -> None:
    """New sessions are served by their own model: that is degraded, too."""
    wait_until(lambda: max(watched.values("job:plano_workers:max"), default=0) == 1, what="the worker")
    watched.worker.stop()
    missing = {"PlanoNoWorkers", "PlanoWorkerGone", "PlanoDegraded"}

    def raised() -> bool:
        for port in watched.ports:
            ask(port, f"new-{time.monotonic()}")
        missing.difference_update([alert for alert in missing if watched.values(ALERTS[alert])])
        return not missing

    try:
        wait_until(raised, within_s=WITHIN_S)
    finally:
        assert not missing


def test_what_is_not_seen_here_is_listed_and_empty(watched: Watched) -> None:
    """Each of them asks for series that there are: without its comparison it has data."""
    for alert in EMPTY:
        assert watched.values(ALERTS[alert]) == []
        (series, *_) = re.split(r"[<>]", ALERTS[alert])
        assert watched.values(series), alert
