"""The Flask application around its services."""

from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, MapAdapter, Rule

from web.admin import public_paths
from web.admin.api import blueprint as admin_api
from web.admin.pages import blueprint as admin_pages
from web.api import chat, decisions, errors, greetings, messages, models, passthrough, probes, responses
from web.ops import tracing
from web.proxy.wsgi_response import WsgiResponse
from web.services import EXTENSION, Services


class _Known(MapAdapter):
    """A path that is one view's and has no variable part: it is matched already."""

    def __init__(self, every: Map, rule: Rule, method: str) -> None:
        super().__init__(every, "", "/", "", "http", rule.rule, method)
        self._rule = rule

    def match(self, *_: Any, **__: Any) -> Any:
        """The view's rule, and no arguments."""
        return self._rule, {}


class _NoSessions(SessionInterface):
    """No session of Flask's, which would be made for each request: nothing here has a cookie of Flask's."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002 - Flask's signature
        """The session that nothing can be kept in."""
        return self._none


class Gateway(Flask):
    """A Flask application of one host that builds no URL: docs/decisions/0012 has what that saves."""

    session_interface = _NoSessions()

    def __init__(self, import_name: str, **options: Any) -> None:
        super().__init__(import_name, **options)
        self._known: dict[tuple[str, str], _Known] = {}

    def know_paths(self) -> None:
        """Match every path without a variable part, once for all requests; for when all views are there."""
        for rule in self.url_map.iter_rules():
            for method in () if rule.arguments else rule.methods or ():
                self._known[method, rule.rule] = _Known(self.url_map, rule, method)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What matches the path; Flask would first work out host, scheme and subdomain."""
        if request is None:
            return None
        method, path = request.method, _path(request)
        return self._known.get((method, path)) or MapAdapter(self.url_map, "", "/", "", "http", path, method)

    def make_response(self, rv: Any) -> Response:
        """The response that a view has returned; a WsgiResponse is one."""
        return cast(Response, rv) if isinstance(rv, WsgiResponse) else super().make_response(rv)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself: no view here is a coroutine, which Flask would find out for each request."""
        return func


def create_app(services: Services) -> Flask:
    """An application that serves with these services."""
    app = Gateway("plano", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = services.config.limits.body_bytes
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # OPTIONS is a 405 where no view serves it
    app.url_map.merge_slashes = False  # a path with a doubled slash is a 404, never a redirect
    app.extensions[EXTENSION] = services
    errors.install(app)
    if services.tracing.on:
        tracing.install(app, services.tracing)
    for endpoint in (chat, messages, responses, passthrough, decisions, greetings, models, probes):
        app.register_blueprint(endpoint.bp)
    if services.settings.admin_token:
        for part in (public_paths, admin_api, admin_pages):
            app.register_blueprint(part.bp)
    app.know_paths()
    return app


def _path(request: Request) -> str:
    """The path as the client has written it, so that nobody gets past a proxy's rules by writing it in another way.

    Only under /admin/ may it be encoded: ids of sessions are part of the path there. Raises NotFound.
    """
    written: str = request.environ["RAW_URI"].partition("?")[0]
    if not written.startswith("/"):  # a whole URL: only its path counts
        written = "/" + written.partition("://")[2].partition("/")[2]
    if written.startswith("//"):  # werkzeug would see one slash
        raise NotFound
    return request.path if written.startswith("/admin/") else written
