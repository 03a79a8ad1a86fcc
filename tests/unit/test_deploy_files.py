"""The files that deploy the pool: right by schema, in the real programs, and in agreement with the code."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from shared.config import load
from shared.env_settings import Settings
from shared.otlp import environment
from tests.harness import ROOT

KUBERNETES = ROOT / "deploy/kubernetes"
OLDEST, NEWEST = "1.27", "1.33"
COMPOSE = ("docker-compose.yml", "demos/session_affinity_redis/docker-compose.yml")
OTLP_PORTS = {"grpc": "4317", "": "4318"}
"""Where Jaeger takes each protocol; without a name it is HTTP that we speak."""
SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin"
NOT_OURS = re.compile(r"OTEL_\w+|\w+_(API_KEY|BASE_URL)|ROUTER_\w+")
"""Variables of OpenTelemetry, and those that a config file names."""

Object = dict[str, Any]


def _program(name: str) -> str:
    found = shutil.which(name, path=SBIN)
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


def _run(*command: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False
    )


def _objects(path: Path) -> Iterator[Object]:
    yield from yaml.safe_load_all(path.read_text())


def _manifests() -> list[Object]:
    files = [
        path for path in sorted(KUBERNETES.glob("*.yaml")) if path.name not in {"config.yaml", "kustomization.yaml"}
    ]
    return [document for path in files for document in _objects(path)]


def _kustomization() -> Object:
    return next(_objects(KUBERNETES / "kustomization.yaml"))


def _of_kind(kind: str) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in _manifests() if found["kind"] == kind}


def _pod(deployment: str) -> Object:
    pod: Object = _of_kind("Deployment")[deployment]["spec"]["template"]["spec"]
    return pod


def _container(deployment: str) -> Object:
    (container,) = _pod(deployment)["containers"]
    found: Object = container
    return found


def _processes() -> dict[str, list[str]]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {name: command.split() for name, command in (line.split(": ", 1) for line in lines)}


def _kubernetes_env() -> dict[str, str]:
    generated = {entry["name"]: entry for entry in _kustomization()["configMapGenerator"]}
    return dict(literal.split("=", 1) for literal in generated["plano-env"]["literals"])


def _app() -> Object:
    found: Object = json.loads((ROOT / "app.json").read_text())
    return found


class _Asked(dict[str, str]):
    """An environment that remembers which variables were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Nothing is set."""
        self.names.add(name)
        return default


# --- Kubernetes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("manifest", _manifests(), ids=lambda found: f"{found['kind']}-{found['metadata']['name']}")
def test_each_manifest_is_what_the_api_takes(manifest: Object, version: str) -> None:
    """Strictly: a field that Kubernetes does not know is a fault too."""
    assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_a_misspelt_field_is_found() -> None:
    """The check above can fail."""
    wrong = _of_kind("Deployment")["web"]
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_the_kustomization_names_every_file_but_the_example() -> None:
    named = {*_kustomization()["resources"], "config.yaml", "kustomization.yaml", "secret.example.yaml"}

    assert named == {path.name for path in KUBERNETES.iterdir()}


def test_kubectl_builds_it_and_every_object_is_valid() -> None:
    built = _run(_program("kubectl"), "kustomize", str(KUBERNETES))

    assert built.returncode == 0, built.stderr
    objects = list(yaml.safe_load_all(built.stdout))
    assert all(kubernetes_validate.validate(found, NEWEST, strict=True) for found in objects)
    config_maps = [found["metadata"]["name"] for found in objects if found["kind"] == "ConfigMap"]
    assert all(name in built.stdout.split("kind: Deployment", 1)[1] for name in config_maps)


def test_what_manifests_refer_to_is_there() -> None:
    maps = {entry["name"] for entry in _kustomization()["configMapGenerator"]}
    labels = {name: found["spec"]["template"]["metadata"]["labels"] for name, found in _of_kind("Deployment").items()}
    selecting = [found["spec"]["selector"] for found in _of_kind("Service").values()]
    selecting += [found["spec"]["selector"]["matchLabels"] for found in _of_kind("PodDisruptionBudget").values()]
    scaled = [found["spec"]["scaleTargetRef"]["name"] for found in _of_kind("HorizontalPodAutoscaler").values()]

    for name, found in _of_kind("Deployment").items():
        assert found["spec"]["selector"]["matchLabels"] == labels[name]
        for source in _container(name).get("envFrom", ()):
            assert source.get("configMapRef", {}).get("name") in {*maps, None}
            assert source.get("secretRef", {}).get("name") in {*_of_kind("Secret"), None}
    assert all(selector in labels.values() for selector in selecting)
    assert scaled == ["web"]
    assert f"redis://{_of_kind('Service')['redis']['metadata']['name']}:6379" == _kubernetes_env()["REDIS_URL"]


def test_a_pod_has_the_time_to_end_its_answers() -> None:
    """The grace period counts from before preStop."""
    drain_s = int(_container("web")["lifecycle"]["preStop"]["exec"]["command"][1])
    answers_s = int(_kubernetes_env()["GRACEFUL_TIMEOUT"])

    assert _pod("web")["terminationGracePeriodSeconds"] > drain_s + answers_s


def test_probes_ask_what_health_checks_are_for() -> None:
    web = _container("web")

    assert web["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert web["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert web["ports"] == [{"name": "http", "containerPort": 12000}]


def test_the_config_maps_file_is_a_config() -> None:
    config = load(KUBERNETES / "config.yaml", {"OPENAI_API_KEY": "sk-test"})

    assert config.listener.port == 12000
    assert not config.warnings


def test_a_pod_runs_as_a_user_whom_the_image_knows_by_number() -> None:
    """Else Kubernetes cannot tell that it is not root, and refuses to start it."""
    assert re.search(r"^USER \d+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert all(_pod(name)["securityContext"]["runAsNonRoot"] for name in _of_kind("Deployment"))


# --- Compose --------------------------------------------------------------------------------------------------------


def test_compose_files_follow_the_specification() -> None:
    checked = _run(
        str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.compose-spec", *COMPOSE
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("file", COMPOSE)
def test_docker_compose_reads_the_file(file: str) -> None:
    docker = _program("docker")
    if _run(docker, "compose", "version").returncode:
        pytest.skip("docker has no compose plugin")

    read = _run(docker, "compose", "--file", file, "config", "--quiet", OPENAI_API_KEY="sk-test")

    assert read.returncode == 0, read.stderr


def test_compose_runs_the_whole_pool() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    usual = {name for name, found in services.items() if "profiles" not in found}
    assert usual == {"redis", "haproxy", "web", "worker", "clock"}
    assert (services["web"]["deploy"], services["worker"]["deploy"]) == ({"replicas": 3}, {"replicas": 2})
    assert {name for name, found in services.items() if "healthcheck" not in found} == {"worker", "clock"}
    assert int(services["web"]["stop_grace_period"].removesuffix("s")) > Settings().graceful_timeout_s
    mounted = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())]
    assert all((ROOT / path).exists() for path in mounted if path.startswith("."))


def test_the_profile_observability_adds_three_services_that_only_this_machine_reaches() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    added = {name: found for name, found in services.items() if "profiles" in found}

    assert added.keys() == {"prometheus", "grafana", "jaeger"}
    assert all(found["profiles"] == ["observability"] for found in added.values())
    assert all(port.startswith("127.0.0.1:") for found in added.values() for port in found["ports"])
    assert not any(name in found.get("depends_on", {}) for found in services.values() for name in added)


def test_prometheus_scrapes_the_replicas_of_compose_by_their_own_port() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    (job,) = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    (found,) = job["dns_sd_configs"]

    assert found["names"] == ["web"]
    assert str(found["port"]) in services["web"]["expose"]


def test_compose_gives_the_pool_every_key_of_the_env_file() -> None:
    """A provider that config.yaml names needs no change of the Compose file; without an .env it starts as well."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    pool = [services[name] for name in ("web", "worker", "clock")]

    assert all(service["env_file"] == [{"path": ".env", "required": False}] for service in pool)
    assert all(service["environment"]["OPENAI_API_KEY"] is None for service in pool)  # the shell's own, if it has one


