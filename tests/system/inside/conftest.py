"""The stand-ins that tests/web has."""

from tests.web.conftest import at_ease, cache, outside, server

__all__ = ["at_ease", "cache", "outside", "server"]
