"""Reads a client's request, whatever its API, and refuses one that cannot be used."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec
from werkzeug.exceptions import RequestEntityTooLarge

from shared.domain import routes
from shared.domain.decisions import RouteRequest
from shared.domain.routes import Route
from shared.errors import BadRequest, NotAllowed
from web.dialects import body
from web.dialects.dialect import Dialect
from web.dialects.sessions import session_of
from web.ops.tracing import ROUTE_REQUEST, TENANT, trace_of
from web.proxy.relay import ClientRequest
from web.services import current_services

_NULL = msgspec.Raw(b"null")


def read(environ: dict[str, Any], dialect: Dialect) -> ClientRequest:
    """The client's request; raises BadRequest, UnknownModel, Denied, NotAllowed or RequestEntityTooLarge."""
    services = current_services()
    key = services.access.key(environ)
    tenant = services.access.tenant(environ, key)
    environ[TENANT] = tenant
    session = session_of(environ, tenant)
    fields = body.fields(_content(environ, services.config.limits.body_bytes))
    catalog = services.config.catalog
    model = catalog.get(dialect.model(fields))
    inline = routes.from_request(
        bytes(fields.pop("routing_preferences", _NULL)), catalog.qualify, services.config.source_types
    )
    allowed = frozenset(key.models) if key and key.models is not None else None
    if allowed is not None and model.name not in allowed:
        raise NotAllowed(f"The model {model.name} is not covered by this API key")
    asked = environ[ROUTE_REQUEST] = RouteRequest(
        model=model,
        session=session,
        routes=_covered(services.config.routes if inline is None else inline, allowed),
        inline=inline is not None,
        messages=dialect.messages(fields),
        trace=trace_of(environ),
        allowed=allowed,
        client=services.access.client(environ, key),
    )
    clients_own = services.access.provider_credential(environ) if model.provider.passthrough_auth else None
    return ClientRequest(dialect, asked, fields, environ, tenant, clients_own)


def _content(environ: Mapping[str, Any], limit: int) -> bytes:
    """The body; raises RequestEntityTooLarge past the limit.

    It is read here for three reasons. werkzeug 3.1 takes 12 µs for it, cuts a chunked body at the limit without a
    word, and takes what a client that went away has sent for the whole body.
    """
    declared = environ.get("CONTENT_LENGTH")  # None: the body is chunked. gunicorn has refused what is not a number
    length = limit + 1 if declared is None else int(declared or 0)
    if declared and length > limit:
        raise RequestEntityTooLarge
    try:
        content = cast(bytes, environ["wsgi.input"].read(length))
    except OSError:  # gunicorn's word for a body that breaks off
        raise BadRequest("The body breaks off before its end") from None
    if len(content) > limit:
        raise RequestEntityTooLarge
    if declared and len(content) < length:
        raise BadRequest("The body is shorter than its Content-Length")
    return content


def _covered(known: tuple[Route, ...], allowed: frozenset[str] | None) -> tuple[Route, ...]:
    """The routes with only those models that the client's key covers; a route without any is left out."""
    if allowed is None:
        return known
    covered = (
        msgspec.structs.replace(route, models=tuple(name for name in route.models if name in allowed))
        for route in known
    )
    return tuple(route for route in covered if route.models)
