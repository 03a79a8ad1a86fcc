"""What the environment says of connections to the outside."""

from pathlib import Path

import pytest

from shared.env_settings import Settings
from shared.errors import ConfigError
from shared.outgoing import DIRECT, Outgoing
from tests.fakes.tls import Authority
from tests.unit.config_files import Read, faults

SECRET = "sw0rdfish"


def test_only_tls_goes_through_the_proxy() -> None:
    outgoing = Settings.from_env({"HTTPS_PROXY": "proxy.example:3128"}).outgoing

    assert outgoing.proxy_for("https://api.example/v1") == "http://proxy.example:3128"
    assert outgoing.proxy_for("http://api.example/v1") is None


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("", "https://api.example", False),
        ("api.example", "https://api.example", True),
        (".example", "https://api.example:8443/v1", True),
        ("example", "https://api.example", True),
        ("other.example, api.example", "https://api.example", True),
        ("pi.example", "https://api.example", False),
        ("api.example:8443", "https://api.example:8443", True),
        ("api.example:8443", "https://api.example", False),
        ("*", "https://api.example", True),
    ],
)
def test_hosts_may_be_exempt(no_proxy: str, url: str, direct: bool) -> None:
    outgoing = Outgoing(https_proxy="http://proxy.example:3128", no_proxy=no_proxy)

    assert (outgoing.proxy_for(url) is None) is direct


def test_small_letters_come_first() -> None:
    """As in curl."""
    env = {"HTTPS_PROXY": "a:1", "https_proxy": "b:2", "NO_PROXY": "one", "no_proxy": "two"}

    assert Settings.from_env(env).outgoing == Outgoing(https_proxy="http://b:2", no_proxy="two")


def test_an_empty_variable_is_none() -> None:
    env = dict.fromkeys(("HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"), "")

    assert Settings.from_env(env).outgoing == DIRECT


@pytest.mark.parametrize(
    "url", [f"socks5://u:{SECRET}@host:1", f"https://u:{SECRET}@host", "http://", "host:99999", "http://[::1"]
)
def test_a_proxy_that_cannot_be_used_ends_the_start_and_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="HTTPS_PROXY: is not the address of an HTTP proxy") as refused:
        Settings.from_env({"HTTPS_PROXY": url})

    assert SECRET not in str(refused.value)


def test_a_proxys_password_is_not_shown() -> None:
    settings = Settings.from_env({"HTTPS_PROXY": f"http://u:{SECRET}@host:1"})

    assert SECRET not in f"{settings!r} {settings.outgoing!r}"


def test_a_file_without_certificates_ends_the_start(tmp_path: Path) -> None:
    """OpenSSL itself would say nothing, and trust nobody."""
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("no certificate")

    for path in (nothing, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match=r"SSL_CERT_FILE: .* it is a file of certificates in PEM"):
            Settings.from_env({"SSL_CERT_FILE": str(path)})


def test_a_file_of_certificates_is_trusted(tmp_path: Path) -> None:
    own, provider = Authority(tmp_path).file, "/provider.pem"

    outgoing = Settings.from_env({"SSL_CERT_FILE": str(own)}).outgoing

    assert outgoing.for_requests("https://a") == ({}, str(own))
    assert outgoing.for_requests("https://a", provider) == ({}, provider)
    assert DIRECT.for_requests("https://a") == ({}, True)


def test_a_providers_certificates_are_a_file_beside_the_config(read: Read, tmp_path: Path) -> None:
    file = Authority(tmp_path).file

    catalog = read(f"model_providers: [{{model: openai/a, ca_file: {file.name}}}, {{model: openai/b}}]").catalog

    assert [model.provider.ca_file for model in catalog.models] == [str(file), None]
    assert catalog.ca_files == {str(file)}


def test_a_providers_file_without_certificates_is_a_fault(read: Read, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()

    assert faults(read, "model_providers: [{model: openai/a, ca_file: empty.pem}]") == (
        (
            "model_providers[0].ca_file: cannot be used; "
            "it is a file of certificates in PEM, its path starting at the config file"
        ),
    )
