"""How each client of models is told to use a gateway: by variables, or by its own settings file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

KEY = "PLANO_KEY"
"""The variable that holds the user's key for the gateway, where it asks for one."""
NO_KEY = "unused"
"""What clients are given that want some key, where the gateway asks for none."""
_HELLO = "Answer with one word: hello"
_ID = "plano"  # of the gateway, among a client's providers

Json = dict[str, Any]
Env = Mapping[str, str]


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """What a client needs to know."""

    url: str
    """Without a path."""
    key: str | None
    model: str
    small_model: str
    """For titles and other side calls."""
    models: tuple[str, ...] = ()
    searches: bool = True
    """Whether the model's provider searches the web for its clients; another one refuses requests that want it."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """One client: what it is told, where it keeps that, and what a request of it looks like."""

    title: str
    path: str
    """Of the API that it speaks."""
    body: Callable[[str], Json]
    """A small request to a model."""
    variables: Callable[[Gateway], dict[str, str]] = lambda _: {}
    settings: Callable[[Gateway], Json] = lambda _: {}
    """What its settings file says; tables within it are merged with those that are there."""
    file: Callable[[Env], Path] | None = None
    """Its settings file, in TOML or JSON by its name; None: it has none."""
    sessions: tuple[str, ...] = ()
    """The headers in which it names its session by itself."""
    key_header: str = "authorization"


def _home(env: Env, variable: str, *otherwise: str) -> Path:
    return (
        Path(env[variable]) if env.get(variable) else Path(env.get("HOME") or "~").expanduser().joinpath(*otherwise)
    )


def _claude(gateway: Gateway) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": gateway.url,
        "ANTHROPIC_AUTH_TOKEN": gateway.key or NO_KEY,
        "ANTHROPIC_MODEL": gateway.model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": gateway.small_model,
    }


def _codex(gateway: Gateway) -> Json:
    key = {"env_key": KEY} if gateway.key else {}
    provider = {"name": _ID, "base_url": f"{gateway.url}/v1", "wire_api": "responses", **key}
    search = {} if gateway.searches else {"web_search": "disabled"}
    return {"model": gateway.model, "model_provider": _ID, **search, "model_providers": {_ID: provider}}


def _opencode(gateway: Gateway) -> Json:
    options = {"baseURL": f"{gateway.url}/v1", "apiKey": f"{{env:{KEY}}}" if gateway.key else NO_KEY}
    models: Json = {name: {} for name in gateway.models or (gateway.model, gateway.small_model)}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": _ID, "options": options, "models": models}
    return {
        "$schema": "https://opencode.ai/config.json",
        "model": f"{_ID}/{gateway.model}",
        "small_model": f"{_ID}/{gateway.small_model}",
        "provider": {_ID: provider},
    }


def _chat(model: str) -> Json:
    return {"model": model, "messages": [{"role": "user", "content": _HELLO}]}


def _messages(model: str) -> Json:
    return {**_chat(model), "max_tokens": 64}


CLIENTS = {
    "claude": Client(
        title="Claude Code",
        path="/v1/messages",
        body=_messages,
        variables=_claude,
        settings=lambda gateway: {"env": _claude(gateway)},
        file=lambda env: _home(env, "CLAUDE_CONFIG_DIR", ".claude") / "settings.json",
        sessions=("x-claude-code-session-id",),
    ),
    "codex": Client(
        title="Codex",
        path="/v1/responses",
        body=lambda model: {"model": model, "input": _HELLO, "store": False},
        settings=_codex,
        file=lambda env: _home(env, "CODEX_HOME", ".codex") / "config.toml",
        sessions=("session-id", "thread-id"),
    ),
    "opencode": Client(
        title="opencode",
        path="/v1/chat/completions",
        body=_chat,
        settings=_opencode,
        file=lambda env: _home(env, "XDG_CONFIG_HOME", ".config") / "opencode/opencode.json",
        sessions=("x-session-id", "x-session-affinity"),
    ),
    "openai": Client(
        title="the OpenAI SDKs",
        path="/v1/chat/completions",
        body=_chat,
        variables=lambda gateway: {
            "OPENAI_BASE_URL": f"{gateway.url}/v1",
            "OPENAI_API_KEY": gateway.key or NO_KEY,
        },
    ),
    "anthropic": Client(
        title="the Anthropic SDKs",
        path="/v1/messages",
        body=_messages,
        variables=lambda gateway: {
            "ANTHROPIC_BASE_URL": gateway.url,
            "ANTHROPIC_API_KEY": gateway.key or NO_KEY,
        },
        key_header="x-api-key",
    ),
}
