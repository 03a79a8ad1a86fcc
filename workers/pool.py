"""An RQ worker that runs many jobs at once, each in a greenlet of one process.

RQ forks for each job, or runs one at a time; a router call only waits, so here one process holds many of
them. What RQ does around a job (registries, heartbeats, retries) stays RQ's. Written against RQ 2.12.
"""

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import gevent
import msgspec
import redis
from gevent.local import local
from gevent.pool import Pool
from redis.client import Pipeline
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty, JobTimeoutException
from rq.utils import as_text
from rq.worker import SimpleWorker
from rq.worker_registration import register

from shared import bootstrap, contract
from shared.contract import Verdict
from shared.errors import RouterDown
from shared.store.endpoint import RedisEndpoint
from shared.store.queue import announce, rq_queue
from workers.parts import Parts

log = logging.getLogger("plano.worker")

IDLE_S = bootstrap.BLOCKS_S
"""How long one blocking dequeue lasts: a stop is noticed no later than this."""
MOST_AT_ONCE = 15
"""So many more jobs are fetched together with one that was waited for."""
AWAY_S = 0.05
"""How soon a worker sees that Redis is back."""
HEARTBEAT_EVERY_S = 1.0
HEARTBEAT_TTL_S = 30
"""After so long without a sign of life a worker counts as gone."""
DRAIN_S = 8
"""How long jobs under way may take after SIGTERM; what is left is decided anew by its next request."""


class GreenletDeathPenalty(BaseDeathPenalty):
    """Ends a job that takes too long; RQ's own uses SIGALRM, which knows no greenlets."""

    def __init__(self, timeout: float, exception: type[Exception] = JobTimeoutException, **kwargs: Any) -> None:
        super().__init__(timeout, exception, **kwargs)  # type: ignore[no-untyped-call]
        self._timer = gevent.Timeout(timeout, exception(f"the job took longer than {timeout} s"))

    def setup_death_penalty(self) -> None:
        """Start the clock."""
        self._timer.start()

    def cancel_death_penalty(self) -> None:
        """The job ended in time."""
        self._timer.close()


class PooledJob(Job):
    """A job whose function is given the worker's parts, and whose key always has a ttl.

    RQ lifts the ttl of a running job; when its worker is then killed, its id would stay taken until some
    other worker cleans up, and its session could not be decided. The same would happen to a job that ends
    after its key is gone, deleted by who no longer waits or expired: RQ's last heartbeat makes the key anew.
    """

    parts: Parts

    def prepare_for_execution(self, worker_name: str, pipeline: Pipeline) -> None:
        """Write down that it runs; from now on its key lives as long as it may take."""
        super().prepare_for_execution(worker_name, pipeline)
        pipeline.expire(self.key, math.ceil(self.timeout or HEARTBEAT_TTL_S))

    def heartbeat(self, *_: Any, **__: Any) -> None:
        """Nobody reads it: the sign of life of a running job is its execution's."""

    def get_status(self, refresh: bool = False) -> JobStatus:  # noqa: ARG002
        """What this process knows: RQ would fail to end a job whose key is gone."""
        return super().get_status(refresh=False)

    def perform(self) -> Any:
        """The function's result."""
        self._result = self.func(self.parts, *self.args)
        return self._result


