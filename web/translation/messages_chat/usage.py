"""Counts of tokens: Anthropic's `input_tokens` leaves out what the cache gave or took, OpenAI's counts it in."""

from typing import Any

from web.translation.checked_fields import Object
from web.translation.usage_fields import count, details


def to_chat(usage: Object) -> Object:
    """Chat's `usage` for that of a message."""
    read, written = count(usage, "cache_read_input_tokens"), count(usage, "cache_creation_input_tokens")
    prompt, completion = count(usage, "input_tokens") + read + written, count(usage, "output_tokens")
    thought = count(details(usage, "output_tokens_details"), "thinking_tokens")
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
    prompt, cache = count(said, "prompt_tokens"), details(said, "prompt_tokens_details")
    read = min(count(cache, "cached_tokens"), prompt)
    written = min(count(cache, "cache_write_tokens"), prompt - read)
    thought = count(details(said, "completion_tokens_details"), "reasoning_tokens")
    return {
        "input_tokens": prompt - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": count(said, "completion_tokens"),
        "output_tokens_details": {"thinking_tokens": thought},
    }
