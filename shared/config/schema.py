"""The JSON Schema of the config file, which editors complete and check it by."""

import re
from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from shared.config.reading.ignored_settings import IGNORED
from shared.config.reading.migrate import FORMER
from shared.config.sections import ConfigFile

_VARIABLE = {"type": "string", "pattern": r"\$\{?[A-Za-z_]", "description": "A variable, $NAME or ${NAME}."}
_OF_KEY = ("title", "description", "default")
_OTHERS = {
    **dict.fromkeys(IGNORED, "Accepted and ignored."),
    **FORMER,
}
"""What the models do not know and may be written all the same."""


def json_schema() -> dict[str, Any]:
    """What may be written, in draft 2020-12."""
    schema: dict[str, Any] = _with_variables(ConfigFile.model_json_schema())
    for path, description in _OTHERS.items():
        *above, name = path.replace("[]", ".[]").split(".")
        for mapping in _mappings(schema, schema, above):
            mapping["properties"][name] = {"description": description, "deprecated": True}
    listeners = schema["properties"]["listeners"]
    legacy = {"type": "object", "description": "The former map of listeners.", "deprecated": True}
    listeners["anyOf"] = [{"type": listeners.pop("type"), "items": listeners.pop("items")}, legacy]
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema}


def _with_variables(node: Any) -> Any:
    """The schema with a variable allowed in place of any value but a text that may look like one anyway."""
    if isinstance(node, list):
        return [_with_variables(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _with_variables(value) for key, value in node.items()}
    typed = node.get("type") in ("boolean", "integer", "number") or "enum" in node
    if not typed and re.search(str(node.get("pattern", "")), "${NAME}"):
        return node
    value = {key: node.pop(key) for key in [*node] if key not in _OF_KEY}
    return {**node, "anyOf": [value, _VARIABLE]}


def _mappings(root: dict[str, Any], node: dict[str, Any], path: list[str]) -> Iterator[dict[str, Any]]:
    """The schemas of the mappings that a path leads to."""
    if "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    for member in node.get("anyOf", ()):
        yield from _mappings(root, member, path)
    if not path and "properties" in node:
        yield node
    if path and path[0] == "[]" and "items" in node:
        yield from _mappings(root, node["items"], path[1:])
    if path and path[0] in node.get("properties", {}):
        yield from _mappings(root, node["properties"][path[0]], path[1:])
