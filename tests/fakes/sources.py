"""Price pages and a Prometheus server: where prices and latencies come from."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.fakes.stand_in import StandIn
from tests.fakes.wire import Answer, Request, dumps, error, stream, whole

Prices = Mapping[str, Sequence[float] | None]

_PER_MILLION = 1_000_000


class Page(StandIn):
    """A server whose answers are pages."""

    @property
    def root(self) -> str:
        """Its address without a path."""
        return f"http://127.0.0.1:{self.port}"


class Sources(Page):
    """Tells invented figures in the shapes of DigitalOcean, models.dev, LiteLLM and Prometheus."""

    settable: ClassVar[frozenset[str]] = StandIn.settable | {"prices", "latencies"}

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.prices: Prices = {}
        """US$ per million tokens of each `provider/id`: input, output, then those that are known of reading from the
        cache and of writing to it."""
        self.latencies: Mapping[str, float | str] = {}
        """Seconds per model; a text is sent as it is."""

    @property
    def prometheus(self) -> str:
        """The address of the Prometheus server."""
        return self.root

    @property
    def digitalocean(self) -> str:
        """The address of DigitalOcean's catalog."""
        return f"{self.root}/v2/gen-ai/models/catalog"

    @property
    def models_dev(self) -> str:
        """The address of models.dev's list."""
        return f"{self.root}/api.json"

    @property
    def litellm(self) -> str:
        """The address of LiteLLM's table."""
        return f"{self.root}/model_prices_and_context_window.json"

    def respond(self, request: Request) -> Answer:
        """What the page says; 404 for a page that is not there, 400 for a query that asks nothing."""
        target = urlsplit(request.path)
        match request.method, target.path:
            case "GET", "/v2/gen-ai/models/catalog":
                return whole(dumps(_catalog(self.prices)))
            case "GET", "/api.json":
                return whole(dumps(_providers(self.prices)))
            case "GET", "/model_prices_and_context_window.json":
                return whole(dumps(_table(self.prices)))
            case "GET", "/api/v1/query":
                if not parse_qs(target.query).get("query"):
                    return whole(dumps({"status": "error", "errorType": "bad_data"}), status=400)
                return whole(dumps(vector(self.latencies.items())))
        return error(404, f"{request.method} {request.path} is not there")


class Trickle(Page):
    """Sends a blank, and another one, each soon after the last, for two seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.pause = 0.01

    def respond(self, _: Request) -> Answer:
        """Two hundred pieces."""
        return stream([b" "] * 200)


class Huge(Page):
    """Sends fifty megabytes of blanks; `promised`: and says so first."""

    def __init__(self, *, promised: bool) -> None:
        super().__init__()
        self._promised = promised

    def respond(self, _: Request) -> Answer:
        """In one piece or in fifty."""
        piece = b" " * 1024 * 1024
        return whole(piece * 50) if self._promised else stream([piece] * 50)


def vector(samples: Any, label: str = "model_name") -> dict[str, Any]:
    """An instant query's answer: samples of pairs of name and value."""
    result = [
        {"metric": {"__name__": "ttft", label: name}, "value": [1760000000.5, str(value)]} for name, value in samples
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def _catalog(prices: Prices) -> dict[str, Any]:
    return {"data": [_entry(name, price) for name, price in prices.items()], "meta": {"total": len(prices)}}


def _entry(name: str, price: Sequence[float] | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"model_id": name, "name": name.title(), "pricing": None}
    if price:
        fields = ("input_price_per_million", "output_price_per_million", "cache_read_input_price_per_million")
        entry["pricing"] = {field: each / _PER_MILLION for field, each in zip(fields, price, strict=False)}
    return entry


def _providers(prices: Prices) -> dict[str, Any]:
    providers: dict[str, Any] = {}
    for name, price in prices.items():
        provider, _, model_id = name.partition("/")
        offer = providers.setdefault(provider, {"id": provider, "env": ["KEY"], "models": {}})
        offer["models"][model_id] = {"id": model_id, "limit": {"context": 128000}}
        if price:
            offer["models"][model_id]["cost"] = dict(
                zip(("input", "output", "cache_read", "cache_write"), price, strict=False)
            )
    return providers


def _table(prices: Prices) -> dict[str, Any]:
    explained = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "max_tokens": "how many, at most"}
    table: dict[str, Any] = {"sample_spec": explained}
    fields = (
        "input_cost_per_token",
        "output_cost_per_token",
        "cache_read_input_token_cost",
        "cache_creation_input_token_cost",
    )
    for name, price in prices.items():
        costs = {field: each / _PER_MILLION for field, each in zip(fields, price or (), strict=False)}
        table[name] = {"litellm_provider": name.partition("/")[0], "mode": "chat", **costs}
    return table
