"""What clients notice of races, a dead model, a frozen or slow Redis and a deployment: `python -m bench.promises`."""

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from bench import report, stage
from bench.clients import Asked, Clients
from bench.report import Figures
from bench.stage import Stage
from tests.fakes.delay import SlowProxy
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.fakes.wire import Answer, Request
from tests.harness import Pool, running, wait_until
from tests.system.asking import DEEP, ask
from tests.system.rolling import PROVIDER_PAUSE_S, Load, Replicas, pin_sessions

QUESTION = (
    "How many sessions are split by bursts of first requests, how many clients see an error when the pinned model is "
    "killed, how long does a frozen Redis keep a request waiting, and what do a slow one and a rolling restart cost?"
)
BALANCER = "haproxy"
BURSTS, BURST = 30, 8
SESSIONS = 16
NEWCOMERS = 2
FROZEN_S = 2.0
LATE_S = (0.005, 0.02, 0.05, 0.1)
TARGETS = {
    "30 bursts of 8 over 2 replicas": {"sessions_split": "0"},
    "pinned model killed": {"client_errors": "0"},
    "redis frozen": {
        "worst_added_wait_ms": "≤ 300",
        "worst_added_wait_of_first_requests_ms": "≤ 300",
        "worst_wait_of_decisions_under_way_ms": "≤ 300",
        "client_errors": "0",
    },
    "redis slow": {"degraded": "0", "client_errors": "0"},
    "rolling restart": {"requests_lost": "0", "streams_truncated": "0", "sessions_on_another_model": "0"},
}
CONFIG = """\
version: v0.4.0
model_providers:
  - {{model: openai/gpt-4o-mini, base_url: "{second}", provider_interface: openai, default: true}}
  - {{model: openai/gpt-5.2, base_url: "{first}", provider_interface: openai}}
routing_preferences:
  - {{name: deep, description: complex analysis and review, models: [openai/gpt-5.2, openai/gpt-4o-mini]}}
  - {{name: quick, description: quick facts and small talk, models: [openai/gpt-4o-mini, openai/gpt-5.2]}}
routing:
  session_ttl_seconds: 3600
  router: {{url: "{router}", model: Arch-Router}}
limits: {{sessions_per_minute: 1000000}}
"""
FIRST, SECOND = "openai/gpt-5.2", "openai/gpt-4o-mini"


def main() -> None:
    """Measure and publish."""
    asked = report.options(QUESTION, runs=3, seconds=3)
    with stage.stage(limit_s=180 * asked.runs) as built, ExitStack() as stack:
        pool = _Pool(built, stack)
        sides: dict[str, Callable[[], Figures]] = {
            "30 bursts of 8 over 2 replicas": pool.bursts,
            "pinned model killed": lambda: pool.killed(asked.seconds),
            "redis frozen": lambda: pool.frozen(asked.seconds),
            "redis slow": lambda: pool.slowed(asked.seconds),
            "rolling restart": pool.restarted,
        }
        results = report.interleaved(sides, asked.runs, TARGETS)
    setting = {"replicas": 3, "workers": 1, "balancer": BALANCER, "seconds": asked.seconds}
    faults = {"frozen_s": FROZEN_S, "late_s": LATE_S}
    report.publish("promises", QUESTION, asked.runs, results, setting | faults)


class _Fickle(Router):
    """A router that, when told to, names the other route each time: two decisions about a session never agree."""

    fickle = False

    def __init__(self) -> None:
        super().__init__()
        self._turn = threading.Lock()
        self._named = 0

    def respond(self, request: Request) -> Answer:
        """As its parent, with that difference."""
        with self._turn:
            self._named += 1
            self.answer = f'{{"route": "{("deep", "quick")[self._named % 2]}"}}' if self.fickle else None
            return super().respond(request)


