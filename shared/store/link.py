"""One Redis as this process sees it: answering, or known to be away."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import redis
from redis.commands.core import Script

from shared.errors import Away
from shared.store.pipe import Argument, Pipe
from shared.store.turns import Turns

log = logging.getLogger("plano.redis")

P = ParamSpec("P")
R = TypeVar("R")

FAILURES_TO_OPEN = 2
PROBE_EVERY_S = 0.25


class Link:
    """A circuit breaker around one Redis client, and the queue for its few connections.

    After failures in a row it stops asking, so that no request waits for a Redis that is away: those who
    queue for a connection are told at once. A background thread then probes, and the first answer closes it
    again. Each change is logged once.
    """

    def __init__(
        self,
        client: redis.Redis,
        name: str,
        error: type[Away],
        *,
        width: int,
        patience_s: float,
        pipe: Pipe | None = None,
    ) -> None:
        """`width` calls run at once, others wait up to `patience_s` seconds for their turn.

        What is asked goes through the pipe, where nobody waits for a turn; without one it is a call like others.
        """
        self.client = client
        self.pipe = pipe
        self._name = name
        self._error = error
        self._turns = Turns(width)
        self._patience_s = patience_s
        self._failures = 0
        self._away = False
        self._lock = threading.Lock()

    @property
    def away(self) -> bool:
        """Whether this Redis is known not to answer."""
        return self._away

    def ask(self, *command: Argument) -> Any:
        """What Redis answers to one command; raises as `call` does."""
        if self.pipe:
            return self.guard(self.pipe.ask, *command)
        return self.call(self.client.execute_command, *command)

    def transact(self, *commands: Sequence[Argument]) -> list[Any]:
        """What Redis answers to commands that it runs as one; raises as `call` does."""
        if self.pipe:
            return self.guard(_transacted, self.pipe, commands)
        with self.client.pipeline(transaction=True) as together:
            for command in commands:
                together.execute_command(*command)
            return self.call(together.execute)

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """What a script returns; raises as `call` does."""
        if self.pipe:
            return self.guard(_ran, self.pipe, script, (len(keys), *keys, *args))
        return self.call(script, keys=keys, args=args)

    def call(self, command: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a function that uses one of the client's few connections returns.

        Raises the link's error when Redis does not answer in time or refuses.
        """
        if not self._turns.acquire(self._patience_s):
            raise self._error(f"{self._name} is too slow: no turn within {self._patience_s * 1000:.0f} ms")
        try:
            return self.guard(command, *args, **kwargs)
        finally:
            self._turns.release()

    def guard(self, command: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The same for a command that needs no turn, because it brings its own connection."""
        if self._away:
            raise self._error(f"{self._name} is away")
        try:
            result = command(*args, **kwargs)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            self._note_failure(error)
            raise self._error(f"{self._name}: {type(error).__name__}") from error
        except redis.RedisError as error:  # it answers, but not this: read-only, out of memory, …
            raise self._error(f"{self._name} refuses: {type(error).__name__}") from error
        self._failures = 0
        return result

    def answers(self) -> bool:
        """Whether it answers a PING now."""
        with self._turns:
            try:
                return bool(self.client.ping())
            except redis.RedisError:
                return False

    def _note_failure(self, error: Exception) -> None:
        with self._lock:
            self._failures += 1
            if self._away or self._failures < FAILURES_TO_OPEN:
                return
            self._away = True
        log.warning("%s is away: %s", self._name, type(error).__name__)
        threading.Thread(target=self._probe, name=f"probe-{self._name}", daemon=True).start()

    def _probe(self) -> None:
        pause = threading.Event()
        while not self.answers():
            pause.wait(PROBE_EVERY_S)
        self._failures = 0
        self._away = False
        log.warning("%s is back", self._name)


def _transacted(pipe: Pipe, commands: Sequence[Sequence[Argument]]) -> list[Any]:
    answers: list[Any] = pipe.ask_all(("MULTI",), *commands, ("EXEC",))[-1]
    for answer in answers:
        if isinstance(answer, redis.ResponseError):
            raise answer
    return answers


def _ran(pipe: Pipe, script: Script, given: Sequence[Argument]) -> Any:
    try:
        return pipe.ask("EVALSHA", script.sha, *given)
    except redis.exceptions.NoScriptError:  # Redis has started anew since
        return pipe.ask("EVAL", script.script, *given)
