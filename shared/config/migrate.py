"""Former spellings of the file read as the present one."""

import re

import msgspec

from shared.config.faults import Faults
from shared.config.schema import File, LegacyListeners, ListenerEntry, ProviderEntry, RouteEntry

_VERSION = re.compile(r"v?(\d+)\.(\d+)(\.\d+)?(-\w+)?")
_LATEST = (0, 4)


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a file that had another form once, in their present one."""

    providers: list[ProviderEntry]
    routes: list[RouteEntry]
    listener: ListenerEntry
    router_model: str | None
    router_model_place: str
    warnings: list[str]


def present(file: File, faults: Faults) -> Present:
    """The file as its author would write it today, with a warning for each thing that changed."""
    warnings: list[str] = []
    providers = _providers(file, faults, warnings)
    former, router_model = file.overrides.router_model, file.overrides.llm_routing_model
    if former:
        warnings.append("overrides.router_model is deprecated; rename it to llm_routing_model")
    return Present(
        providers=providers,
        routes=_routes(file, providers, faults, warnings),
        listener=_listener(file),
        router_model=router_model or former,
        router_model_place=f"overrides.{'llm_routing_model' if router_model else 'router_model'}",
        warnings=warnings,
    )


def _providers(file: File, faults: Faults, warnings: list[str]) -> list[ProviderEntry]:
    if file.llm_providers is None:
        return file.model_providers or []
    warnings.append("llm_providers is deprecated; rename it to model_providers")
    if file.model_providers is not None:
        faults.add("llm_providers", "stands beside model_providers", "keep model_providers only")
    return (file.model_providers or []) + file.llm_providers


def _routes(file: File, providers: list[ProviderEntry], faults: Faults, warnings: list[str]) -> list[RouteEntry]:
    """The top-level routes, then those inside of providers; a known name gets one model more."""
    routes = list(file.routing_preferences or [])
    old = _version(file, faults) < _LATEST
    lifted: dict[str, None] = {}
    for provider in providers:
        if provider.routing_preferences and not old:
            right = "since v0.4.0 a route stands in the top-level routing_preferences and lists its models"
            faults.add(f"{provider.place}.routing_preferences", "is inside a provider", right)
            continue
        for inline in provider.routing_preferences or []:
            lifted[inline.name] = None
            same = next((n for n, route in enumerate(routes) if route.name == inline.name), None)
            if same is None:
                place, text = inline.place, inline.description
                route = RouteEntry(place=place, name=inline.name, description=text, models=[provider.model])
                routes.append(route)
            else:
                models = [*routes[same].models, provider.model]
                routes[same] = msgspec.structs.replace(routes[same], models=models)
    if lifted:
        warnings.append(
            f"routing_preferences inside providers are read as top-level routes ({', '.join(lifted)}); "
            "move them there, list their models, and set version: v0.4.0"
        )
    return routes


def _version(file: File, faults: Faults) -> tuple[int, int]:
    found = _VERSION.fullmatch(str(file.version))
    version = (int(found[1]), int(found[2])) if found else None
    if version is None or not (0, 1) <= version <= _LATEST:
        faults.add("version", f"is {str(file.version)!r}", "it is v0.1 to v0.4.0")
        return (0, 0)
    return version


def _listener(file: File) -> ListenerEntry:
    if isinstance(file.listeners, LegacyListeners):
        return file.listeners.egress_traffic
    return next((entry for entry in file.listeners or [] if entry.type == "model"), ListenerEntry())
