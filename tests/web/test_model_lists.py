"""The list of models in the shape of who asks, and each model by itself."""

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.web.gateway import Gateway, Webs, error_of
from tests.web.sites import KEYS

NAMES = ["openai/gpt-4o-mini", "openai/gpt-5.2", "anthropic/claude-sonnet-4-20250514", "down/model"]
VERSION = {"anthropic_version": "2023-06-01"}


@pytest.fixture
def claude(web: Gateway) -> Iterator[anthropic.Anthropic]:
    base_url = web.base_url.removesuffix("/v1")
    with anthropic.Anthropic(base_url=base_url, api_key="unused", max_retries=0) as client:
        yield client


def ids(listing: dict[str, Any]) -> list[str]:
    return [model["id"] for model in listing["data"]]


def test_a_client_of_messages_gets_anthropics_page(claude: anthropic.Anthropic) -> None:
    page = claude.models.list(limit=1000)

    assert [(model.type, model.id, model.display_name) for model in page.data] == [("model", n, n) for n in NAMES]
    assert all(model.created_at.year == 1970 for model in page.data)
    assert (page.first_id, page.last_id, page.has_more) == (NAMES[0], NAMES[-1], False)


def test_pages_hold_as_many_as_are_asked_for_and_go_on_where_the_last_ended(claude: anthropic.Anthropic) -> None:
    first = claude.models.list(limit=3)
    before_last = claude.models.list(limit=2, before_id=NAMES[3])

    assert ([model.id for model in first.data], first.has_more) == (NAMES[:3], True)
    assert [model.id for model in first] == NAMES
    assert ([model.id for model in before_last.data], before_last.has_more) == (NAMES[1:3], True)


@pytest.mark.parametrize("header", ["anthropic_version", "x_api_key"])
def test_either_header_tells_such_a_client(web: Gateway, header: str) -> None:
    listing = web.ask("GET", "/v1/models", **{header: "2023-06-01"}).json()

    assert list(listing) == ["data", "has_more", "first_id", "last_id"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit=%C2%B2", "after_id=none"])
def test_a_page_that_cannot_be_is_refused(web: Gateway, query: str) -> None:
    answer = web.ask("GET", f"/v1/models?{query}", **VERSION)

    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.text


def test_a_key_without_models_has_an_empty_page(webs: Webs) -> None:
    """It covers one model, which is before none."""
    page = webs.strict.ask(
        "GET", "/v1/models?before_id=openai/gpt-4o-mini", authorization=f"Bearer {KEYS['small']}", **VERSION
    ).json()

    assert page == {"data": [], "has_more": False, "first_id": None, "last_id": None}


def test_codex_is_left_with_what_it_knows_itself(web: Gateway) -> None:
    """An entry would have to hold the instructions that Codex gives the model."""
    assert web.ask("GET", "/v1/models?client_version=0.169.0").json() == {"models": []}


@pytest.mark.parametrize("written", ["openai/gpt-5.2", "openai%2Fgpt-5.2", "openai%2fgpt-5.2", "clever", "gpt-5.2"])
def test_one_model_has_its_entry_by_any_of_its_names(web: Gateway, written: str) -> None:
    answer = web.ask("GET", f"/v1/models/{written}")

    assert answer.json() == {"id": "openai/gpt-5.2", "object": "model", "created": 0, "owned_by": "openai"}
    assert answer.headers["access-control-allow-origin"] == "*"


def test_both_official_clients_find_it(web: Gateway, claude: anthropic.Anthropic) -> None:
    """The one writes the slash of the name as %2F, the other leaves it."""
    with openai.OpenAI(base_url=web.base_url, api_key="k", max_retries=0) as client:
        assert client.models.retrieve(NAMES[2]).id == NAMES[2]
    assert claude.models.retrieve(NAMES[2]).id == NAMES[2]


@pytest.mark.parametrize("written", ["none", "openai/none", "house/" + "x" * 300, "%00", "..%2f..%2fmetrics", "%ff"])
def test_one_that_nobody_serves_is_not_found(web: Gateway, written: str) -> None:
    answer = web.ask("GET", f"/v1/models/{written}")

    assert answer.status_code == 404
    assert error_of(answer)["code"] == "model_not_found"


def test_nor_is_one_that_the_key_does_not_cover(webs: Webs) -> None:
    key = {"authorization": f"Bearer {KEYS['small']}"}

    assert webs.strict.ask("GET", f"/v1/models/{NAMES[0]}", **key).status_code == 200
    assert error_of(webs.strict.ask("GET", f"/v1/models/{NAMES[1]}", **key))["code"] == "model_not_found"
    assert error_of(webs.strict.ask("GET", f"/v1/models/{NAMES[0]}", authorization=""))["code"] == "invalid_api_key"


def test_a_page_of_another_origin_may_ask_for_one(webs: Webs) -> None:
    answer = webs.strict.ask("OPTIONS", f"/v1/models/{NAMES[0]}", authorization="", origin="https://a.example")

    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (204, "*")
