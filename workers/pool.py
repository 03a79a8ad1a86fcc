"""An RQ worker that runs many jobs at once, each in a greenlet of one process.

RQ forks for each job, or runs one job at a time. A call to the router model only waits, so here one process holds
many of them. What RQ does around a job (registries, heartbeats, retries) stays RQ's. Written against RQ 2.12; the
names that are used here are listed in docs/decisions/0006-rq-on-a-gevent-pool.md.
"""

import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

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
from rq.timeouts import JobTimeoutException
from rq.worker import SimpleWorker
from rq.worker_registration import register

from shared import job_messages
from shared.errors import RouterDown
from shared.job_messages import DecisionResult
from shared.periodic import Periodic
from shared.store.connection.endpoint import RedisEndpoint
from shared.store.decoding.unreadable import Unreadable
from shared.store.jobs.job_data import JobData
from shared.store.jobs.workers import HEARTBEAT_TTL_S
from shared.store.queue import announce, hold, rq_queue
from workers.queue.accepted_jobs import FUNCTIONS
from workers.queue.intake import Intake
from workers.queue.wrong_types import mend, mend_after
from workers.services import WorkerServices
from workers.time_limits import GreenletDeathPenalty

log = logging.getLogger("plano.worker")

AWAY_S = 0.05
"""How often a worker looks whether Redis is back."""
HEARTBEAT_EVERY_S = 1.0
TIDY_EVERY_S = 60.0
"""How often a worker looks whether it is time for RQ's maintenance."""
DRAIN_S = 8
"""How long jobs under way may take after SIGTERM. The next request of a session whose job is cut off asks anew."""


class PooledJob(Job):
    """A job whose function is given the worker's services, and whose key always has a ttl.

    RQ removes the ttl of a running job. If its worker were killed then, the id would stay taken until another worker
    cleans up, and the session could not be decided meanwhile. The same would happen when a job ends after its key has
    expired, or was deleted by a request that waits no longer: RQ's last heartbeat would make the key anew, without a
    ttl.
    """

    services: WorkerServices

    def prepare_for_execution(self, worker_name: str, pipeline: Pipeline) -> None:
        """Note in Redis that the job runs. Its key now lives for as long as the job may take."""
        super().prepare_for_execution(worker_name, pipeline)
        pipeline.expire(self.key, math.ceil(self.timeout or HEARTBEAT_TTL_S))

    def heartbeat(self, *_: Any, **__: Any) -> None:
        """Do nothing: RQ watches the heartbeat of the job's execution, and not this one."""

    def get_status(self, refresh: bool = False) -> JobStatus:  # noqa: ARG002
        """The status that this process knows. RQ would read it from Redis, and fail when the job's key is gone."""
        return super().get_status(refresh=False)

    def perform(self) -> Any:
        """Call the job's function with the services, and return its result. RQ would import what the job names."""
        self._result = FUNCTIONS[self.func_name or ""](self.services, *self.args)
        return self._result


