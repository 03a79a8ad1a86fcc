"""Reads what a provider sent: what is not as it should be counts as not said."""

from typing import Any

from web.dialects.error_table import ErrorInfo
from web.translation.checked_fields import Object


def said(value: Any) -> str:
    """The text; of a list of parts (Mistral answers so) the text of each."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        return ""
    return "".join(said(part.get("text")) for part in dicts(value) if part.get("type") == "text")


def dicts(value: Any) -> list[Object]:
    """Those of a list that are JSON objects."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def first(value: Any) -> Object:
    """The first object of a list; an empty one where there is none."""
    return next(iter(dicts(value)), {})


def error_of(error: Any) -> ErrorInfo:
    """An error that a provider told within its stream."""
    told = error if isinstance(error, dict) else {"message": error}
    code = told.get("code")
    limited = "rate_limit" in f"{code} {told.get('type')}"
    return ErrorInfo(
        status=429 if limited else 502,
        message=said(told.get("message")) or "The provider's stream ended with an error",
        type=said(told.get("type")) or "upstream_error",
        code=str(code) if code is not None else None,
    )
