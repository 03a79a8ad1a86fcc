"""Writes to Redis that this web process lives, for operators who look at the pool."""

import contextlib
import os
import socket
import time
from importlib.metadata import version

from shared.errors import StoreDown
from shared.store.web_replicas import Replicas

EVERY_S = 10.0


class Heartbeat:
    """Renews the entry of one web process."""

    def __init__(self, replicas: Replicas, port: int, config_digest: str) -> None:
        """For the process that makes it: its id has the process's number, so it is made after the fork."""
        host = socket.gethostname()
        self._replicas = replicas
        self._id = f"{host}-{os.getpid()}"
        self._facts = {
            "address": f"{host}:{port}",
            "version": version("plano-affinity"),
            "config": config_digest,
            "since": str(int(time.time())),
        }

    def beat(self) -> None:
        """Renew the entry; do nothing while Redis is away."""
        with contextlib.suppress(StoreDown):
            self._replicas.renew(self._id, self._facts)
