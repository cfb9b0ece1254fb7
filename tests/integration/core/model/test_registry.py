"""A registry in S3, as workers open it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import ModelUnusable
from core.model.artefact import Artefact
from core.model.registry import open_model, open_registry
from tests.servers import S3Server
from tests.unit.core.conftest import make_artefact  # noqa: F401  a fixture


def test_the_promoted_model_is_fetched_verified_and_kept(
    s3_server: S3Server,
    s3_bucket: str,
    make_artefact: Callable[..., Artefact],  # noqa: F811
    tmp_path: Path,
) -> None:
    address, options, cache = f"s3://{s3_bucket}/models/cars", s3_server.options, tmp_path / "cache"
    registry = open_registry(address, options)
    entry = registry.publish(make_artefact())
    with pytest.raises(ModelUnusable, match=f"no model is promoted in {address}; run `walkaround model promote"):
        open_model(address, options, cache)
    registry.promote("small", who="ada", reason="", now=datetime.now(UTC))
    opened = open_model(address, options, cache)
    assert opened == Artefact(cache / "small" / entry.card_sha256, entry.card)
    s3_server.s3().delete_object(Bucket=s3_bucket, Key=f"models/cars/{entry.folder}model.keras")
    assert open_model(address, options, cache) == opened
    with pytest.raises(ModelUnusable, match=r"model\.keras is missing"):
        open_model(address, options, tmp_path / "empty")
