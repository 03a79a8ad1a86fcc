"""Lists of jobs that wait: the ids of those that are past their ttl are dropped many at a time."""

from typing import Any

import redis
from rq.job import Job

from shared.store import scripts

AT_ONCE = 1000
"""So many ids are looked at in one step, which keeps Redis busy for about a millisecond."""


class Backlog:
    """One list of job ids."""

    def __init__(self, client: redis.Redis, key: str) -> None:
        self._redis = client
        self._key = key
        self._drop_ended = client.register_script(scripts.read("drop_ended_jobs.lua"))

    def drop_ended(self) -> int:
        """Drop the ids whose jobs have ended, and return how many they were. Raises as the client does.

        It takes two round trips for each thousand. RQ would take one or two for each.
        """
        prefix = Job.key_for("").encode()
        dropped = begin = 0
        while True:
            ids: Any = self._redis.lrange(self._key, begin, begin + AT_ONCE - 1)
            if not ids:
                return dropped
            ended = int(self._drop_ended([self._key, *(prefix + each for each in ids)], ids))
            dropped += ended
            begin += len(ids) - ended
