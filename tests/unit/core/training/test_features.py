from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.domain import ViewPlan
from core.errors import DatasetInvalid
from core.training.dataset import Sample
from core.training.features import FeatureCache, Look, plan_training_looks, render

PLAN = ViewPlan(64, tiles=2)


def test_features_of_other_data_are_refused(samples: list[Sample], tmp_path: Path) -> None:
    looks = plan_training_looks(samples, 1, 1.0)
    cache = FeatureCache(tmp_path, samples, looks, PLAN, seed=0)
    assert cache.missing == len(looks)
    cache._write_progress()
    with pytest.raises(DatasetInvalid, match="other data"):
        FeatureCache(tmp_path, samples, looks[:-1], PLAN, seed=0)


def test_every_intact_photo_has_painted_twins_framed_like_its_plain_looks(samples: list[Sample]) -> None:
    looks = plan_training_looks(samples, 4, 1.0)
    for index, sample in enumerate(samples):
        own = [look for look in looks if look.sample == index and look.kind in ("wide", "close_up")]
        plain = sorted(look.kind for look in own if not look.painted)
        painted = sorted(look.kind for look in own if look.painted)
        assert painted == ([] if sample.damaged else plain)
        assert not (sample.damaged and "close_up" in plain)
    assert {look.kind for look in plan_training_looks(samples, 1, 1.0)} == {"clean", "mirrored", "wide", "close_up"}


def test_a_look_is_fixed_by_its_seed_and_number(samples: list[Sample]) -> None:
    look = Look(0, "wide", 1)
    assert np.array_equal(render(samples[0], look, PLAN, 5), render(samples[0], look, PLAN, 5))
    assert not np.array_equal(render(samples[0], look, PLAN, 5), render(samples[0], replace(look, number=2), PLAN, 5))
    clean, mirrored = (render(samples[0], Look(0, kind), PLAN, 5) for kind in ("clean", "mirrored"))
    assert clean.shape == (5, 64, 64, 3)
    assert np.array_equal(mirrored[0], clean[0, :, ::-1])
    assert np.array_equal(mirrored[1], clean[2, :, ::-1])  # the left tile of the one is the right tile of the other
