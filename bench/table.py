"""The README's table of figures, from `bench/results`: `python -m bench.table` writes it anew."""

import re
from pathlib import Path

import msgspec

from bench.report import RESULTS, Results, Spread

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- figures: written by `python -m bench.table` -->\n", "<!-- end of figures -->\n"
_HUNDRED = 100
_BESIDES = 0.01  # what runs beside requests, such as the look at cooldowns each half second, counts as well


class Row(msgspec.Struct, frozen=True):
    """A question, and the figures that answer it: each by its side and its name."""

    question: str
    result: str
    figures: tuple[tuple[str, str], ...]
    unit: str = ""


class _File(msgspec.Struct):
    results: Results
    absent: dict[str, str] = {}


_DECISION, _PROXIED = "decision", "proxied"
_FIRST, _EIGHT = "first request, 1 at once", "first request, 8 at once"
_STREAMS = "pool"
_FROZEN = "redis frozen"
_SLOW = "redis slow"
_RESTART = "rolling restart"
_PAGES = ("sessions by last use", "first look of a search", "models")
_WALKS = ("beside a walk over all keys", "beside a search among all sessions")
_TRANSLATED = (
    "chat>messages", "chat>responses", "messages>chat", "messages>responses", "responses>chat", "responses>messages",
)  # fmt: skip
ROWS = (
    Row("pinned decision, requests/s at 32 connections", "pinned", ((_DECISION, "requests_per_s"),)),
    Row("… as a share of a bare WSGI answer's", "floor", (("pinned decision", "of_bare"),)),
    Row("pinned proxied answer, requests/s at 32 connections", "pinned", ((_PROXIED, "requests_per_s"),)),
    *(
        Row(f"… over {name}'s", "peers", ((peer, "ours_over_this"),), "times")
        for peer, name in (
            ("LiteLLM", "LiteLLM with affinity and Redis"),
            ("Portkey", "Portkey"),
            ("Switchyard", "Switchyard"),
            ("vllm-router", "vllm-router"),
        )
    ),
    Row(
        "time added at 1 connection, p50 / p99: decision",
        "latency",
        ((_DECISION, "added_p50_ms"), (_DECISION, "added_p99_ms")),
        "ms",
    ),
    Row(
        "… proxied",
        "latency",
        ((_PROXIED, "added_p50_ms"), (_PROXIED, "added_p99_ms")),
        "ms",
    ),
    Row(
        "web's processor time for a pinned proxied answer",
        "pinned",
        ((_PROXIED, "web_processor_ms_per_request"),),
        "ms",
    ),
    Row(
        "Redis commands for a pinned request: decision / proxied",
        "pinned",
        ((_DECISION, "redis_commands_per_request"), (_PROXIED, "redis_commands_per_request")),
    ),
    Row(
        "first request, added to a router model's 100 ms, p50 / p99: 1 at once",
        "first_request",
        ((_FIRST, "added_p50_ms"), (_FIRST, "added_p99_ms")),
        "ms",
    ),
    Row("… 8 at once", "first_request", ((_EIGHT, "added_p50_ms"), (_EIGHT, "added_p99_ms")), "ms"),
    Row(
        "decisions/s of one worker process, router model taking 100 ms",
        "slow_router",
        (("closed loop, router 100 ms", "decisions_per_s"),),
    ),
    Row(
        "router calls of 1 s that one worker process holds at once",
        "slow_router",
        (("64 at once, router 1 s", "router_calls_at_once"),),
    ),
    Row(
        "a 100 KB conversation, pinned: processor time added to a 1 KB one's",
        "conversation",
        (("100 KB", "added_processor_ms_per_request"),),
        "ms",
    ),
    Row(
        "1 MB of conversation in its provider's own API, web's processor time: chat / messages / responses",
        "translation",
        tuple((f"{api}>{api}", "body_web_processor_ms") for api in ("chat", "messages", "responses")),
        "ms",
    ),
    *(
        Row(question, "translation", tuple((f"{side}{pair}", figure) for pair in _TRANSLATED), unit)
        for question, side, figure, unit in (
            (f"… translated: {' / '.join(_TRANSLATED)}", "", "body_web_processor_ms", "ms"),
            ("… LiteLLM, as a library, over that", "LiteLLM ", "body_over_ours", "times"),
            ("a chunk of a stream of 1,000, translated likewise", "", "stream_web_processor_us_per_chunk", "µs"),
            ("… LiteLLM, as a library, over that", "LiteLLM ", "stream_over_ours", "times"),
        )
    ),
    Row("1,000 streams in one web process, a chunk every 100 ms: errors", "streams", ((_STREAMS, "errors"),)),
    Row("… p99 added to a chunk while all are open", "streams", ((_STREAMS, "added_p99_all_open_ms"),), "ms"),
    Row("… with the second in which all are opened", "streams", ((_STREAMS, "added_p99_ms"),), "ms"),
    Row("… memory of web", "streams", ((_STREAMS, "web_most_rss_mb"),), "MB"),
    Row("Redis memory for each of 1,000,000 pins", "memory", (("many pins", "redis_bytes_per_pin"),), "B"),
    Row("pinned p99 with them, against 1,000 pins", "memory", (("many pins", "p99_of_few"),), "times"),
    Row(
        "memory at rest: web process / worker process",
        "memory",
        (("processes at rest", "web_rss_mb"), ("processes at rest", "worker_rss_mb")),
        "MB",
    ),
    Row(
        "two web processes, processor time against one's",
        "two_processes",
        (("two processes", "of_one_process"),),
        "times",
    ),
    Row(
        "Redis connections with 300 first requests waiting: web process / worker process",
        "connections",
        (("300 first requests", "web_connections"), ("300 first requests", "worker_connections")),
    ),
    Row(
        "the record of a session, web's processor time for a request: at 20 turns a second / at 1",
        "records",
        (("20 turns a second", "web_us_per_request"), ("1 turn a second", "web_us_per_request")),
        "µs",
    ),
    Row(
        "… of a pinned proxied answer",
        "records",
        (("20 turns a second", "percent_of_a_pinned_answer"), ("1 turn a second", "percent_of_a_pinned_answer")),
        "%",
    ),
    Row("… Redis's memory, without events", "records", (("1 turn a second", "redis_bytes_per_session"),), "B"),
    Row(
        "an operator's page with 1,000,000 sessions: newest sessions / a search / models",
        "admin",
        tuple((page, "page_ms") for page in _PAGES),
        "ms",
    ),
    Row(
        "… its longest command in Redis",
        "admin",
        tuple((page, "longest_redis_command_ms") for page in _PAGES),
        "ms",
    ),
    Row(
        "a pinned decision while an operator walks over 1,000,000 pins / searches them: of its time alone, p50",
        "walk",
        tuple((side, "p50_of_alone_at_1") for side in _WALKS),
        "times",
    ),
    Row(
        "sessions split by 30 bursts of 8 first requests over 2 replicas",
        "promises",
        (("30 bursts of 8 over 2 replicas", "sessions_split"),),
    ),
    Row("client errors when the pinned model is killed", "promises", (("pinned model killed", "client_errors"),)),
    Row(
        "worst wait added by a frozen Redis: pinned / first / decision under way",
        "promises",
        (
            (_FROZEN, "worst_added_wait_ms"),
            (_FROZEN, "worst_added_wait_of_first_requests_ms"),
            (_FROZEN, "worst_wait_of_decisions_under_way_ms"),
        ),
        "ms",
    ),
    Row(
        "requests degraded by a Redis that answers in 5 to 100 ms",
        "promises",
        ((_SLOW, "degraded"),),
    ),
    Row(
        "… p50 added when it answers in 50 ms: pinned / first",
        "promises",
        ((_SLOW, "pinned_added_p50_ms_at_50_ms"), (_SLOW, "first_added_p50_ms_at_50_ms")),
        "ms",
    ),
    Row(
        "rolling restart: requests lost / streams truncated",
        "promises",
        ((_RESTART, "requests_lost"), (_RESTART, "streams_truncated")),
    ),
)


