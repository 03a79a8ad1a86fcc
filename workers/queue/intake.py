"""Takes jobs off the queue: several in one round trip, and only those that are ours."""

from collections.abc import Iterable, Iterator
from typing import Any, cast

import redis
from rq import Queue
from rq.exceptions import DeserializationError
from rq.job import Job

from shared import bootstrap
from shared.store.decoding.unreadable import Unreadable
from shared.store.jobs.expired_jobs import Backlog
from workers.queue.accepted_jobs import FIELDS, Refused, admitted

IDLE_S = bootstrap.BLOCKS_S
"""How long one blocking dequeue lasts, and so how late the worker may notice that it is to stop."""
MOST_AT_ONCE = 15
"""So many more jobs at most are fetched together with the job that was waited for."""


class Intake:
    """Takes jobs off one queue. Every method raises redis.RedisError."""

    def __init__(self, queue: Queue, job_class: type[Job], unreadable: Unreadable) -> None:
        self._queue = queue
        self._redis = queue.connection
        self._job_class = job_class
        self._unreadable = unreadable
        self._backlogs = [Backlog(self._redis, key) for key in (queue.key, queue.intermediate_queue_key)]

    def take(self, room: int) -> list[Job]:
        """Wait for a job; then fetch it, and up to `room` jobs in all that wait besides, in the same round trip.

        RQ takes two round trips for each job, one job after the other: from a Redis 100 ms away, five jobs a second.
        Raises rq.exceptions.DequeueTimeout when there is no job.
        """
        queue = self._queue
        _, first = cast(tuple[str, Any], queue.lmove(self._redis, queue.key, cast(int, IDLE_S)))
        with self._redis.pipeline(transaction=False) as together:
            together.hmget(self._key(first), FIELDS)
            for _ in range(min(room - 1, MOST_AT_ONCE)):
                together.lmove(queue.key, queue.intermediate_queue_key)
            held, *others = together.execute(raise_on_error=False)
        more = [job_id for job_id in others if isinstance(job_id, bytes)]
        return list(self._ours(((first, held), *zip(more, self._held(more), strict=True))))

    def drop_ended(self) -> None:
        """Drop the ids of jobs that are past their ttl, or were refused, wherever RQ keeps them."""
        for backlog in self._backlogs:
            backlog.drop_ended()

    def _held(self, job_ids: list[bytes]) -> list[Any]:
        """What Redis holds of these jobs."""
        if not job_ids:
            return []
        with self._redis.pipeline(transaction=False) as together:
            for job_id in job_ids:
                together.hmget(self._key(job_id), FIELDS)
            return together.execute(raise_on_error=False)

    def _ours(self, taken: Iterable[tuple[bytes, Any]]) -> Iterator[Job]:
        """The jobs that are ours and have not ended; all others are forgotten."""
        forgotten = False
        for job_id, held in taken:
            if held == [None] * len(FIELDS):
                forgotten = True
                continue
            try:
                yield self._job_of(job_id, held)
            except Refused as why:
                self._unreadable.note(f"rq:job:{job_id.decode('latin-1')}", why)
                self._redis.delete(self._key(job_id))
                forgotten = True
        if forgotten:
            self.drop_ended()

    def _job_of(self, job_id: bytes, held: Any) -> Job:
        """The job with this id; raises Refused."""
        if isinstance(held, redis.ResponseError):
            raise Refused("it is no hash")
        asked = admitted(held)
        if not job_id:
            raise Refused("its id is none")
        try:
            job = self._job_class(job_id.decode(), connection=self._redis, serializer=self._queue.serializer)
        except ValueError:  # what RQ raises for an id with other characters than those it allows
            raise Refused("its id is none") from None
        job.data, job.timeout = asked.data, asked.timeout_s
        job.origin = self._queue.name
        job.result_ttl = job.failure_ttl = 0
        try:
            job.func_name  # noqa: B018 - RQ reads the data now, and not again
        except DeserializationError:  # nested deeper than Python's own JSON reader can
            raise Refused("it is not JSON as RQ writes it") from None
        return job

    def _key(self, job_id: bytes) -> bytes:
        """The key of a job, whatever bytes its id has."""
        return self._job_class.key_for("").encode() + job_id
