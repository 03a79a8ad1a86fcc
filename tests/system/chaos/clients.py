"""The clients: many sessions at once, each one turn after another, plain and streamed."""

import heapq
import itertools
import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import requests

from tests.system.asking import DEEP, QUICK, chat
from tests.system.chaos.record import Route, Turn

TURNS = 10
SECRET = "marzipan"
"""A word that every conversation has, and nothing that is kept may have."""
_THINK_S = (0.5, 3.0)
_PATIENCE_S = 30.0
"""After so long a client gives up: far longer than anything takes that the checker allows."""
_SAID_CHARS = 200
_PIECE_BYTES = 4096
"""Of a stream a piece is whatever has come."""


class Clients:
    """`sessions` of them at any time, of which at most `at_once` wait for an answer."""

    def __init__(
        self,
        port: int,
        routes: Mapping[str, Route],
        own: str,
        *,
        seed: int,
        sessions: int,
        at_once: int,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """`routes` are the candidates for each text that is asked; `own` is the model that all requests name."""
        self._port = port
        self._routes = routes
        self._own = own
        self._chance = random.Random(seed)
        self._at_once = at_once
        self._sessions = sessions
        self._patience_s = patience_s
        self._names = (f"chaos-{n}" for n in itertools.count())
        self._lock = threading.Condition()
        self._due: list[tuple[float, str, int]] = []
        self._under_way = 0
        self.turns: list[Turn] = []

    def run(self, until: float) -> None:
        """Ask, until that moment by the monotonic clock; then what is under way ends, and nothing else begins."""
        for _ in range(self._sessions):
            self._put(next(self._names), 0)
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="client") as threads:
            for done in [threads.submit(self._client, until) for _ in range(self._at_once)]:
                done.result()

    def _client(self, until: float) -> None:
        while (due := self._next(until)) is not None:
            session, number = due
            turn = self._ask(session, number)
            with self._lock:
                self.turns.append(turn)
            last = number == TURNS - 1
            self._put(next(self._names) if last else session, 0 if last else number + 1)

    def _put(self, session: str, number: int) -> None:
        with self._lock:
            at = time.monotonic() + self._chance.uniform(*_THINK_S)
            heapq.heappush(self._due, (at, session, number))
            self._lock.notify()

    def _next(self, until: float) -> tuple[str, int] | None:
        """The turn that is due, once it is; None at the end."""
        with self._lock:
            while (now := time.monotonic()) < until:
                if self._due and self._due[0][0] <= now:
                    return heapq.heappop(self._due)[1:]
                self._lock.wait(min(until, self._due[0][0] if self._due else until) - now)
        return None

    def _ask(self, session: str, number: int) -> Turn:
        text = (DEEP, QUICK)[int(session.rpartition("-")[2]) % 2]
        streamed = number % 2 == 1
        body = {
            "model": self._own,
            "messages": [{"role": "user", "content": f"{text} {SECRET}"}],
            "stream": streamed,
        }
        turn = Turn(
            session=session, number=number, route=self._routes[text], streamed=streamed, began=time.time(), ended=0
        )
        headers = {"X-Model-Affinity": session, "X-Request-Id": turn.request_id}
        try:
            with requests.post(
                chat(self._port), json=body, headers=headers, stream=True, timeout=self._patience_s
            ) as answer:
                turn = _read(answer, _headed(answer, turn), self._patience_s)
        except requests.RequestException as fault:
            turn = replace(turn, said=repr(fault))
        return replace(turn, ended=time.time())


def _headed(answer: requests.Response, turn: Turn) -> Turn:
    """The turn with what the answer's head says."""
    steps = answer.headers.get("x-plano-fallback")
    return replace(
        turn,
        status=answer.status_code,
        ours="x-request-id" in answer.headers,
        model=answer.headers.get("x-plano-model"),
        pinned=answer.headers.get("x-plano-pinned") == "true",
        fallback=tuple(step.strip() for step in steps.split(",")) if steps else (),
        degraded=answer.headers.get("x-plano-degraded"),
    )


def _read(answer: requests.Response, turn: Turn, patience_s: float) -> Turn:
    """The turn with what the answer's body says; one that goes on and on is left."""
    pieces = []
    try:
        for piece in answer.iter_content(_PIECE_BYTES):
            pieces.append(piece)
            if time.time() > turn.began + patience_s:
                return replace(turn, said=f"it had not ended after {patience_s:g} s")
    except requests.RequestException as fault:
        return replace(turn, said=repr(fault))
    text = b"".join(pieces).decode(errors="replace")
    whole = text.endswith("data: [DONE]\n\n" if turn.streamed else "}")
    return replace(turn, whole=whole, said="" if whole and turn.answered else text[-_SAID_CHARS:])
