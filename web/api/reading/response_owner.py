"""Requests about responses that a provider keeps: they go to the provider that made the response."""

import contextlib
import re
from typing import Any

import msgspec

from shared.domain.catalog import Model
from shared.domain.decisions import Decision, RouteRequest
from shared.errors import Away, NoPreviousResponse, NoResponse, NotAllowed, StoreDown
from web.dialects import responses
from web.ops.tracing import ROUTE_REQUEST, TENANT, trace_of
from web.proxy.relay import ClientRequest
from web.proxy.ways import Asked
from web.services import Services

_EMPTY = msgspec.Raw(b"[]")
_ID = re.compile(r"[A-Za-z0-9_.-]{1,256}")


def note(services: Services, tenant: str | None, model_name: str, response_id: str) -> None:
    """Keep which model has made a response; while Redis is away it cannot be gone on from."""
    if _ID.fullmatch(response_id):
        with contextlib.suppress(StoreDown):
            services.responses.note(tenant, response_id, model_name)


def request(
    services: Services, environ: dict[str, Any], response_id: str, *, method: str, suffix: str = ""
) -> tuple[ClientRequest, Decision]:
    """A request about a kept response, and who answers it; raises NoResponse, Denied, NotAllowed or StoreDown."""
    key = services.access.key(environ)
    tenant = services.access.tenant(environ, key)
    environ[TENANT] = tenant
    model = _maker(services, tenant, response_id)
    if model is None:
        raise NoResponse("There is no such response here")
    if key and key.models is not None and model.name not in key.models:
        raise NotAllowed(f"The model {model.name} is not covered by this API key")
    route = environ[ROUTE_REQUEST] = RouteRequest(
        model=model, session=None, routes=(), inline=False, messages=_EMPTY, trace=trace_of(environ)
    )
    query = environ.get("QUERY_STRING")
    path = f"/{response_id}{suffix}" + (f"?{query}" if query else "")
    clients_own = services.access.provider_credential(environ) if model.provider.passthrough_auth else None
    asked = Asked(responses, {}, b"", suffix=path, method=method)
    return ClientRequest(asked, route, environ, tenant, clients_own), Decision(models=(model.name,), alone=True)


def previous(services: Services, request: ClientRequest, response_id: str) -> Decision:
    """The decision for a request that goes on from a response: the model that made it.

    Raises NoPreviousResponse for one that is not known, and NotAllowed. While Redis is away, the request's own model
    is asked, which knows best.
    """
    asked = request.route
    try:
        model = _maker(services, request.tenant, response_id)
    except Away as away:
        return Decision(models=(asked.model.name,), alone=True, degraded=away.part)
    if model is None:
        raise NoPreviousResponse(
            f"Previous response with id {response_id[:64]!r} not found.", param="previous_response_id"
        )
    if asked.allowed is not None and model.name not in asked.allowed:
        raise NotAllowed(f"The response's model {model.name} is not covered by this API key")
    return Decision(models=(model.name,), alone=True)


def _maker(services: Services, tenant: str | None, response_id: str) -> Model | None:
    name = services.responses.model_of(tenant, response_id) if _ID.fullmatch(response_id) else None
    return services.config.catalog.find(name) if name else None
