"""The classifier as a plain list of steps, read from a verified `.keras` file, BatchNormalization folded away."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ModelUnusable
from core.model.artefact import branch_bytes, network_config

Array = NDArray[np.float32]
Weights = dict[str, list[NDArray[Any]]]


@dataclass(frozen=True, slots=True)
class Step:
    """One layer of the backbone: `kind` is its Keras class, `inputs` name the steps whose output it takes."""

    kind: str
    name: str
    inputs: tuple[str, ...]
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Convolution:
    """Kernel (rows, columns, in, out) and bias (out,), float32."""

    kernel: Array
    bias: Array


@dataclass(frozen=True, slots=True)
class Head:
    """The layers after the pooling, named as in model.md; the normalisation is scale * g + shift."""

    scale: Array
    shift: Array
    w1: Array
    b1: Array
    w2: Array
    b2: Array
    w3: Array
    b3: Array


@dataclass(frozen=True, slots=True)
class FoldedNetwork:
    """Backbone steps in an order that can be run, their convolutions by name, and the head.

    `outlines` are the steps of the branch that says where the damage is, if there is one; they read the backbone's.
    """

    steps: tuple[Step, ...]
    convolutions: dict[str, Convolution]
    head: Head
    outlines: tuple[Step, ...] = ()


def read_network(data: bytes, origin: str) -> FoldedNetwork:
    """Fold a verified `.keras` file's bytes. Raises `ModelUnusable` where it holds another network."""
    with _expected_network(origin):
        layers, weights = _layers(data, origin)
        steps, convolutions = _fold(read_steps(layers[0]["config"]), weights)
        outlines = _fold_branch(data, convolutions, origin)
        return FoldedNetwork(tuple(steps), convolutions, _head(layers[3:], weights), outlines)


def read_head(data: bytes, origin: str) -> Head:
    """The head alone of a verified `.keras` file's bytes. Raises `ModelUnusable`."""
    with _expected_network(origin):
        layers, weights = _layers(data, origin)
        return _head(layers[3:], weights)


def _fold_branch(data: bytes, convolutions: dict[str, Convolution], origin: str) -> tuple[Step, ...]:
    """The steps of the file's branch, none where it has none; adds its convolutions.

    Its inputs are named like the backbone's steps that they read.
    """
    from core.model.stored_weights import read_weights

    branch = branch_bytes(data, origin)
    if branch is None:
        return ()
    steps, own = _fold(read_steps(network_config(branch, origin)["config"]), read_weights(branch, origin))
    convolutions |= own
    return tuple(step for step in steps if step.kind != "InputLayer")


@contextmanager
def _expected_network(origin: str) -> Iterator[None]:
    """What is missing or out of place in the file says that it holds another network."""
    try:
        yield
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise ModelUnusable(f"{origin} is not a ResNet50 with our head ({error!r}); save the model again") from error


def _layers(data: bytes, origin: str) -> tuple[list[dict[str, Any]], Weights]:
    config = network_config(data, origin)
    layers = [layer for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"]
    kinds = [layer["class_name"] for layer in layers]
    if kinds != [
        "Functional",
        "GlobalAveragePooling2D",
        "Dropout",
        "BatchNormalization",
        "Dense",
        "Dense",
        "Dense",
    ]:
        raise ModelUnusable(f"{origin} is not a ResNet50 with our head: its layers are {', '.join(kinds)}")
    from core.model.stored_weights import read_weights

    return layers, read_weights(data, origin)


def read_steps(config: dict[str, Any]) -> list[Step]:
    """The layers of a functional Keras model from its configuration (`get_config`, or as stored), in its order."""
    steps = []
    for layer in config["layers"]:
        calls = layer["inbound_nodes"]
        tensors = calls[0]["args"][0] if calls else []
        sources = tensors if isinstance(tensors, list) else [tensors]
        inputs = tuple(tensor["config"]["keras_history"][0] for tensor in sources)
        steps.append(Step(layer["class_name"], layer["name"], inputs, layer["config"]))
    return steps


def _fold(steps: list[Step], weights: Weights) -> tuple[list[Step], dict[str, Convolution]]:
    """Merge each BatchNormalization into the convolution before it, whose output nothing else reads."""
    consumers = Counter(name for step in steps for name in step.inputs)
    convolutions: dict[str, Convolution] = {}
    alias: dict[str, str] = {}
    folded = []
    for step in steps:
        inputs = tuple(alias.get(name, name) for name in step.inputs)
        if step.kind == "Conv2D":
            kernel, *bias = weights.pop(step.name)
            convolutions[step.name] = Convolution(
                kernel.astype(np.float32), (bias[0] if bias else np.zeros(kernel.shape[-1])).astype(np.float32)
            )
        elif step.kind == "BatchNormalization":
            (source,) = inputs
            if source not in convolutions or consumers[step.inputs[0]] != 1:
                raise ValueError(f"{step.name} does not follow a convolution of its own")
            folded_in = normalisation(weights[step.name], step.settings["epsilon"])
            convolutions[source] = fold_normalisation(convolutions[source], *folded_in)
            alias[step.name] = source
            continue
        folded.append(replace(step, inputs=inputs))
    return folded, convolutions


def normalisation(weights: list[NDArray[Any]], epsilon: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """BatchNormalization with moving statistics as scale * x + shift. `weights` are gamma, beta, mean and variance."""
    gamma, beta, mean, variance = (array.astype(np.float64) for array in weights)
    scale = gamma / np.sqrt(variance + epsilon)
    return scale, beta - mean * scale


def fold_normalisation(convolution: Convolution, scale: NDArray[np.float64], shift: NDArray[np.float64]) -> Convolution:
    """The convolution followed by scale * x + shift, as one. Its kernel is changed in place: no second network."""
    np.multiply(convolution.kernel, scale, out=convolution.kernel, casting="same_kind")
    return Convolution(convolution.kernel, (convolution.bias * scale + shift).astype(np.float32))


def _head(layers: list[dict[str, Any]], weights: Weights) -> Head:
    first, *dense = [layer["config"] for layer in layers]
    if [layer["activation"] for layer in dense] != ["relu", "relu", "sigmoid"]:
        raise ValueError("the head's activations are not relu, relu, sigmoid")
    scale, shift = normalisation(weights[first["name"]], first["epsilon"])
    parts = [array.astype(np.float32) for layer in dense for array in weights[layer["name"]]]
    w1, b1, w2, b2, w3, b3 = parts
    return Head(scale.astype(np.float32), shift.astype(np.float32), w1, b1, w2, b2, w3, b3)