class PoolWorker(SimpleWorker):
    """Runs up to `size` jobs of the queue at once, and announces each result when its job id is free again."""

    job_class = PooledJob
    death_penalty_class = GreenletDeathPenalty
    log_result_lifespan = False
    connection_timeout = 5

    _of_greenlet = local()

    def __init__(
        self,
        services: WorkerServices,
        endpoint: RedisEndpoint,
        size: int,
        stop: threading.Event,
        unreadable: Unreadable | None = None,
    ) -> None:
        connection = redis.Redis(connection_pool=endpoint.pool)
        super().__init__(
            [rq_queue(connection)],
            connection=connection,
            serializer=JobData,
            log_job_description=False,
            worker_ttl=HEARTBEAT_TTL_S,
        )
        self._services = services
        self._breaker = endpoint.breaker
        self._greenlets = Pool(size)
        self._stop = stop
        self._next_look = 0.0
        self._signed_off = False
        self._dequeued: deque[Job] = deque()
        self._unreadable = unreadable or Unreadable()
        self._intake = Intake(self.queues[0], self.job_class, self._unreadable)
        self._beating = threading.Lock()
        self._background = (
            Periodic(HEARTBEAT_EVERY_S, self._beat, "heartbeat"),
            Periodic(TIDY_EVERY_S, self._tidy, "maintenance"),
        )

    @property
    def execution(self) -> Execution | None:
        """The execution of the greenlet's job. RQ keeps one on the worker; here each greenlet has its own."""
        return getattr(self._of_greenlet, "execution", None)

    @execution.setter
    def execution(self, value: Execution | None) -> None:
        self._of_greenlet.execution = value

    def dequeue_job_and_maintain_ttl(
        self,
        timeout: int | None,  # noqa: ARG002
        max_idle_time: int | None = None,  # noqa: ARG002
    ) -> tuple[Job, Queue] | None:
        """The next job once there is room for it; None, which ends the worker, once it is to stop and has none."""
        while True:
            self._greenlets.wait_available()
            if self._dequeued:
                return self._dequeued.popleft(), self.queues[0]
            if self._stop.is_set():
                return None
            if self._breaker.is_open:  # RQ would try again, with longer and longer pauses, and log each try
                self._stop.wait(AWAY_S)
                continue
            try:
                self._dequeued.extend(self._intake.take(self._greenlets.free_count()))
            except redis.ResponseError as error:
                self._refused_by_redis(error)
            except (redis.ConnectionError, redis.TimeoutError, DequeueTimeout):
                continue

    def _refused_by_redis(self, error: redis.ResponseError) -> None:
        """Delete what is in the way of the queue; without such a thing wait, since Redis may refuse for long."""
        if not mend_after(error, self.queues[0], self._unreadable):
            log.debug("redis refuses: %s", error)
            self._stop.wait(HEARTBEAT_EVERY_S)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Start the job; the next one is dequeued meanwhile."""
        self._greenlets.spawn(self._execute, super().execute_job, job, queue)

    def _execute(self, execute: Callable[[Job, Queue], None], job: Job, queue: Queue) -> None:
        try:
            execute(job, queue)
        except redis.RedisError as error:  # the job's key expires, and the session's next request queues a new job
            log.warning("a job could not be signed off: %s", type(error).__name__)
            mend_after(error, self.queues[0], self._unreadable)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """Log why a job failed: in one line for what comes from outside, with RQ's traceback for all else."""
        if isinstance(exc_info[1], redis.RedisError | JobTimeoutException | msgspec.ValidationError):
            log.warning("a job failed: %s", type(exc_info[1]).__name__)
        else:
            super().handle_exception(job, *exc_info)

    def prepare_execution(self, job: Job) -> Execution:  # noqa: ARG002
        """Do nothing: `prepare_job_execution` notes in one round trip what RQ notes in two."""
        return cast(Execution, self.execution)

    def prepare_job_execution(self, job: Job, remove_from_intermediate_queue: bool = False) -> None:
        """Note in Redis, in one round trip, that the job has a worker and that it runs."""
        with self.connection.pipeline() as pipeline:
            self.execution = Execution.create(job, self.get_heartbeat_ttl(job), pipeline, self.name)
            job.prepare_for_execution(self.name, pipeline)
            if remove_from_intermediate_queue:
                pipeline.lrem(self.queues[0].intermediate_queue_key, 1, job.id)
            pipeline.execute()

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """Run the job; when it fails, announce that to whoever waits for its result."""
        cast(PooledJob, job).services = self._services
        done = bool(super().perform_job(job, queue))
        if not done and job.func_name == job_messages.DECIDE:
            announce(self.connection, job, DecisionResult(fault=RouterDown.part))
        return done

    def handle_job_success(self, job: Job, queue: Queue, started_job_registry: StartedJobRegistry) -> None:  # noqa: ARG002
        """Sign the job off, delete it, and then announce its result, all in one round trip.

        When a process hears the result, the job's id is free again, so that no request joins a job that has ended.
        Only where it has pinned its session the id stays taken for a moment: who joins finds the pin.

        RQ would look for dependents and repetitions, which our jobs do not have. It would do so while it holds one
        connection and waits for another one; many jobs that end at once would then wait for each other for ever.
        """
        with self.connection.pipeline() as pipeline:
            self.increment_successful_job_count(pipeline=pipeline)
            pipeline.delete(job.key)
            self.cleanup_execution(job, pipeline=pipeline)
            if job.func_name == job_messages.DECIDE:
                result = msgspec.convert(job._result, DecisionResult)  # noqa: SLF001 - return_value() would ask Redis
                if result.pin:
                    hold(pipeline, job)
                announce(pipeline, job, result)
            pipeline.execute()

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Do nothing: RQ would write several for each job, and end its loop when one fails. `_beat` writes them."""

    def check_for_suspension(self, burst: bool) -> None:
        """Obey `rq suspend`, for which the worker looks once a second."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + HEARTBEAT_EVERY_S
            with contextlib.suppress(redis.RedisError):  # RQ's loop would end; dequeuing waits until Redis is back
                super().check_for_suspension(burst)

    def set_state(self, state: str, pipeline: Any = None) -> None:  # noqa: ARG002
        """Keep the state here, and not in Redis: idle and busy mean nothing where many jobs run."""
        self._state = state

    def set_current_job_id(self, job_id: str | None = None, pipeline: Any = None) -> None:
        """Do nothing: there is no single current job."""

    def set_current_job_working_time(self, current_job_working_time: float, pipeline: Any = None) -> None:
        """Do nothing: there is no single current job."""

    def subscribe(self) -> None:
        """Do nothing: RQ's remote commands are not served. Their thread dies when Redis restarts (rq issue 1836)."""

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Sign on, and begin to give signs of life."""
        mend(self.queues[0], self._unreadable)
        super().bootstrap(*args, **kwargs)
        self._beat()
        for each in self._background:
            each.start()
        log.info("worker takes jobs")

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """No: RQ's loop would wait for its maintenance, and end by an error of it. `_tidy` does it instead."""
        return False

    def _beat(self) -> None:
        """Give a sign of life, and register worker and queue, since Redis may have come back empty."""
        try:
            with self._beating, self.connection.pipeline() as together:
                if self._signed_off:
                    return
                super().heartbeat(HEARTBEAT_TTL_S, together)
                register(self, together)
                together.sadd(Queue.redis_queues_keys, *self.queue_keys())
                together.execute()
        except redis.ResponseError as error:
            self._refused_by_redis(error)
        except redis.RedisError as error:
            log.debug("no sign of life could be given: %s", type(error).__name__)  # the breaker has logged it

    def _tidy(self) -> None:
        """Do RQ's maintenance when it is due; first drop what it would look at one by one."""
        if super().should_run_maintenance_tasks:
            with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                self._intake.drop_ended()
                self.run_maintenance_tasks()

    def teardown(self) -> None:
        """Let jobs under way end, then sign off. A worker that takes no more jobs gives no more signs of life."""
        for each in self._background:
            each.stop()
        with self._beating:
            self._signed_off = True
        self._greenlets.join(timeout=DRAIN_S)
        super().teardown()  # type: ignore[no-untyped-call]

    def procline(self, message: str) -> None:
        """Do nothing: the process keeps its name."""

    def _set_ip_address(self, connection: redis.Redis) -> None:  # noqa: ARG002
        """Do not ask for it: CLIENT LIST is for those who may administer Redis, and shows all of its clients."""
        self.ip_address = "unknown"

    def _install_signal_handlers(self) -> None:
        """Do nothing: `workers/__main__.py` handles signals. RQ's handler would raise in whichever greenlet runs."""
