"""The objects that jobs use: built once a process, passed to each job."""

import msgspec

from workers.decide import Decider
from workers.metrics.refresh import Refresher


class WorkerServices(msgspec.Struct, frozen=True):
    """The services of a worker process."""

    decider: Decider
    refresher: Refresher | None = None
    """None: this process reads no metric source."""
