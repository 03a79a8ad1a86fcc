"""The official clients of the three APIs, each as one that talks and has tools called."""

import json
from abc import ABC, abstractmethod
from typing import Any

import anthropic
import openai

TOOLS = ("search", "read", "write")
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
MOST_TOKENS = 1000


class Speaker(ABC):
    """One conversation; its turns go to the replicas in turn."""

    def __init__(self, ports: tuple[int, ...], model: str, session: str, *, streamed: bool) -> None:
        self._addresses = [f"http://127.0.0.1:{port}" for port in ports]
        self._asked = 0
        self.model = model
        self.headers = {"X-Model-Affinity": session}
        self.streamed = streamed
        self.models: list[str] = []
        """Which model each answer names."""

    @property
    def address(self) -> str:
        """The replica that is asked next."""
        self._asked += 1
        return self._addresses[self._asked % len(self._addresses)]

    def loop(self, question: str) -> tuple[str, list[list[tuple[str, dict[str, Any]]]]]:
        """The last text, after all tools that the model wanted; and which were called in each turn."""
        self.ask(question)
        called: list[list[tuple[str, dict[str, Any]]]] = []
        while True:
            text, calls = self.turn(tools=True)
            if not calls:
                return text, called
            called.append([(name, arguments) for _, name, arguments in calls])
            for call_id, name, _ in calls:
                self.result(call_id, f"{name} done")
            self.results_are_in()

    def results_are_in(self) -> None:  # noqa: B027 - most APIs have nothing to do then
        """All results of a turn are there."""

    @abstractmethod
    def ask(self, text: str) -> None:
        """What the user says."""

    @abstractmethod
    def turn(self, *, tools: bool) -> tuple[str, list[tuple[str, str, dict[str, Any]]]]:
        """What the model answers: text, and calls with their ids."""

    @abstractmethod
    def result(self, call_id: str, text: str) -> None:
        """What a tool returned."""


class Chat(Speaker):
    """Chat completions, by openai's client."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._messages: list[Any] = []

    def ask(self, text: str) -> None:
        self._messages.append({"role": "user", "content": text})

    def turn(self, *, tools: bool) -> tuple[str, list[tuple[str, str, dict[str, Any]]]]:
        offered: Any = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in TOOLS]
        asked: dict[str, Any] = {"model": self.model, "messages": self._messages}
        asked |= {"tools": offered} if tools else {}
        with openai.OpenAI(base_url=f"{self.address}/v1", api_key="k", max_retries=0) as client:
            if self.streamed:
                with client.chat.completions.stream(**asked, extra_headers=self.headers) as stream:
                    answer: Any = stream.get_final_completion()
            else:
                answer = client.chat.completions.create(**asked, extra_headers=self.headers)
        self.models.append(answer.model)
        message = answer.choices[0].message
        said = message.to_dict()
        said.pop("parsed", None)
        self._messages.append(said)
        calls = [
            (call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
        ]
        assert answer.choices[0].finish_reason == ("tool_calls" if calls else "stop")
        return message.content or "", calls

    def result(self, call_id: str, text: str) -> None:
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": text})


class Messages(Speaker):
    """The Messages API, by anthropic's client."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._messages: list[Any] = []
        self._results: list[Any] = []

    def ask(self, text: str) -> None:
        self._messages.append({"role": "user", "content": text})

    def turn(self, *, tools: bool) -> tuple[str, list[tuple[str, str, dict[str, Any]]]]:
        offered: Any = [{"name": name, "input_schema": SCHEMA} for name in TOOLS]
        asked: dict[str, Any] = {"model": self.model, "messages": self._messages, "max_tokens": MOST_TOKENS}
        asked |= {"tools": offered} if tools else {}
        with anthropic.Anthropic(base_url=self.address, api_key="k", max_retries=0) as client:
            if self.streamed:
                with client.messages.stream(**asked, extra_headers=self.headers) as stream:
                    answer: Any = stream.get_final_message()
            else:
                answer = client.messages.create(**asked, extra_headers=self.headers)
        self.models.append(answer.model)
        self._messages.append({"role": "assistant", "content": [block.to_dict() for block in answer.content]})
        calls = [(block.id, block.name, block.input) for block in answer.content if block.type == "tool_use"]
        assert answer.stop_reason == ("tool_use" if calls else "end_turn")
        assert answer.usage.output_tokens
        return "".join(block.text for block in answer.content if block.type == "text"), calls

    def result(self, call_id: str, text: str) -> None:
        self._results.append({"type": "tool_result", "tool_use_id": call_id, "content": text})

    def results_are_in(self) -> None:
        self._messages.append({"role": "user", "content": self._results})
        self._results = []


class Responses(Speaker):
    """The Responses API, by openai's client."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._items: list[Any] = []

    def ask(self, text: str) -> None:
        self._items.append({"role": "user", "content": text})

    def turn(self, *, tools: bool) -> tuple[str, list[tuple[str, str, dict[str, Any]]]]:
        offered: Any = [{"type": "function", "name": name, "parameters": SCHEMA, "strict": False} for name in TOOLS]
        asked: dict[str, Any] = {"model": self.model, "input": self._items}
        asked |= {"tools": offered} if tools else {}
        with openai.OpenAI(base_url=f"{self.address}/v1", api_key="k", max_retries=0) as client:
            if self.streamed:
                with client.responses.stream(**asked, extra_headers=self.headers) as stream:
                    answer: Any = stream.get_final_response()
            else:
                answer = client.responses.create(**asked, extra_headers=self.headers)
        assert answer.status == "completed"
        self.models.append(answer.model)
        for item in answer.output:
            said = item.to_dict()
            said.pop("parsed_arguments", None)
            self._items.append(said)
        calls = [
            (item.call_id, item.name, json.loads(item.arguments))
            for item in answer.output
            if item.type == "function_call"
        ]
        return answer.output_text, calls

    def result(self, call_id: str, text: str) -> None:
        self._items.append({"type": "function_call_output", "call_id": call_id, "output": text})


SPEAKERS: dict[str, type[Speaker]] = {"chat": Chat, "messages": Messages, "responses": Responses}
