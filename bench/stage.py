"""The processes of one measurement: a Redis over TCP, stand-ins, a pool. All end with it, whatever happens."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from bench import load, machine
from tests.fakes.ports import free_port
from tests.harness import ROOT, SHARING, STARTS_WITHIN_S, Pool, Process, RedisServer, wait_until

CONFIG = """\
version: v0.4.0
model_providers:
  - {{model: openai/gpt-4o-mini, base_url: {provider}, access_key: sk-bench, default: true}}
  - {{model: openai/gpt-5.2, base_url: {provider}, access_key: sk-bench}}
  - {{model: anthropic/claude-sonnet-4-20250514, base_url: {provider}, access_key: sk-bench}}
routing_preferences:
  - name: deep_reasoning
    description: multi-step reasoning, complex analysis, careful code review
    models: [openai/gpt-5.2, openai/gpt-4o-mini]
  - name: code_generation
    description: write new functions, scripts and boilerplate, generate code
    models: [anthropic/claude-sonnet-4-20250514]
  - name: fast_responses
    description: quick facts, small talk, short answers
    models: [openai/gpt-4o-mini]
routing:
  session_ttl_seconds: 3600
  decision_timeout_ms: 20000
  router: {{url: {router}, model: Arch-Router, timeout_ms: 15000}}
limits: {{waiting_decisions: 400, sessions_per_minute: 1000000}}
"""
ROUTE = '{"route": "deep_reasoning"}'
QUIET_S = 0.1
CHAT, DECISION = "/v1/chat/completions", "/routing/v1/chat/completions"

BODY = {
    "model": "openai/gpt-4o-mini",
    "messages": [
        {"role": "system", "content": "You are a careful engineer. Answer in as few words as the question allows."},
        {
            "role": "user",
            "content": "Review this function and think about every case: " + "def f(x): return x + 1 " * 20,
        },
    ],
    "temperature": 0.2,
}


def requests(path: str, sessions: list[str], *, stream: bool = False) -> list[bytes]:
    """One request of each session, with a conversation of 0.6 KB."""
    body = {**BODY, "stream": True} if stream else BODY
    return [load.post(path, body, X_Model_Affinity=session) for session in sessions]


class StandIn:
    """A `bench.provider` that runs."""

    def __init__(self, port: int, process: Process) -> None:
        self.port = port
        self.process = process
        self.url = f"http://127.0.0.1:{port}/v1"

    def counts(self) -> dict[str, int]:
        """What came since it was asked last: calls, and how many of them at once."""
        return self._asked("_counts")

    def delay(self, delay_ms: int) -> None:
        """Answer so much later from now on; the counts start anew."""
        self._asked(f"_delay/{delay_ms}")

    def _asked(self, path: str) -> dict[str, int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=2) as answer:
            said: dict[str, int] = json.load(answer)
            return said


class Stage:
    """Starts processes, each on the cores it is given."""

    def __init__(self, folder: Path, stack: ExitStack, tree: Path) -> None:
        self.folder = folder
        self._tree = tree
        self._stack = stack
        self.redis_port = free_port()
        server = RedisServer(folder)
        stack.callback(server.stop)
        # As in production over TCP, which costs web more than a unix socket does.
        server.start("--port", str(self.redis_port), "--bind", "127.0.0.1", "--appendonly", "no")
        self.redis = server.client()
        stack.callback(self.redis.close)

    def stand_in(self, *options: str) -> StandIn:
        """A provider or router model of its own."""
        port = free_port()
        process = Process(
            ["python", "-m", "bench.provider", str(port), *options], self.folder / f"stand-in-{port}.log", os.environ
        )
        self._stack.callback(process.stop)
        started = StandIn(port, process)

        def answers() -> bool:
            with suppress(urllib.error.URLError):
                return "calls" in started.counts()
            return False

        wait_until(answers, what="bench.provider")
        return started

    def process(self, command: list[str], port: int, env: Mapping[str, str], *, within_s: float = 15) -> Process:
        """Anything else that listens at a port; raises load.Failed when it does not in time."""
        process = Process(command, self.folder / f"{Path(command[0]).name}-{port}.log", env)
        self._stack.callback(_ended, process)
        end = time.monotonic() + within_s
        while process.alive and time.monotonic() < end:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return process
            time.sleep(QUIET_S)
        fate = f"did not listen within {within_s} s" if process.alive else "ended"
        _ended(process)
        raise load.Failed(f"{command[0]} {fate}: {process.text()[-500:]}")

    def pool(self, provider: StandIn, router: StandIn) -> Pool:
        """A pool without processes yet; one a stage, since all on one Redis share one queue."""
        return self.pool_of(CONFIG.format(provider=provider.url, router=router.url))

    def pool_of(self, config: str) -> Pool:
        """The same with a config of one's own."""
        pool = Pool(self.folder, config, f"redis://127.0.0.1:{self.redis_port}", self._tree)
        self._stack.callback(pool.stop)
        _check_imports(pool)
        return pool

    def worker(self, pool: Pool) -> Process:
        """A worker of the pool that has signed on. Redis knows, and not every commit logs it."""
        before = self._signed_on()
        worker = pool.worker(signs_on=False)
        wait_until(lambda: self._signed_on() > before, within_s=STARTS_WITHIN_S, what="the worker's signing on")
        return worker

    def _signed_on(self) -> int:
        return int(self.redis.scard("rq:workers"))

    def redis_commands(self) -> int:
        """How many commands Redis has run, but those of this method and those that come once a second."""
        stats = self.redis.info("commandstats")
        aside = {f"cmdstat_{name}" for name in SHARING | {"info"}}
        return sum(each["calls"] for name, each in stats.items() if name not in aside)

    def wait_for_quiet(self) -> None:
        """Return once nobody has asked Redis for a moment: what a load left under way has ended."""

        def quiet() -> bool:
            before = self.redis_commands()
            time.sleep(QUIET_S)
            return self.redis_commands() == before

        wait_until(quiet, what="quiet")

    def redis_processor_s(self) -> float:
        """Seconds of processor time Redis has used."""
        cpu = self.redis.info("cpu")
        return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])

    def logs(self) -> str:
        """The last lines of every process."""
        parts = (f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in self.folder.glob("*.log"))
        return "\n".join(parts)


