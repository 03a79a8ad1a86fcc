"""What each source says, and what is made of one that says it wrong."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.config.sections import MetricSource
from shared.domain.money import Prices
from shared.errors import SourceFailed
from tests.fakes.ports import free_port
from tests.fakes.sources import Huge, Sources, Trickle, vector
from workers.metrics import SOURCES, Source
from workers.metrics.fetch import Fetch
from workers.metrics.usable_figures import Reading

NAMES = list(SOURCES)
COSTS = ["digitalocean", "models.dev", "litellm"]
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[Sources]:
    with Sources() as sources:
        yield sources


@pytest.fixture
def pages(server: Sources) -> Iterator[Sources]:
    """Two models with figures."""
    server.prices = {"acme/large": (3, 12, 0.3), "acme/small": (0.1, 0.2)}
    server.latencies = {"acme/large": 1.5, "acme/small": 0.25}
    server.clear()
    yield server
    server.behave(None)


def source(name: str, pages: Sources, **limits: Any) -> Source:
    urls = {
        "digitalocean": pages.digitalocean,
        "models.dev": pages.models_dev,
        "litellm": pages.litellm,
        "prometheus": pages.prometheus,
    }
    query = "avg by (model_name) (ttft)"
    config = MetricSource.model_validate({"type": "cost", "provider": name, "url": urls[name], "query": query})
    return SOURCES[name](config, Fetch(**limits))


@pytest.mark.parametrize("name", COSTS)
def test_a_cost_is_the_sum_of_input_and_output_per_million_tokens(name: str, pages: Sources) -> None:
    """Whatever unit the source writes it in."""
    reading = source(name, pages).read()

    assert reading.values == {"acme/large": 15, "acme/small": 0.3}
    assert reading.prices == {"acme/large": Prices(3, 12, 0.3), "acme/small": Prices(0.1, 0.2)}


def test_prometheus_is_asked_the_query_and_says_seconds(pages: Sources) -> None:
    reading = source("prometheus", pages).read()

    assert reading.values == {"acme/large": 1.5, "acme/small": 0.25}
    assert pages.requests[0].path == "/api/v1/query?query=avg+by+%28model_name%29+%28ttft%29"


@pytest.mark.parametrize("name", COSTS)
def test_a_model_without_a_whole_price_has_no_data(name: str, pages: Sources) -> None:
    """Ranked as zero it would be the cheapest of all."""
    pages.prices = {"acme/large": (3, 12), "acme/unpriced": None, "acme/half": (1,)}

    assert source(name, pages).read().values == {"acme/large": 15}


@pytest.mark.parametrize("name", COSTS)
def test_a_price_of_zero_is_a_price(name: str, pages: Sources) -> None:
    pages.prices = {"acme/free": (0, 0)}

    assert source(name, pages).read().values == {"acme/free": 0}


def test_the_older_name_of_the_cached_price_is_read(pages: Sources) -> None:
    pricing = {"input_price_per_million": 3e-06, "output_price_per_million": 1.2e-05, "input_cache_read": 3e-07}
    pages.behave("status", code=200, body={"data": [{"model_id": "large", "pricing": pricing}]})

    assert source("digitalocean", pages).read().prices == {"large": Prices(3, 12, 0.3)}


@pytest.mark.parametrize("name", COSTS)
def test_negative_prices_are_dropped_with_a_warning(
    name: str, pages: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    pages.prices = {"acme/odd": (-1, 5), "acme/odder": (1, 1e308), "acme/large": (3, 12, -0.3)}

    prices = source(name, pages).read().prices

    assert prices["acme/large"] == Prices(3, 12)
    assert "acme/odd" not in prices
    assert "such as of 'acme/odd'" in caplog.text


def test_latencies_that_are_no_time_are_dropped_with_a_warning(
    pages: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    pages.latencies = {"a": "NaN", "b": "+Inf", "c": -0.1, "d": "-Inf", "e": 0.2}

    assert source("prometheus", pages).read().values == {"e": 0.2}
    assert "dropped 4 figures" in caplog.text


@pytest.mark.parametrize(
    "value", [[1, "fast"], [1, ""], [1, 0.5], [1, None], [1, {}], [1], [], None, "0.5", [1, "1", 2]]
)
def test_a_sample_that_is_no_number_is_left_out_and_named_and_the_others_count(
    value: Any, pages: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad sample made all models' latencies old."""
    answer = vector([("a", 0.1), ("odd\n", 0.2), ("c", 0.3)])
    answer["data"]["result"][1]["value"] = value
    pages.behave("status", code=200, body=answer)

    assert source("prometheus", pages).read().values == {"a": 0.1, "c": 0.3}
    assert r"dropped 1 samples that are no number, such as of 'odd\n'" in caplog.text


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_series_of_a_model_the_slower_counts(order: int, pages: Sources) -> None:
    """Prometheus promises no order, and every refresh must come to the same."""
    samples = [("a", 0.1), ("a", "NaN"), ("a", 0.4), ("a", 0.2)][::order]
    pages.behave("status", code=200, body=vector(samples))

    assert source("prometheus", pages).read().values == {"a": 0.4}


