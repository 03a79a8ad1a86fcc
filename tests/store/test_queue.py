"""Asking workers for decisions, and hearing of them."""

import json
import signal
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import redis
from rq.job import Job

from shared.contract import Order, Verdict
from shared.domain.conversation import Message
from shared.domain.routes import Route
from shared.domain.sessions import Session
from shared.errors import QueueDown, RouterDown, StoreDown, TooManyWaiting
from shared.store import keys
from shared.store.queue import DecisionQueue, announce, rq_queue
from shared.store.replies import Replies
from tests.fakes.ports import free_port
from tests.harness import RedisServer, wait_until
from tests.links import link_to
from tests.store.conftest import NewLink
from tests.store.greenlets import in_greenlets

VERDICT = Verdict(models=("openai/a", "openai/b"), route="code")
BUDGET_S = 20.0
MANY = 300

Ask = Callable[..., "Future[Verdict]"]
NewQueue = Callable[..., DecisionQueue]


def order(session_id: str | None = "s", text: str = "hello") -> Order:
    return Order(
        model_name="openai/own",
        session=Session(session_id) if session_id else None,
        ttl_s=600,
        routes=(Route("code", "writing code", ("openai/a", "openai/b")),),
        inline=False,
        messages=(Message("user", text),),
        request_id="r",
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
    )


def job_of(session_id: str) -> str:
    return keys.decision_job(Session(session_id))


def channels(store: redis.Redis) -> int:
    """How many announcements are waited for, each counted once for each process."""
    names = store.pubsub_channels("plano:decided:*")
    return sum(count for _, count in store.pubsub_numsub(*names))


def queued(store: redis.Redis) -> list[str]:
    return list(rq_queue(store).job_ids)


def decide(store: redis.Redis, verdict: Verdict = VERDICT) -> None:
    """What a worker does with every job: its id is free again when the verdict is announced."""
    for job_id in queued(store):
        rq_queue(store).remove(job_id)
        store.delete(Job.key_for(job_id))
        announce(store, job_id, verdict)


@pytest.fixture(scope="module")
def replies(redis_server: RedisServer) -> Iterator[list[Replies]]:
    """Two replicas' subscriptions; they stand for as long as their processes live."""
    links = [link_to(redis_server.url, answer_s=10) for _ in range(2)]
    yield [Replies(link) for link in links]
    for link in links:
        link.pipe.close()


@pytest.fixture
def new_queue(store: redis.Redis, replies: list[Replies]) -> NewQueue:
    """Makes the queue as the first or the second replica sees it."""

    def make(replica: int = 0, limit: int = MANY) -> DecisionQueue:
        return DecisionQueue(replies[replica]._link, replies[replica], limit=limit)

    wait_until(lambda: channels(store) == 0, what="the end of the last test's subscriptions")
    return make


@pytest.fixture
def own_queue(own_server: RedisServer, new_link: NewLink) -> Iterator[DecisionQueue]:
    """The queue of a replica whose Redis may be frozen or ended."""
    own_server.start()
    link = new_link(own_server.url)
    yield DecisionQueue(link, Replies(link), limit=9)
    own_server.stop()


@pytest.fixture
def ask() -> Iterator[Ask]:
    """Asks in a thread of its own."""
    with ThreadPoolExecutor(MANY) as pool:

        def begin(queue: DecisionQueue, asked: Order, budget_s: float = BUDGET_S) -> "Future[Verdict]":
            return pool.submit(queue.ask, asked, budget_s)

        yield begin


