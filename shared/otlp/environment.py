"""Where OpenTelemetry's data goes: what the OTEL_* variables say, of traces and of metrics alike."""

from collections.abc import Mapping

EXPORT_S = 2
"""A process that stops waits no longer than this for a collector that is down."""
SERVICE = "plano"
_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def has_endpoint(kind: str, env: Mapping[str, str], *, shared: bool = True) -> bool:
    """Whether an address is named for `TRACES` or `METRICS`; the one for both counts as well, if it is `shared`."""
    own = env.get(f"OTEL_EXPORTER_OTLP_{kind}_ENDPOINT")
    return bool(own or (shared and env.get(_ENDPOINT)))


def protocol(kind: str, env: Mapping[str, str]) -> str:
    """Which protocol is asked for; empty when none is."""
    names = (f"OTEL_EXPORTER_OTLP_{kind}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    return next((env[name] for name in names if env.get(name)), "")


def is_disabled(env: Mapping[str, str]) -> bool:
    """Whether all of OpenTelemetry is switched off."""
    return env.get("OTEL_SDK_DISABLED", "").lower() == "true"


def service(env: Mapping[str, str]) -> str:
    """What this service is called."""
    return env.get("OTEL_SERVICE_NAME", SERVICE)


def prepare_grpc() -> None:
    """Have gRPC wait as gevent does; otherwise it would block the whole process."""
    from gevent import monkey  # noqa: PLC0415 - only those who export pay for it

    if monkey.is_module_patched("socket"):
        from grpc.experimental import gevent as grpc_gevent  # noqa: PLC0415

        grpc_gevent.init_gevent()
