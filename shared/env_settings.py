"""The environment variables of a process, read once when it starts."""

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from shared.errors import ConfigError
from shared.outgoing import DIRECT, Outgoing, holds_certificates

_REDIS_SCHEMES = ("redis", "rediss", "unix")
_LOOPBACK = (IPv4Network("127.0.0.1"), IPv6Network("::1"))  # as gunicorn has it


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The environment of one process; None: not set."""

    config: Path = Path("config.yaml")
    port: int | None = None
    redis_url: str | None = None
    queue_redis_url: str | None = None
    redis_tls_verify: bool = True
    web_concurrency: int = 1
    worker_concurrency: int = 64
    graceful_timeout_s: int = 25
    drain_delay_s: int = 2
    admin_token: str | None = None
    metrics_token: str | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] | None = _LOOPBACK
    """Whose X-Forwarded-For counts; None: any peer's."""
    log_format: str = "text"
    access_log: bool = True
    outgoing: Outgoing = DIRECT

    def __repr__(self) -> str:
        """Never shows a credential."""
        return f"Settings(config={str(self.config)!r}, port={self.port})"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """The settings; raises ConfigError with every variable that is wrong."""
        read = _Reader(env)
        settings = cls(
            config=Path(env.get("PLANO_CONFIG") or "config.yaml"),
            port=read.integer("PORT", None, 1, 65535),
            redis_url=read.redis("REDIS_URL"),
            queue_redis_url=read.redis("QUEUE_REDIS_URL"),
            redis_tls_verify=read.choice("REDIS_TLS_VERIFY", "1", ("0", "1")) == "1",
            web_concurrency=read.integer("WEB_CONCURRENCY", 1, 1, 256) or 1,
            worker_concurrency=read.integer("WORKER_CONCURRENCY", 64, 1, 1024) or 64,
            graceful_timeout_s=read.integer("GRACEFUL_TIMEOUT", 25, 1, 3600) or 25,
            drain_delay_s=read.integer("DRAIN_DELAY", 2, 0, 600) or 0,
            admin_token=env.get("PLANO_ADMIN_TOKEN") or None,
            metrics_token=env.get("PLANO_METRICS_TOKEN") or None,
            trusted_proxies=read.networks("FORWARDED_ALLOW_IPS", _LOOPBACK),
            access_log=read.choice("ACCESS_LOG", "1", ("0", "1")) == "1",
            log_format=read.choice("LOG_FORMAT", "text", ("text", "json")),
            outgoing=Outgoing(
                https_proxy=read.proxy("HTTPS_PROXY"),
                no_proxy=env.get("no_proxy") or env.get("NO_PROXY") or "",
                ca_file=read.certificates("SSL_CERT_FILE"),
            ),
        )
        if read.faults:
            raise ConfigError(read.faults)
        return settings


class _Reader:
    """Reads variables and keeps what is wrong with them."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.faults: list[str] = []

    def integer(self, name: str, default: int | None, low: int, high: int) -> int | None:
        text = self._env.get(name)
        if not text:
            return default
        if text.isdecimal() and low <= int(text) <= high:
            return int(text)
        self.faults.append(f"{name}: is {text!r}; it is a whole number from {low} to {high}")
        return default

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        text = self._env.get(name) or default
        if text not in allowed:
            self.faults.append(f"{name}: is {text!r}; it is one of {', '.join(allowed)}")
        return text

    def networks(
        self, name: str, default: tuple[IPv4Network | IPv6Network, ...]
    ) -> tuple[IPv4Network | IPv6Network, ...] | None:
        text = (self._env.get(name) or "").strip()
        if text == "*":
            return None
        try:
            return tuple(ip_network(each.strip()) for each in text.split(",")) if text else default
        except ValueError:
            self.faults.append(
                f"{name}: is {text!r}; it is addresses and networks such as 10.0.0.0/8 with commas between them, or *"
            )
            return default

    def proxy(self, name: str) -> str | None:
        """The address of a proxy, whose name may be in small letters, too; `host:port` is plain HTTP to it."""
        url = self._env.get(name.lower()) or self._env.get(name)
        if not url:
            return None
        url = url if "://" in url else f"http://{url}"
        try:
            parts = urlsplit(url)
            usable = parts.scheme == "http" and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable:  # the value may hold a password
            self.faults.append(f"{name}: is not the address of an HTTP proxy, such as http://proxy.example.com:3128")
        return url

    def certificates(self, name: str) -> str | None:
        path = self._env.get(name)
        if path and not holds_certificates(path):
            self.faults.append(f"{name}: is {path!r}, which cannot be used; it is a file of certificates in PEM")
        return path or None

    def redis(self, name: str) -> str | None:
        url = self._env.get(name)
        if url and urlsplit(url).scheme not in _REDIS_SCHEMES:
            # The value may hold a password, so it is not shown.
            self.faults.append(f"{name}: is not a Redis address; it starts with redis://, rediss:// or unix://")
        return url or None
