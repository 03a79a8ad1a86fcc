"""The configured models, and which of them a client's name means."""

import msgspec

from shared.errors import BadRequest, UnknownModel

WILDCARD = "*"
LONGEST_MODEL = 256
"""How many characters a model's name may have in a request; a provider with a wildcard takes any name."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model is served, and with which credential."""

    name: str
    base_url: str
    """Scheme, host and path, no trailing slash: `https://api.openai.com/v1`."""
    interface: str
    apis: tuple[str, ...] = ("chat",)
    """The APIs it speaks, by the names of the dialects; the first is the best for most of what is translated."""
    prompt_caching: bool = True
    """Whether what is translated for it has `cache_control`, and chat is translated where it has a better API."""
    access_key: str | None = None
    passthrough_auth: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    ca_file: str | None = None
    """The certificates to trust, in PEM, in place of the machine's."""
    cache_key: bool = True
    """Whether it is told which requests belong together, if it takes such a key."""
    cache_window_s: int | None = None
    """How long its prompt cache outlives its last use, as the operator knows it."""

    def is_same(self, other: "Provider") -> bool:
        """Whether a credential for the other one is meant for this one, too."""
        return self.name == other.name and self.base_url == other.base_url

    def __repr__(self) -> str:
        """Never shows the credential."""
        return f"Provider({self.name!r}, {self.base_url!r})"


class Model(msgspec.Struct, frozen=True):
    """One model: `provider/id`, and who serves it."""

    name: str
    """The qualified name, `openai/gpt-5.2`."""
    id: str
    """What the provider itself calls it, `gpt-5.2`."""
    provider: Provider


class Catalog:
    """Every configured model, in the order of the config file."""

    def __init__(
        self,
        models: tuple[Model, ...],
        *,
        wildcards: tuple[Provider, ...] = (),
        aliases: dict[str, str] | None = None,
        default: str | None = None,
    ) -> None:
        self.models = models
        self._wildcards = {provider.name: provider for provider in wildcards}
        self._aliases = aliases or {}
        self._named = {model.name: model for model in models}
        self._bare: dict[str, Model] = {}
        for model in models:
            self._bare.setdefault(model.id, model)
        self.default = self._named[default] if default else None
        self.providers = (*wildcards, *(model.provider for model in models))
        """Who serves them, once for each entry of the config file."""
        self.passes_credentials = any(provider.passthrough_auth for provider in self.providers)
        """Whether some provider is sent the client's own credential."""

    @property
    def ca_files(self) -> frozenset[str]:
        """The files of certificates that providers have of their own."""
        return frozenset(provider.ca_file for provider in self.providers if provider.ca_file)

    def find(self, name: str) -> Model | None:
        """The model meant by an alias, a qualified name or a bare id; None when it is not configured."""
        name = self._aliases.get(name, name)
        return self._named.get(name) or self._by_wildcard(name) or self._bare.get(name)

    def get(self, name: str | None) -> Model:
        """The model that a client asks for; the default one when it names none.

        Raises UnknownModel for a name that is not configured, BadRequest when there is neither name nor default.
        """
        if name is None:
            if self.default is None:
                raise BadRequest("model is missing and no provider is the default; name a model", param="model")
            return self.default
        model = self.find(name)
        if model is None:
            raise UnknownModel(
                f"The model {name!r} is not configured; GET /v1/models lists those that are", param="model"
            )
        return model

    def qualify(self, name: str) -> str:
        """The qualified name of a model; raises UnknownModel."""
        return self.get(name).name

    def _by_wildcard(self, name: str) -> Model | None:
        prefix, _, rest = name.partition("/")
        provider = self._wildcards.get(prefix)
        return Model(name, rest, provider) if provider and rest and rest != WILDCARD else None
