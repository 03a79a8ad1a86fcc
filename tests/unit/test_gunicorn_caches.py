"""What gunicorn makes anew for each request is made once, and says what it said before."""

import os
import sys
from email.utils import formatdate

import pytest
from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi

from web.server import gunicorn_caches
from web.server.gunicorn_caches import read_once
from web.server.worker import Worker


def test_every_setting_is_an_attribute_and_what_gunicorn_makes_of_it_stays() -> None:
    settings, usual = Config(), Config()
    for each in (settings, usual):
        each.set("keepalive", 95)
        each.set("bind", "127.0.0.1:1")

    read_once(settings)

    assert {name: vars(settings)[name] for name in usual.settings} == {
        name: setting.get() for name, setting in usual.settings.items()
    }
    made = ("worker_class_str", "address", "uid", "is_ssl", "sendfile", "reuse_port")
    assert [getattr(settings, name) for name in (*made, "keepalive")] == [
        getattr(usual, name) for name in (*made, "keepalive")
    ]


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `install` replaces in gunicorn is put back at the end."""
    monkeypatch.setattr(wsgi, "WSGIErrorsWrapper", wsgi.WSGIErrorsWrapper)
    monkeypatch.setattr(util, "http_date", util.http_date)


@pytest.mark.usefixtures("restored")
def test_a_worker_has_them() -> None:
    settings = Config()

    made = Worker(1, os.getpid(), [], None, 30, settings, None)
    made.tmp.close()

    assert "keepalive" in vars(settings)
    assert util.http_date is gunicorn_caches.http_date


@pytest.mark.usefixtures("restored")
def test_all_requests_write_their_errors_to_one_place() -> None:
    settings = Config()
    usual = wsgi.base_environ(settings)["wsgi.errors"]

    gunicorn_caches.install(settings)
    first, second = (wsgi.base_environ(settings)["wsgi.errors"] for _ in range(2))

    assert first is second
    assert first is not usual
    assert first.streams == usual.streams
    assert sys.stderr in first.streams


def test_the_date_is_that_of_its_second() -> None:
    times = (0.0, 1795352000.0, 1795352000.9, 1795352001.0, 0.5)

    assert [gunicorn_caches.http_date(each) for each in times] == [formatdate(each, usegmt=True) for each in times]
