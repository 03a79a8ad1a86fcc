"""Links to a Redis, as a process of the pool would have them."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.store.link import Link
from tests.harness import RedisServer
from tests.links import link_to

ANSWER_S = 0.15
"""As long as in a web process."""

NewLink = Callable[..., Link]


@pytest.fixture
def new_link() -> Iterator[NewLink]:
    """Makes links; they are closed at the end."""
    with contextlib.ExitStack() as made:

        def make(url: str, **options: Any) -> Link:
            link = link_to(url, **({"answer_s": ANSWER_S} | options))
            made.callback(link.pipe.close)
            return link

        yield make


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that a test may freeze or kill."""
    server = RedisServer(Path(tmp_path_factory.mktemp("own-redis")))
    yield server
    server.stop()
