import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ModelUnusable
from core.model.artefact import (
    CARD_FILE,
    WEIGHTS_FILE,
    Artefact,
    file_sha256,
    load_network,
    open_artefact,
    save_artefact,
    verified_bytes,
    write_card,
)
from core.model.card import parse_card
from core.model.folding import read_network
from core.model.stored_weights import read_weights
from tests.unit.core.conftest import DESCRIPTION

MakeArtefact = Callable[..., Artefact]


def layer(class_name: str, module: str | None = "keras.layers", **settings: Any) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": settings}


INPUT = layer("InputLayer", batch_shape=[None, 64, 64, 3])


def test_a_whole_artefact_opens(make_artefact: MakeArtefact) -> None:
    made = make_artefact()
    assert open_artefact(made.folder) == made


@pytest.mark.parametrize("file", [CARD_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_named(make_artefact: MakeArtefact, file: str) -> None:
    folder = make_artefact().folder
    (folder / file).unlink()
    with pytest.raises(ModelUnusable, match=rf"{file} is missing.*fetch it again"):
        open_artefact(folder)


def test_one_changed_bit_is_found(make_artefact: MakeArtefact) -> None:
    made = make_artefact()
    data = bytearray(made.weights_path.read_bytes())
    data[len(data) // 2] ^= 1
    made.weights_path.write_bytes(data)
    for check in (lambda: open_artefact(made.folder), lambda: verified_bytes(made), lambda: load_network(made)):
        with pytest.raises(ModelUnusable, match=r"model\.keras does not match its card.*fetch the artefact again"):
            check()


def test_a_malformed_card_is_named(make_artefact: MakeArtefact) -> None:
    folder = make_artefact().folder
    (folder / CARD_FILE).write_text('{"name": ')
    with pytest.raises(ModelUnusable, match=r"card\.json is not a valid model card"):
        open_artefact(folder)


def test_photos_are_never_prepared_otherwise_than_in_training(make_artefact: MakeArtefact) -> None:
    made = make_artefact()
    write_card(made, made.card.model_copy(update={"preprocessing": "imagenet-bgr-1"}))
    with pytest.raises(ModelUnusable, match=r"prepared as 'imagenet-bgr-1'.*run it with the version that trained it"):
        open_artefact(made.folder)


@pytest.mark.parametrize(
    ("card", "complaint"),
    [
        ({"parameters": 17}, "holds 16 parameters, but its card says 17"),
        ({"input": {"size": 224}}, "its card says 224"),
    ],
)
def test_weights_that_are_not_the_cards_are_refused(
    make_artefact: MakeArtefact, card: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ModelUnusable, match=complaint):
        open_artefact(make_artefact(**card).folder)


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (layer("Lambda", function={"class_name": "__lambda__"}), "a layer Lambda"),
        (layer("TFSMLayer"), "a layer TFSMLayer"),
        (layer("Dense", module="evil.module"), r"custom code \(evil\.module\.Dense\)"),
        (layer("Dense", activation=layer("function", module="builtins")), "custom code"),
        (layer("Lambda", module="keras"), "a layer Lambda"),
        (layer("Dense", module=None), "custom code"),
        ({"class_name": "Lambda", "config": {"name": "l", "function": "f"}}, r"custom code \(None\.Lambda\)"),
        ({"class_name": "evil>Layer", "config": {}}, "custom code"),
    ],
)
def test_what_could_run_code_is_refused_unopened(
    make_artefact: MakeArtefact, bad: dict[str, Any], complaint: str
) -> None:
    made = make_artefact(config=layer("Sequential", module="keras", layers=[INPUT, bad]))
    with pytest.raises(ModelUnusable, match=complaint):
        open_artefact(made.folder)


def test_a_file_that_is_no_model_is_refused(make_artefact: MakeArtefact) -> None:
    made = make_artefact()
    made.weights_path.write_bytes(b"not a zip")
    card = made.card.model_copy(update={"weights_sha256": file_sha256(made.weights_path)})
    (made.folder / CARD_FILE).write_text(card.to_json())
    with pytest.raises(ModelUnusable, match="is not a Keras model file"):
        open_artefact(made.folder)


def test_another_network_cannot_be_served(make_artefact: MakeArtefact) -> None:
    made = make_artefact()
    with pytest.raises(ModelUnusable, match="is not a ResNet50 with our head"):
        read_network(made.weights_path.read_bytes(), "model.keras")


def test_saved_network_comes_back_as_it_was_measured(network: Any, artefact: Artefact) -> None:
    loaded = load_network(artefact)
    assert loaded.count_params() == artefact.card.parameters == 24_153_473
    for before, after in zip(network.weights, loaded.weights, strict=True):
        assert after.dtype == "float32"
        np.testing.assert_array_equal(before.numpy(), after.numpy())


def test_kernels_are_halved_and_the_rest_is_whole(artefact: Artefact) -> None:
    assert artefact.weights_path.stat().st_size < 50_000_000
    for arrays in read_weights(artefact.weights_path.read_bytes(), "").values():
        assert all(array.dtype == (np.float16 if array.ndim > 1 else np.float32) for array in arrays)


def test_artefacts_are_never_overwritten(network: Any, artefact: Artefact) -> None:
    before = artefact.weights_path.stat()
    with pytest.raises(ModelUnusable, match="exists already"):
        save_artefact(network, DESCRIPTION, artefact.folder)
    assert artefact.weights_path.stat() == before


def test_a_diverged_network_is_not_saved(tmp_path: Path) -> None:
    import keras

    diverged = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    diverged.layers[0].kernel.assign([[1e5], [1]])
    with pytest.raises(ModelUnusable, match="does not fit float16.*lower learning rate"):
        save_artefact(diverged, DESCRIPTION, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_fails_leaves_nothing(artefact: Artefact, tmp_path: Path) -> None:
    class Unsavable:
        weights: tuple[()] = ()

        def save(self, path: Path, include_optimizer: bool) -> None:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        save_artefact(Unsavable(), DESCRIPTION, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_card_and_weights_are_plain_files(artefact: Artefact) -> None:
    assert parse_card((artefact.folder / CARD_FILE).read_bytes(), "") == artefact.card
    with zipfile.ZipFile(io.BytesIO(artefact.weights_path.read_bytes())) as archive:
        assert json.loads(archive.read("config.json"))["class_name"] == "Sequential"
