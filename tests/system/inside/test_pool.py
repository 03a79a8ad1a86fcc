"""The worker process: many jobs at once, nothing left behind, an orderly end."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from rq.job import Job
from rq.serializers import JSONSerializer

from shared import job_messages
from shared.domain.conversation import Message
from shared.domain.routes import Route
from shared.domain.sessions import Session
from shared.errors import RouterDown
from shared.job_messages import DecisionRequest, DecisionResult
from shared.store import keys
from shared.store.queue import DecisionQueue, rq_queue
from tests.endpoints import PATIENT_S, Replica, replica_on
from tests.fakes.router import Router
from tests.harness import Pool, Process, RedisServer, running, wait_until
from workers.pool import PooledJob

CONFIG = """
version: v0.4.0
model_providers:
  - {{model: openai/own, access_key: k, default: true}}
  - {{model: openai/a, access_key: k}}
routing_preferences:
  - {{name: code, description: programming, models: [openai/a]}}
routing: {{router: {{url: "{url}", timeout_ms: 20000}}}}
"""
ROUTED = ("openai/a",)
BUDGET_S = 10.0
SLOW_S = 0.3
MANY = 64


def order(session_id: str, reply_to: str = "") -> DecisionRequest:
    return DecisionRequest(
        model_name="openai/own",
        session=Session(session_id),
        ttl_s=600,
        routes=(Route("code", "programming", ("openai/a",)),),
        inline=False,
        messages=(Message("user", "programming, please"),),
        request_id="r",
        traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
        reply_to=reply_to,
    )


def key_of(session_id: str) -> str:
    return Job.key_for(keys.decision_job(Session(session_id)))


@pytest.fixture(scope="module")
def router() -> Iterator[Router]:
    with Router() as stand_in:
        yield stand_in


@pytest.fixture(autouse=True)
def well(router: Router) -> Iterator[None]:
    """The router answers at once, unless a test wants it otherwise."""
    router.clear()
    yield
    router.delay = 0
    router.behave(None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Not the one that is flushed for each test: a worker stays signed on."""
    server = RedisServer(Path(tmp_path_factory.mktemp("pool-redis"))).start()
    yield server
    server.stop()


