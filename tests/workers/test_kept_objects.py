"""A worker keeps nothing of a decision that it has made."""

import gc
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared import bootstrap
from shared.env_settings import Settings
from tests.endpoints import PATIENT_S, replica_on
from tests.fakes.router import Router
from tests.greenlets import in_greenlets
from tests.harness import RedisServer
from tests.store.queueing import BUDGET_S, order
from workers import decide
from workers.pool import PoolWorker
from workers.services import WorkerServices

AT_ONCE = 24
WARM_UP, MORE = 250, 1000
FEW = 500
"""Objects more or less: connections, timers, and what Python itself makes once. A thread alone is fifty."""
OWN = "openai/own"


def test_decisions_leave_no_objects_behind(redis_server: RedisServer, tmp_path: Path) -> None:
    """A pool of threads for the router's calls made a new one for each fourteenth decision: 20 MB an hour."""
    grown = in_greenlets(decided, redis_server.url, str(tmp_path))

    assert sum(grown.values()) < FEW, Counter(grown).most_common(10)


def decided(redis_url: str, folder: str) -> dict[str, int]:
    """How many objects of each type there are more after very many decisions, made by a whole worker."""
    with Router() as router:
        worker = _worker(redis_url, Path(folder, "config.json"), router.url)
        with replica_on(redis_url, silence_s=PATIENT_S) as replica, ThreadPoolExecutor(AT_ONCE) as asking:
            queue = replica.queue()

            def ask(n: int) -> None:
                assert queue.ask(order(f"kept-{n}"), BUDGET_S).models

            list(asking.map(ask, range(WARM_UP)))
            before = _objects(router)
            list(asking.map(ask, range(WARM_UP, WARM_UP + MORE)))
            after = _objects(router)
        worker.set()
    return {name: after[name] - before[name] for name in {*before, *after} if after[name] != before[name]}


def _worker(redis_url: str, config: Path, router_url: str) -> threading.Event:
    """A worker at work, all of it in this process; the event ends it."""
    sections = {
        "version": "v0.4.0",
        "model_providers": [{"model": OWN, "access_key": "k", "default": True}],
        "routing": {"router": {"url": router_url}, "session_cache": {"silence_ms": int(PATIENT_S * 1000)}},
    }
    config.write_text(json.dumps(sections))
    env = {"PLANO_CONFIG": str(config), "REDIS_URL": redis_url}
    base = bootstrap.worker(Settings.from_env(env), env)
    decider = decide.build(
        base.config, base.pins, base.snapshot, base.recent_cooldowns, base.tracing, outgoing=base.outgoing
    )
    for each in base.background:
        each.start()
    stop = threading.Event()
    worker = PoolWorker(WorkerServices(decider=decider), base.queue_redis, AT_ONCE, stop)
    threading.Thread(target=worker.work, kwargs={"logging_level": "WARNING"}, daemon=True).start()
    return stop


def _objects(router: Router) -> Counter[str]:
    router.clear()
    gc.collect()
    return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
