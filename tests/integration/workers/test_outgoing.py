"""Signed messages to a real HTTP server that is slow, broken, or sends elsewhere: retried, and never an error."""

import json
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from workers.outgoing import ATTEMPTS, post_signed

SECRET = "whsec_YSBzZWNyZXQgb2Ygc29tZSBsZW5ndGgu"
ANOTHER_SECRET = "whsec_YSBzZWNyZXQgb2Ygb3RoZXIgbGVuZ3Ro"
BODY = json.dumps({"kind": "walkaround.fleet_report", "words": "ä"}).encode()


class Receiver:
    """Answers with the given statuses in turn, the last one from then on; keeps what it was told."""

    def __init__(self) -> None:
        self.statuses = [204]
        self.location = ""
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.slow = Event()
        self.release = Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.told.append((dict(self.headers), body))
                if receiver.slow.is_set():
                    receiver.release.wait(30)
                self.send_response(receiver.statuses[min(len(receiver.told), len(receiver.statuses)) - 1])
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Retry-After", "3600")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?token=hidden"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


def send(receiver: Receiver, read_s: float = 10.0) -> bool:
    return post_signed(receiver.url, SECRET, BODY, pause_s=0, read_s=read_s)


def test_what_arrives_can_be_checked(receiver: Receiver) -> None:
    assert send(receiver)
    ((headers, body),) = receiver.told
    assert body == BODY
    assert headers["Content-Type"] == "application/json"
    assert Webhook(SECRET).verify(body, headers) == json.loads(BODY)
    for secret, changed in ((ANOTHER_SECRET, body), (SECRET, body.replace(b"fleet", b"theft"))):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(changed, headers)


def test_the_document_s_own_receiver_takes_it(receiver: Receiver) -> None:
    text = (Path(__file__).parents[3] / "docs" / "deploy.md").read_text()
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "def read_report" in block]
    found: dict[str, Any] = {}
    exec(code, found)
    assert send(receiver)
    ((headers, body),) = receiver.told
    assert found["read_report"](SECRET, headers, body) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        found["read_report"](SECRET, headers, body + b" ")


def test_a_receiver_that_stumbles_is_told_again(receiver: Receiver) -> None:
    receiver.statuses = [503, 429, 200]
    assert send(receiver)
    assert len(receiver.told) == 3
    assert len({body for _, body in receiver.told}) == 1


def test_one_that_stays_broken_is_given_up(receiver: Receiver, capsys: pytest.CaptureFixture[str]) -> None:
    receiver.statuses = [500]
    assert not send(receiver)
    assert len(receiver.told) == ATTEMPTS
    logged = "".join(capsys.readouterr())
    assert "webhook_not_delivered" in logged
    assert "hidden" not in logged, "addresses may hold secrets"


def test_one_that_refuses_is_not_pressed(receiver: Receiver) -> None:
    receiver.statuses = [401]
    assert not send(receiver)
    assert len(receiver.told) == 1


def test_nothing_is_sent_where_a_redirect_points(receiver: Receiver) -> None:
    elsewhere = Receiver()
    receiver.statuses, receiver.location = [307], elsewhere.url
    try:
        assert not send(receiver)
        assert elsewhere.told == []
    finally:
        elsewhere.close()


def test_one_that_never_answers_is_not_waited_for(receiver: Receiver) -> None:
    receiver.slow.set()
    assert not send(receiver, read_s=0.05)
    assert len(receiver.told) == ATTEMPTS


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/hook", "http://nobody.invalid/", "http://[broken/"])
def test_nobody_there_is_no_error(url: str) -> None:
    assert not post_signed(url, SECRET, BODY, pause_s=0)