@pytest.fixture
def store(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def replica(server: RedisServer) -> Iterator[Replica]:
    with replica_on(server.url, silence_s=PATIENT_S) as replica:
        yield replica


@pytest.fixture(scope="module")
def queue(replica: Replica) -> DecisionQueue:
    return replica.queue(limit=2 * MANY)


@pytest.fixture(scope="module")
def pool(server: RedisServer, router: Router, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    folder = Path(tmp_path_factory.mktemp("pool"))
    with running(Pool(folder, CONFIG.format(url=router.url), server.url)) as pool:
        yield pool


@pytest.fixture
def worker(pool: Pool) -> Process:
    """The one that lives; another one after a test that has ended it."""
    alive = [process for process in pool.processes if process.alive]
    return alive[0] if alive else pool.worker()


@pytest.mark.usefixtures("worker")
def test_an_order_is_decided_and_announced(queue: DecisionQueue, store: redis.Redis) -> None:
    assert queue.ask(order("first"), BUDGET_S).models == ROUTED
    assert store.get("plano:affinity:first") == b'{"model_name":"openai/a","route_name":"code"}'


@pytest.mark.usefixtures("worker")
def test_64_slow_jobs_run_at_once(queue: DecisionQueue, router: Router) -> None:
    """One after the other they would take 19 s; a worker only waits for the router."""
    router.delay = SLOW_S
    begin = time.monotonic()

    with ThreadPoolExecutor(MANY) as clients:
        heard = list(clients.map(lambda n: queue.ask(order(f"many-{n}"), BUDGET_S), range(MANY)))

    assert [said.models for said in heard] == [ROUTED] * MANY
    assert router.calls == MANY
    assert time.monotonic() - begin < MANY * SLOW_S / 4


@pytest.mark.usefixtures("worker")
def test_64_jobs_that_end_at_once_do_not_starve_each_other(queue: DecisionQueue, router: Router) -> None:
    """Ending a job takes two connections, of which the whole process has six."""
    router.behave("hang")

    with ThreadPoolExecutor(MANY) as clients:
        asked = [clients.submit(queue.ask, order(f"burst-{n}"), BUDGET_S) for n in range(MANY)]
        wait_until(lambda: router.hanging == MANY, what="all calls")
        router.behave(None)

        assert [said.result(BUDGET_S).models for said in asked] == [ROUTED] * MANY


@pytest.mark.usefixtures("worker")
def test_nothing_of_a_job_is_left_when_it_has_ended(queue: DecisionQueue, store: redis.Redis) -> None:
    """The conversation above all, before the result is heard; the id a second later."""
    assert queue.ask(order("leftover"), BUDGET_S).models == ROUTED

    assert store.hgetall(key_of("leftover")) in ({}, {b"status": b"finished"})
    wait_until(lambda: not leftovers(store), what="the end of the job's traces")
    wait_until(lambda: not store.exists(key_of("leftover")), what="the end of its id")


@pytest.mark.usefixtures("worker")
def test_who_comes_just_after_a_decision_does_not_have_the_router_asked_again(
    queue: DecisionQueue, router: Router
) -> None:
    """Its web process was busy between its look for the pin, of which there was none yet, and the queue."""
    first = queue.ask(order("just-decided"), BUDGET_S)
    late = queue.ask(order("just-decided"), BUDGET_S)

    assert (late.models, late.pin, late.pinned) == (ROUTED, first.pin, True)
    assert router.calls == 1


@pytest.mark.usefixtures("worker")
def test_the_queue_is_listed_for_the_tools_of_rq_even_after_redis_came_back_empty(store: redis.Redis) -> None:
    """`rq info` looks there; who queues a decision has no round trip to spare for it."""
    store.delete("rq:queues")

    wait_until(lambda: store.sismember("rq:queues", "rq:queue:plano"), what="the worker's next sign of life")


@pytest.mark.usefixtures("worker")
def test_a_job_that_raises_is_announced_as_a_fault_and_leaves_nothing(
    queue: DecisionQueue, replica: Replica, store: redis.Redis
) -> None:
    """Whoever waits is told at once; and the session's next request can be decided."""
    job_id = keys.decision_job(Session("broken"))
    no_order = {"not": "an order", "reply_to": replica.results.channel}
    with replica.results.expect(job_id) as waiter:
        rq_queue(store).enqueue_call(
            job_messages.DECIDE, args=(no_order,), job_id=job_id, timeout=5, ttl=5, result_ttl=0, failure_ttl=0
        )
        heard = waiter.wait(5)

    assert heard == DecisionResult(fault="router")
    assert store.exists(Job.key_for(job_id)) == 0
    wait_until(lambda: not leftovers(store), what="the end of the job's traces")
    assert queue.ask(order("broken"), BUDGET_S).models == ROUTED


@pytest.mark.usefixtures("worker")
def test_a_job_that_takes_longer_than_its_limit_is_ended(
    queue: DecisionQueue, replica: Replica, store: redis.Redis, router: Router
) -> None:
    """And the worker takes the next one."""
    router.behave("hang", times=1)
    job_id, long = keys.decision_job(Session("long")), order("long", reply_to=replica.results.channel)

    with replica.results.expect(job_id) as waiter:
        queue._enqueue(job_id, long, time.monotonic() + 1)
        heard = waiter.wait(2.5)  # the router's own limit is 20 s
    router.release()

    assert heard == DecisionResult(fault="router")
    assert store.exists(key_of("long")) == 0
    assert queue.ask(order("next"), BUDGET_S).models == ROUTED


def test_a_worker_killed_in_mid_decision_leaves_the_id_free_within_its_ttl(
    pool: Pool, worker: Process, queue: DecisionQueue, router: Router, store: redis.Redis
) -> None:
    """No other worker has to clean up first: RQ would keep the id of a running job for ever."""
    router.behave("hang", times=1)
    queue._enqueue(keys.decision_job(Session("killed")), order("killed"), time.monotonic() + 3)
    wait_until(lambda: router.hanging, what="the call")

    ttl_ms = store.pttl(key_of("killed"))
    worker.stop(signal.SIGKILL)
    router.release()

    assert 0 < ttl_ms <= 3000
    pool.worker()
    wait_until(lambda: not store.exists(key_of("killed")), what="the end of the job's ttl")
    assert queue.ask(order("killed"), BUDGET_S).models == ROUTED


@pytest.mark.usefixtures("worker")
def test_a_decision_that_comes_too_late_leaves_the_id_free(
    queue: DecisionQueue, router: Router, store: redis.Redis
) -> None:
    """Its key was deleted when its budget was spent; ending the job must not make it anew, without a ttl."""
    of_killed_workers = set(leftovers(store))
    router.behave("hang", times=1)
    with pytest.raises(RouterDown):
        queue.ask(order("late"), 1.1)  # its job may then take 2 s

    assert router.hanging == 1
    router.release()

    wait_until(lambda: store.exists("plano:affinity:late"), what="the late decision")
    wait_until(lambda: set(leftovers(store)) <= of_killed_workers, what="the end of the job's traces")
    assert queue.ask(order("late"), BUDGET_S).models == ROUTED


def test_ending_a_job_whose_key_is_gone_does_not_make_it_anew(store: redis.Redis) -> None:
    """It would have no ttl, and the session could never be decided again."""
    job = PooledJob.create("workers.jobs.decide", id="gone", connection=store, serializer=JSONSerializer)

    job.heartbeat(datetime.now(UTC), 60)

    assert not store.exists(job.key)


def test_sigterm_lets_jobs_under_way_end(worker: Process, queue: DecisionQueue, router: Router) -> None:
    """A deployment loses no decision; the worker signs off and exits with 0."""
    router.delay = 1.3  # the worker notices the signal within 1 s

    with ThreadPoolExecutor(8) as clients:
        asked = [clients.submit(queue.ask, order(f"ending-{n}"), BUDGET_S) for n in range(8)]
        wait_until(lambda: router.calls == 8, what="eight calls")
        code = worker.stop()

    assert code == 0
    assert [said.result(0).models for said in asked] == [ROUTED] * 8  # by its pin or by its announcement
    assert "worker stopped" in worker.text()


def leftovers(store: redis.Redis) -> list[str]:
    """What is there besides pins, and what RQ knows of its queues and workers."""
    names = [key.decode() for key in store.scan_iter("*")]
    known = ("plano:affinity:", "plano:written", "rq:worker", "rq:queues", "rq:failed:", "rq:clean_registries:")
    return [name for name in names if not name.startswith(known)]
