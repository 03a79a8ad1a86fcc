"""From any client API to any other; between two that are not chat, through chat."""

from typing import Any, Protocol

import msgspec

from shared.domain.catalog import Model
from shared.domain.money import Usage
from web.dialects.error_table import ErrorInfo
from web.translation import messages_chat, responses_chat
from web.translation.capabilities import chat_features_of, features_of
from web.translation.checked_fields import Object

CHAT = "chat"
DONE = b"[DONE]"
"""The last data of chat's stream."""
_DATA = b"data:"
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_PAIRS: dict[str, Any] = {"messages": messages_chat, "responses": responses_chat}
_WITH_USAGE: Object = {"stream_options": {"include_usage": True}}
"""What a stream on its way through chat has to hold: how much was used."""


def request(body: Object, source: str, target: str, model: Model) -> Object:
    """A client's request in the target's API; raises BadRequest, and Untranslatable where it has no counterpart."""
    features = chat_features_of(model, onwards=target != CHAT)
    chat = body if source == CHAT else _PAIRS[source].to_chat(body, features)
    features = features_of(model.id, prompt_caching=model.provider.prompt_caching)
    translated: Object = chat if target == CHAT else _PAIRS[target].from_chat(chat, features)
    return {**translated, "model": model.id}


def answer(body: Object, source: str, target: str, asked: Object) -> Object:
    """A provider's whole answer in the client's API; `asked` is the client's request. Raises UpstreamFailed."""
    chat = body if source == CHAT else _PAIRS[source].answer_to_chat(body)
    translated: Object = chat if target == CHAT else _PAIRS[target].answer_from_chat(chat, asked)
    return translated


def without_foreign(name: str, conversation: Any) -> Any:
    """A conversation for a provider that signs its reasoning, without that which another one made."""
    return _PAIRS[name].carried_reasoning.without(conversation)


class Stream(Protocol):
    """Makes a client's events of a provider's; one object a stream."""

    @property
    def usage(self) -> Usage | None:
        """What the provider said that was used."""

    def event(self, name: str | None, data: Object | None) -> list[bytes]:
        """What the client gets for one event; `data` is None for chat's `[DONE]`."""

    def end(self) -> list[bytes]:
        """What is due when the provider's stream has ended."""

    def broken(self, info: ErrorInfo) -> list[bytes]:
        """What says that it broke off."""


class _ToChat(Stream, Protocol):
    def chunks(self, name: str | None, data: Object | None) -> list[Object | None]:
        """What `event` gives, not yet encoded; None is `[DONE]`."""


def stream(source: str, target: str, asked: Object, model_name: str | None) -> Stream:
    """What translates a provider's stream for a client; with `model_name` None it keeps the provider's name."""
    made: Stream
    if source == CHAT:
        made = _PAIRS[target].StreamFromChat(asked, model_name)
    elif target == CHAT:
        made = _PAIRS[source].StreamToChat(asked, model_name)
    else:
        made = _ThroughChat(
            _PAIRS[source].StreamToChat(_WITH_USAGE, None), _PAIRS[target].StreamFromChat(asked, model_name)
        )
    return made


class _ThroughChat:
    """Two streams, one behind the other."""

    def __init__(self, first: _ToChat, second: Stream) -> None:
        self._first = first
        self._second = second

    @property
    def usage(self) -> Usage | None:
        return self._first.usage

    def event(self, name: str | None, data: Object | None) -> list[bytes]:
        return [event for chunk in self._first.chunks(name, data) for event in self._second.event(None, chunk)]

    def end(self) -> list[bytes]:
        return [*self._passed(self._first.end()), *self._second.end()]

    def broken(self, info: ErrorInfo) -> list[bytes]:
        return self._second.broken(info)

    def _passed(self, chunks: list[bytes]) -> list[bytes]:
        """The events of some chunks, each of which is one line of data."""
        return [event for chunk in chunks for event in self._second.event(None, _data(chunk))]


def _data(chunk: bytes) -> Object | None:
    content = chunk[len(_DATA) :].strip()
    return None if content == DONE else _decode(content)
