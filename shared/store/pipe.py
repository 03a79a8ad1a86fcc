"""One connection to Redis that all waiting requests of a process share.

Commands go out as they come and answers are handed out in their order, which is Redis' own promise. However
many requests wait, none of them waits for another one's turn, and one read brings many answers.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import redis
from redis.connection import AbstractConnection

from shared.store.patience import Patience

Argument = str | bytes | memoryview | int | float


class _Question:
    """Commands that wait for their answers."""

    def __init__(self, commands: int) -> None:
        self.asked_at: float | None = None
        self._missing = commands
        self._answers: list[Any] = []
        self._error: redis.RedisError | None = None
        self._answered = threading.Lock()
        self._answered.acquire()

    def fill(self, answer: Any, error: redis.RedisError | None = None) -> None:
        self._answers.append(answer)
        self._error = self._error or error
        self._missing -= 1
        if not self._missing:
            self._answered.release()

    def wait(self, timeout: float) -> bool:
        return self._answered.acquire(timeout=timeout)

    def is_set(self) -> bool:
        return not self._missing

    def result(self) -> list[Any]:
        if self._error:
            raise self._error
        return self._answers


class _Line:
    """A connection, what is to go out on it, and who waits for answers, in their order."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.connection = connection
        self.connected = False
        self.sending = False
        self.outgoing: list[bytes] = []
        self.unsent: list[_Question] = []
        self.waiting: deque[_Question] = deque()
        """Once for each command."""


