"""A file that was found right, as the values the processes work with."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from shared.config import urls
from shared.config.migrate import Present
from shared.config.models import Served
from shared.config.schema import File, KeyEntry, ListenerEntry, RouteEntry, RouterEntry, SourceEntry
from shared.config.values import (
    HALF_LIFE_S,
    REFRESH_S,
    AccessKey,
    CacheType,
    Config,
    Limits,
    Listener,
    MetricSource,
    Router,
    Routing,
    Tracing,
)
from shared.domain.catalog import Catalog
from shared.domain.routes import Prefer, Route

_DURATION = re.compile(r"(?P<number>[\d.]+)(?P<unit>ms|s|m|h)?")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_DIGEST_LENGTH = 12


def build(file: File, now: Present, served: Served, *, folder: Path, warnings: Iterable[str], data: bytes) -> Config:
    """The config; `now` and `served` were made from the same file, `data` are its bytes."""
    catalog = served.catalog
    return Config(
        catalog=catalog,
        routes=tuple(_route(entry, catalog) for entry in now.routes),
        listener=_listener(now.listener),
        routing=_routing(file),
        router=_router(file, served, folder),
        access_keys=tuple(_access_key(entry, catalog) for entry in file.auth.keys or []),
        limits=Limits(
            body_bytes=file.limits.body_bytes,
            header_bytes=file.limits.header_bytes,
            headers=file.limits.headers,
            nesting=file.limits.nesting,
            head_timeout_s=seconds(file.limits.head_timeout),
            body_timeout_s=seconds(file.limits.body_timeout),
            waiting_requests=file.limits.waiting_requests,
            waiting_decisions=file.limits.waiting_decisions,
            sessions_per_minute=file.limits.sessions_per_minute,
        ),
        sources=tuple(_source(entry, catalog) for entry in file.model_metrics_sources or []),
        tracing=Tracing(
            endpoint=file.tracing.opentracing_grpc_endpoint,
            random_sampling=file.tracing.random_sampling,
        ),
        warnings=tuple(warnings),
        digest=hashlib.sha256(data).hexdigest()[:_DIGEST_LENGTH],
    )


def seconds(duration: str | float) -> float:
    """How long `300s`, `500ms`, `5m`, `1h` or a plain number of seconds is."""
    if isinstance(duration, float):
        return duration
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration")
    return float(found["number"]) * _UNITS_S[found["unit"]]


def _route(entry: RouteEntry, catalog: Catalog) -> Route:
    models = dict.fromkeys(catalog.qualify(name) for name in entry.models)
    return Route(entry.name, entry.description, tuple(models), Prefer(entry.selection_policy.prefer))


def _listener(entry: ListenerEntry) -> Listener:
    return Listener(address=entry.address, port=entry.port, timeout_s=seconds(entry.timeout))


def _routing(file: File) -> Routing:
    entry = file.routing
    return Routing(
        session_ttl_s=entry.session_ttl_seconds,
        session_max_entries=entry.session_max_entries,
        session_ttl_mode=entry.session_ttl_mode,
        cache_type=CacheType(entry.session_cache.type),
        cache_url=entry.session_cache.url,
        cache_silence_ms=entry.session_cache.silence_ms,
        tenant_header=entry.session_cache.tenant_header,
        decision_timeout_ms=entry.decision_timeout_ms,
        session_max_age_s=entry.session_max_age_seconds,
        on_outage=entry.on_outage,
        on_failure=entry.on_failure,
        max_attempts=entry.max_attempts,
        fallback_to_default=entry.fallback_to_default,
        response_model=entry.response_model,
    )


def _router(file: File, served: Served, folder: Path) -> Router:
    entry = file.routing.router
    if isinstance(entry, RouterEntry):
        return Router(
            url=urls.api_base(entry.url),
            model=entry.model,
            api_key=entry.api_key,
            prompt_file=str(folder / entry.prompt_file) if entry.prompt_file else None,
            timeout_ms=entry.timeout_ms,
        )
    if entry == "embedded" or served.router is None:
        return Router()
    provider = served.router.provider
    return Router(url=provider.base_url, model=served.router.id, api_key=provider.access_key)


def _access_key(entry: KeyEntry, catalog: Catalog) -> AccessKey:
    return AccessKey(
        name=entry.name,
        digest=hashlib.sha256(entry.key.encode()).digest(),
        tenant=entry.tenant,
        models=tuple(dict.fromkeys(map(catalog.qualify, entry.models))) if entry.models else None,
    )


def _source(entry: SourceEntry, catalog: Catalog) -> MetricSource:
    return MetricSource(
        type=entry.type,
        provider=entry.provider,
        url=entry.url,
        query=entry.query,
        refresh_interval_s=entry.refresh_interval or REFRESH_S[entry.provider],
        own_max_age_s=entry.max_age,
        half_life_s=entry.half_life or HALF_LIFE_S,
        model_aliases={
            theirs: model.name if (model := catalog.find(ours)) else ours
            for theirs, ours in (entry.model_aliases or {}).items()
        },
    )
