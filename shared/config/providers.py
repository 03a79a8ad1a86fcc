"""Where each provider's API is, and which dialect it speaks."""

from shared.config import urls
from shared.config.faults import Faults
from shared.config.schema import ProviderEntry
from shared.domain.catalog import Provider

_AZURE = "azure_openai"
_BASES = {
    "anthropic": "https://api.anthropic.com/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "digitalocean": "https://inference.do-ai.run/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "moonshotai": "https://api.moonshot.ai/v1",
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together_ai": "https://api.together.xyz/v1",
    "vercel": "https://ai-gateway.vercel.sh/v1",
    "xai": "https://api.x.ai/v1",
    "zhipu": "https://open.bigmodel.cn/api/paas/v4",
}
_HOSTED_BY_THE_OPERATOR = {_AZURE: _AZURE, "ollama": "openai", "plano": "openai"}
"""Known names without a default URL, and the interface of each."""
_SYNONYMS = {"claude": "anthropic"}


def provider(entry: ProviderEntry, faults: Faults) -> Provider:
    """Who serves this entry's model; after a fault, something to go on checking with."""
    name = entry.model.partition("/")[0]
    implied = name if name in _BASES else _HOSTED_BY_THE_OPERATOR.get(name)
    interface = entry.provider_interface or implied
    if interface is None:
        right = f"say whose API {name!r} speaks, such as openai"
        faults.add(f"{entry.place}.provider_interface", "is missing", right)
        interface = "openai"
    interface = _SYNONYMS.get(interface, interface)
    return Provider(
        name=name,
        base_url=_base_url(entry, name, interface, faults),
        interface=interface,
        access_key=entry.access_key,
        passthrough_auth=entry.passthrough_auth,
        headers=tuple((entry.headers or {}).items()),
    )


def _base_url(entry: ProviderEntry, name: str, interface: str, faults: Faults) -> str:
    if entry.base_url is None:
        if name not in _BASES:
            right = f"say where the API of {name!r} is, such as http://host:8000/v1"
            faults.add(f"{entry.place}.base_url", "is missing", right)
        return _BASES.get(name, "")
    azure = interface == _AZURE
    fault = urls.fault(entry.base_url, query=azure)
    if fault:
        faults.add(f"{entry.place}.base_url", *fault)
        return ""
    return entry.base_url.rstrip("/") if azure else urls.api_base(entry.base_url)
