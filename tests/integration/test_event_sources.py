"""The same uploads through SQS and through the webhook leave the same rows."""

import asyncio
from functools import partial
from pathlib import Path
from urllib.parse import quote_plus

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from core.events import changed_sets
from core.settings import Settings
from tests.integration.deployment import queue_of, s3_settings
from tests.photo_sets import SentMessages
from tests.servers import S3Server
from web.webhook import make_webhook
from workers import pipeline
from workers.bootstrap import make_context
from workers.consumer import Consumer, make_sqs_client
from workers.context import Context
from workers.health import Progress

TOKEN = "the-same-rows-either-way"
SETS = ("returns/berlin/B-XY 12+3/2026-11-23/", "returns/berlin/B-Ä 50%/2026-11-23/")
UPLOADS = [f"{key}{name}" for key in SETS for name in ("front.jpg", "rear side.jpg", "_COMPLETE")]
ROWS = {
    "vehicle": "SELECT fleet, vehicle_ref FROM vehicle ORDER BY 1, 2",
    "photo_set": "SELECT bucket, set_key, generation, closed_by, expected FROM photo_set ORDER BY 1, 2",
    "photo": (
        "SELECT set_key, object_key, etag, status FROM photo JOIN photo_set ON photo_set.id = set_id ORDER BY 1, 2"
    ),
}


def context_on(url: str, settings: Settings) -> Context:
    return make_context(settings.model_copy(update={"database_url": SecretStr(url)}), SentMessages())


@pytest.fixture
def settings(s3_server: S3Server, s3_bucket: str) -> Settings:
    values = s3_settings(s3_server, s3_bucket)
    values |= {"sqs_queue_url": queue_of(s3_server, s3_bucket), "sqs_endpoint_url": s3_server.endpoint_url}
    return Settings(**values)  # type: ignore[arg-type]


@pytest.fixture
def two_urls(sqlite_url: str, tmp_path: Path) -> tuple[str, str]:
    other = tmp_path / "other.sqlite"
    other.write_bytes(Path(sqlite_url.removeprefix("sqlite:///")).read_bytes())
    return sqlite_url, f"sqlite:///{other}"


def rows(context: Context) -> dict[str, list[tuple[object, ...]]]:
    with context.sessions() as session:
        return {table: [tuple(row) for row in session.execute(text(query))] for table, query in ROWS.items()}


def rustfs_body(bucket: str, key: str) -> dict[str, object]:
    s3 = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key)}}
    record = {"eventSource": "rustfs:s3", "eventName": "s3:ObjectCreated:Put", "s3": s3}
    return {"EventName": "s3:ObjectCreated:Put", "Key": f"{bucket}/{key}", "Records": [record]}


async def post(app: FastAPI, bodies: list[dict[str, object]]) -> list[int]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://webhook", headers=headers
    ) as http:
        return [(await http.post("/events", json=body)).status_code for body in bodies]


def test_both_ways_give_identical_rows(
    settings: Settings, two_urls: tuple[str, str], s3_server: S3Server, s3_bucket: str
) -> None:
    by_queue, by_webhook = (context_on(url, settings) for url in two_urls)
    for key in UPLOADS:
        s3_server.s3().put_object(Bucket=s3_bucket, Key=key, Body=key.encode())

    consumer = Consumer(
        client=make_sqs_client(settings),
        queue_url=settings.sqs_queue_url or "",
        sets_of=partial(changed_sets, store=by_queue.store.name, layout=by_queue.layout),
        ingest=partial(pipeline.ingest, by_queue),
        progress=Progress(),
        wait_seconds=0,
    )
    assert consumer.poll()

    sets_of = partial(changed_sets, store=by_webhook.store.name, layout=by_webhook.layout)
    app = make_webhook(TOKEN, sets_of, partial(pipeline.ingest, by_webhook))
    assert asyncio.run(post(app, [rustfs_body(s3_bucket, key) for key in reversed(UPLOADS)])) == [200] * len(UPLOADS)

    found = rows(by_queue)
    assert [row[1] for row in found["photo_set"]] == sorted(SETS)
    assert len(found["photo"]) == 4
    assert rows(by_webhook) == found
