"""What tests of the queue ask, and what they see of it in Redis."""

from collections.abc import Callable
from concurrent.futures import Future

import redis
from rq.job import Job
from rq.serializers import JSONSerializer

from shared.domain.conversation import Message
from shared.domain.pins import Pin
from shared.domain.routes import Route
from shared.domain.sessions import Session
from shared.job_messages import DecisionRequest, DecisionResult
from shared.store import keys
from shared.store.pins import PinStore
from shared.store.queue import DecisionQueue, announce, rq_queue

RESULT = DecisionResult(models=("openai/a", "openai/b"), route="code")
PIN = Pin(model_name="openai/a", route_name="code")
BUDGET_S = 20.0
MANY = 300

Ask = Callable[..., "Future[DecisionResult]"]
NewQueue = Callable[..., DecisionQueue]


def order(session_id: str | None = "s", text: str = "hello") -> DecisionRequest:
    return DecisionRequest(
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


def queued(store: redis.Redis) -> list[str]:
    return list(rq_queue(store).job_ids)


def decide(store: redis.Redis, verdict: DecisionResult = RESULT) -> None:
    """What a worker does with every job: its id is free again when the verdict is announced."""
    for job in taken(store):
        announce(store, job, verdict)


def settle_and_decide(store: redis.Redis, session_id: str) -> None:
    """… of a session, which is pinned first."""
    PinStore(store).settle(Session(session_id), PIN, 60)
    decide(store)


def taken(store: redis.Redis) -> list[Job]:
    """Every job, off the queue and forgotten."""
    jobs = [Job.fetch(job_id, connection=store, serializer=JSONSerializer) for job_id in queued(store)]
    for job in jobs:
        rq_queue(store).remove(job)
        store.delete(job.key)
    return jobs


def work(store: redis.Redis) -> None:
    """What a worker does, job after job, for ever: the session is pinned, and the id is free when it is announced."""
    pins = PinStore(store)
    while True:
        _, job_id = store.execute_command("BLPOP", rq_queue(store).key, 0)
        job = Job.fetch(job_id.decode(), connection=store, serializer=JSONSerializer)
        pins.settle(Session(job.args[0]["session"]["id"]), PIN, 60)
        with store.pipeline() as together:
            together.delete(job.key)
            announce(together, job, RESULT)
            together.execute()
