"""What an answer used. Both APIs count cached tokens among the input's, and those of reasoning among the output's."""

from typing import Any

from web.dialects.dialect import Usage
from web.translation.reading import Object


def usage_to_responses(usage: Any) -> Object | None:
    """`usage` of chat as the Responses API says it; None when there is none."""
    if not isinstance(usage, dict):
        return None
    read, written = _details(usage, "prompt_tokens_details"), _details(usage, "completion_tokens_details")
    taken, given = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    return {
        "input_tokens": taken,
        "input_tokens_details": {
            "cached_tokens": _count(read, "cached_tokens"),
            "cache_write_tokens": _count(read, "cache_write_tokens"),
        },
        "output_tokens": given,
        "output_tokens_details": {"reasoning_tokens": _count(written, "reasoning_tokens")},
        "total_tokens": _count(usage, "total_tokens") or taken + given,
    }


def usage_to_chat(usage: Any) -> Object | None:
    """`usage` of the Responses API as chat says it; None when there is none."""
    if not isinstance(usage, dict):
        return None
    read, written = _details(usage, "input_tokens_details"), _details(usage, "output_tokens_details")
    taken, given = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    return {
        "prompt_tokens": taken,
        "completion_tokens": given,
        "total_tokens": _count(usage, "total_tokens") or taken + given,
        "prompt_tokens_details": {
            "cached_tokens": _count(read, "cached_tokens"),
            "cache_write_tokens": _count(read, "cache_write_tokens"),
        },
        "completion_tokens_details": {"reasoning_tokens": _count(written, "reasoning_tokens")},
    }


def counted(usage: Object | None) -> Usage | None:
    """The tokens in a `usage` of chat, each counted once."""
    if usage is None:
        return None
    taken = _count(usage, "prompt_tokens")
    cached = min(_count(_details(usage, "prompt_tokens_details"), "cached_tokens"), taken)
    return Usage(input=taken - cached, cached=cached, output=_count(usage, "completion_tokens"))


def _details(usage: Object, name: str) -> Object:
    details = usage.get(name)
    return details if isinstance(details, dict) else {}


def _count(usage: Object, name: str) -> int:
    count = usage.get(name)
    return count if isinstance(count, int) and count > 0 else 0
