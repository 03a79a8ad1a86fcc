"""The job queue, as web and the clock see it: RQ, one decision a session and one refresh a source at a time."""

import contextlib
import math
import threading
import time
import uuid
from typing import Any

import msgspec
import redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker_registration import get_keys

from shared import contract
from shared.contract import Order, Verdict
from shared.errors import QueueDown, RouterDown, TooManyWaiting
from shared.store import keys
from shared.store.link import Link
from shared.store.pipe import PipedRedis
from shared.store.replies import Replies

QUEUE = "plano"
REFRESH_LIMIT_S = 30
"""How long the refresh of one source may run; it may wait for a worker as long."""
_read_verdict = msgspec.json.Decoder(Verdict).decode


def rq_queue(client: redis.Redis) -> Queue:
    """The one queue, with JSON jobs: nothing is ever unpickled."""
    return Queue(QUEUE, connection=client, serializer=JSONSerializer)


class DecisionQueue:
    """Has decisions made by workers, and waits for them."""

    def __init__(self, link: Link, replies: Replies, *, limit: int) -> None:
        self._link = link
        self._client = PipedRedis(link.pipe)
        self._queue = rq_queue(self._client)
        self._replies = replies
        self._limit = limit
        self._waiting = 0
        self._count = threading.Lock()

    def ask(self, order: Order, budget_s: float) -> Verdict:
        """What a worker makes of the order; requests of one session, on any replica, share one job.

        Raises QueueDown, TooManyWaiting, or RouterDown when no answer came within `budget_s` seconds.
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
        return self._link.guard(self._living)

    def _ask(self, order: Order, budget_s: float) -> Verdict:
        job_id = keys.decision_job(order.session) if order.session else f"decide-{uuid.uuid4().hex}"
        until = time.monotonic() + budget_s
        ours = False
        with self._replies.expect(keys.decided(job_id)) as reply:
            while (left_s := until - time.monotonic()) > 0:
                # A worker frees the job's id before it announces: whoever finds the id taken, having
                # listened before, is certain to hear the verdict. Unless the subscription broke, and Redis
                # may even have lost the job: then it is asked for again.
                ours = self._link.guard(self._enqueue, job_id, order, math.ceil(left_s)) or ours
                self._link.check()
                heard = reply.wait(left_s)
                if heard is not None:
                    return _read_verdict(heard)
        if ours:  # its worker is gone or far behind: let the session's next request be decided anew
            with contextlib.suppress(QueueDown):  # then its own ttl does that
                self._link.guard(self._client.delete, Job.key_for(job_id))
        raise RouterDown(f"no decision within {budget_s * 1000:.0f} ms")

    def _enqueue(self, job_id: str, order: Order, ttl_s: int) -> bool:
        """Queue the job unless it is under way; return whether it was queued. It is dropped unrun after its ttl."""
        asked = (msgspec.to_builtins(order),)
        return _enqueued(self._queue, contract.DECIDE, asked, job_id, "a decision", timeout=ttl_s, ttl=ttl_s)

    def _living(self) -> int:
        registered = get_keys(self._queue)
        return int(self._client.exists(*registered)) if registered else 0


class RefreshQueue:
    """Has metric sources read by workers."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._queue = rq_queue(PipedRedis(link.pipe))

    def refresh(self, kind: str, provider: str) -> bool:
        """Have the source of a kind read, unless that is under way; return whether it was queued.

        Raises QueueDown.
        """
        job_id = refresh_job(kind, provider)
        ttl_s = 2 * REFRESH_LIMIT_S  # when its worker is killed, the id is free again after that
        return self._link.guard(
            _enqueued,
            self._queue,
            contract.REFRESH_METRICS,
            (kind,),
            job_id,
            job_id,
            timeout=REFRESH_LIMIT_S,
            ttl=ttl_s,
        )


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


def refresh_job(kind: str, provider: str) -> str:
    """The id of the one refresh a source can have under way, `refresh-cost-digitalocean`."""
    return f"refresh-{kind}-{provider.replace('.', '_')}"


def announce(client: redis.Redis, job_id: str, verdict: Verdict) -> None:
    """Publish the verdict to whoever expects it, now or with the rest of a pipeline; raises redis.RedisError."""
    client.publish(keys.decided(job_id), msgspec.json.encode(verdict))
