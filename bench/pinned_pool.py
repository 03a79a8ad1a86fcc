"""A web process whose sessions were all pinned by a worker that has left since: what most questions ask."""

from contextlib import AbstractContextManager, nullcontext

from bench import load, machine, stage
from bench.generator import Load
from bench.stage import Stage
from tests.fakes.ports import free_port

CONNECTIONS = 32
PINNED = "x-plano-pinned"
SESSIONS = [f"bench-{n}" for n in range(64)]


class PinnedPool:
    """Asks it, and tells what that cost."""

    def __init__(
        self, built: Stage, *, own_core: bool = True, provider_options: tuple[str, ...] = (), **environment: str
    ) -> None:
        """With `own_core` the web process has a core for itself; the pool's environment has `environment`, too."""
        self._built = built
        self.sessions = SESSIONS
        self.provider = built.stand_in(*provider_options)
        router = built.stand_in("--content", stage.ROUTE)
        self.pool, self.port = built.pool(self.provider, router), free_port()
        self.pool.environment.update(environment)
        cores: AbstractContextManager[None] = machine.on(machine.split_cores()[0]) if own_core else nullcontext()
        with cores:
            self.web = self.pool.web(self.port)
        worker = built.worker(self.pool)
        load.once(self.port, stage.requests(stage.DECISION, SESSIONS), connections=8, seconds=20)
        worker.stop()
        router.process.stop()

    def warm_up(self, *paths: str) -> None:
        """Let connections and caches come into being."""
        for path in paths:
            load.loop(self.port, stage.requests(path, self.sessions), connections=CONNECTIONS, seconds=1)

    def ask(self, path: str, seconds: int, *, connections: int = CONNECTIONS) -> tuple[Load, dict[str, float]]:
        """One load, and the processor seconds it took; every answer must say that a pin decided."""
        return self.send(stage.requests(path, self.sessions), seconds, connections=connections)

    def send(
        self, asks: list[bytes], seconds: int, *, connections: int = CONNECTIONS
    ) -> tuple[Load, dict[str, float]]:
        """The same of requests of one's own."""
        meter = self.meter()
        done = load.loop(self.port, asks, connections=connections, seconds=seconds, required=PINNED)
        return done, meter.read()

    def meter(self) -> stage.Meter:
        """Processor time of web, provider and Redis from now on."""
        return stage.Meter(
            web=stage.of(self.web),
            provider=stage.of(self.provider.process),
            redis=self._built.redis_processor_s,
        )

    def redis_commands_per_request(self, path: str) -> float:
        """Counted over a load of our own: wrk leaves requests under way when its time is over."""
        asks = stage.requests(path, self.sessions)
        self._built.wait_for_quiet()
        before = self._built.redis_commands()
        done = load.once(self.port, asks * 16, connections=CONNECTIONS, seconds=20, required=PINNED)
        return (self._built.redis_commands() - before) / done.requests
