"""URLs as the file gives them: what may be shown, what is wrong, what they mean."""

import re
from urllib.parse import urlsplit

_USERINFO = re.compile(r"^([a-z+]+://)?.*@", re.DOTALL)  # to the last @: a password may hold anything
_QUERY = re.compile(r"\?.*", re.DOTALL)


def without_credentials(url: str) -> str:
    """The URL as it may be shown: `redis://:secret@host?password=secret` is `redis://***@host?***`."""
    return _QUERY.sub("?***", _USERINFO.sub(r"\1***@", url))


def fault(url: str, *, query: bool = False) -> tuple[str, str] | None:
    """What is wrong with a URL and what would be right, or None; `query` says whether it may have one."""
    try:
        parts = urlsplit(url)
        if not parts.hostname and parts.scheme != "unix":
            return "names no host", "it is scheme://host, with port and path as needed"
        if parts.port == 0:
            raise ValueError  # noqa: TRY301 - as for any other port out of range
    except ValueError:
        return "has no valid host and port", "a port is a number from 1 to 65535"
    if parts.fragment or (parts.query and not query):
        return "has a query or a fragment", "it ends with the path"
    return None


def api_base(url: str) -> str:
    """The base of an OpenAI-compatible API, without a trailing slash; no path means /v1."""
    base = url.rstrip("/")
    return base if urlsplit(base).path else f"{base}/v1"
