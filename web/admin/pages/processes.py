"""The pages of the pool's processes: replicas, workers and the queue."""

import time

from flask import Blueprint
from flask.typing import ResponseReturnValue

from web.admin.operations import operations
from web.admin.pages.page import alone, render


def install(bp: Blueprint) -> None:
    """Add the pages."""
    bp.add_url_rule("/replicas", "replicas", replicas)
    bp.add_url_rule("/queue", "queue", queue)


def replicas() -> ResponseReturnValue:
    """The web processes; a config that differs from most stands out."""
    state = operations().pool.state()
    return render("replicas.html", replicas=state.replicas, configs=state.configs, now=time.time(), alone=alone())


def queue() -> ResponseReturnValue:
    """The workers, and what waits for them."""
    state = operations().pool.state()
    return render("queue.html", queue=state.queue, workers=state.workers, now=time.time(), alone=alone())
