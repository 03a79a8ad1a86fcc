"""How Redis is reached: redis-py's client on a small pool. The one place for limits, and for redis-py's inside."""

import select
import socket
import threading
import time
from collections import deque
from typing import Any, cast

import redis
from gevent import monkey
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.connection import AbstractConnection
from redis.exceptions import NoScriptError
from redis.retry import Retry

from shared.errors import Away
from shared.store.breaker import Breaker, CircuitOpen

BACKSTOP_S = 2.0
"""The longest that one answer is waited for. It is the failure detector that decides long before whether Redis is
silent; this is for the case that it is wrong."""

_poll = monkey.get_original("select", "poll")  # without waiting; gevent's own takes 100 µs where the system's takes 1
_KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}


class _Connection(AbstractConnection):
    """What our connections add to redis-py's own: they tell the breaker how it went."""

    pool: "FairPool"

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        try:
            super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]
        except (redis.ConnectionError, redis.TimeoutError) as error:
            self.pool.breaker.failed(error)
            raise

    def read_response(self, disable_decoding: bool = False, **options: Any) -> Any:
        disconnects = options.pop("disconnect_on_error", True)
        try:
            answer = self._read(disable_decoding, options)
        except redis.ResponseError as error:
            if "READONLY" in str(error):
                self.pool.breaker.demoted()
            raise
        except BaseException as error:
            if disconnects:
                self.disconnect()
            if isinstance(error, redis.ConnectionError | redis.TimeoutError):
                self.pool.breaker.failed(error)
            raise
        self.pool.breaker.succeeded()
        return answer

    def _read(self, disable_decoding: bool, options: dict[str, Any]) -> Any:
        try:
            return super().read_response(disable_decoding, disconnect_on_error=False, **options)
        except redis.TimeoutError:
            if not _readable(self):
                raise
        # The answer is there: this process was too busy to read it in time.
        return super().read_response(disable_decoding, disconnect_on_error=False, **options)


class _Waiter:
    """Somebody who waits for a connection."""

    def __init__(self) -> None:
        self.connection: _Connection | None = None
        self.woken = threading.Lock()  # one for each: several that wait for one event lose a waiter under gevent
        self.woken.acquire()


class FairPool(redis.ConnectionPool):
    """At most `max_connections` connections; one that is released goes to whoever has waited longest.

    Nothing here bounds how long a connection is waited for: whoever holds one keeps it for a command, which is
    bounded, and the breaker wakes everybody.
    """

    def __init__(
        self, *, breaker: Breaker, connection_class: type[AbstractConnection] = redis.Connection, **options: Any
    ) -> None:
        self.breaker = breaker
        self._idle: list[_Connection] = []
        self._busy: dict[_Connection, float] = {}
        """The connections in use, and since when."""
        self._queue: deque[_Waiter] = deque()
        self._mutex = threading.Lock()
        ours = type(connection_class.__name__, (_Connection, connection_class), {})
        super().__init__(connection_class=ours, **options)
        breaker.on_open(self.interrupt)
        breaker.on_demoted(self.leave)

    def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:  # noqa: ARG002
        """A connection that is ready; raises CircuitOpen at once when Redis is known to be away."""
        connection = self._taken()
        try:
            self.make_ready(connection)
        except BaseException:
            self.release(connection)
            raise
        return connection

    def make_ready(self, connection: AbstractConnection) -> None:
        """Connect it, unless it is connected and neither closed nor left with something unread."""
        if connection.is_connected:
            if not (connection.should_reconnect() or _readable(connection)):
                return
            connection.disconnect()
        until = time.monotonic() + BACKSTOP_S
        while True:
            try:
                connection.connect()
            except redis.TimeoutError:
                # Connecting is tried again: the time-out may be due to this process, if it was busy.
                if self.breaker.is_open or time.monotonic() >= until:
                    raise
            except (redis.ConnectionError, OSError) as error:
                self.breaker.failed(error)
                raise
            else:
                return

    def release(self, connection: Any) -> None:
        """Take a connection back, for whoever has waited longest."""
        if connection.should_reconnect():
            connection.disconnect()
        with self._mutex:
            if self._queue:
                waiter = self._queue.popleft()
                waiter.connection = connection
                self._busy[connection] = time.monotonic()
                waiter.woken.release()
            else:
                del self._busy[connection]
                self._idle.append(connection)

    def spare_connection(self) -> _Connection:
        """A connection beside those of the pool, for its caller alone."""
        connection = cast(_Connection, self.connection_class(**self.connection_kwargs))
        connection.pool = self
        return connection

    def connect_all(self) -> None:
        """Connect as often as the pool may, so that no request need; raises redis.RedisError."""
        made = [self.get_connection() for _ in range(self.max_connections)]
        for connection in made:
            self.release(connection)

    def waiting_since(self) -> float | None:
        """When the oldest wait for an answer began, by the monotonic clock; None when nobody waits."""
        with self._mutex:
            return min(self._busy.values(), default=None)

    def interrupt(self) -> None:
        """Wake whoever waits, for an answer or for a connection: they get a redis.ConnectionError."""
        with self._mutex:
            waiters, busy, idle = tuple(self._queue), tuple(self._busy), tuple(self._idle)
            self._queue.clear()
        for waiter in waiters:
            waiter.woken.release()
        for connection in busy:
            _shut(connection)
        for connection in idle:
            connection.mark_for_reconnect()

    def leave(self) -> None:
        """Connect anew from now on: this Redis is no primary any more, and another one may have taken its address."""
        with self._mutex:
            for connection in (*self._idle, *self._busy):
                connection.mark_for_reconnect()

    def disconnect(self, inuse_connections: bool = True) -> None:  # noqa: ARG002 - redis-py's
        """Close every connection."""
        self.interrupt()
        with self._mutex:
            for connection in self._idle:
                connection.disconnect()

    def _taken(self) -> _Connection:
        with self._mutex:
            if self.breaker.is_open:
                raise CircuitOpen("Redis is known to be away")
            connection = self._idle.pop() if self._idle else self._another()
            if connection:
                self._busy[connection] = time.monotonic()
                return connection
            waiter = _Waiter()
            self._queue.append(waiter)
        return self._handed_to(waiter)

    def _another(self) -> _Connection | None:
        if self._created_connections >= self.max_connections:
            return None
        connection = cast(_Connection, self.make_connection())
        connection.pool = self
        return connection

    def _handed_to(self, waiter: _Waiter) -> _Connection:
        try:
            waiter.woken.acquire()
        except BaseException:  # whoever waits is to end
            with self._mutex:
                if waiter in self._queue:
                    self._queue.remove(waiter)
            if waiter.connection:
                self.release(waiter.connection)
            raise
        if waiter.connection is None:
            raise CircuitOpen("Redis went away")
        return waiter.connection


