"""Where clients name their sessions: a table, of which the first row that matches counts."""

import enum
import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

import msgspec

from shared.domain.sessions import Session, identifier
from shared.errors import BadRequest

SESSION_HEADERS = {
    "HTTP_X_MODEL_AFFINITY": "X-Model-Affinity",
    "HTTP_X_ROUTING_SESSION_ID": "X-Routing-Session-Id",
    "HTTP_X_SESSION_ID": "X-Session-Id",
}
"""Each header by WSGI's name and by HTTP's. The first one that is present wins; the others are its older names."""
WISH = "HTTP_X_PLANO_AFFINITY"
"""The header that says what the client wants of its pin."""
BUDGET = ("HTTP_X_PLANO_ROUTING_BUDGET", "HTTP_X_PLANO_MAX_SWITCH_SPEND_PCT")
"""The headers that say what a request may spend; the second one is the reference's."""
_PERCENT = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,9})?")
_MOST_PERCENT = 1000
HEADER = "header"
"""The source of a session that one of these headers names: it has one pin, whatever model is asked for."""
_MAIN_LOOP = frozenset({"main", "subagent", "workflow"})
"""Classes of Claude Code's requests that have no lane of their own: `auxiliary` and `compaction` have."""

Environ = Mapping[str, str]
Hints = Callable[[], Mapping[str, str]]
"""What a request's body says of its session: an id for each source that it has one for."""


class Wish(enum.StrEnum):
    """What a client wants of its pin."""

    KEEP = ""
    OFF = "off"
    """None of any kind, for this request."""
    NEW = "new"
    """Another decision, which becomes the pin."""


class Sources(msgspec.Struct, frozen=True):
    """Which sources count: `routing.sessions_from`."""

    headers: bool = True
    agents: bool = True
    body: bool = True


class Named(msgspec.Struct, frozen=True):
    """A session, and who named it."""

    session: Session
    source: str


class _Client(msgspec.Struct, frozen=True):
    """How one kind of client names its sessions, and the lanes within them."""

    source: str
    headers: tuple[str, ...] = ()
    lanes: tuple[tuple[str, str], ...] = ()
    """Headers that tell its threads apart, each with what stands before the header's value in the lane's name."""


_BAGGAGE = "HTTP_BAGGAGE"
_CODEX = "HTTP_SESSION_ID"
"""`session-id`, which is `session_id` in older versions (0.139 has the hyphen): WSGI has one name for both."""
_OPENCODE = ("HTTP_X_SESSION_AFFINITY", "HTTP_X_OPENCODE_SESSION")
_CLIENTS = (
    _Client(
        "claude-code",
        ("HTTP_X_CLAUDE_CODE_SESSION_ID",),
        (("HTTP_X_CLAUDE_CODE_AGENT_ID", "agent."), ("HTTP_X_CLAUDE_CODE_REQUEST_CLASS", "class.")),
    ),
    _Client("codex", (_CODEX,), (("HTTP_THREAD_ID", "thread."), ("HTTP_X_OPENAI_SUBAGENT", "subagent."))),
    _Client("opencode", _OPENCODE),
    _Client("litellm", ("HTTP_X_LITELLM_SESSION_ID", "HTTP_X_LITELLM_TRACE_ID")),
    _Client("helicone", ("HTTP_HELICONE_SESSION_ID",)),
    _Client("open-webui", ("HTTP_X_OPENWEBUI_CHAT_ID",)),
    _Client("baggage", (_BAGGAGE,)),
    _Client("prompt-cache-key"),
    _Client("responses"),
)
_SESSION_MEMBER = re.compile(r"(?:^|,)\s*session\.id\s*=\s*([^,;\s]+)")  # of W3C Baggage


def wish(environ: Environ) -> Wish:
    """What the client wants of its pin; raises BadRequest."""
    said = environ.get(WISH, "").strip().lower()
    if not said:
        return Wish.KEEP
    if said not in list(Wish):
        raise BadRequest(f"X-Plano-Affinity is {said[:40]!r}; it is off or new", param="X-Plano-Affinity")
    return Wish(said)


def budget_percent(environ: Environ) -> float | None:
    """How much of its session's savings a request may spend on another model, if it says so; raises BadRequest."""
    said = next((environ[variable] for variable in BUDGET if environ.get(variable)), None)
    if said is None:
        return None
    found = _PERCENT.fullmatch(said.strip())
    if found is None or float(found[0]) > _MOST_PERCENT:
        raise BadRequest(
            f"X-Plano-Routing-Budget is {said[:40]!r}; it is a number from 0 to 1000", param="X-Plano-Routing-Budget"
        )
    return float(found[0])


def named_session(environ: Environ, hints: Hints, tenant: str | None, model: str, sources: Sources) -> Named | None:
    """The session that a request names, and who named it; None without one.

    `model` is the model that is asked for: a client's session has a pin for each, so that a call for a title with a
    small model does not decide about the others. Raises BadRequest when a header of `SESSION_HEADERS` has no usable
    id. An unusable id anywhere else counts as none, because it was not meant for this gateway.
    """
    if sources.headers and not (sources.agents and _is_opencode(environ)):
        for variable, name in SESSION_HEADERS.items():
            if variable in environ:
                session_id = identifier(environ[variable], header=name)
                if session_id:
                    return Named(Session(session_id, tenant), HEADER)
    said: Mapping[str, str] | None = None
    for client in _CLIENTS:
        found = _in_headers(environ, client) if sources.agents else None
        if found is None and sources.body:
            said = hints() if said is None else said
            found = _usable(said.get(client.source, ""))
        if found:
            return Named(Session(found, tenant, _lane(client, environ, found, model)), client.source)
    return None


def _lane(client: _Client, environ: Environ, session: str, model: str) -> tuple[str, ...]:
    """What tells this thread from the session's others, the model that is asked for last."""
    said = ((before, _usable(environ.get(variable, ""))) for variable, before in client.lanes)
    threads = [before + value for before, value in said if value and value != session and value not in _MAIN_LOOP]
    return (*threads, model)


def _in_headers(environ: Environ, client: _Client) -> str | None:
    for variable in client.headers:
        value = environ.get(variable)
        if value and variable == _BAGGAGE:
            member = _SESSION_MEMBER.search(value)
            value = member and unquote(member[1])
        elif value and variable == _CODEX:
            value = _one_of(value)
        found = _usable(value or "")
        if found:
            return found
    return None


def _one_of(value: str) -> str:
    """What a header says that came under both of its names; nothing where the two say different things."""
    said = {each.strip() for each in value.split(",")}
    return said.pop() if len(said) == 1 else ""


def _usable(value: str) -> str | None:
    try:
        return identifier(value, header="")
    except BadRequest:
        return None


def _is_opencode(environ: Environ) -> bool:
    """Whether the only strict header is X-Session-Id, and comes from opencode, which sends its id in two headers."""
    session = environ.get("HTTP_X_SESSION_ID")
    if session is None or "HTTP_X_MODEL_AFFINITY" in environ or "HTTP_X_ROUTING_SESSION_ID" in environ:
        return False
    return any(environ.get(variable) == session for variable in _OPENCODE)
