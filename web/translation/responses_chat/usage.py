"""What an answer used. Both APIs count cached tokens among the input's, and those of reasoning among the output's."""

from typing import Any

from web.translation.checked_fields import Object
from web.translation.usage_fields import count, details


def usage_to_responses(usage: Any) -> Object | None:
    """`usage` of chat as the Responses API says it; None when there is none."""
    if not isinstance(usage, dict):
        return None
    read, written = details(usage, "prompt_tokens_details"), details(usage, "completion_tokens_details")
    taken, given = count(usage, "prompt_tokens"), count(usage, "completion_tokens")
    return {
        "input_tokens": taken,
        "input_tokens_details": {
            "cached_tokens": count(read, "cached_tokens"),
            "cache_write_tokens": count(read, "cache_write_tokens"),
        },
        "output_tokens": given,
        "output_tokens_details": {"reasoning_tokens": count(written, "reasoning_tokens")},
        "total_tokens": count(usage, "total_tokens") or taken + given,
    }


def usage_to_chat(usage: Any) -> Object | None:
    """`usage` of the Responses API as chat says it; None when there is none."""
    if not isinstance(usage, dict):
        return None
    read, written = details(usage, "input_tokens_details"), details(usage, "output_tokens_details")
    taken, given = count(usage, "input_tokens"), count(usage, "output_tokens")
    return {
        "prompt_tokens": taken,
        "completion_tokens": given,
        "total_tokens": count(usage, "total_tokens") or taken + given,
        "prompt_tokens_details": {
            "cached_tokens": count(read, "cached_tokens"),
            "cache_write_tokens": count(read, "cache_write_tokens"),
        },
        "completion_tokens_details": {"reasoning_tokens": count(written, "reasoning_tokens")},
    }
