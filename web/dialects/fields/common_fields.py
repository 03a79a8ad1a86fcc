"""What all client APIs name alike in a request: the model, and ids of sessions."""

import msgspec

from shared.domain.catalog import LONGEST_MODEL
from shared.errors import BadRequest
from web.dialects.fields.body import Fields

NULL = msgspec.Raw(b"null")
API_KEY = "x-api-key"
"""The header of Anthropic's keys; also the scheme of a client's own credential that came in it."""
_LIKE_AN_ID = 20
"""A shorter `prompt_cache_key` may be shared by many conversations, as the name of a prompt is."""
_text = msgspec.json.Decoder(str | None).decode


def model(fields: Fields) -> str | None:
    """The model that a request names; raises BadRequest."""
    try:
        said = _text(fields.get("model", NULL)) or None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequest("model is not a string; send the name of a model", param="model") from None
    if said and len(said) > LONGEST_MODEL:  # a provider with a wildcard takes any name, for the pin and for headers
        raise BadRequest(f"model has {len(said)} characters; at most {LONGEST_MODEL} are allowed", param="model")
    return said


def text(fields: Fields, name: str) -> str:
    """A field's text; empty when it is missing or no text."""
    try:
        return _text(fields[name]) or "" if name in fields else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def session_hints(fields: Fields) -> dict[str, str]:
    """The ids that frameworks put into a body of any API, by the names of the sources of sessions."""
    key = text(fields, "prompt_cache_key")
    return {
        "litellm": text(fields, "litellm_session_id") or text(fields, "session_id"),
        "prompt-cache-key": key if len(key) >= _LIKE_AN_ID else "",
    }
