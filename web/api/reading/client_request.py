"""Reads a client's request, whatever its API, and refuses one that cannot be used."""

from functools import partial
from typing import Any

import msgspec

from shared.domain import routes
from shared.domain.caching.windows import window_s
from shared.domain.decisions import RouteRequest
from shared.domain.routes import Route
from shared.errors import NotAllowed
from web.api.reading import content, response_owner
from web.dialects.dialect import Dialect
from web.dialects.fields import body
from web.dialects.fields.sessions import Named, Wish, budget_percent, named_session, wish
from web.dialects.fields.turn_properties import BodyTurn
from web.ops.tracing import ROUTE_REQUEST, TENANT, trace_of
from web.proxy.relay import ClientRequest
from web.proxy.response import SESSION_SOURCE
from web.proxy.ways import Asked, fitting
from web.services import Services

_NULL = msgspec.Raw(b"null")


def read(services: Services, environ: dict[str, Any], dialect: Dialect, suffix: str = "") -> ClientRequest:
    """The client's request, of something below the API's path if `suffix` names it.

    Raises BadRequest, UnknownModel, Denied, NotAllowed, and what `content.read` raises.
    """
    key = services.access.key(environ)
    tenant = services.access.tenant(environ, key)
    environ[TENANT] = tenant
    sent = content.read(environ, services.config.limits.body_bytes)
    fields = body.fields(sent)
    catalog = services.config.catalog
    model = catalog.get(dialect.model(fields))
    wanted = wish(environ)
    named = (
        None if wanted is Wish.OFF else _named(services, environ, dialect, fields, tenant=tenant, model=model.name)
    )
    if named:
        environ[SESSION_SOURCE] = named.source
    inline = routes.from_request(
        bytes(fields.pop("routing_preferences", _NULL)), catalog.qualify, services.config.source_types
    )
    allowed = frozenset(key.models) if key and key.models is not None else None
    if allowed is not None and model.name not in allowed:
        raise NotAllowed(f"The model {model.name} is not covered by this API key")
    noted = partial(response_owner.note, services, tenant) if dialect.is_kept(fields) else None
    turn = BodyTurn(dialect, fields, environ)
    body_asked = Asked(dialect, fields, sent, suffix=suffix, noted=noted)
    asked = environ[ROUTE_REQUEST] = RouteRequest(
        model=model,
        session=named.session if named else None,
        routes=_covered(services.config.routes if inline is None else inline, allowed),
        inline=inline is not None,
        messages=dialect.messages(fields),
        conversation_field=dialect.conversation_field,
        trace=trace_of(environ),
        fitting=partial(fitting, asked=body_asked, catalog=catalog),
        allowed=allowed,
        client=partial(services.access.client, environ, key),
        turn=turn,
        windows=lambda name: window_s(catalog.get(name), turn.retention),
        budget_percent=budget_percent(environ) if services.config.routing.routing_budget else None,
        anew=wanted is Wish.NEW,
    )
    clients_own = services.access.provider_credential(environ) if model.provider.passthrough_auth else None
    return ClientRequest(body_asked, asked, environ, tenant, clients_own)


def _named(
    services: Services,
    environ: dict[str, Any],
    dialect: Dialect,
    fields: body.Fields,
    *,
    tenant: str | None,
    model: str,
) -> Named | None:
    """The session that the request names; else, where that is switched on, the one that its opener tells."""
    found = named_session(environ, lambda: dialect.session_hints(fields), tenant, model, services.sources)
    return services.implicit.named(dialect, fields, tenant, model) if found is None and services.implicit else found


def _covered(known: tuple[Route, ...], allowed: frozenset[str] | None) -> tuple[Route, ...]:
    """The routes with only those models that the client's key covers; a route without any is left out."""
    if allowed is None:
        return known
    covered = (
        msgspec.structs.replace(route, models=tuple(name for name in route.models if name in allowed))
        for route in known
    )
    return tuple(route for route in covered if route.models)
