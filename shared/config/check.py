"""Rules that hold between parts of the file, and what is allowed but probably wrong."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from shared.config.faults import UNREADABLE, Faults, Path, by_path, listed
from shared.config.fields import url_fault
from shared.config.limits_section import Limits
from shared.config.providers import Served, unknown
from shared.config.sections import FILE, OBSERVED, AccessKey, ConfigFile, MetricSource, RoutingPreference
from shared.domain.catalog import Catalog
from shared.domain.routes import MAX_CONFIG_BYTES, Prefer, name_fault, prefer_fault

_CREDENTIALS = ("authorization", "x-provider-authorization", "proxy-authorization", "cookie")
_SOURCES = {"cost": ("digitalocean", "models.dev", "litellm", FILE), "latency": ("prometheus", OBSERVED)}


def check(file: ConfigFile, catalog: Catalog, faults: Faults) -> None:
    """Note every broken rule."""
    sources = by_path(file.model_metrics_sources, "model_metrics_sources")
    routes = by_path(file.routing_preferences, "routing_preferences")
    _check_routes(routes, catalog, {source.type for source in sources.values()}, faults)
    _check_sources(sources, faults)
    keys = by_path(file.auth.keys, "auth", "keys")
    _check_keys(keys, catalog, faults)
    _check_secrets(file, keys, faults)
    _check_tenants(keys, file.routing.session_cache.tenant_header, faults)
    _check_limits(file.limits, faults)


def _check_routes(
    routes: Mapping[Path, RoutingPreference], catalog: Catalog, sources: Collection[str], faults: Faults
) -> None:
    seen: set[str] = set()
    for path, route in routes.items():
        if fault := name_fault(route.name, seen):
            faults.add((*path, "name"), *fault.split("; ", 1))
        seen.add(route.name)
        _check_models(route.models, path, catalog, faults)
        if fault := prefer_fault(Prefer(route.selection_policy.prefer), sources):
            faults.add((*path, "selection_policy", "prefer"), *fault.split("; ", 1))
    size = len(msgspec.json.encode([(route.name, route.description, route.models) for route in routes.values()]))
    if size > MAX_CONFIG_BYTES:
        right = f"the router is sent {MAX_CONFIG_BYTES} bytes at most: shorten descriptions"
        faults.add(("routing_preferences",), f"has {size} bytes as JSON", right)


def _check_models(names: Iterable[str], path: Path, catalog: Catalog, faults: Faults) -> None:
    for n, name in enumerate(names):
        if catalog.find(name) is None and name != UNREADABLE:
            faults.add((*path, "models", n), *unknown(name, catalog))


def _check_sources(sources: Mapping[Path, MetricSource], faults: Faults) -> None:
    faults.refuse_repeated(
        "type", {path: source.type for path, source in sources.items()}, "keep one source of a type"
    )
    for path, source in sources.items():
        for name, wrong, right in _source_faults(source):
            if not faults.at((*path, "type")):
                faults.add((*path, name), wrong, right)


def _source_faults(source: MetricSource) -> Iterator[tuple[str, str, str]]:
    if source.provider not in _SOURCES[source.type]:
        wrong = f"is {source.provider}, which is no source of type {source.type}"
        yield "provider", wrong, f"it is {listed(_SOURCES[source.type])}"
    elif source.provider == "prometheus":
        for name in ("url", "query"):
            if getattr(source, name) is None:
                yield name, "is missing", "prometheus needs a url and a query"
    yield from _faults_of_path(source)
    if source.max_age and source.max_age < source.refresh_interval_s:
        right = "make it longer, else data is too old before it is renewed"
        yield "max_age", "is shorter than the refresh interval", right
    if "half_life_s" in source.model_fields_set and source.provider != OBSERVED:
        yield "half_life", f"is for {OBSERVED} only", "leave it out"
    if source.url and source.type != "cost" and (fault := url_fault(source.url)):
        yield "url", *fault


def _faults_of_path(source: MetricSource) -> Iterator[tuple[str, str, str]]:
    if source.provider != FILE:
        if source.path:
            yield "path", f"is for {FILE} only", "leave it out"
        return
    if source.path is None:
        yield "path", "is missing", "name a file of prices, its path starting at the config file"
    if source.url:
        yield "url", f"is not for {FILE}", "name the file in path"


def _check_limits(limits: Limits, faults: Faults) -> None:
    if limits.buffered_bytes < limits.body_bytes and not faults.at(("limits", "body_bytes")):
        wrong = "is less than limits.body_bytes"
        faults.add(("limits", "buffered_bytes"), wrong, "make it larger, else a large body never has room")


def _check_keys(keys: Mapping[Path, AccessKey], catalog: Catalog, faults: Faults) -> None:
    for path, key in keys.items():
        _check_models(key.models or (), path, catalog, faults)
    faults.refuse_repeated("name", {path: key.name for path, key in keys.items()}, "choose another")
    digests = {path: key.digest for path, key in keys.items()}
    faults.refuse_repeated("key", digests, "each name has a key of its own", secret=True)


def _check_secrets(file: ConfigFile, keys: Mapping[Path, AccessKey], faults: Faults) -> None:
    """Note whatever would give a credential to somebody whom it is not meant for."""
    ours = {path: entry.access_key for path, entry in by_path(file.model_providers, "model_providers").items()}
    for path, key in keys.items():
        for provider, secret in ours.items():
            if secret and hashlib.sha256(secret.encode()).digest() == key.digest:
                wrong = f"is the access_key of {faults.place(provider)}"
                faults.add((*path, "key"), wrong, "clients have keys of their own, and never a provider's")
    header = file.routing.session_cache.tenant_header
    if header and header.lower() in _CREDENTIALS:
        place = ("routing", "session_cache", "tenant_header")
        faults.add(
            place, f"is {header!r}, which holds a credential", "tenants stand in Redis and in logs; take another"
        )


def _check_tenants(keys: Mapping[Path, AccessKey], tenant_header: str | None, faults: Faults) -> None:
    for path, key in keys.items():
        if key.tenant and key.tenants:
            faults.add(
                (*path, "tenants"), "stands beside tenant", "a key has one tenant, or a header names one of several"
            )
        elif key.tenants and not tenant_header:
            right = "name the header in routing.session_cache.tenant_header"
            faults.add((*path, "tenants"), "needs a header that names the tenant", right)


def doubts(file: ConfigFile, served: Served, faults: Faults) -> Iterator[str]:
    """What is allowed and probably wrong, of a file without a fault."""
    for path, route in by_path(file.routing_preferences, "routing_preferences").items():
        prefer = route.selection_policy.prefer
        if prefer != "none" and len(set(map(served.catalog.qualify, route.models))) == 1:
            place = faults.place((*path, "selection_policy", "prefer"))
            yield f"{place}: is {prefer}, but there is one model; name those to choose from"
    header = file.routing.session_cache.tenant_header
    for path, key in by_path(file.auth.keys, "auth", "keys").items():
        if header and not (key.tenant or key.tenants):
            yield (
                f"{faults.place(path)}: names no tenant, so its sessions have none, and whoever sends {header} "
                'with it is refused; give it a tenant, or tenants that the header may name ("*": any)'
            )
    yield from _doubts_of_routing(file, served)


def _doubts_of_routing(file: ConfigFile, served: Served) -> Iterator[str]:
    routing, keys = file.routing, file.auth.keys
    cache = routing.session_cache
    if cache.tenant_header and not keys:
        yield (
            "routing.session_cache.tenant_header: without auth.keys a client may name any tenant; "
            "let a proxy in front of the gateway set the header, or give each tenant a key"
        )
    if cache.tenant_header and keys and all(key.tenant for key in keys):
        yield "routing.session_cache.tenant_header: is never read, as every key names its tenant; leave it out"
    if "session_max_entries" in routing.model_fields_set and cache.type == "redis":
        yield "routing.session_max_entries: is for session_cache.type memory only; set a limit in Redis"
    if routing.session_max_age_seconds and routing.session_ttl_mode == "fixed":
        yield "routing.session_max_age_seconds: is for session_ttl_mode sliding and cache; a fixed pin has its ttl"
    if routing.redecide == "when_cold" and routing.session_ttl_mode == "cache":
        yield (
            "routing.redecide: with session_ttl_mode cache a pin ends with its cache, so sessions are decided anew "
            "all the same, and others may be first; take sliding, or leave redecide out"
        )
    if routing.routing_budget and cache.type == "memory":
        yield "routing.routing_budget: is for session_cache.type redis only, and has no effect; pins are strict"
    if routing.routing_budget and "cost" not in {source.type for source in file.model_metrics_sources}:
        yield (
            "routing.routing_budget: has no effect, as no prices are known; add a source of type cost to "
            "model_metrics_sources"
        )
    if routing.fallback_to_default and served.catalog.default is None:
        yield "routing.fallback_to_default: has no effect, as no provider is the default; set default: true on one"
    name = file.overrides.llm_routing_model
    if name and served.router is None and routing.router == "auto":
        yield f"overrides.llm_routing_model: no provider serves {name}; the embedded router decides in its place"
