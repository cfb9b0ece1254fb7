"""How an S3 server is reached."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class S3Options:
    """How to reach S3 or a server that speaks its protocol. What is None is left to boto3's own chain and defaults."""

    endpoint_url: str | None = None
    region: str | None = None
    ca_bundle: Path | None = None
    path_style: bool = False
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 20.0
    attempts: int = 5
    connections: int = 32
    page_size: int = 1000
