"""What gunicorn makes anew for each request and is the same each time: docs/decisions/0007 has why it may be kept."""

import time
from email.utils import formatdate
from functools import cache, lru_cache

from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import wsgi

_errors = cache(wsgi.WSGIErrorsWrapper)
"""`wsgi.errors`: gunicorn looks up a logger for each, which takes a lock."""


def install(settings: Config) -> None:
    """Have gunicorn use what is below in this process, once it has all its settings."""
    util.http_date = http_date
    wsgi.WSGIErrorsWrapper = _errors
    read_once(settings)


def read_once(settings: Config) -> None:
    """Make plain attributes of the settings. gunicorn looks one up by two calls, some 25 times for a request."""
    vars(settings).update({name: setting.get() for name, setting in settings.settings.items()})


def http_date(timestamp: float | None = None) -> str:
    """The Date of an answer, now if no time is given; made once a second."""
    return _date(int(time.time() if timestamp is None else timestamp))


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
