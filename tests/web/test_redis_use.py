"""What a request costs Redis."""

import secrets
import time
from collections.abc import Iterator

import pytest
import redis

from tests.fakes.provider import Provider
from tests.harness import SHARING, RedisServer, wait_until
from tests.web.gateway import REVIEW, WRITE, Gateway, Webs

IN_ANY_CASE = {"info", "config", "config|resetstat", "subscribe", "ping", "llen", "mget", "smembers", "pttl", "set"}
"""The test's own; the return of the subscription; what the failure detector asks on a busy machine; and what a
process does from time to time: it looks at cooldowns, workers and the queue, and tries whether it can write."""


@pytest.fixture
def back(webs: Webs, returning: RedisServer) -> Iterator[redis.Redis]:
    """The Redis of the site that found it away is there for this test; no worker uses it."""
    returning.start()
    wait_until(lambda: webs.away.ask("GET", "/readyz").ok, what="readiness")
    with returning.client() as client:
        yield client
    returning.stop()


def commands_of_requests(client: redis.Redis) -> dict[str, int]:
    """How often each command was called, by name, without those that come whether or not somebody asks."""
    spent = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in client.info("commandstats").items()}
    return {name: calls for name, calls in spent.items() if name not in IN_ANY_CASE | SHARING}


def pin(client: redis.Redis, session: str) -> None:
    client.set(f"plano:affinity:{session}", '{"model_name":"openai/gpt-5.2","route_name":"deep_reasoning"}', ex=60)


def test_a_pinned_request_is_one_get(webs: Webs, back: redis.Redis, session: str) -> None:
    pin(back, session)
    webs.away.chat(WRITE, session)
    # What is shared from time to time has been once: at its first use a script takes more.
    wait_until(lambda: back.exists(f"plano:session:{session}"), what="the session's record")
    back.config_resetstat()
    began = time.monotonic()

    answers = [webs.away.chat(WRITE, session) for _ in range(5)]
    answers += [webs.away.decide(WRITE, session) for _ in range(5)]

    assert [answer.headers["x-plano-pinned"] for answer in answers] == ["true"] * 10
    assert commands_of_requests(back) == {"get": 10}
    scripts = back.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
    assert back.info("commandstats").get("cmdstat_llen", {"calls": 0})["calls"] < 10, "a look at the queue for each"
    assert scripts <= 1 + time.monotonic() - began, "a script for each second, and none for a request"


def test_a_replica_that_found_redis_away_serves_pins_once_it_is_back(
    webs: Webs, back: redis.Redis, session: str
) -> None:
    """Fault 9 of the reference: the connection never came back, and none at the start meant none at all."""
    pin(back, session)

    answer = webs.away.chat(WRITE, session)

    assert answer.headers["x-plano-pinned"] == "true"
    assert "x-plano-degraded" not in answer.headers


def test_a_long_conversation_is_cut_before_it_is_queued(
    web: Gateway, provider: Provider, cache: redis.Redis, session: str
) -> None:
    """What is never read does not travel: Redis is asked how many bytes came in. RQ would compress plain words."""
    turns = [{"role": "user", "content": secrets.token_urlsafe(150_000)} for _ in range(10)]
    before = cache.info("stats")["total_net_input_bytes"]

    answer = web.chat(session=session, messages=[*turns, {"role": "user", "content": REVIEW}])

    assert answer.headers["x-plano-route"] == "deep_reasoning"
    assert len(provider.requests[0].body) > 2_000_000
    assert cache.info("stats")["total_net_input_bytes"] - before < 64 * 1024


def test_nothing_of_a_conversation_stays_in_redis(web: Gateway, cache: redis.Redis, session: str) -> None:
    web.chat(REVIEW, session)

    wait_until(lambda: not cache.keys("rq:job:*"), what="the end of the job")
    left = [cache.dump(key) or b"" for key in cache.scan_iter("*")]
    assert left
    assert not any(REVIEW.encode() in value for value in left)
