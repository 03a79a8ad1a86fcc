"""Names of libraries that we replace, or use although no manual has them. A page in docs/ for each library says why.

One name a line, functions with their parameters. Attributes that only an object has are looked for in one that `made`
makes.
"""

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import fakeredis
import gevent.socket
import gunicorn.config
import gunicorn.glogging
import gunicorn.http
import honcho.manager
import redis
import rq
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPSocketPoolResponse
from gunicorn.workers.ggevent import GeventWorker

GUNICORN = """
gunicorn.config.Config.settings
gunicorn.config.Setting.get(self)
gunicorn.glogging.Logger.error_log
gunicorn.glogging.Logger.setup(self, cfg)
gunicorn.http.body.Body.buf
gunicorn.http.body.Body.failed
gunicorn.http.body.Body.getsize(self, size)
gunicorn.http.body.Body.read(self, size)
gunicorn.http.body.Body.reader
gunicorn.http.body.ChunkedReader.parser
gunicorn.http.body.LengthReader.length
gunicorn.http.body.LengthReader.read(self, size)
gunicorn.http.errors.ExpectationFailed
gunicorn.http.errors.InvalidHeader
gunicorn.http.errors.InvalidResponseHeader
gunicorn.http.errors.InvalidResponseHeaderName
gunicorn.http.errors.LimitRequestHeaders
gunicorn.http.errors.LimitRequestLine
gunicorn.http.errors.NoMoreData
gunicorn.http.errors.ObsoleteFolding
gunicorn.http.errors.ParseException
gunicorn.http.errors.UnsupportedTransferCoding
gunicorn.http.message.Request.body
gunicorn.http.message.Request.force_close(self)
gunicorn.http.message.Request.headers
gunicorn.http.message.Request.method
gunicorn.http.message.Request.path
gunicorn.http.message.Request.unreader
gunicorn.http.message.Request.version
gunicorn.http.unreader.Unreader.buf
gunicorn.http.unreader.Unreader.take_buffered(self)
gunicorn.http.unreader.Unreader.unread(self, data)
gunicorn.http.wsgi.WSGIErrorsWrapper(cfg)
gunicorn.util.http_date(timestamp)
gunicorn.workers.ggevent.GeventWorker.alive
gunicorn.workers.ggevent.GeventWorker.cfg
gunicorn.workers.ggevent.GeventWorker.handle(self, listener, client, addr)
gunicorn.workers.ggevent.GeventWorker.handle_error(self, req, client, addr, exc)
gunicorn.workers.ggevent.GeventWorker.handle_exit(self, sig, frame)
gunicorn.workers.ggevent.GeventWorker.handle_request(self, listener_name, req, sock, addr)
gunicorn.workers.ggevent.GeventWorker.log
gunicorn.workers.ggevent.GeventWorker.notify(self)
gunicorn.workers.ggevent.GeventWorker.run(self)
gunicorn.workers.ggevent.GeventWorker.sockets
gunicorn.workers.ggevent.GeventWorker.timeout_ctx(self)
gunicorn.workers.ggevent.GeventWorker.worker_connections
"""

