"""Says in Redis that this web process lives, for whoever looks at the pool."""

import contextlib
import os
import socket
import threading
from importlib.metadata import version

from shared.bootstrap import Web
from shared.errors import StoreDown

EVERY_S = 10.0


def announce(base: Web, port: int) -> None:
    """Renew this process's entry for as long as it runs; in memory mode there is nowhere to say it."""
    if base.replicas is None:
        return
    host = socket.gethostname()
    replica_id = f"{host}-{os.getpid()}"
    facts = {"address": f"{host}:{port}", "version": version("plano-affinity"), "config": base.config.digest}
    replicas = base.replicas

    def renew() -> None:
        pause = threading.Event()
        while True:
            with contextlib.suppress(StoreDown):  # it is logged where it is noticed; the entry just ends
                replicas.renew(replica_id, facts)
            pause.wait(EVERY_S)

    threading.Thread(target=renew, name="presence", daemon=True).start()