class StoreClient(redis.Redis):
    """redis-py's client, whose errors are the pool's own: `error` says which part is away.

    A command goes out by the connection's own send and read. redis-py wraps both in a retry and in measurements that
    take as long as the command itself; docs/decisions has the figure.
    """

    def __init__(self, pool: FairPool, error: type[Away]) -> None:
        super().__init__(connection_pool=pool)
        self._error = error

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """What Redis answers; raises the client's error when it is away, refuses, or does not answer in time."""
        pool = self.connection_pool
        try:
            connection = pool.get_connection()
            try:
                connection.send_packed_command(connection.pack_command(*args), check_health=False)
                answer = connection.read_response()
            finally:
                pool.release(connection)
        except NoScriptError:
            raise  # redis-py's scripts load themselves then
        except redis.RedisError as error:
            raise away(error, self._error) from error
        options.pop("keys", None)  # for a cache that is not used
        callback = self.response_callbacks.get(args[0])
        return callback(answer, **options) if callback else answer

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "_StorePipeline":
        """Commands that go out together, by default as one transaction; `execute` raises as a command does."""
        made = _StorePipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        made.error = self._error
        return made

    def answers(self) -> bool:
        """Whether it answers a PING now."""
        try:
            return bool(self.ping())
        except self._error:
            return False


class _StorePipeline(Pipeline):
    error: type[Away]

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        try:
            return super().execute(raise_on_error)
        except redis.RedisError as error:
            raise away(error, self.error) from error


def away(error: redis.RedisError, kind: type[Away]) -> Away:
    """The error as the pool's own."""
    if isinstance(error, redis.ResponseError):
        return kind(f"Redis refuses: {type(error).__name__}")  # read-only, out of memory, …
    return kind(f"Redis is away: {type(error).__name__}")


def pool(url: str, breaker: Breaker, *, connections: int, silence_s: float, verify_tls: bool) -> FairPool:
    """At most so many connections to a Redis; none is made yet."""
    options: dict[str, Any] = {
        "socket_timeout": BACKSTOP_S,
        "socket_connect_timeout": silence_s,
        "retry": Retry(NoBackoff(), 0),  # left to itself redis-py would try ten times
        "protocol": 2,
        "driver_info": None,  # two round trips less for each connection
    }
    if not url.startswith("unix:"):
        options |= {"socket_keepalive": True, "socket_keepalive_options": _KEEPALIVE}
    if url.startswith("rediss:") and not verify_tls:
        options |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return FairPool.from_url(url, breaker=breaker, max_connections=connections, **options)


def _readable(connection: AbstractConnection) -> bool:
    """Whether something waits to be read on a connection: an answer, or its end."""
    sock = connection._sock  # noqa: SLF001 - redis-py's own look asks gevent's poll
    if sock is None:
        return True
    watch = _poll()
    watch.register(sock.fileno(), select.POLLIN)
    return bool(watch.poll(0))


def _shut(connection: AbstractConnection) -> None:
    """End a connection that somebody else is using: whoever reads or writes on it wakes, and closes it."""
    sock = connection._sock  # noqa: SLF001 - disconnect() would take it away from under its user
    if sock is None:
        return
    try:
        with socket.fromfd(sock.fileno(), sock.family, sock.type) as same:
            same.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already
