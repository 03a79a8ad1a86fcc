"""The job queue, as web and the clock see it: RQ, one decision a session and one refresh a source at a time."""

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
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_registration import get_keys

from shared import contract
from shared.contract import Announcement, Order, Verdict, adopted
from shared.domain.pins import Pin
from shared.domain.sessions import Session
from shared.errors import QueueDown, RouterDown, TooManyWaiting
from shared.store import keys
from shared.store.results import Results, Waiter

QUEUE = "plano"
REFRESH_LIMIT_S = 30
"""How long the refresh of one source may run; it may wait for a worker as long."""

_LOOK_FIRST_S, _LOOK_LAST_S = 0.025, 0.1
"""Who joined somebody else's job looks for the pin after the former, then less and less often, up to the latter."""
_HEAL_S = 0.25
"""How often whoever asked looks for the pin, too, and for the job: an announcement or a job may have been lost."""
_LAST_WORD_S = 0.1
"""How long the announcement of a job that has just ended may take to be read."""


class Pins(Protocol):
    """Where a decision becomes visible; raises StoreDown."""

    def get(self, session: Session) -> Pin | None:
        """The session's pin, or None."""


def rq_queue(client: redis.Redis) -> Queue:
    """The one queue, with JSON jobs: nothing is ever unpickled."""
    return Queue(QUEUE, connection=client, serializer=JSONSerializer)


class DecisionQueue:
    """Has decisions made by workers, and waits for them."""

    def __init__(self, client: redis.Redis, results: Results, pins: Pins, *, limit: int) -> None:
        """At most `limit` requests of this process wait at once."""
        self._redis = client
        self._queue = rq_queue(client)
        self._results = results
        self._pins = pins
        self._limit = limit
        self._waiting = 0
        self._count = threading.Lock()

    def ask(self, order: Order, budget_s: float) -> Verdict:
        """What a worker makes of the order; requests of one session, on any replica, share one job.

        Raises QueueDown, StoreDown, TooManyWaiting, or RouterDown when no answer came within `budget_s` seconds.
        """
        with self._count:
            if self._waiting >= self._limit:
                raise TooManyWaiting(f"{self._limit} decisions are waiting already")
            self._waiting += 1
        try:
            return self._ask(order, budget_s)
        finally:
            with self._count:
                self._waiting -= 1

    def workers(self) -> int:
        """How many worker processes live; raises QueueDown."""
        registered = get_keys(self._queue)
        return int(self._redis.exists(*registered)) if registered else 0

    def warm_up(self) -> None:
        """Ask once what RQ asks before its first job; raises QueueDown."""
        self._queue.get_redis_server_version()

    def _ask(self, order: Order, budget_s: float) -> Verdict:
        job_id = keys.decision_job(order.session) if order.session else f"decide-{uuid.uuid4().hex}"
        order = msgspec.structs.replace(order, reply_to=self._results.channel)
        until = time.monotonic() + budget_s
        with self._results.expect(job_id) as waiter:
            ours = self._enqueue(job_id, order, until)
            result = self._awaited(waiter, job_id, order, until, ours=ours)
        if result is None:
            if ours:  # its worker is gone or far behind: let the session's next request be decided anew
                with contextlib.suppress(QueueDown):  # then its own ttl does that
                    self._redis.delete(Job.key_for(job_id))
            raise RouterDown(f"no decision within {budget_s * 1000:.0f} ms")
        return result

    def _awaited(self, waiter: Waiter, job_id: str, order: Order, until: float, *, ours: bool) -> Verdict | None:
        """The result as it is announced, or as the pin says that it became; None when time is up."""
        looked_at = time.monotonic()
        for pause_s in _pauses(_HEAL_S if ours else _LOOK_FIRST_S, until):
            found = waiter.wait(pause_s) or self._standing(waiter, order, ours=ours)
            if not found and time.monotonic() - looked_at >= _HEAL_S:
                looked_at = time.monotonic()
                if not self._redis.exists(Job.key_for(job_id)):
                    found = waiter.wait(_LAST_WORD_S) or self._standing(waiter, order, ours=ours)
                    if not found:  # the job has failed, or Redis has lost it
                        self._enqueue(job_id, order, until)
            if found:
                return found
        return None

    def _standing(self, waiter: Waiter, order: Order, *, ours: bool) -> Verdict | None:
        """What the session's pin says, if it stands by now.

        A job of `ours` has just made it, or found it there: its announcement, which says which, is on its way.
        """
        pin = self._pins.get(order.session) if order.session else None
        if pin is None:
            return None
        announced = waiter.wait(_LAST_WORD_S) if ours else None
        return announced or msgspec.structs.replace(adopted(pin, order), pinned=not ours)

    def _enqueue(self, job_id: str, order: Order, until: float) -> bool:
        """Queue the job unless it is under way; return whether it was queued. It is dropped unrun when time is up."""
        ttl_s = max(1, math.ceil(until - time.monotonic()))
        asked = (msgspec.to_builtins(order),)
        return _enqueued(self._queue, contract.DECIDE, asked, job_id, "a decision", timeout=ttl_s, ttl=ttl_s)


class RefreshQueue:
    """Has metric sources read by workers."""

    def __init__(self, client: redis.Redis) -> None:
        self._queue = rq_queue(client)

    def refresh(self, kind: str, provider: str) -> bool:
        """Have the source of a kind read, unless that is under way; return whether it was queued.

        Raises QueueDown.
        """
        job_id = refresh_job(kind, provider)
        ttl_s = 2 * REFRESH_LIMIT_S  # when its worker is killed, the id is free again after that
        limit_s = REFRESH_LIMIT_S
        return _enqueued(self._queue, contract.REFRESH_METRICS, (kind,), job_id, job_id, timeout=limit_s, ttl=ttl_s)


def refresh_job(kind: str, provider: str) -> str:
    """The id of the one refresh a source can have under way, `refresh-cost-digitalocean`."""
    return f"refresh-{kind}-{provider.replace('.', '_')}"


def announce(client: redis.Redis, job: Job, result: Verdict) -> None:
    """Tell the process that queued a decision, now or with the rest of a pipeline; raises redis.RedisError."""
    channel = str(job.args[0].get("reply_to", ""))
    client.publish(channel, msgspec.json.encode(Announcement(job.id, result)))


def _pauses(first_s: float, until: float) -> Iterator[float]:
    """How long to wait before each look: twice as long each time, up to 100 ms (or `first_s`), until time is up."""
    pause_s = first_s
    while (left_s := until - time.monotonic()) > 0:
        yield min(pause_s, left_s)
        pause_s = max(first_s, min(2 * pause_s, _LOOK_LAST_S))


def _enqueued(
    queue: Queue, function: str, args: tuple[Any, ...], job_id: str, description: str, *, timeout: int, ttl: int
) -> bool:
    """Queue a job unless one of its id is under way; return whether it was queued. Nothing is kept of its end.

    One round trip: RQ would first list the queue among all queues, which a worker's sign of life does. It
    writes that to the pipeline it is given, and the job itself past it (RQ 2.12).
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
