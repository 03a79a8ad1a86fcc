"""The headers of the request to a provider: those of the client that may pass, and those that we add."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.domain.catalog import Model
from shared.domain.decisions import Trace
from web.dialects.dialect import Dialect

_PASSED = {
    "HTTP_ACCEPT": "accept",
    "HTTP_USER_AGENT": "user-agent",
    "HTTP_X_MODEL_AFFINITY": "x-model-affinity",
    "HTTP_TRACESTATE": "tracestate",
}
_VENDORS = ("HTTP_OPENAI_", "HTTP_ANTHROPIC_")
_VENDORS_OF_TRANSLATED = {"messages": ("HTTP_ANTHROPIC_",)}
"""Whose headers a request is sent with when it was translated to this API: those of a vendor who alone speaks it."""
_WHOSE_ACCOUNT = frozenset({"openai-organization", "openai-project"})
"""Headers that name whose account is used: they go with the client's own credential only."""


def headers(
    model: Model,
    dialect: Dialect,
    environ: Mapping[str, Any],
    trace: Trace,
    *,
    tenant_header: str = "",
    clients_own: str | None = None,
    translated: bool = False,
    cache_key: Mapping[str, str] | None = None,
) -> Iterable[tuple[str, str]]:
    """The headers for the provider: only those that are known to be meant for it, and never the tenant's header.

    `clients_own` is the client's credential for this provider, which a provider with passthrough_auth is sent. What
    is `translated` leaves out the headers of the client's own API, and keeps those of the provider's, such as
    `anthropic-beta`. `cache_key` is the header by which this provider finds the session's prompt cache.
    """
    left_out = (
        {tenant_header} if clients_own and model.provider.passthrough_auth else {tenant_header, *_WHOSE_ACCOUNT}
    )
    sent = dict(dialect.headers)
    vendors = _VENDORS_OF_TRANSLATED.get(dialect.name, ()) if translated else _VENDORS
    sent |= {name: value for name, value in _passed(environ, vendors).items() if name not in left_out}
    sent["content-type"] = "application/json"  # not the client's: curl -d, for one, calls its body a form
    sent["x-request-id"] = trace.request_id
    sent["traceparent"] = trace.traceparent
    sent |= cache_key or {}
    sent |= dialect.credential(model, clients_own)
    sent |= model.provider.headers  # the operator's headers replace all others
    return sent.items()


def _passed(environ: Mapping[str, Any], vendors: tuple[str, ...]) -> dict[str, str]:
    passed = {name: environ[variable] for variable, name in _PASSED.items() if variable in environ}
    every = "\n".join(environ)
    if any(vendor in every for vendor in vendors):  # most requests have none: this takes a third of the time
        for variable in environ:
            if variable.startswith(vendors):
                passed[variable[5:].replace("_", "-").lower()] = environ[variable]
    return passed
