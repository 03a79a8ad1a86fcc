"""From a path to a config: read, fill in, migrate, check, build."""

import hashlib
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

import msgspec

from shared.config.check import check, doubts
from shared.config.faults import Faults
from shared.config.limits_section import Limits
from shared.config.providers import Served, serve
from shared.config.reading import document, environment, ignored_settings
from shared.config.reading.migrate import migrate
from shared.config.reading.parse import read
from shared.config.routing_section import Router, Routing
from shared.config.sections import (
    AccessKey,
    ConfigFile,
    Listener,
    MetricSource,
    RoutingPreference,
    Tracing,
)
from shared.domain.catalog import Catalog
from shared.domain.routes import Prefer, Route

_DIGEST_LENGTH = 12


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A checked config file: its sections, and what follows from several of them."""

    catalog: Catalog
    routes: tuple[Route, ...]
    listener: Listener
    routing: Routing
    router: Router | None
    """The router model; None: the embedded router."""
    access_keys: tuple[AccessKey, ...]
    limits: Limits
    sources: tuple[MetricSource, ...]
    source_types: frozenset[str]
    """Which of cost and latency the sources say."""
    tracing: Tracing
    warnings: tuple[str, ...]
    digest: str
    """The first 12 hexadecimal digits of the SHA-256 of the file: replicas compare it."""


def load(path: Path, env: Mapping[str, str]) -> Config:
    """What the config file says, with variables taken from `env`, then from `.env` beside the file.

    Raises ConfigError that lists every fault, each as `path: what is wrong; what would be right`.
    """
    faults = Faults()
    data = document.content(path)
    tree = document.parse(data, str(path), faults)
    ignored = ignored_settings.take_out(tree)
    warnings = migrate(tree, faults)
    if not tree.get("model_providers"):
        faults.add(("model_providers",), "is empty", "name at least one model, such as openai/gpt-4o-mini")
    variables = ChainMap(dict(env), environment.read_dotenv(path.parent / ".env", faults))
    file = read(environment.fill(tree, variables, faults), path.parent, faults)
    served = serve(file, faults)
    check(file, served.catalog, faults)
    faults.raise_any()
    catalog, sources = served.catalog, file.model_metrics_sources
    return Config(
        catalog=catalog,
        routes=tuple(_route(entry, catalog) for entry in file.routing_preferences),
        listener=next((entry for entry in file.listeners if entry.type == "model"), Listener()),
        routing=file.routing,
        router=_router(file, served),
        access_keys=tuple(_access_key(key, catalog) for key in file.auth.keys),
        limits=file.limits,
        sources=tuple(_source(source, catalog) for source in sources),
        source_types=frozenset(source.type for source in sources),
        tracing=file.tracing,
        warnings=(*warnings, *ignored, *doubts(file, served, faults)),
        digest=hashlib.sha256(data).hexdigest()[:_DIGEST_LENGTH],
    )


def _route(entry: RoutingPreference, catalog: Catalog) -> Route:
    models = dict.fromkeys(map(catalog.qualify, entry.models))
    return Route(entry.name, entry.description, tuple(models), Prefer(entry.selection_policy.prefer))


def _router(file: ConfigFile, served: Served) -> Router | None:
    wanted = file.routing.router
    if isinstance(wanted, Router):
        return wanted
    return served.router if wanted == "auto" else None


def _access_key(key: AccessKey, catalog: Catalog) -> AccessKey:
    """The key with the qualified names of its models."""
    models = tuple(dict.fromkeys(map(catalog.qualify, key.models))) if key.models else None
    return key.model_copy(update={"models": models})


def _source(source: MetricSource, catalog: Catalog) -> MetricSource:
    """The source with the qualified names of our models."""
    aliases = {
        theirs: model.name if (model := catalog.find(ours)) else ours for theirs, ours in source.model_aliases.items()
    }
    return source.model_copy(update={"model_aliases": aliases})
