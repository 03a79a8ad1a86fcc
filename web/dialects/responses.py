"""The Responses API of OpenAI."""

import re
from collections.abc import Callable

import msgspec

from shared.domain.catalog import Model
from shared.domain.money import Usage
from shared.errors import BadRequest
from web.dialects import chat
from web.dialects.error_table import ErrorInfo
from web.dialects.fields import body, common_fields
from web.dialects.fields.body import Fields
from web.dialects.fields.usage import InputDetails, OutputDetails, Tokens, decoded, openai_usage
from web.dialects.model_in_events import renamed

name = "responses"
conversation_field = "input"
headers: dict[str, str] = {}

_PATH = "/responses"
_SOME = re.compile(rb'\s*(?:\[\s*[^\]\s]|"[^"])')
_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
"""Fields that name a conversation which the provider holds."""
_NONE = msgspec.Raw(b"[]")
_RATE_LIMITED = 429


class _Id(msgspec.Struct):
    id: str = ""


class _ClientMetadata(msgspec.Struct):
    session_id: str = ""


class _Numbered(msgspec.Struct):
    sequence_number: int = -1


_conversation = msgspec.json.Decoder(_Id | str | None).decode
_client_metadata = msgspec.json.Decoder(_ClientMetadata | None).decode
_numbered = msgspec.json.Decoder(_Numbered).decode

model = common_fields.model
credential = chat.credential
upstream_body = chat.upstream_body
error = chat.error


def session_hints(fields: Fields) -> dict[str, str]:
    """Ids that a body may hold, by the source of sessions that each belongs to; Codex' is in `client_metadata`."""
    hints = common_fields.session_hints(fields)
    try:
        codex = _client_metadata(fields.get("client_metadata", common_fields.NULL))
        hints["codex"] = codex.session_id if codex else ""
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:
        held = _conversation(fields.get("conversation", common_fields.NULL))
        hints["responses"] = held.id if isinstance(held, _Id) else held or ""
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    return hints


def messages(fields: Fields) -> msgspec.Raw:
    """The conversation as a JSON array of items with a role and content; raises BadRequest when there is none.

    It is empty where only the provider holds the conversation.
    """
    found = fields.get("input", common_fields.NULL)
    begins = _SOME.match(found)
    if begins:
        is_list = begins[0].lstrip().startswith(b"[")
        return found if is_list else msgspec.Raw(b'[{"role":"user","content":%b}]' % bytes(found))
    if any(bytes(fields.get(each, common_fields.NULL)) != b"null" for each in _ELSEWHERE):
        return _NONE
    raise BadRequest("input is missing or empty; send a text or at least one item", param="input")


def previous(fields: Fields) -> str:
    """The id of the response that a request goes on from; empty when it names none."""
    return common_fields.text(fields, "previous_response_id")


def is_kept(fields: Fields) -> bool:
    """Whether the provider keeps the response: it does unless the client says `store: false`."""
    return bytes(fields.get("store", common_fields.NULL)) != b"false"


def upstream_url(model: Model, suffix: str = "") -> str:
    """Where the model's provider takes responses."""
    return model.provider.base_url.partition("?")[0] + _PATH + suffix


class ResponsesReader:
    """Reads one answer as it passes; everything but the model's name stays byte for byte as it came."""

    translates = False
    silence: bytes | None = None
    unread = False

    def __init__(self, model_name: str | None, noted: Callable[[str], None] | None = None) -> None:
        """With `model_name` None the answer keeps the provider's name; `noted` is told the response's id, once."""
        self._model = msgspec.Raw(body.encode(model_name)) if model_name else None
        self._noted = noted
        self._usage: Usage | None = None
        self._last = b""

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
        """One line of an event stream, its end included; only events that hold the response change."""
        if not line.startswith(b"data:"):
            return line
        self._last = line
        if b'"response"' not in line:
            return line
        fields = body.parsed(line[5:])
        response = body.parsed(fields["response"]) if fields and "response" in fields else None
        if fields is None or response is None:
            return line
        self._note(response)
        return line if self._model is None else renamed(line, fields, "response", response, self._model)

    def end(self) -> bytes:
        """Nothing follows the provider's own end."""
        return b""

    def broken(self, info: ErrorInfo) -> bytes:
        """The error as the last event of a stream, after the end of a line that may have broken off."""
        try:
            number = _numbered(self._last[5:]).sequence_number + 1
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            number = 0
        told = {"code": info.code, "message": info.message, "param": info.param}
        event = {"type": "error", "sequence_number": number, **told}
        return b"\n\nevent: error\ndata: " + body.encode(event) + b"\n\n"

    def refused(self, status: int, data: bytes) -> bytes | None:  # noqa: ARG002 - passed on as it came
        """An error of the provider; None: it is passed on as it came."""
        return None

    def usage(self) -> Usage | None:
        """What the answer said it used; None when it said nothing readable."""
        return self._usage

    def _note(self, fields: Fields) -> None:
        said = read_usage(fields["usage"]) if "usage" in fields else None
        self._usage = said or self._usage
        response_id = common_fields.text(fields, "id") if self._noted else ""
        if self._noted and response_id:
            noted, self._noted = self._noted, None
            noted(response_id)


def reader(
    model_name: str | None,
    *,
    pinned: bool,  # noqa: ARG001 - a header says it
    noted: Callable[[str], None] | None = None,
) -> ResponsesReader:
    """A reader for one answer."""
    return ResponsesReader(model_name, noted)


class _Usage(msgspec.Struct):
    """`usage` of the Responses API."""

    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    total_tokens: Tokens | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


_decode_usage = msgspec.json.Decoder(_Usage | None).decode


def read_usage(data: msgspec.Raw) -> Usage | None:
    """The tokens in a `usage` object; None when it is null or not readable."""
    said = decoded(_decode_usage, data)
    return said and openai_usage(
        said.input_tokens,
        said.output_tokens,
        said.total_tokens,
        said.input_tokens_details,
        said.output_tokens_details,
    )
