"""Decisions made in place, for a process that has no queue."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as BudgetSpent

from shared.contract import Order, Verdict
from shared.domain.sessions import Session
from shared.errors import RouterDown, TooManyWaiting


class InPlace:
    """Makes decisions itself, one a session at a time, and bounds how long they are waited for."""

    def __init__(self, decide: Callable[[Order], Verdict], *, limit: int) -> None:
        self._decide = decide
        self._limit = limit
        self._waiting = 0
        self._under_way: dict[Session, Future[Verdict]] = {}
        self._lock = threading.Lock()

    def ask(self, order: Order, budget_s: float) -> Verdict:
        """What the decider makes of the order.

        Raises TooManyWaiting, or RouterDown when there was no answer within `budget_s` seconds.
        """
        with self._lock:
            if self._waiting >= self._limit:
                raise TooManyWaiting(f"{self._limit} decisions are waiting already")
            self._waiting += 1
            verdict = self._started(order)
        try:
            return verdict.result(budget_s)
        except BudgetSpent:
            raise RouterDown(f"no decision within {budget_s * 1000:.0f} ms") from None
        finally:
            with self._lock:
                self._waiting -= 1

    def workers(self) -> int:
        """This process decides for itself."""
        return 1

    def _started(self, order: Order) -> Future[Verdict]:
        verdict = self._under_way.get(order.session) if order.session else None
        if verdict is None:
            verdict = Future()
            if order.session:
                self._under_way[order.session] = verdict
            threading.Thread(target=self._run, args=(order, verdict), name="decide", daemon=True).start()
        return verdict

    def _run(self, order: Order, verdict: Future[Verdict]) -> None:
        try:
            verdict.set_result(self._decide(order))
        except BaseException as error:
            verdict.set_exception(error)
            raise
        finally:
            if order.session:
                with self._lock:
                    self._under_way.pop(order.session, None)
