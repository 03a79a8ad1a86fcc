"""The state of a replica, and of the parts that it needs."""

from typing import Any

from shared.bases import WebBase
from shared.errors import Away


class Health:
    """Asks each part whether it is up, with the same time limits as a request."""

    def __init__(self, base: WebBase) -> None:
        self._base = base
        self._draining = False

    def drain(self) -> None:
        """Report this replica as not ready from now on, because it is about to end."""
        self._draining = True

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether this replica should get requests, and the state of each part.

        Without Redis it is not ready, although it serves: a balancer may have a better replica. Without workers it is
        ready, since pinned sessions need none.
        """
        parts: dict[str, Any] = {"config": self._base.config.digest}
        client = self._base.redis
        redis_up = client is None or client.answers()
        parts["redis"] = "memory" if client is None else _word(redis_up)
        try:
            parts["workers"] = self._base.decisions.workers()
            parts["queue"] = _word(up=True)
        except Away:
            parts["workers"] = None
            parts["queue"] = _word(up=False)
        ready = redis_up and parts["queue"] == "up" and not self._draining
        parts["draining"] = self._draining
        return ready, {"status": "ready" if ready else "not ready", **parts}


def _word(up: bool) -> str:
    return "up" if up else "away"
