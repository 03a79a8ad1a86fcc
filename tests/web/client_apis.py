"""Two web processes in front of providers that each speak one API."""

import json
from typing import Any

import redis
import requests

from tests.web.gateway import Gateway, Outside

APIS = ("chat", "messages", "responses")
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
CONVERSATIONS = {"chat": "messages", "messages": "messages", "responses": "input"}

CONFIG = """
version: v0.4.0
model_providers:
  - {model: of-chat/m, base_url: "http://127.0.0.1:%(provider)d/v1", provider_interface: openai, access_key: k-chat,
     default: true}
  - {model: of-messages/m, base_url: "http://127.0.0.1:%(provider)d/v1", provider_interface: anthropic,
     apis: [messages], access_key: k-messages}
  - {model: of-responses/m, base_url: "http://127.0.0.1:%(provider)d/v1", provider_interface: openai,
     apis: [responses], access_key: k-responses}
  - {model: of-both/m, base_url: "http://127.0.0.1:%(provider)d/v1", provider_interface: openai,
     apis: [chat, responses], access_key: k-both}
  - {model: of-chat/small, base_url: "http://127.0.0.1:%(provider)d/v1", provider_interface: openai}
  - {model: of-chat/failing, base_url: "http://127.0.0.1:%(down)d/v1", provider_interface: openai}
  - {model: own/m, base_url: "http://127.0.0.1:%(provider)d/v1", provider_interface: anthropic,
     passthrough_auth: true}
"""
ROUTES = """
routing_preferences:
  - {name: mixed, description: anything, models: [of-chat/m, of-messages/m]}
  - {name: crossing, description: none, models: [of-chat/failing, of-messages/m]}
"""


def config(outside: Outside, more: str = "") -> str:
    """The config file with the ports of the stand-ins."""
    return CONFIG % {"provider": outside.provider.port, "down": outside.down} + more


def asking(api: str, model: str, text: str = "hello", **fields: Any) -> bytes:
    """A request of one turn."""
    said: dict[str, Any] = {"model": model, CONVERSATIONS[api]: [{"role": "user", "content": text}]}
    if api == "messages":
        said["max_tokens"] = 1000
    return json.dumps({**said, **fields}).encode()


def ask(web: Gateway, api: str, model: str, **fields: Any) -> requests.Response:
    """The answer to it, without a session."""
    return web.ask("POST", PATHS[api], asking(api, model, **fields))


def pins(cache: redis.Redis, session: str) -> list[str]:
    """The keys of a session's pins."""
    return sorted(key.decode() for key in cache.scan_iter(f"plano:affinity:*{session}*"))
