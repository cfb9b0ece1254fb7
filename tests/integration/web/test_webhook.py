"""The webhook receiver over real HTTP: who may post, what is read, and when the answer is 2xx."""

import base64
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import httpx
import pytest
import uvicorn

from core.domain import SetRef
from core.errors import DatabaseUnavailable, InvalidKey, SettingsInvalid, StoreRefused
from core.events import ChangedSets, changed_sets
from core.keys import KeyLayout
from web.webhook import make_webhook

TOKEN = "x7Jq-Zt2w9RrPq4LmN8s"
PAYLOADS = Path(__file__).parents[2] / "events"
UPLOADED_SET = "returns/berlin/B-XY 12+3/2026-11-23/"
SERVERS = ["aws", "aws-sns", "aws-eventbridge", "minio", "rustfs", "ceph", "versitygw"]


class Receiver:
    """A webhook under test: what it ingested, what it counted, and how its ingest is to fail."""

    def __init__(self) -> None:
        self.ingested: list[str] = []
        self.counted: list[str] = []
        self.error: BaseException | None = None

    def ingest(self, ref: SetRef) -> None:
        if self.error is not None:
            raise self.error
        self.ingested.append(ref.set_key)

    def sets_of(self, body: bytes) -> ChangedSets:
        return changed_sets(body, store="fleet-returns", layout=KeyLayout())


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, Receiver]]:
    receiver = Receiver()
    app = make_webhook(TOKEN, receiver.sets_of, receiver.ingest, count=receiver.counted.append)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", receiver
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def receiver(served: tuple[str, Receiver]) -> Receiver:
    receiver = served[1]
    receiver.ingested.clear()
    receiver.counted.clear()
    receiver.error = None
    return receiver


@pytest.fixture(scope="module")
def http(served: tuple[str, Receiver]) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=served[0], headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False, verify=False
    ) as client:
        yield client


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


@pytest.mark.parametrize("server", SERVERS)
def test_every_server_s_payload_is_ingested(http: httpx.Client, receiver: Receiver, server: str) -> None:
    answer = http.post("/events", content=payload(server))

    assert (answer.status_code, answer.json()) == (200, {"sets": [UPLOADED_SET]})
    assert receiver.ingested == [UPLOADED_SET]
    assert receiver.counted == ["ingested"]


@pytest.mark.parametrize("name", ["aws-test", "versitygw-test"])
def test_test_events_are_welcome_and_have_no_effect(http: httpx.Client, receiver: Receiver, name: str) -> None:
    assert http.post("/events", content=payload(name)).status_code == 200
    assert (receiver.ingested, receiver.counted) == ([], ["ignored"])


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Token {TOKEN}",
        TOKEN,
        "Basic !!!",
        "Basic " + base64.b64encode(b"walkaround:wrong").decode(),
        "Basic " + base64.b64encode(f"{TOKEN}:".encode()).decode(),
        "Bearer \xe9\xff",
    ],
)
def test_strangers_are_refused(http: httpx.Client, receiver: Receiver, authorization: str) -> None:
    answer = http.post("/events", content=payload("aws"), headers={b"Authorization": authorization.encode("latin-1")})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert receiver.ingested == []


def test_the_token_may_be_the_password_of_the_url(http: httpx.Client, receiver: Receiver) -> None:
    assert http.post("/events", content=payload("versitygw"), auth=("walkaround", TOKEN)).status_code == 200
    assert receiver.ingested == [UPLOADED_SET]


def test_a_declared_length_over_the_limit_is_refused_unread(served: tuple[str, Receiver]) -> None:
    host, port = served[0].removeprefix("http://").split(":")
    request = (
        f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 999999999999\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request.encode())  # and never a byte of the body
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_an_endless_chunked_body_is_cut_off(http: httpx.Client, receiver: Receiver) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(10_000):
            sent += 65_536
            yield b" " * 65_536

    try:
        status = http.post("/events", content=endless()).status_code
    except httpx.TransportError:  # the connection may be cut before the answer is read
        status = 413
    assert status == 413
    assert sent < 100 * 65_536
    assert receiver.ingested == []


def test_a_stranger_s_body_is_not_read(served: tuple[str, Receiver]) -> None:
    host, port = served[0].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 401")


def one_record(key: str) -> bytes:
    s3 = {"bucket": {"name": "fleet-returns"}, "object": {"key": key}}
    return json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": s3}]}).encode()


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[" * 100_000, b"{}", one_record("returns/../x"), one_record("a%00b")], ids=range(6)
)
def test_what_can_never_work_gets_a_sentence(http: httpx.Client, receiver: Receiver, body: bytes) -> None:
    answer = http.post("/events", content=body)

    assert answer.status_code == 400
    assert len(answer.json()["detail"]) > 20
    assert (receiver.ingested, receiver.counted) == ([], ["rejected"])


@pytest.mark.parametrize(
    ("error", "status", "outcome"),
    [
        (DatabaseUnavailable("the database does not answer"), 503, "postponed"),
        (InvalidKey("object key is too long"), 400, "rejected"),
        (StoreRefused("the credentials have expired"), 503, "postponed"),
    ],
)
def test_the_answer_says_whether_to_try_again(
    http: httpx.Client, receiver: Receiver, error: Exception, status: int, outcome: str
) -> None:
    receiver.error = error
    answer = http.post("/events", content=payload("rustfs"))

    assert answer.status_code == status
    assert answer.json()["detail"] == str(error)
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert receiver.counted == [outcome]


def test_an_unforeseen_error_is_no_success(http: httpx.Client, receiver: Receiver) -> None:
    receiver.error = RuntimeError("a bug with a secret in it")
    answer = http.post("/events", content=payload("rustfs"))

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert receiver.counted == ["failed"]


def test_objects_outside_every_set_are_ignored(http: httpx.Client, receiver: Receiver) -> None:
    assert http.post("/events", content=one_record("elsewhere/x.jpg")).json() == {"sets": []}
    assert receiver.counted == ["ignored"]


def test_probes_need_no_token(served: tuple[str, Receiver]) -> None:
    assert httpx.get(f"{served[0]}/healthz", trust_env=False).status_code == 200
    assert httpx.head(f"{served[0]}/", trust_env=False).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc", "/metrics", "/events"])
def test_nothing_else_is_served(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code in (404, 405)


def test_a_token_that_can_be_guessed_is_refused(receiver: Receiver) -> None:
    with pytest.raises(SettingsInvalid, match="WALKAROUND_WEBHOOK_TOKEN"):
        make_webhook("secret", receiver.sets_of, receiver.ingest)
