"""Sends a request to the model that was decided on; when that fails, to the next candidate."""

import time
from collections.abc import Collection
from functools import partial
from typing import Any

import gevent
import msgspec

from shared.config import Config
from shared.domain.availability.failures import Blame, Failure, blame_of, is_own_deadline
from shared.domain.catalog import Model, Provider
from shared.domain.decisions import Decision, RouteRequest, Trace
from shared.domain.money.accounts import Account
from shared.errors import BadRequest, Overdue, ShuttingDown, UpstreamFailed, UpstreamTimeout
from shared.routing.failover import Failover
from web.ops.pool.stats import PoolStats
from web.ops.sessions.records import SessionRecords
from web.ops.usage import UsageRecorder
from web.proxy import request_headers as upstream_request
from web.proxy.billing import Billed, Billing
from web.proxy.cache_keys import CacheKeys
from web.proxy.fallback_report import give_up, passed_over, why_left, with_steps
from web.proxy.providers import retry_after
from web.proxy.providers.answer import Answer
from web.proxy.providers.upstream import Upstream
from web.proxy.response import decision_headers, response, session_headers
from web.proxy.upstream_telemetry import Exchanges
from web.proxy.ways import Asked, Way, readable
from web.proxy.wsgi_response import WsgiResponse

_FAILURES = frozenset({408, 409, 429})
_OF_CLIENT = frozenset({401, 403, 429})
"""What a provider answers because of a credential: when it is the client's own, the model sits out for nobody."""
_FIRST_SERVER_ERROR = 500
_SPARE_S = 1.0
"""All attempts together have listeners.timeout; an outer limit, for faults of ours, ends this much later."""
_TIMEOUT = "timeout"
_SHARE = 0.6
"""Which share of the time that is left a model gets while there is another candidate after it."""


class ClientRequest(msgspec.Struct, frozen=True):
    """One request that a model is to answer."""

    asked: Asked
    """The body, its values byte for byte as they came, in whatever API a provider needs it."""
    route: RouteRequest
    """What is routed: the model, the session, the routes and the conversation."""
    environ: dict[str, Any]
    tenant: str | None
    """Whose usage is counted: the key's tenant, else the header's."""
    clients_own: str | None = None
    """The client's own credential for the provider of the model that it names; no other provider is ever sent it."""


class _Attempt(msgspec.Struct, frozen=True):
    """The result of one request to one candidate."""

    response: WsgiResponse | None
    failure: str | None
    """A status, `timeout` or `unreachable`; None when the model answered."""
    blame: Blame = Blame.MODEL
    retry_after_s: int | None = None
    error: UpstreamFailed | None = None
    billed: Billed | None = None
    """The response, if the model has made an answer."""


