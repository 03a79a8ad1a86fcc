"""A part of the pool dies: requests are served all the same, say so, and all is well when it is back."""

import signal
from collections.abc import Callable

from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, wait_until
from tests.system.asking import DEEP, ask, pinned


def test_a_worker_that_dies_is_missed_for_one_budget_at_most(
    start: Callable[..., Pool], ports: tuple[int, int]
) -> None:
    pool = start()
    worker, _ = pool.serve(ports[0])
    worker.stop(signal.SIGKILL)

    without = ask(ports[0], "w-1")
    pool.worker()
    back = ask(ports[0], "w-1")

    assert (without.status_code, without.headers["x-plano-degraded"]) == (200, "router")
    assert without.json()["model"] == "openai/gpt-4o-mini"
    assert (back.json()["model"], pinned(back)) == ("openai/gpt-5.2", False)
    assert "x-plano-degraded" not in back.headers


def test_a_router_that_fails_costs_no_request(
    start: Callable[..., Pool], ports: tuple[int, int], router: Router
) -> None:
    pool = start()
    pool.serve(ports[0])
    router.behave("status", code=500)

    without = ask(ports[0], "r-1")
    router.behave(None)
    back = ask(ports[0], "r-1")

    assert (without.status_code, without.headers["x-plano-degraded"]) == (200, "router")
    assert (back.json()["model"], pinned(back)) == ("openai/gpt-5.2", False)


def test_pinned_sessions_return_to_their_model_when_redis_is_back(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    """Frozen, not killed: a Redis that only stops answering is the harder case, and it keeps its pins."""
    pool = start()
    pool.serve(ports[0])
    ask(ports[0], "p-1", DEEP)

    redis_of_its_own.send(signal.SIGSTOP)
    without = ask(ports[0], "p-1", DEEP)
    redis_of_its_own.send(signal.SIGCONT)
    back = wait_until(
        lambda: answer if "x-plano-degraded" not in (answer := ask(ports[0], "p-1", DEEP)).headers else None,
        what="the recovery",
    )

    assert (without.status_code, without.headers["x-plano-degraded"]) == (200, "redis")
    assert without.json()["model"] == "openai/gpt-4o-mini"
    assert (back.json()["model"], pinned(back)) == ("openai/gpt-5.2", True)


def test_a_redis_that_is_killed_and_comes_back_empty_is_used_again(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    pool = start()
    pool.serve(ports[0])
    ask(ports[0], "k-1", DEEP)

    redis_of_its_own.stop()
    without = [ask(ports[0], "k-1", DEEP) for _ in range(4)]
    redis_of_its_own.start()
    wait_until(lambda: "x-plano-degraded" not in ask(ports[0], "k-1", DEEP).headers, within_s=15, what="the recovery")
    back = ask(ports[0], "k-1", DEEP)

    assert [answer.headers.get("x-plano-degraded") for answer in without] == ["redis"] * 4
    assert all(answer.ok for answer in without)
    assert (back.json()["model"], pinned(back)) == ("openai/gpt-5.2", True)


def test_a_pool_that_starts_before_its_redis_serves_and_heals(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    redis_of_its_own.stop()
    pool = start()
    pool.web(ports[0])
    pool.worker(signs_on=False)

    without = ask(ports[0], "early", DEEP)
    redis_of_its_own.start()
    wait_until(
        lambda: "x-plano-degraded" not in ask(ports[0], "early", DEEP).headers, within_s=15, what="the recovery"
    )

    assert (without.status_code, without.headers["x-plano-degraded"]) == (200, "redis")
    assert ask(ports[0], "early", DEEP).json()["model"] == "openai/gpt-5.2"
