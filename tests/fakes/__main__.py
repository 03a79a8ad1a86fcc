"""Stand-ins as a process of their own: `python -m tests.fakes --provider PORT --router PORT --sources PORT`."""

import argparse
import signal
import sys
from contextlib import ExitStack

from tests.fakes.metered import Metered
from tests.fakes.provider import Provider
from tests.fakes.router import Router
from tests.fakes.sources import Sources
from tests.fakes.stand_in import StandIn


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes", description=__doc__)
    parser.add_argument("--provider", type=int, metavar="PORT", action="append", default=[])
    parser.add_argument(
        "--metered", type=int, metavar="PORT", action="append", default=[], help="with a prompt cache"
    )
    parser.add_argument("--router", type=int, metavar="PORT", action="append", default=[])
    parser.add_argument("--sources", type=int, metavar="PORT", action="append", default=[], help="on the loopback")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 in a container  [default: %(default)s]")
    asked = parser.parse_args()
    stand_ins: list[StandIn] = [Provider(port, asked.host) for port in asked.provider]
    stand_ins += [Metered(port, asked.host) for port in asked.metered]
    stand_ins += [Router(port, asked.host) for port in asked.router]
    stand_ins += [Sources(port) for port in asked.sources]
    if not stand_ins:
        parser.error("name at least one port")
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # before any thread is: it inherits the mask
    with ExitStack() as running:
        for stand_in in stand_ins:
            try:
                running.enter_context(stand_in)
            except OSError as fault:
                sys.exit(f"port {stand_in.port}: {fault.strerror}; name another")
            sys.stdout.write(f"{type(stand_in).__name__.lower()} listens on {stand_in.url}\n")
            sys.stdout.flush()
        signal.sigwait(stops)


if __name__ == "__main__":
    main()
