"""Whatever stands under the keys of pins, readable or not, in the operator's API."""

from typing import Annotated
from urllib.parse import quote_from_bytes

import msgspec
from flask import request

from shared.domain.pins import Held, Pin
from shared.errors import BadRequest, NoPin
from shared.store import keys
from web.admin.api.endpoint import Endpoint, query_pairs
from web.admin.api.sessions import Why, by
from web.admin.operations import operations
from web.services import current_services


class Listed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of keys is asked for."""

    cursor: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1, description="Where to go on; 0: at the beginning.")] = 0
    count: Annotated[int, msgspec.Meta(ge=1, le=1000, description="How many keys a page has, about.")] = 100


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names a key."""

    key: Annotated[
        str,
        msgspec.Meta(pattern="^plano:affinity:", description="It begins with plano:affinity:, and may be any bytes."),
    ]


class Removed(Key, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names a key, and says why what stands there is removed."""

    why: Why = ""


class PinRow(msgspec.Struct, frozen=True, kw_only=True):
    """What stands under a key."""

    key: str
    """Bytes that are no text stand in it as `\\\\xff`."""
    query: str
    """The query that names the key, whatever bytes it has."""
    pin: Pin | None
    """None: no pin can be read there."""
    ttl_s: int
    kind: str
    """What Redis calls its type."""


class PinPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some keys, and where the next page begins; 0: there is none."""

    pins: tuple[PinRow, ...]
    cursor: int


def _list(listed: Listed) -> PinPage:
    after, found = current_services().pins.page(listed.cursor, listed.count)
    rows = tuple(map(_row, sorted(found, key=lambda held: held.key)))
    return PinPage(pins=rows, cursor=after)


def _show(_: Key) -> PinRow:
    key = _key()
    held = current_services().pins.peek(key)
    if held is None:
        raise NoPin(f"There is no pin at {_text(key)}")
    return _row(held)


def _remove(asked: Removed) -> None:
    operations().sessions.remove(_key(), by(asked.why))


def _row(held: Held) -> PinRow:
    return PinRow(
        key=_text(held.key),
        query=f"key={quote_from_bytes(held.key, safe='')}",
        pin=held.pin,
        ttl_s=held.ttl_s,
        kind=held.kind,
    )


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")


def _key() -> bytes:
    """The key that the query names, byte for byte; raises BadRequest."""
    key = dict(query_pairs(request))[b"key"]
    if not key.startswith(keys.AFFINITY.encode()):
        raise BadRequest(f"A key of a pin begins with {keys.AFFINITY}", param="key")
    return key


ENDPOINTS = (
    Endpoint(
        method="GET", path="/pins", name="pins", takes=Listed, answers=PinPage, ask=_list,
        does="What stands under the keys of pins, readable or not, in no order.",
    ),
    Endpoint(
        method="GET", path="/pin", name="pin_at_key", takes=Key, answers=PinRow, ask=_show,
        does="What stands under one of these keys.",
    ),
    Endpoint(
        method="DELETE", path="/pin", name="remove_pin_at_key", takes=Removed, answers=None, ask=_remove,
        does="Remove whatever stands there; a session's pin is ended as by /session/unpin.",
    ),
)  # fmt: skip
