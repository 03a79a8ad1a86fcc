"""A rolling restart: every replica behind a balancer in turn, under plain requests and streams of pinned sessions."""

import signal
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import requests

from tests.fakes.ports import free_port
from tests.harness import STARTS_WITHIN_S, Pool, wait_until
from tests.system.asking import DEEP, QUICK, ask, chat, decisions
from tests.system.balancers import balancer

PROVIDER_PAUSE_S = 0.3
"""Between the ten or so events of a stream, which then lasts about three seconds."""
SESSIONS = {f"rolling-{n}": (DEEP if n % 4 < 2 else QUICK) for n in range(16)}
_BETWEEN_S = 0.02
GRACEFUL_TIMEOUT_S = 15
DRAIN_DELAY_S = 2
_ENV = {"DRAIN_DELAY": str(DRAIN_DELAY_S), "GRACEFUL_TIMEOUT": str(GRACEFUL_TIMEOUT_S)}
_ENDS_WITHIN_S = DRAIN_DELAY_S + GRACEFUL_TIMEOUT_S + 5


class Replicas:
    """A worker, and three web processes behind a balancer."""

    def __init__(self, pool: Pool, folder: Path, stack: ExitStack, balancer_name: str) -> None:
        self._pool = pool
        self.ports = [free_port() for _ in range(3)]
        _, webs = pool.serve(*self.ports, **_ENV)
        self._running = dict(zip(self.ports, webs, strict=True))
        self.front, _ = stack.enter_context(balancer(balancer_name, folder, self.ports))

    def restart(self, port: int) -> float:
        """End one as a deployment does and start it anew; the seconds that its end took.

        Returns once the new process has decided something: the balancer sends it requests.
        """
        began = time.monotonic()
        code = self._running[port].stop(signal.SIGTERM, within_s=_ENDS_WITHIN_S)
        assert code == 0, self._running[port].text()
        took_s = time.monotonic() - began
        self._running[port] = self._pool.web(port, **_ENV)
        wait_until(lambda: decisions(port) > 0, within_s=STARTS_WITHIN_S, what="the return of the replica")
        return took_s


class Load:
    """One client a session, every other of them a reader of streams; each asks again and again until the end."""

    def __init__(self, port: int, models: Mapping[str, str]) -> None:
        """`models` are those that the sessions were pinned to."""
        self._port = port
        self._models = models
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._clients = [
            threading.Thread(target=self._client, args=(session, n % 2 == 0)) for n, session in enumerate(models)
        ]
        self.requests = 0
        """Plain ones that were answered."""
        self.streams = 0
        """Those that came to their end."""
        self.lost: list[str] = []
        self.truncated: list[str] = []
        self.moved: list[str] = []

    def __enter__(self) -> Self:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for client in self._clients:
            client.join()

    def __str__(self) -> str:
        return (
            f"{self.requests} requests, {self.streams} streams, {len(self.lost)} lost, "
            f"{len(self.truncated)} truncated, {len(self.moved)} on another model"
        )

    def _client(self, session: str, streamed: bool) -> None:
        while not self._stop.is_set():
            try:
                with _asked(self._port, session, streamed) as answer:
                    self._note(session, answer, streamed)
            except requests.RequestException as fault:
                with self._lock:
                    self.lost.append(f"{session}: {fault!r}")
            self._stop.wait(_BETWEEN_S)

    def _note(self, session: str, answer: requests.Response, streamed: bool) -> None:
        try:
            text = answer.text
        except requests.RequestException as fault:
            text = repr(fault)
        model = answer.headers.get("x-plano-model")
        with self._lock:
            if answer.status_code != 200:
                self.lost.append(f"{session}: {answer.status_code} {text}")
                return
            if model != self._models[session]:
                self.moved.append(f"{session}: {model}")
            if not text.endswith("data: [DONE]\n\n" if streamed else "}"):
                self.truncated.append(f"{session}: {text[-200:]}")
            elif streamed:
                self.streams += 1
            else:
                self.requests += 1


def pin_sessions(port: int) -> dict[str, str]:
    """The models that the sessions are on after their first request."""
    return {session: str(ask(port, session, text).json()["model"]) for session, text in SESSIONS.items()}


def _asked(port: int, session: str, streamed: bool) -> requests.Response:
    """An answer that has begun; every session asks for what would lead a new one elsewhere."""
    text = QUICK if SESSIONS[session] == DEEP else DEEP
    body = {"messages": [{"role": "user", "content": text}], "stream": streamed}
    headers = {"X-Model-Affinity": session}
    return requests.post(chat(port), json=body, headers=headers, stream=True, timeout=30)
