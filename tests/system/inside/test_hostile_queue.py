"""A real worker whose queue others have written to, and a web process whose workers are gone."""

import json
import signal
import time
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Callback, Queue, Retry
from rq.serializers import JSONSerializer

from shared.job_messages import DECIDE
from shared.store.jobs.workers import MISSED_AFTER_S
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, Process, RedisServer, running, wait_until
from tests.system.asking import DEEP, ask
from tests.system.conftest import config_text

pytestmark = pytest.mark.alone

QUEUE, INTERMEDIATE = "rq:queue:plano", "rq:queue:plano:intermediate"
FIRST = "openai/gpt-5.2"
STALE = 100_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(Path(tmp_path_factory.mktemp("hostile-queue"))).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def router() -> Iterator[Router]:
    with Router() as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def pool(server: RedisServer, router: Router, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    with Provider() as provider:
        config = config_text(provider, router, budget_ms=8000)
        with running(Pool(tmp_path_factory.mktemp("pool"), config, server.url)) as pool:
            yield pool


@pytest.fixture(scope="module")
def port(pool: Pool) -> int:
    port = free_port()
    pool.web(port)
    return port


@pytest.fixture
def worker(pool: Pool) -> Process:
    workers = [process for process in pool.processes if process.alive and "worker" in process.log.name]
    return workers[0] if workers else pool.worker()


@pytest.fixture
def store(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client() as client:
        yield client


def decided(port: int, session: str) -> bool:
    """Whether the session's first request is decided by a worker."""
    answer = ask(port, session, DEEP)
    return "x-plano-degraded" not in answer.headers and answer.json()["model"] == FIRST


def job(store: redis.Redis, job_id: str | bytes, fields: Mapping[Any, Any]) -> None:
    key = b"rq:job:" + (job_id if isinstance(job_id, bytes) else job_id.encode())
    store.hset(key, mapping=fields)
    store.expire(key, 60)
    store.rpush(QUEUE, job_id)


def taken(store: redis.Redis) -> bool:
    return not store.llen(QUEUE) and not store.llen(INTERMEDIATE)


@pytest.mark.usefixtures("worker")
def test_a_job_of_somebody_else_is_not_run(store: redis.Redis, port: int, tmp_path: Path) -> None:
    """RQ imports and calls what a job names: whoever can write to Redis could have a worker run any program."""
    proof = tmp_path / "proof"
    foreign = Queue("plano", connection=store, serializer=JSONSerializer)
    foreign.enqueue_call("os.spawnv", args=(0, "/usr/bin/touch", ["touch", str(proof)]), job_id="spawn", ttl=60)
    foreign.enqueue_call("pathlib.Path.touch", args=(str(proof),), job_id="touch", ttl=60)

    wait_until(lambda: taken(store), what="the end of both jobs")

    assert decided(port, "after-foreign")
    assert not proof.exists()
    assert not store.exists("rq:job:spawn", "rq:job:touch")


@pytest.mark.usefixtures("worker")
def test_nothing_that_a_job_asks_of_rq_is_done(store: redis.Redis, port: int, tmp_path: Path) -> None:
    """Callbacks are functions, too; and a retry would bring the job back."""
    proof = tmp_path / "proof"
    no_order = {"proof": str(proof), "reply_to": f"plano:affinity:{proof}"}
    Queue("plano", connection=store, serializer=JSONSerializer).enqueue_call(
        DECIDE,
        args=(no_order,),
        job_id="callbacks",
        timeout=5,
        ttl=60,
        retry=Retry(max=3),
        on_failure=Callback("builtins.print"),
        meta={"any": "thing"},
    )

    wait_until(lambda: taken(store) and not store.exists("rq:job:callbacks"), what="the end of the job")

    assert decided(port, "after-callbacks")
    assert not store.zcard("rq:scheduled:plano")


def test_whatever_stands_in_the_queue_the_worker_goes_on(store: redis.Redis, port: int, worker: Process) -> None:
    """Ids that are none, values that are no jobs, and too much."""
    good = zlib.compress(json.dumps([DECIDE, None, [{"text": "x" * 70_000}], {}]).encode())
    job(store, "large", {"data": good, "timeout": "5"})
    job(store, "empty", {"data": b""})
    job(store, "deep", {"data": zlib.compress(b'["%s",null,[' % DECIDE.encode() + b"[" * 5000), "timeout": "5"})
    job(store, b"\xff\xfe", {"data": b"x", "timeout": "5"})
    job(store, "", {"data": b"x"})
    store.set("rq:job:text", "no hash", ex=60)
    store.rpush(QUEUE, "text", "never-there", b"\xff", "a:b", "a b")

    wait_until(lambda: taken(store), what="the end of all of them")

    assert decided(port, "after-garbage")
    assert worker.alive
    assert "Traceback" not in worker.text()
    assert "counts as absent: rq:job:" in worker.text()


@pytest.mark.parametrize("key", [QUEUE, INTERMEDIATE, "rq:queues", "rq:workers", "rq:workers:plano", "rq:wip:plano"])
@pytest.mark.usefixtures("worker")
def test_a_key_of_the_queue_that_holds_something_else_is_replaced(store: redis.Redis, port: int, key: str) -> None:
    store.delete(key)
    store.set(key, "somebody else's")

    wait_until(
        lambda: decided(port, f"{key}-{time.monotonic()}") and store.type(key) != b"string",
        within_s=30,
        what="the repair",
    )


def test_ids_past_their_ttl_are_dropped_at_the_start_in_one_go(
    pool: Pool, store: redis.Redis, port: int, worker: Process
) -> None:
    """One after the other they took 33 s, in which no session could be decided."""
    worker.stop()
    for key in (QUEUE, INTERMEDIATE):
        for begin in range(0, STALE, 10_000):
            store.rpush(key, *(f"decide-{n:040x}" for n in range(begin, begin + 10_000)))
    store.hset("rq:job:lives", mapping={"data": b"x"})
    store.expire("rq:job:lives", 60)
    store.lpush(INTERMEDIATE, "lives")
    store.config_resetstat()

    pool.worker()
    wait_until(lambda: store.llen(QUEUE) == 0 and store.llen(INTERMEDIATE) <= 1, within_s=30, what="the drop")

    asked = store.info("commandstats")
    assert decided(port, "after-stale")
    assert store.lrange(INTERMEDIATE, 0, -1) == [b"lives"]
    assert asked["cmdstat_lrange"]["calls"] < 2 * STALE / 1000 * 3
    assert asked.get("cmdstat_hmget", {"calls": 0})["calls"] < STALE / 100


def test_a_worker_that_has_no_room_gives_signs_of_life(
    pool: Pool, store: redis.Redis, router: Router, port: int, worker: Process
) -> None:
    """All it does is wait for the router: what web queues meanwhile it will take."""
    worker.stop()
    pool.worker(WORKER_CONCURRENCY="1")
    assert decided(port, "one-at-a-time")
    router.behave("hang", times=1)

    with ThreadPoolExecutor(1) as client:
        asked = client.submit(ask, port, "hangs", DEEP)
        wait_until(lambda: router.hanging, what="the call")
        for _ in range(2):
            before = last_sign(store)
            wait_until(lambda seen=before: last_sign(store) != seen, within_s=2.5, what="a sign of life")  # type: ignore[misc]
        hung = router.hanging
        router.release()
        asked.result()

    assert hung == 1


def last_sign(store: redis.Redis) -> set[Any]:
    """When each worker has given its last sign of life."""
    names: Any = store.smembers("rq:workers:plano")
    return {store.hget(name.decode(), "last_heartbeat") for name in names}


def test_without_a_worker_nothing_is_queued_and_the_request_is_served_at_once(
    pool: Pool, store: redis.Redis, port: int
) -> None:
    """The queue would grow for as long as no worker comes, and each first request would wait for its whole budget."""
    for process in pool.processes:
        if process.alive and "worker" in process.log.name:
            process.stop(signal.SIGKILL)
    begin = time.monotonic()

    wait_until(
        lambda: ask(port, f"gone-{time.monotonic()}", DEEP).headers.get("x-plano-degraded") == "queue",
        within_s=40,
        what="the end of the last sign of life",
    )
    missed_s = time.monotonic() - begin
    before = store.llen(QUEUE)
    begin = time.monotonic()
    answers = [ask(port, f"missed-{n}", DEEP) for n in range(20)]
    took_s = time.monotonic() - begin

    assert missed_s > MISSED_AFTER_S / 2
    assert {(answer.status_code, answer.headers["x-plano-degraded"]) for answer in answers} == {(200, "queue")}
    assert took_s < 8  # one budget
    assert store.llen(QUEUE) == before

    pool.worker()
    wait_until(lambda: decided(port, f"back-{time.monotonic()}"), within_s=5, what="the worker's first decision")
