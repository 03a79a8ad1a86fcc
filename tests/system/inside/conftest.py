"""The stand-ins and processes that tests/web has."""

from tests.web.conftest import *  # noqa: F403 - fixtures are found by their names
