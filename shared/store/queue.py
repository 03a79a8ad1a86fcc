"""The job queue, as web and the clock use it: one decision a session, and one refresh a source, at a time."""

import contextlib
import math
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec
import redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job, JobStatus

from shared import job_messages
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.errors import QueueDown, RouterDown, TooManyWaiting
from shared.job_messages import Announcement, DecisionRequest, DecisionResult, adopted
from shared.periodic import Periodic
from shared.store import keys
from shared.store.jobs.expired_jobs import Backlog
from shared.store.jobs.job_data import JobData
from shared.store.jobs.results import Results, Waiter
from shared.store.jobs.workers import LOOK_EVERY_S, Workers

QUEUE = "plano"
REFRESH_LIMIT_S = 30
"""How long the refresh of one source may run; it may wait for a worker as long."""

_LOOK_FIRST_S, _LOOK_LAST_S = 0.025, 0.1
"""A request that joined another one's job looks for the pin after the former, then ever later, up to the latter."""
_HEAL_S = 0.25
"""How often the request that queued a job looks for the pin: an announcement may be lost. And how often each request
looks for the job: it may be lost, too."""
_LAST_WORD_S = 0.1
"""How long the announcement of a job that has just ended may take to arrive."""
_HELD_S = 1
"""How long after its look for the pin a request may come to queue its job: a web process may be busy in between."""


class Pins(Protocol):
    """Keeps pins; raises StoreDown."""

    def get(self, session: Session) -> Pin | None:
        """The session's pin, or None."""


def rq_queue(client: redis.Redis) -> Queue:
    """The one queue."""
    return Queue(QUEUE, connection=client, serializer=JobData)


class DecisionQueue:
    """Has decisions made by workers, and waits for them."""

    def __init__(self, client: redis.Redis, results: Results, pins: Pins, *, limit: int) -> None:
        """At most `limit` requests of this process wait at once."""
        self._redis = client
        self._queue = rq_queue(client)
        self._results = results
        self._pins = pins
        self._workers = Workers(client, QUEUE)
        self._looks = Periodic(LOOK_EVERY_S, self._workers.look, "workers")
        self._limit = limit
        self._waiting = 0
        self._count = threading.Lock()

    def ask(self, request: DecisionRequest, budget_s: float) -> DecisionResult:
        """The result of a request. First requests of one session, on any replica, share one job.

        Raises QueueDown, also when there is no worker; StoreDown, TooManyWaiting, or RouterDown when no answer came
        within `budget_s` seconds.
        """
        if self._workers.missed():
            raise QueueDown("no worker has given a sign of life for three seconds")
        with self._count:
            if self._waiting >= self._limit:
                raise TooManyWaiting(f"{self._limit} decisions are waiting already")
            self._waiting += 1
        try:
            return self._ask(request, budget_s)
        finally:
            with self._count:
                self._waiting -= 1

    def workers(self) -> int:
        """How many worker processes live; raises QueueDown."""
        return self._workers.count()

    def waiting(self) -> int:
        """How many jobs no worker has taken yet; raises QueueDown."""
        return int(self._queue.count)

    def start(self) -> None:
        """Ask at once what RQ asks before its first job, and begin to look whether there are workers."""
        with contextlib.suppress(QueueDown):  # then the first job asks
            self._queue.get_redis_server_version()
        self._looks.start()

    def stop(self) -> None:
        """Stop looking."""
        self._looks.stop()

    def _ask(self, request: DecisionRequest, budget_s: float) -> DecisionResult:
        first = request.session if request.seen is None else None
        job_id = keys.decision_job(first) if first else f"decide-{uuid.uuid4().hex}"
        request = msgspec.structs.replace(request, reply_to=self._results.channel)
        until = time.monotonic() + budget_s
        with self._results.expect(job_id) as waiter:
            ours = self._enqueue(job_id, request, until)
            result = self._awaited(waiter, job_id, request, until, ours=ours)
        if result is None:
            with contextlib.suppress(QueueDown):  # the job then ends by its own ttl
                self._free(job_id, ours=ours)
            raise RouterDown(f"no decision within {budget_s * 1000:.0f} ms")
        return result

    def _free(self, job_id: str, *, ours: bool) -> None:
        """Have the session's next request queue a new job: the worker of this one is gone, or far behind.

        Whoever joined another one's job leaves it alone, unless it would never end: then it is no job of ours.
        """
        key = Job.key_for(job_id)
        if ours or self._redis.ttl(key) == -1:
            self._redis.delete(key)

    def _awaited(
        self, waiter: Waiter, job_id: str, request: DecisionRequest, until: float, *, ours: bool
    ) -> DecisionResult | None:
        """The result, as it is announced or as the session's pin shows it; None when time is up."""
        looked_at = time.monotonic()
        for pause_s in _pauses(_HEAL_S if ours else _LOOK_FIRST_S, until):
            found = waiter.wait(pause_s) or self._standing(waiter, request, ours=ours)
            if not found and time.monotonic() - looked_at >= _HEAL_S:
                looked_at = time.monotonic()
                if not self._redis.exists(Job.key_for(job_id)):
                    found = waiter.wait(_LAST_WORD_S) or self._standing(waiter, request, ours=ours)
                    if not found:  # the job has failed, or Redis has lost it
                        self._enqueue(job_id, request, until)
            if found:
                return found
        return None

    def _standing(self, waiter: Waiter, request: DecisionRequest, *, ours: bool) -> DecisionResult | None:
        """The result that the session's pin shows, if there is a pin by now.

        When the job is `ours`, it has just made that pin or found it. Its announcement says which, and is on its way.
        """
        pin = self._pins.get(request.session) if request.session else None
        if pin is None or (request.seen and pin.model_name == request.seen.model_name):
            return None
        announced = waiter.wait(_LAST_WORD_S) if ours else None
        return announced or msgspec.structs.replace(adopted(pin, request), pinned=not ours)

    def _enqueue(self, job_id: str, request: DecisionRequest, until: float) -> bool:
        """Queue the job unless it is under way; return whether it was queued. A worker drops it when time is up."""
        ttl_s = max(1, math.ceil(until - time.monotonic()))
        asked = (msgspec.to_builtins(request),)
        return _enqueued(self._queue, job_messages.DECIDE, asked, job_id, "a decision", timeout=ttl_s, ttl=ttl_s)