def test_a_series_without_the_label_is_dropped_with_a_warning(
    pages: Sources, caplog: pytest.LogCaptureFixture
) -> None:
    answer = vector([("a", 0.1)])
    answer["data"]["result"] += vector([("b", 0.1)], label="instance")["data"]["result"]
    pages.behave("status", code=200, body=answer)

    assert source("prometheus", pages).read().values == {"a": 0.1}
    assert "without the label model_name" in caplog.text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "code": 500},
        {"kind": "status", "code": 404},
        {"kind": "status", "code": 302, "headers": {"location": "/api.json"}},
        {"kind": "status", "code": 204, "body": b""},
        {"kind": "close"},
        {"kind": "not_json"},
        {"kind": "half_body"},
        {"kind": "status", "code": 200, "body": b""},
        {"kind": "status", "code": 200, "body": b"\xff\xfe{}"},
        {"kind": "status", "code": 200, "body": b"[" * 100_000},
        {"kind": "status", "code": 200, "body": {}},
        {"kind": "status", "code": 200, "body": []},
        {"kind": "status", "code": 200, "body": {"data": []}},
        {"kind": "status", "code": 200, "body": {"error": {"message": "no"}}},
        {"kind": "status", "code": 200, "body": vector([])},
        {"kind": "status", "code": 200, "body": vector([("a", "fast")])},
        {"kind": "status", "code": 200, "body": {"data": [{"model_id": 7, "pricing": {}}]}},
        {"kind": "status", "code": 200, "body": {"acme": {"models": {"a": {"cost": {"input": "1"}}}}}},
        {"kind": "status", "code": 200, "body": b'{"acme": {"models": {"a": {"cost": {"input": NaN}}}}}'},
    ],
    ids=lambda fault: json.dumps(fault, default=repr)[:60],
)
def test_an_answer_that_is_not_what_the_source_promises_is_an_error(
    name: str, fault: dict[str, Any], pages: Sources
) -> None:
    """Never an empty reading: it would put nothing in the place of good data."""
    pages.behave(**fault)

    with pytest.raises(SourceFailed):
        source(name, pages).read()


@pytest.mark.parametrize("name", NAMES)
def test_a_source_that_is_down_is_an_error_without_its_credentials(name: str) -> None:
    url = f"http://user:secret@127.0.0.1:{free_port()}/api.json?token=secret"
    config = MetricSource.model_validate({"type": "cost", "provider": name, "url": url, "query": "secret"})

    with pytest.raises(SourceFailed, match=r"http://127\.0\.0\.1:\d+/") as caught:
        SOURCES[name](config, Fetch()).read()

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_silence_ends_in_time(name: str, pages: Sources) -> None:
    pages.behave("hang")

    with pytest.raises(SourceFailed, match=r"no whole answer within 0\.05 s"):
        source(name, pages, total_s=0.05).read()


def test_a_body_that_trickles_ends_in_time() -> None:
    """Every piece comes in time, the whole does not."""
    with Trickle() as page, pytest.raises(SourceFailed, match="no whole answer"):
        Fetch(total_s=0.1).json(page.root, dict[str, int])


@pytest.mark.parametrize("promised", [True, False], ids=["sized", "chunked"])
def test_fifty_megabytes_are_an_error(promised: bool) -> None:
    with Huge(promised=promised) as page, pytest.raises(SourceFailed, match="more than 20971520 bytes"):
        Fetch().json(page.root, dict[str, int])


def test_a_small_answer_cannot_become_a_large_one(pages: Sources) -> None:
    """Fifty megabytes of blanks are fifty kilobytes on the wire."""
    body = gzip.compress(b" " * 4 * MIB + b"{}", 1)
    pages.behave("status", code=200, body=body, headers={"content-encoding": "gzip"})

    with pytest.raises(SourceFailed, match="more than 1048576 bytes"):
        source("models.dev", pages, max_bytes=MIB).read()


def test_an_alias_gives_a_figure_our_name_too(pages: Sources) -> None:
    """The source's own name stays: another of our models may have it."""
    reading = source("models.dev", pages).read().named({"acme/large": "azure/big", "acme/none": "azure/none"})

    assert reading.values == {"acme/large": 15, "acme/small": 0.3, "azure/big": 15}
    assert reading.prices["azure/big"] == Prices(3, 12, 0.3)


def test_an_alias_wins_over_the_source_s_own_name() -> None:
    reading = Reading({"a": 1.0, "b": 2.0}).named({"a": "b"})

    assert reading.values == {"a": 1.0, "b": 1.0}


def test_equal_sums_of_prices_are_equal() -> None:
    """0.1 + 0.2 is not 0.3 to a computer; a tie must stay one, so that the declared order decides."""
    reading = Reading.of_prices({"a": Prices(0.1, 0.2), "b": Prices(0.15, 0.15)})

    assert reading.values["a"] == reading.values["b"]
