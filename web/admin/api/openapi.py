"""The OpenAPI document of the operator's API, made of the endpoints and of the values that they take and answer."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from web.admin.api.endpoint import Endpoint

BASE = "/admin/api/v1"
_REF = "#/components/schemas/{name}"
_TOKEN = "token"  # noqa: S105 - the name of a scheme
_OPERATOR = {
    "name": "X-Plano-Operator",
    "in": "header",
    "description": "Who asks, as the session's events shall name it; `api` when it is missing.",
    "schema": {"type": "string", "maxLength": 64},
}
_REFUSALS = {
    "400": "The input is not of this form",
    "401": "The admin token is missing or wrong",
    "404": "There is no such session, pin or model",
    "414": "The address is too long",
    "503": "Redis does not answer",
}


class ErrorInfo(msgspec.Struct):
    """What was wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class Error(msgspec.Struct):
    """The answer to what was refused."""

    error: ErrorInfo


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document, in OpenAPI 3.1."""
    kinds = [kind for each in endpoints for kind in (each.takes, each.answers) if kind is not None]
    references, schemas = msgspec.json.schema_components([*kinds, Error], ref_template=_REF)
    schema_of = dict(zip(map(repr, [*kinds, Error]), references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        paths.setdefault(BASE + each.path, {})[each.method.lower()] = _operation(each, schema_of, schemas)
    queries = {each.takes.__name__ for each in endpoints if not each.takes_body}
    return {
        "openapi": "3.1.0",
        "info": {"title": "plano, for its operators", "version": version("plano-affinity")},
        "security": [{_TOKEN: []}],
        "paths": paths,
        "components": {
            "securitySchemes": {_TOKEN: {"type": "http", "scheme": "bearer", "description": "PLANO_ADMIN_TOKEN"}},
            "schemas": {name: schema for name, schema in schemas.items() if name not in queries},
        },
    }


def _operation(endpoint: Endpoint, schema_of: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [_OPERATOR] if endpoint.changes else []
    operation: dict[str, Any] = {"operationId": endpoint.name, "summary": endpoint.does, "parameters": parameters}
    if endpoint.takes_body:
        operation["requestBody"] = {"required": True, "content": _json(schema_of[repr(endpoint.takes)])}
    else:
        parameters += _parameters(schemas[endpoint.takes.__name__])
    operation["responses"] = _responses(endpoint, schema_of)
    return operation


def _responses(endpoint: Endpoint, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    refusals = {
        status: {"description": what, "content": _json(schema_of[repr(Error)])} for status, what in _REFUSALS.items()
    }
    if endpoint.answers is None:
        return {"204": {"description": "It is done"}, **refusals}
    return {"200": {"description": "The answer", "content": _json(schema_of[repr(endpoint.answers)])}, **refusals}


def _parameters(query: Mapping[str, Any]) -> list[dict[str, Any]]:
    required = query.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": schema.get("description", ""),
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in query["properties"].items()
    ]


def _json(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
