"""Who may use one of a few connections next: whoever has waited longest."""

import threading
from collections import deque
from types import TracebackType


class Turns:
    """A semaphore that is fair.

    Python's own lets newcomers overtake those it has just woken, which under load left some requests waiting
    until their time was up while others were served.
    """

    def __init__(self, width: int) -> None:
        self._free = width
        self._waiting: deque[threading.Lock] = deque()
        self._lock = threading.Lock()

    def acquire(self, timeout_s: float = -1) -> bool:
        """Wait for a turn; False when none came in time."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        try:
            if gate.acquire(timeout=timeout_s):
                return True
        except BaseException:  # whoever waited has been ended, as a request is whose client has gone
            if not self._withdrawn(gate):
                self.release()  # the turn came in the same moment: it is the next one's
            raise
        return not self._withdrawn(gate)  # it may have come in the moment of giving up

    def release(self) -> None:
        """Pass the turn on."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _withdrawn(self, gate: threading.Lock) -> bool:
        with self._lock:
            if gate in self._waiting:
                self._waiting.remove(gate)
                return True
        return False

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
