"""The pages of sessions: the list, and one session with what has happened to it."""

from math import ceil
from urllib.parse import urlencode

import msgspec
from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from shared.domain import routes
from shared.domain.sessions import Session
from shared.operations.operator_identity import Operator
from shared.operations.sessions import SessionState
from shared.operations.words import figures, sentence
from web.admin.api.endpoint import from_form, from_query
from web.admin.api.sessions import Changed, Pinned, Wanted, found
from web.admin.operations import model_names, operations
from web.admin.pages.page import render, who
from web.admin.session_input import Named, query_of
from web.services import current_services

_BUTTONS = ("unpin", "hold", "release")


def install(bp: Blueprint) -> None:
    """Add the pages."""
    bp.add_app_template_filter(sentence)
    bp.add_app_template_filter(figures)
    bp.add_app_template_filter(query_of, "session_query")
    bp.add_url_rule("/sessions", "sessions", listed)
    bp.add_url_rule("/session", "session", one)
    bp.add_url_rule("/session/pin", "pin", pin, methods=["POST"])
    for verb in _BUTTONS:
        bp.add_url_rule(f"/session/{verb}", verb, changed, methods=["POST"], defaults={"verb": verb})


def listed() -> ResponseReturnValue:
    """A page of the list."""
    wanted: Wanted = from_query(request, Wanted)
    page, named = found(wanted), {state.session: state for state in _named_so(wanted)}
    return render(
        "sessions.html",
        found=(*named.values(), *(state for state in page.sessions if state.session not in named)),
        wanted=wanted,
        models=model_names(),
        next=_at(wanted, page.after) if page.after else "",
        first=_at(wanted, 0),
        every=_at(msgspec.structs.replace(wanted, every=True), 0),
        here_url=_at(wanted, wanted.after),
        live=not wanted.every,
    )


def one() -> ResponseReturnValue:
    """One session."""
    named: Named = from_query(request, Named)
    timeline = operations().sessions.timeline(named.session)
    return render("session.html", state=timeline.state, events=timeline.events, models=model_names())


def pin() -> ResponseReturnValue:
    """Pin it where the form says."""
    asked: Pinned = from_form(request, Pinned)
    operations().sessions.pin(asked.session, asked.model, Operator(who(), asked.why), ceil(asked.ttl_s) or None)
    return _back(asked)


def changed(verb: str) -> ResponseReturnValue:
    """Unpin, hold or release it."""
    asked: Changed = from_form(request, Changed)
    getattr(operations().sessions, verb)(asked.session, Operator(who(), asked.why))
    return _back(asked)


def _named_so(wanted: Wanted) -> list[SessionState]:
    """The sessions whose whole id was asked for, wherever they come in the order; they are found at once.

    That of an agent has the model that it asks for behind its id. One that has a thread, too, takes a search.
    """
    name, config = wanted.text.strip(), current_services().config
    if not name or wanted.after or wanted.model:
        return []
    lanes = ((), *((model,) for model in routes.model_names(config.catalog, config.routes)))
    return operations().sessions.known([Session(name, wanted.tenant or None, lane) for lane in lanes])


def _back(named: Named) -> ResponseReturnValue:
    return redirect(f"/admin/session?{query_of(named.session)}", 303)


def _at(wanted: Wanted, after: int) -> str:
    """The list with the same choice, from another place on."""
    chosen = msgspec.to_builtins(msgspec.structs.replace(wanted, after=after))
    given = {name: "true" if value is True else value for name, value in chosen.items() if value}
    return "/admin/sessions?" + urlencode(given, errors="surrogatepass")