RQ = """
rq.Queue.enqueue_call(self, func, args, kwargs, timeout, result_ttl, ttl, failure_ttl, description, depends_on, \
job_id, at_front, meta, retry, repeat, on_success, on_failure, on_stopped, pipeline, unique, webhooks)
rq.Queue.get_redis_server_version(self)
rq.Queue.intermediate_queue_key
rq.Queue.key
rq.Queue.lmove(cls, connection, queue_key, timeout)
rq.Queue.redis_queues_keys
rq.executions.Execution.create(cls, job, ttl, pipeline, worker_name)
rq.job.Job._result
rq.job.Job.args
rq.job.Job.data
rq.job.Job.func_name
rq.job.Job.get_status(self, refresh)
rq.job.Job.heartbeat(self, timestamp, ttl, pipeline, xx)
rq.job.Job.key
rq.job.Job.key_for(cls, job_id)
rq.job.Job.perform(self)
rq.job.Job.origin
rq.job.Job.prepare_for_execution(self, worker_name, pipeline)
rq.job.Job.timeout
rq.timeouts.BaseDeathPenalty.cancel_death_penalty(self)
rq.timeouts.BaseDeathPenalty.setup_death_penalty(self)
rq.worker.SimpleWorker._install_signal_handlers(self)
rq.worker.SimpleWorker._set_ip_address(self, connection)
rq.worker.SimpleWorker._state
rq.worker.SimpleWorker.bootstrap(self, logging_level, date_format, log_format)
rq.worker.SimpleWorker.check_for_suspension(self, burst)
rq.worker.SimpleWorker.cleanup_execution(self, job, pipeline)
rq.worker.SimpleWorker.connection
rq.worker.SimpleWorker.connection_timeout
rq.worker.SimpleWorker.death_penalty_class
rq.worker.SimpleWorker.dequeue_job_and_maintain_ttl(self, timeout, max_idle_time)
rq.worker.SimpleWorker.execute_job(self, job, queue)
rq.worker.SimpleWorker.execution
rq.worker.SimpleWorker.get_heartbeat_ttl(self, job)
rq.worker.SimpleWorker.handle_exception(self, job, exc_info)
rq.worker.SimpleWorker.handle_job_success(self, job, queue, started_job_registry)
rq.worker.SimpleWorker.heartbeat(self, timeout, pipeline)
rq.worker.SimpleWorker.increment_successful_job_count(self, pipeline)
rq.worker.SimpleWorker.ip_address
rq.worker.SimpleWorker.job_class
rq.worker.SimpleWorker.log_result_lifespan
rq.worker.SimpleWorker.name
rq.worker.SimpleWorker.perform_job(self, job, queue)
rq.worker.SimpleWorker.prepare_execution(self, job)
rq.worker.SimpleWorker.prepare_job_execution(self, job, remove_from_intermediate_queue)
rq.worker.SimpleWorker.procline(self, message)
rq.worker.SimpleWorker.queue_keys(self)
rq.worker.SimpleWorker.queues
rq.worker.SimpleWorker.run_maintenance_tasks(self)
rq.worker.SimpleWorker.serializer
rq.worker.SimpleWorker.set_current_job_id(self, job_id, pipeline)
rq.worker.SimpleWorker.set_current_job_working_time(self, current_job_working_time, pipeline)
rq.worker.SimpleWorker.set_state(self, state, pipeline)
rq.worker.SimpleWorker.should_run_maintenance_tasks
rq.worker.SimpleWorker.subscribe(self)
rq.worker.SimpleWorker.teardown(self)
rq.worker_registration.REDIS_WORKER_KEYS
rq.worker_registration.WORKERS_BY_QUEUE_KEY
rq.worker_registration.register(worker, pipeline)
"""

REDIS = """
redis.client.Pipeline.execute(self, raise_on_error)
redis.client.Redis.execute_command(self, args, options)
redis.client.Redis.pipeline(self, transaction, shard_hint)
redis.client.Redis.response_callbacks
redis.connection.AbstractConnection._sock
redis.connection.AbstractConnection.is_connected
redis.connection.AbstractConnection.mark_for_reconnect(self)
redis.connection.AbstractConnection.pack_command(self, args)
redis.connection.AbstractConnection.read_response(self, disable_decoding, timeout, disconnect_on_error, push_request)
redis.connection.AbstractConnection.send_packed_command(self, command, check_health)
redis.connection.AbstractConnection.should_reconnect(self)
redis.connection.AbstractConnection.socket_timeout
redis.connection.ConnectionPool._created_connections
redis.connection.ConnectionPool.connection_class
redis.connection.ConnectionPool.connection_kwargs
redis.connection.ConnectionPool.disconnect(self, inuse_connections)
redis.connection.ConnectionPool.get_connection(self, command_name, keys, options)
redis.connection.ConnectionPool.make_connection(self)
redis.connection.ConnectionPool.max_connections
redis.connection.ConnectionPool.release(self, connection)
"""

