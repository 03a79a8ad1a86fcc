"""Every setting of the config file, as the models declare it."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from shared.config.fields import Section
from shared.config.sections import ConfigFile


def settings() -> dict[str, FieldInfo]:
    """The settings that may be written today, by their paths: `model_providers[].model`."""
    return dict(_settings(ConfigFile, ""))


def _settings(model: type[Section], place: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        path = f"{place}.{field.alias or name}".removeprefix(".")
        sections = dict(_sections(field.annotation, path))
        if not sections or path == "routing.router":  # which is a word, too
            yield path, field
        for inner, section in sections.items():
            yield from _settings(section, inner)


def _sections(annotation: Any, path: str) -> Iterator[tuple[str, type[Section]]]:
    """What mappings a value of this type consists of."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield path, annotation
    elif origin is Annotated:
        yield from _sections(arguments[0], path)
    elif origin in (Union, types.UnionType):
        for argument in arguments:
            yield from _sections(argument, path)
    elif origin is tuple:
        yield from _sections(arguments[0], f"{path}[]")
    elif origin is dict:
        yield from _sections(arguments[1], f"{path}.*")
