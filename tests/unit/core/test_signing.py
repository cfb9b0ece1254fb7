"""What is signed is taken, and nothing else."""

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, TOLERANCE, is_genuine, signed_headers

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
SECRET = "a secret of some length"


@given(st.binary(max_size=200), st.text(min_size=1, max_size=30))
def test_what_was_signed_is_genuine(body: bytes, secret: str) -> None:
    assert is_genuine(secret, signed_headers(secret, body, NOW), body, NOW)
    assert not is_genuine(secret + "x", signed_headers(secret, body, NOW), body, NOW)
    assert not is_genuine(secret, signed_headers(secret, body, NOW), body + b"x", NOW)


def test_openssl_computes_the_same() -> None:
    headers = signed_headers(SECRET, b'{"a": 1}', NOW)
    signed = headers[TIMESTAMP_HEADER].encode() + b'.{"a": 1}'
    command = ["openssl", "dgst", "-sha256", "-hmac", SECRET, "-r"]
    found = (
        subprocess.run(command, input=signed, capture_output=True, check=True, timeout=60).stdout.decode().split()[0]
    )
    assert headers[SIGNATURE_HEADER] == f"sha256={found}"


@pytest.mark.parametrize("off", [TOLERANCE + timedelta(seconds=1), -TOLERANCE - timedelta(seconds=1)])
def test_what_is_old_or_from_the_future_is_refused(off: timedelta) -> None:
    assert not is_genuine(SECRET, signed_headers(SECRET, b"x", NOW + off), b"x", NOW)
    assert is_genuine(SECRET, signed_headers(SECRET, b"x", NOW + off * 0.9), b"x", NOW)


@pytest.mark.parametrize("timestamp", ["", "x", "-1", "1e9", "٣", "9" * 30])
def test_a_strange_timestamp_is_refused(timestamp: str) -> None:
    headers = signed_headers(SECRET, b"x", NOW) | {TIMESTAMP_HEADER: timestamp}
    assert not is_genuine(SECRET, headers, b"x", NOW)


def test_names_of_headers_know_no_case_and_absent_ones_are_refused() -> None:
    headers = signed_headers(SECRET, b"x", NOW)
    assert is_genuine(SECRET, {name.upper(): value for name, value in headers.items()}, b"x", NOW)
    for name in headers:
        assert not is_genuine(SECRET, {other: value for other, value in headers.items() if other != name}, b"x", NOW)
