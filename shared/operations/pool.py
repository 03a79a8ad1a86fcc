"""The processes of a pool, as an operator sees them."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from shared.operations.ports import Heartbeats
from shared.store.jobs.queue_view import QueueView, Seen


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """A web process, as its heartbeat shows it."""

    id: str
    address: str
    version: str
    config: str
    """The digest of its config file."""
    age_s: float
    """How old the heartbeat is; it is renewed every ten seconds, and gone after thirty."""
    since: float | None = None
    """When the process began to serve, in seconds since the epoch."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions and refreshes that are under way."""

    waiting: int = 0
    running: int = 0


class PoolState(msgspec.Struct, frozen=True, kw_only=True):
    """The processes that live, and what the queue holds."""

    replicas: tuple[Replica, ...] = ()
    workers: tuple[Seen, ...] = ()
    queue: Queue = Queue()

    @property
    def configs(self) -> tuple[str, ...]:
        """The digests of all replicas' configs, the most frequent first; more than one is worth a look."""
        counts = Counter(replica.config for replica in self.replicas)
        return tuple(digest for digest, _ in counts.most_common())


class PoolOperations:
    """What an operator can ask of the pool's processes."""

    def __init__(self, replicas: Heartbeats | None, queue: QueueView | None) -> None:
        """Without either there is one process alone, which keeps no heartbeat and no queue."""
        self._replicas = replicas
        self._queue = queue

    def state(self) -> PoolState:
        """The processes that live, and what the queue holds; raises StoreDown, QueueDown."""
        known = self._replicas.known() if self._replicas else {}
        replicas = tuple(_replica(name, facts, age_s) for name, (facts, age_s) in sorted(known.items()))
        if self._queue is None:
            return PoolState(replicas=replicas)
        waiting, running = self._queue.depth()
        queue = Queue(waiting=waiting, running=running)
        return PoolState(replicas=replicas, workers=tuple(self._queue.workers()), queue=queue)


def _replica(name: str, facts: Mapping[str, str], age_s: float) -> Replica:
    since = facts.get("since", "")
    return Replica(
        id=name,
        address=facts.get("address", ""),
        version=facts.get("version", ""),
        config=facts.get("config", ""),
        age_s=max(0.0, age_s),
        since=float(since) if since.isascii() and since.isdecimal() else None,
    )
