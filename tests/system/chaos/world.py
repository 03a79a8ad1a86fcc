"""The pool under test: three replicas behind a balancer, two workers, Redis, a model server for each model."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psutil

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.harness import Pool, Process, RedisServer, running, wait_until
from tests.system.asking import DEEP, QUICK, ask, ready
from tests.system.balancers import balancer, deals_to
from tests.system.chaos.record import Faults
from tests.system.chaos.schedule import MODELS, REPLICAS, WORKERS, Step

TTL_S = 25
LISTENER_S = 5
BUDGET_S = 2
OWN, DEFAULT = MODELS[0], MODELS[3]
ROUTES = {DEEP: MODELS[:3], QUICK: (MODELS[2], MODELS[3], MODELS[1])}
_PAUSE_S = 0.03
"""Between the events of a stream."""
MODEL_S = 0.5
"""What a model that is well takes for its whole answer: a stream has a dozen of events."""
_STARTS_WITHIN_S = 30


def _config(models: Sequence[Provider], router: Router) -> str:
    providers = "\n".join(
        f'  - {{model: {name}, base_url: "{server.url}", provider_interface: openai'
        f"{', default: true' if name == DEFAULT else ''}}}"
        for name, server in zip(MODELS, models, strict=True)
    )
    return f"""
version: v0.4.0
listeners: [{{type: model, name: egress, timeout: {LISTENER_S}s}}]
model_providers:
{providers}
routing_preferences:
  - {{name: deep, description: complex analysis and review, models: [{", ".join(ROUTES[DEEP])}]}}
  - {{name: quick, description: quick facts and small talk, models: [{", ".join(ROUTES[QUICK])}]}}
routing:
  session_ttl_seconds: {TTL_S}
  decision_timeout_ms: {BUDGET_S * 1000}
  fallback_to_default: true
  router: {{url: "{router.url}", model: Arch-Router}}
"""


class World:
    """What can be broken, and the one who does it."""

    def __init__(self, folder: Path, stack: ExitStack, balancer_name: str) -> None:
        """Starts all of it; `stack` ends it."""
        self.folder = folder
        self.faults = Faults()
        self.models = [stack.enter_context(Provider()) for _ in MODELS]
        for model in self.models:
            model.pause = _PAUSE_S
        self.router = stack.enter_context(Router())
        self.redis_port = free_port()
        self.redis = RedisServer(folder)
        stack.callback(self.redis.stop)
        self._start_redis()
        self._pool = Pool(
            folder,
            _config(self.models, self.router),
            f"redis://127.0.0.1:{self.redis_port}",
            GRACEFUL_TIMEOUT="10",
            DRAIN_DELAY="2",
            TMPDIR=str(folder),
        )
        stack.enter_context(running(self._pool))
        self.ports = [free_port() for _ in range(REPLICAS)]
        worker, self.web = self._pool.serve(*self.ports)
        self.workers = [worker, *(self._pool.worker() for _ in range(WORKERS - 1))]
        self.front, self._balancer = stack.enter_context(balancer(balancer_name, folder, self.ports))

    @property
    def processes(self) -> list[Process]:
        """Every process of the pool that runs now."""
        return [*self.web, *self.workers]

    def warm_up(self) -> None:
        """Let every replica use everything once that it makes at first use."""
        for port in self.ports:
            for n, text in enumerate(ROUTES):
                ask(port, f"warm-{port}-{n}", text, model=OWN).raise_for_status()

    def logs(self) -> Iterator[tuple[str, str]]:
        """The name and the text of each log, those of processes that are gone included."""
        for path in sorted(self.folder.glob("*.log")):
            yield path.name, path.read_text(errors="replace")

    def follow(self, steps: Sequence[Step], until: float) -> None:
        """Go through a lane of the schedule; ends at that moment by the monotonic clock, all well."""
        pause = threading.Event()
        for step in steps:
            if time.monotonic() + step.after_s >= until:
                return
            pause.wait(step.after_s)
            target = MODELS[step.target] if step.part == "model" else f"{step.part}{step.target}"
            with self.faults.during(step, target):
                self._break(step, partial(pause.wait, step.for_s))

    def _break(self, step: Step, wait: Callable[[], object]) -> None:
        match step.part:
            case "model":
                _fail(self.models[step.target], step.kind, wait)
            case "redis" if step.kind == "kill":
                self.redis.stop()
                wait()
                self._start_redis()
            case "redis":
                self.redis.send(signal.SIGSTOP)
                wait()
                self.redis.send(signal.SIGCONT)
            case "web":
                self._break_process(step, self.web, wait, partial(self._pool.web, self.ports[step.target]))
                # The balancer may not have noticed that it was away, and the replica not yet have a new child.
                back = partial(self._dealt_to, step.target)
                wait_until(back, within_s=_STARTS_WITHIN_S, what="the balancer's return to the replica")
            case "worker":
                self._break_process(step, self.workers, wait, self._registered_worker)

    def _break_process(
        self, step: Step, among: list[Process], wait: Callable[[], object], start: Callable[[], Process]
    ) -> None:
        process = among[step.target]
        match step.kind:
            case "freeze":
                _send(tree := _tree(process), signal.SIGSTOP)
                wait()
                _send(tree, signal.SIGCONT)
            case "crash":
                _send(_tree(process)[1:], signal.SIGKILL)
            case "kill":
                tree = _tree(process)
                _send(tree, signal.SIGKILL)
                process.stop(signal.SIGKILL)
                wait()
                among[step.target] = start()
            case "restart":
                code = process.stop(within_s=_STARTS_WITHIN_S)
                assert code == 0, f"{process.log.name} ended with {code}"
                wait()
                among[step.target] = start()

    def _dealt_to(self, nth: int) -> bool:
        """Whether a replica is ready and gets requests."""
        return ready(self.ports[nth]) and deals_to(self._balancer, nth)

    def _registered_worker(self) -> Process:
        """A new worker that RQ knows of; RQ 2.12 writes each one's process number down when it registers."""
        worker = self._pool.worker()

        def known() -> bool:
            with self.redis.client() as client:
                return b"%d" % worker.pid in (client.hget(key, "pid") for key in client.scan_iter("rq:worker:*"))

        wait_until(known, within_s=_STARTS_WITHIN_S, what="the registration of the worker")
        return worker

    def _start_redis(self) -> None:
        self.redis.start("--port", str(self.redis_port), "--bind", "127.0.0.1", "--appendonly", "no")


def _fail(model: Provider, kind: str, wait: Callable[[], object]) -> None:
    if kind.isdecimal():
        model.behave("status", code=int(kind), headers={"Retry-After": "2"} if kind == "429" else {})
    else:
        model.behave(kind)
    wait()
    model.behave(None)


def _tree(process: Process) -> list[psutil.Process]:
    """The process, then its descendants."""
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


def _send(processes: Sequence[psutil.Process], number: int) -> None:
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            os.kill(each.pid, number)
