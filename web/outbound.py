"""What a provider is sent: its address, the headers that may pass, its own credential."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from shared.domain.catalog import Model, Provider
from shared.domain.decisions import Trace
from web import body

_PASSED = {
    "HTTP_ACCEPT": "accept",
    "HTTP_USER_AGENT": "user-agent",
    "HTTP_X_MODEL_AFFINITY": "x-model-affinity",
    "HTTP_TRACESTATE": "tracestate",
}
_PASSED_PREFIXES = ("HTTP_OPENAI_", "HTTP_ANTHROPIC_")
_AZURE_API_VERSION = "2024-10-21"  # Azure OpenAI's stable version, when base_url names none


def url(model: Model, path: str) -> str:
    """Where a request for the model goes."""
    base, _, query = model.provider.base_url.partition("?")
    if model.provider.name == "azure_openai":
        deployment = quote(model.id, safe="")  # a wildcard's comes from the client
        return f"{base}/openai/deployments/{deployment}{path}?{query or 'api-version=' + _AZURE_API_VERSION}"
    return base + path


def headers(model: Model, environ: Mapping[str, Any], trace: Trace, secret: str = "") -> Iterable[tuple[str, str]]:
    """The headers for the provider: only what is known to be meant for it, and never the one named `secret`."""
    sent = {name: value for name, value in _passed(environ) if name != secret}
    sent["content-type"] = "application/json"  # always: curl's -d, for one, would say that it sends a form
    sent["x-request-id"] = trace.request_id
    sent["traceparent"] = trace.traceparent
    sent |= _credential(model.provider, environ)
    sent |= model.provider.headers  # the operator's word is the last
    return sent.items()


def content(fields: body.Fields, model: Model) -> bytes:
    """The client's body with the model's name as the provider knows it."""
    return body.encode({**fields, "model": msgspec.Raw(body.encode(model.id))})


def _passed(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for variable, value in environ.items():
        if variable in _PASSED:
            yield _PASSED[variable], value
        elif variable.startswith(_PASSED_PREFIXES):
            yield variable[5:].replace("_", "-").lower(), value


def _credential(provider: Provider, environ: Mapping[str, Any]) -> dict[str, str]:
    if provider.passthrough_auth:
        client = environ.get("HTTP_AUTHORIZATION")
        return {"authorization": client} if client else {}
    if not provider.access_key:
        return {}
    if provider.name == "azure_openai":
        return {"api-key": provider.access_key}
    return {"authorization": f"Bearer {provider.access_key}"}
