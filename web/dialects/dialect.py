"""What the rest of the gateway knows of a client API."""

from typing import Protocol

import msgspec

from shared.domain.catalog import Model
from web.dialects.body import Fields
from web.dialects.errors import ErrorInfo


class Usage(msgspec.Struct, frozen=True):
    """The tokens that an answer says it used, each counted once: `input` is without the cached ones."""

    input: int = 0
    cached: int = 0
    output: int = 0


class AnswerReader(Protocol):
    """Reads one provider's answer as it passes, and puts the qualified model name into it."""

    def whole(self, data: bytes) -> bytes:
        """A complete JSON answer, changed; data that is no JSON object is returned as it is."""

    def line(self, line: bytes) -> bytes:
        """One line of an event stream, its end included."""

    def usage(self) -> Usage | None:
        """What the answer said it used, once it has been read; of a stream the last figures."""


class Dialect(Protocol):
    """One client API."""

    name: str

    def model(self, fields: Fields) -> str | None:
        """The model that a request names; raises BadRequest."""

    def messages(self, fields: Fields) -> msgspec.Raw:
        """The conversation of a request as a JSON array, not yet decoded; raises BadRequest when there is none."""

    def upstream_url(self, model: Model) -> str:
        """Where the model's provider takes this API's requests."""

    def credential(self, model: Model, clients_own: str | None) -> dict[str, str]:
        """The headers that authorize a request at the provider; by `clients_own` where the provider takes that."""

    def upstream_body(self, fields: Fields, model: Model) -> bytes:
        """A request's body for the model's provider."""

    def reader(self, model_name: str | None, *, pinned: bool) -> AnswerReader:
        """A reader for one answer; with `model_name` None the answer keeps the provider's own name."""

    def error(self, info: ErrorInfo) -> bytes:
        """The body of an answer that is an error of ours."""

    def error_event(self, info: ErrorInfo) -> bytes:
        """The last event of a stream that ends in an error of ours."""
