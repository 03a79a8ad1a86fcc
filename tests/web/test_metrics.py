"""What /metrics says, for Prometheus."""

import re
import shutil
import subprocess

import pytest

from tests.harness import wait_until
from tests.web.gateway import REVIEW, Gateway, Outside, Webs


def value(web: Gateway, series: str) -> float:
    """What a series says now; 0 when there is none."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", web.ask("GET", "/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_answers_are_counted_by_status_and_probes_are_not(web: Gateway, session: str) -> None:
    before = [value(web, f'plano_responses_total{{code="{code}"}}') for code in (200, 404)]

    web.chat(session=session)
    web.ask("GET", "/nothing")
    web.ask("GET", "/livez")
    after = [value(web, f'plano_responses_total{{code="{code}"}}') for code in (200, 404)]

    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1]


def test_how_long_answers_take_to_begin_is_a_histogram_by_model(web: Gateway, outside: Outside, session: str) -> None:
    series = 'plano_first_byte_seconds_{}{{{}model="openai/gpt-4o-mini"}}'
    before = [value(web, series.format(name, le)) for name, le in (("count", ""), ("bucket", 'le="0.1",'))]
    outside.provider.delay = 0.2

    web.chat(session=session)
    after = [value(web, series.format(name, le)) for name, le in (("count", ""), ("bucket", 'le="0.1",'))]

    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 0]
    assert value(web, series.format("sum", "")) > 0.2


def test_only_a_decision_that_no_pin_made_counts_as_a_wait(web: Gateway, session: str) -> None:
    before = value(web, "plano_decision_seconds_count")

    for _ in range(3):
        web.chat(REVIEW, session)

    assert value(web, "plano_decision_seconds_count") - before == 1
    assert value(web, 'plano_decisions_total{by="pin"}') >= 2


def test_an_attempt_that_fails_is_counted_by_model_and_outcome(web: Gateway, outside: Outside, session: str) -> None:
    outside.provider.behave("status", code=500, model="gpt-5.2")

    answer = web.chat(REVIEW, session)

    assert answer.headers["x-plano-fallback"] == "openai/gpt-5.2;500"
    assert value(web, 'plano_failed_attempts_total{model="openai/gpt-5.2",outcome="500"}') >= 1


def test_the_pool_is_seen_from_each_process(webs: Webs) -> None:
    """Nobody knows how many workers there are while the queue is away: that is no number."""
    digest = webs.usual.ask("GET", "/readyz").json()["config"]

    wait_until(lambda: value(webs.usual, "plano_workers") == 1, what="a look at the workers")
    wait_until(lambda: value(webs.usual, "plano_queue_waiting_jobs") == 0, what="a look at the empty queue")

    assert re.search(rf'^plano_build_info{{config="{digest}",version="\S+"}} 1', _text(webs.usual), re.MULTILINE)
    assert "plano_workers NaN" in _text(webs.away)
    assert value(webs.memory, "plano_workers") == 1


def test_promtool_finds_nothing_to_improve_in_names_and_types(web: Gateway, session: str) -> None:
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not installed: it comes with Debian's package prometheus")
    web.chat(REVIEW, session)

    checked = subprocess.run(
        [promtool, "check", "metrics"], input=_text(web), capture_output=True, text=True, timeout=30, check=False
    )

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def _text(web: Gateway) -> str:
    return web.ask("GET", "/metrics").text
