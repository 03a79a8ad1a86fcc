"""The Lua scripts, each a file beside this one in `lua/` that begins with its contract."""

from importlib import resources


def read(name: str) -> str:
    """The text of a script, such as `move.lua`, to be registered with a client."""
    return resources.files("shared.store").joinpath("lua", name).read_text()