class Pipe:
    """Sends commands; its connection is made at first use, since a server forks after it is built.

    Whoever asks only ever waits for its answer, with a limit: the connection is made and read by a thread of its own,
    and the lock is never held while anything is waited for. One at a time sends, what has gathered when it begins.
    """

    def __init__(self, pool: redis.ConnectionPool, patience: Patience) -> None:
        """The pool only tells how to connect: none of its own connections is used."""
        self.pool = pool
        self.patience = patience
        self._lock = threading.Lock()
        self._line: _Line | None = None

    def ask(self, *command: Argument, at_once: bool = False) -> Any:
        """What Redis answers; raises redis.RedisError, within the limit.

        `at_once`: send it without waiting for others who are about to ask, because somebody is to begin with it.
        """
        return self.ask_all(command, at_once=at_once)[0]

    def ask_all(self, *commands: Sequence[Argument], at_once: bool = False) -> list[Any]:
        """What Redis answers to each; no one else's command comes between them. Raises the first one's error."""
        with self._lock:
            line = self._line or self._begin()
            # Packed before anything is noted down: who cannot be packed must not get another one's answer.
            pack: Callable[..., list[bytes]] = line.connection.pack_command
            packed = pack(*commands[0]) if len(commands) == 1 else [part for each in commands for part in pack(*each)]
            question = _Question(len(commands))
            sends = line.connected and (at_once or not line.outgoing)
            line.waiting.extend((question,) * len(commands))
            line.outgoing.extend(packed)
            connecting = not line.connected
            if connecting or line.sending:
                question.asked_at = time.monotonic()  # it is Redis that connecting, or room for more, waits for
            else:
                line.unsent.append(question)
        began = None
        if sends:
            try:
                if not at_once:
                    time.sleep(0)  # who is about to ask joins in: a write takes as long for ten commands as for one
            finally:
                began = time.monotonic()
                self._flush(line)
        try:
            self.patience.wait(question, began)
        except redis.TimeoutError as error:
            with self._lock:
                self._despair(line, error, connecting=connecting)
            raise
        return question.result()

    def close(self) -> None:
        """Let go of the connection; the next question makes another."""
        with self._lock:
            if self._line:
                self._give_up(self._line, redis.ConnectionError("closed"))

    def _begin(self) -> _Line:
        line = _Line(self.pool.connection_class(**self.pool.connection_kwargs))
        threading.Thread(target=self._run, args=(line,), name="pipe", daemon=True).start()
        self._line = line
        return line

    def _run(self, line: _Line) -> None:
        """Connect, send what has gathered, and hand out answers until the connection breaks."""
        try:
            line.connection.connect()
        except Exception as error:  # noqa: BLE001 - whatever it is: who comes next has to find another connection
            with self._lock:
                self._give_up(line, known(error))
            return
        line.connected = True
        self._flush(line)
        self._read(line)

    def _flush(self, line: _Line) -> None:
        """Send what has gathered; what comes meanwhile is another thread's work, since this one has its own wait."""
        if self._send(line) and line.outgoing:
            threading.Thread(target=self._send_rest, args=(line,), name="pipe-rest", daemon=True).start()

    def _send_rest(self, line: _Line) -> None:
        while self._send(line) and line.outgoing:
            pass

    def _send(self, line: _Line) -> bool:
        """Send what has gathered, unless somebody does; whether it was sent."""
        with self._lock:
            if self._line is not line:
                line.connection.disconnect()  # given up meanwhile, perhaps before it was there
                return False
            if line.sending or not line.outgoing:
                return False
            data, line.outgoing = b"".join(line.outgoing), []
            now = time.monotonic()
            for question in line.unsent:
                question.asked_at = now
            line.unsent.clear()
            line.sending = True
        try:
            line.connection.send_packed_command([data], check_health=False)
        except (redis.RedisError, OSError, AttributeError, ValueError) as error:
            with self._lock:
                self._give_up(line, known(error))
            return False
        except BaseException:  # whoever was sending is to end: half of it may be out
            with self._lock:
                self._give_up(line, redis.ConnectionError("left while sending"))
            raise
        finally:
            line.sending = False
        return True

    def _read(self, line: _Line) -> None:
        """Idle, it may be silent for ever; looking again costs less than a socket without a limit for sending."""
        connection = line.connection
        while True:
            try:
                answer = connection.read_response(disconnect_on_error=False)
            except redis.TimeoutError:
                continue
            except redis.ResponseError as error:
                self._hand_out(line, None, error)
            except (redis.RedisError, OSError, AttributeError, ValueError) as error:
                # Closed by Redis, or by whoever gave up on it while this thread was reading.
                with self._lock:
                    self._give_up(line, known(error))
                return
            else:
                self._hand_out(line, answer)

    def _despair(self, line: _Line, error: redis.RedisError, *, connecting: bool) -> None:
        """No answer came in time. What took so long to connect is kept: a slow Redis would never get a connection."""
        if not line.connected:
            line.outgoing.clear()
            self._dismiss(line, error)
        elif not connecting:
            self._give_up(line, error)

    def _give_up(self, line: _Line, error: redis.RedisError) -> None:
        """Let go of a connection; whoever waits for an answer on it hears why."""
        if self._line is line:
            self._line = None
            line.connection.disconnect()
        self._dismiss(line, error)

    def _dismiss(self, line: _Line, error: redis.RedisError) -> None:
        while line.waiting:
            line.waiting.popleft().fill(None, error)

    def _hand_out(self, line: _Line, answer: Any, error: redis.RedisError | None = None) -> None:
        with self._lock:
            if line.waiting:  # else it was given up in this very moment
                line.waiting.popleft().fill(answer, error)


def known(error: Exception) -> redis.RedisError:
    """The error, or what redis-py would call it."""
    return error if isinstance(error, redis.RedisError) else redis.ConnectionError(f"{type(error).__name__}: {error}")


class Spent(redis.RedisError):
    """The request has waited for Redis for as long as it may; that Redis is away it does not say."""


class PipedRedis(redis.Redis):
    """A client whose commands go through a pipe, for RQ, which asks by a client; its pipelines do not."""

    def __init__(self, pipe: Pipe) -> None:
        """A client that shares the pipe with whoever else uses it."""
        super().__init__(connection_pool=pipe.pool)
        self._pipe = pipe

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """What Redis answers, in the form that the client's callers expect; raises as `Pipe.ask` does."""
        if self._pipe.patience.spent():  # RQ asks several times in a row
            raise Spent("no time is left to ask more")
        answer = self._pipe.ask(*args, at_once=True)  # a worker waits for jobs
        options.pop("keys", None)  # meant for a cache that is not used
        read = self.response_callbacks.get(args[0])
        return read(answer, **options) if read else answer
