"""Signed messages to others: HMAC-SHA256 over a timestamp and the body, so that neither can be changed or replayed.

    Walkaround-Timestamp: 1795458000                     seconds since 1970
    Walkaround-Signature: sha256=<hex of HMAC-SHA256(secret, timestamp + "." + body)>

A receiver takes the body as the bytes that came, computes the same, compares in constant time, and refuses what is
older than a few minutes: `is_genuine` does all of that.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

TIMESTAMP_HEADER = "Walkaround-Timestamp"
SIGNATURE_HEADER = "Walkaround-Signature"
TOLERANCE = timedelta(minutes=5)
SHORTEST_SECRET = 16


def signed_headers(secret: str, body: bytes, now: datetime) -> dict[str, str]:
    """The two headers that a body sent `now` goes with."""
    timestamp = str(int(now.timestamp()))
    return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: _signature(secret, timestamp, body)}


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether `body` was signed with `secret`, within `TOLERANCE` of `now`."""
    lower = {name.lower(): value for name, value in headers.items()}
    timestamp = lower.get(TIMESTAMP_HEADER.lower(), "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
        return False
    offered = lower.get(SIGNATURE_HEADER.lower(), "")
    return hmac.compare_digest(offered.encode(), _signature(secret, timestamp, body).encode())


def _signature(secret: str, timestamp: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
