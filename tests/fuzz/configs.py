"""Config files, right and wrong."""

import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import strategies as st

from shared.config import Config, load
from shared.errors import ConfigError
from tests.fuzz.target import outcome, target
from tests.fuzz.texts import damaged

SECRET = "s3cr3t-marker"
GOOD: dict[str, Any] = {
    "version": "v0.4.0",
    "listeners": [{"type": "model", "name": "egress", "port": 12000, "timeout": "300s"}],
    "model_providers": [
        {"model": "openai/gpt-4o-mini", "access_key": f"sk-{SECRET}", "default": True},
        {"model": "anthropic/claude", "access_key": "$KEY", "headers": {"X-Team": f"h-{SECRET}"}},
        {"model": "custom/*", "base_url": "http://host/v1", "provider_interface": "openai", "passthrough_auth": True},
    ],
    "model_aliases": {"fast": {"target": "openai/gpt-4o-mini"}},
    "routing_preferences": [
        {"name": "code", "description": "write", "models": ["openai/gpt-4o-mini", "custom/x"]},
        {
            "name": "deep",
            "description": "think",
            "models": ["anthropic/claude"],
            "selection_policy": {"prefer": "cheapest"},
        },
    ],
    "model_metrics_sources": [{"type": "cost", "provider": "models.dev", "refresh_interval": 60}],
    "routing": {
        "session_ttl_seconds": 60,
        "session_cache": {"type": "redis", "url": f"redis://:{SECRET}@localhost:6379", "tenant_header": "x-tenant"},
        "router": {"url": "http://router/v1", "api_key": f"rk-{SECRET}"},
    },
    "auth": {"keys": [{"name": "team", "key": "${KEY}", "tenant": "t", "models": ["fast"]}]},
    "limits": {"body_bytes": 100, "headers": 10, "head_timeout": "5s", "sessions_per_minute": 0},
    "tracing": {"random_sampling": 5, "opentracing_grpc_endpoint": "http://localhost:4317"},
}
FORMER: dict[str, Any] = {
    "version": "v0.3.0",
    "listeners": {"egress_traffic": {"address": "0.0.0.0", "port": 12000, "timeout": "30s"}},
    "llm_providers": [
        {"model": "openai/*", "access_key": f"sk-{SECRET}"},
        {"model": "plano/Arch-Router", "base_url": "http://router", "name": "router"},
        {"model": "openai/a", "routing_preferences": [{"name": "code", "description": "write"}]},
    ],
    "model_aliases": {"fast": {"target": "gpt-4o"}},
    "overrides": {"router_model": "router"},
    "routing": {"session_cache": {"type": "memory", "url": f"redis://:{SECRET}@h"}, "session_max_entries": 5},
    "prompt_caching": {"enabled": True},
}
TEXT = yaml.safe_dump(GOOD, sort_keys=False)
ENV = {"KEY": f"env-{SECRET}"}
SCRAPS = [
    "*a", "&a", "!!python/object:os.system x", "!!int x", "!!timestamp x", "!!binary x", "!!set {a}", "!!float .",
    "? ", "<<: *a", "<<: 1", "- - -", "{{}: 1}", "[[]: 1]", "%YAML 9.9", "---", "...", "|", ">-", "'", '"\\x"', "\t",
    "=", "~", ".inf", ".nan", "1e999", "0b1", "0o8", "1_0", "12:30:45", "2024-13-45", "null: null", "${", "${KEY",
    "$KEY$KEY", "$$", "[" * 500, "{a: " * 300, "0x" + "f" * 5000,
    "a: &x [*x]", "\ufeff", "\x85", "\u2028", "!!bool x", "!!null x",
    "!!omap [a]", "!!pairs [a]", "!!map [a]", "!!seq {}", "!!str []", "&a [*a, *a]", "-", ": ", "#", "{", "}", "[",
]  # fmt: skip
TEXTS = ["", "${}", "$NOT_SET", "openai/*", "redis", "5m", "a/b", "http://", "http://[", "x" * 300]
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(), st.binary(max_size=4),
    st.sampled_from(TEXTS),
)  # fmt: skip
JUNK = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3), max_leaves=5
)


def read(data: bytes) -> Config | ConfigError:
    """What the loader makes of a file with these bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(data)
        return outcome(ConfigError, load, path, ENV)


@st.composite
def garbled(draw: st.DrawFn) -> bytes:
    """A good file with scraps of YAML in it."""
    text = draw(st.sampled_from([TEXT, "a: 1\n", "model_providers:\n- model: openai/a\n"]))
    for _ in range(draw(st.integers(1, 3))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 30))
        text = text[:at] + draw(st.sampled_from(SCRAPS)) + text[at + length :]
    return text.encode("utf-8", "surrogatepass")


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A good or a former file with other values, renamed keys, and entries that are gone or there twice."""
    tree = copy.deepcopy(draw(st.sampled_from([GOOD, FORMER])))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(tree))
        holder, key = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["junk", "junk", "gone", "renamed"]))
        if how == "junk" and not _is_secret(holder[key]):
            holder[key] = draw(JUNK)
        elif how == "renamed" and isinstance(holder, dict):
            holder[draw(st.text(max_size=5))] = holder.pop(key)
        elif how == "gone":
            del holder[key]
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "replace")


def _places(tree: Any) -> list[tuple[Any, Any]]:
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    own = [(tree, key) for key, _ in inside]
    return own + [place for _, value in inside for place in _places(value)]


def _is_secret(value: Any) -> bool:
    return isinstance(value, str) and (SECRET in value or "KEY" in value)


@target(garbled() | damaged(st.just(TEXT)) | st.binary() | st.text(max_size=60).map(str.encode))
def config_text(data: bytes) -> None:
    """Any file is a config or a list of what is wrong with it."""
    read(data)


@target(changed())
def config_faults(data: bytes) -> None:
    """What is wrong with a file is told without any secret in it, and a config never shows one."""
    found = read(data)

    shown = [repr(found), str(found)]
    shown += found.faults if isinstance(found, ConfigError) else found.warnings
    assert not any(SECRET in text for text in shown)
