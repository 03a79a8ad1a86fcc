"""Ends a job that takes too long."""

from typing import Any

import gevent
from rq.timeouts import BaseDeathPenalty, JobTimeoutException


class GreenletDeathPenalty(BaseDeathPenalty):
    """Ends a job that takes too long. RQ's own class uses SIGALRM, which cannot tell greenlets apart."""

    def __init__(self, timeout: float, exception: type[Exception] = JobTimeoutException, **kwargs: Any) -> None:
        super().__init__(timeout, exception, **kwargs)  # type: ignore[no-untyped-call]
        self._timer = gevent.Timeout(timeout, exception(f"the job took longer than {timeout} s"))

    def setup_death_penalty(self) -> None:
        """Start the timer."""
        self._timer.start()

    def cancel_death_penalty(self) -> None:
        """Stop the timer: the job has ended in time."""
        self._timer.close()
