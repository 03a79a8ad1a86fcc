"""What requests ask of Redis: each round trip costs as long as Redis is far away."""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from tests.fakes.metered import Metered
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running, wait_until
from tests.system.asking import DEEP, ask, chat, pinned
from tests.system.conftest import config_text
from tests.system.inside.turns import Counters, TurnCounter
from tests.web.test_money import refresh

pytestmark = pytest.mark.alone

CONNECTIONS = 8
"""The most that a process may have."""
MANY = 300
FIRST = "openai/gpt-5.2"
DEFAULT = "openai/gpt-4o-mini"

WORTH = """
  session_ttl_mode: cache
  redecide: when_cold
  routing_budget: {percent: 50}
  implicit_sessions: true
"""
SOURCES = "model_metrics_sources: [{type: cost, provider: file, path: prices.yaml}]"
PRICES = {model: {"input": 10, "output": 10, "cache_read": 1} for model in (FIRST, DEFAULT)}
USER = {"role": "user", "content": DEEP}
CALL = {"id": "c", "type": "function", "function": {"name": "grep", "arguments": "{}"}}
LOOP: list[dict[str, Any]] = [
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "x"},
]
TOOL = {"type": "function", "function": {"name": "grep", "parameters": {"type": "object"}}}
SIGNED = {"role": "assistant", "content": "so", "extra_content": {"google": {"thought_signature": "s"}}}
TURNS: dict[str, list[dict[str, Any]]] = {
    "in a tool loop": [USER, *LOOP],
    "bound": [USER, SIGNED, USER],
    "of the user's": [USER],
}
"""What may not switch; the last only because its client says that it spends nothing."""


class Counted(NamedTuple):
    """A pool whose processes reach Redis by a counter each."""

    port: int
    web: TurnCounter
    worker: TurnCounter
    server: RedisServer
    router: Router


@contextmanager
def counted(folder: Path, provider: Provider, **config: object) -> Iterator[Counted]:
    """A pool with such a config; its files are in the folder."""
    port = free_port()
    with ExitStack() as made:
        server = RedisServer(folder).start()
        made.callback(server.stop)
        counters: Any = made.enter_context(Counters())
        web, worker = (made.enter_context(closing(counters.TurnCounter(server.socket))) for _ in range(2))
        router = made.enter_context(Router())
        pool = made.enter_context(running(Pool(folder, config_text(provider, router, **config), server.url)))
        pool.worker(REDIS_URL=worker.url())
        pool.web(port, REDIS_URL=web.url())
        yield Counted(port, web, worker, server, router)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    """A pool that waits long: a router that hangs does so for all."""
    patient = {"budget_ms": 25_000, "router_more": ", timeout_ms: 25000"}
    folder, limits = tmp_path_factory.mktemp("counted"), f"limits: {{waiting_decisions: {MANY}}}"
    with Provider() as provider, counted(folder, provider, listener=limits, **patient) as pool:
        yield pool


@pytest.fixture(scope="module")
def worth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    """A pool that knows what its pins are worth, with every setting that has to do with it."""
    folder = tmp_path_factory.mktemp("worth")
    prices = folder / "prices.yaml"
    prices.write_text(json.dumps(PRICES))
    with Metered() as provider, counted(folder, provider, routing=WORTH, listener=SOURCES) as pool:
        provider.prices = PRICES
        refresh(pool.server.url, prices)
        wait_until(lambda: "x-plano-cost-usd" in ask(pool.port).headers, within_s=60, what="the prices in web")
        yield pool


def test_a_first_request_takes_three_round_trips_in_web_and_four_in_its_worker(pool: Counted) -> None:
    """Of ten the one that took fewest: one that takes longer than a quarter of a second looks for its pin besides."""
    ask(pool.port, "warm", DEEP)
    turns = []
    for n in range(10):
        before = pool.web.mark(), pool.worker.mark()
        answer = ask(pool.port, f"first-{n}", DEEP)
        turns.append((pool.web.since(before[0]), pool.worker.since(before[1])))
        assert (answer.json()["model"], pinned(answer)) == (FIRST, False)

    in_web, in_worker = (min((each[side] for each in turns), key=len) for side in (0, 1))
    assert 2 <= len(in_web) <= 3, in_web
    assert 3 <= len(in_worker) <= 4, in_worker


def test_a_process_has_eight_connections_at_most_however_many_first_requests_wait(pool: Counted) -> None:
    """Plans of Redis allow as few as twenty."""
    pool.router.behave("hang")
    with pool.server.client() as client, ThreadPoolExecutor(MANY) as clients:
        asked = [clients.submit(ask, pool.port, f"many-{n}", DEEP) for n in range(MANY)]
        wait_until(lambda: len(list(client.scan_iter("rq:job:*", count=1000))) == MANY, within_s=20, what="the jobs")
        pool.router.behave(None)
        answers = [each.result() for each in asked]

    assert Counter((answer.json()["model"], answer.headers.get("x-plano-degraded")) for answer in answers) == {
        (FIRST, None): MANY
    }
    assert 0 < pool.web.most() <= CONNECTIONS
    assert 0 < pool.worker.most() <= CONNECTIONS


@pytest.mark.parametrize("named", [True, False], ids=["named", "implicit"])
@pytest.mark.parametrize("kind", TURNS)
def test_a_pinned_request_takes_one_with_all_that_weighs_what_a_pin_is_worth(
    worth: Counted, kind: str, named: bool
) -> None:
    """Fifteen of twenty at least: once a second, what was saved is written, which may be during a request."""
    headers = {"x-plano-routing-budget": "0" if kind == "of the user's" else "50"}
    if named:
        headers["x-model-affinity"] = uuid.uuid4().hex
    messages = [{"role": "system", "content": f"{kind}, named: {named}"}, *TURNS[kind]]
    asked = {"messages": messages, "tools": [TOOL]}

    def turns() -> int:
        before = worth.web.mark()
        answer = requests.post(chat(worth.port), json=asked, headers=headers, timeout=30)
        assert float(answer.headers["x-plano-cost-usd"]) > 0
        found.append(pinned(answer))
        return len(worth.web.since(before))

    found: list[bool] = []
    taken = [turns() for _ in range(21)]

    assert found == [False] + [True] * 20
    assert taken[1:].count(1) >= 15, taken
