"""Hears the results that workers announce, by one channel and one subscription a process."""

import contextlib
import logging
import threading
import uuid
from collections.abc import Iterator

import msgspec
import redis

from shared.errors import QueueDown
from shared.job_messages import Announcement, DecisionResult
from shared.periodic import Periodic
from shared.store import keys
from shared.store.client import FairPool
from shared.store.decoding.unreadable import Unreadable
from shared.store.decoding.values import Decoder

log = logging.getLogger("plano.redis")

_PAUSE_S = 0.1
_START_S = 1.0


class Waiter:
    """One request that waits for a result."""

    def __init__(self) -> None:
        self._woken = threading.Event()  # one for each waiter: of several on one event, gevent may never wake one
        self._result: DecisionResult | None = None
        self._away = False

    def wait(self, timeout_s: float) -> DecisionResult | None:
        """The result, or None when none comes in time. Raises QueueDown as soon as Redis is known to be away."""
        self._woken.wait(timeout_s)
        if self._result is None and self._away:
            raise QueueDown("Redis went away")
        return self._result

    def tell(self, result: DecisionResult) -> None:
        """Wake the request with its result."""
        self._result = result
        self._woken.set()

    def give_up(self) -> None:
        """Wake the request without a result, because Redis is away."""
        self._away = True
        self._woken.set()


class Results:
    """Hands the results that workers announce to the requests that wait for them."""

    def __init__(self, pool: FairPool, unreadable: Unreadable | None = None) -> None:
        """`pool` has one connection, which the subscription keeps."""
        self.channel = keys.decided(uuid.uuid4().hex)
        """Where workers announce the results of what this process asked for."""
        self._pool = pool
        self._waiters: dict[str, list[Waiter]] = {}
        self._lock = threading.Lock()
        self._listening = threading.Event()
        self._decoder = Decoder(msgspec.json.Decoder(Announcement).decode, unreadable)
        self._subscribing = Periodic(_PAUSE_S, self._listen, "results")

    @property
    def listening(self) -> bool:
        """Whether Redis delivers what is announced now."""
        return self._listening.is_set()

    def anybody_waits(self) -> bool:
        """Whether a request waits for a result."""
        return bool(self._waiters)

    def start(self) -> None:
        """Begin to listen. If Redis is there, it delivers what is announced from now on."""
        self._pool.breaker.on_open(self._give_up)
        self._pool.breaker.on_demoted(self._pool.interrupt)
        self._subscribing.start()
        self._listening.wait(_START_S)

    def stop(self) -> None:
        """Stop listening."""
        self._subscribing.stop()
        self._pool.disconnect()

    @contextlib.contextmanager
    def expect(self, job_id: str) -> Iterator[Waiter]:
        """A waiter that is handed a job's result, whenever it comes within the block."""
        waiter = Waiter()
        with self._lock:
            self._waiters.setdefault(job_id, []).append(waiter)
        try:
            yield waiter
        finally:
            with self._lock:
                others = self._waiters[job_id]
                others.remove(waiter)
                if not others:
                    del self._waiters[job_id]

    def _listen(self) -> None:
        """Subscribe until the connection breaks. Who misses a result until the next time finds the pin."""
        try:
            with redis.Redis(connection_pool=self._pool).pubsub() as subscription:
                subscription.subscribe(self.channel)
                for message in subscription.listen():
                    self._listening.set()
                    if message["type"] == "message":
                        self._tell(message["data"])
        except (redis.RedisError, OSError) as error:
            log.debug("the subscription broke: %s", type(error).__name__)
        finally:
            self._listening.clear()

    def _tell(self, data: bytes) -> None:
        announced = self._decoder.read(self.channel, data)
        if announced is None:
            return
        if not (announced.result.models or announced.result.fault):
            self._decoder.unreadable.note(self.channel, "it decides nothing")
            return
        with self._lock:
            waiters = tuple(self._waiters.get(announced.job_id, ()))
        for waiter in waiters:
            waiter.tell(announced.result)

    def _give_up(self) -> None:
        with self._lock:
            waiters = [waiter for each in self._waiters.values() for waiter in each]
        for waiter in waiters:
            waiter.give_up()
