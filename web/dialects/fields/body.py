"""JSON bodies, decoded at their top level only: every value that is not ours stays byte for byte as it came."""

from collections.abc import Callable, Sequence
from enum import Enum

import msgspec

from shared.errors import BadRequest

Fields = dict[str, msgspec.Raw]
Pieces = Sequence[bytes | bytearray | memoryview]
"""A body as it is sent, one after the other."""

MOST_FIELDS = 1000
_LARGE = 65536
"""A smaller body has too few fields to keep anybody waiting; two million take a second."""

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
encode = msgspec.json.Encoder().encode


def fields(body: bytes) -> Fields:
    """The top level of a request's body; raises BadRequest when it is not a JSON object of at most 1000 fields."""
    try:
        found = _decode(body) if len(body) < _LARGE else _decode_large(body)
    except msgspec.ValidationError:
        raise BadRequest("The body is JSON, but not an object") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply") from None
    if len(found) > MOST_FIELDS:
        raise _too_many()
    return found


def parsed(body: bytes) -> Fields | None:
    """The top level of a provider's body; None when it is not a JSON object."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def pieces(fields: Fields) -> Pieces:
    """The body with these fields. A long value is no copy, but a view of what came: requests wait for minutes."""
    found: list[bytearray | memoryview] = []
    short = bytearray(b"{")
    for name, value in fields.items():
        view = memoryview(value)
        short += encode(name) + b":"
        if len(view) < _LARGE:
            short += view
        else:
            found += (short, view)
            short = bytearray()
        short += b","
    found.append(short.removesuffix(b",") + b"}")
    return found


def _too_many() -> BadRequest:
    return BadRequest(f"The body has more than {MOST_FIELDS} fields")


def _bounded() -> Callable[[bytes], Fields]:
    """A decoder that gives up at the first field that is too many, before the others take time and memory.

    msgspec 0.22 asks nobody while it decodes but an Enum, about a name that is none of its members.
    """
    left = 0

    class Name(Enum):
        UNUSED = "-" * 8192  # its own member is not asked about; so long a name cannot come often
        text: str

        @classmethod
        def _missing_(cls, value: object) -> "Name":
            nonlocal left
            left -= 1
            if left < 0:
                raise ValueError
            name = object.__new__(cls)
            name.text = str(value)
            return name

        def __hash__(self) -> int:
            return id(self)

    Name.UNUSED.text = Name.UNUSED.value
    decode_named = msgspec.json.Decoder(dict[Name, msgspec.Raw]).decode

    def decode(body: bytes) -> Fields:
        nonlocal left
        left = MOST_FIELDS
        try:
            named = decode_named(body)
        except msgspec.ValidationError as error:
            if "at `key`" in str(error):
                raise _too_many() from None
            raise
        return {name.text: value for name, value in named.items()}

    return decode


_decode_large = _bounded()
