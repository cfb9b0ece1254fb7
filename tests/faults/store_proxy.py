"""An S3 server that fails: an HTTP proxy before a healthy one, with faults by a seeded draw."""

import http.client
import random
import time
from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import urlsplit

# What can happen to a request, by name.
BUSY = "503"  # the server asks to slow down
STALL = "time-out"  # the answer stops half way, for longer than a client waits
SHORT = "short body"  # the connection ends before the announced length
CUT_DOWN = "body cut down"  # a shorter body, announced as such, under the right ETag
WRONG_ETAG = "wrong ETag"  # the right body under another version's name
EXPIRED = "expired credentials"  # refused, until somebody renews them
FAULTS = (BUSY, STALL, SHORT, CUT_DOWN, WRONG_ETAG)
_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "server", "date"}


class FaultyStore:
    """Passes requests on to `endpoint_url`; while `share` > 0 that share of reads meets one of `kinds`."""

    def __init__(self, endpoint_url: str, rng: random.Random, stall_s: float = 25.0) -> None:
        self.share = 0.0
        self.kinds: Sequence[str] = FAULTS
        self.counts: Counter[str] = Counter()
        self._upstream = urlsplit(endpoint_url)
        self._rng = rng
        self._stall_s = stall_s
        self._lock = Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def draw(self, *, is_photo: bool) -> str | None:
        """The fault for one read, if it gets one; only photos have bodies worth cutting."""
        with self._lock:
            if self._rng.random() >= self.share:
                return None
            possible = [kind for kind in self.kinds if is_photo or kind == BUSY]
            if not possible:
                return None
            kind = self._rng.choice(possible)
            self.counts[kind] += 1
            return kind

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """What the healthy server answers."""
        connection = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def stall(self) -> None:
        """Wait for longer than a client does."""
        time.sleep(self._stall_s)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what this server is for."""


def _handler(store: FaultyStore) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = urlsplit(self.path).query
            self._answer(store.draw(is_photo="list-type" not in query and self.path.endswith((".jpg", ".png"))))

        def do_PUT(self) -> None:
            self._answer(None)

        do_POST = do_DELETE = do_HEAD = do_PUT  # noqa: N815  (the base class's names)

        def _answer(self, fault: str | None) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if fault == BUSY:
                self._send(503, {}, b"<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>")
                return
            if fault == EXPIRED:
                self._send(403, {}, b"<Error><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>")
                return
            status, headers, content = store.ask(self.command, self.path, body, dict(self.headers.items()))
            size = int(headers.get("Content-Length", len(content)))
            kept = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
            if status == http.client.OK and fault == WRONG_ETAG:
                kept = {name: value for name, value in kept.items() if name.lower() != "etag"} | {"ETag": '"another"'}
            if status == http.client.OK and fault == CUT_DOWN:
                content = content[: len(content) // 2]
                size = len(content)
            is_cut = status == http.client.OK and fault in (SHORT, STALL)
            self._send(status, kept, content[: len(content) // 2] if is_cut else content, size)
            if is_cut:
                self.wfile.flush()
                if fault == STALL:
                    store.stall()
                self.close_connection = True

        def _send(self, status: int, headers: dict[str, str], content: bytes, size: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) if size is None else size))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """A line per request helps nobody."""

    return Handler
