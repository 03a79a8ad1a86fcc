"""The OpenAI Chat Completions API."""

import re
from collections.abc import Callable
from urllib.parse import quote

import msgspec

from shared.domain.catalog import Model
from shared.domain.money import Usage
from shared.errors import BadRequest
from web.dialects.error_table import ErrorInfo
from web.dialects.fields import body, common_fields
from web.dialects.fields.body import Fields, Pieces
from web.dialects.fields.usage import InputDetails, OutputDetails, Tokens, decoded, openai_usage
from web.dialects.model_in_events import data_line

name = "chat"
conversation_field = "messages"
headers: dict[str, str] = {}

_PATH = "/chat/completions"
_AZURE_API_VERSION = "2024-10-21"  # Azure OpenAI's stable version, when base_url names none
_SOME_LIST = re.compile(rb"\s*\[\s*[^\]\s]")
_NULL = msgspec.Raw(b"null")
_TRUE = msgspec.Raw(b"true")
_USAGE = b'"usage"'

model = common_fields.model
session_hints = common_fields.session_hints


def messages(fields: Fields) -> msgspec.Raw:
    """The conversation as JSON, not yet decoded; raises BadRequest when it is missing or empty."""
    found = fields.get("messages", _NULL)
    if not _SOME_LIST.match(found):
        raise BadRequest("messages is missing or empty; send at least one message", param="messages")
    return found


def is_kept(fields: Fields) -> bool:  # noqa: ARG001 - none of this API is
    """No: there is no id to ask for it by."""
    return False


def upstream_url(model: Model, suffix: str = "") -> str:
    """Where the model's provider takes chat completions."""
    return url(model, _PATH + suffix)


def url(model: Model, path: str) -> str:
    """Where the model's provider has one of the older APIs of OpenAI."""
    base, _, query = model.provider.base_url.partition("?")
    if model.provider.name == "azure_openai":
        deployment = quote(model.id, safe="")  # where the provider has a wildcard, the client has chosen it
        return f"{base}/openai/deployments/{deployment}{path}?{query or 'api-version=' + _AZURE_API_VERSION}"
    return base + path


def credential(model: Model, clients_own: str | None) -> dict[str, str]:
    """The client's own key where it is passed through, else the provider's."""
    provider = model.provider
    if provider.passthrough_auth:
        scheme, _, key = (clients_own or "").partition(" ")
        value = f"Bearer {key}" if scheme == common_fields.API_KEY else clients_own
        return {"authorization": value} if value else {}
    if not provider.access_key:
        return {}
    if provider.name == "azure_openai":
        return {"api-key": provider.access_key}
    return {"authorization": f"Bearer {provider.access_key}"}


def upstream_body(fields: Fields, model: Model) -> Pieces:
    """The client's body with the model's name as the provider knows it."""
    return body.pieces({**fields, "model": msgspec.Raw(body.encode(model.id))})


def error(info: ErrorInfo, request_id: str = "") -> bytes:  # noqa: ARG001 - a header has it
    """`{"error": {"message", "type", "param", "code"}}`."""
    return body.encode(
        {"error": {"message": info.message, "type": info.type, "param": info.param, "code": info.code}}
    )


class ChatReader:
    """Reads one answer as it passes; everything but the model's name stays byte for byte as it came."""

    translates = False
    silence: bytes | None = None
    unread = False

    def __init__(self, model_name: str | None, *, pinned: bool) -> None:
        """With `model_name` None the answer keeps the provider's name; `pinned` marks an answer that is no stream."""
        self._model = msgspec.Raw(body.encode(model_name)) if model_name else None
        self._pinned = pinned
        self._usage: msgspec.Raw | None = None

    def whole(self, data: bytes) -> bytes:
        """A complete JSON answer, changed; data that is no JSON object is returned as it is."""
        untouched = self._model is None and not self._pinned
        if untouched and _USAGE not in data:
            return data
        fields = body.parsed(data)
        if fields is None:
            return data
        self._usage = fields.get("usage")
        if untouched:
            return data
        if self._model is not None and "model" in fields:
            fields["model"] = self._model
        if self._pinned:
            fields["x_plano_pinned"] = _TRUE
        return body.encode(fields)

    def line(self, line: bytes) -> bytes:
        """One line of an event stream, its end included; only data that names a model changes."""
        renamed = self._model is not None and b'"model"' in line
        if not (renamed or _USAGE in line) or not line.startswith(b"data:"):
            return line
        fields = body.parsed(line[5:])
        if fields is None:
            return line
        usage = fields.get("usage", _NULL)
        if bytes(usage) != b"null":
            self._usage = usage
        if self._model is None or "model" not in fields:
            return line
        fields["model"] = self._model
        return data_line(line, fields)

    def end(self) -> bytes:
        """Nothing follows the provider's own end."""
        return b""

    def broken(self, info: ErrorInfo) -> bytes:
        """The error as the last event of a stream, after the end of a line that may have broken off."""
        return b"\n\ndata: " + error(info) + b"\n\n"

    def refused(self, status: int, data: bytes) -> bytes | None:  # noqa: ARG002 - passed on as it came
        """An error of the provider; None: it is passed on as it came."""
        return None

    def usage(self) -> Usage | None:
        """What the answer said it used; None when it said nothing readable."""
        return None if self._usage is None else read_usage(self._usage)


def reader(
    model_name: str | None,
    *,
    pinned: bool,
    noted: Callable[[str], None] | None = None,  # noqa: ARG001 - nobody asks for these by their ids
) -> ChatReader:
    """A reader for one answer."""
    return ChatReader(model_name, pinned=pinned)


class _Usage(msgspec.Struct):
    """`usage` of the Chat Completions API."""

    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    total_tokens: Tokens | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None


_decode_usage = msgspec.json.Decoder(_Usage | None).decode


def read_usage(data: msgspec.Raw) -> Usage | None:
    """The tokens in a `usage` object; None when it is null or not readable."""
    said = decoded(_decode_usage, data)
    return said and openai_usage(
        said.prompt_tokens,
        said.completion_tokens,
        said.total_tokens,
        said.prompt_tokens_details,
        said.completion_tokens_details,
    )
