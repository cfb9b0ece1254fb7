from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import DatasetInvalid
from core.model.artefact import Artefact
from core.training.dataset import Sample
from core.training.fitting import ModelOutputs, Rates, fit, fit_intact


def test_the_fit_finds_the_distribution_it_was_drawn_from() -> None:
    logits = np.random.default_rng(0).exponential(2.0, 20_000) - 4.0
    intact = fit_intact(logits)
    for share in (0.5, 0.1, 0.01, 0.001):
        assert intact.logit_reached_by(share) == pytest.approx(-4.0 - 2.0 * np.log(share), abs=0.3)


def samples(views: list[str]) -> list[Sample]:
    return [Sample(Path(f"{i}.jpg"), f"{i}.jpg", i % 3 == 0, "val", f"{i}", view=view) for i, view in enumerate(views)]


def test_false_alarms_are_counted_on_intact_photos_of_the_view(make_artefact: Callable[..., Artefact]) -> None:
    rng = np.random.default_rng(1)
    found = samples(["part", "whole"] * 300)
    close = np.array([sample.view == "part" for sample in found])
    damaged = np.array([sample.damaged for sample in found])
    logits = rng.normal(-4.0, 1.0, 600) + 2.0 * close + 6.0 * damaged
    outputs = ModelOutputs(logits, rng.random((600, 64)).astype(np.float32))
    card = make_artefact().card
    parts = fit(card, found, outputs, Rates(damaged=0.1))
    everything = fit(card, found, outputs, Rates(damaged=0.1), view="all")
    assert (parts.intact, everything.intact) == (200, 400)
    assert parts.policy.damaged_at_rank(1, 10) > everything.policy.damaged_at_rank(1, 10)
    assert parts.policy.false_alarms is not None
    assert parts.policy.false_alarms.damaged_rate == 0.1
    assert parts.vehicle is not None
    within = parts.policy.vehicle_within
    assert within is not None
    assert (parts.vehicle.distances(outputs.features) > within).mean() < 0.05
    assert fit(card, found, outputs, Rates(damaged=0.1)) == parts, "the same photos, the same rule"
    with pytest.raises(DatasetInvalid, match="only 0 intact photos"):
        fit(card, found, outputs, view="roof")
