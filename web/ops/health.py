"""The state of a replica, and of the parts that it needs."""

from typing import Any

from shared.errors import Away
from shared.process_dependencies import WebBase


class Health:
    """Asks each part whether it is up, with the same time limits as a request."""

    def __init__(self, base: WebBase) -> None:
        self._base = base
        self._draining = False

    def drain(self) -> None:
        """Report this replica as not ready from now on, because it is about to end."""
        self._draining = True

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether this replica should get requests, the state of each part, and the reason if it should not.

        Without a Redis that takes writes it is not ready, although it serves: a balancer may have a better replica.
        Without workers it is ready, since pinned sessions need none.
        """
        parts: dict[str, Any] = {"config": self._base.config.digest}
        client = self._base.redis
        refusal = client.refusal() if client else None
        parts["redis"] = "memory" if client is None else _state(refusal)
        try:
            parts["workers"] = self._base.decisions.workers()
            parts["queue"] = "up"
        except Away:
            parts["workers"] = None
            parts["queue"] = "away"
        parts["draining"] = self._draining
        reasons = [f"{part} is away" for part in ("redis", "queue") if parts[part] == "away"]
        reasons += [f"redis refuses writes: {refusal}"] if parts["redis"] == "refuses writes" else []
        reasons += ["this replica is ending"] if self._draining else []
        if reasons:
            return False, {"status": "not ready", "reason": "; ".join(reasons), **parts}
        return True, {"status": "ready", **parts}


def _state(refusal: str | None) -> str:
    return "up" if refusal is None else "away" if refusal == "away" else "refuses writes"
