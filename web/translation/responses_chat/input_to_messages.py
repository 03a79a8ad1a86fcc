"""The conversation of a Responses request as messages of chat."""

from collections.abc import Callable
from typing import Any

import msgspec

from web.translation.capabilities import Features
from web.translation.checked_fields import Object, objects, text, text_in
from web.translation.responses_chat import carried_reasoning
from web.translation.responses_chat.names import flat_name
from web.translation.responses_chat.parts import content_to_chat, plain
from web.translation.untranslatable import Untranslatable

_DROPPED = ("web_search_call", "additional_tools", "configuration_update")
"""What a search of the web found stands in the answer's text; the others are read elsewhere."""
_SEE_BELOW = "See the next user message."
_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
"""Providers other than OpenAI know no role `developer`, and OpenAI's models take `system` for the same."""
_json = msgspec.json.Encoder().encode


def messages_of(request: Object, features: Features) -> list[Object]:
    """Instructions and input as chat messages; raises BadRequest."""
    conversation = _Conversation(features)
    if request.get("instructions"):
        conversation.say("system", text(request.get("instructions"), "instructions"))
    said = request.get("input")
    if isinstance(said, str):
        conversation.say("user", said)
    else:
        for place, item in enumerate(objects(said or [], "input")):
            conversation.add(item, f"input[{place}]")
    return conversation.messages()


class _Conversation:
    """Messages of chat. Results of tools stand right after the message with their calls, whatever came between."""

    def __init__(self, features: Features) -> None:
        self._features = features
        self._groups: list[list[Object]] = []
        """Each message with the results of its calls."""
        self._group_of: dict[str, list[Object]] = {}
        """The group of a call, by its id."""
        self._shown: list[Object] = []
        """Images and files that tools returned: chat's tool messages are text, so a user message follows them."""
        self._thoughts: list[str] = []
        """Reasoning for the assistant's next message."""
        self._carried: Object = {}
        """What the provider had hung on the next call."""

    def messages(self) -> list[Object]:
        self._show()
        return [message for group in self._groups for message in group]

    def say(self, role: str, content: Any) -> None:
        self._show()
        self._groups.append([{"role": role, "content": content}])

    def add(self, item: Object, param: str) -> None:
        """The next item of the conversation."""
        kind = item.get("type") or ("message" if "role" in item else None)
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        if reader is not None:
            reader(self, item, param)
        elif kind not in _DROPPED:
            raise Untranslatable(f"{param} is of type {kind!r}, which the provider does not take", param=param)

    def message(self, item: Object, param: str) -> None:
        role = _ROLES.get(text_in(item, "role", param))
        if role is None:
            raise Untranslatable(f"{param}.role is {item['role']!r}", param=f"{param}.role")
        if role != "assistant":
            self._thoughts, self._carried = [], {}
            self.say(role, self._content(item, "content", param))
        else:
            self._turn(speaks=True).update(_said(item, param))

    def function_call(self, item: Object, param: str) -> None:
        self._call(item, _name(item, param), text_in(item, "arguments", param), param)

    def custom_tool_call(self, item: Object, param: str) -> None:
        arguments = _json({"input": text_in(item, "input", param)}).decode()
        self._call(item, _name(item, param), arguments, param)

    def tool_search_call(self, item: Object, param: str) -> None:
        self._call(item, "tool_search", _json(item.get("arguments")).decode(), param)

    def _call(self, item: Object, name: str, arguments: str, param: str) -> None:
        call_id = text_in(item, "call_id", param)
        turn = self._turn(speaks=False)
        call: Object = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        if self._carried:
            call |= self._carried
            self._carried = {}
        turn.setdefault("tool_calls", []).append(call)
        self._group_of[call_id] = self._groups[-1]

    def _turn(self, *, speaks: bool) -> Object:
        """The assistant's message that the next item belongs to; one that calls first may still speak, once."""
        last = self._groups[-1] if self._groups and not self._shown else []
        if len(last) != 1 or last[0]["role"] != "assistant" or (speaks and last[0]["content"] is not None):
            self.say("assistant", None)
        turn = self._groups[-1][0]
        if self._thoughts:
            before = turn.get("reasoning_content")
            turn["reasoning_content"] = "\n\n".join([*([before] if before else []), *self._thoughts])
            self._thoughts = []
        return turn

    def reasoning(self, item: Object, param: str) -> None:
        """Reasoning that a chat provider made: some want it back within a tool loop. Other reasoning is dropped."""
        if not carried_reasoning.is_foreign(item):
            return
        self._carried = carried_reasoning.carried(item)
        if self._features.reasoning_content:
            summary = objects(item.get("summary") or [], f"{param}.summary")
            self._thoughts += [text(part.get("text"), f"{param}.summary") for part in summary]

    def output(self, item: Object, param: str) -> None:
        """The result of a call."""
        content = item.get("output")
        if not isinstance(content, str):
            content = self._content(item, "output", param)
        if isinstance(content, list):
            content = self._texts(content, f"Result of the tool call {item.get('call_id')}:")
        self._result(item, content, param)

    def _texts(self, parts: list[Object], heading: str) -> str | list[Object]:
        """The texts of a result; its other parts are shown in the next user message, under a heading."""
        texts = [part for part in parts if part["type"] == "text"]
        if len(texts) < len(parts):
            shown = [part for part in parts if part["type"] != "text"]
            self._shown += [{"type": "text", "text": heading}, *shown]
        if len(texts) > 1:
            return texts
        return texts[0]["text"] if texts else _SEE_BELOW

    def tool_search_output(self, item: Object, param: str) -> None:
        """The tools that were found are declared among the request's tools; the model reads them here."""
        tools = objects(item.get("tools") or [], f"{param}.tools")
        self._result(item, _json(tools).decode(), param)

    def _result(self, item: Object, content: str | list[Object], param: str) -> None:
        call_id = text_in(item, "call_id", param)
        message = {"role": "tool", "tool_call_id": call_id, "content": content}
        group = self._group_of.get(call_id)
        if group is None:
            self._groups.append([message])
        else:
            group.append(message)

    def _show(self) -> None:
        if self._shown:
            shown, self._shown = self._shown, []
            self._groups.append([{"role": "user", "content": shown}])

    def _content(self, item: Object, name: str, param: str) -> str | list[Object]:
        return content_to_chat(item.get(name), f"{param}.{name}", file_urls=self._features.file_urls)


_READERS: dict[str, Callable[[_Conversation, Object, str], None]] = {
    "message": _Conversation.message,
    "reasoning": _Conversation.reasoning,
    "function_call": _Conversation.function_call,
    "custom_tool_call": _Conversation.custom_tool_call,
    "tool_search_call": _Conversation.tool_search_call,
    "function_call_output": _Conversation.output,
    "custom_tool_call_output": _Conversation.output,
    "tool_search_output": _Conversation.tool_search_output,
}


def _name(item: Object, param: str) -> str:
    return flat_name(text_in(item, "name", param), item.get("namespace"))


def _said(item: Object, param: str) -> Object:
    """What an assistant said, and what it refused."""
    content = item.get("content")
    whole = plain(content)
    if whole is not None:
        return {"content": whole}
    parts = objects(content or [], f"{param}.content")
    refusals = [text_in(part, "refusal", f"{param}.content") for part in parts if part.get("type") == "refusal"]
    if not refusals:
        return {"content": content_to_chat(parts, f"{param}.content")}
    said = content_to_chat([part for part in parts if part.get("type") != "refusal"], f"{param}.content")
    return {"content": said or None, "refusal": "\n".join(refusals)}
