"""The embedded broker answers at the address it prints, and goes with its folder when its starter closes its input."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from redis import Redis


def test_it_serves_until_its_input_is_closed_and_leaves_nothing() -> None:
    with tempfile.TemporaryDirectory(prefix="web-") as folder:  # short: a socket's path has a hundred characters
        command = [sys.executable, "-m", "cli.embedded_broker"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, env={"TMPDIR": folder}, text=True) as broker:
            assert broker.stdout is not None
            scheme, _, path = broker.stdout.readline().strip().partition("://")
            assert scheme == "redis+socket"
            with Redis(unix_socket_path=path) as client:
                assert client.ping()
                assert client.config_get("port") == {"port": "0"}, "nobody else can reach it"
            with pytest.raises(subprocess.TimeoutExpired):
                broker.wait(0.5)
            broker.communicate(timeout=30)
        assert broker.returncode == 0
        assert not list(Path(folder).iterdir())
