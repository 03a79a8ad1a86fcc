"""A config file for the tests that want one."""

from pathlib import Path

import pytest

from shared.config import Config, load
from tests.unit.config_files import Read


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Loads a config file with this text, and these variables set."""

    def read(text: str, **env: str) -> Config:
        path = tmp_path / "config.yaml"
        path.write_text(text, "utf-8")
        return load(path, env)

    return read
