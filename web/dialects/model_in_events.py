"""Puts another name of the model into an event of a stream that holds the answer one level down."""

import msgspec

from web.dialects.fields import body
from web.dialects.fields.body import Fields


def renamed(line: bytes, fields: Fields, within: str, inner: Fields, model: msgspec.Raw) -> bytes:
    """The line with the model of `inner`, which its fields hold as `within`, replaced; all else as it came."""
    if "model" not in inner:
        return line
    inner["model"] = model
    return data_line(line, {**fields, within: msgspec.Raw(body.encode(inner))})


def data_line(line: bytes, fields: Fields) -> bytes:
    """The line with these fields in place of its own, its spelling of the beginning and the end kept."""
    content = line[5:]
    start = content[: len(content) - len(content.lstrip(b" "))]
    end = content[len(content.rstrip(b"\r\n")) :]
    return b"data:" + start + body.encode(fields) + end
