"""How the replica and what it stands on are."""

from typing import Any

from shared.bootstrap import Web
from shared.errors import Away


class Health:
    """Asks each part, with the same time limits as a request."""

    def __init__(self, base: Web) -> None:
        self._base = base
        self._draining = False

    def drain(self) -> None:
        """From now on this replica is not ready: it is about to end."""
        self._draining = True

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether this replica should get requests, and the state of each part.

        Redis away is not ready, although requests are served: a balancer with another choice takes it. No
        worker is no reason, since pinned sessions need none.
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
