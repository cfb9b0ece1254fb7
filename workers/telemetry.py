"""What a process tells over HTTP: its metrics, whether it is healthy, and whether it is ready."""

from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from threading import Thread
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app

from core.errors import SettingsInvalid
from workers.health import Health, Progress

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    timeout = 10  # a client that says nothing holds no thread

    def log_message(self, format: str, *args: object) -> None:
        """A line per scrape helps nobody."""


def serve_telemetry(
    port: int,
    progress: Progress,
    ready: Callable[[], Health] = lambda: Health(True, "ready"),
    *,
    host: str = "0.0.0.0",  # noqa: S104  inside a container; what is published is the compose file's business
    registry: CollectorRegistry = REGISTRY,
) -> WSGIServer:
    """Answer `/metrics` (Prometheus), `/healthz` and `/readyz` in a thread of its own.

    `/healthz` is 200 while `progress` is healthy, and `/readyz` while the process is `ready` to take work; else 503.
    `port` 0 takes a free one: see `server_port`. End it by `shutdown()` and `server_close()`. Raises `SettingsInvalid`
    where the port is taken.
    """
    metrics = make_wsgi_app(registry)
    probes = {"/healthz": progress.health, "/readyz": ready}

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            body: Iterable[bytes] = metrics(environ, start_response)
            return body
        probe = probes.get(environ["PATH_INFO"])
        if probe is None:
            return _plain(start_response, "404 Not Found", "there are /metrics, /healthz and /readyz here")
        health = probe()
        return _plain(start_response, "200 OK" if health.healthy else "503 Service Unavailable", health.reason)

    try:
        server = make_server(host, port, answer, server_class=_Server, handler_class=_QuietHandler)
    except OSError as error:
        raise SettingsInvalid(f"WALKAROUND_METRICS_PORT: port {port} cannot be listened on: {error}") from error
    Thread(target=server.serve_forever, name="telemetry", daemon=True).start()
    return server


def _plain(start_response: "StartResponse", status: str, sentence: str) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [f"{sentence}\n".encode()]
