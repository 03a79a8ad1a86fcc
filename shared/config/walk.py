"""A tree of plain values read into typed structs, each fault noted with its place."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from shared.config.environment import Filled
from shared.config.faults import Faults, listed, nearest
from shared.config.urls import without_credentials

_KINDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number", list: "a list"}
_MAPPING = "a mapping"
_LONGEST = 60
_MOST_BITS = 128


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping in the file. Empty values count as absent."""

    place: str = ""
    """Where it stands, `model_providers[1]`; noted by the walk, not a key."""


def read(value: Any, wanted: Any, faults: Faults, place: str = "") -> Any:
    """The value as the wanted type; UNSET when it is unusable, the faults then say why.

    `wanted` is an Entry, a list or dict of what is wanted, a union, or a scalar that msgspec.convert knows.
    Its Meta may say in words what it is (`description`) and that nobody may see it (`extra={"secret": True}`).
    """
    if value is msgspec.UNSET:
        return value
    for option in _options(wanted):
        kind = _kind(option)
        if isinstance(value, dict) and issubclass(kind, Entry):
            return _entry(value, kind, faults, place)
        if isinstance(value, dict) and kind is dict:
            return _mapping(value, option, faults, place)
        if value and isinstance(value, list) and kind is list:
            (inner,) = get_args(_bare(option))
            items = [read(item, inner, faults, f"{place}[{n}]") for n, item in enumerate(value)]
            return [item for item in items if item is not msgspec.UNSET]
    return _scalar(value, wanted, faults, place)


def _mapping(value: dict[Any, Any], wanted: Any, faults: Faults, place: str) -> dict[str, Any]:
    named, inner = get_args(_bare(wanted))
    found = {}
    for key, item in value.items():
        name = read(key, named, faults, f"{place}.{key}")
        got = read(item, inner, faults, f"{place}.{key}")
        if msgspec.UNSET not in (name, got):
            found[name] = got
    return found


def _entry(value: dict[Any, Any], kind: type[Entry], faults: Faults, place: str) -> Any:
    fields = {field.name: field for field in msgspec.structs.fields(kind) if field.name != "place"}
    prefix = f"{place}." if place else ""
    for key in value:
        if key not in fields:
            faults.add(f"{prefix}{key}", "is not known", nearest(str(key), fields))
    read_fields = {"place": place}
    complete = True
    for name, field in fields.items():
        if value.get(name) is None:
            got: Any = msgspec.UNSET
            if field.required:
                faults.add(f"{prefix}{name}", "is missing", f"it {_words(field.type)}")
        else:
            got = read(value[name], field.type, faults, f"{prefix}{name}")
        if got is not msgspec.UNSET:
            read_fields[name] = got
        complete = complete and not (field.required and got is msgspec.UNSET)
    return kind(**read_fields) if complete else msgspec.UNSET


def _scalar(value: Any, wanted: Any, faults: Faults, place: str) -> Any:
    try:
        if isinstance(value, Filled):  # what an environment holds is always text
            return msgspec.convert(str(value), wanted, strict=False)
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        faults.add(place, f"is {_shown(value, wanted)}", f"it {_words(wanted)}")
        return msgspec.UNSET


def _shown(value: Any, wanted: Any) -> str:
    """A faulty value for the reader; a secret, or what may be one, only by its kind."""
    if value is None or value in ("", [], {}):
        return "empty"
    if isinstance(value, Filled):
        return f"what {value.source} stands for"
    if isinstance(value, str) and any(_kind(option) is str for option in _options(wanted)):
        return "not usable" if _is_secret(wanted) else _quoted(without_credentials(value))
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return "a number of very many digits"
    if isinstance(value, int | float) and not _is_secret(wanted):
        return str(value).lower()
    return _KINDS.get(type(value), _MAPPING if isinstance(value, dict) else f"a {type(value).__name__}")


def _quoted(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def _words(wanted: Any) -> str:
    """What would be right, as the rest of a sentence that begins with `it`."""
    described = [meta.description for meta in _metas(wanted) if meta.description]
    return described[0] if described else "is " + listed(w for option in _options(wanted) for w in _kinds(option))


def _kinds(option: Any) -> list[str]:
    if get_origin(option) is Literal:
        return [str(choice) for choice in get_args(option)]
    return [_KINDS.get(_kind(option), _MAPPING)]


def _is_secret(wanted: Any) -> bool:
    return any((meta.extra or {}).get("secret") for option in _options(wanted) for meta in _metas(option))


def _metas(wanted: Any) -> Iterator[msgspec.Meta]:
    """What is noted at a type, the outermost first."""
    if get_origin(wanted) is Annotated:
        yield from (meta for meta in reversed(wanted.__metadata__) if isinstance(meta, msgspec.Meta))
    elif len(options := _options(wanted)) == 1 and options[0] is not wanted:
        yield from _metas(options[0])


def _options(wanted: Any) -> list[Any]:
    """The members of a union but None; any other type alone."""
    bare = _bare(wanted)
    if get_origin(bare) in (Union, types.UnionType):
        return [option for option in get_args(bare) if option is not types.NoneType]
    return [wanted]


def _kind(option: Any) -> type:
    bare = _bare(option)
    kind: type = str if get_origin(bare) is Literal else get_origin(bare) or bare
    return kind


def _bare(wanted: Any) -> Any:
    return wanted.__origin__ if get_origin(wanted) is Annotated else wanted
