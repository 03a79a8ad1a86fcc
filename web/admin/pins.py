"""Pins as the operator's API shows and changes them, and the check of the admin token."""

import base64
import binascii
import hmac
from typing import Any

import msgspec
from flask import Request, request

from shared.domain.pins import Pin
from shared.domain.sessions import Session, identifier
from shared.errors import BadRequest, Denied, NoPin
from web.services import current_services

_MOST = 1000


class _Wanted(msgspec.Struct):
    model: str


_wanted = msgspec.json.Decoder(_Wanted).decode


def guard() -> None:
    """Raise Denied unless a request has the admin token, as a bearer token or as a browser's password."""
    token = current_services().settings.admin_token or ""
    if not hmac.compare_digest(_offered(request).encode("utf-8", "replace"), token.encode()):
        raise Denied("The admin token is missing or wrong; send it as `Authorization: Bearer <PLANO_ADMIN_TOKEN>`")


def page(asked: Request) -> tuple[int, list[dict[str, Any]]]:
    """About `?count=` pins from `?cursor=` on, and the next cursor, 0 at the end; raises StoreDown."""
    cursor, count = _number(asked, "cursor", 0), min(_number(asked, "count", 100), _MOST)
    after, found = current_services().pins.page(cursor, count)
    return after, [_row(key, pin, ttl_s) for key, (pin, ttl_s) in sorted(found.items())]


def shown(session: Session) -> dict[str, Any]:
    """A session's pin; raises NoPin, StoreDown."""
    seen = current_services().pins.peek(session)
    if seen is None:
        raise NoPin(f"The session {session.id!r} has no pin")
    return _row(session.id, *seen)


def drop(session: Session) -> None:
    """End a session's pin; raises NoPin, StoreDown."""
    seen = current_services().pins.peek(session)
    if seen is None or not current_services().pins.drop(session, seen[0]):
        raise NoPin(f"The session {session.id!r} has no pin")


def session(session_id: str, asked: Request) -> Session:
    """The session that a path and `?tenant=` name; raises BadRequest."""
    tenant = asked.args.get("tenant")
    found = identifier(session_id, header="session")
    if found is None:
        raise BadRequest("The session is blank", param="session")
    return Session(found, identifier(tenant, header="tenant") if tenant else None)


def wanted_pin(asked: Request) -> Pin:
    """The pin that a body asks for; raises BadRequest, UnknownModel."""
    try:
        wanted = _wanted(asked.get_data(cache=False))
    except msgspec.DecodeError:
        raise BadRequest('The body is not of the form {"model": "provider/model"}', param="model") from None
    return Pin(model_name=current_services().config.catalog.qualify(wanted.model), route_name=None)


def _row(key: str, pin: Pin, ttl_s: int) -> dict[str, Any]:
    return {"key": key, "model_name": pin.model_name, "route_name": pin.route_name, "ttl_s": ttl_s}


def _number(asked: Request, name: str, default: int) -> int:
    text = asked.args.get(name, str(default))
    if not text.isdecimal():
        raise BadRequest(f"{name} is {text!r}; it is a whole number", param=name)
    return int(text)


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
