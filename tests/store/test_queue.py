"""Asking workers for decisions."""

import json
import time
import zlib
from typing import Any

import msgspec
import pytest
import redis
from rq.job import Job

from shared.domain.routes import Route
from shared.errors import RouterDown, TooManyWaiting
from shared.job_messages import DecisionResult
from shared.store.connection.store_client import StoreClient
from shared.store.jobs.job_data import JOB_BYTES
from shared.store.queue import QUEUE, RefreshQueue, announce, refresh_job
from tests.endpoints import Replica
from tests.harness import wait_until
from tests.store.queueing import (
    BUDGET_S,
    RESULT,
    Ask,
    NewQueue,
    decide,
    job_of,
    order,
    queued,
    settle_and_decide,
    taken,
)
from workers.queue.accepted_jobs import FIELDS, admitted


def joined(replicas: list[Replica]) -> list[int]:
    """How many requests wait for the session's job, in each replica."""
    return [len(replica.results._waiters.get(job_of("s"), ())) for replica in replicas]


def test_what_a_worker_announces_is_heard(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    asked = ask(new_queue(), order())
    wait_until(lambda: queued(store))

    decide(store)

    assert asked.result(5) == RESULT


def test_two_replicas_that_ask_for_one_session_share_a_job_and_both_hear(
    store: redis.Redis, new_queue: NewQueue, replicas: list[Replica], ask: Ask
) -> None:
    """Each routing by itself, they could send one session to two models."""
    both = [ask(new_queue(0), order()), ask(new_queue(1), order())]
    wait_until(lambda: joined(replicas) == [1, 1] and queued(store))

    assert queued(store) == [job_of("s")]
    settle_and_decide(store, "s")

    assert [asked.result(5).models for asked in both] == [RESULT.models] * 2


def test_two_requests_of_one_replica_share_a_job_and_both_hear(
    store: redis.Redis, new_queue: NewQueue, replicas: list[Replica], ask: Ask
) -> None:
    queue = new_queue()
    both = [ask(queue, order()), ask(queue, order())]
    wait_until(lambda: joined(replicas) == [2, 0] and queued(store))

    assert queued(store) == [job_of("s")]
    decide(store)

    assert [asked.result(5) for asked in both] == [RESULT, RESULT]


def test_two_sessions_have_two_jobs_and_each_hears_its_own(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    queue = new_queue()
    asked = {name: ask(queue, order(name)) for name in ("s", "t")}
    wait_until(lambda: len(queued(store)) == 2)

    names = {job_of(name): name for name in asked}
    for job in taken(store):
        announce(store, job, DecisionResult(models=(f"openai/{names[job.id]}",)))

    assert {name: said.result(5).models for name, said in asked.items()} == {"s": ("openai/s",), "t": ("openai/t",)}


def test_requests_without_a_session_share_nothing(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    queue = new_queue()
    both = [ask(queue, order(None)), ask(queue, order(None))]
    wait_until(lambda: len(queued(store)) == 2)

    decide(store)

    assert [asked.result(5) for asked in both] == [RESULT, RESULT]


def test_the_budget_ends_the_wait_and_frees_the_id(store: redis.Redis, new_queue: NewQueue) -> None:
    """The session's next request must not wait for a job that no worker takes."""
    begin = time.monotonic()

    with pytest.raises(RouterDown, match="within 50 ms"):
        new_queue().ask(order(), 0.05)

    assert time.monotonic() - begin < 2
    assert store.exists(Job.key_for(job_of("s"))) == 0


def test_what_the_limits_of_a_request_allow_fits_into_a_job(
    store: redis.Redis, new_queue: NewQueue, ask: Ask
) -> None:
    """32 KiB of routes and 8 KiB of conversation, in letters of two bytes."""
    route = Route("code", "я" * 16_000, ("openai/a",))
    asked = ask(new_queue(), msgspec.structs.replace(order(text="ж" * 4_096), routes=(route,), inline=True))
    wait_until(lambda: queued(store))

    values: list[Any] = store.hmget(Job.key_for(job_of("s")), FIELDS)
    admitted(values)
    decide(store)

    assert asked.result(5) == RESULT


def test_what_does_not_fit_into_a_job_is_refused_at_once(new_queue: NewQueue) -> None:
    route = Route("code", "x" * JOB_BYTES, ("openai/a",))

    with pytest.raises(RouterDown, match="routes are too long"):
        new_queue().ask(msgspec.structs.replace(order(), routes=(route,)), BUDGET_S)


def test_whoever_joined_a_job_does_not_take_it_from_the_others(
    store: redis.Redis, new_queue: NewQueue, ask: Ask
) -> None:
    first = ask(new_queue(0), order())
    wait_until(lambda: queued(store))

    with pytest.raises(RouterDown):
        new_queue(1).ask(order(), 0.05)

    assert store.exists(Job.key_for(job_of("s"))) == 1
    decide(store)
    assert first.result(5) == RESULT


def test_a_job_lives_no_longer_than_its_budget(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    """Even when the replica that queued it is gone."""
    ask(new_queue(), order(), 6.5)
    wait_until(lambda: queued(store))

    ttl_s = store.ttl(Job.key_for(job_of("s")))
    decide(store)

    assert 5 <= ttl_s <= 7


def test_there_is_a_limit_to_how_many_wait(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    queue = new_queue(limit=2)
    waiting = [ask(queue, order(name)) for name in ("s", "t")]
    wait_until(lambda: len(queued(store)) == 2)

    with pytest.raises(TooManyWaiting):
        queue.ask(order("u"), BUDGET_S)

    assert len(queued(store)) == 2
    decide(store)
    assert [asked.result(5) for asked in waiting] == [RESULT, RESULT]


def test_who_has_been_answered_waits_no_longer(new_queue: NewQueue) -> None:
    """Neither a verdict nor a spent budget takes up room for ever."""
    queue = new_queue(limit=1)

    for _ in range(3):
        with pytest.raises(RouterDown):
            queue.ask(order(), 0.01)


def test_the_conversation_stands_once_in_a_job_and_in_json(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    """Nothing is ever unpickled, and RQ's description does not repeat what was said."""
    ask(new_queue(), order(text="the secret plan"))
    wait_until(lambda: queued(store))

    job: dict[Any, Any] = store.hgetall(Job.key_for(job_of("s")))
    decide(store)

    function, _, (asked,), _ = json.loads(zlib.decompress(job.pop(b"data")))
    assert function == "workers.jobs.decide"
    assert asked["messages"] == [{"role": "user", "content": "the secret plan"}]
    assert b"secret" not in b"".join(job.values())
    assert job[b"description"] == b"a decision"


def test_living_workers_are_counted(store: redis.Redis, new_queue: NewQueue) -> None:
    """One that is registered and silent is not one of them."""
    queue = new_queue()
    assert queue.workers() == 0

    store.sadd("rq:workers:plano", "rq:worker:alive", "rq:worker:gone")
    store.hset("rq:worker:alive", "birth", "now")

    assert queue.workers() == 1


def test_refreshes_that_no_worker_takes_do_not_pile_up(client: StoreClient, store: redis.Redis) -> None:
    """The clock goes on asking for them: without workers the list would grow for as long as it runs."""
    refreshes = RefreshQueue(client)

    for _ in range(5):
        assert refreshes.refresh("cost", "models.dev")
        store.delete(f"rq:job:{refresh_job('cost', 'models.dev')}")  # as when its ttl is over

    assert store.llen(f"rq:queue:{QUEUE}") == 1
