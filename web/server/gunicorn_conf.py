"""gunicorn's settings: `gunicorn -c python:web.server.gunicorn_conf web.wsgi:app`."""

from gevent import monkey

monkey.patch_all()  # first of all: the application is loaded before the workers fork

import gc  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from typing import Any  # noqa: E402

from shared import logs  # noqa: E402
from shared.config import load  # noqa: E402
from shared.env_settings import Settings  # noqa: E402
from shared.errors import ConfigError  # noqa: E402
from shared.log_fields import REQUEST_ID  # noqa: E402
from web.access_keys import PROVIDER_AUTHORIZATION  # noqa: E402
from web.dialects.fields.sessions import SESSION_HEADERS  # noqa: E402
from web.server.access_log import CLIENT_GONE, AccessLog  # noqa: E402
from web.server.connections import PROBES  # noqa: E402
from web.server.open_file_limit import connections  # noqa: E402
from web.server.protocol_errors import ONCE  # noqa: E402
from web.server.worker import Log, Worker  # noqa: E402

try:
    _settings = Settings.from_env(os.environ)
    _config = load(_settings.config, os.environ)
except ConfigError as error:
    sys.exit(str(error))
logs.set_up_logging(_settings.log_format)
_access_log = AccessLog(as_json=_settings.log_format == "json") if _settings.access_log else None
_counters = tempfile.mkdtemp(prefix="plano-metrics-")
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _counters  # read when prometheus_client is imported, below

_port = _settings.port or _config.listener.port
bind = f"{_config.listener.address}:{_port}"
workers = _settings.web_concurrency
worker_class = Worker
worker_connections = connections(_config.limits.waiting_requests)
preload_app = True  # a fault in the config ends the start, and not one worker after another; and forks share memory
limit_request_fields = _config.limits.headers
limit_request_field_size = _config.limits.header_bytes
forwarded_allow_ips = "*"  # any peer may be a proxy, because none of the headers that proxies add is believed:
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = "SESSION_ID"  # of older Codex; gunicorn drops all other names with an underscore.
# SCRIPT_NAME, which gunicorn would take as well, would change the path, and clients can send one through a proxy.
keepalive = 95  # seconds, longer than balancers keep idle connections (Heroku's router: 90)
graceful_timeout = _settings.drain_delay_s + _settings.graceful_timeout_s + 3  # then gunicorn kills
timeout = 60
control_socket_disable = True
accesslog = None
logger_class = Log


def when_ready(server: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Exempt all that is loaded from garbage collection, so that forked processes share its memory pages."""
    gc.freeze()


def post_worker_init(worker: Any) -> None:
    """Configure the worker of a process that was just forked, and start its background work."""
    from web import wsgi  # noqa: PLC0415 - the application is loaded only after this file
    from web.ops import metrics  # noqa: PLC0415 - it needs the folder that is named above
    from web.services import heartbeat_of  # noqa: PLC0415

    tenant_header = _config.routing.session_cache.tenant_header
    named = filter(None, (PROVIDER_AUTHORIZATION, tenant_header, *SESSION_HEADERS.values()))
    worker.configure(
        _config.limits,
        ONCE.union(map(str.upper, named)),
        drain=wsgi.services.health.drain,
        responded=metrics.responded,
        drain_delay_s=_settings.drain_delay_s,
        graceful_timeout_s=_settings.graceful_timeout_s,
    )
    for each in (*wsgi.services.background, *heartbeat_of(wsgi.base, _port)):
        each.start()


def worker_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Hand over what a process that ends has gathered in its last second; one that never served has nothing."""
    if worker.booted:
        from web import wsgi  # noqa: PLC0415

        wsgi.services.hand_over()


def post_request(worker: Any, req: Any, environ: dict[str, Any], resp: Any) -> None:  # noqa: ARG001
    """Count and log a request that has ended, with its answer or because its client has gone."""
    if resp and environ["PATH_INFO"] not in PROBES:
        worker.responded(resp.status_code if resp.status else CLIENT_GONE)
    if _access_log and resp:
        _access_log.write(environ, resp)
    REQUEST_ID.set("")


def child_exit(server: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Tell prometheus_client that a process has ended."""
    from prometheus_client import multiprocess  # noqa: PLC0415 - it reads the environment when it is imported

    multiprocess.mark_process_dead(worker.pid)


def on_exit(server: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    """Remove the files in which all processes kept their counters."""
    shutil.rmtree(_counters, ignore_errors=True)
