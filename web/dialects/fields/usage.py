"""Reads how many tokens an answer says it used, whatever its API calls them."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec

from shared.domain.money import Usage
from web.dialects.fields import body

T = TypeVar("T")
Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**12)]


class InputDetails(msgspec.Struct):
    """What OpenAI's APIs say more of the tokens that came in."""

    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None


class OutputDetails(msgspec.Struct):
    """What OpenAI's APIs say more of the tokens that went out."""

    reasoning_tokens: Tokens | None = None


def decoded(decode: Callable[[msgspec.Raw], T | None], data: msgspec.Raw) -> T | None:
    """A `usage` object; None when it is null or not readable."""
    try:
        return decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def counted(usage: dict[str, Any] | None, read: Callable[[msgspec.Raw], Usage | None]) -> Usage | None:
    """A decoded `usage` object as `read` understands its JSON; None when there is none."""
    return read(msgspec.Raw(body.encode(usage))) if usage else None


def openai_usage(
    taken: int | None,
    given: int | None,
    total: int | None,
    of_taken: InputDetails | None,
    of_given: OutputDetails | None,
) -> Usage:
    """What OpenAI's APIs say, which count the cache's tokens among those that came in, too.

    xAI and Gemini leave reasoning out of what went out; then the total holds it (vercel/ai#12425).
    """
    came, went = taken or 0, given or 0
    went = max(went, (total or 0) - came)
    cached = min((of_taken and of_taken.cached_tokens) or 0, came)
    written = min((of_taken and of_taken.cache_write_tokens) or 0, came - cached)
    thought = min((of_given and of_given.reasoning_tokens) or 0, went)
    return Usage(input=came - cached - written, cached=cached, cache_write_5m=written, output=went, reasoning=thought)
