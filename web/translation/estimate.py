"""About how many tokens a request has, for a client that asks a provider which cannot count."""

from typing import Any

_BYTES_A_TOKEN = 4
_MEDIA = 1600
"""Of an image, or of a page; what is larger is made smaller before a model sees it."""
_FIELDS = ("system", "messages", "tools")


def tokens(request: dict[str, Any]) -> int:
    """The estimate for a Messages request: a token for each four bytes of text."""
    size, media = _measured([request.get(name) for name in _FIELDS])
    return size // _BYTES_A_TOKEN + media * _MEDIA + 1


def _measured(value: Any) -> tuple[int, int]:
    """Bytes of text, and how many images or documents."""
    size = media = 0
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            is_media = each.get("type") == "base64"
            media += is_media
            waiting += () if is_media else each.values()
        elif isinstance(each, list):
            waiting += each
        elif each is not None:
            size += len(str(each).encode("utf-8", "replace"))
    return size, media
