"""What the reference's file may hold and this product does not read: taken out before anything else reads it."""

from collections.abc import Sequence
from typing import Any

_PROVIDERS = ("model_providers", "llm_providers")
IGNORED = (
    "agents", "endpoints", "error_target", "filters", "mode", "prompt_guards", "prompt_targets", "ratelimits",
    "state_storage", "system_prompt", "listeners.ingress_traffic", "listeners[].agents",
    "listeners[].input_filters", "listeners[].max_retries", "listeners[].output_filters", "listeners[].router",
    "model_providers[].http_host", "llm_providers[].http_host", "overrides.agent_orchestration_model",
    "overrides.disable_signals", "overrides.optimize_context_window", "overrides.orchestrator_model_context_length",
    "overrides.prompt_target_intent_matching_threshold", "overrides.upstream_connect_timeout",
    "overrides.upstream_tls_ca_path", "overrides.use_agent_orchestrator", "routing.llm_provider", "routing.model",
    "tracing.exporters", "tracing.span_attributes", "tracing.trace_arch_internal",
)  # fmt: skip
"""Paths of settings; `[]` stands for each item of a list."""


def take_out(tree: dict[str, Any]) -> list[str]:
    """Remove from the tree what nothing reads, variables in it included; return a warning that names it.

    Lists keep their length, so that the places of faults stay true.
    """
    ignored = _other_listeners(tree) + _unused_values(tree) + _drop_all(tree, IGNORED)
    return [f"ignored, as nothing here uses it: {', '.join(ignored)}"] if ignored else []


def _drop_all(tree: dict[str, Any], paths: Sequence[str]) -> list[str]:
    return [place for path in paths for place in _drop(tree, path.replace("[]", ".[]").split("."), "")]


def _drop(node: Any, path: Sequence[str], place: str) -> list[str]:
    first, *rest = path
    if first == "[]":
        items = node if isinstance(node, list) else []
        return [found for n, item in enumerate(items) for found in _drop(item, rest, f"{place}[{n}]")]
    if not isinstance(node, dict) or first not in node:
        return []
    inner = f"{place}.{first}".removeprefix(".")
    if rest:
        return _drop(node[first], rest, inner)
    del node[first]
    return [inner]


def _other_listeners(tree: dict[str, Any]) -> list[str]:
    """Empty every listener but the first for models: the gateway has one address."""
    listeners = tree.get("listeners")
    if not isinstance(listeners, list):
        return []
    places = []
    served = False
    for n, listener in enumerate(listeners):
        if not isinstance(listener, dict):
            continue
        kind = listener.get("type", "model")
        if served or kind in ("agent", "prompt"):
            listeners[n] = {"type": kind}
            places.append(f"listeners[{n}]")
        served = served or kind == "model"
    return places


def _unused_values(tree: dict[str, Any]) -> list[str]:
    """Remove values that a setting beside them puts out of use."""
    places = []
    for section in _PROVIDERS:
        for n, provider in enumerate(tree[section] if isinstance(tree.get(section), list) else []):
            if isinstance(provider, dict) and provider.get("passthrough_auth") is True:
                places += _drop(provider, ["access_key"], f"{section}[{n}]")
    routing = tree.get("routing")
    cache = routing.get("session_cache") if isinstance(routing, dict) else None
    if isinstance(cache, dict) and cache.get("type") == "memory":
        places += _drop(cache, ["url"], "routing.session_cache")
    return places
