"""A chat request as a Messages request."""

from typing import Any

from shared.errors import BadRequest
from web.translation.capabilities import Features
from web.translation.checked_fields import Object, given, objects, text_in
from web.translation.messages_chat import caching, tools
from web.translation.messages_chat.parts import blocks_of, message_blocks, text_part
from web.translation.messages_chat.reasoning import message_format, thinking_of
from web.translation.messages_chat.request_to_chat import ERROR_LINE
from web.translation.untranslatable import Untranslatable

SAID = frozenset(
    {
        "functions",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "modalities",
        "model",
        "n",
        "parallel_tool_calls",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "stop",
        "stream",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
        "user",
        "web_search_options",
    }
)
"""The fields of a chat request that the Messages request says, or for which it is refused."""
DROPPED = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "litellm_session_id",
        "logit_bias",
        "logprobs",
        "metadata",
        "moderation",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "seed",
        "service_tier",
        "session_id",
        "store",
        "stream_options",
        "top_logprobs",
        "verbosity",
    }
)
"""Those that are left out on purpose: Anthropic's own chat ignores them, too, or they are meant for the gateway."""
KNOWN = SAID | DROPPED
"""All fields of which it is known what becomes of them; a provider's chat may have others."""

_HOTTEST = 1
"""The highest temperature of the Messages API; chat's is 2."""
_LEAST_TOP_P = 0.95
"""The lowest `top_p` that a Claude takes while it thinks."""


def from_chat(body: Object, features: Features) -> Object:
    """The Messages request; raises BadRequest, and Untranslatable for what that API has no counterpart for."""
    try:
        return _translated(body, features)
    except RecursionError:
        raise BadRequest("The body is nested too deeply", param="messages") from None


def _translated(body: Object, features: Features) -> Object:
    _refuse(body)
    turns = _Turns(system_turns=features.system_turns)
    for n, message in enumerate(objects(body.get("messages"), "messages")):
        _add(turns, message, f"messages[{n}]")
    request = given(
        model=body.get("model"),
        max_tokens=_max_tokens(body, features),
        system=turns.system or None,
        messages=turns.done(),
        stop_sequences=_stops(body.get("stop")),
        stream=body.get("stream"),
    )
    request |= tools.from_chat(body)
    request |= _thinking_and_format(body, request, features)
    if features.sampling:
        request |= _sampling(body, thinks="thinking" in request)
    user = body.get("user") or body.get("safety_identifier")
    if user:
        request["metadata"] = {"user_id": user}
    if features.prompt_caching:
        caching.place(request)
    return request


def _refuse(body: Object) -> None:
    if body.get("n") not in (None, 1):
        raise Untranslatable("n asks for several answers; the Messages API gives one a request", param="n")
    if "audio" in str(body.get("modalities")):
        raise Untranslatable("modalities asks for audio, which the Messages API does not have", param="modalities")


def _max_tokens(body: Object, features: Features) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        said = body.get(name)
        if said is None:
            continue
        if not isinstance(said, int) or isinstance(said, bool):
            raise BadRequest(f"{name} is not a whole number", param=name)
        return said
    return features.max_tokens_default


def _stops(stop: Any) -> list[str] | None:
    return [stop] if isinstance(stop, str) else (stop or None)


def _sampling(body: Object, *, thinks: bool) -> Object:
    """`temperature` or `top_p`: Claude 4.5 and 4.6 refuse both in one request, and most of either beside thinking."""
    heat, top_p = body.get("temperature"), body.get("top_p")
    if thinks:
        return {"top_p": top_p} if isinstance(top_p, int | float) and top_p >= _LEAST_TOP_P else {}
    return {"temperature": min(heat, _HOTTEST)} if isinstance(heat, int | float) else given(top_p=top_p)


def _thinking_and_format(body: Object, request: Object, features: Features) -> Object:
    fields = thinking_of(body.get("reasoning_effort"), request, features)
    output = {**fields.pop("output_config", {}), **message_format(body)}
    return {**fields, "output_config": output} if output else fields


