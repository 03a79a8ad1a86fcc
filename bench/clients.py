"""Clients that ask again and again, and note how they were served."""

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import requests

from tests.system.asking import DEEP, ask, pinned


@dataclass(frozen=True)
class Asked:
    """One request."""

    began: float
    ended: float
    fault: str | None
    """None: it was answered, by whichever model."""
    degraded: bool

    @property
    def took_ms(self) -> float:
        """From the connection to the answer's end."""
        return (self.ended - self.began) * 1000


class Clients:
    """One thread a session, asking again and again; with `anew` for another session each time."""

    def __init__(self, port: int, sessions: Sequence[str], *, pause_s: float = 0.005, anew: bool = False) -> None:
        self._port = port
        self._pause_s = pause_s
        self._anew = anew
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(each,)) for each in sessions]
        self.asked: list[Asked] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def errors(self) -> int:
        """How many requests were not answered as they should be."""
        return sum(each.fault is not None for each in self.asked)

    def took_ms(self, *, since: float = -math.inf, until: float = math.inf) -> list[float]:
        """How long those took that ended since a moment and began before another."""
        return [each.took_ms for each in tuple(self.asked) if each.ended >= since and each.began <= until]

    def _ask(self, session: str) -> None:
        n = 0
        while not self._stop.wait(self._pause_s):
            n += 1
            self.asked.append(self._one(f"{session}-{n}" if self._anew else session))

    def _one(self, session: str) -> Asked:
        began, fault, degraded = time.monotonic(), None, False
        try:
            answer = ask(self._port, session, DEEP)
        except requests.RequestException as error:
            fault = repr(error)
        else:
            degraded = "x-plano-degraded" in answer.headers
            if not answer.ok or not (
                self._anew or degraded or pinned(answer) or "x-plano-fallback" in answer.headers
            ):
                fault = f"{answer.status_code} {answer.text}"
        return Asked(began, time.monotonic(), fault, degraded)
