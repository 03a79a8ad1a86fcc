"""A pool that is really there, for inputs that come over a socket; it is started once and ends with the process."""

import atexit
import functools
import json
import socket
import socketserver
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
import requests

from tests.fakes.ports import free_port
from tests.fakes.router import Router
from tests.harness import Pool, RedisServer

_HOST = "127.0.0.1"
_READ_LIMIT_S = 15.0
ADMIN_TOKEN = "fuzzing"
MODELS = ("openai/raw", "openai/spare")
_ROUTE = "raw"
_LIMIT_S = 3


class RawProvider(socketserver.ThreadingTCPServer):
    """Answers every request with the bytes that it was given last, and then closes the connection."""

    allow_reuse_address = daemon_threads = True
    answer = b""

    def __init__(self) -> None:
        super().__init__((_HOST, 0), _Answering)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Answering(socketserver.StreamRequestHandler):
    timeout = _READ_LIMIT_S
    server: RawProvider

    def handle(self) -> None:
        """Read a request, and answer."""
        with suppress(OSError, ValueError):
            length = 0
            while line := self.rfile.readline().strip().lower():
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            self.rfile.read(length)
            self.wfile.write(self.server.answer)


class LivePool:
    """One web process, one worker and a Redis; what it logs is read as it goes."""

    def __init__(self, folder: Path) -> None:
        self.provider = RawProvider()
        self.router = Router()
        self.router.start()
        self._redis = RedisServer(folder).start()
        self._pool = Pool(folder, json.dumps(self._config()), self._redis.url, PLANO_ADMIN_TOKEN=ADMIN_TOKEN)
        self.port = free_port()
        self._pool.worker()
        self._pool.web(self.port)
        self._read = 0
        self.http = requests.Session()
        self.http.trust_env = False

    def url(self, path: str) -> str:
        """Of something that web serves."""
        return f"http://{_HOST}:{self.port}{path}"

    def redis(self) -> redis.Redis:
        """A client of its own."""
        return self._redis.client()

    def chat(self, session: str | None = None, **fields: Any) -> requests.Response:
        """The answer to a chat completion."""
        body = {"model": MODELS[0], "messages": [{"role": "user", "content": "hi"}], **fields}
        return self.post(json.dumps(body).encode(), session)

    def ask_raw(self, stream: bool) -> bytes:
        """What a client's connection gets for a chat completion, head and body, as it is."""
        body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "stream": stream}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
        )
        return self.send(f"{head}X-Model-Affinity: raw-answers\r\n\r\n".encode() + body, shut=False)

    def post(self, body: bytes, session: str | None = None) -> requests.Response:
        """The answer to this body."""
        headers = {"X-Model-Affinity": session} if session else {}
        return self.http.post(self.url("/v1/chat/completions"), body, headers=headers, timeout=_READ_LIMIT_S)

    def send(self, data: bytes, *, shut: bool = True) -> bytes:
        """What comes back for bytes on a connection of their own, to its end; raises OSError when it never ends."""
        with socket.create_connection((_HOST, self.port), timeout=_READ_LIMIT_S) as sock:
            with suppress(ConnectionError):
                sock.sendall(data)
                if shut:
                    sock.shutdown(socket.SHUT_WR)
            return _all_of(sock)

    def well(self) -> None:
        """Raises AssertionError when a process has ended, or has logged a traceback since the last look."""
        assert self.http.get(self.url("/livez"), timeout=_READ_LIMIT_S).ok
        assert all(process.alive for process in self._pool.processes)
        text = "".join(process.text() for process in self._pool.processes)
        new, self._read = text[self._read :], len(text)
        assert "Traceback" not in new, new

    def stop(self) -> None:
        """End all of it."""
        self._pool.stop()
        self._redis.stop()
        self.router.close()
        self.provider.shutdown()

    def _config(self) -> dict[str, Any]:
        at = {"base_url": f"http://{_HOST}:{self.provider.port}/v1", "provider_interface": "openai"}
        return {
            "version": "v0.4.0",
            "listeners": [{"type": "model", "name": "egress", "timeout": f"{_LIMIT_S}s"}],
            "model_providers": [{"model": name, "default": name == MODELS[0], **at} for name in MODELS],
            "routing_preferences": [{"name": _ROUTE, "description": "anything", "models": list(MODELS)}],
            "routing": {"router": {"url": self.router.url, "model": "Arch-Router"}, "session_ttl_seconds": 60},
            "limits": {"head_timeout": "1s", "body_timeout": "1s", "sessions_per_minute": 0},
        }


@functools.cache
def pool() -> LivePool:
    """The pool, started when it is first needed."""
    live = LivePool(Path(tempfile.mkdtemp(prefix="plano-fuzz-")))
    atexit.register(live.stop)
    return live


def _all_of(sock: socket.socket) -> bytes:
    pieces = []
    with suppress(ConnectionError):
        while piece := sock.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)
