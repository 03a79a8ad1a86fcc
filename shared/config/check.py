"""Rules that hold between parts of the file, and what is allowed but probably wrong."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from shared.config.faults import UNREADABLE, Faults, Path, by_path, listed
from shared.config.fields import url_fault
from shared.config.models import OBSERVED, AccessKey, ConfigFile, Limits, MetricSource, RoutingPreference
from shared.config.providers import Served, unknown
from shared.domain.catalog import Catalog
from shared.domain.routes import Prefer, name_fault, prefer_fault

_SOURCES = {"cost": ("digitalocean", "models.dev"), "latency": ("prometheus", OBSERVED)}


def check(file: ConfigFile, catalog: Catalog, faults: Faults) -> None:
    """Note every broken rule."""
    sources = by_path(file.model_metrics_sources, "model_metrics_sources")
    routes = by_path(file.routing_preferences, "routing_preferences")
    _check_routes(routes, catalog, {source.type for source in sources.values()}, faults)
    _check_sources(sources, faults)
    _check_keys(by_path(file.auth.keys, "auth", "keys"), catalog, faults)
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
    if source.max_age and source.max_age < source.refresh_interval_s:
        right = "make it longer, else data is too old before it is renewed"
        yield "max_age", "is shorter than the refresh interval", right
    if "half_life_s" in source.model_fields_set and source.provider != OBSERVED:
        yield "half_life", f"is for {OBSERVED} only", "leave it out"
    if source.url and source.type != "cost" and (fault := url_fault(source.url)):
        yield "url", *fault


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


def doubts(file: ConfigFile, served: Served, faults: Faults) -> Iterator[str]:
    """What is allowed and probably wrong, of a file without a fault."""
    for path, provider in by_path(file.model_providers, "model_providers").items():
        if provider.passthrough_auth and file.auth.keys:
            yield (
                f"{faults.place((*path, 'passthrough_auth'))}: passes the client's Authorization header on, "
                "which with auth.keys holds this gateway's own key; give the provider an access_key instead"
            )
    for path, route in by_path(file.routing_preferences, "routing_preferences").items():
        prefer = route.selection_policy.prefer
        if prefer != "none" and len(set(map(served.catalog.qualify, route.models))) == 1:
            place = faults.place((*path, "selection_policy", "prefer"))
            yield f"{place}: is {prefer}, but there is one model; name those to choose from"
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
        yield "routing.session_max_age_seconds: is for session_ttl_mode sliding only; a fixed pin has its ttl"
    if routing.fallback_to_default and served.catalog.default is None:
        yield "routing.fallback_to_default: has no effect, as no provider is the default; set default: true on one"
    name = file.overrides.llm_routing_model
    if name and served.router is None and routing.router == "auto":
        yield f"overrides.llm_routing_model: no provider serves {name}; the embedded router decides in its place"