class RefreshQueue:
    """Has metric sources read by workers."""

    def __init__(self, client: redis.Redis) -> None:
        self._queue = rq_queue(client)
        self._backlog = Backlog(client, self._queue.key)

    def refresh(self, kind: str, provider: str) -> bool:
        """Have the source of a kind read, unless that is under way; return whether it was queued.

        Before that, ids that no worker has taken in time leave the queue. Raises QueueDown.
        """
        self._backlog.drop_ended()
        job_id = refresh_job(kind, provider)
        ttl_s = 2 * REFRESH_LIMIT_S  # after that the id is free again, even if the worker was killed
        limit_s = REFRESH_LIMIT_S
        return _enqueued(
            self._queue, job_messages.REFRESH_METRICS, (kind,), job_id, job_id, timeout=limit_s, ttl=ttl_s
        )


def refresh_job(kind: str, provider: str) -> str:
    """The id of the one refresh that a source can have under way: `refresh-cost-digitalocean`."""
    return f"refresh-{kind}-{provider.replace('.', '_')}"


def announce(client: redis.Redis, job: Job, result: DecisionResult) -> None:
    """Announce a result to the process that queued the job, now or in a pipeline; raises redis.RedisError."""
    channel = str(job.args[0].get("reply_to", ""))
    if not channel.startswith(keys.decided("")):
        return  # nobody of ours listens there
    client.publish(channel, msgspec.json.encode(Announcement(job.id, result)))


def hold(client: redis.Redis, job: Job) -> None:
    """Keep nothing of a job but its id, and that for a second, now or in a pipeline; raises redis.RedisError.

    Whoever looked for the session's pin before it was written, and queues a job only now, joins this one and finds
    the pin. With a job of its own the router would be asked again, in vain.
    """
    client.delete(job.key)
    client.hset(job.key, "status", JobStatus.FINISHED)
    client.expire(job.key, _HELD_S)


def _pauses(first_s: float, until: float) -> Iterator[float]:
    """How long to wait before each look: twice as long each time, up to 100 ms (or `first_s`), until time is up."""
    pause_s = first_s
    while (left_s := until - time.monotonic()) > 0:
        yield min(pause_s, left_s)
        pause_s = max(first_s, min(2 * pause_s, _LOOK_LAST_S))


def _enqueued(
    queue: Queue, function: str, args: tuple[Any, ...], job_id: str, description: str, *, timeout: int, ttl: int
) -> bool:
    """Queue a job unless one of its id is under way; return whether it was queued. Its result is not kept.

    This is one round trip. RQ 2.12 would first add the queue to the list of queues, in a round trip of its own; a
    worker's heartbeat does that for us. RQ writes it into the pipeline given here, which is never executed. The job
    itself goes out by a script, past the pipeline.
    """
    try:
        queue.enqueue_call(
            function,
            pipeline=queue.connection.pipeline(),
            args=args,
            job_id=job_id,
            unique=True,
            timeout=timeout,
            ttl=ttl,
            result_ttl=0,
            failure_ttl=0,
            description=description,  # RQ's default would repeat the conversation
        )
    except DuplicateJobError:
        return False
    return True
