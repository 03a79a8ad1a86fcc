"""The Lua scripts, each a file beside this one in `lua/` that begins with its contract."""

import hashlib
from importlib import resources
from typing import NamedTuple


class Script(NamedTuple):
    """A script and the name that Redis knows it by."""

    sha: str
    text: str


def load(name: str) -> Script:
    """The script in a file, such as `move.lua`."""
    text = resources.files("shared.store").joinpath("lua", name).read_text()
    return Script(hashlib.sha1(text.encode()).hexdigest(), text)  # noqa: S324 - Redis' own choice; nothing secret