def test_what_a_worker_announces_is_heard(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    asked = ask(new_queue(), order())
    wait_until(lambda: queued(store))

    decide(store)

    assert asked.result(5) == VERDICT


def test_two_replicas_that_ask_for_one_session_share_a_job_and_both_hear(
    store: redis.Redis, new_queue: NewQueue, ask: Ask
) -> None:
    """Each routing by itself, they could send one session to two models."""
    both = [ask(new_queue(0), order()), ask(new_queue(1), order())]
    wait_until(lambda: channels(store) == 2 and queued(store))

    assert queued(store) == [job_of("s")]
    decide(store)

    assert [asked.result(5) for asked in both] == [VERDICT, VERDICT]


def test_two_requests_of_one_replica_share_a_job_and_both_hear(
    store: redis.Redis, new_queue: NewQueue, replies: list[Replies], ask: Ask
) -> None:
    queue = new_queue()
    both = [ask(queue, order()), ask(queue, order())]
    name = keys.decided(job_of("s"))
    wait_until(
        lambda: name in replies[0]._channels and len(replies[0]._channels[name].replies) == 2 and queued(store)
    )

    assert queued(store) == [job_of("s")]
    decide(store)

    assert [asked.result(5) for asked in both] == [VERDICT, VERDICT]


def test_two_sessions_have_two_jobs_and_each_hears_its_own(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    queue = new_queue()
    asked = {name: ask(queue, order(name)) for name in ("s", "t")}
    wait_until(lambda: len(queued(store)) == 2)

    for name in asked:
        announce(store, job_of(name), Verdict(models=(f"openai/{name}",)))

    assert {name: said.result(5).models for name, said in asked.items()} == {"s": ("openai/s",), "t": ("openai/t",)}


def test_requests_without_a_session_share_nothing(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    queue = new_queue()
    both = [ask(queue, order(None)), ask(queue, order(None))]
    wait_until(lambda: len(queued(store)) == 2)

    decide(store)

    assert [asked.result(5) for asked in both] == [VERDICT, VERDICT]


def test_the_budget_ends_the_wait_and_frees_the_id(store: redis.Redis, new_queue: NewQueue) -> None:
    """The session's next request must not wait for a job that no worker takes."""
    begin = time.monotonic()

    with pytest.raises(RouterDown, match="within 50 ms"):
        new_queue().ask(order(), 0.05)

    assert time.monotonic() - begin < 2
    assert store.exists(Job.key_for(job_of("s"))) == 0


def test_whoever_joined_a_job_does_not_take_it_from_the_others(
    store: redis.Redis, new_queue: NewQueue, ask: Ask
) -> None:
    first = ask(new_queue(0), order())
    wait_until(lambda: queued(store))

    with pytest.raises(RouterDown):
        new_queue(1).ask(order(), 0.05)

    assert store.exists(Job.key_for(job_of("s"))) == 1
    decide(store)
    assert first.result(5) == VERDICT


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
    assert [asked.result(5) for asked in waiting] == [VERDICT, VERDICT]


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


def test_300_waiters_use_one_subscription(store: redis.Redis, new_queue: NewQueue, ask: Ask) -> None:
    """The smallest Redis plans allow 20 connections."""
    queue = new_queue()
    asked = [ask(queue, order(f"s{n}")) for n in range(MANY)]
    wait_until(lambda: len(queued(store)) == MANY, within_s=20)

    subscribers = store.client_list(_type="pubsub")
    connections = len(store.client_list())
    decide(store)

    assert {said.result(10).models for said in asked} == {VERDICT.models}
    assert len(subscribers) == 1
    assert connections <= 2 * (4 + 1) + 1


def test_nobody_listens_once_nobody_waits(store: redis.Redis, new_queue: NewQueue) -> None:
    with pytest.raises(RouterDown):
        new_queue().ask(order(), 0.01)

    wait_until(lambda: channels(store) == 0, what="the end of the subscription")


def test_a_subscription_that_broke_while_somebody_waits_goes_on(
    store: redis.Redis, new_queue: NewQueue, ask: Ask
) -> None:
    asked = ask(new_queue(), order())
    wait_until(lambda: queued(store))

    store.client_kill_filter(_type="pubsub")
    wait_until(lambda: channels(store) == 1, what="the subscription's return")
    decide(store)

    assert asked.result(5) == VERDICT


def test_a_subscription_that_broke_while_nobody_waits_costs_nobody_an_answer(
    store: redis.Redis, new_queue: NewQueue, ask: Ask
) -> None:
    """Redis closes idle connections where the operator set `timeout`, and a restart breaks them all."""
    queue = new_queue()
    for _ in range(3):
        asked = ask(queue, order())
        wait_until(lambda: queued(store))
        decide(store)
        assert asked.result(5) == VERDICT
        wait_until(lambda: channels(store) == 0)

        kill_all_but(store)


def test_a_job_that_redis_lost_is_asked_for_again(
    own_server: RedisServer, own_queue: DecisionQueue, ask: Ask
) -> None:
    """Restarted empty, it has forgotten whom to tell and what to do."""
    asked = ask(own_queue, order())
    with own_server.client() as own:
        wait_until(lambda: queued(own))

        own.flushall()
        own.client_kill_filter(_type="pubsub")
        wait_until(lambda: queued(own), what="the job's return")
        decide(own)

    assert asked.result(5) == VERDICT


@pytest.mark.parametrize("fault", ["frozen", "ended"])
def test_nobody_waits_for_the_word_of_a_redis_that_is_away(
    own_server: RedisServer, own_queue: DecisionQueue, ask: Ask, fault: str
) -> None:
    """Though their budget would allow it."""
    asked = [ask(own_queue, order(name)) for name in ("s", "s", "t")]
    with own_server.client() as own:
        wait_until(lambda: channels(own) == 2)
        wait_until(lambda: len(queued(own)) == 2)

    if fault == "frozen":
        own_server.send(signal.SIGSTOP)
    else:
        own_server.stop()
    errors = [each.exception(BUDGET_S / 2) for each in asked]
    if fault == "frozen":
        own_server.send(signal.SIGCONT)

    assert {type(error) for error in errors} == {StoreDown}


def test_a_restart_leaves_nobody_deaf(own_server: RedisServer, own_queue: DecisionQueue, ask: Ask) -> None:
    """Whether it happens under those who wait, or while nobody does."""
    for _ in range(3):
        asked = ask(own_queue, order())
        with own_server.client() as own:
            wait_until(lambda: queued(own))
            decide(own)
            assert asked.result(5) == VERDICT

            asked = ask(own_queue, order())
            wait_until(lambda: queued(own))
        own_server.stop()
        with pytest.raises(StoreDown):
            asked.result(BUDGET_S / 2)
        own_server.start()
        wait_until(lambda: not own_queue._link.away, what="the link's return")


def test_who_leaves_while_a_subscription_is_made_leaves_nothing_behind() -> None:
    left = in_greenlets(
        """
import socket
from shared.errors import QueueDown
from shared.store.link import Link
from shared.store.patience import Patience
from shared.store.pipe import Pipe
from shared.store.replies import Replies

silent = socket.create_server(("127.0.0.1", 0))
client = redis.Redis(port=silent.getsockname()[1], socket_timeout=5, protocol=2)
replies = Replies(Link(Pipe(client.connection_pool, Patience(0.15)), "queue", QueueDown))

def wait():
    with replies.expect("x"):
        pass

leaving = gevent.spawn(wait)
gevent.sleep(0.05)
leaving.kill()
gevent.sleep(0.5)
print(replies._channels, replies._watched)
"""
    )

    assert left == "{} False"


def test_a_refused_subscription_is_not_asked_for_again_and_again(own_server: RedisServer, new_link: NewLink) -> None:
    """A user of an access list may lack the channels."""
    own_server.start()
    with own_server.client() as own:
        own.execute_command("ACL", "SETUSER", "web", "on", ">secret", "~*", "+@all", "resetchannels")
        link = new_link(f"unix://web:secret@{own_server.socket}")
        queue = DecisionQueue(link, Replies(link), limit=9)

        with pytest.raises((QueueDown, StoreDown)):
            queue.ask(order(), BUDGET_S)

        assert own.info("stats")["total_connections_received"] < 20
    own_server.stop()


def kill_all_but(own: redis.Redis) -> None:
    for client in own.client_list():
        if int(client["id"]) != own.client_id():
            own.client_kill_filter(_id=client["id"])


def test_it_works_over_tcp_as_well(own_server: RedisServer, new_link: NewLink, ask: Ask) -> None:
    """There a broken connection is found out by reading only: a first write still succeeds."""
    port = free_port()
    own_server.start("--port", str(port))
    link = new_link(f"redis://127.0.0.1:{port}", answer_s=5)
    queue = DecisionQueue(link, Replies(link), limit=9)

    with own_server.client() as store:
        for _ in range(3):
            asked = ask(queue, order())
            wait_until(lambda: queued(store))
            decide(store)
            assert asked.result(5) == VERDICT
            wait_until(lambda: channels(store) == 0)

            kill_all_but(store)


def test_living_workers_are_counted(store: redis.Redis, new_queue: NewQueue) -> None:
    """One that is registered and silent is not one of them."""
    queue = new_queue()
    assert queue.workers() == 0

    store.sadd("rq:workers:plano", "rq:worker:alive", "rq:worker:gone")
    store.hset("rq:worker:alive", "birth", "now")

    assert queue.workers() == 1
