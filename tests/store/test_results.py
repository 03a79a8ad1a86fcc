"""Hearing what workers announce, whatever becomes of the announcement."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gevent
import pytest
import redis

from shared.domain.sessions import Session
from shared.errors import QueueDown
from shared.job_messages import DecisionResult
from shared.store.client import BACKSTOP_S
from shared.store.jobs.results import Results
from shared.store.pins import PinStore
from tests.endpoints import PATIENT_S, Replica, endpoint_to, replica_on
from tests.fakes.delay import SlowProxy
from tests.greenlets import in_greenlets
from tests.harness import RedisServer, wait_until
from tests.store.conftest import NewReplica
from tests.store.counts import calls
from tests.store.queueing import (
    BUDGET_S,
    MANY,
    PIN,
    RESULT,
    Ask,
    decide,
    job_of,
    order,
    queued,
    taken,
    work,
)

LIMIT_S = 2.0
"""Within which what was lost is found, on a busy machine; usually it takes a quarter of a second."""


def listeners(own: redis.Redis) -> dict[str, int]:
    """How many connections are subscribed to each channel."""
    channels: Any = own.pubsub_channels()
    return {name.decode(): own.pubsub_numsub(name)[0][1] for name in channels}


def subscribed(own: redis.Redis) -> set[str]:
    """The ids of the connections that are subscribed to anything."""
    return {client["id"] for client in own.client_list(_type="pubsub")}


def waiting(replica: Replica) -> int:
    """How many requests of a replica wait for a result."""
    return sum(len(waiters) for waiters in replica.results._waiters.values())


def test_one_channel_and_one_connection_serve_however_many_wait(
    own_server: RedisServer, new_replica: NewReplica, ask: Ask
) -> None:
    """A channel a session would be two commands more for each first request."""
    replica = new_replica(own_server.url)
    queue = replica.queue()
    with own_server.client() as own:
        asked = [ask(queue, order(f"s-{n}")) for n in range(MANY)]
        wait_until(lambda: waiting(replica) == MANY and len(queued(own)) == MANY, what="all of them")

        subscribed, connected = listeners(own), len(own.client_list(_type="pubsub"))
        decide(own)

        assert [each.result(BUDGET_S) for each in asked] == [RESULT] * MANY
        assert (subscribed, connected) == ({replica.results.channel: 1}, 1)
        assert calls(own, "subscribe") == 1


def test_a_result_is_for_those_who_wait_for_its_job(own_server: RedisServer, new_replica: NewReplica) -> None:
    replica = new_replica(own_server.url)
    with replica.results.expect("one") as one, replica.results.expect("other") as other, own_server.client() as own:
        own.publish(replica.results.channel, '{"job_id":"one","result":{"models":["openai/a"]}}')

        assert one.wait(LIMIT_S) == DecisionResult(models=("openai/a",))
        assert other.wait(0) is None


@pytest.mark.parametrize("job_id", ["the same", "another"])
def test_no_waiter_is_woken_with_another_one(job_id: str) -> None:
    """Each has an event of its own: of several that wait for one, gevent may never wake some (seen in 24.11 to 26.9).

    Their looks at the pin would hide that, but not for requests without a session.
    """
    results = Results(endpoint_to("redis://127.0.0.1:1").subscription_pool())
    with results.expect("the same") as one, results.expect(job_id) as other:
        one.tell(RESULT)
        heard = one.wait(LIMIT_S)
        begin = time.monotonic()
        not_heard = other.wait(0.3)

        assert (heard, not_heard) == (RESULT, None)
        assert time.monotonic() - begin > 0.25


def test_a_result_is_announced_to_the_process_that_asked_and_others_see_the_pin(
    own_server: RedisServer, new_replica: NewReplica, ask: Ask
) -> None:
    """Of a hundred replicas ninety-nine need not hear it; one whose request joined the job looks for its pin."""
    first, joiner = new_replica(own_server.url), new_replica(own_server.url)
    with own_server.client() as own:
        asked = ask(first.queue(), order())
        wait_until(lambda: queued(own), what="the job")
        joined = ask(joiner.queue(), order())
        wait_until(lambda: waiting(joiner), what="the other replica's request")

        PinStore(own).settle(Session("s"), PIN, 60)
        begin = time.monotonic()
        seen = joined.result(5)
        took_s = time.monotonic() - begin
        decide(own)

        assert (seen.models, seen.pin, seen.pinned) == (RESULT.models, PIN, True)
        assert took_s < LIMIT_S
        assert asked.result(5).models == RESULT.models


def test_a_lost_announcement_is_made_good_by_the_pin(
    own_server: RedisServer, new_replica: NewReplica, ask: Ask
) -> None:
    """It is as new as one that was heard: `pinned` says that a pin stood before, which is wrong on a first turn."""
    replica = new_replica(own_server.url)
    with own_server.client() as own:
        asked = ask(replica.queue(), order())
        wait_until(lambda: queued(own), what="the job")

        PinStore(own).settle(Session("s"), PIN, 60)
        taken(own)
        begin = time.monotonic()
        said = asked.result(5)
        took_s = time.monotonic() - begin

        assert (said.models, said.pin, said.pinned) == (RESULT.models, PIN, False)
        assert took_s < LIMIT_S
        assert queued(own) == []


def test_a_job_that_redis_has_lost_is_queued_again(
    own_server: RedisServer, new_replica: NewReplica, ask: Ask
) -> None:
    """It was restarted, and keeps nothing: whoever waits would wait in vain for as long as a decision may take."""
    replica = new_replica(own_server.url)
    with own_server.client() as own:
        asked = ask(replica.queue(), order())
        wait_until(lambda: queued(own), what="the job")

        own.flushall()
        wait_until(lambda: queued(own) == [job_of("s")], what="the job once more")
        decide(own)

        assert asked.result(5) == RESULT


def test_who_joined_a_job_that_ended_without_a_pin_asks_for_itself(
    own_server: RedisServer, new_replica: NewReplica, ask: Ask
) -> None:
    """The router failed, and only the process that had asked was told so."""
    first, joiner = new_replica(own_server.url), new_replica(own_server.url)
    with own_server.client() as own:
        asked = ask(first.queue(), order())
        wait_until(lambda: queued(own), what="the job")
        joined = ask(joiner.queue(), order())
        wait_until(lambda: waiting(joiner), what="the other replica's request")

        decide(own, DecisionResult(fault="router"))
        wait_until(lambda: queued(own) == [job_of("s")], what="the job once more")
        decide(own)

        assert asked.result(5) == DecisionResult(fault="router")
        assert joined.result(5) == RESULT


@pytest.mark.parametrize("fault", ["killed", "restarted"])
def test_the_subscription_comes_back(own_server: RedisServer, new_replica: NewReplica, ask: Ask, fault: str) -> None:
    """A decision without a session has no pin by which it could be heard instead."""
    replica = new_replica(own_server.url)
    if fault == "restarted":
        own_server.stop()
        own_server.start()
    with own_server.client() as own:
        killed: set[str] = set()
        if fault == "killed":
            killed = subscribed(own)
            own.client_kill_filter(_type="pubsub")
        wait_until(lambda: listeners(own) and not killed & subscribed(own), what="the subscription")
        asked = ask(replica.queue(), order(None))
        wait_until(lambda: queued(own), what="the job")

        decide(own)

        assert asked.result(5) == RESULT


def test_a_subscription_that_broke_is_made_anew_once(own_server: RedisServer, new_replica: NewReplica) -> None:
    """Redis would deliver to one that is then thrown away, and say that somebody has heard."""
    replica = new_replica(own_server.url)
    with own_server.client() as own, replica.results.expect("job") as waiter:
        wait_until(lambda: listeners(own), what="the subscription")
        own.config_resetstat()
        own.client_kill_filter(_type="pubsub")

        announcement = '{"job_id":"job","result":{"models":["openai/a"]}}'
        wait_until(lambda: own.publish(replica.results.channel, announcement), what="the next subscription")

        assert waiter.wait(LIMIT_S) == DecisionResult(models=("openai/a",))
        assert calls(own, "subscribe") == 1


def test_the_subscription_outlives_the_longest_wait_for_an_answer(
    own_server: RedisServer, new_replica: NewReplica
) -> None:
    """Nothing may be announced for hours."""
    replica = new_replica(own_server.url)
    with own_server.client() as own, replica.results.expect("none") as waiter:
        assert waiter.wait(BACKSTOP_S + 0.5) is None
        assert calls(own, "subscribe") == 1
    assert not replica.endpoint.breaker.is_open


def test_the_subscription_follows_a_failover(
    own_server: RedisServer, redis_server: RedisServer, store: redis.Redis, slow: SlowProxy, new_replica: NewReplica
) -> None:
    """Behind one address: workers announce on the new primary; the connection that stands leads to the old one."""
    replica = new_replica(f"redis://127.0.0.1:{slow.port}")
    with own_server.client() as own:
        own.replicaof("127.0.0.1", 1)
        slow.lead_to(redis_server.socket)

        with pytest.raises(QueueDown):
            replica.endpoint.client(QueueDown).eval("return redis.call('SET', KEYS[1], 'v')", 1, "k")

        wait_until(lambda: listeners(store), what="the subscription")


def test_whoever_waits_is_woken_when_redis_is_known_to_be_away(
    own_server: RedisServer, new_replica: NewReplica
) -> None:
    """What their workers find out could not be heard."""
    replica = new_replica(own_server.url)

    def hear(n: int) -> object:
        with replica.results.expect(f"job-{n % 4}") as waiter:
            return waiter.wait(10)

    with ThreadPoolExecutor(16) as askers:
        hearing = [askers.submit(hear, n) for n in range(16)]
        wait_until(lambda: waiting(replica) == 16, what="all of them")
        begin = time.monotonic()
        replica.endpoint.breaker.open("for a test")
        errors = [each.exception(10) for each in hearing]

    assert [type(error) for error in errors] == [QueueDown] * 16
    assert time.monotonic() - begin < 5  # they would wait for 10


def rounds(url: str) -> dict[str, int]:
    """Twelve times sixty sessions, two first requests each, at once in one process; and a worker for them."""
    heard = hung = failed = 0
    with replica_on(url, silence_s=PATIENT_S) as replica, redis.Redis.from_url(url) as own:
        queue = replica.queue()
        worker = gevent.spawn(work, own)
        for n in range(12):
            orders = [order(f"{n}-{s}") for s in range(60) for _ in range(2)]
            asked = [gevent.spawn(queue.ask, each, 5.0) for each in orders]
            gevent.joinall(asked, timeout=8)
            heard += sum(each.successful() for each in asked)
            failed += sum(each.exception is not None for each in asked)
            hung += sum(not each.ready() for each in asked)
        worker.kill()
    return {"heard": heard, "failed": failed, "hung": hung}


@pytest.mark.usefixtures("store")
def test_of_sixty_sessions_with_two_first_requests_each_nobody_hangs(redis_server: RedisServer) -> None:
    """When several waited for one event, 32 of 1,440 requests did."""
    assert in_greenlets(rounds, redis_server.url) == {"heard": 1440, "failed": 0, "hung": 0}


def test_a_job_that_has_just_ended_is_not_queued_again(
    own_server: RedisServer,
    slow: SlowProxy,
    new_replica: NewReplica,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its result is on its way already: the router, who may be dear, would be asked twice."""
    monkeypatch.setattr("shared.store.queue._LAST_WORD_S", 1.0)  # it may come late on a busy machine
    queue = new_replica(f"redis://127.0.0.1:{slow.port}").queue()
    with own_server.client() as own:
        slow.delay = 0.1
        asked = ask(queue, order())
        wait_until(lambda: queued(own) == [job_of("s")], what="the job")

        wait_until(lambda: calls(own, "get"), what="the first look at the pin")
        decide(own)
        said = asked.result(5)
        wait_until(lambda: calls(own, "exists"), what="the look at the job")

        assert said == RESULT
        assert queued(own) == []
