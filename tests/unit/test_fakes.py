"""The stand-ins do what tests and demos trust them to do."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
import requests

from tests.fakes.faults import BIG_LINE_BYTES, Gates
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.fakes.speech import KEPT, ODD
from tests.fakes.wire import Exchange

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}, "x": {}},
            "required": ["city", "days"],
        },
    },
}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        yield server


def chat(text: str = "Grüß Gott, how are you?", **fields: Any) -> dict[str, Any]:
    return {"model": "gpt-5.2", "messages": [{"role": "user", "content": text}], **fields}


def ask(provider: Provider, **fields: Any) -> requests.Response:
    return requests.post(f"{provider.url}/chat/completions", json=chat(**fields), timeout=5)


def raw(provider: Provider, **fields: Any) -> bytes:
    """Everything that comes over the connection until it ends."""
    body = json.dumps(chat(**fields)).encode()
    with socket.create_connection(("127.0.0.1", provider.port), timeout=5) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        return b"".join(iter(lambda: connection.recv(65536), b""))


def events(body: bytes) -> list[Any]:
    data = [line.removeprefix(b"data: ") for line in body.splitlines() if line.startswith(b"data: ")]
    return [json.loads(line) for line in data if line != b"[DONE]"]


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not true():
        assert time.monotonic() < until
        threading.Event().wait(0.002)


def test_the_official_client_is_answered_whole_and_streamed(provider: Provider) -> None:
    with openai.OpenAI(base_url=provider.url, api_key="k") as client:
        whole = client.chat.completions.create(**chat())
        stream = list(client.chat.completions.create(**chat(stream=True, stream_options={"include_usage": True})))
        models = [model.id for model in client.models.list()]
        answered = client.responses.create(model="gpt-5.2", input="hi").output_text

    assert whole.model == "gpt-5.2"
    assert whole.choices[0].message.content == "gpt-5.2 heard: Grüß Gott, how are you?"
    spoken = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "".join(spoken) == whole.choices[0].message.content
    assert len([word for word in spoken if word]) > 3
    assert stream[-1].usage == whole.usage
    assert "gpt-5.2" in models
    assert answered == "gpt-5.2 heard: hi"


def test_odd_fields_are_on_the_wire_as_they_are_written_down(provider: Provider) -> None:
    whole, again, stream = ask(provider).content, ask(provider).content, ask(provider, stream=True).content

    assert whole == again
    assert KEPT in whole
    assert ODD in whole
    assert json.loads(whole)["x_stand_in"] == {"kept": [1, 2.5, "ü"]}
    assert stream.count(KEPT) == len(events(stream)) > 3
    assert stream.endswith(b"data: [DONE]\n\n")


def test_a_tool_is_called_and_its_result_is_answered_with_text(provider: Provider) -> None:
    with openai.OpenAI(base_url=provider.url, api_key="k") as client:
        message = client.chat.completions.create(**chat(tools=[WEATHER])).choices[0].message
        stream = list(client.chat.completions.create(**chat(tools=[WEATHER], stream=True)))
        turns = [*chat()["messages"], message, {"role": "tool", "tool_call_id": "1", "content": "sunny"}]
        end = client.chat.completions.create(model="gpt-5.2", messages=turns, tools=[WEATHER]).choices[0]

    assert message.tool_calls
    assert json.loads(message.tool_calls[0].function.arguments) == {"city": "Paris", "days": 2}
    deltas = [call for chunk in stream for call in chunk.choices[0].delta.tool_calls or ()]
    assert deltas[0].id == message.tool_calls[0].id
    assert deltas[0].function.name == "weather"
    assert "".join(d.function.arguments for d in deltas) == message.tool_calls[0].function.arguments
    assert stream[-1].choices[0].finish_reason == "tool_calls"
    assert end.finish_reason == "stop"
    assert end.message.content == "gpt-5.2 heard: Grüß Gott, how are you?"


def test_the_other_apis_answer_in_their_own_form(provider: Provider) -> None:
    asked = chat("hi", max_tokens=9)

    whole = requests.post(f"{provider.url}/messages", json=asked, timeout=5).json()
    stream = requests.post(f"{provider.url}/messages", json={**asked, "stream": True}, timeout=5)
    response = requests.post(
        f"{provider.url}/responses",
        json={"model": "m", "input": [{"role": "user", "content": "hi"}], "stream": True},
        timeout=5,
    )

    assert whole["content"] == [{"type": "text", "text": "gpt-5.2 heard: hi"}]
    told = events(stream.content)
    assert [told[0]["type"], told[-1]["type"]] == ["message_start", "message_stop"]
    assert "".join(e["delta"].get("text", "") for e in told if "delta" in e) == "gpt-5.2 heard: hi"
    assert events(response.content)[-1]["response"]["output"][0]["content"][0]["text"] == "m heard: hi"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/chat/completions", b"{"),
        ("/chat/completions", b'{"model":"m"}'),
        ("/messages", b'{"messages":[{}]}'),
        ("/v1/chat/completions", b"{}"),
    ],
)
def test_what_a_provider_would_refuse_is_refused(provider: Provider, path: str, body: bytes) -> None:
    answer = requests.post(provider.url + path, data=body, timeout=5)

    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_requests_are_recorded_as_they_came(provider: Provider) -> None:
    with requests.Session() as client:
        client.post(f"{provider.url}/chat/completions?a=1", data=b'{"model":"m"}', headers={"x-OdD": "é".encode()})
        client.post(f"{provider.url}/chat/completions", data=iter([b'{"model":', b'"chunked"}']))

    first, second = provider.requests
    assert (first.method, first.path, first.body) == ("POST", "/v1/chat/completions?a=1", b'{"model":"m"}')
    assert ("x-OdD", "Ã©") in first.headers
    assert first.header("X-Odd") == "Ã©"
    assert second.json == {"model": "chunked"}
    assert first.at_s < second.at_s
    assert provider.connections == 1
    provider.clear()
    assert (provider.requests, provider.calls, provider.connections) == ([], 0, 0)


def test_a_client_that_leaves_ends_its_request(provider: Provider) -> None:
    provider.pause = 60
    answer = requests.post(f"{provider.url}/chat/completions", json=chat(stream=True), stream=True, timeout=5)
    pieces = answer.iter_content(None)  # kept: a dropped iterator closes the connection
    next(pieces)
    assert provider.open == 1

    answer.close()

    wait_until(lambda: provider.open == 0)
    assert provider.left == 1


def test_status(provider: Provider) -> None:
    provider.behave("status", code=429, body={"error": {"code": "x"}}, headers={"Retry-After": "7"}, times=1)

    refused, served = ask(provider), ask(provider)

    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "7")
    assert refused.json() == {"error": {"code": "x"}}
    assert served.status_code == 200


def test_a_models_own_fault_comes_before_that_of_all(provider: Provider) -> None:
    provider.behave("status", code=503)
    provider.behave("status", code=400, model="gpt-5.2", times=1)

    assert [ask(provider).status_code for _ in range(3)] == [400, 503, 503]
    provider.behave(None)
    assert ask(provider).status_code == 200


def test_hang_lasts_until_released(provider: Provider) -> None:
    provider.behave("hang")

    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(ask, provider) for _ in range(2)]
        wait_until(lambda: provider.hanging == 2)
        assert not any(answer.done() for answer in answers)
        provider.release()

    assert [answer.result().status_code for answer in answers] == [200, 200]


def test_a_release_that_comes_just_before_the_wait_is_not_missed() -> None:
    """Or a request hangs for good that was told to while all others were let go."""
    gates = Gates()
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as pool:
        wait = gates.ahead()
        gates.release()
        late = pool.submit(wait, Exchange(ours))
        try:
            late.result(timeout=5)
        finally:
            gates.release()


def test_a_hanging_request_does_not_hold_up_the_end() -> None:
    with Provider() as provider, ThreadPoolExecutor(1) as pool:
        provider.behave("hang")
        answer = pool.submit(ask, provider)
        wait_until(lambda: provider.open == 1)
        provider.close()

    assert isinstance(answer.exception(), requests.ConnectionError)


def test_slow(provider: Provider) -> None:
    provider.behave("slow", seconds=0.2)
    begun = time.monotonic()

    assert ask(provider).status_code == 200
    assert time.monotonic() - begun >= 0.2


def test_half_stream_waits_for_a_stream_and_cuts_it(provider: Provider) -> None:
    provider.behave("half_stream", times=1)

    assert ask(provider).status_code == 200
    wire = raw(provider, stream=True)

    assert len(events(wire)) == 2
    assert not wire.endswith(b"0\r\n\r\n")
    assert raw(provider, stream=True).endswith(b"0\r\n\r\n")


def test_half_body(provider: Provider) -> None:
    provider.behave("half_body")

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(provider)


def test_close(provider: Provider) -> None:
    provider.behave("close")

    assert raw(provider) == b""


def test_not_json(provider: Provider) -> None:
    provider.behave("not_json")

    page = ask(provider)

    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html")
    assert page.content.startswith(b"<!doctype html>")


def test_repeat_headers(provider: Provider) -> None:
    provider.behave("repeat_headers")

    wire = raw(provider)

    assert wire.count(b"\r\nSet-Cookie: ") == wire.count(b"\r\nX-Repeat: ") == 2


def test_unterminated_crlf_and_big_line(provider: Provider) -> None:
    usual = ask(provider, stream=True).content

    provider.behave("unterminated")
    assert ask(provider, stream=True).content == usual.rstrip(b"\n")
    provider.behave("crlf")
    assert ask(provider, stream=True).content == usual.replace(b"\n", b"\r\n")
    provider.behave("big_line")
    big = ask(provider, stream=True).content
    assert max(map(len, big.splitlines())) > BIG_LINE_BYTES
    assert [{**event, "padding": 0} for event in events(big)] == [{**e, "padding": 0} for e in events(usual)]


def test_split_comes_in_sevens_through_lines_and_letters(provider: Provider) -> None:
    usual = ask(provider, stream=True).content
    provider.behave("split")

    wire = raw(provider, stream=True)

    assert ask(provider, stream=True).content == usual
    assert wire.count(b"\r\n7\r\n") == len(usual) // 7


def test_an_unknown_fault_is_named_with_those_there_are(provider: Provider) -> None:
    with pytest.raises(ValueError, match="half_stream"):
        provider.behave("halfstream")


def test_a_fault_is_told_over_http_too(provider: Provider) -> None:
    here = f"http://127.0.0.1:{provider.port}"

    told = requests.post(f"{here}/_behave", json={"kind": "status", "code": 503, "times": 1}, timeout=5)
    refused = requests.post(f"{here}/_behave", json={"kind": "nonsense"}, timeout=5)

    assert (told.status_code, refused.status_code) == (200, 400)
    assert [ask(provider).status_code for _ in range(2)] == [503, 200]
    summary = requests.get(f"{here}/_requests", timeout=5).json()
    assert (summary["count"], summary["models"]) == (2, {"gpt-5.2": 2})
    assert ["Content-Type", "application/json"] in summary["headers"]
    requests.post(f"{here}/_clear", timeout=5)
    assert requests.get(f"{here}/_requests", timeout=5).json()["count"] == 0


def test_a_provider_comes_back_where_it_was(provider: Provider) -> None:
    provider.close()
    with pytest.raises(requests.ConnectionError):
        ask(provider)

    provider.start()

    assert ask(provider).status_code == 200


def test_they_run_as_one_process_and_stop_when_told() -> None:
    ports = [str(free_port()), str(free_port())]
    command = [sys.executable, "-m", "tests.fakes", "--provider", ports[0], "--router", ports[1]]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in ports]
        status = requests.get(f"http://127.0.0.1:{ports[0]}/v1/models", timeout=5).status_code
        process.terminate()

        assert process.wait(5) == 0
    assert [line.split()[0] for line in lines] == ["provider", "router"]
    assert status == 200
