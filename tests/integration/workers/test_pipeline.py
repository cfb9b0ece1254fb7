"""A scan of a real S3 server, on both databases: no key that S3 takes ends it, no order of a listing misleads it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from core.domain import Label
from core.storage.address import open_store
from core.storage.options import S3Options
from db import queries
from tests.house import GREEN, RED, House
from tests.listing_order import folder_by_folder, serving_in_order
from tests.servers import S3Server
from workers import pipeline
from workers.audit import audit

HOSTILE = ("a\x00b.jpg", "a\x1b]0;x\x07.jpg", "b\x7f.jpg", "//c.jpg", "x" * (1024 - len("returns/f/v/2/")))


def test_no_key_ends_a_scan(house: House, s3_server: S3Server, s3_bucket: str) -> None:
    put: Callable[..., object] = s3_server.s3().put_object
    put(Bucket=s3_bucket, Key="returns/f/v/1/a.jpg", Body=GREEN)
    for name in HOSTILE:
        put(Bucket=s3_bucket, Key=f"returns/f/v/2/{name}", Body=RED)
    put(Bucket=s3_bucket, Key="returns/f/v/3/a.jpg", Body=GREEN)
    put(Bucket=s3_bucket, Key="returns/f/v\x00/4/a.jpg", Body=GREEN)
    context = replace(
        house.context,
        store=open_store(f"s3://{s3_bucket}", s3_server.options),
        rules=replace(house.context.rules, quiet_period=timedelta(0)),
    )
    house.context = context
    scanned = pipeline.scan(context)
    assert (scanned.sets, scanned.repaired, scanned.failed, scanned.strays) == (3, 3, 0, 1)
    house.answer()
    assert house.labels() == {
        "returns/f/v/1/": Label.CLEAR,
        "returns/f/v/2/": Label.DAMAGED,
        "returns/f/v/3/": Label.CLEAR,
    }
    (damaged,) = (row for row in queries.current_verdicts(context.sessions) if row.label is Label.DAMAGED)
    refused = [photo["key"] for photo in damaged.reasons["photos"] if photo["reason"] == "invalid_key"]
    assert sorted(refused) == [
        "returns/f/v/2///c.jpg",
        "returns/f/v/2//a\\x00b.jpg",
        "returns/f/v/2//a\\x1b]0;x\\x07.jpg",
        "returns/f/v/2//b\\x7f.jpg",
    ]
    result = audit(context.store, context.layout, context.sessions, datetime.now(UTC), timedelta(hours=1))
    assert result.findings == [
        "returns/f/v\\x00/4/a.jpg: lies in no return; returns lie under " + context.layout.template
    ]
    assert (result.in_verdict, result.quarantined, result.listing.objects) == (3, 4, 8)
    assert pipeline.scan(context).missing == 0, "the second scan finds nothing new"


def any_order(key: str) -> bytes:
    """Sets in pieces: their photos lie far apart, as in a bucket that lists by a hash of the key."""
    return sha256(key.encode()).digest()


@pytest.mark.parametrize("order", [folder_by_folder, any_order])
def test_a_server_that_lists_out_of_order(house: House, order: Callable[[str], Any]) -> None:
    vehicles = ("HB-20", "HB-20-1", "HB-20.5", "HB-2")
    objects = {f"returns/harbour/{name}/r1/{photo}.png": GREEN for name in vehicles for photo in range(4)}
    with serving_in_order(objects, order) as url:
        options = S3Options(url, "us-east-1", path_style=True, access_key_id="a", secret_access_key="b")
        context = replace(house.context, store=open_store("s3://bucket", options))
        house.context = context
        scanned = pipeline.scan(context)
        assert (scanned.sets, scanned.missing, scanned.repaired, scanned.failed) == (4, 4, 4, 0)
        house.answer()
        assert {row.photos for row in queries.current_verdicts(context.sessions)} == {4}, "no set was taken in halves"
        assert {row.generation for row in queries.current_verdicts(context.sessions)} == {1}
        unaware = open_store("s3://bucket", options)
        result = audit(unaware, context.layout, context.sessions, datetime.now(UTC), timedelta(hours=1))
        assert (result.findings, result.in_verdict) == ([], 16)
