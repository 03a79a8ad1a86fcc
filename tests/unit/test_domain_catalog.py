"""How a client's name for a model is understood."""

import pytest

from shared.domain.catalog import Catalog, Model, Provider
from shared.errors import BadRequest, UnknownModel


def model(name: str) -> Model:
    provider, _, bare = name.partition("/")
    return Model(name, bare, Provider(name=provider, base_url=f"https://{provider}.test/v1", interface="openai"))


MINI, BIG, CLAUDE = model("openai/gpt-4o-mini"), model("openai/gpt-5.2"), model("anthropic/claude")
CUSTOM = Provider(name="custom", base_url="http://host/v1", interface="openai")
CATALOG = Catalog(
    (MINI, BIG, CLAUDE), wildcards=(CUSTOM,), aliases={"fast": "openai/gpt-4o-mini"}, default="openai/gpt-5.2"
)


@pytest.mark.parametrize("name", ["openai/gpt-4o-mini", "gpt-4o-mini", "fast"])
def test_a_qualified_name_a_bare_id_and_an_alias_mean_one_model(name: str) -> None:
    """Two names must not make two models, of which each would have its own pins and prices."""
    assert CATALOG.get(name) is MINI
    assert CATALOG.find(name) is MINI
    assert CATALOG.qualify(name) == "openai/gpt-4o-mini"


def test_no_name_means_the_default() -> None:
    assert CATALOG.get(None) is BIG


def test_no_name_without_a_default_is_refused_and_says_what_to_do() -> None:
    with pytest.raises(BadRequest, match="name a model") as caught:
        Catalog((MINI,)).get(None)

    assert not isinstance(caught.value, UnknownModel)
    assert caught.value.param == "model"


@pytest.mark.parametrize(
    "name", ["gpt-9", "openai/gpt-9", "", "openai/", "/gpt-4o-mini", "OPENAI/gpt-4o-mini", "none"]
)
def test_a_name_that_is_not_configured_is_unknown(name: str) -> None:
    """It goes to no other model, not even to the default one."""
    assert CATALOG.find(name) is None

    with pytest.raises(UnknownModel) as caught:
        CATALOG.get(name)

    assert caught.value.param == "model"


def test_a_wildcard_serves_every_model_of_its_provider() -> None:
    found = CATALOG.get("custom/llama/70b")

    assert found == Model("custom/llama/70b", "llama/70b", CUSTOM)


@pytest.mark.parametrize("name", ["custom/", "custom/*", "custom", "llama"])
def test_a_wildcard_needs_a_model_behind_its_provider(name: str) -> None:
    assert CATALOG.find(name) is None


def test_a_model_in_its_own_right_goes_before_the_wildcard() -> None:
    """It may have a key or an address of its own."""
    catalog = Catalog((MINI,), wildcards=(model("openai/*").provider,))

    assert catalog.get("openai/gpt-4o-mini") is MINI


def test_a_qualified_name_is_never_taken_for_the_bare_id_of_another_provider() -> None:
    """OpenRouter's id `anthropic/claude` looks like the model `claude` of Anthropic, which is configured too."""
    resold = model("openrouter/anthropic/claude")
    direct = model("anthropic/*").provider

    assert Catalog((resold, CLAUDE)).get("anthropic/claude") is CLAUDE
    assert Catalog((resold,), wildcards=(direct,)).get("anthropic/claude").provider is direct
    assert Catalog((resold,)).get("anthropic/claude") is resold


def test_of_two_models_with_one_bare_id_the_first_is_meant() -> None:
    azure = model("azure/gpt-4o-mini")

    assert Catalog((azure, MINI)).get("gpt-4o-mini") is azure
    assert Catalog((MINI, azure)).get("gpt-4o-mini") is MINI


def test_an_alias_goes_one_level() -> None:
    catalog = Catalog((MINI,), aliases={"a": "b", "b": "openai/gpt-4o-mini"})

    assert catalog.find("b") is MINI
    assert catalog.find("a") is None


def test_models_stay_in_the_order_of_the_config() -> None:
    assert [entry.name for entry in CATALOG.models] == ["openai/gpt-4o-mini", "openai/gpt-5.2", "anthropic/claude"]


def test_a_provider_never_shows_its_credential() -> None:
    provider = Provider(name="a", base_url="http://a/v1", interface="openai", access_key="sk-secret")

    assert "secret" not in repr(Model("a/b", "b", provider))
