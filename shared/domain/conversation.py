"""The part of a conversation that the router reads."""

from collections.abc import Iterable, Sequence

import msgspec

from shared.errors import BadRequest

MAX_TOKENS = 2048
MAX_MESSAGES = 16
MOST_MESSAGES = 10_000
"""A longer conversation is refused."""
_BYTES_A_TOKEN = 4  # the estimate of the router protocol: len(utf-8 bytes) // 4
_LARGE = 65536
_LEFT_OUT = "… "
_TEXTS = frozenset({"text", "input_text", "output_text"})
"""What client APIs call a part that is text."""
_ROLES = frozenset({"user", "assistant"})
_NOT_TEXT = (UnicodeDecodeError, RecursionError)  # what msgspec raises besides its own errors


class Message(msgspec.Struct, frozen=True):
    """One turn, as text."""

    role: str
    content: str


class _Turn(msgspec.Struct):
    role: str = ""
    content: msgspec.Raw = msgspec.Raw(b"null")


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None


_NONE = msgspec.Raw(b"")
_Array = msgspec.defstruct(
    "_Array",
    [(f"_{n}", msgspec.Raw, _NONE) for n in range(MOST_MESSAGES)],
    array_like=True,
    forbid_unknown_fields=True,
)
_decode_large = msgspec.json.Decoder(_Array).decode
_turns = msgspec.json.Decoder(list[msgspec.Raw]).decode
_turn = msgspec.json.Decoder(_Turn).decode
_part = msgspec.json.Decoder(_Part).decode
_content = msgspec.json.Decoder(str | list[_Part] | None).decode


def read(raw: bytes | msgspec.Raw, name: str = "messages") -> list[Message]:
    """The last turns of a request's conversation that hold text, oldest first, cut to the router's window.

    System, developer and tool messages, tool calls and messages without text are left out. What comes before those
    turns is not read. `name` is what errors call the conversation. Raises BadRequest when it is no list of objects,
    or one of more than 10,000.
    """
    turns = _listed(raw, name)
    kept: list[Message] = []
    left = MAX_TOKENS
    for n in range(len(turns) - 1, -1, -1):
        message = _text_of(turns[n], f"{name}[{n}]")
        if message:
            kept.append(message)
            left -= estimate(message.content)
        if len(kept) == MAX_MESSAGES or left < 0:
            break
    return cut(kept[::-1], MAX_TOKENS)


def cut(messages: Sequence[Message], tokens: int) -> list[Message]:
    """The newest messages that fit into `tokens`, oldest first, at most 16 and at least the last.

    The first one that does not fit is kept, cut in its middle, if it is the user's or the last one of all.
    """
    kept: list[Message] = []
    left = tokens
    for message in list(reversed(messages))[:MAX_MESSAGES]:
        size = estimate(message.content)
        if size <= left:
            kept.append(message)
            left -= size
            continue
        if not kept or (message.role == "user" and left > 0):
            kept.append(Message(message.role, _shortened(message.content, max(left, 1))))
        break
    return kept[::-1]


def estimate(text: str) -> int:
    """About how many tokens a text has."""
    return len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN


def _shortened(text: str, tokens: int) -> str:
    """The text's beginning and end with a mark between them: what is asked stands at either end.

    The mark takes one token. A single one has no room for it.
    """
    data = text.encode("utf-8", "replace")
    mark = _LEFT_OUT if tokens > 1 else ""
    half = (tokens * _BYTES_A_TOKEN - len(mark.encode())) // 2
    return data[:half].decode("utf-8", "ignore") + mark + data[-half:].decode("utf-8", "ignore")


def _listed(raw: bytes | msgspec.Raw, name: str) -> Sequence[msgspec.Raw]:
    """The turns of a conversation, not yet decoded."""
    is_large = memoryview(raw).nbytes >= _LARGE
    try:
        turns = _elements(raw) if is_large else _turns(raw)
    except (msgspec.DecodeError, RecursionError):
        if is_large and bytes(raw).lstrip().startswith(b"["):
            raise _too_many(name) from None
        raise BadRequest(f"{name} is not a list of objects", param=name) from None
    if len(turns) > MOST_MESSAGES:
        raise _too_many(name)
    return turns


def _too_many(name: str) -> BadRequest:
    return BadRequest(f"{name} holds more than {MOST_MESSAGES} messages", param=name)


def _elements(raw: bytes | msgspec.Raw) -> Sequence[msgspec.Raw]:
    """What is in a large array; raises ValidationError at its 10,001st element.

    A list would be decoded to its end: ten million zeros, in 20 MB, would take 800 MB.
    """
    found = msgspec.structs.astuple(_decode_large(raw))
    return found[: found.index(_NONE)] if found[-1] is _NONE else found


def _text_of(raw: msgspec.Raw, place: str) -> Message | None:
    try:
        turn = _turn(raw)
    except (msgspec.DecodeError, *_NOT_TEXT):
        raise BadRequest(f"{place} is not an object with a role", param=place) from None
    if turn.role not in _ROLES:
        return None
    try:
        content = _content_of(turn.content)
    except msgspec.DecodeError:
        return None  # the provider may know this kind of content; the router does not
    except _NOT_TEXT:
        raise BadRequest(f"{place}.content is not UTF-8, or nested too deeply", param=f"{place}.content") from None
    text = content if isinstance(content, str) else _joined(content or ())
    return Message(turn.role, text) if text.strip() else None


def _content_of(raw: msgspec.Raw) -> str | Sequence[_Part] | None:
    """What a turn holds; raises ValidationError when it is neither text nor a list of at most 10,000 parts."""
    seen = memoryview(raw)
    is_large_list = seen.nbytes >= _LARGE and bytes(seen[:1]) == b"["
    return [_part(part) for part in _elements(raw)] if is_large_list else _content(raw)


def _joined(parts: Iterable[_Part]) -> str:
    return "\n".join(part.text for part in parts if part.type in _TEXTS and part.text)
