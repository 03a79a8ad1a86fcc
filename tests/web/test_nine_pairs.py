"""Each official client with a provider of each API: whole and streamed, and through loops of tools."""

from collections.abc import Iterator

import anthropic
import pytest

from tests.fakes.ports import free_port
from tests.fakes.provider import Provider
from tests.harness import Pool, RedisServer, running
from tests.web.client_apis import APIS, PATHS, config
from tests.web.gateway import Outside
from tests.web.speakers import SPEAKERS

CITY = {"city": "Paris"}


@pytest.fixture(scope="module")
def ports(
    outside: Outside, server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, int]]:
    ports = free_port(), free_port()
    with running(Pool(tmp_path_factory.mktemp("pairs"), config(outside), server.url)) as pool:
        for port in ports:
            pool.web(port)
        yield ports


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("served", APIS)
@pytest.mark.parametrize("spoken", APIS)
def test_a_loop_of_tools_runs_to_its_end(
    ports: tuple[int, int], provider: Provider, session: str, spoken: str, served: str, *, streamed: bool
) -> None:
    speaker = SPEAKERS[spoken](ports, f"of-{served}/m", session, streamed=streamed)

    text, called = speaker.loop("do it")

    assert called == [[("search", CITY), ("search", CITY)], [("read", CITY)], [("write", CITY)]]
    assert text == (
        "m heard: do it\n- search: search done\n- search: search done\n- read: read done\n- write: write done"
    )
    assert {request.path for request in provider.requests} == {PATHS[served]}
    assert speaker.models == [f"of-{served}/m"] * 4


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("served", APIS)
@pytest.mark.parametrize("spoken", APIS)
def test_a_text_is_answered_by_a_text(
    ports: tuple[int, int], session: str, spoken: str, served: str, *, streamed: bool
) -> None:
    speaker = SPEAKERS[spoken](ports, f"of-{served}/m", session, streamed=streamed)
    speaker.ask("hello there")

    assert speaker.turn(tools=False) == ("m heard: hello there", [])


@pytest.mark.parametrize("served", APIS)
def test_anthropics_client_counts_tokens_and_has_a_beta_namespace(ports: tuple[int, int], served: str) -> None:
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{ports[0]}", api_key="k", max_retries=0) as client:
        counted = client.messages.count_tokens(
            model=f"of-{served}/m", messages=[{"role": "user", "content": "a" * 400}]
        )
        beta = client.beta.messages.create(
            model=f"of-{served}/m",
            max_tokens=10,
            messages=[{"role": "user", "content": "hi"}],
            betas=["x-2026-01-01"],
        )

    assert 50 < counted.input_tokens < 200
    assert beta.content[0].type == "text"
    assert beta.content[0].text == "m heard: hi"
