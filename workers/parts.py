"""What jobs use: built once a process, passed to each job."""

import msgspec

from workers.decide import Decider


class Parts(msgspec.Struct, frozen=True):
    """The services of a worker process."""

    decider: Decider
