"""Reads how many tokens an answer says it used, whatever its API calls them."""

from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from web.dialects.dialect import Usage

T = TypeVar("T")
Tokens = Annotated[int, msgspec.Meta(ge=0, le=10**12)]


class Details(msgspec.Struct):
    """What OpenAI's APIs say more of the tokens that came in."""

    cached_tokens: Tokens | None = None


def decoded(decode: Callable[[msgspec.Raw], T | None], data: msgspec.Raw) -> T | None:
    """A `usage` object; None when it is null or not readable."""
    try:
        return decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def openai_usage(taken: int | None, details: Details | None, given: int | None) -> Usage:
    """What OpenAI's APIs say, which count cached tokens among those that came in, too."""
    cached = min(details.cached_tokens or 0, taken or 0) if details else 0
    return Usage(input=(taken or 0) - cached, cached=cached, output=given or 0)
