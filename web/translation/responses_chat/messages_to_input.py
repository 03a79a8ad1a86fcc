"""The conversation of a chat request as instructions and input of a Responses request."""

from typing import Any

from web.translation.checked_fields import Object, mapping, objects, text_in
from web.translation.responses_chat.parts import content_from_chat, said_from_chat
from web.translation.untranslatable import Untranslatable


def conversation_of(request: Object) -> Object:
    """`input`, and `instructions` where the conversation begins with a system message; raises BadRequest."""
    messages = objects(request.get("messages") or [], "messages")
    first = messages[0] if messages else {}
    if first.get("role") == "system" and isinstance(first.get("content"), str):
        return {"instructions": first["content"], "input": _Items().read(messages, begin=1)}
    return {"input": _Items().read(messages, begin=0)}


class _Items:
    """The items of an input."""

    def __init__(self) -> None:
        self._items: list[Object] = []
        self._custom: set[str] = set()
        """The calls of tools that take free text, by their ids: their results are items of another type."""

    def read(self, messages: list[Object], *, begin: int) -> list[Object]:
        for place in range(begin, len(messages)):
            self._message(messages[place], f"messages[{place}]")
        return self._items

    def _message(self, message: Object, param: str) -> None:
        match message.get("role"):
            case "system" | "developer" | "user" as role:
                self._say(role, content_from_chat(message.get("content"), f"{param}.content"))
            case "assistant":
                self._assistant(message, param)
            case "tool":
                self._result(message, param)
            case role:
                where = f"{param}.role"
                raise Untranslatable(f"{where} is {role!r}, which the Responses API does not know", param=where)

    def _assistant(self, message: Object, param: str) -> None:
        if message.get("function_call"):
            where = f"{param}.function_call"
            raise Untranslatable(f"{where} is no longer known; send tool_calls", param=where)
        content: Any = message.get("content")
        if isinstance(message.get("refusal"), str):
            said = [{"type": "text", "text": content}] if isinstance(content, str) and content else content
            content = [*objects(said or [], f"{param}.content"), {"type": "refusal", "refusal": message["refusal"]}]
        calls = objects(message.get("tool_calls") or [], f"{param}.tool_calls")
        if content or not calls:
            self._say("assistant", said_from_chat(content or "", f"{param}.content"))
        for place, call in enumerate(calls):
            self._call(call, f"{param}.tool_calls[{place}]")

    def _say(self, role: str, content: str | list[Object]) -> None:
        self._items.append({"type": "message", "role": role, "content": content})

    def _call(self, call: Object, param: str) -> None:
        call_id = text_in(call, "id", param)
        if call.get("type") == "custom":
            self._custom.add(call_id)
            kind, told, called = "custom_tool_call", "input", mapping(call.get("custom"), f"{param}.custom")
        else:
            kind, told, called = "function_call", "arguments", mapping(call.get("function"), f"{param}.function")
        name, said = text_in(called, "name", param), text_in(called, told, param)
        self._items.append({"type": kind, "call_id": call_id, "name": name, told: said})

    def _result(self, message: Object, param: str) -> None:
        call_id = text_in(message, "tool_call_id", param)
        kind = "custom_tool_call_output" if call_id in self._custom else "function_call_output"
        output = content_from_chat(message.get("content"), f"{param}.content")
        self._items.append({"type": kind, "call_id": call_id, "output": output})
