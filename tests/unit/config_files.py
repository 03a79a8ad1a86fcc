"""How the tests of the config read a file."""

from collections.abc import Callable

import pytest

from shared.config import Config
from shared.errors import ConfigError

Read = Callable[..., Config]
"""Loads a config file with this text, and these variables set."""


def faults(read: Read, text: str, **env: str) -> tuple[str, ...]:
    """What is wrong with the text."""
    with pytest.raises(ConfigError) as caught:
        read(text, **env)
    return caught.value.faults
