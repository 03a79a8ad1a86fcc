"""The Flask application around its services."""

from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Request, Response
from werkzeug.exceptions import NotFound
from werkzeug.routing import MapAdapter

from web.admin import public_paths
from web.admin.api import views as admin_api
from web.admin.pages import views as admin_pages
from web.api import chat, decisions, errors, greetings, messages, models, passthrough, probes, responses
from web.ops import tracing
from web.proxy.ready_response import ReadyResponse
from web.services import EXTENSION, Services


class Gateway(Flask):
    """A Flask application of one host that builds no URL: docs/decisions/0012 has what that saves."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What matches the path; Flask would first work out host, scheme and subdomain."""
        if request is None:
            return None
        return MapAdapter(self.url_map, "", "/", "", "http", _path(request), request.method)

    def make_response(self, rv: Any) -> Response:
        """The response that a view has returned; a ReadyResponse is one."""
        return cast(Response, rv) if isinstance(rv, ReadyResponse) else super().make_response(rv)

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