class PoolWorker(SimpleWorker):
    """Runs up to `size` jobs of the queue at once, and announces each verdict once its job id is free again."""

    job_class = PooledJob
    death_penalty_class = GreenletDeathPenalty
    log_result_lifespan = False
    connection_timeout = 5

    _of_greenlet = local()

    def __init__(self, parts: Parts, endpoint: RedisEndpoint, size: int, stop: threading.Event) -> None:
        connection = redis.Redis(connection_pool=endpoint.pool)
        super().__init__(
            [rq_queue(connection)],
            connection=connection,
            serializer=JSONSerializer,
            log_job_description=False,
            worker_ttl=HEARTBEAT_TTL_S,
        )
        self._parts = parts
        self._breaker = endpoint.breaker
        self._greenlets = Pool(size)
        self._stop = stop
        self._next_heartbeat = self._next_look = 0.0
        self._dequeued: deque[Job] = deque()

    @property
    def execution(self) -> Execution | None:
        """RQ keeps the running job's execution on the worker; here each greenlet has its own."""
        return getattr(self._of_greenlet, "execution", None)

    @execution.setter
    def execution(self, value: Execution | None) -> None:
        self._of_greenlet.execution = value

    def dequeue_job_and_maintain_ttl(
        self,
        timeout: int | None,  # noqa: ARG002
        max_idle_time: int | None = None,  # noqa: ARG002
    ) -> tuple[Job, Queue] | None:
        """The next job once there is room for it; None, which ends the worker, when it is to stop."""
        while not self._stop.is_set():
            self._greenlets.wait_available()
            if self._breaker.is_open:  # RQ would wait for a second and more, and log each try
                self._stop.wait(AWAY_S)
                continue
            with contextlib.suppress(redis.ConnectionError, redis.TimeoutError, DequeueTimeout):
                if not self._dequeued:
                    self.heartbeat()
                    if self.should_run_maintenance_tasks:
                        self.run_maintenance_tasks()
                    self._dequeue()
                if self._dequeued:
                    return self._dequeued.popleft(), self.queues[0]
        return None

    def _dequeue(self) -> None:
        """Wait for a job, and take what else is waiting in the round trip that fetches it.

        RQ takes two round trips for each job, one job after the other: five a second from a Redis 100 ms away.
        Raises DequeueTimeout when there is none.
        """
        queue = self.queues[0]
        _, first = cast(tuple[str, Any], queue.lmove(self.connection, queue.key, cast(int, IDLE_S)))
        with self.connection.pipeline(transaction=False) as together:
            together.hgetall(self.job_class.key_for(as_text(first)))
            for _ in range(min(self._greenlets.free_count() - 1, MOST_AT_ONCE)):
                together.lmove(queue.key, queue.intermediate_queue_key)
            data, *others = together.execute()
        if data:  # else its time was up
            job = self.job_class(as_text(first), connection=self.connection, serializer=self.serializer)
            job.restore(data)
            self._dequeued.append(job)
        more = [as_text(job_id) for job_id in others if job_id]
        if more:
            jobs = self.job_class.fetch_many(more, connection=self.connection, serializer=self.serializer)
            self._dequeued.extend(job for job in jobs if job)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Start the job; the next one is dequeued meanwhile."""
        self._greenlets.spawn(self._execute, super().execute_job, job, queue)

    def _execute(self, execute: Callable[[Job, Queue], None], job: Job, queue: Queue) -> None:
        try:
            execute(job, queue)
        except redis.RedisError as error:  # its key runs out by itself, and the session's next request asks anew
            log.warning("a job could not be signed off: %s", type(error).__name__)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log why a job failed: one line where it is the world's fault, RQ's traceback where it is ours."""
        if isinstance(exc_info[1], redis.RedisError | JobTimeoutException):
            log.warning("a job failed: %s", type(exc_info[1]).__name__)
        else:
            super().handle_exception(job, *exc_info)

    def prepare_execution(self, job: Job) -> Execution:  # noqa: ARG002
        """RQ notes down that the job has a worker, and then that it runs: here it is one round trip, the next one."""
        return cast(Execution, self.execution)

    def prepare_job_execution(self, job: Job, remove_from_intermediate_queue: bool = False) -> None:
        """Note down that the job runs."""
        with self.connection.pipeline() as pipeline:
            self.execution = Execution.create(job, self.get_heartbeat_ttl(job), pipeline, self.name)
            job.prepare_for_execution(self.name, pipeline)
            if remove_from_intermediate_queue:
                pipeline.lrem(self.queues[0].intermediate_queue_key, 1, job.id)
            pipeline.execute()

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """Run the job; whoever waits for its verdict is told of a failure, too."""
        cast(PooledJob, job).parts = self._parts
        done = bool(super().perform_job(job, queue))
        if not done and job.func_name == contract.DECIDE:
            announce(self.connection, job, Verdict(fault=RouterDown.part))
        return done

    def handle_job_success(self, job: Job, queue: Queue, started_job_registry: StartedJobRegistry) -> None:  # noqa: ARG002
        """Sign the job off, forget it, and then announce its verdict, in one round trip.

        Who hears it finds the job's id free, so that nobody waits for what has been. RQ would look for dependents
        and repetitions, which our jobs have none of; and it does so while it holds one connection and waits for
        another, of which many jobs that end at once run out.
        """
        with self.connection.pipeline() as pipeline:
            self.increment_successful_job_count(pipeline=pipeline)
            pipeline.delete(job.key)
            self.cleanup_execution(job, pipeline=pipeline)
            if job.func_name == contract.DECIDE:
                # not return_value(), which would ask Redis
                announce(pipeline, job, msgspec.convert(job._result, Verdict))  # noqa: SLF001
            pipeline.execute()

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:  # noqa: ARG002
        """Sign of life, at most one a second, where RQ would give several for each job.

        It signs on anew each time, and lists its queue, since Redis may have come back empty.
        """
        if time.monotonic() >= self._next_heartbeat:
            self._next_heartbeat = time.monotonic() + HEARTBEAT_EVERY_S
            with self.connection.pipeline() as together:
                super().heartbeat(HEARTBEAT_TTL_S, together)
                register(self, together)
                together.sadd(Queue.redis_queues_keys, *self.queue_keys())
                together.execute()

    def check_for_suspension(self, burst: bool) -> None:
        """Obey `rq suspend`; it is looked for once a second."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + HEARTBEAT_EVERY_S
            with contextlib.suppress(redis.RedisError):  # RQ would end; dequeuing waits instead
                super().check_for_suspension(burst)

    def set_state(self, state: str, pipeline: Any = None) -> None:  # noqa: ARG002
        """Idle and busy mean nothing where many jobs run: the state is kept here, and not in Redis."""
        self._state = state

    def set_current_job_id(self, job_id: str | None = None, pipeline: Any = None) -> None:
        """There is no such thing as the current job."""

    def set_current_job_working_time(self, current_job_working_time: float, pipeline: Any = None) -> None:
        """There is no such thing as the current job."""

    def subscribe(self) -> None:
        """RQ's remote commands are not served: their thread dies with a Redis restart (rq issue 1836)."""

    def teardown(self) -> None:
        """Let jobs under way end, then sign off."""
        self._greenlets.join(timeout=DRAIN_S)
        super().teardown()  # type: ignore[no-untyped-call]

    def procline(self, message: str) -> None:
        """The process keeps its name."""

    def _install_signal_handlers(self) -> None:
        """The process's own handler sets the stop event; RQ's would raise in whichever greenlet runs."""
