"""What a first request asks of Redis: each round trip costs as long as Redis is far away."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, running, wait_until
from tests.system.asking import DEEP, ask, pinned
from tests.system.conftest import config_text
from tests.system.inside.turns import Counters, TurnCounter

pytestmark = pytest.mark.alone

CONNECTIONS = 8
"""The most that a process may have."""
MANY = 300
FIRST = "openai/gpt-5.2"


class Counted(NamedTuple):
    """A pool whose processes reach Redis by a counter each."""

    port: int
    web: TurnCounter
    worker: TurnCounter
    server: RedisServer
    router: Router


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    folder, port = Path(tmp_path_factory.mktemp("counted")), free_port()
    with ExitStack() as made:
        server = RedisServer(folder).start()
        made.callback(server.stop)
        counters: Any = made.enter_context(Counters())
        web, worker = (made.enter_context(closing(counters.TurnCounter(server.socket))) for _ in range(2))
        provider, router = made.enter_context(Provider()), made.enter_context(Router())
        patient = {"budget_ms": 25_000, "router_more": ", timeout_ms: 25000"}  # a router that hangs does so for all
        config = config_text(provider, router, listener=f"limits: {{waiting_decisions: {MANY}}}", **patient)
        pool = made.enter_context(running(Pool(folder, config, server.url)))
        pool.worker(REDIS_URL=worker.url())
        pool.web(port, REDIS_URL=web.url())
        yield Counted(port, web, worker, server, router)


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
