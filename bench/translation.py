"""What 1 MB of conversation and a stream of 1,000 chunks cost in each pair of APIs: `python -m bench.translation`."""

import argparse
import subprocess
import tempfile
from functools import partial
from pathlib import Path

import msgspec

from bench import agent_loop, load, machine, report, stage
from bench.litellm_side import EVENTS
from bench.peer_recipes import INSTALL_S, LITELLM, Absent
from bench.pinned_pool import PINNED
from bench.report import Figures
from bench.stage import Stage
from tests.fakes.ports import free_port
from tests.harness import ROOT

QUESTION = (
    "How much processor time does web take for a conversation of 1 MB, and for each chunk of a stream of 1,000, "
    "in the provider's own API and translated; and LiteLLM, as a library, for the same translation?"
)
BODY_BYTES = 1_000_000
CONNECTIONS = 4
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
PAIRS = [(spoken, served) for spoken in PATHS for served in PATHS]
BODY, CHUNK = "body_web_processor_ms", "stream_web_processor_us_per_chunk"
LITELLM_SIDE = LITELLM.name
TARGETS = {
    f"{spoken}>{served}": {BODY: "≤ 2"} if spoken == served else {BODY: "≤ 15", CHUNK: "≤ 40"}
    for spoken, served in PAIRS
}
CONFIG = """\
version: v0.4.0
model_providers:
  - {{model: of-chat/m, base_url: {url}, provider_interface: openai, apis: [chat], access_key: k, default: true}}
  - {{model: of-messages/m, base_url: {url}, provider_interface: anthropic, apis: [messages], access_key: k}}
  - {{model: of-responses/m, base_url: {url}, provider_interface: openai, apis: [responses], access_key: k}}
routing: {{session_ttl_seconds: 3600}}
limits: {{sessions_per_minute: 1000000}}
"""
_LITELLM_S = 600
"""In which it has to measure all of its pairs."""


def main() -> None:
    """Measure and publish; LiteLLM is in the table with the reason where it is not there."""
    asked = report.options(QUESTION, runs=5, seconds=2, add=_more)
    limit_s = 120 + INSTALL_S + asked.runs * (_LITELLM_S + len(PAIRS) * (2 * asked.seconds + 10))
    with stage.stage(limit_s=limit_s) as built, machine.on(stage.others()):
        litellm = _LiteLlm(built, asked.cache, asked.seconds)
        pairs = _Pairs(built, litellm, asked.seconds)
        sides = {LITELLM_SIDE: litellm.measured}
        for spoken, served in PAIRS:
            pair = f"{spoken}>{served}"
            sides[pair] = partial(pairs.measured, spoken, served)
            if spoken != served:
                sides[f"{LITELLM_SIDE} {pair}"] = partial(pairs.beside, pair)
        results = report.interleaved(sides, asked.runs, TARGETS)
    setting = {"connections": CONNECTIONS, "seconds": asked.seconds, "chunks": EVENTS, "body_bytes": BODY_BYTES}
    found = {side: figures for side, figures in results.items() if figures}
    absent = {side: litellm.absent for side in results if side not in found}
    report.publish("translation", QUESTION, asked.runs, found, {**setting, "litellm": litellm.version}, absent=absent)


class _Said(msgspec.Struct):
    """What `bench.litellm_side` prints."""

    import_s: float
    rss_mb: float
    pairs: dict[str, Figures]
    failed: dict[str, str]


class _LiteLlm:
    """LiteLLM's part of a run, before ours; it has the same core."""

    def __init__(self, built: Stage, cache: Path, seconds: int) -> None:
        self.version = ""
        self.absent = ""
        """Why something of it could not be measured."""
        self.pairs: dict[str, Figures] = {}
        self._provider = built.stand_in("--events", str(EVENTS))
        self._seconds = seconds
        self._python = cache / LITELLM.name.lower() / "bin" / "python"
        try:
            self.version = LITELLM.installed(cache)
        except Absent as error:
            self.absent = str(error)

    def measured(self) -> Figures:
        """What it takes to be there, while all of its pairs are measured; nothing where it is absent."""
        self.pairs = {}
        if not self.version:
            return {}
        arguments = [str(each) for each in (self._provider.port, self._seconds, BODY_BYTES)]
        with machine.on(stage.measured()):
            done = subprocess.run(
                [self._python, "-m", "bench.litellm_side", *arguments],
                cwd=ROOT, env=LITELLM.env, capture_output=True, timeout=_LITELLM_S, check=False,
            )  # fmt: skip
        if done.returncode:
            self.absent = done.stderr.decode(errors="replace")[-300:]
            return {}
        said = msgspec.json.decode(done.stdout.splitlines()[-1], type=_Said)
        self.pairs = said.pairs
        self.absent = "; ".join(f"{pair}: {reason}" for pair, reason in said.failed.items()) or self.absent
        return {"import_s": said.import_s, "rss_mb": said.rss_mb}


class _Pairs:
    """One web process before a provider of each API."""

    def __init__(self, built: Stage, litellm: _LiteLlm, seconds: int) -> None:
        self._litellm = litellm
        self._seconds = seconds
        self._ours: Figures = {}
        provider = built.stand_in("--events", str(EVENTS))
        pool, self._port = built.pool_of(CONFIG.format(url=provider.url)), free_port()
        self._web = stage.on_own_core(lambda: pool.web(self._port))
        first = [ask for spoken, served in PAIRS for ask in self._asks(spoken, served)]
        load.once(self._port, first, connections=1, seconds=60)  # it pins the session

    def measured(self, spoken: str, served: str) -> Figures:
        """One pair."""
        body_ms = self._processor_ms(self._asks(spoken, served), self._seconds)
        stream_ms = self._processor_ms(self._asks(spoken, served, stream=True), self._seconds)
        self._ours = {BODY: body_ms, CHUNK: stream_ms * 1000 / EVENTS}
        return self._ours

    def beside(self, pair: str) -> Figures:
        """What LiteLLM took for the pair that has just been measured, and how many times as much that is."""
        theirs = self._litellm.pairs.get(pair)
        if theirs is None:
            return {}
        return {
            **theirs,
            "body_over_ours": theirs["body_ms"] / self._ours[BODY],
            "stream_over_ours": theirs["stream_us_per_chunk"] / self._ours[CHUNK],
        }

    def _processor_ms(self, asks: list[bytes], seconds: int) -> float:
        meter = stage.Meter(web=stage.of(self._web))
        done = load.loop(self._port, asks, connections=CONNECTIONS, seconds=seconds, required=PINNED, own=True)
        return meter.read()["web"] * 1000 / done.requests

    @staticmethod
    def _asks(spoken: str, served: str, *, stream: bool = False) -> list[bytes]:
        body = agent_loop.request(spoken, f"of-{served}/m", 1 if stream else BODY_BYTES)
        if stream:
            body = body[:-1] + b',"stream":true}'
        headers = {"X-Model-Affinity": f"bench-{spoken}-{served}"}
        return [load.post_bytes(PATHS[spoken], body, headers)]


def _more(parser: argparse.ArgumentParser) -> None:
    default = Path(tempfile.gettempdir()) / "peers"
    parser.add_argument("--cache", type=Path, default=default, help="where LiteLLM is installed (%(default)s)")


if __name__ == "__main__":
    main()
