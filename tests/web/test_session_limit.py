"""How many sessions a client may begin: by its key, else by its address."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running
from tests.web.gateway import DECISION, Gateway, Outside, body, error_of

LIMIT = 3
CONFIG = """
version: v0.4.0
model_providers: [{model: openai/gpt-4o-mini, base_url: "http://127.0.0.1:%d/v1", access_key: sk-openai}]
limits: {sessions_per_minute: 3}
"""
ROUTES = """
routing_preferences: [{name: any, description: anything, models: [openai/gpt-4o-mini]}]
routing: {decision_timeout_ms: 100}
"""
WITH_KEYS = """
auth: {keys: [{name: one, key: k-one}, {name: two, key: k-two}]}
"""


@pytest.fixture(scope="module")
def pools(
    outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Gateway]]:
    config = CONFIG % outside.provider.port
    sites = {
        "keyed": (config + WITH_KEYS, {}),
        "near": (config, {}),
        "far": (config, {"FORWARDED_ALLOW_IPS": "192.0.2.1"}),
        "alone": (config + ROUTES, {}),
    }
    ports = {name: free_port() for name in sites}
    made = {name: Pool(tmp_path_factory.mktemp(name), text, server.url) for name, (text, _) in sites.items()}
    made["alone"] = Pool(tmp_path_factory.mktemp("alone"), sites["alone"][0], f"{server.url}?db=5")  # has no worker
    with (
        running(made["keyed"]),
        running(made["near"]),
        running(made["far"]),
        running(made["alone"]),
        closing(Gateway(ports["keyed"])) as keyed,
        closing(Gateway(ports["near"])) as near,
        closing(Gateway(ports["far"])) as far,
        closing(Gateway(ports["alone"])) as alone,
    ):
        for name, (_, env) in sites.items():
            made[name].web(ports[name], **env)
        yield {"keyed": keyed, "near": near, "far": far, "alone": alone}


@pytest.fixture(autouse=True)
def nobody_has_begun(cache: redis.Redis) -> None:
    for key in cache.scan_iter("plano:sessions:*"):
        cache.delete(key)


def statuses(gateway: Gateway, session: str, *clients: dict[str, str]) -> list[list[int]]:
    """What each client gets for more than twice as many sessions as one may begin; all of them ask in turn."""
    found: list[list[int]] = [[] for _ in clients]
    for n in range(2 * LIMIT + 1):
        for at, headers in enumerate(clients):
            answer = gateway.ask("POST", DECISION, body(), x_model_affinity=f"{session}-{at}-{n}", **headers)
            found[at].append(answer.status_code)
    return found


def counted(cache: redis.Redis) -> set[str]:
    """Who has been counted."""
    return {bytes(key).decode().split(":")[2] for key in cache.scan_iter("plano:sessions:*")}


def served(found: list[list[int]]) -> list[bool]:
    """Whether each client got its share; a minute may begin in the middle, and then it is up to twice as much."""
    return [LIMIT <= each.count(200) <= 2 * LIMIT and set(each) == {200, 429} for each in found]


def test_each_key_has_a_limit_of_its_own(pools: dict[str, Gateway], cache: redis.Redis, session: str) -> None:
    """All clients without a tenant were counted together: one of them could lock all others out."""
    found = statuses(pools["keyed"], session, {"authorization": "Bearer k-one"}, {"authorization": "Bearer k-two"})

    assert served(found) == [True, True]
    assert counted(cache) == {"one", "two"}


def test_without_keys_each_address_has_one(pools: dict[str, Gateway], session: str) -> None:
    found = statuses(pools["near"], session, {"x_forwarded_for": "198.51.100.7"}, {"x_forwarded_for": "198.51.100.8"})

    assert served(found) == [True, True]


def test_who_goes_beyond_it_is_told_when_to_come_again(pools: dict[str, Gateway], session: str) -> None:
    answers = [
        pools["near"].ask(
            "POST",
            DECISION,
            body(),
            x_model_affinity=f"{session}-{n}",
            x_forwarded_for=f"203.0.113.{n}, 198.51.100.9",
        )
        for n in range(2 * LIMIT + 1)
    ]

    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert error_of(refused[0])["code"] == "too_many_sessions"
    assert int(refused[0].headers["retry-after"]) > 0


def test_a_session_that_is_to_be_decided_anew_counts_each_time(pools: dict[str, Gateway], session: str) -> None:
    """Else one session could have the router asked as often as its client likes."""
    headers = {"x_model_affinity": session, "x_plano_affinity": "new", "x_forwarded_for": "198.51.100.10"}
    statuses = [pools["near"].ask("POST", DECISION, body(), **headers).status_code for _ in range(2 * LIMIT + 1)]

    assert 429 in statuses
    assert statuses[:LIMIT] == [200] * LIMIT


def test_a_session_that_goes_on_does_not_count(pools: dict[str, Gateway], session: str) -> None:
    headers = {"x_model_affinity": session, "x_forwarded_for": "198.51.100.11"}
    statuses = [pools["near"].ask("POST", DECISION, body(), **headers).status_code for _ in range(2 * LIMIT + 1)]

    assert statuses == [200] * (2 * LIMIT + 1)


def test_sessions_that_cannot_be_pinned_are_not_counted(pools: dict[str, Gateway], session: str) -> None:
    """Without a worker each turn of a session would be one more that begins: an outage would end in refusals."""
    answers = [
        pools["alone"].ask("POST", DECISION, body(), x_model_affinity=f"{session}-{n}") for n in range(3 * LIMIT)
    ]

    assert [answer.status_code for answer in answers] == [200] * 3 * LIMIT
    assert {answer.headers["x-plano-degraded"] for answer in answers} <= {"queue", "router"}


def test_only_a_trusted_proxy_names_the_client(pools: dict[str, Gateway], cache: redis.Redis, session: str) -> None:
    """Else a client would write another address before each request, and be counted as many."""
    for n in range(LIMIT):
        pools["far"].ask(
            "POST", DECISION, body(), x_model_affinity=f"{session}-{n}", x_forwarded_for=f"198.51.100.{n}"
        )

    assert counted(cache) == {"127.0.0.1"}


def test_one_process_on_its_own_has_the_limit_too(outside: Outside, tmp_path: Path, session: str) -> None:
    config = CONFIG % outside.provider.port + "routing: {session_cache: {type: memory}}\n"
    port = free_port()
    with running(Pool(tmp_path, config, "redis://unused")) as pool, closing(Gateway(port)) as alone:
        pool.web(port)
        statuses = [
            alone.ask("POST", DECISION, body(), x_model_affinity=f"{session}-{n}").status_code
            for n in range(2 * LIMIT + 1)
        ]

    assert statuses[:LIMIT] == [200] * LIMIT
    assert 429 in statuses
