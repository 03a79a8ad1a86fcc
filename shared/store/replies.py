"""Hears what workers announce: one connection, however many requests wait."""

import contextlib
import logging
import threading
from collections.abc import Iterator

import redis
from redis.connection import AbstractConnection

from shared.errors import QueueDown
from shared.store.link import Link

log = logging.getLogger("plano.replies")

_PAUSE_S = 0.25


class Reply:
    """What one request waits for."""

    def __init__(self) -> None:
        self._heard = threading.Event()
        self._data: bytes | None = None

    def wait(self, timeout_s: float) -> bytes | None:
        """What was announced, or None when nothing was in time."""
        self._heard.wait(timeout_s)
        return self._data

    def deliver(self, data: bytes) -> None:
        """Wake the waiter."""
        self._data = data
        self._heard.set()


class _Channel:
    """Those who wait for one announcement, and whether Redis knows that they do."""

    def __init__(self) -> None:
        self.listening = threading.Event()
        self.replies: list[Reply] = []


class Replies:
    """A subscription that is shared by all waiting requests of a process.

    An announcement is heard by whoever expects it before it is made. Those made while the connection was
    broken are lost: whoever waits has a time limit, and looks at the pin itself at its end.

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
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def expect(self, name: str) -> Iterator[Reply]:
        """Listen on a channel; Redis is certain to deliver what is announced from now on.

        Raises QueueDown when it does not confirm in time.
        """
        reply = Reply()
        channel = self._link.call(self._join, name, reply)
        try:
            if not channel.listening.wait(self._patience_s):
                raise QueueDown("a subscription was not confirmed in time")
            yield reply
        finally:
            self._leave(name, reply)

    def _join(self, name: str, reply: Reply) -> _Channel:
        with self._lock:
            channel = self._channels.get(name)
            if channel is None:
                channel = self._channels[name] = _Channel()
                try:
                    self._subscribe(name)
                except redis.RedisError:
                    del self._channels[name]
                    raise
            channel.replies.append(reply)
            return channel

    def _subscribe(self, name: str) -> None:
        """Subscribe; on a new connection when Redis has closed the last one, as it does with idle ones."""
        if self._connection is not None:
            try:
                self._connection.send_command("SUBSCRIBE", name, check_health=False)
            except redis.RedisError:
                self._give_up(self._connection)
            else:
                return
        self._connect()

    def _leave(self, name: str, reply: Reply) -> None:
        with self._lock:
            channel = self._channels[name]
            channel.replies.remove(reply)
            if channel.replies:
                return
            del self._channels[name]
            if self._connection is not None:
                try:
                    self._connection.send_command("UNSUBSCRIBE", name, check_health=False)
                except redis.RedisError:
                    self._give_up(self._connection)

    def _connect(self) -> None:
        """Hear every channel there is; not before the first use, because a server forks after it is built."""
        connection: AbstractConnection = self._pool.connection_class(**self._pool.connection_kwargs)
        connection.connect()
        try:
            connection.send_command("SUBSCRIBE", *self._channels, check_health=False)
        except redis.RedisError:
            connection.disconnect()
            raise
        self._connection = connection
        threading.Thread(target=self._listen, args=(connection,), name="replies", daemon=True).start()

    def _give_up(self, connection: AbstractConnection) -> None:
        if self._connection is connection:
            self._connection = None
            connection.disconnect()

    def _listen(self, connection: AbstractConnection) -> None:
        """Hand out what is announced until the connection breaks; idle, it may be silent for ever."""
        while True:
            try:
                kind, name, data = connection.read_response(
                    timeout=None, disconnect_on_error=False, push_request=True
                )
            except (redis.RedisError, OSError, AttributeError, ValueError) as error:
                # Closed by Redis, or by whoever gave up on it while this thread was reading.
                log.debug("subscription broke: %s", type(error).__name__)
                break
            self._dispatch(kind, name.decode(), data)
        with self._lock:
            self._give_up(connection)
        self._return()

    def _dispatch(self, kind: bytes, name: str, data: bytes) -> None:
        channel = self._channels.get(name)
        if channel is None:
            return
        if kind == b"subscribe":
            channel.listening.set()
        elif kind == b"message":
            for reply in tuple(channel.replies):
                reply.deliver(data)

    def _return(self) -> None:
        """Connect again for as long as somebody waits."""
        pause = threading.Event()
        while True:
            with self._lock:
                if self._connection is not None or not self._channels:
                    return
                try:
                    self._connect()
                except redis.RedisError:
                    pass
                else:
                    return
            pause.wait(_PAUSE_S)
