"""APIs that are passed on to the provider of the model that is asked for, never routed and never translated."""

from collections.abc import Callable

import msgspec

from shared.domain.catalog import Model
from web.dialects import chat
from web.dialects.chat import ChatReader
from web.dialects.dialect import AnswerReader
from web.dialects.fields import common_fields
from web.dialects.fields.body import Fields

_NONE = msgspec.Raw(b"[]")


class Passed:
    """One of them, with the names and the errors of chat completions."""

    conversation_field = "input"
    headers: dict[str, str] = {}  # noqa: RUF012 - of the protocol
    model = staticmethod(common_fields.model)
    credential = staticmethod(chat.credential)
    upstream_body = staticmethod(chat.upstream_body)
    error = staticmethod(chat.error)
    read_usage = staticmethod(chat.read_usage)

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self._path = path

    def session_hints(self, fields: Fields) -> dict[str, str]:  # noqa: ARG002 - none is pinned
        """No session."""
        return {}

    def messages(self, fields: Fields) -> msgspec.Raw:  # noqa: ARG002 - as it says
        """No conversation."""
        return _NONE

    def is_kept(self, fields: Fields) -> bool:  # noqa: ARG002 - never
        """No: there is no id to ask for it by."""
        return False

    def upstream_url(self, model: Model, suffix: str = "") -> str:
        """Where the model's provider has it."""
        return chat.url(model, self._path + suffix)

    def reader(
        self,
        model_name: str | None,
        *,
        pinned: bool,  # noqa: ARG002 - never
        noted: Callable[[str], None] | None = None,  # noqa: ARG002 - nothing is kept
    ) -> AnswerReader:
        """A reader for one answer."""
        return ChatReader(model_name, pinned=False)


EMBEDDINGS = Passed("embeddings", "/embeddings")
COMPLETIONS = Passed("completions", "/completions")
