"""What the stack can do at best, for bench/floor.py: three applications that answer as a decision does."""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import redis
from flask import Flask, Response, request

from shared.domain.sessions import Session
from shared.store import keys

_SAID = {
    "models": ["openai/gpt-5.2", "openai/gpt-4o-mini"],
    "route": "deep_reasoning",
    "trace_id": "0" * 32,
    "session_id": "bench-0",
    "pinned": True,
}
_BODY = json.dumps(_SAID, separators=(",", ":")).encode()


def bare(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:  # noqa: ARG001 - WSGI's
    """No framework."""
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(_BODY)))])
    return [_BODY]


def flask_alone() -> Flask:
    """One view."""
    app = Flask(__name__)

    @app.post("/<path:_>")
    def answer(_: str) -> Response:
        return Response(_BODY, mimetype="application/json")

    return app


def flask_redis() -> Flask:
    """One view that reads the session's pin by redis-py, on the path of every request, and no more."""
    app = Flask(__name__)
    client = redis.Redis.from_url(os.environ["REDIS_URL"], protocol=2)

    @app.post("/<path:_>")
    def answer(_: str) -> Response:
        pin = client.get(keys.affinity(Session(request.headers["X-Model-Affinity"])))
        return Response(_BODY, mimetype="application/json", status=200 if pin else 404)

    return app
