"""The headers of the request to a provider: those of the client that may pass, and those that we add."""

from collections.abc import Iterable, Iterator, Mapping
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
_PASSED_PREFIXES = ("HTTP_OPENAI_", "HTTP_ANTHROPIC_")


def headers(
    model: Model, dialect: Dialect, environ: Mapping[str, Any], trace: Trace, tenant_header: str = ""
) -> Iterable[tuple[str, str]]:
    """The headers for the provider: only those that are known to be meant for it, and never the tenant's header."""
    sent = {name: value for name, value in _passed(environ) if name != tenant_header}
    sent["content-type"] = "application/json"  # not the client's: curl -d, for one, calls its body a form
    sent["x-request-id"] = trace.request_id
    sent["traceparent"] = trace.traceparent
    sent |= dialect.credential(model, environ)
    sent |= model.provider.headers  # the operator's headers replace all others
    return sent.items()


def _passed(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for variable, value in environ.items():
        if variable in _PASSED:
            yield _PASSED[variable], value
        elif variable.startswith(_PASSED_PREFIXES):
            yield variable[5:].replace("_", "-").lower(), value
