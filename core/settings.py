"""Every setting, typed, read once per process. A wrong one stops the start and names its variable."""

import os
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.addresses import BrokerAddress, check_database, check_place, check_web, read_broker
from core.completeness import CompletionRules
from core.errors import SettingsInvalid
from core.keys import KeyLayout
from core.machine import available_cores, available_memory
from core.signing import signing_key

_RULES = CompletionRules()
PREFIX = "WALKAROUND_"
SECRETS_DIR = Path("/run/secrets")
SHIPPED_MODEL = Path(__file__).parent.parent / "models" / "walkaround-resnet50"


# What a worker takes besides its decoders: TensorFlow with the shipped model, and photos in flight. The model alone
# takes 0.9 GB (`make bench PARTS=start-up`).
WORKER_MEMORY_MB = 1536


def _decoders(decode_memory_mb: int) -> int:
    """One on each core, as far as there is memory for all of them at their limit."""
    room = available_memory() // 2**20 - WORKER_MEMORY_MB
    return max(1, min(available_cores(), room // decode_memory_mb))


class Settings(BaseSettings):
    """All settings. Each is the environment variable `WALKAROUND_<NAME>`, or a file of that name under /run/secrets."""

    # No message of pydantic's shows what was given: it may be a secret, in whole or in part.
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True
    )

    store: str = Field(default="", description="Where the photos are: s3://bucket or a folder.")
    s3_endpoint_url: str | None = Field(default=None, description="An S3-compatible server; AWS where empty.")
    s3_region: str | None = Field(default=None, description="The bucket's region.")
    s3_ca_bundle: Path | None = Field(default=None, description="CA certificates for that server.")
    s3_path_style: bool = Field(
        default=False, description="https://host/bucket/key instead of https://bucket.host/key."
    )
    s3_access_key_id: str | None = Field(
        default=None,
        description="Credentials; boto3's own chain (environment, profile, instance role) where empty.",
    )
    s3_secret_access_key: SecretStr | None = Field(default=None, description="The secret of that key.")
    key_template: str = Field(
        default=KeyLayout.template, description="The folders of a set; names {fleet}, {vehicle}, {return}."
    )

    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///walkaround.sqlite"),
        description="sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME.",
    )
    broker_url: SecretStr = Field(
        default=SecretStr("redis://localhost:6379/0"),
        description="Redis or Valkey: redis://, rediss:// or redis+socket://.",
    )
    broker_ca_bundle: Path | None = Field(
        default=None, description="CA certificates for a rediss:// broker; the system's where empty."
    )
    broker_key_prefix: str = Field(
        default="walkaround:", description="Before every key in the broker, so that it can be shared."
    )

    model: str = Field(default=str(SHIPPED_MODEL), description="The model: a folder, or a registry's s3:// address.")
    model_cache: Path = Field(
        default=Path("~/.cache/walkaround/models"), description="Where a model from S3 is kept on this machine."
    )
    policy: Path | None = Field(
        default=None, description="A policy (JSON) instead of the model's own; `walkaround model policy` prints that."
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        default="auto",
        description="Arithmetic of the network; auto is float32. bfloat16 and int8 are faster on a CPU that has them, "
        "and move probabilities; int8 runs on OpenVINO: it needs walkaround[openvino] and `walkaround model quantise`.",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto",
        description="What computes the scores; auto takes a GPU where there is one. With gpu a worker does not start "
        "without one.",
    )
    batch_size: PositiveInt = Field(
        default=32,
        description="The most views of 224 x 224 pixels in one batch on the device; a larger one counts more.",
    )

    quiet_period: timedelta = Field(
        default=_RULES.quiet_period,
        ge=timedelta(0),
        description="A set that neither marker nor manifest completes closes after this long without change.",
    )
    deadline: timedelta = Field(
        default=_RULES.deadline, ge=timedelta(0), description="After this long a set is closed as incomplete."
    )
    expected_photos: PositiveInt | None = Field(
        default=None, description="How many photos a set has, if that is known."
    )

    lease: timedelta = Field(
        default=timedelta(minutes=5),
        gt=timedelta(0),
        description="How long a worker may be silent before its set is taken over.",
    )
    republish_after: timedelta = Field(
        default=timedelta(minutes=2),
        ge=timedelta(0),
        description="A message nobody answered is sent again after this long, then after twice as long each time.",
    )
    reconcile_every: timedelta = Field(
        default=timedelta(minutes=1),
        gt=timedelta(0),
        description="How often the schedule looks for work that messages lost.",
    )
    max_attempts: PositiveInt = Field(
        default=12, description="After so many lost attempts a set is given up until a person replays it."
    )
    max_pending_age: timedelta = Field(
        default=timedelta(hours=12), ge=timedelta(0), description="`audit` fails if work has been pending for longer."
    )

    concurrency: PositiveInt = Field(
        default_factory=lambda: max(4, 2 * available_cores()),
        description="Sets in flight in one classify worker. Connections to store and database follow.",
    )
    decode_memory_mb: PositiveInt = Field(default=1024, description="Memory limit of one process that decodes photos.")
    decode_processes: PositiveInt = Field(
        default_factory=lambda data: _decoders(data["decode_memory_mb"]),
        description="How many of them, per worker.",
    )
    decode_timeout: PositiveFloat = Field(
        default=20.0, allow_inf_nan=False, description="Seconds one photo may take to decode."
    )
    max_photo_mb: PositiveInt = Field(default=40, description="Larger files are refused without being read.")

    timezone: str = Field(default="UTC", description="The fleet's time zone, as in Europe/Riga.")
    scan_at: time = Field(default=time(2, 30), description="Local time of the nightly fleet scan.")

    reports: str = Field(
        default="",
        description="Where nightly reports go, under reports/: s3://..., a folder; the photos' store if empty.",
    )
    reviews: str = Field(
        default="",
        description="Where decisions also go, under reviews/: s3://..., a folder; the photos' store if empty.",
    )
    report_webhook_url: SecretStr | None = Field(
        default=None, description="Each nightly report is posted here, signed. Kept as a secret: it may hold a token."
    )
    report_webhook_secret: SecretStr | None = Field(
        default=None, description="What they are signed with (Standard Webhooks): whsec_ and base64 of 24 to 64 bytes."
    )

    sqs_queue_url: str | None = Field(default=None, description="The queue that S3 events arrive in.")
    sqs_endpoint_url: str | None = Field(default=None, description="An SQS-compatible server; AWS where empty.")
    webhook_token: SecretStr | None = Field(default=None, description="The bearer token of posted events.")

    log_format: Literal["json", "console"] = Field(default="json", description="Logs for machines or for people.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The least that is logged."
    )
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="Prometheus metrics and health; none where empty."
    )

    @field_validator(
        "quiet_period", "deadline", "lease", "republish_after", "reconcile_every", "max_pending_age", mode="before"
    )
    @classmethod
    def _seconds(cls, value: object) -> object:
        """Plain numbers are seconds, also when they come from the environment as text."""
        return float(value) if isinstance(value, str) and value.replace(".", "", 1).isdigit() else value

    @field_validator("broker_url", "database_url", "report_webhook_url")
    @classmethod
    def _readable_address(cls, value: SecretStr | None, field: ValidationInfo) -> SecretStr | None:
        check = {"broker_url": read_broker, "database_url": check_database, "report_webhook_url": check_web}
        if value is not None:
            check[field.field_name or ""](value.get_secret_value())
        return value

    @field_validator("s3_endpoint_url", "sqs_endpoint_url", "sqs_queue_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None:
            check_web(value)
            if "@" in value:
                raise ValueError("an address holds no user and password; give the keys by their own settings")
        return value

    @field_validator("store", "model", "reports", "reviews")
    @classmethod
    def _place_without_keys(cls, value: str) -> str:
        check_place(value)
        return value

    @field_validator("broker_ca_bundle")
    @classmethod
    def _readable_certificates(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"there is no file {value}")
        return value

    @model_validator(mode="after")
    def _signed_webhook(self) -> Self:
        if self.report_webhook_url is None:
            return self
        try:
            signing_key(self.report_webhook_secret.get_secret_value() if self.report_webhook_secret else "")
        except ValueError as error:
            raise ValueError(f"{PREFIX}REPORT_WEBHOOK_SECRET: {error}") from error
        return self

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is not a time zone; write it as in Europe/Riga") from error
        return value

    @field_validator("key_template")
    @classmethod
    def _usable_template(cls, value: str) -> str:
        try:
            KeyLayout(value)
        except SettingsInvalid as error:
            raise ValueError(str(error)) from error
        return value

    @property
    def broker(self) -> BrokerAddress:
        """The broker's address, with the CAs that its certificate is verified by."""
        address = read_broker(self.broker_url.get_secret_value())
        if not address.tls or not self.broker_ca_bundle or "ssl_ca_certs" in address.tls:
            return address
        return replace(address, tls={**address.tls, "ssl_ca_certs": str(self.broker_ca_bundle)})

    @property
    def zone(self) -> ZoneInfo:
        """The fleet's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def rules(self) -> CompletionRules:
        """When a photo set is complete."""
        return CompletionRules(self.quiet_period, self.deadline, self.expected_photos)

    @property
    def fetchers(self) -> int:
        """Threads that read photos from the store."""
        return 2 * self.concurrency

    @property
    def database_pool(self) -> int:
        """Connections to the database that one process keeps: one for each set in flight, and a few for the others."""
        return self.concurrency + 4

    @property
    def max_photo_bytes(self) -> int:
        """The largest photo that is read, in bytes."""
        return self.max_photo_mb * 1_000_000


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from secrets, environment and `overrides`, the last winning. Raises `SettingsInvalid`."""
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in Settings.model_fields
    )
    if unknown:
        raise SettingsInvalid(f"{unknown[0]} is not a setting; `walkaround doctor --settings` lists them")
    try:
        return Settings(_secrets_dir=SECRETS_DIR if SECRETS_DIR.is_dir() else None, **overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else "the settings"
        raise SettingsInvalid(f"{name}: {first['msg'].removeprefix('Value error, ')}") from error
