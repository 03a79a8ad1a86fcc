"""Sessions in the operator's API."""

from math import ceil
from typing import Annotated

import msgspec
from flask import request

from shared.domain.session_records import Event, Order, Record
from shared.operations.operator_identity import Operator
from shared.operations.sessions import Filter, Page, SessionState, Timeline
from web.admin.api.endpoint import Endpoint, plain
from web.admin.login import MOST_NAME
from web.admin.operations import operations
from web.admin.session_input import Named
from web.services import current_services

MOST = 200
Why = Annotated[str, msgspec.Meta(max_length=200, description="Why; it is kept as an event of the session.")]
Model = Annotated[
    str, msgspec.Meta(min_length=1, max_length=256, description="An alias, `provider/model`, or an id.")
]


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sessions are asked for."""

    order: Annotated[Order, msgspec.Meta(description="The most first, among the first thousand of each order.")] = (
        Order.LAST_USE
    )
    tenant: Annotated[str, msgspec.Meta(max_length=256, description="Those of one tenant.")] = ""
    model: Annotated[str, msgspec.Meta(max_length=256, description="Those that one model serves.")] = ""
    text: Annotated[str, msgspec.Meta(max_length=256, description="Those whose id has this in it.")] = ""
    ended: Annotated[bool, msgspec.Meta(description="Those, too, whose pin has ended.")] = False
    every: Annotated[
        bool, msgspec.Meta(description="Not the first thousand of an order: all that there are, in no order.")
    ] = False
    after: Annotated[
        int, msgspec.Meta(ge=0, le=2**63 - 1, description="Where to go on: `after` of the last page.")
    ] = 0
    count: Annotated[int, msgspec.Meta(ge=1, le=MOST, description="How many sessions a page has, about.")] = 50


class Pinned(Named, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session, and where it shall be."""

    model: Model
    ttl_s: Annotated[
        float, msgspec.Meta(ge=0, le=30 * 86400, description="For how many seconds; 0: as long as any pin.")
    ] = 0.0
    why: Why = ""


class Changed(Named, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session, and why it is changed."""

    why: Why = ""


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session: what is kept of it, and its pin."""

    id: str
    tenant: str | None
    lane: tuple[str, ...]
    model: str
    route: str | None
    pinned: bool
    held: bool
    ttl_s: int | None
    record: Record | None


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some sessions, and where the next page begins; 0: there is none."""

    sessions: tuple[SessionRow, ...]
    after: int


class SessionTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """A session and what has happened to it, the oldest first."""

    session: SessionRow
    events: tuple[Event, ...]


def row(state: SessionState) -> SessionRow:
    """A session as it is answered."""
    session, pin, record = state.session, state.pin, state.record
    return SessionRow(
        id=plain(session.id),
        tenant=session.tenant and plain(session.tenant),
        lane=tuple(map(plain, session.lane)),
        model=state.model,
        route=pin.route_name if pin else record.route if record else None,
        pinned=pin is not None,
        held=pin is not None and pin.held,
        ttl_s=state.ttl_s,
        record=record,
    )


def found(wanted: Wanted) -> Page:
    """A page of sessions; raises StoreDown, UnknownModel."""
    ops = operations()
    model = current_services().config.catalog.qualify(wanted.model) if wanted.model else None
    kept = Filter(tenant=wanted.tenant or None, model=model, text=wanted.text, ended=wanted.ended)
    if wanted.every:
        return ops.sessions.search(wanted.after, wanted.count, kept)
    return ops.sessions.page(wanted.order, wanted.after, wanted.count, kept)


def by(why: str) -> Operator:
    """Who asks by the API, and why."""
    return Operator(request.headers.get("X-Plano-Operator", "").strip()[:MOST_NAME] or "api", plain(why))


def _list(wanted: Wanted) -> SessionPage:
    page = found(wanted)
    return SessionPage(sessions=tuple(map(row, page.sessions)), after=page.after)


def _show(named: Named) -> SessionTimeline:
    return _timeline(operations().sessions.timeline(named.session))


def _timeline(timeline: Timeline) -> SessionTimeline:
    return SessionTimeline(session=row(timeline.state), events=timeline.events)


def _pin(asked: Pinned) -> SessionRow:
    return row(operations().sessions.pin(asked.session, asked.model, by(asked.why), ceil(asked.ttl_s) or None))


def _unpin(asked: Changed) -> None:
    operations().sessions.unpin(asked.session, by(asked.why))


def _hold(asked: Changed) -> SessionRow:
    return row(operations().sessions.hold(asked.session, by(asked.why)))


def _release(asked: Changed) -> SessionRow:
    return row(operations().sessions.release(asked.session, by(asked.why)))


ENDPOINTS = (
    Endpoint(
        method="GET", path="/sessions", name="sessions", takes=Wanted, answers=SessionPage, ask=_list,
        does="The sessions that were used last, cost most or kept most; or a search among all.",
    ),
    Endpoint(
        method="GET", path="/session", name="session", takes=Named, answers=SessionTimeline, ask=_show,
        does="One session and what has happened to it.",
    ),
    Endpoint(
        method="POST", path="/session/pin", name="pin", takes=Pinned, answers=SessionRow, ask=_pin,
        does="Pin a session to a model: its next request is served by it.",
    ),
    Endpoint(
        method="POST", path="/session/unpin", name="unpin", takes=Changed, answers=None, ask=_unpin,
        does="End a session's pin: its next request is decided anew.",
    ),
    Endpoint(
        method="POST", path="/session/hold", name="hold", takes=Changed, answers=SessionRow, ask=_hold,
        does="Hold a session at its model: nothing moves it.",
    ),
    Endpoint(
        method="POST", path="/session/release", name="release", takes=Changed, answers=SessionRow, ask=_release,
        does="End a hold.",
    ),
)  # fmt: skip
