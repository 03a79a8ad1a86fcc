"""`plano connect`: what a client has to be told to use a gateway, and whether it then works."""

import contextlib
import json
import os
import shlex
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

import click
import msgspec
import requests

from shared.cli import client_settings_files
from shared.cli.client_setups import CLIENTS, KEY, Client, Gateway
from shared.cli.local_pool.pool_register import running_pool
from shared.cli.options import fail
from shared.env_settings import Settings
from shared.errors import ConfigError

_USUAL = "http://localhost:12000"
_LIST_S, _ANSWER_S = 10, 120
_SMALL = ("haiku", "mini", "flash", "small", "nano", "lite")
_SAYS = (
    ("x-plano-model", "model"),
    ("x-plano-route", "route"),
    ("x-plano-session", "session"),
    ("x-plano-translated", "translated"),
    ("x-plano-fallback", "failed first"),
    ("x-plano-degraded", "degraded"),
)
"""Headers of an answer, and what people call them."""


@click.command("connect")
@click.argument("client", type=click.Choice([*CLIENTS]))
@click.option("--url", help=f"The gateway's address.  [default: that of `plano up` here, else {_USUAL}]")
@click.option("--model", help="The model to ask for.  [default: one that the gateway lists]")
@click.option("--write", is_flag=True, help="Change the client's own settings file; a copy of it is kept.")
def command(client: str, url: str | None, model: str | None, write: bool) -> None:
    """Show what CLIENT has to be told to use the gateway, then send one small request as it would.

    A key for the gateway is taken from $PLANO_KEY; it is never shown. The exit code is 1 when the request fails.
    """
    told = CLIENTS[client]
    try:
        base, key = _base(url), os.environ.get(KEY) or None
        gateway = _gateway(base, key, model, prefer="claude" if told.path == "/v1/messages" else "")
        gateway = msgspec.structs.replace(gateway, searches=_searches(told, gateway))
        _show(told, gateway)
        if write:
            _write(told, gateway)
    except ConfigError as error:
        fail(error)
    _try(told, gateway)


def _base(url: str | None) -> str:
    """The gateway's address without a path; raises ConfigError."""
    if url is None:
        pool = running_pool(os.environ, port=Settings.from_env(os.environ).port)
        return f"http://localhost:{pool.port}" if pool else _USUAL
    base = url.rstrip("/").removesuffix("/v1")
    try:
        parts = urlsplit(base)
        usable = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError([f"--url: is not the address of a gateway, such as {_USUAL}"])
    return base


def _gateway(base: str, key: str | None, model: str | None, *, prefer: str) -> Gateway:
    """The gateway with the models to use; raises ConfigError when it does not say them."""
    names = _listed(base, key)
    chosen = model or next((name for name in names if prefer in name), names[0] if names else None)
    if chosen is None:
        raise ConfigError([f"{base} lists no model; name one by --model"])
    small = next((name for name in names if any(word in name for word in _SMALL)), chosen)
    return Gateway(url=base, key=key, model=chosen, small_model=small, models=tuple(names))


def _listed(base: str, key: str | None) -> list[str]:
    try:
        answer = requests.get(f"{base}/v1/models", headers=_credential("authorization", key), timeout=_LIST_S)
        if answer.status_code == requests.codes.unauthorized:
            raise ConfigError([f"{base} wants a key: {_reason(answer)}; put yours into {KEY}"])
        return [entry["id"] for entry in answer.json()["data"]]
    except requests.RequestException as error:
        if isinstance(error, requests.JSONDecodeError):
            raise ConfigError([f"{base} is no gateway of this kind: /v1/models is no list"]) from None
        raise ConfigError([f"{base}: nobody answers ({type(error).__name__}); `make run` starts a gateway"]) from None
    except (KeyError, TypeError):
        raise ConfigError([f"{base} is no gateway of this kind: /v1/models is no list"]) from None


