"""A web process as a client sees it, and what it stands among."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import requests

from tests.fakes.provider import Provider
from tests.fakes.router import Router

CHAT = "/v1/chat/completions"
DECISION = "/routing/v1/chat/completions"

REVIEW = "review this analysis"
"""The router's answer to it is the route deep_reasoning."""
WRITE = "write functions"
"""… code_generation."""
SMALL_TALK = "hi"
"""… no route."""

_TIMEOUT_S = 10


class Outside(msgspec.Struct, frozen=True):
    """What the pool talks to."""

    provider: Provider
    """Serves openai/* and the wildcards."""
    other: Provider
    """Serves anthropic/*: the same host at another port."""
    router: Router
    down: int
    """A port where nothing listens."""

    @property
    def stand_ins(self) -> tuple[Provider, Provider, Router]:
        """All that listen."""
        return self.provider, self.other, self.router


class Gateway:
    """Sends requests to one web process, over one connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.headers: dict[str, str] = {}
        """Sent with every request that does not say otherwise."""
        self._http = requests.Session()
        self._http.trust_env = False

    @property
    def base_url(self) -> str:
        """What an OpenAI client is given."""
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def ask(self, method: str, path: str, data: bytes | None = None, /, **headers: str | bytes) -> requests.Response:
        """Any request; an underscore in a header's name is a hyphen."""
        return self._send(method, path, data, headers, stream=False)

    def chat(self, text: str = SMALL_TALK, session: str | None = None, **fields: Any) -> requests.Response:
        """The answer to one message."""
        return self.ask("POST", CHAT, body(text, **fields), **_affinity(session))

    def decide(self, text: str = SMALL_TALK, session: str | None = None, **fields: Any) -> requests.Response:
        """The decision about one message."""
        return self.ask("POST", DECISION, body(text, **fields), **_affinity(session))

    @contextmanager
    def streaming(
        self, text: str = SMALL_TALK, session: str | None = None, **fields: Any
    ) -> Iterator[requests.Response]:
        """The streamed answer to one message, not yet read; the client leaves at the end."""
        sent = body(text, stream=True, **fields)
        with self._send("POST", CHAT, sent, _affinity(session), stream=True) as answer:
            yield answer

    def raw(self, request: bytes, *, then_no_more: bool = False) -> bytes:
        """Everything that comes back for these bytes until the connection ends; the client may end its side first."""
        with self.connected() as connection:
            connection.sendall(request)
            if then_no_more:
                connection.shutdown(socket.SHUT_WR)
            return read(connection)

    def connected(self) -> socket.socket:
        """A connection of one's own."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=_TIMEOUT_S)

    def _send(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str | bytes], *, stream: bool
    ) -> requests.Response:
        return self._http.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            data=data,
            headers={**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}},
            stream=stream,
            timeout=_TIMEOUT_S,
            allow_redirects=False,
        )


class Webs(msgspec.Struct, frozen=True):
    """One web process a config; see `sites.py`."""

    usual: Gateway
    strict: Gateway
    away: Gateway
    memory: Gateway


def read(connection: socket.socket) -> bytes:
    """Everything that comes until the connection ends."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def body(text: str = SMALL_TALK, **fields: Any) -> bytes:
    """A chat request; a field that is None is left out."""
    asked = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": text}], **fields}
    return json.dumps({name: value for name, value in asked.items() if value is not None}).encode()


def error_of(answer: requests.Response) -> dict[str, Any]:
    """What an error answer says; fails unless it has the one shape of every error."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    (said,) = answer.json().values()
    assert list(answer.json()) == ["error"]
    assert list(said) == ["message", "type", "param", "code"]
    assert said["message"]
    return dict(said)


def _affinity(session: str | None) -> dict[str, str]:
    return {"x_model_affinity": session} if session is not None else {}
