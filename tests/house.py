"""What tests of the pipeline's steps run with: a store in memory, and a classifier for which redness is damage."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from core.completeness import CompletionRules
from core.domain import Blob, Label
from core.errors import StoreUnavailable
from core.keys import KeyLayout
from core.policy import Policy
from core.settings import load_settings
from core.testing.fixed_classifier import FixedClassifier
from core.testing.inline_loader import InlinePhotoLoader
from core.testing.memory_store import MemoryPhotoStore
from db import queries, transactions
from db.session import Sessions
from db.transactions import Finish
from tests.photo_sets import SentMessages
from workers import pipeline
from workers.audit import Audit, audit
from workers.context import Context, Scoring

POLICY = Policy(damaged_at=0.6, clear_below=0.4)
SET = "returns/harbour/HB-204/r1/"
LONG_AGO = datetime.now(UTC) - timedelta(days=1)


def photo(redness: int, seed: int = 0) -> bytes:
    """A PNG whose probability of damage rises with `redness` (-50 to 50); different by `seed` alone."""
    noise = np.random.default_rng(seed).integers(60, 200, (224, 224, 3))
    noise[..., 0] += redness
    target = io.BytesIO()
    Image.fromarray(noise.astype(np.uint8)).save(target, "PNG")
    return target.getvalue()


RED, GREEN = photo(50), photo(-50)


@dataclass
class House:
    """Everything a test needs to run the steps by hand."""

    context: Context
    scoring: Scoring
    store: MemoryPhotoStore
    published: SentMessages

    def put(self, name: str, data: bytes, set_key: str = SET) -> None:
        self.store.write(set_key + name, data)

    def ingest(self, set_key: str = SET) -> transactions.IngestOutcome:
        return pipeline.ingest(self.context, pipeline.set_of(self.context, set_key))

    def answer(self) -> list[Finish | None]:
        """What a worker does with all messages so far."""
        published, self.published[:] = self.published[:], []
        return [pipeline.classify(self.context, self.scoring, work) for work, _ in published]

    def labels(self) -> dict[str, Label]:
        return {row.set_key: row.label for row in queries.current_verdicts(self.context.sessions)}

    def audit(self) -> Audit:
        return audit(self.store, self.context.layout, self.context.sessions, datetime.now(UTC), timedelta(hours=12))


@pytest.fixture
def house(sessions: Sessions) -> Iterator[House]:
    store = MemoryPhotoStore(now=lambda: LONG_AGO)
    classifier = FixedClassifier()
    model_id = transactions.register_model(sessions, classifier.identity, POLICY)
    transactions.activate_model(sessions, model_id)
    published = SentMessages()
    context = Context(
        settings=load_settings(),
        store=store,
        layout=KeyLayout(),
        rules=CompletionRules(),
        sessions=sessions,
        publish=published,
    )
    with ThreadPoolExecutor(4) as fetchers:
        scoring = Scoring(model_id, classifier, POLICY, InlinePhotoLoader(), fetchers)
        yield House(context, scoring, store, published)


class AwayStore(MemoryPhotoStore):
    """A store that does not answer while `away`."""

    away = False

    def read(self, key: str, *, max_bytes: int, etag: str | None = None) -> Blob:
        if self.away:
            raise StoreUnavailable("the store is away")
        return super().read(key, max_bytes=max_bytes, etag=etag)


def make_due(sessions: Sessions) -> None:
    """Let the pause of a set that was given back be over."""
    with sessions.begin() as session:
        session.execute(text("UPDATE work SET not_before = (SELECT first_seen_at FROM photo_set)"))