@contextmanager
def stage(*, limit_s: int, tree: Path = ROOT) -> Iterator[Stage]:
    """A stage that is cleared at the end, at SIGTERM, and after `limit_s` seconds at the latest.

    Its pool is of the code in `tree`; all else is of this one.
    """
    end_at_sigterm()
    signal.signal(signal.SIGALRM, _end)
    signal.alarm(limit_s)
    with tempfile.TemporaryDirectory(prefix="plano-bench-") as folder, ExitStack() as stack:
        stack.callback(signal.alarm, 0)
        built = Stage(Path(folder), stack, tree)
        try:
            yield built
        except BaseException:
            sys.stderr.write(built.logs() + "\n")
            raise


def end_at_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does: whatever it has set up is cleared away."""
    signal.signal(signal.SIGTERM, _end)


class Meter:
    """Processor seconds that processes use from now on."""

    def __init__(self, **used_s: Callable[[], float]) -> None:
        """For each name, how to learn what has been used so far; see `of`."""
        self._used_s = used_s
        self._before = {name: used() for name, used in used_s.items()}

    def read(self) -> dict[str, float]:
        """What each has used since."""
        return {name: used() - self._before[name] for name, used in self._used_s.items()}


def of(process: Process) -> Callable[[], float]:
    """The processor time of a process and its children, for a Meter."""
    return lambda: machine.processor_s(process.pid)


def on_own_core(start: Callable[[], Process]) -> Process:
    """Start a process that has a core for itself, as far as we are concerned."""
    with machine.on(measured()):
        return start()


def measured() -> AbstractSet[int]:
    """The core of what is measured."""
    return machine.split_cores()[0]


def others() -> AbstractSet[int]:
    """The cores of everything that is not measured."""
    return machine.split_cores()[1]


def _check_imports(pool: Pool) -> None:
    """Raise load.Failed when a Python in the pool's place would import other code than its tree's."""
    code = (
        "import json, shared, web, workers; print(json.dumps([*shared.__path__, *web.__path__, *workers.__path__]))"
    )
    found: list[str] = json.loads(
        # -P: gunicorn is a script, which has no working folder on its path.
        subprocess.check_output([sys.executable, "-P", "-c", code], cwd=pool.tree, env=pool.environment, timeout=30)
    )
    if found != [str(pool.tree / package) for package in ("shared", "web", "workers")]:
        raise load.Failed(f"a pool of {pool.tree} would run {found}")


def _ended(process: Process) -> None:
    """End it, and what it has started and may have left."""
    _, *children = machine.tree(process.pid)
    with suppress(AssertionError):  # it had to be killed
        process.stop(within_s=5)
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - signal's signature
    sys.exit(f"ended by {signal.Signals(number).name}")
