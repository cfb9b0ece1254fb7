import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from core.errors import ModelUnusable
from core.model.card import Card, Description, InputSpec, Measure, MetricSet, parse_card
from core.model.pooling import Pooling


def make_card(**changes: Any) -> Card:
    values: dict[str, Any] = {
        "name": "resnet50-2026",
        "created_at": datetime(2026, 1, 2, tzinfo=UTC),
        "preprocessing": "imagenet-bgr-2",
        "input": InputSpec(tiles=2),
        "metrics": {"test": MetricSet(photos=10, damaged=5, measures={"recall": Measure(value=0.9, low=0.8, high=1)})},
        "weights_sha256": "a" * 64,
        "parameters": 24_153_473,
    }
    return Card(**{**values, **changes})


def test_card_survives_its_own_text() -> None:
    card = make_card()
    assert parse_card(card.to_json(), "card.json") == card
    assert parse_card(card.to_json(), "card.json").preprocess_sha256 == card.preprocess_sha256


@pytest.mark.parametrize(
    "changes",
    [
        {"preprocessing": "imagenet-bgr-3"},
        {"temperature": 1.01},
        {"pooling": Pooling(bias=0.1)},
        {"input": InputSpec(tiles=3)},
        {"input": InputSpec(tiles=2, tile_share=0.7)},
        {"input": InputSpec(tiles=2, flip=True)},
        {"input": InputSpec(tiles=2, size=320)},
    ],
)
def test_whatever_changes_a_probability_changes_the_identity(changes: dict[str, Any]) -> None:
    assert make_card(**changes).identity.preprocess_sha256 != make_card().identity.preprocess_sha256


def test_words_and_metrics_do_not_change_the_identity() -> None:
    other = make_card(metrics={}, git_revision="abc", created_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert other.identity == make_card().identity


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"labels": ["damaged", "intact"]}, "labels"),
        ({"colour": "red"}, "colour"),
        ({"temperature": 0}, "temperature"),
        ({"created_at": "2026-01-02T00:00:00"}, "created_at"),
        ({"weights_sha256": "abc"}, "weights_sha256"),
        ({"name": "../up"}, "name"),
        ({"temperature": None}, "temperature"),
    ],
)
def test_a_wrong_card_is_refused_by_field(changes: dict[str, Any], where: str) -> None:
    text = json.dumps({**json.loads(make_card().to_json()), **changes})
    with pytest.raises(ModelUnusable, match=rf"here/card\.json is not a valid model card: {where}"):
        parse_card(text, "here/card.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", b"\xff\xfe"])
def test_no_card_at_all_is_refused(text: str | bytes) -> None:
    with pytest.raises(ModelUnusable, match="not a valid model card"):
        parse_card(text, "card.json")


def test_pooling_over_tiles_needs_tiles() -> None:
    with pytest.raises(ValidationError, match="weighs tiles"):
        Description(
            name="x", created_at=datetime.now(UTC), preprocessing="1", pooling=Pooling(tile_max=1), input=InputSpec()
        )


def test_a_card_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        make_card().temperature = 2  # type: ignore[misc]
