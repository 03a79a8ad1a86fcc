"""An endpoint of the operator's API, declared once: its view and its part of the OpenAPI document come from it."""

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import unquote_to_bytes

import msgspec
from flask import Request, Response, request

from shared.errors import BadRequest

Ask = Callable[[Any], Any]
"""What an endpoint does: it takes the query or the body, and returns what is answered."""
_SHOWN_CHARS = 40


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method at one path."""

    method: str
    path: str
    """Below `/admin/api/v1`."""
    name: str
    """The operationId."""
    does: str
    """One sentence."""
    takes: type[msgspec.Struct]
    """The parameters of a GET's or DELETE's query, or the JSON body of a POST."""
    answers: Any
    """The type of the answer; None: there is none, and the status is 204."""
    ask: Ask

    @property
    def takes_body(self) -> bool:
        """Whether its input is a body."""
        return self.method == "POST"

    @property
    def changes(self) -> bool:
        """Whether it changes something; it then takes who asks."""
        return self.method != "GET"

    def view(self) -> Response:
        """Answer a request; raises BadRequest for input that is not of the declared form."""
        taken = from_body(request, self.takes) if self.takes_body else from_query(request, self.takes)
        answer = self.ask(taken)
        if self.answers is None:
            return Response(status=HTTPStatus.NO_CONTENT)
        return Response(msgspec.json.encode(answer), content_type="application/json")


def from_body(asked: Request, kind: type[msgspec.Struct]) -> Any:
    """The body as a value; raises BadRequest."""
    try:
        return msgspec.json.decode(asked.get_data(cache=False), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(error) from None


def from_query(asked: Request, kind: type[msgspec.Struct]) -> Any:
    """The query as a value; raises BadRequest."""
    return _converted([(name.decode("utf-8", "replace"), _text(value)) for name, value in query_pairs(asked)], kind)


def query_pairs(asked: Request) -> Iterator[tuple[bytes, bytes]]:
    """The names and values of the query, in the bytes that they stand for."""
    for part in asked.query_string.replace(b"+", b" ").split(b"&"):
        if part:
            name, _, value = map(unquote_to_bytes, part.partition(b"="))
            yield name, value


def from_form(asked: Request, kind: type[msgspec.Struct]) -> Any:
    """A form of a page as a value, without what is left empty; raises BadRequest."""
    pairs = asked.form.items(multi=True)
    return _converted([(name, value) for name, value in pairs if value and name != "csrf"], kind)


def _converted(pairs: Iterable[tuple[str, str]], kind: type[msgspec.Struct]) -> Any:
    lists = {field.encode_name for field in msgspec.structs.fields(kind) if _is_list(field.type)}
    values: dict[str, Any] = {name: [] for name in lists}
    for name, text in pairs:
        if name in lists:
            values[name].append(text)
        elif name in values:
            raise BadRequest(f"{name[:_SHOWN_CHARS]!r} is given twice", param=name[:_SHOWN_CHARS])
        else:
            values[name] = text
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _refused(error) from None
    except UnicodeEncodeError:
        raise BadRequest("The input has a character that is none: half of a surrogate pair") from None


def _refused(error: Exception) -> BadRequest:
    """What is wrong with an input, from what msgspec says: `Expected `int` >= 1 - at `$.count``."""
    message, _, place = str(error).partition(" - at `$.")
    name = place.rstrip("`")[:_SHOWN_CHARS]
    if "matching regex" in message:
        message = "It is blank, or has characters that it cannot have"
    return BadRequest(f"{name or 'The input'}: {message[: 4 * _SHOWN_CHARS]}", param=name or None)


def _is_list(kind: Any) -> bool:
    return get_origin(get_args(kind)[0] if get_origin(kind) is Annotated else kind) is tuple


def plain(text: str) -> str:
    """The text with a question mark in place of each character that no UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode()


def _text(written: bytes) -> str:
    """Text as clients may name a session: UTF-8, else Latin-1, as in a header."""
    try:
        return written.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return written.decode("latin-1")