GEVENTHTTPCLIENT = """
geventhttpclient.connectionpool.ConnectionPool._create_socket(self)
geventhttpclient.connectionpool.ConnectionPool._create_tcp_socket(self, family, socktype, protocol)
geventhttpclient.connectionpool.ConnectionPool._is_socket_alive(self, sock)
geventhttpclient.connectionpool.ConnectionPool._resolve(self)
geventhttpclient.connectionpool.ConnectionPool._socket_queue
geventhttpclient.connectionpool.ConnectionPool.after_connect(self, sock)
geventhttpclient.connectionpool.ConnectionPool.close(self)
geventhttpclient.connectionpool.ConnectionPool.get_socket(self)
geventhttpclient.connectionpool.ConnectionPool.release_socket(self, sock)
geventhttpclient.connectionpool.ConnectionPool.return_socket(self, sock)
geventhttpclient.connectionpool.SSLConnectionPool._setup_proxy(self, sock)
geventhttpclient.connectionpool.SSLConnectionPool.default_options
geventhttpclient.response.HTTPSocketPoolResponse._body_buffer
geventhttpclient.response.HTTPSocketPoolResponse._on_message_complete(self)
geventhttpclient.response.HTTPSocketPoolResponse._sock
geventhttpclient.response.HTTPSocketPoolResponse.block_size
geventhttpclient.response.HTTPSocketPoolResponse.feed(self, data)
geventhttpclient.response.HTTPSocketPoolResponse.get_code
geventhttpclient.response.HTTPSocketPoolResponse.items(self)
geventhttpclient.response.HTTPSocketPoolResponse.message_complete
geventhttpclient.response.HTTPSocketPoolResponse.release(self)
geventhttpclient.response.HTTPSocketPoolResponse.should_close(self)
geventhttpclient.response.HTTPSocketPoolResponse.status_code
"""

HONCHO = """
honcho.manager.Manager._all_started(self)
honcho.manager.Manager._start(self)
honcho.manager.Manager.kill(self)
honcho.manager.Manager.returncode
honcho.manager.Manager.terminate(self)
honcho.printer.Printer.write(self, message)
"""

GEVENT = """
gevent.core.loop.iteration
gevent.monkey.get_original(mod_name, item_name)
gevent.pool.Pool.free_count(self)
gevent.pool.Pool.wait_available(self, timeout)
gevent.server.StreamServer.max_accept
gevent.socket.socket.recv(self, args)
gevent.socket.socket.send(self, data, flags, timeout)
gevent.socket.socket.sendall(self, data, flags)
gevent.timeout.Timeout.close(self)
gevent.timeout.Timeout.start(self)
"""


@dataclass(frozen=True)
class Library:
    """One that we lean on inside."""

    name: str
    page: str
    """In docs/: says why, and has the names, unless they are public."""
    places: tuple[str, ...]
    """Where its private names may be used: files, or folders that end with a slash."""
    names: str

    @property
    def version(self) -> str:
        """Which one is installed."""
        return version(self.name)


LIBRARIES = (
    Library("gunicorn", "decisions/0007-gunicorn-worker.md", ("web/server/",), GUNICORN),
    Library(
        "rq",
        "decisions/0006-rq-on-a-gevent-pool.md",
        ("workers/pool.py", "workers/time_limits.py", "shared/store/queue.py"),
        RQ,
    ),
    Library("redis", "decisions/0002-redis-connections.md", ("shared/store/client.py",), REDIS),
    Library(
        "geventhttpclient",
        "decisions/0008-upstream-connections.md",
        ("web/proxy/providers/connections.py", "web/proxy/providers/answer.py"),
        GEVENTHTTPCLIENT,
    ),
    Library("honcho", "README.md", ("shared/cli/local_pool/processes.py",), HONCHO),
    Library("gevent", "decisions/0001-gevent-workers.md", (), GEVENT),
)


