import traceback
from datetime import timedelta
from pathlib import Path

import pytest

from core import settings
from core.errors import SettingsInvalid
from core.settings import load_settings

SECRET = "whsec_YSBzZWNyZXQgb2Ygc29tZSBsZW5ndGgu"


def test_defaults_need_no_environment() -> None:
    assert load_settings().lease == timedelta(minutes=5)


def test_plain_numbers_are_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALKAROUND_LEASE", "90")
    monkeypatch.setenv("WALKAROUND_DEADLINE", "PT2H")
    loaded = load_settings()
    assert (loaded.lease, loaded.deadline) == (timedelta(seconds=90), timedelta(hours=2))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WALKAROUND_BATCH_SIZE", "many"),
        ("WALKAROUND_BATCH_SIZE", "0"),
        ("WALKAROUND_TIMEZONE", "Mars/Olympus"),
        ("WALKAROUND_KEY_TEMPLATE", "photos/"),
        ("WALKAROUND_SCAN_AT", "25:00"),
        ("WALKAROUND_PRECISION", "float8"),
        ("WALKAROUND_BATCHSIZE", "8"),
        ("WALKAROUND_LEASE", "0"),
        ("WALKAROUND_LEASE", "-PT5S"),
        ("WALKAROUND_LEASE", "9" * 20),
        ("WALKAROUND_RECONCILE_EVERY", "0"),
        ("WALKAROUND_QUIET_PERIOD", "-PT1S"),
        ("WALKAROUND_DECODE_TIMEOUT", "inf"),
        ("WALKAROUND_DECODE_TIMEOUT", "nan"),
        ("WALKAROUND_METRICS_PORT", "70000"),
        ("WALKAROUND_BROKER_URL", "memory://"),
        ("WALKAROUND_BROKER_CA_BUNDLE", "/nowhere/ca.pem"),
        ("WALKAROUND_DATABASE_URL", "mysql://host/name"),
        ("WALKAROUND_S3_ENDPOINT_URL", "localhost:9000"),
        ("WALKAROUND_S3_ENDPOINT_URL", "http://key:secret@localhost:9000"),
        ("WALKAROUND_SQS_QUEUE_URL", "events"),
        ("WALKAROUND_KEY_TEMPLATE", "{fleet.__class__}/{vehicle}/"),
        ("WALKAROUND_CONCURRENCY", "1e9"),
    ],
)
def test_a_wrong_one_stops_the_start_and_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsInvalid, match=name):
        load_settings()


def test_secrets_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "walkaround_webhook_token").write_text("swordfish")
    monkeypatch.setattr(settings, "SECRETS_DIR", tmp_path)
    token = load_settings().webhook_token
    assert token is not None
    assert token.get_secret_value() == "swordfish"
    assert "swordfish" not in repr(load_settings())


@pytest.mark.parametrize(
    ("url", "secret", "complaint"),
    [
        ("https://hooks.example/x", None, "WALKAROUND_REPORT_WEBHOOK_SECRET: it must be whsec_ and the base64"),
        ("https://hooks.example/x", "short", "WALKAROUND_REPORT_WEBHOOK_SECRET: it must be whsec_ and the base64"),
        (
            "hooks.example/x",
            "whsec_YSBzZWNyZXQgb2Ygc29tZSBsZW5ndGgu",
            "WALKAROUND_REPORT_WEBHOOK_URL: it is no web address",
        ),
        (
            "ftp://hooks.example/x",
            "whsec_YSBzZWNyZXQgb2Ygc29tZSBsZW5ndGgu",
            "WALKAROUND_REPORT_WEBHOOK_URL: it is no web address",
        ),
    ],
)
def test_a_webhook_needs_an_address_and_a_secret(url: str, secret: str | None, complaint: str) -> None:
    with pytest.raises(SettingsInvalid, match=complaint):
        load_settings(report_webhook_url=url, report_webhook_secret=secret)
    assert load_settings(report_webhook_secret=secret).report_webhook_url is None


def test_what_computes_follows_from_the_precision_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """ADR 8: float32 on OpenVINO is gone, and a node that still asks for it is told, not left on TensorFlow unaware."""
    monkeypatch.setenv("WALKAROUND_RUNTIME", "openvino")
    with pytest.raises(SettingsInvalid, match="WALKAROUND_RUNTIME is not a setting"):
        load_settings()


def test_the_setting_s_certificates_are_for_tls_and_the_address_s_own_win(tmp_path: Path) -> None:
    (bundle := tmp_path / "ca.pem").touch()
    assert load_settings(broker_url="rediss://h", broker_ca_bundle=bundle).broker.tls["ssl_ca_certs"] == str(bundle)
    own = load_settings(broker_url="rediss://h?ssl_ca_certs=/own.pem", broker_ca_bundle=bundle).broker
    assert own.tls["ssl_ca_certs"] == "/own.pem"
    assert load_settings(broker_url="redis://h", broker_ca_bundle=bundle).broker.tls == {}


def test_no_message_of_a_wrong_setting_shows_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALKAROUND_BROKER_URL", "amqp://user:TopSecret@broker//")
    with pytest.raises(SettingsInvalid) as refused:
        load_settings()
    assert "TopSecret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(("memory_mb", "decode_mb", "expected"), [(6144, 1024, 4), (3072, 512, 3), (1024, 1024, 1)])
def test_decoders_fit_cores_and_memory(
    monkeypatch: pytest.MonkeyPatch, memory_mb: int, decode_mb: int, expected: int
) -> None:
    monkeypatch.setattr(settings, "available_cores", lambda: 4)
    monkeypatch.setattr(settings, "available_memory", lambda: memory_mb * 2**20)
    loaded = load_settings(decode_memory_mb=decode_mb)
    assert (loaded.decode_processes, loaded.concurrency, loaded.fetchers, loaded.database_pool) == (expected, 8, 16, 12)
    assert load_settings(decode_memory_mb=decode_mb, decode_processes=7).decode_processes == 7
