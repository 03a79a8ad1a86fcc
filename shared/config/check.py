"""Rules that hold between parts of the file."""

from collections.abc import Iterable
from pathlib import Path

from shared.config import urls
from shared.config.faults import Faults, listed
from shared.config.models import unknown
from shared.config.schema import File, KeyEntry, RouteEntry, RouterEntry, SourceEntry
from shared.config.values import OBSERVED, REFRESH_S
from shared.domain.catalog import Catalog
from shared.domain.routes import name_fault

_NEEDS = {"cheapest": "cost", "fastest": "latency"}
_SOURCES = {"cost": ("digitalocean", "models.dev"), "latency": ("prometheus", "observed")}
_PLACEHOLDERS = ("{routes}", "{conversation}")


def check(file: File, routes: Iterable[RouteEntry], catalog: Catalog, folder: Path, faults: Faults) -> None:
    """Note every broken rule. Paths in the file start at `folder`."""
    sources = file.model_metrics_sources or []
    _check_routes(routes, catalog, {source.type for source in sources}, faults)
    _check_sources(sources, faults)
    _check_keys(file.auth.keys or [], catalog, faults)
    _check_url(file.routing.session_cache.url, f"{file.routing.session_cache.place}.url", faults, query=True)
    _check_url(file.tracing.opentracing_grpc_endpoint, "tracing.opentracing_grpc_endpoint", faults)
    if isinstance(file.routing.router, RouterEntry):
        _check_url(file.routing.router.url, "routing.router.url", faults)
        _check_prompt(file.routing.router, folder, faults)


def _check_routes(routes: Iterable[RouteEntry], catalog: Catalog, sources: Iterable[str], faults: Faults) -> None:
    seen: set[str] = set()
    for route in routes:
        fault = name_fault(route.name, seen)
        if fault:
            faults.add(f"{route.place}.name", *fault.split("; ", 1))
        seen.add(route.name)
        _check_models(route.models, route.place, catalog, faults)
        prefer = route.selection_policy.prefer
        needed = _NEEDS.get(prefer)
        if needed and needed not in sources:
            wrong = f"is {prefer}, which needs a source of type {needed}"
            faults.add(f"{route.selection_policy.place}.prefer", wrong, "add one to model_metrics_sources")


def _check_models(names: Iterable[str], place: str, catalog: Catalog, faults: Faults) -> None:
    for n, name in enumerate(names):
        if catalog.find(name) is None:
            faults.add(f"{place}.models[{n}]", *unknown(name, catalog))


def _check_sources(sources: Iterable[SourceEntry], faults: Faults) -> None:
    seen: dict[str, str] = {}
    for source in sources:
        first = seen.setdefault(source.type, source.place)
        if first != source.place:
            faults.add(f"{source.place}.type", f"is {source.type}, as in {first}", "keep one source of a type")
        if source.provider not in _SOURCES[source.type]:
            wrong = f"is {source.provider}, which is no source of type {source.type}"
            faults.add(f"{source.place}.provider", wrong, f"it is {listed(_SOURCES[source.type])}")
        elif source.provider == "prometheus":
            for name in ("url", "query"):
                if getattr(source, name) is None:
                    faults.add(f"{source.place}.{name}", "is missing", "prometheus needs a url and a query")
        if source.max_age and source.max_age < (source.refresh_interval or REFRESH_S[source.provider]):
            right = "make it longer, else data is too old before it is renewed"
            faults.add(f"{source.place}.max_age", "is shorter than the refresh interval", right)
        if source.half_life and source.provider != OBSERVED:
            faults.add(f"{source.place}.half_life", f"is for {OBSERVED} only", "leave it out")
        _check_url(source.url, f"{source.place}.url", faults, query=source.type == "cost")


def _check_keys(keys: Iterable[KeyEntry], catalog: Catalog, faults: Faults) -> None:
    names: dict[str, str] = {}
    secrets: dict[str, str] = {}
    for entry in keys:
        first = names.setdefault(entry.name, entry.place)
        if first != entry.place:
            faults.add(f"{entry.place}.name", f"is {entry.name!r}, as in {first}", "choose another")
        first = secrets.setdefault(entry.key, entry.place)
        if first != entry.place:
            faults.add(f"{entry.place}.key", f"is the key of {first}", "each name has a key of its own")
        _check_models(entry.models or [], entry.place, catalog, faults)


def _check_url(url: str | None, place: str, faults: Faults, *, query: bool = False) -> None:
    fault = urls.fault(url, query=query) if url else None
    if fault:
        faults.add(place, *fault)


def _check_prompt(router: RouterEntry, folder: Path, faults: Faults) -> None:
    if router.prompt_file is None:
        return
    place = f"{router.place}.prompt_file"
    try:
        text = (folder / router.prompt_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        faults.add(place, "cannot be read", "it is a text file in UTF-8, its path starting at the config file")
        return
    if not all(placeholder in text for placeholder in _PLACEHOLDERS):
        faults.add(place, "lacks a placeholder", f"its text holds {' and '.join(_PLACEHOLDERS)}")
