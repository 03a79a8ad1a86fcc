"""The providers of the file as the catalog that requests are answered from."""

from collections.abc import Iterable, Mapping

import msgspec

from shared.config.faults import Faults, nearest
from shared.config.migrate import Present
from shared.config.providers import provider
from shared.config.schema import AliasEntry, ProviderEntry
from shared.domain.catalog import WILDCARD, Catalog, Model

_SECTION = "model_providers"


class Served(msgspec.Struct, frozen=True):
    """What clients may ask for, and the router model, which they may not."""

    catalog: Catalog
    router: Model | None


def serve(file: Present, aliases: Mapping[str, AliasEntry], faults: Faults) -> Served:
    """The models of the file; whatever is wrong with one leaves the others in place."""
    _refuse_twins(file.providers, faults)
    every = {entry.place: _model(entry, faults) for entry in file.providers}
    router_entry = _router_entry(file, faults)
    entries = [entry for entry in file.providers if entry is not router_entry or _is_wildcard(entry)]
    if file.providers and not entries:
        faults.add(_SECTION, "holds the router model only", "name a model that answers requests")
    models = tuple(every[entry.place] for entry in entries if not _is_wildcard(entry))
    wildcards = tuple(every[entry.place].provider for entry in entries if _is_wildcard(entry))
    plain = Catalog(models, wildcards=wildcards)
    names = {e.name: e.model for e in entries if e.name and not _is_wildcard(e) and plain.find(e.name) is None}
    targets = _targets(Catalog(models, wildcards=wildcards, aliases=names), aliases, faults)
    default = _default(entries, router_entry, faults)
    catalog = Catalog(models, wildcards=wildcards, aliases=names | targets, default=default)
    return Served(catalog, _router(file, every, router_entry))


def unknown(name: str, catalog: Catalog) -> tuple[str, str]:
    """What is wrong with the name of a model that is not configured, and what would be right."""
    names = [model.name for model in catalog.models]
    right = nearest(name, names) if names else f"name it in {_SECTION}"
    return f"is {name!r}, which is not configured", right


def _model(entry: ProviderEntry, faults: Faults) -> Model:
    return Model(entry.model, entry.model.partition("/")[2], provider(entry, faults))


def _is_wildcard(entry: ProviderEntry) -> bool:
    return entry.model.endswith(f"/{WILDCARD}")


def _refuse_twins(entries: Iterable[ProviderEntry], faults: Faults) -> None:
    models: dict[str, str] = {}
    names: dict[str, str] = {}
    for entry in entries:
        first = models.setdefault(entry.model, entry.place)
        if first != entry.place:
            faults.add(f"{entry.place}.model", f"is {entry.model!r}, as in {first}", "keep one of them")
        first = names.setdefault(entry.name or entry.model, entry.place)
        if entry.name and first != entry.place:
            faults.add(f"{entry.place}.name", f"is {entry.name!r}, as in {first}", "choose another")


def _default(entries: Iterable[ProviderEntry], router_entry: ProviderEntry | None, faults: Faults) -> str | None:
    chosen: ProviderEntry | None = None
    if router_entry and router_entry.default:
        faults.add(f"{router_entry.place}.default", "is true for the router model", "choose one that answers")
    for entry in entries:
        if not entry.default or entry is router_entry:
            continue
        if _is_wildcard(entry):
            faults.add(f"{entry.place}.default", "is true for a wildcard", "the default is a single model")
        elif chosen:
            faults.add(f"{entry.place}.default", f"is true, as in {chosen.place}", "one model is the default")
        else:
            chosen = entry
    return chosen.model if chosen else None


def _targets(catalog: Catalog, aliases: Mapping[str, AliasEntry], faults: Faults) -> dict[str, str]:
    """Each alias and the qualified name of its target."""
    targets = {}
    for alias, entry in aliases.items():
        model = catalog.find(entry.target)
        if model:
            targets[alias] = model.name
        elif entry.target in aliases:
            faults.add(f"{entry.place}.target", f"is {entry.target!r}, an alias itself", "it is a model's name")
        else:
            faults.add(f"{entry.place}.target", *unknown(entry.target, catalog))
    return targets


def _router_entry(file: Present, faults: Faults) -> ProviderEntry | None:
    """Who serves the router model, named in full, by its `name`, its bare id or through a wildcard."""
    name = file.router_model
    if name is None:
        return None
    for entry in file.providers:
        if not _is_wildcard(entry) and name in (entry.model, entry.name, entry.model.partition("/")[2]):
            return entry
    prefix = f"{name.partition('/')[0]}/{WILDCARD}"
    for entry in file.providers:
        if "/" in name and entry.model == prefix:
            return entry
    right = f"name one of {_SECTION}, or leave it out for the embedded router"
    faults.add(file.router_model_place, f"is {name!r}, which no provider serves", right)
    return None


def _router(file: Present, every: Mapping[str, Model], entry: ProviderEntry | None) -> Model | None:
    if entry is None or file.router_model is None:
        return None
    model = every[entry.place]
    if not _is_wildcard(entry):
        return model
    return Model(file.router_model, file.router_model.partition("/")[2], model.provider)
