"""Request bodies that come packed, as gzip or zstd."""

import gzip
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from werkzeug.exceptions import RequestEntityTooLarge

from shared.errors import BadRequest
from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, running
from tests.turns import turns_of_others
from tests.web.gateway import CHAT, DECISION, REVIEW, Gateway, Webs, body, error_of
from tests.web.sites import SMALL_BODY
from web.api.reading import content

MEGABYTE = 1024 * 1024
PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "x-gzip": gzip.compress, "zstd": zstd.compress}
CODINGS = ["gzip", "zstd"]
LIMITED = """
version: v0.4.0
model_providers: [{{model: openai/gpt-4o-mini, base_url: "{url}", access_key: sk, default: true}}]
routing: {{session_cache: {{type: memory}}}}
limits: {{body_bytes: 4194304, buffered_bytes: 10485760}}
"""


def pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


@pytest.mark.parametrize("coding", [*PACKERS, "GZIP", "Zstd "])
def test_a_packed_body_is_read_and_sent_on_unpacked(web: Gateway, provider: Provider, coding: str) -> None:
    text = "quick facts " * 10_000
    packed = PACKERS[coding.strip().lower()](body(text, seed=7))

    answer = web.ask("POST", CHAT, packed, content_encoding=coding)

    assert answer.status_code == 200
    assert provider.requests[-1].header("content-encoding") is None
    assert json.loads(provider.requests[-1].body) == {**json.loads(body(text, seed=7)), "model": "gpt-4o-mini"}


@pytest.mark.parametrize("coding", CODINGS)
def test_its_length_need_not_be_known(web: Gateway, coding: str) -> None:
    answer = web._http.post(
        f"http://127.0.0.1:{web.port}{DECISION}",
        data=pieces(PACKERS[coding](body(REVIEW))),
        headers={"content-encoding": coding},
        timeout=10,
    )

    assert answer.json()["route"] == "deep_reasoning"


def test_identity_is_no_packing(web: Gateway) -> None:
    assert web.ask("POST", DECISION, body(REVIEW), content_encoding="identity").status_code == 200


@pytest.mark.parametrize("coding", CODINGS)
def test_the_limit_counts_after_unpacking(webs: Webs, provider: Provider, coding: str) -> None:
    room = SMALL_BODY - len(body("", model="openai/gpt-5.2"))
    fits, too_large = (PACKERS[coding](body("x" * (room + n), model="openai/gpt-5.2")) for n in (0, 1))

    assert webs.strict.ask("POST", CHAT, fits, content_encoding=coding).status_code == 200
    refused = webs.strict.ask("POST", CHAT, too_large, content_encoding=coding)

    assert len(too_large) < SMALL_BODY / 20
    assert (refused.status_code, error_of(refused)["code"]) == (413, "request_too_large")
    assert provider.calls == 1


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda packed: packed[:-20], "breaks off"),
        (lambda packed: packed[:3], "breaks off"),
        (lambda _: b"", "breaks off"),
        (lambda packed: packed + b"more", "goes on after the end"),
        (lambda packed: packed * 2, "goes on after the end"),
        (lambda packed: b"{" + packed, "not what Content-Encoding says"),
    ],
)
def test_one_that_is_not_what_it_says_is_refused(
    web: Gateway, provider: Provider, coding: str, spoil: Callable[[bytes], bytes], says: str
) -> None:
    packed = PACKERS[coding](body("".join(map(str, range(1000)))))

    answer = web.ask("POST", CHAT, spoil(packed), content_encoding=coding)

    assert answer.status_code == 400
    assert says in error_of(answer)["message"]
    assert provider.calls == 0


def test_a_wrong_checksum_is_found(web: Gateway) -> None:
    spoilt = gzip.compress(body())[:-8] + b"?" * 8

    assert "incorrect data check" in error_of(web.ask("POST", CHAT, spoilt, content_encoding="gzip"))["message"]


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, zstd", "x" * 5000])
def test_another_coding_is_told_what_would_be_right(web: Gateway, coding: str) -> None:
    answer = web.ask("POST", CHAT, body(), content_encoding=coding)

    assert answer.status_code == 415
    assert "gzip" in error_of(answer)["message"]
    assert "zstd" in error_of(answer)["message"]


def test_a_key_is_asked_for_before_anything_is_unpacked(webs: Webs) -> None:
    answer = webs.strict.ask("POST", CHAT, b"no gzip", content_encoding="gzip", authorization="Bearer none")

    assert answer.status_code == 401


class Held:
    """Stands for a client's connection."""

    def __init__(self) -> None:
        self.size = 0

    def hold(self, size: int) -> None:
        """Count."""
        self.size += size


def environ(sent: bytes, coding: str, held: Held) -> dict[str, Any]:
    class Body:
        def read(self, size: int) -> bytes:
            return sent[:size]

    return {
        "CONTENT_LENGTH": str(len(sent)),
        "HTTP_CONTENT_ENCODING": coding,
        "wsgi.input": Body(),
        "gunicorn.socket": held,
    }


@pytest.mark.parametrize("coding", CODINGS)
def test_no_more_than_the_limit_and_one_piece_is_unpacked(coding: str) -> None:
    """400 MB of zeros are 400 KB as gzip, and 13 KB as zstd."""
    bomb, held = PACKERS[coding](bytes(100 * MEGABYTE)), Held()

    with pytest.raises(RequestEntityTooLarge):
        content.read(environ(bomb, coding, held), 5 * MEGABYTE)

    assert held.size <= 6 * MEGABYTE


@pytest.mark.parametrize("coding", CODINGS)
def test_others_have_their_turn_while_a_body_is_unpacked(coding: str) -> None:
    """A few KB may become 20 MB, which takes tens of milliseconds."""
    with turns_of_others() as turns:
        content.read(environ(PACKERS[coding](bytes(8 * MEGABYTE)), coding, Held()), 8 * MEGABYTE)
        seen = turns()

    assert seen >= 8


def test_a_window_that_would_take_much_memory_is_refused() -> None:
    """A frame may ask its reader for 128 MB; RFC 9659 allows 8 MB."""
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    packer = zstd.ZstdCompressor(options=options)
    wide = packer.compress(b"{" * 10) + packer.flush()

    with pytest.raises(BadRequest, match="zstd"):
        content.read(environ(wide, "zstd", Held()), MEGABYTE)


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_unpacked_counts_as_held_by_the_process(tmp_path: Path, coding: str) -> None:
    """Else many small requests could have it hold as many times limits.body_bytes."""
    packed = PACKERS[coding](body("x" * (4 * MEGABYTE - 1000)))
    with Provider() as provider, running(Pool(tmp_path, LIMITED.format(url=provider.url), "redis://unused")) as pool:
        port = free_port()
        pool.web(port)
        provider.delay = 3

        def ask(_: int) -> int:
            with closing(Gateway(port)) as gateway:
                return gateway.ask("POST", CHAT, packed, content_encoding=coding).status_code

        with ThreadPoolExecutor(6) as clients:
            statuses = sorted(clients.map(ask, range(6)))
        provider.delay = 0

        assert statuses.count(200) in {1, 2}
        assert set(statuses) == {200, 503}
        assert ask(0) == 200
