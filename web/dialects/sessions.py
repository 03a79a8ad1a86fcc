"""Where a client names its session."""

from collections.abc import Mapping

from shared.domain.sessions import Session, identifier

SESSION_HEADERS = {
    "HTTP_X_MODEL_AFFINITY": "X-Model-Affinity",
    "HTTP_X_ROUTING_SESSION_ID": "X-Routing-Session-Id",
    "HTTP_X_SESSION_ID": "X-Session-Id",
}
"""Each header by WSGI's name and by HTTP's. The first one that is present wins; the others are its older names."""


def session_of(environ: Mapping[str, str], tenant: str | None) -> Session | None:
    """The session that a request names; raises BadRequest when it is no usable id."""
    for variable, name in SESSION_HEADERS.items():
        if variable in environ:
            session_id = identifier(environ[variable], header=name)
            if session_id:
                return Session(session_id, tenant)
    return None