@dataclass(frozen=True)
class Name:
    """A name of a library; `str()` is how the table has it."""

    library: Library
    line: str

    def __str__(self) -> str:
        return self.line

    @property
    def path(self) -> str:
        """Without parameters."""
        return self.line.partition("(")[0]

    @property
    def owner(self) -> str:
        """The class or module that has it."""
        return self.path.rpartition(".")[0]

    @property
    def attribute(self) -> str:
        """The last part."""
        return self.path.rpartition(".")[2]

    @property
    def parameters(self) -> tuple[str, ...] | None:
        """None for what is no function, or is one in C."""
        inside = self.line.partition("(")[2].rstrip(")")
        return tuple(inside.split(", ")) if inside else None


ALL = [Name(library, line) for library in LIBRARIES for line in library.names.split("\n") if line]


def resolved(path: str) -> Any:
    """The class or module at a dotted path; raises ImportError or AttributeError."""
    module, _, rest = path.rpartition(".")
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
        return getattr(resolved(module), rest)


@contextmanager
def made(owner: str) -> Iterator[Any]:
    """An object of the class at a path, as far as one is needed to see its attributes; else the class itself."""
    with _MAKERS.get(owner, _itself)(owner) as thing:
        yield thing


@contextmanager
def _itself(owner: str) -> Iterator[Any]:
    yield resolved(owner)


def _maker(make: Callable[[], Any]) -> Callable[[str], AbstractContextManager[Any]]:
    @contextmanager
    def manager(_: str) -> Iterator[Any]:
        yield make()

    return manager


@contextmanager
def _response(_: str) -> Iterator[Any]:
    ours, theirs = gevent.socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        nowhere: Any = None  # a pool would count it
        yield HTTPSocketPoolResponse(ours, nowhere)


@contextmanager
def _worker(_: str) -> Iterator[Any]:
    settings = gunicorn.config.Config()
    worker: Any = GeventWorker(1, os.getpid(), [], None, 30, settings, gunicorn.glogging.Logger(settings))
    yield worker
    worker.tmp.close()


def _request(framing: str) -> Any:
    text = f"POST / HTTP/1.1\r\nHost: here\r\n{framing}\r\n\r\n"
    return next(gunicorn.http.get_parser(gunicorn.config.Config(), iter([text.encode()]), ("127.0.0.1", 1)))


_MAKERS: dict[str, Callable[[str], AbstractContextManager[Any]]] = {
    "geventhttpclient.connectionpool.ConnectionPool": _maker(
        lambda: ConnectionPool("localhost", 80, "localhost", 80)
    ),
    "geventhttpclient.response.HTTPSocketPoolResponse": _response,
    "gunicorn.config.Config": _maker(gunicorn.config.Config),
    "gunicorn.glogging.Logger": _maker(lambda: gunicorn.glogging.Logger(gunicorn.config.Config())),
    "gunicorn.http.body.ChunkedReader": _maker(lambda: _request("Transfer-Encoding: chunked").body.reader),
    "gunicorn.http.body.LengthReader": _maker(lambda: _request("Content-Length: 2").body.reader),
    "gunicorn.http.body.Body": _maker(lambda: _request("Content-Length: 2").body),
    "gunicorn.http.unreader.Unreader": _maker(lambda: _request("Content-Length: 2").unreader),
    "gunicorn.http.message.Request": _maker(lambda: _request("Content-Length: 2")),
    "gunicorn.workers.ggevent.GeventWorker": _worker,
    "honcho.manager.Manager": _maker(honcho.manager.Manager),
    "redis.client.Redis": _maker(redis.Redis),
    "redis.connection.AbstractConnection": _maker(redis.Connection),
    "redis.connection.ConnectionPool": _maker(redis.ConnectionPool),
    "rq.Queue": _maker(lambda: rq.Queue("q", connection=fakeredis.FakeRedis())),
    "rq.job.Job": _maker(lambda: rq.job.Job("id", connection=fakeredis.FakeRedis())),
    "rq.worker.SimpleWorker": _maker(
        lambda: rq.SimpleWorker([rq.Queue("q", connection=fakeredis.FakeRedis())], connection=fakeredis.FakeRedis())
    ),
}
