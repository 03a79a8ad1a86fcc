"""The Messages API of Anthropic."""

import re
from collections.abc import Callable

import msgspec

from shared.domain.catalog import Model
from shared.domain.money import Usage
from shared.errors import BadRequest
from web.dialects.error_table import ErrorInfo
from web.dialects.fields import body, common_fields
from web.dialects.fields.body import Fields, Pieces
from web.dialects.fields.usage import Tokens, decoded
from web.dialects.model_in_events import renamed

name = "messages"
conversation_field = "messages"
headers = {"anthropic-version": "2023-06-01"}

_PATH = "/messages"
_SOME_LIST = re.compile(rb"\s*\[\s*[^\]\s]")
_OLD_USER_ID = re.compile(r"_session_([0-9A-Za-z-]{8,64})$")
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The API's types of errors by status; each other status of the client's is a fault of the request."""
_FIRST_SERVER_ERROR = 500


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _ClaudeCode(msgspec.Struct):
    session_id: str = ""


_metadata = msgspec.json.Decoder(_Metadata | None).decode
_claude_code = msgspec.json.Decoder(_ClaudeCode).decode

model = common_fields.model


def session_hints(fields: Fields) -> dict[str, str]:
    """Ids that a body may hold, by the source of sessions that each belongs to; Claude Code's is in `metadata`."""
    return {
        **common_fields.session_hints(fields),
        "claude-code": _claude_session(fields.get("metadata", common_fields.NULL)),
    }


def _claude_session(metadata: msgspec.Raw) -> str:
    """`user_id` is JSON with `session_id`; before 2.1 it ended in `_session_<uuid>`. Empty for anything else."""
    try:
        said = _metadata(metadata)
        user_id = said.user_id if said and said.user_id else ""
        if user_id.startswith("{"):
            return _claude_code(user_id).session_id
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    found = _OLD_USER_ID.search(user_id)
    return found[1] if found else ""


def messages(fields: Fields) -> msgspec.Raw:
    """The conversation as JSON, not yet decoded; raises BadRequest when it is missing or empty."""
    found = fields.get("messages", common_fields.NULL)
    if not _SOME_LIST.match(found):
        raise BadRequest("messages is missing or empty; send at least one message", param="messages")
    return found


def is_kept(fields: Fields) -> bool:  # noqa: ARG001 - none of this API is
    """No: there is no id to ask for it by."""
    return False


def upstream_url(model: Model, suffix: str = "") -> str:
    """Where the model's provider takes messages."""
    return model.provider.base_url.partition("?")[0] + _PATH + suffix


def credential(model: Model, clients_own: str | None) -> dict[str, str]:
    """The client's own key where it is passed through, else the provider's."""
    provider = model.provider
    if provider.passthrough_auth:
        scheme, _, key = (clients_own or "").partition(" ")
        if scheme == common_fields.API_KEY:
            return {common_fields.API_KEY: key}
        return {"authorization": clients_own} if clients_own else {}
    return {common_fields.API_KEY: provider.access_key} if provider.access_key else {}


def upstream_body(fields: Fields, model: Model) -> Pieces:
    """The client's body with the model's name as the provider knows it."""
    return body.pieces({**fields, "model": msgspec.Raw(body.encode(model.id))})


def error(info: ErrorInfo, request_id: str = "") -> bytes:
    """`{"type": "error", "error": {"type", "message"}, "request_id"}`."""
    other = "api_error" if info.status >= _FIRST_SERVER_ERROR else "invalid_request_error"
    told = {"type": ERROR_TYPES.get(info.status, other), "message": info.message}
    return body.encode({"type": "error", "error": told, "request_id": request_id or None})


