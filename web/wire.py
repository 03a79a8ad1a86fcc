"""HTTP requests into questions, decisions into headers and bodies."""

import random
import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from flask import Response
from werkzeug.exceptions import RequestEntityTooLarge

from shared.domain import routes
from shared.domain.decisions import Decision, Question, Trace
from shared.domain.routes import Route
from shared.domain.sessions import Session, identifier
from shared.errors import BadRequest, NotAllowed
from web import body, nesting
from web.lean import LeanResponse
from web.services import services

SESSION_HEADERS = {
    "HTTP_X_MODEL_AFFINITY": "X-Model-Affinity",
    "HTTP_X_ROUTING_SESSION_ID": "X-Routing-Session-Id",
    "HTTP_X_SESSION_ID": "X-Session-Id",
}
"""WSGI's names and HTTP's; the first present one wins, the latter two are older names of the first."""

ASKED = "plano.asked"
"""Where in the WSGI environment a request's Call is found, once it is understood."""

_TRACE = "plano.trace"
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_SOME_LIST = re.compile(rb"\s*\[\s*[^\]\s]")
_LONGEST_NAME = 256
_NULL = msgspec.Raw(b"null")
_text = msgspec.json.Decoder(str | None).decode


class Call(msgspec.Struct, frozen=True):
    """One request that a model is to answer."""

    question: Question
    fields: body.Fields
    """The body's top level without what is ours, each value byte for byte as it came."""
    environ: dict[str, Any]
    tenant: str | None
    """Who pays: the key's tenant, else the header's."""


def call(environ: dict[str, Any]) -> Call:
    """What a request asks; raises BadRequest or Denied before anything is done about it."""
    parts = services()
    key = parts.access.key(environ)
    tenant = parts.access.tenant(environ, key)
    session = _session(environ, tenant)
    limits = parts.config.limits
    fields = _fields(_content(environ, limits.body_bytes), limits.nesting)
    catalog = parts.config.catalog
    model = catalog.get(_model_name(fields))
    inline = routes.from_request(bytes(fields.pop("routing_preferences", _NULL)), catalog.qualify)
    allowed = frozenset(key.models) if key and key.models is not None else None
    if allowed is not None and model.name not in allowed:
        raise NotAllowed(f"The model {model.name} is not covered by this API key")
    question = Question(
        model=model,
        session=session,
        routes=_covered(inline or parts.config.routes, allowed),
        inline=bool(inline),
        messages=_messages(fields),
        trace=trace(environ),
        allowed=allowed,
    )
    asked = environ[ASKED] = Call(question, fields, environ, tenant)
    return asked


def trace(environ: dict[str, Any]) -> Trace:
    """The request's ids: the client's own where they are well formed, else new ones."""
    known = environ.get(_TRACE)
    if known is None:
        known = adopt(environ, client_traceparent(environ) or f"00-{_random(128)}-{_random(64)}-01")
    return cast(Trace, known)


def client_traceparent(environ: Mapping[str, Any]) -> str | None:
    """The client's own trace, where it is well formed."""
    parent = environ.get("HTTP_TRACEPARENT", "")
    return parent if _TRACEPARENT.fullmatch(parent) else None


def adopt(environ: dict[str, Any], traceparent: str) -> Trace:
    """Let the request belong to this trace."""
    request_id = environ.get("HTTP_X_REQUEST_ID", "")
    known = Trace(request_id if _REQUEST_ID.fullmatch(request_id) else _random(128), traceparent)
    environ[_TRACE] = known
    return known


def headers(decision: Decision) -> list[tuple[str, str]]:
    """What every answer says about the decision behind it."""
    said = [("x-plano-model", _header_text(decision.models[0]))]
    if decision.route:
        said.append(("x-plano-route", _header_text(decision.route)))
    if decision.pinned:
        said.append(("x-plano-pinned", "true"))
    if decision.degraded:
        said.append(("x-plano-degraded", decision.degraded))
    return said


def decision(asked: Call, made: Decision) -> Response:
    """The decision itself as the answer."""
    question = asked.question
    said: dict[str, Any] = {
        "models": made.models,
        "route": made.route,
        "trace_id": question.trace.trace_id,
    }
    if question.session:
        said["session_id"] = question.session.id
    said["pinned"] = made.pinned
    told = [*headers(made), ("x-request-id", question.trace.request_id), ("content-type", "application/json")]
    return LeanResponse(body.encode(said), headers=told)


def _session(environ: Mapping[str, str], tenant: str | None) -> Session | None:
    for variable, name in SESSION_HEADERS.items():
        if variable in environ:
            session_id = identifier(environ[variable], header=name)
            if session_id:
                return Session(session_id, tenant)
    return None


def _content(environ: Mapping[str, Any], limit: int) -> bytes:
    """The body; raises RequestEntityTooLarge past the limit.

    Read here because werkzeug's own way takes 12 µs, cuts a chunked body at the limit without a word, and takes
    what a client that went away has sent for the whole (werkzeug 3.1).
    """
    said = environ.get("CONTENT_LENGTH")  # None: it comes in chunks; gunicorn has refused what is no number
    length = limit + 1 if said is None else int(said or 0)
    if said and length > limit:
        raise RequestEntityTooLarge
    try:
        content = cast(bytes, environ["wsgi.input"].read(length))
    except OSError:  # gunicorn's word for a body that breaks off
        raise BadRequest("The body breaks off before its end") from None
    if len(content) > limit:
        raise RequestEntityTooLarge
    if said and len(content) < length:
        raise BadRequest("The body is shorter than its Content-Length")
    return content


def _fields(content: bytes, limit: int) -> body.Fields:
    fields = body.fields(content)
    if any(nesting.deeper_than(bytes(value), limit - 1) for value in fields.values()):
        raise BadRequest(f"The body is nested too deeply; limits.nesting is {limit}")
    return fields


def _model_name(fields: body.Fields) -> str | None:
    try:
        name = _text(fields.get("model", _NULL)) or None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest("model is not a string; send the name of a model", param="model") from None
    if name and len(name) > _LONGEST_NAME:  # a wildcard's would stand in the pin and in headers
        raise BadRequest(f"model has {len(name)} characters; at most {_LONGEST_NAME} are allowed", param="model")
    return name


def _messages(fields: body.Fields) -> bytes:
    """The conversation, looked at no further than that there is one."""
    messages = bytes(fields.get("messages", b""))
    if not _SOME_LIST.match(messages):
        raise BadRequest("messages is missing or empty; send at least one message", param="messages")
    return messages


def _covered(known: tuple[Route, ...], allowed: frozenset[str] | None) -> tuple[Route, ...]:
    """The routes as far as the client's key covers their models."""
    if allowed is None:
        return known
    covered = (
        msgspec.structs.replace(route, models=tuple(name for name in route.models if name in allowed))
        for route in known
    )
    return tuple(route for route in covered if route.models)


def _random(bits: int) -> str:
    """An id in hexadecimal digits, zeros included. It only has to differ from others: it is no secret."""
    return f"{random.getrandbits(bits):0{bits // 4}x}"


def _header_text(text: str) -> str:
    """A name as a header can carry it: a route's or a model's may come from the client, in any script."""
    return text if text.isascii() and text.isprintable() else re.sub(r"[^\x20-\x7e]", "?", text)