class _Pool:
    """Three replicas behind HAProxy, a worker, and two models, each on a server of its own."""

    def __init__(self, built: Stage, stack: ExitStack) -> None:
        self._redis = built.redis
        self._first, self._second = (stack.enter_context(Provider()) for _ in range(2))
        self._router = stack.enter_context(_Fickle())
        config = CONFIG.format(first=self._first.url, second=self._second.url, router=self._router.url)
        pool = Pool(built.folder, config, f"redis://127.0.0.1:{built.redis_port}")
        stack.enter_context(running(pool))
        pool.worker()
        self._replicas = Replicas(pool, built.folder, stack, BALANCER)
        self._way = SlowProxy(built.redis_port)
        stack.callback(self._way.close)
        self._distant = self._on_a_long_way(built, config, stack)
        self._runs = 0

    def bursts(self) -> Figures:
        """The first requests of a session, all at the same moment, half of them at each of two replicas."""
        self._anew()
        self._router.fickle, asked_before = True, self._router.calls
        split = 0
        with ThreadPoolExecutor(BURST) as clients:
            for n in range(BURSTS):
                together = threading.Barrier(BURST)
                session = f"burst-{self._runs}-{n}"
                ports = self._replicas.ports[:2] * (BURST // 2)
                answers = list(clients.map(lambda port, s=session, t=together: _at_once(port, s, t), ports))
                split += len(set(answers)) > 1
        self._router.fickle = False
        return {
            "sessions_split": split,
            "requests": BURSTS * BURST,
            "router_calls": self._router.calls - asked_before,
        }

    def killed(self, seconds: int) -> Figures:
        """All sessions are on a model whose server ends under them."""
        sessions = self._pinned(FIRST)
        with Clients(self._replicas.front, sessions) as clients:
            wait_until(lambda: len(clients.asked) > 5 * SESSIONS, what="requests before the end of the model")
            self._first.close()
            _pass(seconds)
        self._first.start()
        with self._redis.pipeline() as each:
            for session in sessions:
                each.get(f"plano:affinity:{session}")
            moved = sum(SECOND.encode() in (value or b"") for value in each.execute())
        return {
            "client_errors": clients.errors,
            "requests": len(clients.asked),
            "sessions": len(sessions),
            "sessions_moved": moved,
        }

    def frozen(self, seconds: int) -> Figures:
        """Redis stops answering, without a word, under pinned sessions, decisions under way and first requests."""
        sessions, new = self._pinned(FIRST), [f"new-{self._runs}-{n}" for n in range(NEWCOMERS)]
        with Clients(self._replicas.front, sessions, pause_s=0.02) as clients:
            with Clients(self._replicas.front, new, pause_s=0.02, anew=True) as usual_first:
                _pass(seconds)
            usual = clients.took_ms(until=time.monotonic())
            self._router.delay = FROZEN_S
            with Clients(self._replicas.front, [f"{name}-late" for name in new], anew=True) as first:
                wait_until(lambda: self._router.open == NEWCOMERS, what="decisions under way")
                with self._stopped_redis() as began:
                    _pass(FROZEN_S)
                    under = clients.took_ms(since=began)
                    late = [each.took_ms for each in first.asked if each.began >= began]
                    under_way = [(each.ended - began) * 1000 for each in first.asked if each.began < began]
                self._router.delay = 0
            wait_until(lambda: not clients.asked[-1].degraded, what="the recovery")
        return {
            "worst_added_wait_ms": max(under) - statistics.median(usual),
            "worst_added_wait_of_first_requests_ms": max(late) - statistics.median(usual_first.took_ms()),
            "worst_wait_of_decisions_under_way_ms": max(under_way),
            "usual_pinned_p50_ms": statistics.median(usual),
            "usual_pinned_max_ms": max(usual),
            "requests_while_frozen": len(under) + len(late),
            "client_errors": clients.errors + usual_first.errors + first.errors,
        }

    def slowed(self, seconds: int) -> Figures:
        """Every answer of Redis comes late, those to the worker, too: sessions only wait longer."""
        sessions = [f"slow-{self._runs}-{n}" for n in range(SESSIONS)]
        for session in sessions:
            ask(self._distant, session, DEEP)
        usual = self._asked_from_afar(sessions, seconds)
        added: Figures = {}
        asked: list[Asked] = []
        for late_s in LATE_S:
            self._way.delay = late_s
            slow = self._asked_from_afar(sessions, seconds)
            self._way.delay = 0
            asked += [each for clients in slow for each in clients.asked]
            for name, late, prompt in zip(("pinned", "first"), slow, usual, strict=True):
                p50_ms = statistics.median(late.took_ms()) - statistics.median(prompt.took_ms())
                added[f"{name}_added_p50_ms_at_{late_s * 1000:.0f}_ms"] = p50_ms
        return {
            "degraded": sum(each.degraded for each in asked),
            "requests": len(asked),
            "client_errors": sum(each.fault is not None for each in asked),
            **added,
        }

    def restarted(self) -> Figures:
        """Every replica is restarted, one after the other, under requests and streams."""
        self._anew()
        self._first.pause = self._second.pause = PROVIDER_PAUSE_S
        with Load(self._replicas.front, pin_sessions(self._replicas.front)) as done:
            wait_until(lambda: done.streams, what="the first stream's end")
            for port in self._replicas.ports:
                self._replicas.restart(port)
        self._first.pause = self._second.pause = 0
        return {
            "requests": done.requests,
            "streams": done.streams,
            "requests_lost": len(done.lost),
            "streams_truncated": len(done.truncated),
            "sessions_on_another_model": len(done.moved),
        }

    def _on_a_long_way(self, built: Stage, config: str, stack: ExitStack) -> int:
        """The port of a pool of one web process and one worker that reach Redis by a proxy."""
        folder = built.folder / "distant"
        folder.mkdir()
        pool = stack.enter_context(running(Pool(folder, config, f"redis://127.0.0.1:{self._way.port}/1")))
        port = free_port()
        pool.worker()
        pool.web(port)
        return port

    def _asked_from_afar(self, sessions: Sequence[str], seconds: int) -> tuple[Clients, Clients]:
        """Clients of pinned sessions, and of new ones."""
        new = [f"{sessions[0]}-{self._way.delay}-{n}" for n in range(NEWCOMERS)]
        with (
            Clients(self._distant, sessions, pause_s=0.02) as clients,
            Clients(self._distant, new, pause_s=0.02, anew=True) as first,
        ):
            _pass(seconds)
        return clients, first

    def _anew(self) -> None:
        """Forget the pins and the failures of the last side."""
        self._runs += 1
        for key in self._redis.scan_iter("plano:*"):
            if not key.startswith(b"plano:replica:"):
                self._redis.delete(key)
        self._wait_until_well()

    def _wait_until_well(self) -> None:
        """Every replica has heard that no model sits out and that Redis is there."""

        def well() -> bool:
            answers = [ask(port, None, DEEP) for port in self._replicas.ports]
            return all(answer.headers.get("x-plano-model") == FIRST for answer in answers)

        wait_until(well, within_s=20, what="the pool's recovery")

    def _pinned(self, model: str) -> list[str]:
        self._anew()
        sessions = [f"session-{self._runs}-{n}" for n in range(SESSIONS)]
        models = {ask(self._replicas.front, session, DEEP).json()["model"] for session in sessions}
        assert models == {model}, models
        return sessions

    @contextmanager
    def _stopped_redis(self) -> Iterator[float]:
        pid = int(self._redis.info("server")["process_id"])
        os.kill(pid, signal.SIGSTOP)
        try:
            yield time.monotonic()
        finally:
            os.kill(pid, signal.SIGCONT)


def _at_once(port: int, session: str, together: threading.Barrier) -> str:
    """The model of an answer that is asked for when everybody is ready."""
    together.wait(10)
    answer = ask(port, session, DEEP)
    answer.raise_for_status()
    assert "x-plano-degraded" not in answer.headers, answer.headers
    return str(answer.json()["model"])


def _pass(seconds: float) -> None:
    threading.Event().wait(seconds)


if __name__ == "__main__":
    main()