def _searches(client: Client, gateway: Gateway) -> bool:
    """Whether the gateway takes the tool that Codex sends with every request, unless its settings say otherwise."""
    if client.path != "/v1/responses":
        return True
    asked = {**client.body(gateway.model), "tools": [{"type": "web_search"}]}
    headers = _credential(client.key_header, gateway.key)
    try:
        answer = requests.post(f"{gateway.url}/routing{client.path}", json=asked, headers=headers, timeout=_LIST_S)
    except requests.RequestException:
        return True  # the request that follows says what is wrong
    return bool(answer.status_code != requests.codes.bad_request)


def _show(client: Client, gateway: Gateway) -> None:
    variables = client.variables(gateway)
    if variables:
        click.echo(f"# {client.title}: in the shell that starts it")
        for name, value in variables.items():
            click.echo(f"export {name}={_for_shell(value, gateway.key)}")
    elif client.file:
        path = client.file(os.environ)
        click.echo(f"# {client.title}: in {path}")
        click.echo(client_settings_files.shown(path, client.settings(gateway)))
    click.echo()


def _for_shell(value: str, key: str | None) -> str:
    return f'"${KEY}"' if key and value == key else shlex.quote(value)


def _write(client: Client, gateway: Gateway) -> None:
    """Change the client's settings file and show how; raises ConfigError."""
    if client.file is None:
        raise ConfigError([f"--write: {client.title} have no settings file; set the variables above"])
    path = client.file(os.environ)
    old, new = client_settings_files.changed(path, client.settings(gateway))
    if old == new:
        click.echo(f"{path} says so already\n")
        return
    copy = client_settings_files.write(path, new)
    for line in client_settings_files.difference(path, old, new):
        click.echo(line.replace(json.dumps(gateway.key), f'"${KEY}"') if gateway.key else line)
    click.echo(f"\n{path} is written" + (f"; what it was is in {copy}\n" if copy else "\n"))


def _try(client: Client, gateway: Gateway) -> None:
    """Send one request, and say what came back; exits with 1 when it was no answer of a gateway."""
    session = str(uuid.uuid4())
    headers = {
        "anthropic-version": "2023-06-01",
        **dict.fromkeys(client.sessions, session),
        **_credential(client.key_header, gateway.key),
    }
    began = time.monotonic()
    url = gateway.url + client.path
    try:
        answer = requests.post(url, json=client.body(gateway.model), headers=headers, timeout=_ANSWER_S)
    except requests.RequestException as error:
        _failed(f"POST {url}: no answer ({type(error).__name__})")
    click.echo(f"POST {url}: {answer.status_code} in {(time.monotonic() - began) * 1000:.0f} ms")
    said = {word: answer.headers[name] for name, word in _SAYS if name in answer.headers}
    for word, value in said.items():
        click.echo(f"  {word:<13}{value}")
    if not answer.ok:
        _failed(_reason(answer))
    if "model" not in said:
        _failed(f"{gateway.url} is no gateway of this kind: the answer has no x-plano-model")
    click.echo(_about_sessions(client, said))


def _about_sessions(client: Client, said: Mapping[str, str]) -> str:
    if not client.sessions:
        return f"{client.title} name no session: send X-Model-Affinity, the same for all requests of one agent loop."
    if "session" in said:
        return f"{client.title} names its sessions by itself: each stays on its model."
    return "The gateway has not seen the session that the client names: see routing.sessions_from in its config."


def _credential(header: str, key: str | None) -> dict[str, str]:
    return {header: f"Bearer {key}" if header == "authorization" else key} if key else {}


def _reason(answer: requests.Response) -> str:
    """What an error says, in the shape of either API."""
    said: Any = None
    with contextlib.suppress(requests.JSONDecodeError, KeyError, TypeError):
        said = answer.json()["error"]["message"]
    return said if isinstance(said, str) else f"status {answer.status_code}"


def _failed(why: str) -> NoReturn:
    click.echo(why, err=True)
    sys.exit(1)
