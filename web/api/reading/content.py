"""The body of a client's request: read, unpacked, and within the limit."""

import zlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import gevent
from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from shared.errors import BadRequest

_PIECE = 1024 * 1024
"""How much is unpacked at once, in some milliseconds; others have their turn in between."""
_GZIP = 31  # zlib's window of 32 KB, with gzip's head and checksum
_WINDOW_LOG = 23  # 8 MB: RFC 9659 allows no larger window where zstd is a Content-Encoding


def read(environ: Mapping[str, Any], limit: int) -> bytes:
    """The body as its client meant it.

    Raises RequestEntityTooLarge when it has more than `limit` bytes, packed or unpacked, BadRequest when it breaks
    off or is not what Content-Encoding says, and UnsupportedMediaType for another coding than gzip and zstd.
    """
    sent = _sent(environ, limit)
    coding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    return _unpacked(sent, coding, environ, limit) if coding and coding != "identity" else sent


def _sent(environ: Mapping[str, Any], limit: int) -> bytes:
    """The body as it was sent.

    It is read here for three reasons. werkzeug 3.1 takes 12 µs for it, cuts a chunked body at the limit without a
    word, and takes what a client that went away has sent for the whole body.
    """
    declared = environ.get("CONTENT_LENGTH")  # None: the body is chunked. gunicorn has refused what is not a number
    length = limit + 1 if declared is None else int(declared or 0)
    if declared and length > limit:
        raise RequestEntityTooLarge
    try:
        content = cast(bytes, environ["wsgi.input"].read(length))
    except OSError:  # gunicorn's word for a body that breaks off
        raise BadRequest("The body breaks off before its end") from None
    if len(content) > limit:
        raise RequestEntityTooLarge
    if declared and len(content) < length:
        raise BadRequest("The body is shorter than its Content-Length")
    return content


def _unpacked(sent: bytes, coding: str, environ: Mapping[str, Any], limit: int) -> bytes:
    """The body without its coding; never more than a piece past the limit is unpacked.

    What is unpacked counts as held by the process, as what arrives does: a few KB may become `limit` bytes.
    """
    unpack = _unpacker(coding)
    pieces: list[bytes] = []
    size, ended = 0, False
    while not ended:
        try:
            piece, ended = unpack(sent)
        except (zlib.error, ZstdError) as error:
            raise BadRequest(f"The body is not what Content-Encoding says, {coding}: {error}") from None
        if not (piece or ended):
            raise BadRequest(f"The body breaks off before its end as {coding}")
        sent = b""
        size += len(piece)
        if size > limit:
            raise RequestEntityTooLarge
        environ["gunicorn.socket"].hold(len(piece))
        pieces.append(piece)
        gevent.sleep(0)
    return b"".join(pieces)


def _unpacker(coding: str) -> Callable[[bytes], tuple[bytes, bool]]:
    """A function that takes the body at its first call, and returns the next piece and whether it is the last."""
    if coding in {"gzip", "x-gzip"}:
        return _gzip()
    if coding == "zstd":
        return _zstd()
    raise UnsupportedMediaType(f"Content-Encoding is {coding[:40]!r}; send the body as gzip, as zstd or unpacked")


def _gzip() -> Callable[[bytes], tuple[bytes, bool]]:
    unpacker = zlib.decompressobj(_GZIP)

    def unpack(data: bytes) -> tuple[bytes, bool]:
        piece = unpacker.decompress(unpacker.unconsumed_tail or data, _PIECE)
        return piece, _is_all(unpacker.eof, unpacker.unused_data)

    return unpack


def _zstd() -> Callable[[bytes], tuple[bytes, bool]]:
    unpacker = ZstdDecompressor(options={DecompressionParameter.window_log_max: _WINDOW_LOG})

    def unpack(data: bytes) -> tuple[bytes, bool]:
        piece = unpacker.decompress(data, _PIECE)
        return piece, _is_all(unpacker.eof, unpacker.unused_data)

    return unpack


def _is_all(ended: bool, left: bytes) -> bool:
    if ended and left:
        raise BadRequest("The body goes on after the end of what is packed in it")
    return ended
