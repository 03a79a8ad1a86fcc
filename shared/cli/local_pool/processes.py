"""The processes of `plano up`: honcho's manager with an end that comes in any case. Written against honcho 2.0."""

import contextlib
import math
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

from honcho.manager import Manager
from honcho.printer import Printer


class Processes(Manager):  # type: ignore[misc]
    """Runs processes until a signal comes, one of them ends, or nobody reads the output; then ends them all.

    From then on each has `grace_s` seconds to end by itself; what still runs afterwards is killed.
    """

    def __init__(self, grace_s: float, beside: Callable[[], None]) -> None:
        """`beside` is run in a thread, once all processes have been forked: a fork takes no thread along."""
        super().__init__(_Output(sys.stdout, time_format=""))
        self._grace_s = grace_s
        self._beside = beside
        self._kill_at = math.inf
        self._killed = False

    def terminate(self) -> None:
        """Send SIGTERM to every process, as soon as all have been started."""
        self._kill_at = min(self._kill_at, time.monotonic() + self._grace_s)
        if super()._all_started():
            super().terminate()

    def kill(self) -> None:
        """Send SIGKILL to who has had its grace; honcho asks for it 5 s after the first process has ended."""
        if time.monotonic() >= self._kill_at and not self._killed:
            self._killed = True
            super().kill()

    def _start(self) -> None:
        super()._start()
        for run in (self._beside, _end_with_the_output):
            threading.Thread(target=run, daemon=True).start()

    def _all_started(self) -> bool:
        """honcho asks it in each round, ten times a second: what has become due is done here."""
        started = bool(super()._all_started())
        if started and self._kill_at < math.inf:
            super().terminate()
            self.kill()
        return started


class _Output(Printer):  # type: ignore[misc]
    """`name | line`: when it was is in the line itself."""

    def write(self, message: Any) -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more: see below
            super().write(message)


def leave_on_signals() -> None:
    """Have SIGTERM unwind what was begun until `Processes` takes over, and a closed terminal count as SIGTERM."""
    signal.signal(signal.SIGTERM, _leave)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # else `nohup` wants it to be ignored
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def _leave(*_: object) -> NoReturn:
    sys.exit(0)


def _end_with_the_output() -> None:
    """Wait until nobody can read the output any more, as after `plano up | head`; then end this process."""
    watch = select.poll()
    watch.register(1, 0)  # no event is asked for: what is reported is the end
    watch.poll()
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - as a file descriptor
        os.dup2(nowhere.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
