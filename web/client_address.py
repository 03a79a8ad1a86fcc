"""The address that a request comes from, behind any number of trusted proxies."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_KEPT = 4096
_LONGEST = 512  # of X-Forwarded-For its end is read: what is before that, clients may have written
_WITH_PORT = re.compile(r"\[([^]]+)\](?::\d+)?|([^:]+):\d+")
_SITE_BITS = 64

_Address = IPv4Address | IPv6Address


class ClientAddress:
    """Finds the address by which a client is counted.

    A trusted proxy adds the address that it was asked from at the end of X-Forwarded-For. So the client's is the last
    one there that is no trusted proxy's.
    """

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network] | None) -> None:
        """`trusted` are the proxies; None trusts whoever asks, and nobody before."""
        self._trusted = trusted
        self._known: Callable[[str, str], str] = lru_cache(_KEPT)(self._find)

    def of(self, environ: Mapping[str, str]) -> str:
        """An IPv4 address, or an IPv6 network of 64 bits, since one client has all of its addresses."""
        return self._known(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")[-_LONGEST:])

    def _find(self, peer: str, forwarded: str) -> str:
        found = _parsed(peer)
        if found is None:
            return peer
        hops = forwarded.split(",")
        if len(forwarded) == _LONGEST:
            del hops[0]  # it may be a part of an address
        while hops and (self._trusted is None or any(found in network for network in self._trusted)):
            before = _parsed(hops.pop())
            found = before or found
            if before is None or self._trusted is None:
                break
        return (
            str(found) if isinstance(found, IPv4Address) else str(IPv6Network((int(found), _SITE_BITS), strict=False))
        )


def _parsed(text: str) -> _Address | None:
    """An address, as proxies write it: some add the port."""
    text = text.strip()
    with_port = _WITH_PORT.fullmatch(text)
    try:
        address = ip_address(with_port[1] or with_port[2] if with_port else text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
