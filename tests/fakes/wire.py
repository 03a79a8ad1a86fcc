"""Requests as they came, answers as they go: HTTP/1.1 on a socket, one write for each piece."""

import contextlib
import http
import json
import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from typing import Any

Headers = tuple[tuple[str, str], ...]

_JSON: Headers = (("Content-Type", "application/json"),)
_SSE: Headers = (("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache"))


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, exactly as it arrived."""

    method: str
    path: str
    """The target as it was written, query included."""
    headers: list[tuple[str, str]]
    """Names and values in the order and spelling of the wire."""
    body: bytes
    json: Any
    """The body decoded; None when it is not JSON."""
    at_s: float
    """When its last byte was read, in seconds of the monotonic clock."""

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case; None when it is absent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def model(self) -> str | None:
        """The model it asks for, if it names one."""
        model = self.json.get("model") if isinstance(self.json, dict) else None
        return model if isinstance(model, str) else None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is sent back: a whole body, or the events of a stream."""

    status: int = 200
    headers: Headers = ()
    body: bytes = b""
    events: tuple[bytes, ...] | None = None
    """A stream's pieces; each is one chunk and one write."""
    missing: int = 0
    """How many bytes more than the body Content-Length promises."""
    cut: bool = False
    """Whether the connection is cut where the answer's proper end would be."""

    @property
    def streamed(self) -> bool:
        """Whether it is a stream."""
        return self.events is not None

    def plus(self, *headers: tuple[str, str]) -> "Answer":
        """The same answer with more headers."""
        return replace(self, headers=self.headers + headers)


def dumps(value: Any) -> bytes:
    """Compact JSON as providers write it: UTF-8, not escaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def whole(body: bytes, *, status: int = 200) -> Answer:
    """An answer that is one JSON document."""
    return Answer(status=status, headers=_JSON, body=body)


def stream(events: Iterable[bytes]) -> Answer:
    """An answer that is a stream of server-sent events."""
    return Answer(headers=_SSE, events=tuple(events))


def error(status: int, message: str, *, kind: str = "invalid_request_error", code: str | None = None) -> Answer:
    """An error in the shape of the OpenAI API."""
    return whole(dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}), status=status)


def read(handler: BaseHTTPRequestHandler) -> Request:
    """The request whose head the handler has parsed, with its body."""
    body = _chunked_body(handler) if handler.headers.get("Transfer-Encoding") else _sized_body(handler)
    try:
        decoded = json.loads(body)
    except ValueError:
        decoded = None
    return Request(
        method=handler.command,
        path=handler.path,
        headers=[(name, str(value)) for name, value in handler.headers.raw_items()],
        body=body,
        json=decoded,
        at_s=time.monotonic(),
    )


def _sized_body(handler: BaseHTTPRequestHandler) -> bytes:
    size = int(handler.headers.get("Content-Length", 0))
    body = handler.rfile.read(size)
    if len(body) < size:
        raise ConnectionResetError("the client left in the middle of its request")
    return body


def _chunked_body(handler: BaseHTTPRequestHandler) -> bytes:
    chunks = []
    while True:
        line = handler.rfile.readline()
        if not line:
            raise ConnectionResetError("the client left in the middle of its request")
        size = int(line.partition(b";")[0], 16)
        chunks.append(handler.rfile.read(size))
        handler.rfile.readline()
        if not size:
            return b"".join(chunks)


class Exchange:
    """One answer on its way to the client.

    Everything raises ConnectionError once the client has left.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.ended = False
        """Whether the connection was cut: no further request can come over it."""

    def send(self, answer: Answer, *, pause_s: float = 0) -> None:
        """Send the answer; of a stream, wait between its events."""
        if answer.events is None:
            length = ("Content-Length", str(len(answer.body) + answer.missing))
            self._connection.sendall(_head(answer.plus(length)) + answer.body)
        else:
            self._connection.sendall(_head(answer.plus(("Transfer-Encoding", "chunked"))))
            for n, event in enumerate(answer.events):
                if n and pause_s:
                    self.wait(pause_s)
                self._connection.sendall(b"%x\r\n%b\r\n" % (len(event), event))
        if answer.cut:
            self.cut()
        elif answer.streamed:
            self._connection.sendall(b"0\r\n\r\n")

    def cut(self) -> None:
        """End the connection, whatever was promised; what was sent before still arrives."""
        self.ended = True
        with contextlib.suppress(OSError):  # who asked has left
            self._connection.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float | None, gate: socket.socket | None = None) -> None:
        """Let time pass, until the gate opens if there is one."""
        until = None if seconds is None else time.monotonic() + seconds
        with selectors.DefaultSelector() as watch:
            watch.register(self._connection, selectors.EVENT_READ)
            if gate:
                watch.register(gate, selectors.EVENT_READ)
            while True:
                ready = watch.select(None if until is None else max(0, until - time.monotonic()))
                if any(key.fileobj is self._connection for key, _ in ready):
                    if not self._connection.recv(1, socket.MSG_PEEK):
                        raise ConnectionResetError("the client left")
                    watch.unregister(self._connection)  # its next request is there already: it has not left
                elif ready or until is None or time.monotonic() >= until:
                    return


def _head(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
