"""The Flask application around its services."""

from flask import Flask

from web import errors, tracing
from web.lean import LeanFlask, NoSessions
from web.services import EXTENSION, Services
from web.views import admin, chat, decisions, health, metrics, models


def create_app(services: Services) -> Flask:
    """An application that serves with these services."""
    app = LeanFlask("plano")
    app.session_interface = NoSessions()
    app.config["MAX_CONTENT_LENGTH"] = services.config.limits.body_bytes
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # what is not served is refused: 405
    app.url_map.merge_slashes = False  # … and 404, never a redirect
    app.extensions[EXTENSION] = services
    errors.install(app)
    if services.tracing.on:
        tracing.install(app, services.tracing)
    for view in (chat, decisions, models, health, metrics):
        app.register_blueprint(view.bp)
    if services.settings.admin_token:
        app.register_blueprint(admin.bp)
    return app
