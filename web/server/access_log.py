"""One line a request: what was asked, which model answered, and how long it took.

The lines go out past `logging`, which takes 20 µs for one as text and 35 µs for one as JSON. A whole pinned answer
takes 240 µs.
"""

import os
import time
from typing import Any

import msgspec

from shared.domain.decisions import RouteRequest
from shared.log_fields import as_word, cleaned, is_word
from web.ops.tracing import ROUTE_REQUEST, TENANT, trace_of
from web.server.connections import PROBES

CLIENT_GONE = 499
"""nginx's status for a client that left before its answer began; nobody is sent it."""
_STANDARD_ERROR = 2
_LOGGER = "plano.access"

_encode = msgspec.json.Encoder().encode

_Values = tuple[str, str, str, int, str | None, str | None, bool, str | None, str | None, float, float | None, str]
"""What a line says, in the order of the fields of `_Line` but for level, logger and message."""


class _Line(msgspec.Struct):
    """A line as JSON."""

    time: str
    level: str
    logger: str
    message: str
    method: str
    path: str
    status: int
    model: str | None
    route: str | None
    pinned: bool
    session: str | None
    tenant: str | None
    ms: float
    first_byte_ms: float | None
    request_id: str


class AccessLog:
    """Writes the lines of a process to standard error."""

    def __init__(self, *, as_json: bool) -> None:
        self._written = _json_line if as_json else _text_line
        self._second = 0
        self._time = ""

    def write(self, environ: dict[str, Any], resp: Any) -> None:
        """Write the line of a request that has ended; `resp` is gunicorn's response. Health and metrics have none."""
        path = environ["PATH_INFO"]
        if path in PROBES:
            return
        client, ended_at = resp.sock, time.monotonic()
        asked: RouteRequest | None = environ.get(ROUTE_REQUEST)
        session, tenant = asked and asked.session, environ.get(TENANT)
        headers = dict(resp.headers)
        line = self._written(
            (
                self._now(),
                environ["REQUEST_METHOD"],
                cleaned(path if path.isascii() else _decoded(path)),
                resp.status_code if resp.status else CLIENT_GONE,
                headers.get("x-plano-model"),
                headers.get("x-plano-route"),
                "x-plano-pinned" in headers,
                cleaned(session.id) if session else None,
                cleaned(tenant) if tenant else None,
                _ms(ended_at - client.asked_at),
                _ms(client.answered_at - client.asked_at) if client.answered_at else None,
                trace_of(environ).request_id,
            )
        )
        try:
            os.write(_STANDARD_ERROR, line)
        except OSError:
            return  # nobody reads it

    def _now(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second, self._time = second, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
        return self._time


def _json_line(values: _Values) -> bytes:
    now, method, path, status, *_ = values
    return _encode(_Line(now, "info", _LOGGER, f"{method} {path} {status}", *values[1:])) + b"\n"


def _text_line(values: _Values) -> bytes:
    now, method, path, status, model, route, pinned, session, tenant, ms, first_byte_ms, request_id = values
    named = [path, model or "-", route or "-", session or "-", tenant or "-"]
    if not is_word("".join(named)):  # all of them at once: nearly always they are
        named = list(map(as_word, named))
    path, model, route, session, tenant = named
    return (
        f"{now} info {_LOGGER}: method={method} path={path} status={status} model={model} route={route} "
        f"pinned={'true' if pinned else 'false'} session={session} tenant={tenant} ms={ms} "
        f"first_byte_ms={'-' if first_byte_ms is None else first_byte_ms} request_id={request_id}\n"
    ).encode("utf-8", "replace")


def _decoded(path: str) -> str:
    """The path as its client meant it: its bytes reach WSGI as Latin-1 (PEP 3333)."""
    return path.encode("latin-1").decode("utf-8", "replace")


def _ms(seconds: float) -> float:
    return int(seconds * 1_000_000) / 1000
