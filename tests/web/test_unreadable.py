"""Whatever stands in Redis, requests are served as if it were not there, and the counters and the log say so."""

import re

import pytest
import redis

from tests.fakes.ports import free_port
from tests.harness import Pool, RedisServer, running, wait_until
from tests.web import sites
from tests.web.gateway import REVIEW, WRITE, Gateway, Outside

DEEP = b"[" * 2000 + b"]" * 2000


def counted(web: Gateway, kind: str) -> float:
    found = re.search(
        rf'^plano_unreadable_total{{kind="{kind}"}} (\S+)$', web.ask("GET", "/metrics").text, re.MULTILINE
    )
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("value", [b"no json", DEEP, b"\xff", None], ids=["text", "deep", "bytes", "list"])
def test_a_session_whose_pin_cannot_be_read_is_decided_and_pinned_anew(
    web: Gateway, cache: redis.Redis, session: str, value: bytes | None
) -> None:
    key, before = f"plano:affinity:{session}", counted(web, "affinity")
    if value is None:
        cache.rpush(key, "x")
    else:
        cache.set(key, value)

    first, second = web.chat(REVIEW, session), web.chat(WRITE, session)

    assert first.headers["x-plano-model"] == second.headers["x-plano-model"] == "openai/gpt-5.2"
    assert "x-plano-degraded" not in first.headers
    assert second.headers["x-plano-pinned"] == "true"
    assert 0 < cache.ttl(key) <= 600
    wait_until(lambda: counted(web, "affinity") > before, what="the count")


def test_one_bad_record_of_failures_does_not_end_the_view_of_all_others(
    web: Gateway, cache: redis.Redis, outside: Outside, session: str
) -> None:
    """The thread that looks at cooldowns ended with it, in every replica and for good."""
    cache.set("plano:failures:openai/gpt-4o-mini", DEEP, ex=60)
    before = counted(web, "failures")
    wait_until(lambda: counted(web, "failures") > before + 1, what="two looks at it")
    for n in range(2):
        web.chat(REVIEW, f"{session}{n}")
        outside.provider.behave("status", code=503, times=1)
        moved = web.chat(REVIEW, f"{session}{n}")

    assert (moved.status_code, moved.headers["x-plano-model"]) == (200, "openai/gpt-4o-mini")
    assert cache.exists("plano:failures:openai/gpt-5.2") == 1


def test_every_key_of_ours_may_hold_anything(
    outside: Outside, server: RedisServer, cache: redis.Redis, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No thread of web or worker ends, no answer is an error, and what is written next replaces it."""
    models = ("openai/gpt-4o-mini", "openai/gpt-5.2")
    names = ["plano:metrics:snapshot", "plano:metrics:observed"]
    names += [f"plano:{kind}:{model}" for kind in ("cooldown", "failures", "probe", "suspected") for model in models]
    config = sites.usual(outside) + "model_metrics_sources: [{type: latency, provider: observed}]\n"
    for name in names:
        cache.delete(name)
        cache.sadd(name, "x")
        cache.expire(name, 60)
    with running(Pool(tmp_path_factory.mktemp("anything"), config, server.url)) as pool:
        port = free_port()
        web, worker = pool.web(port), pool.worker()
        gateway = Gateway(port)
        answers = [gateway.chat(REVIEW, f"anything-{n}") for n in range(3)]
        wait_until(lambda: cache.type("plano:metrics:observed") == b"hash", what="what was measured")
        for n in range(2):
            outside.provider.behave("status", code=503, times=1)
            answers += [gateway.chat(REVIEW, f"anything-{n}")]
        gateway.close()

    assert {answer.status_code for answer in answers} == {200}
    assert not any("x-plano-degraded" in answer.headers for answer in answers)
    assert cache.type("plano:cooldown:openai/gpt-5.2") == b"string"
    assert "a round of" not in web.text() + worker.text()
    assert "a value that cannot be used counts as absent: plano:metrics:observed" in web.text()
