"""One session, one model, over separately started web processes."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.fakes.router import Router
from tests.harness import Pool, RedisServer, wait_until
from tests.system.asking import DEEP, QUICK, ask, pinned

SESSIONS = 30


def test_the_second_request_goes_where_the_first_went_whatever_it_says(
    start: Callable[..., Pool], ports: tuple[int, int], router: Router, redis_of_its_own: RedisServer
) -> None:
    pool = start()
    pool.serve(*ports)

    first = ask(ports[0], "s-1", DEEP)
    later = [ask(port, "s-1", QUICK) for port in ports * 2]

    assert first.json()["model"] == "openai/gpt-5.2"
    assert not pinned(first)
    assert "x_plano_pinned" not in first.json()
    assert {answer.json()["model"] for answer in later} == {"openai/gpt-5.2"}
    assert all(pinned(answer) and answer.json()["x_plano_pinned"] for answer in later)
    assert router.calls == 1
    with redis_of_its_own.client() as client:
        assert json.loads(client.get("plano:affinity:s-1") or b"") == {
            "model_name": "openai/gpt-5.2",
            "route_name": "deep_reasoning",
        }
        assert 590 <= client.ttl("plano:affinity:s-1") <= 600


def test_eight_first_requests_at_once_cost_one_router_call_and_get_one_model(
    start: Callable[..., Pool], ports: tuple[int, int], router: Router
) -> None:
    """Thirty sessions, each opened by eight requests over two replicas.

    On a busy machine some reach the queue when the first is decided already, and have looked for the pin before.
    """
    router.delay = 0.05
    pool = start(budget_ms=20_000)
    pool.serve(*ports)
    texts = [DEEP, QUICK]

    seen = []
    with ThreadPoolExecutor(8) as clients:
        for n in range(SESSIONS):
            before = router.calls
            asked = [clients.submit(ask, ports[k % 2], f"burst-{n}", texts[k // 2 % 2]) for k in range(8)]
            models = {future.result().json()["model"] for future in asked}
            seen.append((len(models), router.calls - before))

    assert seen == [(1, 1)] * SESSIONS


def test_a_client_cannot_begin_more_sessions_a_minute_than_it_may(
    start: Callable[..., Pool], ports: tuple[int, int], redis_of_its_own: RedisServer
) -> None:
    """Over all replicas together; sessions that are pinned go on."""
    pool = start(listener="limits: {sessions_per_minute: 3}")
    pool.serve(*ports)

    answers = [ask(ports[n % 2], f"many-{n}", DEEP) for n in range(10)]
    old = ask(ports[0], "many-0", DEEP)

    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 4  # a minute may begin in the middle of it
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert pinned(old)
    with redis_of_its_own.client() as client:
        assert len(client.keys("plano:affinity:*")) == 10 - len(refused)


def test_a_pin_that_has_run_out_is_decided_anew(
    start: Callable[..., Pool], ports: tuple[int, int], router: Router, redis_of_its_own: RedisServer
) -> None:
    pool = start(ttl=3)
    pool.serve(ports[0])
    first = ask(ports[0], "short", DEEP)

    with redis_of_its_own.client() as client:
        wait_until(lambda: not client.exists("plano:affinity:short"), what="the end of the pin")
    anew = ask(ports[0], "short", QUICK)
    again = ask(ports[0], "short", DEEP)

    assert first.json()["model"] == "openai/gpt-5.2"
    assert (anew.json()["model"], pinned(anew)) == ("openai/gpt-4o-mini", False)
    assert (again.json()["model"], pinned(again)) == ("openai/gpt-4o-mini", True)
    assert router.calls == 2
