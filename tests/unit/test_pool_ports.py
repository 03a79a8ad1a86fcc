"""The ports of what `plano up` starts beside the gateway."""

from pathlib import Path

import pytest

from shared.cli.local_pool import ports
from shared.cli.up import Plan, plan
from shared.env_settings import Settings
from shared.errors import ConfigError
from tests.fakes.ports import free_ports

CONFIG = """
version: v0.4.0
listeners: [{{type: model, name: egress, address: 127.0.0.1, port: {port}}}]
model_providers: [{{model: openai/gpt-4o-mini, base_url: "http://127.0.0.1:$SOME_PORT/v1", default: true}}]
routing: {{session_cache: {{type: memory}}}}
"""


@pytest.fixture
def gateways(monkeypatch: pytest.MonkeyPatch) -> int:
    """The port of the gateway: it and the next one are all there are, and the lowest is drawn first."""
    free = free_ports(2)
    monkeypatch.setattr(ports, "_BELOW_THE_KERNELS", free)
    monkeypatch.setattr("random.sample", lambda among, count: list(among)[:count])
    return free[0]


def planned(folder: Path, configured: int, port: int | None = None, **env: str) -> Plan:
    (folder / "config.yaml").write_text(CONFIG.format(port=configured))
    (folder / "Procfile").write_text("some: sleep $SOME_PORT\n")
    return plan(
        Settings.from_env(env),
        env,
        config=folder / "config.yaml",
        web=None,
        workers=1,
        port=port,
        also=folder / "Procfile",
    )


def test_a_port_that_is_drawn_is_never_the_gateways(gateways: int, tmp_path: Path) -> None:
    typed = planned(tmp_path, 12000, port=gateways)
    in_the_environment = planned(tmp_path, 12000, PORT=str(gateways))
    in_the_config = planned(tmp_path, gateways)

    for made in (typed, in_the_environment, in_the_config):
        assert (made.port, made.variables) == (gateways, {"SOME_PORT": str(gateways + 1)})
        assert made.config.catalog.default
        assert made.config.catalog.default.provider.base_url == f"http://127.0.0.1:{gateways + 1}/v1"


@pytest.mark.parametrize("by", ["typed", "in the config"])
def test_a_variable_that_is_set_to_the_gateways_port_is_said(gateways: int, tmp_path: Path, by: str) -> None:
    with pytest.raises(ConfigError) as refused:
        planned(tmp_path, gateways, port=gateways if by == "typed" else None, SOME_PORT=str(gateways))

    assert str(refused.value) == (
        f"SOME_PORT: port {gateways} cannot be listened on (it is the gateway's); "
        "use another, or unset it: then plano up takes a free one"
    )
