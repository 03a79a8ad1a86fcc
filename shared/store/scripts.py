"""Reads the Lua scripts. Each is a file in `lua/`, and begins with its contract."""

from importlib import resources


def read(name: str) -> str:
    """The text of a script, such as `move.lua`, to be registered with a client."""
    return resources.files("shared.store").joinpath("lua", name).read_text()