def main() -> None:
    """Put the table into the README."""
    README.write_text(with_table(README.read_text()))


def with_table(readme: str) -> str:
    """The README's text with the figures as they stand in `bench/results`."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    lines = ["| question | measured | target | file |", "| --- | --- | --- | --- |", *map(_line, ROWS), ""]
    return before + BEGIN + "\n".join(lines) + END + after


def met(spread: Spread) -> bool:
    """Whether a figure's median is what its target asks for; one without a target is."""
    if spread.target is None:
        return True
    told = re.fullmatch(r"([≥≤]?) ?([\d.,]+)", spread.target)
    assert told, spread.target
    wanted = float(told[2].replace(",", ""))
    exactly = abs(spread.median - wanted) < _BESIDES
    return {"≥": spread.median >= wanted, "≤": spread.median <= wanted, "": exactly}[told[1]]


def _line(row: Row) -> str:
    found = msgspec.json.decode((RESULTS / f"{row.result}.json").read_bytes(), type=_File)
    missing = [found.absent[side] for side, _ in row.figures if side in found.absent]
    if missing:
        return f"| {row.question} | absent: {missing[0]} | | `{row.result}.json` |"
    spreads = [found.results[side][name] for side, name in row.figures]
    measured = " / ".join(map(_shown, spreads)) + (f" {row.unit}" if row.unit else "")
    targets = " / ".join(spread.target or "-" for spread in spreads) if any(one.target for one in spreads) else "-"
    missed = "" if all(map(met, spreads)) else ": **missed**"
    return f"| {row.question} | {measured} | {targets}{missed} | `{row.result}.json` |"


def _shown(spread: Spread) -> str:
    if spread.min == spread.max:
        return _number(spread.median)
    return f"{_number(spread.median)} ({_number(spread.min)} … {_number(spread.max)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= _HUNDRED else f"{value:.3g}"


if __name__ == "__main__":
    main()
