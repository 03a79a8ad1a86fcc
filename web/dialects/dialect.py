"""What the rest of the gateway knows of a client API."""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from shared.domain.catalog import Model
from shared.domain.money import Usage
from web.dialects.error_table import ErrorInfo
from web.dialects.fields.body import Fields, Pieces


class AnswerReader(Protocol):
    """Reads one provider's answer as it passes, and puts the qualified model name into it."""

    translates: bool
    """Whether the provider speaks another API than the client."""
    silence: bytes | None
    """What a client is sent while its provider is silent in a stream, if anything."""
    unread: bool
    """Whether the provider has said, so far, that its model could not read reasoning of the conversation."""

    def whole(self, data: bytes) -> bytes:
        """A complete JSON answer, changed; data that is no JSON object is returned as it is."""

    def line(self, line: bytes) -> bytes:
        """One line of an event stream, its end included."""

    def end(self) -> bytes:
        """What follows the last line of a stream that has ended."""

    def broken(self, info: ErrorInfo) -> bytes:
        """The last event of a stream that ends in an error of ours."""

    def refused(self, status: int, data: bytes) -> bytes | None:
        """A provider's error in the client's API; None: it is passed on as it came."""

    def usage(self) -> Usage | None:
        """What the answer said it used, once it has been read; of a stream the last figures."""


class Dialect(Protocol):
    """One client API."""

    name: str
    conversation_field: str
    """What a request calls its conversation."""
    headers: dict[str, str]
    """What a provider is sent unless the client says otherwise."""

    def model(self, fields: Fields) -> str | None:
        """The model that a request names; raises BadRequest."""

    def session_hints(self, fields: Fields) -> Mapping[str, str]:
        """Ids that a body may hold, by the source of sessions that each belongs to; empty ones count as none."""

    def messages(self, fields: Fields) -> msgspec.Raw:
        """The conversation of a request as a JSON array, not yet decoded; raises BadRequest when there is none."""

    def is_kept(self, fields: Fields) -> bool:
        """Whether the provider keeps the answer, so that a client can ask for it by its id."""

    def upstream_url(self, model: Model, suffix: str = "") -> str:
        """Where the model's provider takes this API's requests; `suffix` is a path below it."""

    def credential(self, model: Model, clients_own: str | None) -> dict[str, str]:
        """The headers that authorize a request at the provider; by `clients_own` where the provider takes that."""

    def upstream_body(self, fields: Fields, model: Model) -> Pieces:
        """A request's body for the model's provider."""

    def reader(
        self, model_name: str | None, *, pinned: bool, noted: Callable[[str], None] | None = None
    ) -> AnswerReader:
        """A reader for one answer; with `model_name` None the answer keeps the provider's own name.

        `noted` is told the id of an answer that the provider keeps.
        """

    def read_usage(self, data: msgspec.Raw) -> Usage | None:
        """The tokens in a `usage` object; None when it is null or not readable."""

    def error(self, info: ErrorInfo, request_id: str = "") -> bytes:
        """The body of an answer that is an error of ours."""
