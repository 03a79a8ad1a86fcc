"""Two web processes and two workers rank by what sources say and what the pool has seen, and count what it costs."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from shared.domain.ranking import Kind
from shared.errors import QueueDown, StoreDown
from shared.store import keys
from shared.store.connection.endpoint import RedisEndpoint
from shared.store.metrics.snapshot import MetricsStore
from shared.store.queue import RefreshQueue
from tests.endpoints import PATIENT_S, serving
from tests.fakes.ports import free_port
from tests.fakes.sources import Sources
from tests.harness import Pool, RedisServer, wait_until
from tests.web.gateway import CHAT, Gateway, Outside, body

ONE, TWO = "acme/one", "acme/two"
CONFIG = """
version: v0.4.0
model_providers: [{model: acme/*, base_url: "http://127.0.0.1:%(provider)d/v1", provider_interface: openai}]
model_metrics_sources:
  - {type: cost, provider: models.dev, url: "%(prices)s"}
  - {type: latency, provider: observed}
routing: {router: {url: "http://127.0.0.1:%(router)d/v1"}}
auth: {keys: [{name: open, key: ck-open}, {name: team, key: ck-team, tenant: team-a}]}
"""


class Live:
    """The pool, and what it stands among."""

    def __init__(
        self,
        outside: Outside,
        pages: Sources,
        webs: list[Gateway],
        client: redis.Redis,
        endpoint: RedisEndpoint,
    ) -> None:
        self.provider, self.router = outside.provider, outside.router
        self.pages = pages
        self.webs = webs
        self.client = client
        self.metrics = MetricsStore(endpoint.client(StoreDown))
        self._refreshes = RefreshQueue(endpoint.client(QueueDown))

    def refresh(self, kind: Kind, provider: str) -> None:
        """Have a worker read a source, as the clock does."""
        self._refreshes.refresh(kind, provider)
        wait_until(lambda: not list(self.client.scan_iter(f"rq:job:refresh-{kind}-*")), what="the refresh")

    def orders(self, prefer: str) -> set[tuple[str, ...]]:
        """The orders that the web processes are told; of so many decisions at once each worker makes some."""
        self.router.answer = '{"route": "any"}'
        route = {"name": "any", "description": "d", "models": [ONE, TWO], "selection_policy": {"prefer": prefer}}

        def decide(port: int) -> tuple[str, ...]:
            with closing(Gateway(port)) as client:
                client.headers = {"authorization": "Bearer ck-open"}
                return tuple(client.decide("anything", model=ONE, routing_preferences=[route]).json()["models"])

        with ThreadPoolExecutor(8) as together:
            return set(together.map(decide, [web.port for web in self.webs] * 4))


@pytest.fixture(scope="module")
def live(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with ExitStack() as stack:
        pages = stack.enter_context(Sources())
        pages.prices = {ONE: (2, 8, 0.5), TWO: (1, 4)}
        server = RedisServer(tmp_path_factory.mktemp("live-redis")).start()
        stack.callback(server.stop)
        facts = {"provider": outside.provider.port, "router": outside.router.port, "prices": pages.models_dev}
        pools = [Pool(tmp_path_factory.mktemp("live"), CONFIG % facts, server.url) for _ in range(4)]
        together = stack.enter_context(ThreadPoolExecutor(4))
        stack.callback(lambda: list(together.map(Pool.stop, pools)))
        ports = [free_port(), free_port()]
        workers = [together.submit(pool.worker) for pool in pools[:2]]
        list(together.map(Pool.web, pools[2:], ports))
        for worker in workers:
            worker.result()
        webs = [stack.enter_context(closing(Gateway(port))) for port in ports]
        for web in webs:
            web.headers = {"authorization": "Bearer ck-open"}
        client = stack.enter_context(server.client())
        endpoint = stack.enter_context(serving(server.url, silence_s=PATIENT_S))
        found = Live(outside, pages, webs, client, endpoint)
        found.refresh(Kind.COST, "models.dev")
        yield found


def counters(web: Gateway, name: str) -> dict[tuple[str, ...], float]:
    """A counter's values, by the values of its labels in the order of their names."""
    families = text_string_to_metric_families(web.ask("GET", "/metrics").text)
    samples = (sample for family in families for sample in family.samples if sample.name == name)
    return {tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value for sample in samples}


def counted(web: Gateway, name: str, **labels: str) -> float:
    return counters(web, name).get(tuple(labels[label] for label in sorted(labels)), 0.0)


def test_what_every_replica_sees_ranks_the_models_everywhere(live: Live) -> None:
    """The declared order stands until there is something to know; a failure, however quick, is not fast."""
    first, second = live.webs
    for web in live.webs:
        live.provider.behave("slow", seconds=2, model="one", times=1)
        web.chat(model=ONE)
    live.provider.behave("status", code=400, model="one")
    first.chat(model=ONE)
    live.provider.behave(None)
    second.chat(model=TWO)
    wait_until(lambda: live.client.hlen(keys.OBSERVED) == 2, what="what was seen")

    live.refresh(Kind.LATENCY, "observed")

    latency = live.metrics.snapshot().latency
    assert latency[ONE].value > 2 > latency[TWO].value > 0
    wait_until(lambda: live.orders("fastest") == {(TWO, ONE)}, what="the fastest first")


def test_every_web_process_hears_the_same_order_within_a_refresh(live: Live) -> None:
    assert live.orders("cheapest") == {(TWO, ONE)}
    live.pages.prices = {ONE: (2, 8, 0.5), TWO: (9, 9)}
    live.refresh(Kind.COST, "models.dev")

    wait_until(lambda: live.orders("cheapest") == {(ONE, TWO)}, what="the new order")


def test_a_web_process_tells_what_it_saw_once_a_second(live: Live) -> None:
    web = live.webs[0]
    live.client.config_resetstat()
    begin, before = time.monotonic(), weight(live, ONE)
    for _ in range(40):
        web.chat(model=ONE)
        web.chat(model=TWO)

    wait_until(lambda: weight(live, ONE) > before + 35, what="what was seen")

    calls = live.client.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert 1 <= calls <= time.monotonic() - begin + 2  # a second begun counts, and the script's first use twice


def test_what_answers_used_is_counted_in_tokens_and_dollars(live: Live) -> None:
    """Streamed or not, by model and tenant; what the provider had cached is told apart."""
    web = live.webs[1]
    usage = {"prompt_tokens": 1000, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 900}}
    live.provider.behave("status", code=200, body={"model": "one", "choices": [], "usage": usage}, times=2)
    for _ in range(2):
        ask(web, "ck-team", model=ONE)
    streamed = ask(web, "ck-team", model=TWO, stream=True, stream_options={"include_usage": True})
    whole = ask(web, "ck-open", model=TWO).json()["usage"]
    assert b'"usage":{"prompt_tokens"' in streamed.content.replace(b" ", b"")

    wait_until(lambda: counted(web, "plano_cost_usd_total", model=TWO, tenant="team-a"), what="the count")
    wait_until(lambda: counted(web, "plano_cost_usd_total", model=TWO, tenant=""), what="the count a second later")

    of_all = counters(web, "plano_tokens_total")
    assert {key: value for key, value in of_all.items() if "team-a" in key and value} == {
        ("cached", ONE, "team-a"): 1800,
        ("input", ONE, "team-a"): 200,
        ("output", ONE, "team-a"): 20,
        ("input", TWO, "team-a"): whole["prompt_tokens"],
        ("output", TWO, "team-a"): whole["completion_tokens"],
    }
    usd = counted(web, "plano_cost_usd_total", model=ONE, tenant="team-a")
    assert usd == pytest.approx((200 * 2 + 1800 * 0.5 + 20 * 8) / 1e6)


def weight(live: Live, model: str) -> float:
    """How many answers of the model count, about."""
    value: Any = live.client.hget(keys.OBSERVED, model) or b"[0,0,0]"
    return float(value.split(b",")[1])


def ask(web: Gateway, key: str, **fields: Any) -> Any:
    return web.ask("POST", CHAT, body(**fields), authorization=f"Bearer {key}")
