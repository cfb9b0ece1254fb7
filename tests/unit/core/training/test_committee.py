import numpy as np
import pytest

from core.training.committee import fit_members, merge
from core.training.recipe import Recipe

CHANNELS = 2048


@pytest.fixture(scope="module")
def looks() -> tuple[np.ndarray, np.ndarray]:
    """Forty looks of three views; what tells them apart is one channel of every view."""
    rng = np.random.default_rng(0)
    targets = (np.arange(40) % 2).astype(np.float32)[:, None]
    features = rng.random((40, 3, CHANNELS), dtype=np.float32)
    features[..., 7] += 3 * targets
    return features, targets


def test_the_merged_head_is_the_mean_of_its_members(looks: tuple[np.ndarray, np.ndarray]) -> None:
    import keras

    from core.model.network import build_network

    members = fit_members(*looks, Recipe(members=4, batch=8))
    assert len({member.count_params() for member in members}) == 1
    layers = build_network(64, 0.5).layers[2:]
    head = keras.Sequential([keras.Input((CHANNELS,)), *layers])
    merge(members, layers)
    views = looks[0].reshape(-1, CHANNELS)
    logits = np.mean([member(views, training=False).numpy() for member in members], axis=0)
    assert np.std(logits) > 0.1
    assert np.allclose(head(views, training=False).numpy(), 1 / (1 + np.exp(-logits)), atol=1e-5)


def test_members_learn_and_differ(looks: tuple[np.ndarray, np.ndarray]) -> None:
    features, targets = looks
    done: list[tuple[int, int]] = []
    members = fit_members(features, targets, Recipe(members=2, batch=8, dropout=0.1), lambda *at: done.append(at))
    answers = [member(features[:, 0], training=False).numpy()[:, 0] for member in members]
    for answer in answers:
        assert answer[targets[:, 0] == 1].mean() > answer[targets[:, 0] == 0].mean()
    assert not np.allclose(*answers)
    assert done == [(1, 2), (2, 2)]


def test_units_are_shared_evenly(looks: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="3 members cannot share"):
        fit_members(*looks, Recipe(members=3))
