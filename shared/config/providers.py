"""The providers of the file as the catalog that requests are answered from."""

import math
from collections.abc import Mapping

import msgspec

from shared.config.faults import UNREADABLE, Faults, Path, by_path, listed, nearest
from shared.config.fields import api_base, url_fault
from shared.config.routing_section import Router
from shared.config.sections import ConfigFile, ModelProvider
from shared.domain.catalog import WILDCARD, Catalog, Model, Provider

_SECTION = "model_providers"
_AZURE = "azure_openai"
_BASES = {
    "anthropic": "https://api.anthropic.com/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "digitalocean": "https://inference.do-ai.run/v1",
    "edenai": "https://api.edenai.run/v3/llm",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "moonshotai": "https://api.moonshot.ai/v1",
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together_ai": "https://api.together.xyz/v1",
    "vercel": "https://ai-gateway.vercel.sh/v1",
    "xai": "https://api.x.ai/v1",
    "xiaomi": "https://api.xiaomimimo.com/v1",
    "zhipu": "https://open.bigmodel.cn/api/paas/v4",
}
_WITHOUT_BASE = {
    _AZURE: _AZURE,
    **dict.fromkeys(("amazon_bedrock", "arch", "chatgpt", "ollama", "plano", "qwen"), "openai"),
}
"""Known names without a default URL, and the interface of each."""
_SYNONYMS = {"claude": "anthropic"}
_SPEAK = {"openai": ("chat", "responses"), "anthropic": ("messages", "chat")}
"""The APIs of the providers of these names; the others have chat. Anthropic has chat at a path for compatibility."""
_HOSTED_ROUTERS = ("Arch-Router", "Plano-Orchestrator")
"""Router models that the reference asks at its authors' own server when no provider is said to serve them."""


class Served(msgspec.Struct, frozen=True):
    """What clients may ask for, and the router model, which they may not."""

    catalog: Catalog
    router: Router | None


def serve(file: ConfigFile, faults: Faults) -> Served:
    """The models of the file; whatever is wrong with one leaves the others in place."""
    providers = by_path(file.model_providers, _SECTION)
    _refuse_twins(providers, faults)
    every = {path: _model(entry, path, faults) for path, entry in providers.items()}
    router_path = _router_path(file.overrides.llm_routing_model, providers, faults)
    entries = {path: entry for path, entry in providers.items() if path != router_path or entry.is_wildcard}
    if providers and not entries:
        faults.add((_SECTION,), "holds the router model only", "name a model that answers requests")
    models = tuple(every[path] for path, entry in entries.items() if not entry.is_wildcard)
    wildcards = {path: every[path].provider for path, entry in entries.items() if entry.is_wildcard}
    served = Catalog(models, wildcards=tuple(wildcards.values()))
    singles = [entry for entry in entries.values() if not entry.is_wildcard]
    others = {entry.name: entry.model for entry in singles if entry.name and served.find(entry.name) is None}
    named = Catalog(models, wildcards=tuple(wildcards.values()), aliases=others)
    bare_from = [provider.name for path, provider in wildcards.items() if path != router_path]
    catalog = Catalog(
        models,
        wildcards=tuple(wildcards.values()),
        aliases=others | _targets(file, named, bare_from, faults),
        default=_default(providers, router_path, faults),
    )
    return Served(catalog, _router(file.overrides.llm_routing_model, every.get(router_path or ())))


def unknown(name: str, catalog: Catalog) -> tuple[str, str]:
    """What is wrong with the name of a model that is not configured, and what would be right."""
    names = [model.name for model in catalog.models if UNREADABLE not in model.name]
    right = nearest(name, names) if names else f"name it in {_SECTION}"
    return f"is {name!r}, which is not configured", right


def _model(entry: ModelProvider, path: Path, faults: Faults) -> Model:
    """The model; after a fault, something to go on checking with."""
    name = entry.provider
    interface = entry.provider_interface or (name if name in _BASES else _WITHOUT_BASE.get(name))
    if interface is None:
        right = f"say whose API {name!r} speaks, such as openai"
        faults.add((*path, "provider_interface"), "is missing", right)
        interface = "openai"
    interface = _SYNONYMS.get(interface, interface)
    provider = Provider(
        name=name,
        base_url=_base_url(entry, interface, path, faults),
        interface=interface,
        apis=entry.apis or _speaks(name, interface),
        prompt_caching=entry.prompt_caching == "auto",
        access_key=entry.access_key,
        passthrough_auth=entry.passthrough_auth,
        headers=tuple((header.lower(), value) for header, value in entry.headers.items()),
        ca_file=entry.ca_file,
        cache_key=entry.cache_key == "auto",
        cache_window_s=math.ceil(entry.cache_window_s) if entry.cache_window_s else None,
    )
    return Model(entry.model, entry.id, provider)


