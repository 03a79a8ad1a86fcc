"""How many sessions a client may begin in a minute, counted for all replicas together."""

import contextlib
import time
from collections.abc import Callable

import redis

from shared.domain.new_session_limit import MINUTE_S, refuse
from shared.errors import StoreDown
from shared.store import keys
from shared.store.connection.store_client import WrongType
from shared.store.decoding.unreadable import Unreadable

_TTL_S = 2 * MINUTE_S  # replicas' clocks may differ


class NewSessionLimit:
    """Counts new sessions in Redis; one round trip each, none when there is no limit."""

    def __init__(
        self,
        client: redis.Redis,
        limit: int,
        clock: Callable[[], float] = time.time,
        unreadable: Unreadable | None = None,
    ) -> None:
        """`limit` sessions a minute and client, 0 for any number."""
        self._redis = client
        self._limit = limit
        self._clock = clock
        self._unreadable = unreadable or Unreadable()

    def admit(self, client: str) -> None:
        """Count a session that is about to be pinned.

        Raises TooManySessions when the client has begun enough; StoreDown, and then it cannot be pinned, either.
        """
        if not self._limit:
            return
        now = self._clock()
        key = keys.sessions(client, int(now // MINUTE_S))
        try:
            begun = self._counted(key)
        except WrongType as error:  # the minute's count begins anew
            self._unreadable.note(key, error)
            self._redis.delete(key)
            begun = self._counted(key)
        if begun > self._limit:
            refuse(self._limit, now)

    def give_back(self, client: str) -> None:
        """Count one less: it could not be pinned, and will be counted when it comes again."""
        if self._limit:
            with contextlib.suppress(StoreDown, WrongType):
                self._counted(keys.sessions(client, int(self._clock() // MINUTE_S)), -1)

    def _counted(self, key: str, more: int = 1) -> int:
        with self._redis.pipeline() as together:
            together.incr(key, more)
            together.expire(key, _TTL_S)
            begun, _ = together.execute()
        return int(begun)
