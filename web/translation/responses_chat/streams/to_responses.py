"""The stream of a chat provider as that of the Responses API."""

from collections.abc import Iterable
from typing import Any

import msgspec

from shared.domain.money import Usage
from web.dialects import chat
from web.dialects.error_table import ErrorInfo
from web.dialects.fields.usage import counted
from web.translation.checked_fields import Object
from web.translation.responses_chat import carried_reasoning, response
from web.translation.responses_chat.answer import call_id_of, logprobs_of
from web.translation.responses_chat.lenient_fields import dicts, error_of, first, said
from web.translation.responses_chat.names import Tool
from web.translation.responses_chat.streams.blocks import Blocks, CallBlock, CarrierBlock, TextBlock, Told
from web.translation.responses_chat.tools import catalogue
from web.translation.responses_chat.usage import usage_to_responses
from web.translation.stream_errors import ENDED_EARLY, UNREADABLE

_encode = msgspec.json.Encoder().encode
_RATE_LIMITED = 429


class StreamFromChat:
    """Takes the events of a chat provider's stream, gives those of a Responses client's."""

    def __init__(self, request: Object, model_name: str | None = None) -> None:
        """`request` is the client's; with `model_name` None the answer has the provider's name of it."""
        self._request = request
        self._model = model_name
        self._tools: dict[str, Tool] = catalogue(request)
        self._blocks = Blocks()
        self._calls: dict[Any, CallBlock] = {}
        """The latest call of each index."""
        self._response: Object | None = None
        self._usage: Object | None = None
        self._finish_reason: str | None = None
        self._over = False
        self._number = 0

    @property
    def usage(self) -> Usage | None:
        """What the answer said it used."""
        return counted(self._usage, chat.read_usage)

    def event(self, name: str | None, data: Object | None) -> list[bytes]:  # noqa: ARG002 - chat names no events
        """The client's events for one of the provider's; None is chat's `[DONE]`."""
        if self._over:
            return []
        if data is None:
            return self._completed()
        try:
            return self._chunk(data)
        except (AttributeError, KeyError, TypeError):
            return self.broken(UNREADABLE)

    def _chunk(self, data: Object) -> list[bytes]:
        if data.get("error"):
            return self.broken(error_of(data["error"]))
        out = [] if self._response else self._begun(data)
        if isinstance(data.get("usage"), dict):
            self._usage = data["usage"]
        if choice := first(data.get("choices")):
            out += self._choice(choice)
        return out

    def end(self) -> list[bytes]:
        """The events that are due when the provider's stream has ended."""
        if self._over:
            return []
        if self._finish_reason is not None:
            return self._completed()
        return self.broken(ENDED_EARLY)

    def broken(self, info: ErrorInfo) -> list[bytes]:
        """The events that say that the stream broke off."""
        if self._over:
            return []
        code = "rate_limit_exceeded" if info.status == _RATE_LIMITED else "server_error"
        told = {"code": info.code, "message": info.message, "param": info.param}
        error = {"code": code, "message": info.message}
        return [self._event("error", told), *self._ended("failed", {"error": error})]

    def _begun(self, data: Object) -> list[bytes]:
        self._response = self._head(data)
        return self._events((f"response.{kind}", {"response": self._response}) for kind in ("created", "in_progress"))

    def _head(self, data: Object) -> Object:
        return {
            "id": f"resp_{response.stem_of(data.get('id'))}",
            "object": "response",
            "created_at": response.created(data),
            **response.echo(self._request),
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "model": self._model or str(data.get("model")),
            "output": [],
            "usage": None,
        }

    def _choice(self, choice: Object) -> list[bytes]:
        out: list[bytes] = []
        delta = choice.get("delta")
        if isinstance(delta, dict):
            out += self._texts(delta, choice)
            for made in dicts(delta.get("tool_calls")):
                out += self._events(self._call(made))
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and self._finish_reason is None:
            self._finish_reason = reason
            out += self._events(self._blocks.finish(response.ending(reason)[0]))
        return out

    def _texts(self, delta: Object, choice: Object) -> list[bytes]:
        out: list[bytes] = []
        if thought := said(delta.get("reasoning_content")) or said(delta.get("reasoning")):
            out += self._events(self._text("reasoning", thought, []))
        if text := said(delta.get("content")):
            out += self._events(self._text("text", text, logprobs_of(choice)))
        if refusal := said(delta.get("refusal")):
            out += self._events(self._text("refusal", refusal, []))
        return out

    def _text(self, kind: str, text: str, logprobs: list[Object]) -> Iterable[Told]:
        block = self._blocks.last
        if not isinstance(block, TextBlock) or block.kind != kind:
            block = TextBlock(kind, self._id("rs" if kind == "reasoning" else "msg"))
            yield from self._blocks.append(block)
        yield from self._blocks.text(block, text, logprobs)

    def _call(self, made: Object) -> Iterable[Told]:
        """A piece of a call. Some providers send no index, or one for all calls: a new id is a new call, too."""
        called, index = made.get("function"), str(made.get("index"))
        called = called if isinstance(called, dict) else {}
        name, call_id = said(called.get("name")), said(made.get("id"))
        block = self._calls.get(index)
        if block is None or (name and (call_id != block.call_id if call_id else block.whole)):
            if extra := carried_reasoning.extra_of(made):
                yield from self._blocks.append(CarrierBlock(carried_reasoning.carrier(self._id("rs"), extra)))
            item_id, tool = self._id("fc"), self._tools.get(name, Tool("function", name))
            block = CallBlock(item_id, call_id or call_id_of(item_id), tool)
            self._calls[index] = block
            yield from self._blocks.append(block)
        if arguments := said(called.get("arguments")):
            yield from self._blocks.arguments(block, arguments)

    def _id(self, kind: str) -> str:
        assert self._response is not None  # noqa: S101 - the first event has made it
        return f"{kind}_{self._response['id'].removeprefix('resp_')}_{self._blocks.count}"

    def _completed(self) -> list[bytes]:
        status, details = response.ending(self._finish_reason)
        out = [] if self._response else self._begun({})
        out += self._events(self._blocks.finish(status))
        return out + self._ended(status, {"incomplete_details": details})

    def _ended(self, status: str, why: Object) -> list[bytes]:
        self._over = True
        head = self._response or self._head({})
        ended = {"status": status, "output": self._blocks.closed, "usage": usage_to_responses(self._usage), **why}
        return [self._event(f"response.{status}", {"response": head | ended})]

    def _events(self, told: Iterable[Told]) -> list[bytes]:
        return [self._event(kind, fields) for kind, fields in told]

    def _event(self, kind: str, fields: Object) -> bytes:
        data = _encode({"type": kind, "sequence_number": self._number, **fields})
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)