class MessagesReader:
    """Reads one answer as it passes; everything but the model's name stays byte for byte as it came."""

    translates = False
    silence: bytes | None = None

    def __init__(self, model_name: str | None) -> None:
        """With `model_name` None the answer keeps the provider's name."""
        self._model = msgspec.Raw(body.encode(model_name)) if model_name else None
        self._usage: Usage | None = None
        self.unread = False
        """Whether the provider has said, so far, that its model could not read reasoning of the conversation."""

    def whole(self, data: bytes) -> bytes:
        """A complete JSON answer, changed; data that is no JSON object is returned as it is."""
        fields = body.parsed(data)
        if fields is None:
            return data
        self._note(fields)
        if self._model is None or "model" not in fields:
            return data
        fields["model"] = self._model
        return body.encode(fields)

    def line(self, line: bytes) -> bytes:
        """One line of an event stream, its end included; only the event that names a model changes."""
        if (b'"usage"' not in line and b'"model"' not in line) or not line.startswith(b"data:"):
            return line
        fields = body.parsed(line[5:])
        if fields is None:
            return line
        self._note(fields)
        message = body.parsed(fields["message"]) if "message" in fields else None
        if message is None:
            return line
        self._note(message)
        return line if self._model is None else renamed(line, fields, "message", message, self._model)

    def end(self) -> bytes:
        """Nothing follows the provider's own end."""
        return b""

    def broken(self, info: ErrorInfo) -> bytes:
        """The error as the last event of a stream, after the end of a line that may have broken off."""
        return b"\n\nevent: error\ndata: " + error(info) + b"\n\n"

    def refused(self, status: int, data: bytes) -> bytes | None:  # noqa: ARG002 - passed on as it came
        """An error of the provider; None: it is passed on as it came."""
        return None

    def usage(self) -> Usage | None:
        """What the answer said it used; None when it said nothing readable."""
        return self._usage

    def _note(self, fields: Fields) -> None:
        """Take what is said of usage: a stream says what came in at its beginning, and what went out at its end."""
        self.unread = self.unread or _is_unread(fields.get("input_transformations", common_fields.NULL))
        said = read_usage(fields["usage"]) if "usage" in fields else None
        if said is not None and self._usage is not None:
            said = _merged(self._usage, said)
        self._usage = said or self._usage


def _merged(before: Usage, said: Usage) -> Usage:
    """Of each figure what was said last; how the written tokens divide is said at the beginning only."""
    wrote = before if before.cache_write_5m or before.cache_write_1h else said
    return Usage(
        input=said.input or before.input,
        cached=said.cached or before.cached,
        cache_write_5m=wrote.cache_write_5m,
        cache_write_1h=wrote.cache_write_1h,
        output=said.output or before.output,
        reasoning=said.reasoning or before.reasoning,
    )


class _Transformation(msgspec.Struct):
    """What the provider has done to a block of the conversation before its model read it."""

    reason: str | None = None


_transformations = msgspec.json.Decoder(list[_Transformation] | None).decode


def _is_unread(transformations: msgspec.Raw) -> bool:
    """Whether a block was left out because another model has made it."""
    try:
        return any(each.reason == "model_binding_mismatch" for each in _transformations(transformations) or ())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def reader(
    model_name: str | None,
    *,
    pinned: bool,  # noqa: ARG001 - a header says it
    noted: Callable[[str], None] | None = None,  # noqa: ARG001 - no provider keeps these
) -> MessagesReader:
    """A reader for one answer."""
    return MessagesReader(model_name)


class _Written(msgspec.Struct):
    """What was written to the cache, by how long it is kept there."""

    ephemeral_5m_input_tokens: Tokens | None = None
    ephemeral_1h_input_tokens: Tokens | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: Tokens | None = None


class _Usage(msgspec.Struct):
    """`usage` of the Messages API, where the tokens of the cache are counted apart."""

    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cache_read_input_tokens: Tokens | None = None
    cache_creation_input_tokens: Tokens | None = None
    cache_creation: _Written | None = None
    output_tokens_details: _OutputDetails | None = None


_decode_usage = msgspec.json.Decoder(_Usage | None).decode


def read_usage(data: msgspec.Raw) -> Usage | None:
    """The tokens in a `usage` object; None when it is null or not readable."""
    said = decoded(_decode_usage, data)
    if said is None:
        return None
    written, by_time = said.cache_creation_input_tokens or 0, said.cache_creation or _Written()
    long = by_time.ephemeral_1h_input_tokens or 0
    went = said.output_tokens or 0
    return Usage(
        input=said.input_tokens or 0,
        cached=said.cache_read_input_tokens or 0,
        cache_write_5m=max(written - long, by_time.ephemeral_5m_input_tokens or 0),
        cache_write_1h=long,
        output=went,
        reasoning=min((said.output_tokens_details and said.output_tokens_details.thinking_tokens) or 0, went),
    )
