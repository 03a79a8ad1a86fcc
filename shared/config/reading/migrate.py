"""Former spellings of the file, written anew in its tree before anything else reads it."""

import re
from typing import Any

from shared.config.faults import UNREADABLE, Faults, Path

FORMER = {
    "llm_providers": "The former name of model_providers.",
    "model_providers[].routing_preferences": "Before v0.4.0: the routes of this model.",
    "overrides.router_model": "The former name of llm_routing_model.",
    "routing.routing_budget.max_switch_spend_pct": "The reference's name of percent.",
    "prompt_caching": "The reference's section; its session_affinity is routing.implicit_sessions.",
}
"""Paths of settings that only this module reads; `[]` stands for each item of a list."""
_CURRENT = re.compile(r"v?0\.4(\D.*)?")


def migrate(tree: dict[str, Any], faults: Faults) -> list[str]:
    """Write the tree as its author would today; return a warning for each thing that changed.

    Faults that are found in it later are told under the names in the file.
    """
    _list_listeners(tree, faults)
    warnings = [*_rename_providers(tree, faults), *_lift_routes(tree, faults)]
    warnings += _name_implicit_sessions(tree, faults)
    budget = tree["routing"].get("routing_budget") if isinstance(tree.get("routing"), dict) else None
    if isinstance(budget, dict) and (percent := budget.pop("max_switch_spend_pct", None)) is not None:
        budget.setdefault("percent", percent)
        faults.rename(("routing", "routing_budget", "percent"), ("routing", "routing_budget", "max_switch_spend_pct"))
    overrides = tree.get("overrides")
    if isinstance(overrides, dict) and (former := overrides.pop("router_model", None)):
        warnings.append("overrides.router_model is deprecated; rename it to llm_routing_model")
        if not overrides.get("llm_routing_model"):
            overrides["llm_routing_model"] = former
            faults.rename(("overrides", "llm_routing_model"), ("overrides", "router_model"))
    return warnings


def _list_listeners(tree: dict[str, Any], faults: Faults) -> None:
    """The legacy map of listeners has one that is served."""
    listeners = tree.get("listeners")
    if isinstance(listeners, dict):
        for name in filter("egress_traffic".__ne__, listeners):
            known = name if isinstance(name, str) else type(name).__name__
            faults.add(("listeners", known), "is not known", "it is egress_traffic")
        tree["listeners"] = [listeners.get("egress_traffic") or {}]
        faults.rename(("listeners", 0), ("listeners", "egress_traffic"))


def _rename_providers(tree: dict[str, Any], faults: Faults) -> list[str]:
    former, present = tree.pop("llm_providers", None), tree.get("model_providers")
    if former is None:
        return []
    if present is None:
        tree["model_providers"] = former
        faults.rename(("model_providers",), ("llm_providers",))
    else:
        faults.add(("llm_providers",), "stands beside model_providers", "keep model_providers only")
        if isinstance(former, list) and isinstance(present, list):
            for n in range(len(former)):
                faults.rename(("model_providers", len(present) + n), ("llm_providers", n))
            tree["model_providers"] = present + former
    return ["llm_providers is deprecated; rename it to model_providers"]


def _name_implicit_sessions(tree: dict[str, Any], faults: Faults) -> list[str]:
    """What the reference calls `prompt_caching.session_affinity` are sessions by their opener."""
    section = tree.pop("prompt_caching", None)
    if section is None:
        return []
    section = dict(section) if isinstance(section, dict) else {}
    wanted, routing = section.pop("session_affinity", None), tree.setdefault("routing", {}) or {}
    if wanted is not None and isinstance(routing, dict) and "implicit_sessions" not in routing:
        tree["routing"] = {**routing, "implicit_sessions": wanted}
        faults.rename(("routing", "implicit_sessions"), ("prompt_caching", "session_affinity"))
    unread = ", ".join(f"prompt_caching.{name}" for name in section)
    return [f"does nothing here: {unread}"] if unread else []


def _lift_routes(tree: dict[str, Any], faults: Faults) -> list[str]:
    """Move the routes inside of providers behind those of the top level; a known name gets one model more."""
    providers, top = tree.get("model_providers"), tree.get("routing_preferences")
    routes = [*top] if isinstance(top, list) else []
    lifted: list[str] = []
    for n, provider in enumerate(providers if isinstance(providers, list) else ()):
        inline = provider.pop("routing_preferences", None) if isinstance(provider, dict) else None
        path: Path = ("model_providers", n, "routing_preferences")
        if inline and _is_current(tree.get("version")):
            right = "since v0.4.0 a route stands in the top-level routing_preferences and lists its models"
            faults.add(path, "is inside a provider", right)
        elif isinstance(inline, list):
            model = provider.get("model")
            readable = model if isinstance(model, str) else UNREADABLE
            lifted += [_lift(route, readable, routes, (*path, m), faults) for m, route in enumerate(inline)]
        elif inline:
            faults.add(path, "is no list", "it is a list of routes, each with name and description")
    if not lifted:
        return []
    if top is None or isinstance(top, list):
        tree["routing_preferences"] = routes
    names = ", ".join(dict.fromkeys(lifted))
    warning = f"routing_preferences inside providers are read as top-level routes ({names}); "
    return [warning + "move them there, list their models, and set version: v0.4.0"]


def _is_current(version: Any) -> bool:
    return version is None or (isinstance(version, str | float) and bool(_CURRENT.fullmatch(str(version))))


def _lift(route: Any, model: str, routes: list[Any], path: Path, faults: Faults) -> str:
    """Add the route, or its model to the one of this name; return the name."""
    name = route.get("name") if isinstance(route, dict) else None
    for n, other in enumerate(routes):
        if name and isinstance(other, dict) and other.get("name") == name and isinstance(other.get("models"), list):
            routes[n] = {**other, "models": [*other["models"], model]}
            break
    else:
        faults.rename(("routing_preferences", len(routes)), path)
        routes.append({**route, "models": [model]} if isinstance(route, dict) else route)
    return name if isinstance(name, str) else UNREADABLE
