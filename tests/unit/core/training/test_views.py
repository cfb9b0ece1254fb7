from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.training.dataset import Sample
from core.training.outlines import Region, Regions
from core.training.views import View, attributes_of, plan_views, render
from core.training.windows import WHOLE

LEFT = (Region(np.array([(0.0, 0.25), (0.25, 0.25), (0.25, 0.75), (0.0, 0.75)]), "dent"),)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """An outlined photo with a red patch at its left, an intact one, and a damaged one without outlines."""
    rng = np.random.default_rng(0)
    made = []
    for name, damaged, view in (("outlined", True, "unknown"), ("intact", False, "whole"), ("label", True, "part")):
        pixels = rng.integers(90, 110, (96, 192, 3), dtype=np.uint8)
        if name == "outlined":
            pixels[24:72, :48] = (250, 0, 0)
        path = tmp_path / f"{name}.png"
        Image.fromarray(pixels).save(path)
        made.append(Sample(path, name, damaged, "train", name, "here", view))
    return made


@pytest.fixture
def outlines() -> dict[str, Regions]:
    return {"outlined": LEFT}


def test_every_kind_of_photo_has_its_views(samples: list[Sample], outlines: dict[str, Regions]) -> None:
    views = plan_views(samples, outlines, seed=0, painted=1.0)
    said = {
        sample.name: sorted((v.framing, v.damaged, v.mapped, v.painted) for v in views if samples[v.sample] == sample)
        for sample in samples
    }
    assert {(framing, damaged) for framing, damaged, mapped, _ in said["outlined"] if mapped} == {
        ("photo", True), ("window", True), ("window", False)
    }  # fmt: skip
    assert said["label"] == [("photo", True, False, False)]
    assert [view[1:] for view in said["intact"] if not view[3]] == [(False, True, False)] * 2
    assert sum(view[3] for view in said["intact"]) == 1
    assert views == plan_views(samples, outlines, seed=0, painted=1.0)
    assert not any(view.painted for view in plan_views(samples, outlines, seed=0, painted=0.0))


def test_a_view_and_its_known_damage_are_mirrored_together(samples: list[Sample]) -> None:
    plain, known = render(samples[0], View(0, WHOLE, True, True), LEFT, 64, 8, seed=0)
    turned, known_turned = render(samples[0], View(0, WHOLE, True, True, mirrored=True), LEFT, 64, 8, seed=0)
    assert plain.shape == (64, 64, 3)
    np.testing.assert_array_equal(turned, plain[:, ::-1])
    np.testing.assert_array_equal(known_turned, known[:, ::-1])
    red = plain.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3))[..., 0] > 180
    np.testing.assert_array_equal(known[..., 0] > 127, red)


def test_painted_damage_is_known_where_pixels_changed(samples: list[Sample]) -> None:
    clean, _ = render(samples[1], View(1, WHOLE, False, True, number=1), (), 64, 8, seed=0)
    painted, known = render(samples[1], View(1, WHOLE, True, True, painted=True, number=1), (), 64, 8, seed=0)
    changed = (np.abs(painted.astype(int) - clean).max(axis=2) >= 8).reshape(8, 8, 8, 8).any(axis=(1, 3))
    assert changed.any()
    np.testing.assert_array_equal(known[..., 0] > 0, changed)


def test_attributes_tell_source_framing_size_and_compression(samples: list[Sample]) -> None:
    views = [View(1, WHOLE, False, True), View(2, WHOLE, True, False), View(0, (0.0, 0.0, 0.5, 0.5), True, True)]
    attributes = attributes_of(samples, views)
    assert attributes["framing"].tolist() == ["photo, whole", "photo, part", "window"]
    assert attributes["size"].tolist() == ["1", "1", "0"]
    assert set(attributes["source"]) == {"here"}
