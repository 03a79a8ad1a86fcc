"""Hears what workers announce: one connection, however many requests wait."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import Any

import redis

from shared.errors import QueueDown
from shared.store.link import Link

log = logging.getLogger("plano.replies")

_POLL_S = 5.0
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
    """

    def __init__(self, link: Link, patience_s: float) -> None:
        self._link = link
        self._patience_s = patience_s
        self._pubsub: redis.client.PubSub | None = None
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
        """Subscribe; anew when Redis has closed the connection while nobody waited, as it does with idle ones."""
        try:
            self._subscription().subscribe(name)
        except redis.ConnectionError:
            self._subscription().subscribe(name)

    def _leave(self, name: str, reply: Reply) -> None:
        with self._lock:
            channel = self._channels[name]
            channel.replies.remove(reply)
            if channel.replies:
                return
            del self._channels[name]
            with contextlib.suppress(redis.RedisError):
                self._subscription().unsubscribe(name)

    def _subscription(self) -> "redis.client.PubSub":
        """The process's one subscription; made at first use, because a server forks after it is built."""
        if self._pubsub is None:
            self._pubsub = self._link.client.pubsub()
            threading.Thread(target=self._listen, args=(self._pubsub,), name="replies", daemon=True).start()
        return self._pubsub

    def _listen(self, pubsub: "redis.client.PubSub") -> None:
        while True:
            try:
                message = pubsub.get_message(timeout=_POLL_S)
            except redis.RedisError as error:
                log.debug("subscription broke: %s", type(error).__name__)
                self._reconnect(pubsub)
                continue
            if message:
                self._dispatch(message)

    def _dispatch(self, message: dict[str, Any]) -> None:
        channel = self._channels.get(message["channel"].decode())
        if channel is None:
            return
        if message["type"] == "subscribe":
            channel.listening.set()
        elif message["type"] == "message":
            for reply in tuple(channel.replies):
                reply.deliver(message["data"])

    def _reconnect(self, pubsub: "redis.client.PubSub") -> None:
        """Connect again; redis-py then subscribes anew to every channel it knows."""
        pause = threading.Event()
        while pubsub.connection is not None:
            try:
                pubsub.connection.disconnect()
                pubsub.connection.connect()
            except redis.RedisError:
                pause.wait(_PAUSE_S)
            else:
                return
