"""Counts of tokens: Anthropic's `input_tokens` leaves out what the cache gave or took, OpenAI's counts it in."""

from typing import Any

from web.dialects.dialect import Usage
from web.translation.reading import Object


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _details(usage: Object, name: str) -> Object:
    said = usage.get(name)
    return said if isinstance(said, dict) else {}


def to_chat(usage: Object) -> Object:
    """Chat's `usage` for that of a message."""
    read, written = _count(usage.get("cache_read_input_tokens")), _count(usage.get("cache_creation_input_tokens"))
    prompt, completion = _count(usage.get("input_tokens")) + read + written, _count(usage.get("output_tokens"))
    thought = _count(_details(usage, "output_tokens_details").get("thinking_tokens"))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def from_chat(usage: Any) -> Object:
    """A message's `usage` for that of chat; zeros where the provider said nothing."""
    said = usage if isinstance(usage, dict) else {}
    prompt, details = _count(said.get("prompt_tokens")), _details(said, "prompt_tokens_details")
    read = min(_count(details.get("cached_tokens")), prompt)
    written = min(_count(details.get("cache_write_tokens")), prompt - read)
    thought = _count(_details(said, "completion_tokens_details").get("reasoning_tokens"))
    return {
        "input_tokens": prompt - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": _count(said.get("completion_tokens")),
        "output_tokens_details": {"thinking_tokens": thought},
    }


def counted(usage: Object) -> Usage:
    """A message's `usage` as the gateway counts it."""
    written, fresh = _count(usage.get("cache_creation_input_tokens")), _count(usage.get("input_tokens"))
    return Usage(
        input=fresh + written,
        cached=_count(usage.get("cache_read_input_tokens")),
        output=_count(usage.get("output_tokens")),
    )
