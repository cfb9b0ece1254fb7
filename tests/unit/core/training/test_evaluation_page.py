from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.domain import Score
from core.model.card import Card
from core.training.dataset import Sample
from core.training.evaluation import evaluate
from core.training.evaluation_page import render_page

PNG = b"\x89PNG"


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    made = []
    for number in range(8):
        path = tmp_path / f"{number}<b>.jpg"
        Image.new("RGB", (60, 40), (30 * number, 80, 90)).save(path)
        made.append(Sample(path, path.name, number % 2 == 0, "test", f"set{number // 2}", f"source{number % 3}"))
    return made


def test_the_page_stands_alone_and_shows_figures_sets_and_mistakes(samples: list[Sample]) -> None:
    card = Card(
        name="tried",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        preprocessing="imagenet-bgr-2",
        weights_sha256="0" * 64,
        parameters=1,
    )
    probability = np.array([0.9, 0.1, 0.2, 0.3, 0.8, 0.95, 0.7, 0.4])
    scores = [Score(float(p), 0.0, np.zeros((7, 7), np.float32)) for p in probability]
    page = render_page(evaluate(card, samples, probability, sets=True), scores)
    assert "<script" not in page
    assert "http" not in page
    assert page.count("data:image/png") == 4
    assert page.count("data:image/jpeg") == 4  # two mistakes, each with its heat map
    assert "2&lt;b&gt;.jpg" in page
    assert "2&lt;b&gt;.jpg" in page[page.index("worst mistakes") :]
    assert "of 4" in page
    assert "source2" in page
