"""One connection to Redis that all waiting requests of a process share.

Commands go out as they come and answers are handed out in their order, which is Redis' own promise. However
many requests wait, none of them waits for another one's turn, and one read brings many answers.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import redis
from redis.connection import AbstractConnection

Argument = str | bytes | memoryview | int | float


class _Slot:
    """One command that waits for its answer."""

    def __init__(self) -> None:
        self._answered = threading.Lock()
        self._answered.acquire()
        self._answer: Any = None
        self._error: redis.RedisError | None = None

    def fill(self, answer: Any, error: redis.RedisError | None = None) -> None:
        self._answer, self._error = answer, error
        self._answered.release()

    def wait(self, timeout_s: float) -> None:
        if not self._answered.acquire(timeout=timeout_s):
            raise redis.TimeoutError("no answer in time")

    def result(self) -> Any:
        if self._error:
            raise self._error
        return self._answer


class _Line:
    """A connection, what is to go out on it, and who waits for answers, in their order."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.connection = connection
        self.outgoing: list[bytes] = []
        self.waiting: deque[_Slot] = deque()


class Pipe:
    """Sends commands; its connection is made at first use, since a server forks after it is built."""

    def __init__(self, client: redis.Redis, answer_s: float) -> None:
        """`answer_s` bounds how long an answer may take; the client's own limits are for connecting."""
        self._pool = client.connection_pool
        self._answer_s = answer_s
        self._sending = threading.Lock()
        self._line: _Line | None = None
        self._broken_at = 0.0

    def ask(self, *command: Argument) -> Any:
        """What Redis answers; raises redis.RedisError, within the limits for connecting and answering."""
        return self.ask_all(command)[0]

    def ask_all(self, *commands: Sequence[Argument]) -> list[Any]:
        """What Redis answers to each; no one else's command comes between them. Raises the first one's error."""
        asked_at = time.monotonic()
        slots = [_Slot() for _ in commands]
        with self._sending:
            if self._broken_at >= asked_at:  # somebody has just tried to connect, and failed
                raise redis.ConnectionError("the connection broke")
            line = self._line or self._connect()
            first = not line.outgoing
            line.waiting.extend(slots)
            for command in commands:
                line.outgoing.extend(line.connection.pack_command(*command))
        if first:
            try:
                time.sleep(0)  # who is about to ask joins in: a write takes as long for ten commands as for one
            finally:
                self._flush(line)
        try:
            slots[-1].wait(self._answer_s)
        except redis.TimeoutError as error:
            with self._sending:
                self._give_up(line, error)
            raise
        return [slot.result() for slot in slots]

    def close(self) -> None:
        """Let go of the connection; the next question makes another."""
        with self._sending:
            if self._line:
                self._give_up(self._line, redis.ConnectionError("closed"))

    def _flush(self, line: _Line) -> None:
        with self._sending:
            if self._line is not line:
                return  # given up meanwhile; redis-py would connect it anew
            data, line.outgoing = b"".join(line.outgoing), []
            try:
                line.connection.send_packed_command([data], check_health=False)
            except redis.RedisError as error:
                self._give_up(line, error)

    def _connect(self) -> _Line:
        connection: AbstractConnection = self._pool.connection_class(**self._pool.connection_kwargs)
        try:
            connection.connect()
        except redis.RedisError:
            self._broken_at = time.monotonic()
            raise
        line = self._line = _Line(connection)
        threading.Thread(target=self._read, args=(line,), name="pipe", daemon=True).start()
        return line

    def _read(self, line: _Line) -> None:
        """Hand out answers until the connection breaks; idle, it may be silent for ever."""
        connection, waiting = line.connection, line.waiting
        while True:
            try:
                answer = connection.read_response(timeout=None, disconnect_on_error=False)
            except redis.ResponseError as error:
                waiting.popleft().fill(None, error)
            except (redis.RedisError, OSError, AttributeError, ValueError) as error:
                # Closed by Redis, or by whoever gave up on it while this thread was reading.
                reason = error if isinstance(error, redis.RedisError) else redis.ConnectionError(str(error))
                with self._sending:
                    self._give_up(line, reason)
                return
            else:
                waiting.popleft().fill(answer)

    def _give_up(self, line: _Line, error: redis.RedisError) -> None:
        """Let go of a connection; whoever waits for an answer on it hears why."""
        if self._line is line:
            self._line = None
            line.connection.disconnect()
        while line.waiting:
            line.waiting.popleft().fill(None, error)
