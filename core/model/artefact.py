"""A model on disk: a folder of `model.keras` (kernels in float16) and `card.json`, verified before it is opened."""

import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ModelUnusable
from core.model.card import Card, Description, parse_card
from core.model.network import PREPROCESSING

if TYPE_CHECKING:
    import keras

WEIGHTS_FILE = "model.keras"
BRANCH_MEMBER = "outlines.keras"  # within the weights' file: the branch, a `.keras` file of its own
CARD_FILE = "card.json"
MAX_ARTEFACT_BYTES = 512 * 2**20
_MODELS = {"DTypePolicy", "Sequential", "Functional", "InputLayer"}
_CONVOLUTIONAL = {"UpSampling2D", "ZeroPadding2D", "Conv2D", "BatchNormalization", "Activation", "Add", "MaxPooling2D"}
_LAYERS = _MODELS | _CONVOLUTIONAL | {"GlobalAveragePooling2D", "Dropout", "Dense"}
_TENSOR = "__keras_tensor__"
_PLAIN_MODULES = {"keras.initializers", "keras.regularizers", "keras.constraints"}
_LAYER_MODULES = {"keras", "keras.layers", "keras.models", "keras.src.models.functional"}


@dataclass(frozen=True, slots=True)
class Artefact:
    """A verified artefact: its folder and what its card says."""

    folder: Path
    card: Card

    @property
    def weights_path(self) -> Path:
        """The `.keras` file."""
        return self.folder / WEIGHTS_FILE


