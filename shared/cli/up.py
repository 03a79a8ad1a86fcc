"""`plano up`: the whole pool on one machine, the Procfile's processes around a private Redis."""

import contextlib
import os
import shutil
import sys
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click
import honcho.environ
import msgspec
import requests

from shared import bootstrap
from shared.cli.local_pool import ports, redis_programs
from shared.cli.local_pool.pool_register import RunningPool, announced
from shared.cli.local_pool.processes import Processes, leave_on_signals
from shared.cli.options import CONFIG, fail, reason
from shared.config import Config, load
from shared.config.fields import without_credentials
from shared.env_settings import Settings
from shared.errors import ConfigError, StoreDown

READY_WITHIN_S = 60.0
_AT_THE_END = {"GRACEFUL_TIMEOUT": "3", "DRAIN_DELAY": "0"}
"""What the environment may say otherwise: a developer waits."""
_GRACE_S = 10.0
"""How long a process may take to end, at least: a worker waits 8 s for decisions under way, and then 1 s more."""
_GRACE_AFTER_ANSWERS_S = 5.0
"""How long web may take beyond its answers: 3 s later gunicorn kills what is left."""
_NOT_RUN = frozenset({"release"})
_EXAMPLES = """\b
Examples:
  plano up
  plano up demos/local/config.yaml --also demos/local/Procfile
  REDIS_URL=redis://localhost:6379 plano up --web 4 --workers 2 --port 8080
"""
"""The control character keeps click from wrapping the lines."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is going to run."""

    config: Config
    config_path: Path
    port: int
    commands: dict[str, str]
    """Process name -> shell command."""
    env: dict[str, str]
    variables: dict[str, str]
    """The ports that were chosen for what `commands` start, by the names that the config uses."""
    redis_url: str | None
    """None: a private one."""
    in_memory: bool
    grace_s: float
    """How long a process may take to end."""


@click.command("up", epilog=_EXAMPLES)
@CONFIG
@click.option("--web", type=click.IntRange(1, 64), help="Web processes behind the one port.  [default: 2]")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option("--port", type=click.IntRange(1, 65535), help="Where to listen.  [default: $PORT, the config's, 12000]")
@click.option(
    "--also",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Another Procfile, whose processes run as well (stand-ins, a local router model). A variable $…_PORT in it "
    "that is not set is a free port, in CONFIG too.",
)
def command(config: Path | None, web: int | None, workers: int, port: int | None, also: Path | None) -> None:
    """Run the whole pool on this machine, for development.

    Starts Redis (unless REDIS_URL names one), the web processes, the workers and the clock, shows what they
    print, says when the gateway answers and what to try, and stops everything on Ctrl-C or SIGTERM.

    CONFIG defaults to $PLANO_CONFIG, else config.yaml.
    """
    try:
        env = _AT_THE_END | os.environ
        settings = Settings.from_env(env)
        planned = plan(settings, env, config=config, web=web, workers=workers, port=port, also=also)
        sys.exit(run(planned))
    except ConfigError as error:
        fail(error)


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
    others = also.read_text() if also else ""
    chosen, checked = _config_with_ports(path, others, env, port or settings.port)
    env = {**env, **chosen}
    in_memory = checked.routing.session_cache.type == "memory"
    if in_memory and web and web > 1:
        raise ConfigError(
            [f"--web: is {web}; with session_cache.type memory pins live in one process: use 1, or redis"]
        )
    at = port or settings.port or checked.listener.port
    faults = [ports.port_fault(checked.listener.address, at)]
    if not in_memory:
        named = {"REDIS_URL": settings.redis_url, "QUEUE_REDIS_URL": settings.queue_redis_url}
        faults += [_redis_fault(settings, name, url) for name, url in named.items() if url]
    if any(faults):
        raise ConfigError([fault for fault in faults if fault])
    commands = _commands(_procfile().read_text(), 0 if in_memory else workers, only_web=in_memory)
    commands |= honcho.environ.parse_procfile(others).processes
    concurrency = web or (1 if in_memory else 2)
    return Plan(
        config=checked,
        config_path=path,
        port=at,
        commands=commands,
        env={
            **env,
            "PLANO_CONFIG": str(path),
            "PORT": str(at),
            "WEB_CONCURRENCY": str(concurrency),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
        },
        variables=chosen,
        redis_url=settings.redis_url,
        in_memory=in_memory,
        grace_s=max(_GRACE_S, settings.drain_delay_s + settings.graceful_timeout_s + _GRACE_AFTER_ANSWERS_S),
    )


def _config_with_ports(
    path: Path, others: str, env: Mapping[str, str], port: int | None
) -> tuple[dict[str, str], Config]:
    """The ports of what `others` starts, and the config that may name them."""
    chosen = ports.variables(others, env, gateway=port)
    checked = load(path, {**env, **chosen})
    if port is None and str(checked.listener.port) in chosen.values():
        chosen = ports.variables(others, env, gateway=checked.listener.port)
        checked = load(path, {**env, **chosen})
    return chosen, checked


def run(what: Plan) -> int:
    """Run until a signal, until a process ends, or until nobody reads the output; return the exit code."""
    leave_on_signals()
    for warning in what.config.warnings:
        click.echo(f"warning: {warning}", err=True)
    with contextlib.ExitStack() as stack:
        env = dict(what.env)
        if not what.in_memory:
            env["REDIS_URL"] = what.redis_url or stack.enter_context(redis_programs.private_server())
            click.echo(f"Redis: {without_credentials(env['REDIS_URL'])}")
            _let_others_find(what, env["REDIS_URL"], stack)
        manager = Processes(what.grace_s, partial(_announce, what, env.get("REDIS_URL")))
        for name, command in what.commands.items():
            manager.add_process(name, command, env=env)
        manager.loop()
        stopped_by_signal = manager.returncode in {130, 143}
        return 0 if stopped_by_signal else manager.returncode or 0


def _let_others_find(what: Plan, redis_url: str, stack: contextlib.ExitStack) -> None:
    """Tell `plano redis` and `plano explain` where this pool is, until the end."""
    if without_credentials(redis_url) != redis_url:
        return  # no credential is written down
    pool = RunningPool(config=str(what.config_path), port=what.port, redis_url=redis_url, variables=what.variables)
    try:
        stack.enter_context(announced(pool, what.env))
    except OSError as error:
        click.echo(f"warning: plano redis and plano explain will not find this pool: {error}", err=True)


def _procfile() -> Path:
    """The Procfile: at the root of a checkout, inside the package `shared` when installed from a wheel."""
    package = Path(__file__).resolve().parents[1]
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


def _redis_fault(settings: Settings, name: str, url: str) -> str | None:
    """Why the Redis that a variable names cannot be used, and the cure; None when it answers."""
    try:
        bootstrap.console(settings, url).ping()
    except ValueError:
        why = "it is no address of a Redis"
    except StoreDown as error:
        why = reason(error)
    else:
        return None
    cure = f"start it, correct {name}, or unset it: then plano up starts a Redis of its own"
    return f"{name}: no Redis answers at {without_credentials(url)} ({why}); {cure}"


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
        which = "" if what.port == what.config.listener.port else f"PORT={what.port} "
        key = f"{which}{_plano()} redis GET plano:affinity:demo"
        lines += [
            "  # the pin itself, as it stands in Redis",
            f"  {ask} -o /dev/null && {key} | python3 -m json.tool",
        ]
    return "\n".join([*lines, ""])


def _plano() -> str:
    """This program as the user of another terminal can type it."""
    program = Path(sys.argv[0])
    if shutil.which("plano") == str(program):
        return "plano"
    return str(program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program)
