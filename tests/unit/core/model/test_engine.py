from typing import Any

import numpy as np
import pytest

from core.errors import ModelFailed
from core.model.artefact import Artefact, verified_bytes
from core.model.engine import Engine, ViewOutputs, load_engine
from core.model.folding import read_network
from core.model.forward import Outputs, trace_forward
from core.model.network import preprocess
from core.model.precision import Precision


class SmallMemory:
    """A device whose memory holds `room` views; the logit of a view is its mean, every cell of its map too."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.batches: list[int] = []

    def __call__(self, views: np.ndarray) -> Outputs:
        self.batches.append(len(views))
        if len(views) > self.room:
            raise MemoryError
        maps = views.mean(axis=3, dtype=np.float64)
        logits = maps.mean(axis=(1, 2))
        constants = np.full(len(views), -1.0)
        features = maps.reshape(len(views), -1)
        cells = maps[..., None]
        answers = (part.astype(np.float32) for part in (logits - 1, maps, constants, features, cells))
        return next(answers), next(answers), next(answers), next(answers), next(answers)


@pytest.fixture(scope="module")
def engine(artefact: Artefact) -> Engine:
    return load_engine(artefact)


@pytest.fixture
def views() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (11, 4, 4, 3), dtype=np.uint8)


def test_engine_answers_as_keras_does(engine: Engine, network: Any, photos: np.ndarray) -> None:
    expected = network(preprocess(photos[:, 0]), training=False).numpy()[:, 0]
    logits = engine.run(photos[:, 0]).logits
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, atol=1e-5)


def test_heat_map_is_exact(engine: Engine, photos: np.ndarray) -> None:
    outputs = engine.run(photos[:, 0])
    assert outputs.heatmaps.shape == (10, 2, 2)
    assert np.ptp(outputs.heatmaps) > 0.1
    np.testing.assert_allclose(outputs.heatmaps.mean(axis=(1, 2)) + outputs.constants, outputs.logits, atol=1e-5)


def test_batched_and_single_agree(engine: Engine, photos: np.ndarray) -> None:
    single = np.concatenate([engine.run(photo).logits for photo in photos])
    np.testing.assert_allclose(engine.run(photos[:, 0]).logits, single, atol=1e-4)


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_an_answer_is_equal_to_the_bit_in_any_batch(engine: Engine, photos: np.ndarray, batch: int) -> None:
    """ADR 5 and 8: what shares a batch is chance, and a set scored again gives the same row, byte for byte."""
    together = engine.run(photos[:, 0])
    parts = ViewOutputs.concatenate(
        [engine.run(photos[start : start + batch, 0]) for start in range(0, len(photos), batch)]
    )
    for name in ("logits", "heatmaps", "constants", "features"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(together, name))


def test_bfloat16_is_close(artefact: Artefact, engine: Engine, photos: np.ndarray) -> None:
    fast = load_engine(artefact, precision="bfloat16").run(photos[:, 0])
    np.testing.assert_allclose(fast.logits, engine.run(photos[:, 0]).logits, atol=0.2)


@pytest.mark.parametrize(
    ("precision", "has", "warns"), [("bfloat16", False, True), ("bfloat16", True, False), ("float32", False, False)]
)
def test_bfloat16_is_warned_of_where_the_processor_imitates_it(
    artefact: Artefact,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    precision: Precision,
    has: bool,
    warns: bool,
) -> None:
    monkeypatch.setattr("core.model.engine.has_bfloat16", lambda: has)
    load_engine(artefact, precision=precision)
    assert ("this processor has no bfloat16" in caplog.text) is warns


@pytest.mark.parametrize(("room", "left"), [(1000, 8), (5, 4), (3, 2), (1, 1)])
def test_batches_halve_until_they_fit(views: np.ndarray, room: int, left: int) -> None:
    device = SmallMemory(room)
    engine = Engine(device, batch_size=8)
    np.testing.assert_array_equal(engine.run(views).logits, Engine(SmallMemory()).run(views).logits)
    assert engine.batch_size == left
    device.batches.clear()
    engine.run(views)
    assert max(device.batches) == left  # the smaller batch is remembered


def test_memory_for_no_photo_at_all_is_an_error(views: np.ndarray) -> None:
    with pytest.raises(ModelFailed, match="not the memory to score a single photo"):
        Engine(SmallMemory(0)).run(views)


def test_padding_changes_no_answer(views: np.ndarray) -> None:
    device = SmallMemory()
    padded = Engine(device, batch_size=8, pad=True).run(views)
    assert device.batches == [8, 4]
    np.testing.assert_array_equal(padded.logits, Engine(SmallMemory()).run(views).logits)


def test_padding_never_exceeds_the_batch_that_was_asked_for() -> None:
    device = SmallMemory()
    views = np.zeros((9, 4, 4, 3), np.uint8)
    assert len(Engine(device, batch_size=9, pad=True).run(views).logits) == 9
    assert device.batches == [9]


@pytest.mark.parametrize(("batch_size", "given"), [(8, 2), (1, 1)])
def test_a_view_alone_is_computed_as_one_of_two(batch_size: int, given: int) -> None:
    """Other kernels compute a batch of one, and differ in the last bits: a set scored again gives the same row."""
    device = SmallMemory()
    outputs = Engine(device, batch_size=batch_size).run(np.zeros((1, 4, 4, 3), np.uint8))
    assert len(outputs.logits) == len(outputs.features) == 1
    assert device.batches == [given]


def test_flipped_answers_are_averaged_in_place(views: np.ndarray) -> None:
    class LeftEdge(SmallMemory):
        """Only the left column counts."""

        def __call__(self, views: np.ndarray) -> Outputs:
            masked = views.copy()
            masked[:, :, 1:] = 0
            return super().__call__(masked)

    outputs = Engine(LeftEdge(), flip=True).run(views)
    both_edges = views.copy()
    both_edges[:, :, 1:3] = 0
    np.testing.assert_allclose(outputs.heatmaps, both_edges.mean(axis=3) / 2, rtol=1e-6)
    np.testing.assert_allclose(outputs.cells[..., 0], both_edges.mean(axis=3) / 2, rtol=1e-6)


def test_a_map_that_does_not_explain_its_logit_is_an_error(views: np.ndarray) -> None:
    class Wrong(SmallMemory):
        def __call__(self, views: np.ndarray) -> Outputs:
            logits, maps, constants, features, cells = super().__call__(views)
            return logits + np.float32(0.001), maps, constants, features, cells

    with pytest.raises(ModelFailed, match="does not add up"):
        Engine(Wrong()).run(views)


def test_compiled_by_xla_it_answers_the_same(artefact: Artefact, engine: Engine, photos: np.ndarray) -> None:
    import tensorflow as tf

    network = read_network(verified_bytes(artefact), "here")
    logits, heatmaps, constants, *_ = trace_forward(network, 64, "float32", xla=True)(tf.constant(photos[:2, 0]))
    np.testing.assert_allclose(logits, engine.run(photos[:2, 0]).logits, atol=1e-4)
    np.testing.assert_allclose(np.mean(heatmaps, axis=(1, 2)) + constants, logits, atol=1e-5)
