"""One Redis as this process sees it: answering, or known to be away."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import redis

from shared.errors import Away
from shared.store.pipe import Argument, Pipe
from shared.store.scripts import Script

log = logging.getLogger("plano.redis")

P = ParamSpec("P")
R = TypeVar("R")

FAILURES_TO_OPEN = 2
PROBE_EVERY_S = 0.25
SLOW_EVERY_S = 60


class Link:
    """A circuit breaker around what a process asks of one Redis.

    After failures in a row it stops asking, so that no request waits for a Redis that is away. A background thread
    then probes, and the first answer closes it again. Each change is logged once. A Redis that answers, but so slowly
    that a request has spent its patience, is not away: only that request asks it nothing more.
    """

    def __init__(self, pipe: Pipe, name: str, error: type[Away]) -> None:
        """`error` is what its users are told when it is away, refuses, or is too slow."""
        self.pipe = pipe
        self._name = name
        self._error = error
        self._failures = 0
        self._away = False
        self._slow_at = -math.inf
        self._lock = threading.Lock()

    @property
    def away(self) -> bool:
        """Whether this Redis is known not to answer."""
        return self._away

    def ask(self, *command: Argument) -> Any:
        """What Redis answers to one command.

        Raises the link's error when Redis does not answer in time or refuses, or when there is no time left for it.
        """
        return self.guard(self.pipe.ask, *command)

    def transact(self, *commands: Sequence[Argument]) -> list[Any]:
        """What Redis answers to commands that it runs as one; raises as `ask` does."""
        return self.guard(_transacted, self.pipe, commands)

    def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """What a script returns; raises as `ask` does."""
        given = (len(keys), *keys, *args)
        try:
            return self.ask("EVALSHA", script.sha, *given)
        except Away as error:
            if not isinstance(error.__cause__, redis.exceptions.NoScriptError):
                raise
        return self.ask("EVAL", script.text, *given)  # Redis has started anew since

    def guard(self, command: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What a function returns that asks this Redis; raises as `ask` does."""
        self.check()
        try:
            result = command(*args, **kwargs)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            self._note_failure(error)
            raise self._error(f"{self._name}: {type(error).__name__}") from error
        except redis.RedisError as error:  # it answers, but not this: read-only, out of memory, …
            raise self._error(f"{self._name} refuses: {type(error).__name__}") from error
        self._failures = 0
        return result

    def check(self) -> None:
        """Raise as `ask` does when there is no use in asking, or no time left for it."""
        if self._away:
            raise self._error(f"{self._name} is away")
        if self.pipe.patience.spent():
            self._note_slowness()
            raise self._error(f"{self._name} is too slow to be asked again")

    def answers(self) -> bool:
        """Whether it answers a PING now."""
        try:
            return bool(self.pipe.ask("PING"))
        except redis.RedisError:
            return False

    def _note_slowness(self) -> None:
        """Say so once a minute at most: how slow it is changes from moment to moment."""
        now = time.monotonic()
        if now - self._slow_at >= SLOW_EVERY_S:
            self._slow_at = now
            log.warning("%s is slow: requests go on without it", self._name)

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
