"""gunicorn's settings: `gunicorn -c python:web.gunicorn_conf web.wsgi:app`."""

from gevent import monkey

monkey.patch_all()  # first of all: the application is loaded before the workers fork

import gc  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from typing import Any  # noqa: E402

from shared import telemetry  # noqa: E402
from shared.config import load  # noqa: E402
from shared.errors import ConfigError  # noqa: E402
from shared.settings import Settings  # noqa: E402

try:
    _settings = Settings.from_env(os.environ)
    _config = load(_settings.config, os.environ)
except ConfigError as error:
    sys.exit(str(error))
telemetry.set_up_logging(_settings.log_format)
_counters = tempfile.mkdtemp(prefix="plano-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _counters  # read when prometheus_client is imported, below

_port = _settings.port or _config.listener.port
bind = f"{_config.listener.address}:{_port}"
workers = _settings.web_concurrency
worker_class = "web.server.Worker"
worker_connections = 4096
preload_app = True  # a config fault ends the start instead of a worker, again and again; and memory is shared
limit_request_fields = _config.limits.headers
limit_request_field_size = _config.limits.header_bytes
forwarded_allow_ips = "*"  # who the peer is does not matter, since nothing that proxies add is believed:
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""  # a proxy's SCRIPT_NAME would change the path, and clients can send one through it
keepalive = 95  # seconds, longer than balancers keep idle connections (Heroku's router: 90)
graceful_timeout = _settings.drain_delay_s + _settings.graceful_timeout_s + 3  # then gunicorn kills
timeout = 60
control_socket_disable = True
accesslog = None
logger_class = "web.server.Log"


def when_ready(server: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """What was loaded stays: the collector need not look at it again, and forks share its pages."""
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """The process is there: connect it to Redis, and say so."""
    from web import presence, wire, wsgi  # noqa: PLC0415 - the application was loaded by now

    once = ("Authorization", _config.routing.tenant_header or "", *wire.SESSION_HEADERS.values())
    worker.limit(_config.limits, frozenset(map(str.upper, once)))
    for each in wsgi.base.background:
        each.start()
    presence.announce(wsgi.base, _port)


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """A process that is gone no longer counts as live."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - it reads the environment when it is imported

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """The counters of all processes go with the last of them."""
    shutil.rmtree(_counters, ignore_errors=True)
