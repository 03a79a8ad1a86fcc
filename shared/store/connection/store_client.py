"""The client that the stores use: redis-py's, with errors of ours."""

from typing import Any, cast

import redis
from redis.client import Pipeline
from redis.exceptions import NoScriptError

from shared.errors import Away, StoreDown
from shared.store import keys
from shared.store.client import FairPool

TRY_EVERY_S = 5.0
"""How often a process tries whether it can write."""
WRITTEN_TTL_S = 30

_WRONG_TYPE = ("WRONGTYPE", "is not an integer", "is not a float", "would overflow")
"""What an answer of Redis has in it, within a script or not, when a value is not what the command needs."""


class WrongType(StoreDown):
    """A key of ours holds something that the command cannot work on: another type, or a text in place of a number."""


class StoreClient(redis.Redis):
    """redis-py's client, which raises an error of ours; `error` says which part of the pool is away.

    A command goes out by the connection's own send and read. redis-py's client wraps both in a retry and in
    measurements that take as long as the command itself. docs/decisions/0002-redis-connections.md has the figure.
    """

    def __init__(self, pool: FairPool, error: type[Away]) -> None:
        super().__init__(connection_pool=pool)
        self._error = error

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """The answer of Redis; raises the client's error when Redis is away, refuses, or does not answer in time."""
        pool = self.connection_pool
        try:
            connection = pool.get_connection()
            try:
                connection.send_packed_command(connection.pack_command(*args), check_health=False)
                answer = connection.read_response()
            finally:
                pool.release(connection)
        except NoScriptError:
            raise  # redis-py's scripts then load themselves
        except redis.RedisError as error:
            raise away(error, self._error) from error
        options.pop("keys", None)  # redis-py passes it for a cache that we do not use
        callback = self.response_callbacks.get(args[0])
        return callback(answer, **options) if callback else answer

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "_StorePipeline":
        """Commands that go out together, by default as one transaction; `execute` raises as a command does."""
        made = _StorePipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        made.error = self._error
        return made

    def refusal(self) -> str | None:
        """Write something. Return why that failed, such as `away`, `READONLY` or `OOM`; None when it did not."""
        breaker = cast(FairPool, self.connection_pool).breaker
        try:
            self.set(keys.WRITTEN, b"1", ex=WRITTEN_TTL_S)
        except self._error as error:
            refused = isinstance(error.__cause__, redis.ResponseError)
            return (breaker.refuses or type(error.__cause__).__name__) if refused else "away"
        breaker.wrote()
        return None


class _StorePipeline(Pipeline):
    error: type[Away]

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        try:
            return super().execute(raise_on_error)
        except redis.RedisError as error:
            raise away(error, self.error) from error


def away(error: redis.RedisError, kind: type[Away]) -> Away:
    """The error of redis-py as one of ours."""
    if isinstance(error, redis.ResponseError):
        if kind is StoreDown and any(sign in str(error) for sign in _WRONG_TYPE):
            return WrongType(str(error))
        return kind(f"Redis refuses: {type(error).__name__}")  # read-only, out of memory, …
    return kind(f"Redis is away: {type(error).__name__}")