def _speaks(name: str, interface: str) -> tuple[str, ...]:
    """The APIs of a provider. Whose API is said to be OpenAI's is often a server that has chat alone."""
    is_like_openai = interface == "openai" and name != "openai"
    return ("chat",) if is_like_openai else _SPEAK.get(interface, ("chat",))


def _base_url(entry: ModelProvider, interface: str, path: Path, faults: Faults) -> str:
    name = entry.provider
    if entry.base_url is None:
        if name not in _BASES:
            right = f"say where the API of {name!r} is, such as http://host:8000/v1"
            faults.add((*path, "base_url"), "is missing", right)
        return _BASES.get(name, "")
    if interface == _AZURE:
        return entry.base_url.rstrip("/")
    fault = url_fault(entry.base_url)
    if fault:
        faults.add((*path, "base_url"), *fault)
    return api_base(entry.base_url)


def _refuse_twins(entries: Mapping[Path, ModelProvider], faults: Faults) -> None:
    models = {path: entry.model for path, entry in entries.items()}
    faults.refuse_repeated("model", models, "keep one of them")
    faults.refuse_repeated("name", {path: e.name for path, e in entries.items() if e.name}, "choose another")
    for path, entry in entries.items():
        if entry.name in {model for other, model in models.items() if other != path}:
            faults.add((*path, "name"), f"is {entry.name!r}, another model", "choose another")


def _default(entries: Mapping[Path, ModelProvider], router_path: Path | None, faults: Faults) -> str | None:
    chosen: Path | None = None
    for path, entry in entries.items():
        if not entry.default:
            continue
        if entry.is_wildcard:
            faults.add((*path, "default"), "is true for a wildcard", "the default is a single model")
        elif path == router_path:
            faults.add((*path, "default"), "is true for the router model", "choose one that answers")
        elif chosen:
            faults.add((*path, "default"), f"is true, as in {faults.place(chosen)}", "one model is the default")
        else:
            chosen = path
    return entries[chosen].model if chosen else None


def _targets(file: ConfigFile, catalog: Catalog, bare_from: list[str], faults: Faults) -> dict[str, str]:
    """Each alias and the qualified name of its target; a bare target may be any model of the only wildcard."""
    targets = {}
    for alias, entry in file.model_aliases.items():
        path, target = ("model_aliases", alias, "target"), entry.target
        bare = [f"{provider}/{target}" for provider in bare_from if "/" not in target]
        if model := catalog.find(target):
            targets[alias] = model.name
        elif target in file.model_aliases:
            faults.add(path, f"is {target!r}, an alias itself", "it is a model's name")
        elif len(bare) > 1:
            faults.add(path, f"is {target!r}, which more than one wildcard may serve", f"it is {listed(bare)}")
        elif bare:
            targets[alias] = bare[0]
        else:
            faults.add(path, *unknown(target, catalog))
    return targets


def _router_path(name: str | None, providers: Mapping[Path, ModelProvider], faults: Faults) -> Path | None:
    """Who serves the router model, named in full, by its `name`, its bare id or through a wildcard."""
    if name is None:
        return None
    qualified = f"plano/{name}" if name in _HOSTED_ROUTERS else name
    prefix, slash, _ = qualified.partition("/")
    for path, entry in providers.items():
        if not entry.is_wildcard and name in (entry.model, entry.name, entry.id):
            return path
    for path, entry in providers.items():
        if slash and entry.model == f"{prefix}/{WILDCARD}":
            return path
    if qualified.removeprefix("plano/") not in _HOSTED_ROUTERS:
        right = f"name one of {_SECTION}, or leave it out for the embedded router"
        faults.add(("overrides", "llm_routing_model"), f"is {name!r}, which no provider serves", right)
    return None


def _router(name: str | None, model: Model | None) -> Router | None:
    if name is None or model is None:
        return None
    served = name.removeprefix(f"{model.provider.name}/") if model.id == WILDCARD else model.id
    provider = model.provider
    return Router.model_construct(
        url=provider.base_url, model=served, api_key=provider.access_key, ca_file=provider.ca_file
    )