def save_artefact(
    network: "keras.Model", description: Description, folder: Path, branch: "keras.Model | None" = None
) -> Artefact:
    """Write `network`, its `branch` if there is one, and its card to `folder`; nothing half-written is ever seen there.

    The folder must not exist yet.

    Kernels are stored as float16, everything one-dimensional (biases, BatchNormalization) as float32. Rounds the
    network's kernels in place, so that what is measured afterwards is what was saved; to measure before saving, call
    `round_to_float16` first. Raises `ModelUnusable` where a kernel does not fit float16.
    """
    if folder.exists():
        raise ModelUnusable(f"{folder} exists already and artefacts are never overwritten; choose another folder")
    round_to_float16(network)
    if branch is not None:
        round_to_float16(branch)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        temporary.chmod(0o755)
        _write_keras_file(network, temporary / WEIGHTS_FILE)
        if branch is not None:
            _add_branch(branch, temporary / WEIGHTS_FILE)
        sha256 = file_sha256(temporary / WEIGHTS_FILE)
        card = Card(**dict(description), weights_sha256=sha256, parameters=network.count_params())
        (temporary / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Artefact(folder, card)


def open_artefact(folder: Path) -> Artefact:
    """Read the card and verify the weights against it, without TensorFlow. Raises `ModelUnusable`."""
    card = parse_card(_read(folder / CARD_FILE), str(folder / CARD_FILE))
    if card.preprocessing != PREPROCESSING:
        raise ModelUnusable(
            f"{folder} wants photos prepared as {card.preprocessing!r}, and this Walkaround prepares them as "
            f"{PREPROCESSING!r}: run it with the version that trained it, or train it again"
        )
    verify_weights(_read(folder / WEIGHTS_FILE), card, str(folder / WEIGHTS_FILE))
    return Artefact(folder, card)


def write_card(artefact: Artefact, card: Card) -> Artefact:
    """Put another card in the artefact's folder, whole or not at all; its weights stay."""
    temporary = artefact.folder / f".{CARD_FILE}"
    temporary.write_text(card.to_json(), encoding="utf-8")
    temporary.replace(artefact.folder / CARD_FILE)
    return Artefact(artefact.folder, card)


def verify_weights(data: bytes, card: Card, origin: str) -> None:
    """Check a `.keras` file's bytes against its card: sha256, known layers only, number of parameters, input size.

    Raises `ModelUnusable` with `origin` in the message. Nothing in the file is executed or deserialised into objects.
    """
    _check_sha256(data, card, origin)
    config = network_config(data, origin)
    _check_layers(config, origin)
    shape = _input_shape(config)
    if shape != [None, card.input.size, card.input.size, 3]:
        raise ModelUnusable(
            f"{origin} takes input of shape {shape}, but its card says {card.input.size} x {card.input.size} RGB; "
            "save the model again"
        )
    from core.model.stored_weights import read_weights

    parameters = sum(array.size for arrays in read_weights(data, origin).values() for array in arrays)
    _check_branch(data, card, origin)
    if parameters != card.parameters:
        raise ModelUnusable(
            f"{origin} holds {parameters:,} parameters, but its card says {card.parameters:,}; save the model again"
        )


def verified_bytes(artefact: Artefact) -> bytes:
    """The `.keras` file's content, hashed again as it is read. Raises `ModelUnusable`."""
    data = _read(artefact.weights_path)
    _check_sha256(data, artefact.card, str(artefact.weights_path))
    return data


def load_network(artefact: Artefact) -> "keras.Sequential":
    """The network as Keras runs it, computing in float32: verified first, then loaded in safe mode.

    Raises `ModelUnusable`.
    """
    open_artefact(artefact.folder)
    import keras

    try:
        network = keras.saving.load_model(artefact.weights_path, compile=False, safe_mode=True)
    except Exception as error:
        raise ModelUnusable(
            f"Keras cannot load {artefact.weights_path}: {error}; save the model again with this version"
        ) from error
    if network.count_params() != artefact.card.parameters or network.output_shape != (None, 1):
        raise ModelUnusable(
            f"{artefact.weights_path} is not a network with one output and {artefact.card.parameters:,} parameters; "
            "save the model again"
        )
    return network


def network_config(data: bytes, origin: str) -> dict[str, Any]:
    """The architecture in a `.keras` file as plain JSON. Raises `ModelUnusable`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ModelUnusable(f"{origin} is not a Keras model file ({error}); save the model again") from error
    if not isinstance(config, dict):
        raise ModelUnusable(f"{origin} is not a Keras model file (config.json is no object); save the model again")
    return config


def branch_bytes(data: bytes, origin: str) -> bytes | None:
    """The branch's own `.keras` file within that of its network, None where there is none. Raises `ModelUnusable`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(BRANCH_MEMBER) if BRANCH_MEMBER in archive.namelist() else None
    except zipfile.BadZipFile as error:
        raise ModelUnusable(f"{origin} is not a Keras model file ({error}); save the model again") from error


def round_to_float16(network: "keras.Model") -> None:
    """Round every kernel to the nearest float16, in place and still float32. Raises `ModelUnusable` on overflow."""
    for variable in network.weights:
        if len(variable.shape) < 2:
            continue
        with np.errstate(over="ignore"):
            rounded = np.asarray(variable.numpy()).astype(np.float16).astype(np.float32)
        if not np.isfinite(rounded).all():
            raise ModelUnusable(
                f"the weight {variable.path} does not fit float16: training has diverged; "
                "train again with a lower learning rate"
            )
        variable.assign(rounded)


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_sha256(data: bytes, card: Card, origin: str) -> None:
    actual = hashlib.sha256(data).hexdigest()
    if actual != card.weights_sha256:
        raise ModelUnusable(
            f"{origin} does not match its card: its sha256 is {actual}, the card says {card.weights_sha256}; "
            "the file was changed or cut short: fetch the artefact again"
        )


def _write_keras_file(network: "keras.Model", path: Path) -> None:
    """Save with Keras, then store the kernels as float16: Keras casts them back to each variable's type on loading."""
    from core.model.stored_weights import WEIGHTS_MEMBER, with_float16_kernels

    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        full = Path(scratch) / WEIGHTS_FILE
        network.save(full, include_optimizer=False)
        with zipfile.ZipFile(full) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for member in source.namelist():
                content = source.read(member)
                target.writestr(member, with_float16_kernels(content) if member == WEIGHTS_MEMBER else content)


def _add_branch(branch: "keras.Model", path: Path) -> None:
    """Put the branch into the network's file."""
    inner = path.with_name(BRANCH_MEMBER)
    _write_keras_file(branch, inner)
    with zipfile.ZipFile(path, "a") as target:
        target.write(inner, BRANCH_MEMBER, zipfile.ZIP_STORED)
    inner.unlink()


def _check_branch(data: bytes, card: Card, origin: str) -> None:
    """The branch is there where the card declares it, and as large; made of plain layers only."""
    from core.model.stored_weights import read_weights

    branch = branch_bytes(data, origin)
    if branch is not None:
        _check_layers(network_config(branch, origin), origin)
    stored = read_weights(branch, origin).values() if branch is not None else ()
    parameters = sum(array.size for arrays in stored for array in arrays)
    declared = card.outlines.parameters if card.outlines is not None else 0
    if parameters != declared:
        raise ModelUnusable(
            f"{origin} holds a branch of {parameters:,} parameters, but its card says {declared:,}; "
            "save the model again"
        )


def _check_layers(config: Any, origin: str) -> None:
    """Refuse whatever is not a plain layer of the classifier, a Lambda or custom code above all."""
    if isinstance(config, list):
        for item in config:
            _check_layers(item, origin)
    elif isinstance(config, dict):
        module, name = config.get("module"), config.get("class_name")
        # Keras finds a class by its name alone too, as a Lambda; it stores only its tensors without a module.
        names_a_class = "module" in config or ("class_name" in config and name != _TENSOR)
        if names_a_class and module not in _PLAIN_MODULES | _LAYER_MODULES:
            raise ModelUnusable(
                f"{origin} holds custom code ({module}.{name}), which is never run; use plain Keras layers"
            )
        if module in _LAYER_MODULES and name not in _LAYERS:
            raise ModelUnusable(
                f"{origin} holds a layer {name}, which the classifier does not have; save the model again"
            )
        for item in config.values():
            _check_layers(item, origin)


def _input_shape(config: dict[str, Any]) -> list[int | None] | None:
    layers = config.get("config", {}).get("layers", [])
    shapes = [layer["config"].get("batch_shape") for layer in layers[:1] if layer.get("class_name") == "InputLayer"]
    return shapes[0] if shapes else None


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_ARTEFACT_BYTES:
            raise ModelUnusable(
                f"{path} is larger than {MAX_ARTEFACT_BYTES // 2**20} MB, which no model of ours is; check the path"
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelUnusable(
            f"{path} is missing: {path.parent} is not a whole model artefact; "
            f"give a folder that holds {WEIGHTS_FILE} and {CARD_FILE}, or fetch it again"
        ) from error
    except OSError as error:
        raise ModelUnusable(f"{path} cannot be read ({error.strerror}); check its permissions") from error
