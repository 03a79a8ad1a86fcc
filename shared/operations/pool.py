"""The processes of a pool, as an operator sees them."""

import msgspec


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


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker process, as its sign of life shows it."""

    name: str
    host: str = ""
    pid: int = 0
    since: float | None = None
    """When it began, in seconds since the epoch."""
    age_s: float | None = None
    """How old the sign of life is; it is renewed every second, and gone after thirty."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions and refreshes that are under way."""

    waiting: int
    running: int


class PoolState(msgspec.Struct, frozen=True, kw_only=True):
    """The processes that live, and what the queue holds."""

    replicas: tuple[Replica, ...]
    workers: tuple[Worker, ...]
    queue: Queue

    @property
    def configs(self) -> tuple[str, ...]:
        """The digests of all replicas' configs, the most frequent first; more than one is worth a look."""


class PoolOperations:
    """What an operator can ask of the pool's processes."""

    def state(self) -> PoolState:
        """The processes that live, and what the queue holds; raises StoreDown, QueueDown."""
