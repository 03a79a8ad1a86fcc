"""Decisions in memory mode, where there is no queue: the process makes them itself."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as BudgetSpent

from shared.domain.sessions import Session
from shared.errors import RouterDown, TooManyWaiting
from shared.job_messages import DecisionRequest, DecisionResult


class DecisionsInPlace:
    """Makes decisions in this process, one a session at a time, and limits the wait for each."""

    def __init__(self, decide: Callable[[DecisionRequest], DecisionResult], *, limit: int) -> None:
        self._decide = decide
        self._limit = limit
        self._waiting = 0
        self._under_way: dict[Session, Future[DecisionResult]] = {}
        self._lock = threading.Lock()

    def ask(self, request: DecisionRequest, budget_s: float) -> DecisionResult:
        """The result of a request.

        Raises TooManyWaiting, or RouterDown when there was no answer within `budget_s` seconds.
        """
        with self._lock:
            if self._waiting >= self._limit:
                raise TooManyWaiting(f"{self._limit} decisions are waiting already")
            self._waiting += 1
            result = self._started(request)
        try:
            return result.result(budget_s)
        except BudgetSpent:
            raise RouterDown(f"no decision within {budget_s * 1000:.0f} ms") from None
        finally:
            with self._lock:
                self._waiting -= 1

    def workers(self) -> int:
        """One: this process itself."""
        return 1

    def waiting(self) -> int:
        """None: a decision begins at once."""
        return 0

    def _started(self, request: DecisionRequest) -> Future[DecisionResult]:
        result = self._under_way.get(request.session) if request.session else None
        if result is None:
            result = Future()
            if request.session:
                self._under_way[request.session] = result
            threading.Thread(target=self._run, args=(request, result), name="decide", daemon=True).start()
        return result

    def _run(self, request: DecisionRequest, result: Future[DecisionResult]) -> None:
        try:
            result.set_result(self._decide(request))
        except BaseException as error:
            result.set_exception(error)
            raise
        finally:
            if request.session:
                with self._lock:
                    self._under_way.pop(request.session, None)
