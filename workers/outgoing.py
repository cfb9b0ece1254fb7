"""Messages to others over HTTP, signed. A receiver that is away or answers no is no error of ours: it is logged."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

import structlog
from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from core.signing import signed_headers

log = structlog.get_logger(__name__)

ATTEMPTS = 4
PAUSE_S = 2.0  # before the second repetition, doubled for each further one
CONNECT_S, READ_S = 5.0, 10.0


def post_signed(url: str, secret: str, body: bytes, *, pause_s: float = PAUSE_S, read_s: float = READ_S) -> bool:
    """POST a JSON body, signed as in `core.signing`; whether it was taken (any 2xx).

    Tried `ATTEMPTS` times where the receiver is away, slow, or answers 429 or 5xx. Redirects are not followed: the
    message is for the receiver that the setting names.
    """
    headers = {"Content-Type": "application/json", **signed_headers(secret, body, datetime.now(UTC))}
    retries = Retry(
        total=ATTEMPTS - 1,
        redirect=False,
        backoff_factor=pause_s,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,  # the body is the same every time, and its receiver can see that by its timestamp
        raise_on_status=False,
        respect_retry_after_header=False,  # a scan does not wait for as long as a stranger likes
    )
    try:
        with PoolManager(timeout=Timeout(connect=CONNECT_S, read=read_s)) as pool:
            answer = pool.request("POST", url, body=body, headers=headers, retries=retries, redirect=False)
    except HTTPError as error:
        log.warning("webhook_not_delivered", host=_host(url), problem=str(error))
        return False
    if not 200 <= answer.status < 300:
        log.warning("webhook_not_delivered", host=_host(url), status=answer.status)
        return False
    return True


def _host(url: str) -> str:
    """Addresses may hold secrets in their path; logs may not."""
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"
