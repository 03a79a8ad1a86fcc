"""Prices from a file beside the config."""

from pathlib import Path
from typing import Any

import msgspec
import yaml

from shared.config.sections import MetricSource
from shared.domain.money import Prices
from shared.errors import SourceFailed
from workers.metrics.prices import litellm
from workers.metrics.prices.models_dev import Cost, Offer
from workers.metrics.usable_figures import Reading

_MOST_BYTES = 20 * 1024 * 1024


class _Listed(Cost, forbid_unknown_fields=True):
    """A model's prices as an operator writes them: by the names of models.dev, in US$ per million tokens."""


class PriceFile:
    """Prices in JSON or YAML: a model's own, or an entry of the tables of models.dev or of LiteLLM."""

    def __init__(self, source: MetricSource) -> None:
        self._path = Path(source.path or "")

    def read(self) -> Reading:
        """The file's prices; raises SourceFailed, which names the entry that is wrong."""
        entries = self._entries()
        found: dict[str, Prices] = {}
        for name, entry in entries.items():
            try:
                found |= _prices(name, entry)
            except msgspec.ValidationError as error:
                raise SourceFailed(f"{self._path}: {name}: {error}") from None
        return Reading.of_prices(found)

    def _entries(self) -> dict[str, Any]:
        try:
            with self._path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise SourceFailed(f"{self._path} cannot be read: {error.strerror}") from None
        if len(data) > _MOST_BYTES:
            raise SourceFailed(f"{self._path} has more than {_MOST_BYTES} bytes")
        try:
            decoded = msgspec.json.decode(data) if self._path.suffix == ".json" else yaml.safe_load(data)
            return msgspec.convert(decoded, dict[str, Any])
        except (msgspec.MsgspecError, yaml.YAMLError, UnicodeError, RecursionError):
            raise SourceFailed(f"{self._path} is no table: prices by the names of models") from None


def _prices(name: str, entry: Any) -> dict[str, Prices]:
    fields = entry if isinstance(entry, dict) else {}
    if "models" in fields:
        return msgspec.convert(entry, Offer).prices(name)
    if "litellm_provider" in fields or "input_cost_per_token" in fields:
        return litellm.table({name: entry})
    return {name: msgspec.convert(entry, _Listed).prices()}
