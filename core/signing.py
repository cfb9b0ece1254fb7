"""Signed messages to other systems, by the Standard Webhooks specification (https://www.standardwebhooks.com).

    webhook-id: msg_2f1c...               the same whenever the same message is sent again
    webhook-timestamp: 1795458000         seconds since 1970
    webhook-signature: v1,<base64 of HMAC-SHA256(secret, id + "." + timestamp + "." + body)>

A receiver checks them with one of the specification's libraries, over the body's bytes as they came.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

SECRET_PREFIX = "whsec_"  # noqa: S105  the specification's, before the secret itself
_FEWEST_BYTES, _MOST_BYTES = 24, 64  # of the secret, by the specification


def signing_key(secret: str) -> bytes:
    """The bytes to sign with, of a secret as the specification writes it: `whsec_` and base64.

    Raises `ValueError` for any other text, and where the bytes are fewer than 24 or more than 64.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not (secret.startswith(SECRET_PREFIX) and _FEWEST_BYTES <= len(key) <= _MOST_BYTES):
        raise ValueError(
            f"it must be {SECRET_PREFIX} and the base64 of {_FEWEST_BYTES} to {_MOST_BYTES} random bytes, "
            f'as this prints: echo "{SECRET_PREFIX}$(openssl rand -base64 32)"'
        )
    return key


def signed_headers(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The three headers to send with `body` at `now`. Raises `ValueError` for a secret that `signing_key` refuses."""
    message = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
    timestamp = str(int(now.timestamp()))
    signed = b".".join([message.encode(), timestamp.encode(), body])
    signature = base64.b64encode(hmac.digest(signing_key(secret), signed, "sha256")).decode()
    return {"webhook-id": message, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
