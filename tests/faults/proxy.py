"""A TCP proxy that can hold, cut and refuse connections, and look at what passes through it."""

import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

Connect = Callable[[], socket.socket]
_TCP_REPAIR = 19  # Linux's, in no module of Python's
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


class Verdict(Enum):
    """What a watcher says of bytes: let them PASS, DROP the connection before them, or pass them and CUT it after."""

    PASS = "pass"
    DROP = "drop"
    CUT = "cut"


Watcher = Callable[[bytes], Verdict]


class Proxy:
    """Listens on a free port of this machine and passes everything on to where `connect` leads.

    `watch_requests` and `watch_replies` are shown all bytes on their way to and from the server.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self.watch_requests: Watcher | None = None
        self.watch_replies: Watcher | None = None
        self._refusing = False
        self._open: set[socket.socket] = set()
        self._dead: set[socket.socket] = set()
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self) -> None:
        """Forget all connections without a word to the client, as a machine that lost its power: new ones work.

        Needs the right to repair connections (root's); raises `PermissionError` without it.
        """
        with self._lock:
            for client in self._clients:
                client.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)  # closing says nothing now
            self._dead |= self._open

    def refuse(self) -> None:
        """Cut all connections and accept no new ones."""
        self._refusing = True
        self.cut()

    def resume(self) -> None:
        """Accept connections again."""
        self._refusing = False

    def cut(self) -> None:
        """Reset every connection."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            _reset(connection)

    def close(self) -> None:
        """Accept nothing more and cut what is open."""
        self._refusing = True
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                _reset(client)
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            _reset(client)
            return
        with self._lock:
            self._open |= {client, server}
            self._clients.add(client)
        back = threading.Thread(target=self._pump, args=(server, client, "watch_replies"), daemon=True)
        back.start()
        self._pump(client, server, "watch_requests")
        back.join()
        with self._lock:
            self._open -= {client, server}
            self._dead -= {client, server}
            self._clients.discard(client)
        client.close()
        server.close()

    def _pump(self, source: socket.socket, target: socket.socket, watch: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: closed by somebody else
            while source not in self._dead:
                if not select.select([source], [], [], 0.2)[0]:
                    continue
                data = source.recv(1 << 16)
                watcher: Watcher | None = getattr(self, watch)
                verdict = watcher(data) if watcher and data else Verdict.PASS
                if source in self._dead or not data:
                    break
                if verdict is not Verdict.DROP:
                    target.sendall(data)
                if verdict is not Verdict.PASS:
                    _reset(target)
                    _reset(source)
                    return
        if source not in self._dead:
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def to_socket(path: str) -> Connect:
    """Lead to a unix socket."""

    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(path)
        return connection

    return connect
