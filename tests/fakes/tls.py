"""TLS with a certificate authority of one's own: certificates, and a front that ends TLS before a stand-in."""

import contextlib
import datetime as dt
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.fakes.scripted import Scripted, scripted


class Authority:
    """Signs certificates that nobody trusts who has not its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{name} of a test")])
        self.file = folder / f"{name}.pem"
        """Its own certificate, which clients trust."""
        own = self._signed(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def server_context(self, *hosts: str) -> ssl.SSLContext:
        """What a server of these names and addresses shows."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
        names = x509.SubjectAlternativeName([_general(host) for host in hosts])
        certificate = self._signed(subject, key, x509.BasicConstraints(ca=False, path_length=None), names)
        file = self._folder / f"{hosts[0]}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(file)
        return context

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(self._key, hashes.SHA256())


@contextlib.contextmanager
def tls_front(context: ssl.SSLContext, behind: int) -> Iterator[Scripted]:
    """Listens, ends TLS and passes everything on to a port; a client that refuses the certificate ends it at once."""

    def script(plain: socket.socket) -> None:
        with (
            context.wrap_socket(plain, server_side=True) as outer,
            socket.create_connection(("127.0.0.1", behind)) as inner,
        ):
            pass_on(outer, inner)

    with scripted(script) as front:
        yield front


def pass_on(one: socket.socket, other: socket.socket) -> None:
    """Pass on what comes from either side, until one of them ends."""
    to = {one: other, other: one}
    while True:
        ready, _, _ = select.select(to, (), ())
        for source in ready:
            data = source.recv(1 << 16)
            if not data:
                return
            to[source].sendall(data)


class ConnectProxy:
    """An HTTP proxy for TLS: it does CONNECT, to the ports that stand for hosts, and nothing else."""

    def __init__(self, ports: dict[str, int], authorization: str | None = None) -> None:
        """`ports` has for `host:port` where that is in truth."""
        self._ports = ports
        self._authorization = authorization
        self._lock = threading.Lock()
        self.asked: list[str] = []
        """What was to be connected."""

    def __call__(self, client: socket.socket) -> None:
        """Serve one connection."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        with self._lock:
            self.asked.append(target)
        if self._authorization and f"Proxy-Authorization: {self._authorization}" not in lines:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        elif method != "CONNECT" or target not in self._ports:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        else:
            with socket.create_connection(("127.0.0.1", self._ports[target])) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                pass_on(client, server)


def _general(host: str) -> x509.GeneralName:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(host))
    return x509.DNSName(host)