def _add(turns: "_Turns", message: Object, path: str) -> None:
    match message.get("role"):
        case "system" | "developer":
            turns.instruct(_blocks(message, path))
        case "user":
            turns.user(_blocks(message, path))
        case "assistant":
            turns.assistant(_assistant_blocks(message, path))
        case "tool":
            turns.user([_result_block(message, path)])
        case role:
            raise BadRequest(
                f"{path}.role is {role!r}, not system, developer, user, assistant or tool", param=f"{path}.role"
            )


def _blocks(message: Object, path: str) -> list[Object]:
    content = message.get("content")
    if isinstance(content, str):
        return [text_part(content)] if content.strip() else []
    where = f"{path}.content"
    parts = blocks_of(content, where, nullable=True)
    return [block for n, part in enumerate(parts) for block in message_blocks(part, f"{where}[{n}]")]


def _assistant_blocks(message: Object, path: str) -> list[Object]:
    blocks = _blocks(message, path)
    if not blocks and isinstance(message.get("refusal"), str):
        blocks = message_blocks(text_part(message["refusal"]), f"{path}.refusal")
    if not message.get("tool_calls"):
        return blocks
    calls = objects(message["tool_calls"], f"{path}.tool_calls")
    return blocks + [tools.use_block(call, f"{path}.tool_calls[{n}]") for n, call in enumerate(calls)]


def _result_block(message: Object, path: str) -> Object:
    blocks = _blocks(message, path)
    result: Object = {"type": "tool_result", "tool_use_id": text_in(message, "tool_call_id", path)}
    marks = [block.pop("cache_control") for block in blocks if "cache_control" in block]
    if marks:
        result["cache_control"] = marks[-1]
    if blocks and str(blocks[0].get("text")).startswith(ERROR_LINE):
        result["is_error"] = True
        rest = blocks[0]["text"].removeprefix(ERROR_LINE)
        blocks = [text_part(rest), *blocks[1:]] if rest.strip() else blocks[1:]
    if blocks:
        result["content"] = blocks
    return result


class _Turns:
    """Puts a conversation together by the rules of the Messages API.

    What leads is `system`. All that comes between two answers is one user turn, the results of calls before what the
    user says. An instruction in mid-conversation stands right behind a user turn, before an answer or at the end.
    """

    def __init__(self, *, system_turns: bool) -> None:
        self.system: list[Object] = []
        self._messages: list[Object] = []
        self._system_turns = system_turns
        self._instructions: list[Object] = []
        """Those that wait for the end of a user turn."""

    def instruct(self, blocks: list[Object]) -> None:
        if not self._messages:
            self.system += blocks
        elif self._system_turns:
            self._instructions += blocks
        else:
            self.user(_as_text(blocks))

    def user(self, blocks: list[Object]) -> None:
        if blocks and self._messages and self._messages[-1]["role"] == "user":
            self._messages[-1]["content"] += blocks
        elif blocks:
            self._messages.append({"role": "user", "content": blocks})

    def assistant(self, blocks: list[Object]) -> None:
        if blocks:
            self._place_instructions()
            self._messages.append({"role": "assistant", "content": blocks})

    def done(self) -> list[Object]:
        self._place_instructions()
        return self._messages

    def _place_instructions(self) -> None:
        blocks, self._instructions = self._instructions, []
        if blocks and self._messages[-1]["role"] == "user":
            self._messages.append({"role": "system", "content": blocks})
        elif blocks:  # the API takes none here
            self._messages.append({"role": "user", "content": _as_text(blocks)})


def _as_text(blocks: list[Object]) -> list[Object]:
    """Instructions for a model that takes none in mid-conversation, marked as such within the user's turn."""
    return [{**block, "text": f"<system>\n{block['text']}\n</system>"} for block in blocks if block["type"] == "text"]
