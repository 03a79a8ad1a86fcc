"""How this process reaches servers outside: through which proxy, and whose certificates it trusts."""

import ssl
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # documented by getproxies alone

import msgspec


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """What the environment says of connections to the outside."""

    https_proxy: str | None = None
    """The proxy for TLS, which may hold a password: `http://user:password@host:3128`."""
    no_proxy: str = ""
    """The hosts that are reached without it: `localhost,.example.com`, or `*`."""
    ca_file: str | None = None
    """The certificates to trust, in PEM, in place of the machine's."""

    def __repr__(self) -> str:
        """Never shows the proxy's password."""
        return f"Outgoing(no_proxy={self.no_proxy!r}, ca_file={self.ca_file!r})"

    def proxy_for(self, url: str) -> str | None:
        """The proxy through which a URL is reached; None: directly, as all plain HTTP is."""
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        if self.https_proxy is None or parts.scheme != "https":
            return None
        return None if proxy_bypass_environment(host, {"no": self.no_proxy}) else self.https_proxy

    def for_requests(self, url: str, ca_file: str | None = None) -> tuple[dict[str, str], str | bool]:
        """What `requests` takes as `proxies` and `verify` for a URL; `ca_file` comes before the environment's."""
        proxy = self.proxy_for(url)
        return ({"https": proxy} if proxy else {}), ca_file or self.ca_file or True


DIRECT = Outgoing()
"""Without a proxy, and with the machine's certificates."""


def holds_certificates(path: str) -> bool:
    """Whether a file can be read and holds certificates in PEM."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError:
        return False
    return True
