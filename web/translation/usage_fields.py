"""Reads counts of tokens out of what an answer says it used; what is no count is 0."""

from web.translation.checked_fields import Object


def count(usage: Object, name: str) -> int:
    """How many tokens; 0 where nothing usable was said."""
    said = usage.get(name)
    return said if isinstance(said, int) and said > 0 else 0


def details(usage: Object, name: str) -> Object:
    """The counts below a name; empty where nothing usable was said."""
    said = usage.get(name)
    return said if isinstance(said, dict) else {}