@pytest.mark.parametrize("file", COMPOSE)
def test_traces_go_to_the_port_of_jaeger_that_takes_their_protocol(file: str) -> None:
    """Traces that are sent to the other port are lost without a word."""
    services = yaml.safe_load((ROOT / file).read_text())["services"]

    for service in (services[name] for name in ("web", "worker", "clock")):
        env = {name: value or "" for name, value in service["environment"].items()}
        (port,) = re.findall(r"http://jaeger:(\d+)", env["OTEL_EXPORTER_OTLP_ENDPOINT"])
        assert port == OTLP_PORTS[environment.protocol("TRACES", env)]
        assert port in services["jaeger"]["expose"]


# --- balancers ------------------------------------------------------------------------------------------------------


def test_haproxy_takes_its_file_without_a_warning() -> None:
    checked = _run(_program("haproxy"), "-c", "-f", "deploy/haproxy.cfg")

    assert checked.returncode == 0, checked.stderr
    assert "[WARNING]" not in checked.stderr
    assert "[ALERT]" not in checked.stderr


def test_nginx_takes_its_file_without_a_warning(tmp_path: Path) -> None:
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    around = tmp_path / "nginx.conf"
    around.write_text(
        f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{ {temporary} access_log off; include {ROOT}/deploy/nginx.conf; }}\n"
    )

    checked = _run(_program("nginx"), "-t", "-c", str(around))

    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr


# --- what all of them agree on --------------------------------------------------------------------------------------


def test_every_deploy_runs_the_commands_of_the_procfile() -> None:
    processes = _processes()
    image = json.loads(re.findall(r"^CMD (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0])
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    assert image == processes["web"]
    for name in ("web", "worker", "clock"):
        assert _container(name)["command"] == processes[name]
        assert services[name].get("command", image) == processes[name]
    assert _app()["formation"].keys() == processes.keys() - {"release"}


def test_every_variable_is_one_that_is_read() -> None:
    asked = _Asked()
    Settings.from_env(asked)
    set_by = {
        "app.json": set(_app()["env"]),
        "kubernetes": set(_kubernetes_env()) | set(_of_kind("Secret")["plano-keys"]["stringData"]),
    }
    for file in COMPOSE:
        set_by[file] = set(yaml.safe_load((ROOT / file).read_text())["x-pool"]["environment"])

    unread = {
        where: {name for name in names - asked.names if not NOT_OURS.fullmatch(name)}
        for where, names in set_by.items()
    }

    assert not any(unread.values()), unread


def test_the_processes_of_app_json_fit_into_the_smallest_redis_plan() -> None:
    """20 connections. README and app.json say how many a process takes at most."""
    app = _app()
    readme = " ".join((ROOT / "README.md").read_text().split())
    quantity = {name: process["quantity"] for name, process in app["formation"].items()}
    variable = app["env"]["WEB_CONCURRENCY"]
    web = quantity["web"] * int(variable["value"])

    assert app["addons"] == [{"plan": "heroku-redis:mini"}]
    assert 8 * web + 8 * quantity["worker"] + 2 * quantity["clock"] <= 20
    assert "8 for a web process, 8 for a worker process and 2 for the clock" in variable["description"]
    assert "8 connections to Redis for a web process, 8 for a worker process and 2 for the clock" in readme


def test_a_port_has_one_name_in_all_demos() -> None:
    files = [path for path in (ROOT / "demos").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    said = {name for path in files for name in re.findall(r"\b[A-Z]+_PORT\b", path.read_text())}

    assert said == {"PROVIDER_PORT", "ROUTER_PORT", "SOURCES_PORT", "AGENT_PORT", "GATEWAY_PORT"}


def test_the_python_of_the_image_is_that_of_the_other_hosts() -> None:
    version = (ROOT / ".python-version").read_text().strip()

    assert f"FROM python:{version}-slim" in (ROOT / "Dockerfile").read_text()
