"""A path is matched as werkzeug matches it, whether that was done before or not."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Flask, Request
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import MapAdapter
from werkzeug.test import EnvironBuilder

from web.app import create_app
from web.services import Services


@pytest.fixture(scope="module")
def app() -> Flask:
    said = {"config": {"limits": {"body_bytes": 1}}, "tracing": {"on": False}, "settings": {"admin_token": "token"}}
    return create_app(cast(Services, _namespace(said)))


def test_every_path_has_the_view_that_werkzeug_finds(app: Flask) -> None:
    fixed = [rule for rule in app.url_map.iter_rules() if not rule.arguments]

    assert len(fixed) > 20
    for rule in fixed:
        for method in rule.methods or ():
            usual = MapAdapter(app.url_map, "", "/", "", "http", rule.rule, method)
            assert _matched(app, method, rule.rule) == usual.match(return_rule=True)


def test_a_path_with_a_variable_part_is_matched_with_it(app: Flask) -> None:
    rule, arguments = _matched(app, "GET", "/v1/models/openai/gpt-5.2")

    assert (rule.endpoint, arguments) == ("models.one", {"written": "openai/gpt-5.2"})


@pytest.mark.parametrize(
    ("method", "path", "refusal"),
    [
        ("GET", "/v1/chat/completions", MethodNotAllowed),
        ("OPTIONS", "/livez", MethodNotAllowed),
        ("POST", "/v1/chat/completions/", NotFound),
        ("POST", "/v1/chat", NotFound),
    ],
)
def test_what_no_view_serves_is_refused(app: Flask, method: str, path: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        _matched(app, method, path)


def _matched(app: Flask, method: str, path: str) -> Any:
    environ = EnvironBuilder(path, method=method).get_environ()
    environ["RAW_URI"] = path
    adapter = app.create_url_adapter(Request(environ))
    assert adapter is not None
    return adapter.match(return_rule=True)


def _namespace(said: Any) -> Any:
    return (
        SimpleNamespace(**{name: _namespace(value) for name, value in said.items()})
        if isinstance(said, dict)
        else said
    )
