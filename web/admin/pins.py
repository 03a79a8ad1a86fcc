"""Pins as the operator's API shows and changes them, and the check of the admin token."""

import base64
import binascii
import hmac
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import msgspec
from flask import Request, request

from shared.domain.pins import Held, Pin
from shared.domain.sessions import Session, identifier
from shared.errors import BadRequest, Denied, NoPin
from shared.store import keys
from web.services import current_services

_MOST = 1000
_MOST_CURSOR = 2**64 - 1
_SHOWN_CHARS = 40


class _Wanted(msgspec.Struct):
    model: str


_wanted = msgspec.json.Decoder(_Wanted).decode


def guard() -> None:
    """Raise Denied unless a request has the admin token, as a bearer token or as a browser's password."""
    token = current_services().settings.admin_token or ""
    if not hmac.compare_digest(_offered(request).encode("utf-8", "replace"), token.encode()):
        raise Denied("The admin token is missing or wrong; send it as `Authorization: Bearer <PLANO_ADMIN_TOKEN>`")


def page(asked: Request) -> tuple[int, list[dict[str, Any]]]:
    """About `?count=` pins from `?cursor=` on, and the next cursor, 0 at the end; raises BadRequest, StoreDown."""
    cursor, count = _number(asked, "cursor", 0, 0, _MOST_CURSOR), _number(asked, "count", 100, 1, _MOST)
    after, found = current_services().pins.page(cursor, count)
    return after, [_row(held) for held in sorted(found, key=lambda held: held.key)]


def shown(key: bytes) -> dict[str, Any]:
    """What stands under a key; raises NoPin, StoreDown."""
    held = current_services().pins.peek(key)
    if held is None:
        raise NoPin(f"There is no pin at {_text(key)}")
    return _row(held)


def remove(key: bytes) -> None:
    """End whatever stands under a key; raises NoPin, StoreDown."""
    if not current_services().pins.remove(key):
        raise NoPin(f"There is no pin at {_text(key)}")


def key_of(session_id: str, asked: Request) -> bytes:
    """The key of the session that a path and `?tenant=` name; raises BadRequest."""
    return _affinity(session_id.encode(), _raw(asked, b"tenant"))


def key_asked_for(asked: Request) -> bytes:
    """The key that `?session=` and `?tenant=` name, or `?key=`, whatever bytes it has; raises BadRequest."""
    key, session_id = _raw(asked, b"key"), _raw(asked, b"session")
    if key is None and session_id is None:
        raise BadRequest("Say ?session= and, if it has one, &tenant=; or ?key=", param="session")
    if key is None:
        return _affinity(session_id or b"", _raw(asked, b"tenant"))
    if not key.startswith(keys.AFFINITY.encode()):
        raise BadRequest(f"A key of a pin begins with {keys.AFFINITY}", param="key")
    return key


def wanted_pin(asked: Request) -> Pin:
    """The pin that a body asks for; raises BadRequest, UnknownModel."""
    try:
        wanted = _wanted(asked.get_data(cache=False))
    except msgspec.DecodeError:
        raise BadRequest('The body is not of the form {"model": "provider/model"}', param="model") from None
    return Pin(model_name=current_services().config.catalog.qualify(wanted.model), route_name=None)


def _row(held: Held) -> dict[str, Any]:
    pin = held.pin
    row = {
        "key": _text(held.key),
        "model_name": pin.model_name if pin else None,
        "route_name": pin.route_name if pin else None,
        "ttl_s": held.ttl_s,
        "href": f"/admin/pin?key={quote(held.key, safe='')}",
    }
    return row if pin else row | {"unreadable": held.kind}


def _text(key: bytes) -> str:
    return key.decode("utf-8", "backslashreplace")


def _affinity(session_id: bytes, tenant: bytes | None) -> bytes:
    session = identifier(session_id.decode("latin-1"), header="session")  # as a header holds it
    if session is None:
        raise BadRequest("The session is blank", param="session")
    named = identifier(tenant.decode("latin-1"), header="tenant") if tenant else None
    return keys.affinity(Session(session, named)).encode()


def _raw(asked: Request, name: bytes) -> bytes | None:
    """A value of the query, byte for byte: Flask's own has to be UTF-8."""
    pairs = (part.partition(b"=") for part in asked.query_string.split(b"&"))
    values = [unquote_to_bytes(value.replace(b"+", b" ")) for key, _, value in pairs if key == name]
    return values[0] if values else None


def _number(asked: Request, name: str, default: int, least: int, most: int) -> int:
    text = asked.args.get(name, str(default))
    if text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most:
        return int(text)
    raise BadRequest(f"{name} is {text[:_SHOWN_CHARS]!r}; it is a whole number from {least} to {most}", param=name)


def _offered(asked: Request) -> str:
    kind, _, credential = asked.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return credential.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(credential).decode("utf-8", "replace").partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""
