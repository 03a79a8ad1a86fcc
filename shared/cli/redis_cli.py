"""`plano redis`: redis-cli at the Redis of the pool that runs."""

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import click

from shared import bootstrap
from shared.cli.local_pool import redis_programs
from shared.cli.local_pool.pool_register import running_pool
from shared.cli.options import fail, reason
from shared.config import load
from shared.config.fields import without_credentials
from shared.env_settings import Settings
from shared.errors import ConfigError, StoreDown

_ESCAPES = str.maketrans({'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\a": r"\a", "\b": r"\b"})


@click.command("redis", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGS]...")
def command(arguments: tuple[str, ...]) -> None:
    """Run redis-cli with ARGS at the Redis of the pool: `plano redis GET plano:affinity:<session>`.

    That is the Redis at $REDIS_URL, else that of the pool which `plano up` runs on this machine (of several the one
    at $PORT), else the config's. On a machine without redis-cli a single command is answered all the same.
    """
    try:
        settings = Settings.from_env(os.environ)
        url = _address(settings, os.environ)
        program = redis_programs.program("redis-cli")
        if program:
            options, env = redis_cli(url, verify_tls=settings.redis_tls_verify)
            os.execve(program, [program, *options, *arguments], {**os.environ, **env})  # noqa: S606 - no shell
        lines = ask(settings, url, arguments, for_people=sys.stdout.isatty())
    except ConfigError as error:
        fail(error)
    click.echo("\n".join(lines))


def redis_cli(url: str, *, verify_tls: bool) -> tuple[list[str], dict[str, str]]:
    """The options that take redis-cli to an address, and its environment: others can read a program's options."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    user = query.get("username") or unquote(parts.username or "")
    password = query.get("password") or unquote(parts.password or "")
    if parts.scheme == "unix":
        options, database = ["-s", unquote(parts.path)], query.get("db")
    else:
        options = ["-h", parts.hostname or "localhost", "-p", str(parts.port or 6379)]
        database = query.get("db") or parts.path.strip("/")
    if parts.scheme == "rediss":
        options += ["--tls"] if verify_tls else ["--tls", "--insecure"]
    if user:
        options += ["--user", user]
    if database:
        options += ["-n", database]
    return options, {"REDISCLI_AUTH": password} if password else {}


def ask(settings: Settings, url: str, arguments: Sequence[str], *, for_people: bool) -> list[str]:
    """What a Redis answers to a command, as redis-cli writes it at a terminal or into a pipe; raises ConfigError."""
    if not arguments:
        raise ConfigError(["ARGS: name a command, such as `plano redis PING`; only redis-cli has a prompt"])
    try:
        with bootstrap.console(settings, url).pipeline(transaction=False) as single:
            single.execute_command(*arguments)
            (reply,) = single.execute(raise_on_error=False)
    except ValueError:
        raise ConfigError([f"{without_credentials(url)} is no address of a Redis"]) from None
    except StoreDown as error:
        raise ConfigError([f"no Redis answers at {without_credentials(url)} ({reason(error)})"]) from None
    return _at_a_terminal(reply) if for_people else _in_a_pipe(reply)


def _address(settings: Settings, env: Mapping[str, str]) -> str:
    if settings.redis_url:
        return settings.redis_url
    pool = running_pool(env, port=settings.port)
    if pool:
        return pool.redis_url
    with contextlib.suppress(ConfigError):  # it may want variables that are not set here
        url = load(settings.config, env).routing.session_cache.url
        if url:
            return url
    raise ConfigError(["REDIS_URL: is not set, and no pool of `plano up` runs here; start one, or name its Redis"])


def _at_a_terminal(reply: Any) -> list[str]:
    match reply:
        case None:
            return ["(nil)"]
        case int():
            return [f"(integer) {reply}"]
        case Exception():
            return [f"(error) {reply}"]
        case list():
            return [line for n, each in enumerate(reply, 1) for line in _item(f"{n}) ", each)] or ["(empty array)"]
    text = _text(reply).translate(_ESCAPES)
    return ['"' + "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text) + '"']


def _item(number: str, reply: Any) -> list[str]:
    first, *others = _at_a_terminal(reply)
    return [number + first, *(" " * len(number) + line for line in others)]


def _in_a_pipe(reply: Any) -> list[str]:
    if isinstance(reply, list):
        return [line for each in reply for line in _in_a_pipe(each)]
    return ["" if reply is None else _text(reply)]


def _text(reply: Any) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
