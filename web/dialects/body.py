"""JSON bodies, decoded at their top level only: every value that is not ours stays byte for byte as it came."""

import msgspec

from shared.errors import BadRequest

Fields = dict[str, msgspec.Raw]

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
encode = msgspec.json.Encoder().encode


def fields(body: bytes) -> Fields:
    """The top level of a request's body; raises BadRequest when it is not a JSON object."""
    try:
        return _decode(body)
    except msgspec.ValidationError:
        raise BadRequest("The body is JSON, but not an object") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply") from None


def parsed(body: bytes) -> Fields | None:
    """The top level of a provider's body; None when it is not a JSON object."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