class Relay:
    """Asks one candidate after another until one answers."""

    def __init__(
        self,
        config: Config,
        upstream: Upstream,
        failover: Failover,
        *,
        usage: UsageRecorder,
        exchanges: Exchanges,
        records: SessionRecords,
        stats: PoolStats,
        cache_keys: CacheKeys,
        tenant_header: str,
    ) -> None:
        """`tenant_header`, in small letters, is the header that is never sent on; empty for none."""
        self._config = config
        self._upstream = upstream
        self._failover = failover
        self._billing = Billing(usage)
        self._exchanges = exchanges
        self._records = records
        self._stats = stats
        self._cache_keys = cache_keys
        self._tenant_header = tenant_header

    def answer(self, request: ClientRequest, decision: Decision) -> WsgiResponse:
        """The answer of the first candidate that does not fail, else the last failed answer that came.

        After a candidate that fails the next one is asked, as long as no byte has reached the client.
        Raises UpstreamUnreachable or UpstreamTimeout when no candidate answered at all. Raises Overdue when there is
        no answer one second after listeners.timeout, which is a fault of ours.
        """
        self._stats.asked()
        limit_s = self._config.listener.timeout_s + _SPARE_S
        with gevent.Timeout(limit_s, Overdue(f"no answer within {limit_s:.1f} s")):
            return self._answer(request, decision)

    def _answer(self, request: ClientRequest, decision: Decision) -> WsgiResponse:
        deadline, came_at = time.monotonic() + self._config.listener.timeout_s, time.time()
        lacking = self._lacking(request, decision)
        names = self._failover.candidates(request.route, decision, lacking)
        steps = passed_over(decision, names[0], lacking, self._failover.cooldowns)
        failures: list[Failure] = []
        refused: WsgiResponse | None = None
        failed: UpstreamFailed | BadRequest | None = None
        for n, name in enumerate(names):
            began = time.monotonic()
            left_s = max(deadline - began, 0.001)
            within_s = left_s if name == names[-1] else left_s * _SHARE
            try:
                attempt = self._attempt(request, decision, name, within_s)
            except BadRequest as error:  # it cannot be translated for this model, which says nothing about it
                steps.append(f"{name};untranslatable")
                failed = failed or error
                continue
            if attempt.failure is None and attempt.response:
                kept = self._failover.answered(request.route, decision, name, failures)
                give_up(refused)
                session = request.route.session
                if name != decision.models[0]:
                    dropped = attempt.billed is not None and attempt.billed.dropped
                    self._records.left(session, decision, name, why_left(steps), kept=kept, dropped=dropped)
                if attempt.billed:
                    self._records.served(session, decision, name, came_at)
                    in_session = session is not None
                    self._billing.left(attempt.billed, decision, request.asked, in_session=in_session, kept=kept)
                return with_steps(attempt.response, steps, kept=kept)
            failures.append(self._failure(attempt, name, within_s, time.monotonic() - began))
            self._failover.failed(failures[-1])
            self._billing.failed(name, failures[-1].why)
            if attempt.response:
                give_up(refused)
                refused = attempt.response
                if n == len(names) - 1:
                    break
            steps.append(f"{name};{attempt.failure}")
            failed = attempt.error or failed
        self._failover.gave_up(request.route, failures)
        self._stats.failed()
        if refused:
            return with_steps(refused, steps)
        assert failed is not None  # noqa: S101 - each candidate gave a response or an error
        if isinstance(failed, BadRequest):
            raise failed
        failed.decision, failed.attempts = _as_served(decision, names[-1]), tuple(steps[:-1])
        raise failed

    def _lacking(self, request: ClientRequest, decision: Decision) -> Collection[str]:
        """The models that take the client's own credential, which this request does not bring for them."""
        catalog = self._config.catalog
        if not catalog.passes_credentials:
            return ()
        models = [*map(catalog.find, decision.models), catalog.default]  # a session may fall back on the default
        return frozenset(
            model.name
            for model in models
            if model and model.provider.passthrough_auth and not self._is_for(model.provider, request)
        )

    @staticmethod
    def _is_for(provider: Provider, request: ClientRequest) -> bool:
        """Whether the client's own credential, if it sends one, is meant for this provider."""
        return request.clients_own is not None and provider.is_same(request.route.model.provider)

    def _failure(self, attempt: _Attempt, name: str, within_s: float, took_s: float) -> Failure:
        """What the attempt says of the model."""
        return Failure(
            model=name,
            why=str(attempt.failure),
            blame=attempt.blame,
            retry_after_s=attempt.retry_after_s,
            own_deadline=attempt.failure == _TIMEOUT
            and is_own_deadline(within_s, took_s, self._config.listener.timeout_s),
        )

    def _attempt(self, request: ClientRequest, decision: Decision, name: str, within_s: float) -> _Attempt:
        """Ask one candidate; when this returns, the first bytes of its answer are there."""
        served = _as_served(decision, name)
        qualified = self._config.routing.response_model == "qualified"
        model = self._config.catalog.get(name)
        asked = readable(request.asked, decision, name)
        way = asked.way(
            model,
            name if qualified else None,
            pinned=served.pinned,
            request_id=request.route.trace.request_id,
            told=self._cache_keys.in_fields(model.provider, request.route.session),
        )
        began = time.monotonic()
        exchange = self._exchanges.begun(model, request.route, request.asked, request.environ)
        try:
            answer = self._sent(request, model, way, within_s, exchange.traceparent)
            ids = [*session_headers(request.environ), ("x-request-id", request.route.trace.request_id)]
            ours = [*decision_headers(served), *ids]
            if asked is not request.asked:
                ours.append(("x-plano-dropped", "reasoning"))
            if way.translated:
                ours.append(("x-plano-translated", way.translated))
            made = response(answer, way.reader, ours)
        except UpstreamFailed as error:
            outcome = _TIMEOUT if isinstance(error, UpstreamTimeout) else "unreachable"
            exchange.failed(outcome)
            if isinstance(error, ShuttingDown):
                raise
            blame = blame_of(error, partial(self._refuses, request, model, way))
            return _Attempt(None, outcome, blame=blame, error=error)
        except BaseException:  # the client may have gone, too
            exchange.failed("abandoned")
            raise
        exchange.answered(answer, way.reader)
        if answer.status in _FAILURES or answer.status >= _FIRST_SERVER_ERROR:
            of_client = answer.status in _OF_CLIENT and model.provider.passthrough_auth
            blame = Blame.CLIENT if of_client else Blame.MODEL
            return _Attempt(made, str(answer.status), blame=blame, retry_after_s=retry_after.seconds(answer))
        if not (answer.ok and request.asked.is_of_model):
            return _Attempt(made, None)
        account = Account(request.tenant or "", name, decision.route or "")
        billed = Billed(made, way.reader, account, request.route.session, dropped=asked is not request.asked)
        first_byte_s = answer.first_byte_at and answer.first_byte_at - began
        self._billing.answered(billed, first_byte_s)
        return _Attempt(made, None, billed=billed)

    def _refuses(self, request: ClientRequest, model: Model, way: Way) -> bool:
        """Whether the provider refuses another connection, too."""
        return self._upstream.refuses(way.dialect.upstream_url(model, request.asked.suffix), model.provider.ca_file)

    def _sent(self, request: ClientRequest, model: Model, way: Way, within_s: float, traceparent: str) -> Answer:
        """The provider's answer, its head read."""
        return self._upstream.post(
            way.dialect.upstream_url(model, request.asked.suffix),
            upstream_request.headers(
                model,
                way.dialect,
                request.environ,
                Trace(request.route.trace.request_id, traceparent),
                tenant_header=self._tenant_header,
                clients_own=request.clients_own if self._is_for(model.provider, request) else None,
                translated=way.translated is not None,
                cache_key=self._cache_keys.in_headers(request.environ, model.provider, request.route.session),
            ),
            way.body,
            provider=model.provider.name,
            within_s=within_s,
            ca_file=model.provider.ca_file,
            method=request.asked.method,
        )


def _as_served(decision: Decision, name: str) -> Decision:
    """The decision with the model that answers; it is `pinned` only if that is the pinned model."""
    if name == decision.models[0]:
        return decision
    return msgspec.structs.replace(decision, models=(name,), pinned=False)
