"""Messages are signed as the Standard Webhooks specification says: its own library takes them, and nothing else."""

import base64
import re
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from core.signing import signed_headers, signing_key

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a secret of some length.").decode()
OTHER = "whsec_" + base64.b64encode(b"a secret of other length").decode()


def accepts(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


@given(st.text(max_size=200), st.binary(min_size=24, max_size=64))
def test_the_specifications_library_accepts_what_was_signed(text: str, key: bytes) -> None:
    secret, body = "whsec_" + base64.b64encode(key).decode(), text.encode()
    headers = signed_headers(secret, body, datetime.now(UTC))
    assert accepts(secret, body, headers)
    assert not accepts(secret, body + b"x", headers)
    assert not accepts(OTHER, body, headers)


@pytest.mark.parametrize("off", [timedelta(minutes=6), -timedelta(minutes=6)])
def test_the_specifications_library_refuses_old_and_future_messages(off: timedelta) -> None:
    assert not accepts(SECRET, b"{}", signed_headers(SECRET, b"{}", datetime.now(UTC) + off))


def test_a_message_sent_again_has_the_same_id_and_another_message_another() -> None:
    first, again = (signed_headers(SECRET, b"{}", NOW + timedelta(seconds=n)) for n in (0, 9))
    assert first["webhook-id"] == again["webhook-id"]
    assert first["webhook-timestamp"] != again["webhook-timestamp"]
    assert signed_headers(SECRET, b"[]", NOW)["webhook-id"] != first["webhook-id"]


def test_openssl_computes_the_same() -> None:
    headers = signed_headers(SECRET, b'{"a": 1}', NOW)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + b'{"a": 1}'
    command = ["openssl", "dgst", "-sha256", "-hmac", signing_key(SECRET).decode(), "-binary"]
    digest = subprocess.run(command, input=signed, capture_output=True, check=True, timeout=60).stdout
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        SECRET.removeprefix("whsec_"),
        "whsec_not base64 at all, however long",
        "whsec_" + base64.b64encode(b"23 bytes are one too few"[:23]).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
    ],
)
def test_a_secret_of_another_form_is_refused_with_the_command_that_makes_one(secret: str) -> None:
    with pytest.raises(ValueError, match=re.escape("openssl rand -base64 32")) as refusal:
        signing_key(secret)
    assert len(secret) < 8 or secret not in str(refusal.value)
