"""Hears what workers announce: one connection, however many requests wait."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import redis
from redis.connection import AbstractConnection

from shared.errors import Away, QueueDown
from shared.store.link import Link

log = logging.getLogger("plano.replies")

_PAUSE_S = 0.25
_WATCH_EVERY_S = 0.05
"""How often Redis is asked for a sign of life while somebody waits."""
_GRACE_S = 0.01


class Reply:
    """What one request waits for."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._data: bytes | None = None
        self._error: Away | None = None

    def wait(self, timeout_s: float) -> bytes | None:
        """What was announced; None when nothing was in time, or when it may have been missed: ask again.

        Raises QueueDown as soon as Redis is known not to answer.
        """
        self._woken.wait(timeout_s)
        self._woken.clear()
        if self._error and self._data is None:
            raise self._error
        return self._data

    def deliver(self, data: bytes) -> None:
        """Wake the waiter."""
        self._data = data
        self._woken.set()

    def interrupt(self, error: Away | None = None) -> None:
        """Wake the waiter empty-handed: something may have been missed, or nothing will come."""
        self._error = error
        self._woken.set()


class _Channel:
    """Those who wait for one announcement, and whether Redis knows that they do."""

    def __init__(self) -> None:
        self.listening = threading.Event()
        self.replies: list[Reply] = []


class Replies:
    """A subscription that is shared by all waiting requests of a process.

    An announcement is heard by whoever expects it before it is made. Those made while the connection was
    broken are lost: once it is back, whoever waits is told to ask again. While somebody waits Redis is asked
    for signs of life, so that nobody waits for a worker's word from a Redis that is away.

    redis-py's PubSub is not used: when Redis restarts, its reader and whoever subscribes connect it anew both
    at once, of which the reader may die, and then the process would be deaf for good (redis-py 8.1). Here a
    connection is only ever read by the thread that was started with it, and replaced under the lock.
    """

    def __init__(self, link: Link, patience_s: float) -> None:
        self._link = link
        self._patience_s = patience_s
        self._pool = link.client.connection_pool
        self._connection: AbstractConnection | None = None
        self._channels: dict[str, _Channel] = {}
        self._watched = False
        self._alive = threading.Event()
        self._lock = threading.Lock()
        self._connecting = threading.Lock()
        self._failed_at = 0.0

    @contextlib.contextmanager
    def expect(self, name: str) -> Iterator[Reply]:
        """Listen on a channel; Redis is certain to deliver what is announced from now on.

        Raises QueueDown when it does not confirm in time.
        """
        reply = Reply()
        channel = self._link.call(self._join, name, reply)
        try:
            if not _in_time(channel.listening, self._patience_s):
                raise QueueDown("a subscription was not confirmed in time")
            yield reply
        finally:
            self._leave(name, reply)

    def _join(self, name: str, reply: Reply) -> _Channel:
        asked_at = time.monotonic()
        with self._lock:
            channel = self._channels.get(name)
            if channel is None:
                channel = self._channels[name] = _Channel()
                self._send("SUBSCRIBE", name)
            channel.replies.append(reply)
            connected, watched = self._connection is not None, self._watched
            self._watched = True
        try:
            if not watched:
                threading.Thread(target=self._watch, name="watch", daemon=True).start()
            if not connected:
                self._connect(asked_at)
        except BaseException:  # whoever waited may have been ended, as a request is whose client has gone
            self._leave(name, reply)
            raise
        return channel

    def _leave(self, name: str, reply: Reply) -> None:
        with self._lock:
            channel = self._channels[name]
            channel.replies.remove(reply)
            if not channel.replies:
                del self._channels[name]
                self._send("UNSUBSCRIBE", name)

    def _send(self, *command: str) -> None:
        """Send it if there is a connection; one that Redis has closed, as it does with idle ones, is given up."""
        connection = self._connection
        if connection is None:
            return
        try:
            connection.send_command(*command, check_health=False)
        except redis.RedisError:
            self._give_up(connection)

    def _connect(self, asked_at: float) -> None:
        """Hear every channel there is; not before the first use, because a server forks after it is built.

        Those who leave need not wait for it: it may take its time to fail.
        """
        with self._connecting:
            if self._connection is not None:
                return
            if self._failed_at >= asked_at:  # somebody has just tried, and failed
                raise redis.ConnectionError("no connection to subscribe on")
            connection: AbstractConnection = self._pool.connection_class(**self._pool.connection_kwargs)
            try:
                connection.connect()
            except redis.RedisError:
                self._failed_at = time.monotonic()
                raise
            with self._lock:
                self._connection = connection
                if self._channels:
                    self._send("SUBSCRIBE", *self._channels)
        threading.Thread(target=self._listen, args=(connection,), name="replies", daemon=True).start()

    def _give_up(self, connection: AbstractConnection) -> None:
        if self._connection is connection:
            self._connection = None
            connection.disconnect()

    def _listen(self, connection: AbstractConnection) -> None:
        """Hand out what is announced until the connection breaks; idle, it may be silent for ever."""
        while True:
            try:
                heard = connection.read_response(disconnect_on_error=False, push_request=True)
            except redis.TimeoutError:
                continue  # a socket without a limit for reading would have none for sending
            except redis.ResponseError as error:
                log.warning("Redis refuses a subscription: %s", type(error).__name__)
                threading.Event().wait(_PAUSE_S)
                break
            except (redis.RedisError, OSError, AttributeError, ValueError) as error:
                # Closed by Redis, or by whoever gave up on it while this thread was reading.
                log.debug("subscription broke: %s", type(error).__name__)
                break
            if isinstance(heard, list):
                self._dispatch(*heard)
            else:
                self._alive.set()  # PONG, while there is no subscription
        with self._lock:
            self._give_up(connection)
        self._return()

    def _dispatch(self, kind: bytes, name: bytes, data: Any = None) -> None:
        self._alive.set()
        channel = self._channels.get(name.decode())
        if channel is None:
            return
        if kind == b"subscribe":
            if channel.listening.is_set():  # for the second time: the connection broke in between
                for reply in tuple(channel.replies):
                    reply.interrupt()
            channel.listening.set()
        elif kind == b"message":
            for reply in tuple(channel.replies):
                reply.deliver(data)

    def _return(self) -> None:
        """Connect again for as long as somebody waits."""
        pause = threading.Event()
        while self._connection is None and self._channels:
            try:
                self._connect(time.monotonic())
            except redis.RedisError:
                pause.wait(_PAUSE_S)

    def _watch(self) -> None:
        """Tell whoever waits when Redis gives no sign of life; ends when nobody waits any more."""
        pause = threading.Event()
        while True:
            pause.wait(_WATCH_EVERY_S)
            with self._lock:
                if not self._channels:
                    self._watched = False
                    return
            try:
                self._link.guard(self._sign_of_life)
            except Away as error:
                for channel in tuple(self._channels.values()):
                    for reply in tuple(channel.replies):
                        reply.interrupt(error)

    def _sign_of_life(self) -> None:
        self._alive.clear()
        with self._lock:
            self._send("PING")
            connection = self._connection
        if not _in_time(self._alive, self._patience_s):
            if connection:
                with self._lock:
                    self._give_up(connection)
            raise redis.TimeoutError("no sign of life in time")


def _in_time(event: threading.Event, timeout_s: float) -> bool:
    """Whether it happens in time. What came while this process was busy counts: it is read in the moment of grace."""
    return event.wait(timeout_s) or event.wait(_GRACE_S)
