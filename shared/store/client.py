"""A small pool of redis-py's connections, with their limits. Only this module uses redis-py's private names."""

import contextlib
import select
import socket
import threading
import time
from collections import deque
from typing import Any, cast

import redis
from gevent import Timeout, monkey
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.retry import Retry

from shared.store.connection.breaker import Breaker, CircuitOpen

BACKSTOP_S = 2.0
"""The longest wait for one answer. The failure detector decides long before that whether Redis is silent; this limit
is for the case that it does not."""

_poll = monkey.get_original("select", "poll")  # gevent's own takes 100 µs, the system's 1 µs; we never wait in it
_KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}


class _Connection(AbstractConnection):
    """What our connections add to redis-py's own: they tell the breaker of answers and failures."""

    pool: "FairPool"
    ready = False
    """Whether it is connected and was not shut by us. Only then a failure of it counts as a failure of Redis."""

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        try:
            super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]
        except (redis.ConnectionError, redis.TimeoutError) as error:
            if self.ready:
                self.pool.breaker.failed(error)
            raise

    def read_response(self, disable_decoding: bool = False, **options: Any) -> Any:
        disconnects = options.pop("disconnect_on_error", True)
        try:
            answer = self._read(disable_decoding, options)
        except redis.ResponseError as error:
            self.pool.breaker.refused(error)
            raise
        except BaseException as error:
            if disconnects:
                self.disconnect()
            if self.ready and isinstance(error, redis.ConnectionError | redis.TimeoutError):
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
        # The answer has arrived: this process was too busy to read it in time.
        return super().read_response(disable_decoding, disconnect_on_error=False, **options)


class _Waiter:
    """One caller who waits for a connection."""

    def __init__(self) -> None:
        self.connection: _Connection | None = None
        self.woken = threading.Lock()  # one for each waiter: of several on one event, gevent may never wake one
        self.woken.acquire()


class FairPool(redis.ConnectionPool):
    """At most `max_connections` connections; one that is released goes to whoever has waited longest.

    The wait for a connection has no limit of its own. It ends because a caller keeps a connection for one command,
    whose time is limited, and because the breaker wakes all who wait.
    """

    def __init__(
        self,
        *,
        breaker: Breaker,
        silence_s: float,
        connection_class: type[AbstractConnection] = redis.Connection,
        **options: Any,
    ) -> None:
        """Each step of connecting may take `silence_s` seconds."""
        self.breaker = breaker
        self._silence_s = silence_s
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

    def make_ready(self, connection: _Connection) -> None:
        """Connect it, unless it is connected, still open, and without anything unread."""
        if connection.is_connected:
            if not (connection.should_reconnect() or _readable(connection)):
                return
            connection.disconnect()
        connection.ready = False
        until = time.monotonic() + BACKSTOP_S
        while not connection.ready:
            connection.socket_timeout = self._silence_s  # of each step, the handshake of TLS included
            try:
                with _limit(until - time.monotonic()):
                    connection.connect()
            except redis.TimeoutError:
                # Try again: the time-out may be due to this process, if it was busy.
                if self.breaker.is_open or time.monotonic() >= until:
                    raise
            except (redis.ConnectionError, OSError, UnicodeError) as error:  # UnicodeError: an invalid host name
                self.breaker.failed(error)
                raise redis.ConnectionError(f"{type(error).__name__} while connecting") from error
            else:
                _set_timeout(connection, BACKSTOP_S)
                connection.ready = True

    def release(self, connection: Any) -> None:
        """Take a connection back, and give it to whoever has waited longest."""
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
        """A connection beside those of the pool, which the caller alone uses."""
        connection = cast(_Connection, self.connection_class(**self.connection_kwargs))
        connection.pool = self
        return connection

    def connect_all(self) -> None:
        """Open all connections of the pool, so that no request has to; raises redis.RedisError."""
        made: list[_Connection] = []
        try:
            for _ in range(self.max_connections):
                made.append(self.get_connection())
                made[-1].send_command("PING")  # its answer comes after the messages that TLS sends by itself
                made[-1].read_response()
        finally:
            for connection in made:
                self.release(connection)

    def waiting_since(self) -> float | None:
        """When the oldest wait that still lasts began, by the monotonic clock; None when nobody waits."""
        with self._mutex:
            return min(self._busy.values(), default=None)

    def interrupt(self) -> None:
        """Wake all who wait, for an answer or for a connection: they get a redis.ConnectionError."""
        with self._mutex:
            waiters, busy, idle = tuple(self._queue), tuple(self._busy), tuple(self._idle)
            self._queue.clear()
        for waiter in waiters:
            waiter.woken.release()
        for connection in busy:
            shut(connection)
        for connection in idle:
            connection.mark_for_reconnect()

    def leave(self) -> None:
        """Have each connection made anew when it is used next: another Redis may have become the primary."""
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
        except BaseException:  # the caller is being ended
            with self._mutex:
                if waiter in self._queue:
                    self._queue.remove(waiter)
            if waiter.connection:
                self.release(waiter.connection)
            raise
        if waiter.connection is None:
            raise CircuitOpen("Redis went away")
        return waiter.connection


def pool(url: str, breaker: Breaker, *, connections: int, silence_s: float, verify_tls: bool) -> FairPool:
    """At most so many connections to a Redis; none is made yet."""
    options: dict[str, Any] = {
        "socket_connect_timeout": silence_s,
        # Left to itself redis-py would try ten times. With no tries it would still connect once more, then raise:
        # a subscription that Redis delivers to, and that is then thrown away with what was announced.
        "retry": Retry(NoBackoff(), 0, supported_errors=()),
        "protocol": 2,
        "driver_info": None,  # saves two round trips for each connection
    }
    if not url.startswith("unix:"):
        options |= {"socket_keepalive": True, "socket_keepalive_options": _KEEPALIVE}
    if url.startswith("rediss:") and not verify_tls:
        options |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return FairPool.from_url(url, breaker=breaker, silence_s=silence_s, max_connections=connections, **options)


def _limit(seconds: float) -> contextlib.AbstractContextManager[object]:
    """Limits what no time-out of a socket does: looking up a name. Only greenlets can be called back from that."""
    if not monkey.is_module_patched("socket"):
        return contextlib.nullcontext()
    return Timeout(seconds, redis.TimeoutError("Redis was not reached in time"))


def _set_timeout(connection: AbstractConnection, seconds: float) -> None:
    """Limit each read and write on an open connection."""
    connection.socket_timeout = seconds
    sock = connection._sock  # noqa: SLF001 - redis-py sets it once, when it connects
    if sock:
        sock.settimeout(seconds)


def _readable(connection: AbstractConnection) -> bool:
    """Whether something can be read on a connection: an answer, or its end."""
    sock = connection._sock  # noqa: SLF001 - redis-py's own check uses gevent's poll, which is slow
    if sock is None:
        return True
    watch = _poll()
    watch.register(sock.fileno(), select.POLLIN)
    return bool(watch.poll(0))


def shut(connection: _Connection) -> None:
    """End a connection that another caller is using: the caller is woken by an error, and closes it."""
    connection.ready = False
    sock = connection._sock  # noqa: SLF001 - disconnect() would take it away from under its user
    if sock is None:
        return
    try:
        with socket.fromfd(sock.fileno(), sock.family, sock.type) as same:
            same.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended already
