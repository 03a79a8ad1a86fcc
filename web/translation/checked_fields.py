"""Takes a client's JSON apart; a value of the wrong type is a BadRequest that says where it stands."""

from typing import Any

from shared.errors import BadRequest

Object = dict[str, Any]


def text(value: Any, path: str) -> str:
    """The value, which must be a string."""
    if not isinstance(value, str):
        raise BadRequest(f"{path} is not a string", param=path)
    return value


def text_in(value: Object, name: str, path: str) -> str:
    """The object's field of that name, which must be a string."""
    found = value.get(name)
    return found if isinstance(found, str) else text(found, f"{path}.{name}")  # the path costs as much as the rest


def mapping_in(value: Object, name: str, path: str) -> Object:
    """The object's field of that name, which must be an object."""
    found = value.get(name)
    return found if isinstance(found, dict) else mapping(found, f"{path}.{name}")


def mapping(value: Any, path: str) -> Object:
    """The value, which must be an object."""
    if not isinstance(value, dict):
        raise BadRequest(f"{path} is not an object", param=path)
    return value


def objects(value: Any, path: str) -> list[Object]:
    """The value, which must be a list of objects."""
    if not isinstance(value, list):
        raise BadRequest(f"{path} is not a list", param=path)
    for n, each in enumerate(value):
        if not isinstance(each, dict):
            raise BadRequest(f"{path}[{n}] is not an object", param=f"{path}[{n}]")
    return value


def given(**fields: Any) -> Object:
    """Those of the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}
