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
from shared.store import keys
from shared.store.link import Link
from shared.store.patience import Asked, Patience
from shared.store.pipe import known

log = logging.getLogger("plano.replies")

_PAUSE_S = 0.1
_WATCH_EVERY_S = 0.02
"""How often Redis is asked for a sign of life while somebody waits, and how often one is looked for."""
_TICK_S = 0.001
"""For one that is there and not yet read, since this process was busy."""
_SLOW_S = 0.1
"""After so much silence in all nobody waits for a worker; a sign of life that comes within a look is none."""


class Reply:
    """What one request waits for."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._woken = threading.Event()
        self._data: bytes | None = None
        self._error: Away | None = None
        self._silent_s = 0.0

    def wait(self, timeout_s: float) -> bytes | None:
        """What was announced; None when nothing was in time, or when it may have been missed: ask again.

        Raises QueueDown as soon as Redis is known not to answer, or was silent for too long.
        """
        self._woken.wait(timeout_s)
        self._woken.clear()
        silent_s, self._silent_s = self._silent_s, 0.0
        self._patience.note(silent_s)
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

    def charge(self, silent_s: float) -> None:
        """Redis was silent for so many seconds; once that is too much in all, wake the waiter."""
        self._silent_s += silent_s
        if self._silent_s >= _SLOW_S:
            self.interrupt(QueueDown("the queue's Redis is slow"))


class _Channel:
    """Those who wait for one announcement, and whether Redis knows that they do."""

    def __init__(self) -> None:
        self.settled = Asked()
        """Set once Redis delivers what is announced, or, with the reason, will not."""
        self.refusal: redis.RedisError | None = None
        self.replies: list[Reply] = []


class Replies:
    """A subscription that is shared by all waiting requests of a process.

    An announcement is heard by whoever expects it before it is made. Those made while the connection was
    broken are lost: once it is back, whoever waits is told to ask again. While somebody waits Redis is asked
    for signs of life, so that nobody waits for a worker's word from a Redis that is away.

    redis-py's PubSub is not used: when Redis restarts, its reader and whoever subscribes connect it anew both
    at once, of which the reader may die, and then the process would be deaf for good (redis-py 8.1). Here one
    thread makes the connections and reads them; it begins with the first use, since a server forks after it is built.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._pool = link.pipe.pool
        self._patience = link.pipe.patience
        self._connection: AbstractConnection | None = None
        self._channels: dict[str, _Channel] = {}
        self._left: set[str] = set()
        """Channels that nobody waits for any more, and Redis has not heard of it."""
        self._hearing = False
        self._watched = False
        self._alive = threading.Event()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def expect(self, name: str) -> Iterator[Reply]:
        """Listen on a channel; Redis is certain to deliver what is announced from now on.

        Raises QueueDown when it does not confirm in time.
        """
        reply = Reply(self._patience)
        try:
            self._link.guard(self._join, name, reply)
            yield reply
        finally:
            self._leave(name, reply)

    def connect(self) -> None:
        """Connect now rather than with the first one who waits; when Redis is away, that is too early."""
        with contextlib.suppress(Away), self.expect(keys.decided("nobody")):
            pass

    def _join(self, name: str, reply: Reply) -> None:
        began = time.monotonic()  # whoever sends may have to wait for room
        with self._lock:
            channel = self._channels.get(name)
            if channel is None:
                channel = self._channels[name] = _Channel()
                channel.replies.append(reply)
                self._left.discard(name)
                self._send("SUBSCRIBE", name)
            else:
                channel.replies.append(reply)
            if not self._hearing:
                threading.Thread(target=self._hear, name="replies", daemon=True).start()
                self._hearing = True
            if not self._watched:
                threading.Thread(target=self._watch, name="watch", daemon=True).start()
                self._watched = True
        self._patience.wait(channel.settled, began)
        if channel.refusal:
            raise channel.refusal

    def _leave(self, name: str, reply: Reply) -> None:
        with self._lock:
            channel = self._channels.get(name)
            if channel is None or reply not in channel.replies:
                return  # it had not joined, or was refused
            channel.replies.remove(reply)
            if not channel.replies:
                del self._channels[name]
                self._left.add(name)  # the watch tells Redis: whoever leaves has waited enough

    def _send(self, *command: str) -> None:
        """Send it if there is a connection; one that Redis has closed, as it does with idle ones, is given up."""
        connection = self._connection
        if connection is None:
            return
        try:
            connection.send_command(*command, check_health=False)
        except redis.RedisError:
            self._give_up(connection)
        except BaseException:  # whoever was sending is to end: half of it may be out
            self._give_up(connection)
            raise

    def _give_up(self, connection: AbstractConnection) -> None:
        if self._connection is connection:
            self._connection = None
            connection.disconnect()

    def _hear(self) -> None:
        """Connect, hand out what is announced, and connect again for as long as somebody waits."""
        pause = threading.Event()
        while True:
            connection: AbstractConnection = self._pool.connection_class(**self._pool.connection_kwargs)
            pause_s = 0.0
            try:
                connection.connect()
                with self._lock:
                    self._connection = connection
                    if self._channels:
                        self._send("SUBSCRIBE", *self._channels)
                self._listen(connection)
            except redis.ResponseError as error:
                log.warning("Redis refuses a subscription: %s", type(error).__name__)
                self._refuse(error)
                pause.wait(_PAUSE_S)  # even when nobody waits: it would refuse the next one, too
            except Exception as error:  # noqa: BLE001 - whatever it is: who comes next has to find another connection
                self._refuse(known(error))
                pause_s = _PAUSE_S
            with self._lock:
                self._give_up(connection)
                if not self._channels:
                    self._hearing = False
                    return
            pause.wait(pause_s)

    def _refuse(self, error: redis.RedisError) -> None:
        """Tell those who have just joined; who was heard before waits on, under the watch."""
        with self._lock:
            for name, channel in tuple(self._channels.items()):
                if not channel.settled.is_set():
                    del self._channels[name]
                    channel.refusal = error
                    channel.settled.set()

    def _listen(self, connection: AbstractConnection) -> None:
        """Hand out what is announced until the connection breaks; idle, it may be silent for ever.

        Raises redis.ResponseError when Redis refuses a subscription.
        """
        while True:
            try:
                heard = connection.read_response(disconnect_on_error=False, push_request=True)
            except redis.TimeoutError:
                continue  # a socket without a limit for reading would have none for sending
            except redis.ResponseError:
                raise
            except (redis.RedisError, OSError, AttributeError, ValueError) as error:
                # Closed by Redis, or by whoever gave up on it while this thread was reading.
                log.debug("subscription broke: %s", type(error).__name__)
                return
            if isinstance(heard, list):
                self._dispatch(*heard)
            else:
                self._alive.set()  # PONG, while there is no subscription

    def _dispatch(self, kind: bytes, name: bytes, data: Any = None) -> None:
        self._alive.set()
        channel = self._channels.get(name.decode())
        if channel is None:
            return
        if kind == b"subscribe":
            if channel.settled.is_set():  # for the second time: the connection broke in between
                for reply in tuple(channel.replies):
                    reply.interrupt()
            channel.settled.set()
        elif kind == b"message":
            for reply in tuple(channel.replies):
                reply.deliver(data)

    def _watch(self) -> None:
        """Tell whoever waits when Redis gives no sign of life, or only slow ones; ends when nobody waits any more."""
        pause = threading.Event()
        while True:
            pause.wait(_WATCH_EVERY_S)
            with self._lock:
                if self._left:
                    self._send("UNSUBSCRIBE", *self._left)
                    self._left.clear()
                if not self._channels:
                    self._watched = False
                    return
            try:
                self._link.guard(self._sign_of_life)
            except Away as error:
                for reply in self._waiting():
                    reply.interrupt(error)

    def _waiting(self) -> list[Reply]:
        """Those who wait for their workers; who has yet to be heard waits by itself."""
        heard = [channel for channel in tuple(self._channels.values()) if channel.settled.is_set()]
        return [reply for channel in heard for reply in tuple(channel.replies)]

    def _sign_of_life(self) -> None:
        """Wait for one, and let those who wait for their workers know how long that takes."""
        alive = self._alive = threading.Event()
        with self._lock:
            self._send("PING")
            connection = self._connection
        if alive.wait(_WATCH_EVERY_S) or alive.wait(_TICK_S):
            return
        silent_s = _WATCH_EVERY_S
        self._charge(silent_s)
        while silent_s < self._patience.answer_s:
            began = time.monotonic()
            answered = alive.wait(_WATCH_EVERY_S) or alive.wait(_TICK_S)
            took_s = min(time.monotonic() - began, _WATCH_EVERY_S)
            self._charge(took_s)
            if answered:
                return
            silent_s += took_s
        if connection:
            with self._lock:
                self._give_up(connection)
        raise redis.TimeoutError("no sign of life")

    def _charge(self, silent_s: float) -> None:
        for reply in self._waiting():
            reply.charge(silent_s)
