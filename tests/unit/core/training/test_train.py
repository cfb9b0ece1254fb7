import json
from pathlib import Path

import numpy as np
import pytest

from core.domain import ViewPlan
from core.errors import DatasetInvalid
from core.model.network import build_network
from core.training.dataset import Sample
from core.training.train import TrainingResult, _inference, train, use_bfloat16
from tests.unit.core.training.conftest import RECIPE

PLAN = ViewPlan(64, tiles=2)
BFLOAT16 = "auto_mixed_precision_onednn_bfloat16"


class Killed(Exception):
    """Stands for a kill."""


@pytest.fixture(scope="module")
def trained(samples: list[Sample], base: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    return train(samples, RECIPE, tmp_path_factory.mktemp("run"), base)


def test_training_learns_what_tells_the_labels_apart_and_leaves_the_frozen_stages(
    trained: TrainingResult, base: Path
) -> None:
    assert trained.epochs[trained.best].val_accuracy == 1.0
    assert trained.best == int(np.argmin([epoch.val_loss for epoch in trained.epochs]))
    untouched = build_network(64, base_weights=base).layers[0].get_layer("conv4_block6_3_conv")
    assert np.array_equal(
        trained.network.layers[0].get_layer("conv4_block6_3_conv").get_weights()[0], untouched.get_weights()[0]
    )


def test_a_killed_run_goes_on_to_the_same_end(
    samples: list[Sample], base: Path, trained: TrainingResult, tmp_path: Path
) -> None:
    def kill_in_second_epoch(phase: str, done: int, of: int) -> None:
        if phase.startswith("epoch 2"):
            raise Killed

    with pytest.raises(Killed):
        train(samples, RECIPE, tmp_path, base, kill_in_second_epoch)
    assert len(json.loads((tmp_path / "history.json").read_text())) == 2  # the head and the first epoch
    phases = set()
    resumed = train(samples, RECIPE, tmp_path, base, lambda phase, *_: phases.add(phase))
    assert phases == {"epoch 2 of 2"}  # neither looks nor head nor the first epoch were done again
    for ours, theirs in zip(resumed.epochs, trained.epochs, strict=True):
        assert ours.val_loss == pytest.approx(theirs.val_loss, abs=1e-3)


def test_a_run_killed_between_checkpoint_and_history_trains_no_epoch_twice(
    samples: list[Sample], base: Path, trained: TrainingResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint is of an epoch that history.json does not know: the run goes on from the one before."""
    write = Path.write_text

    def kill_before_the_second_epoch_is_told(path: Path, text: str) -> int:
        if path.name == "new-history.json" and len(json.loads(text)) == 3:
            raise Killed
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", kill_before_the_second_epoch_is_told)
    with pytest.raises(Killed):
        train(samples, RECIPE, tmp_path, base)
    monkeypatch.undo()
    resumed = train(samples, RECIPE, tmp_path, base)
    for ours, theirs in zip(resumed.epochs, trained.epochs, strict=True):
        assert ours.val_loss == pytest.approx(theirs.val_loss, abs=1e-3)
    assert [path.name for path in tmp_path.glob("checkpoint*")] == ["checkpoint2.keras"], "one is kept"


def test_a_model_is_traced_once_for_all_its_batches() -> None:
    """A function made anew for each epoch is traced anew, which takes seconds and which TensorFlow warns of."""
    import keras

    traced = []

    class Traced(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: object) -> object:
            traced.append(inputs)
            return inputs

    look = keras.Input((5, 4))
    infer = _inference(keras.Model(look, [Traced()(look), look]))
    for looks in (3, 2):
        infer(np.zeros((looks, 5, 4), np.float32))
    so_far = len(traced)
    for looks in (3, 2, 7, 1):
        assert infer(np.ones((looks, 5, 4), np.float32)).shape == (looks, 5, 4)
    assert len(traced) == so_far


def test_a_workspace_refuses_another_recipe(samples: list[Sample], base: Path, tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    with pytest.raises(DatasetInvalid, match="another recipe"):
        train(samples, RECIPE, tmp_path, base)


@pytest.mark.parametrize("has", [True, False])
def test_a_processor_without_bfloat16_is_not_made_to_imitate_it(
    samples: list[Sample], base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: bool
) -> None:
    import tensorflow as tf

    def stop(*_: object) -> None:
        assert tf.config.optimizer.get_experimental_options()[BFLOAT16] is has
        raise Killed

    monkeypatch.setattr("core.training.train.has_bfloat16", lambda: has)
    with pytest.raises(Killed):
        train(samples, RECIPE, tmp_path / "run", base, stop)
    use_bfloat16(False)
