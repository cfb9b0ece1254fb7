"""Receives the S3 events that S3-compatible servers post. What SQS brings on AWS, this brings everywhere else."""

import base64
import binascii
import hmac
import signal
from collections.abc import Callable

import structlog
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool

from core.domain import SetRef
from core.errors import InvalidEvent, InvalidKey, NeedsOperator, SettingsInvalid, Transient, WalkaroundError
from core.events import MAX_MESSAGE_BYTES, ChangedSets

log = structlog.get_logger(__name__)

RETRY_SECONDS = 30
SHORTEST_TOKEN = 16
_HANG_UP = {"Connection": "close"}  # the server would otherwise go on reading, and throwing away, what is still sent
DRAIN_SECONDS = 60  # for requests in hand on SIGTERM; within the stop grace of 90 s


def make_webhook(
    token: str,
    sets_of: Callable[[bytes], ChangedSets],
    ingest: Callable[[SetRef], object],
    *,
    max_body: int = MAX_MESSAGE_BYTES,
    count: Callable[[str], None] = lambda _: None,
) -> FastAPI:
    """The receiver: `POST /events` with `Authorization: Bearer <token>`, and `GET /healthz`.

    `sets_of` names the sets of a notification and raises `InvalidEvent`; `ingest` looks at one of them and returns
    after its commit. The answer is 200 only after the commit of all; 4xx says, in a sentence, what can never work; 503
    asks for another try. `count` is told what became of each message. Raises `SettingsInvalid` for a token too short
    to be secret.
    """
    if len(token) < SHORTEST_TOKEN:
        raise SettingsInvalid(
            f"WALKAROUND_WEBHOOK_TOKEN must have at least {SHORTEST_TOKEN} characters, chosen at random"
        )
    app = FastAPI(title="Walkaround events", openapi_url=None)

    @app.api_route("/", methods=["GET", "HEAD"])  # RustFS asks for HEAD / before it sends anything
    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/events")
    async def events(request: Request) -> dict[str, object]:
        try:
            changed = await _receive(request, token, sets_of, max_body)
            for problem in changed.refused:  # a record that is refused costs itself alone
                log.warning("event_record_refused", problem=problem)
                count("rejected")
            for ref in changed.refs:
                await run_in_threadpool(_ingest, ingest, ref)
        except HTTPException as refusal:
            count("postponed" if refusal.status_code == 503 else "failed" if refusal.status_code == 500 else "rejected")
            log.warning("event_refused", status=refusal.status_code, problem=refusal.detail)
            raise
        except Exception:
            count("failed")
            raise
        count("ingested" if changed.refs else "ignored")
        return {"sets": [ref.set_key for ref in changed.refs]}

    return app


async def _receive(request: Request, token: str, sets_of: Callable[[bytes], ChangedSets], max_body: int) -> ChangedSets:
    """Who asks, then how much, then what: nothing is read from a stranger."""
    if not _is_allowed(request.headers.get("authorization", ""), token):
        raise HTTPException(
            401, "the token is missing or wrong; send `Authorization: Bearer <token>`", {"WWW-Authenticate": "Bearer"}
        )
    body = await _read(request, max_body)
    try:
        return sets_of(body)
    except InvalidEvent as error:
        raise HTTPException(400, str(error)) from error


async def _read(request: Request, max_body: int) -> bytes:
    too_large = HTTPException(
        413, f"the body is larger than {max_body:,} bytes; post one notification at a time", _HANG_UP
    )
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > max_body:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():  # a chunked body declares no length
        body += chunk
        if len(body) > max_body:
            raise too_large
    return bytes(body)


def _is_allowed(authorization: str, token: str) -> bool:
    """Whether the header carries the token: as a bearer, or as the password of a URL like https://any:token@host/.

    The second is for versitygw, which can be told a URL and nothing else.
    """
    scheme, _, offered = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            offered = base64.b64decode(offered, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(offered.encode(), token.encode())


def _ingest(ingest: Callable[[SetRef], object], ref: SetRef) -> None:
    with structlog.contextvars.bound_contextvars(set_key=ref.set_key):
        try:
            ingest(ref)
        except (Transient, NeedsOperator) as error:  # the sender keeps the event until it passes, or is mended
            raise HTTPException(503, str(error), {"Retry-After": str(RETRY_SECONDS)}) from error
        except InvalidKey as error:
            raise HTTPException(400, str(error)) from error
        except WalkaroundError as error:  # ours to repair; the sender keeps the event until then
            raise HTTPException(500, str(error)) from error


def serve(app: FastAPI, host: str, port: int) -> None:
    """Answer until SIGTERM, then end the requests in hand."""
    # uvicorn raises the signal again when it has ended in good order; that is not to look like a crash.
    signal.signal(signal.SIGTERM, lambda *_: None)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,  # logging is configured by whoever starts us
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        limit_concurrency=100,  # each ingest holds a thread and a connection; more are told 503 and come again
    )
