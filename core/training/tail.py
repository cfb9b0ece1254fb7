"""The part of the network that trains, conv5 and the head, as a network of its own over cached conv4 features.

conv5 reads conv4's output with stride 2 in both of its first convolutions, so only every second row and column of it
ever matters: (7, 7, 1024) instead of (14, 14, 1024) at 224 pixels. The tail takes exactly these, with stride 1.
"""

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.model.folding import read_steps
from core.model.network import FROZEN_LAYERS
from core.model.pooling import Pooling

if TYPE_CHECKING:
    import keras

FROZEN_OUTPUT = "conv4_block6_out"


def features_side(input_size: int) -> int:
    """Rows (and columns) of conv4's output that conv5 reads, for square input of this many pixels."""
    return -(-input_size // 32)


def build_tail(network: "keras.Sequential") -> "keras.Model":
    """A trainable copy of the network's conv5 and head for features (n, side, side, 1024); output: logits (n, 1).

    Layers keep their names. Every BatchNormalization stays in inference mode while its scale and shift train: a batch
    here is a dozen photos, each seen several times.
    """
    import keras

    backbone, *head = network.layers
    side = features_side(backbone.input_shape[1])
    features = keras.Input((side, side, backbone.get_layer(FROZEN_OUTPUT).output.shape[-1]))
    outputs = {FROZEN_OUTPUT: features}
    sources = {step.name: step.inputs for step in read_steps(backbone.get_config())}
    for layer in backbone.layers[FROZEN_LAYERS:]:
        inputs = [outputs[name] for name in sources[layer.name]]
        outputs[layer.name] = _copy(layer)(inputs[0] if len(inputs) == 1 else inputs)
    result = outputs[backbone.layers[-1].name]
    for layer in head[:-1]:
        result = _copy(layer)(result)
    tail = keras.Model(features, _copy(head[-1], activation="linear")(result), name="tail")
    _move_weights(network, tail)
    return tail


def build_bag(part: "keras.Model", views: int, pooling: Pooling) -> "keras.Model":
    """A model of whole looks around one of single views: input (n, views, ...), the whole photo's view first.

    Two outputs, both logits (n, 1): of the photo, pooled as in serving (no log-sum-exp here), and of its whole view
    alone. One label for many views is multiple-instance learning: a tile of a damaged photo need not show the damage.
    """
    import keras

    shape = part.input_shape[1:]
    look = keras.Input((views, *shape))
    logits = keras.ops.reshape(part(keras.ops.reshape(look, (-1, *shape))), (-1, views))
    whole = logits[:, :1]
    pooled = pooling.whole * whole + pooling.bias
    if views > 1:
        tiles = logits[:, 1:]
        pooled += pooling.tile_max * keras.ops.max(tiles, axis=1, keepdims=True)
        pooled += pooling.tile_mean * keras.ops.mean(tiles, axis=1, keepdims=True)
    return keras.Model(look, [pooled, whole])


def copy_back(tail: "keras.Model", network: "keras.Sequential") -> None:
    """Put the tail's weights into the whole network."""
    targets = _tail_layers(network)
    for layer in tail.layers:
        if layer.weights:
            targets[layer.name].set_weights(layer.get_weights())


def head_layers(tail: "keras.Model") -> list["keras.layers.Layer"]:
    """The tail's layers behind the pooling, dropout first."""
    import keras

    kinds = [isinstance(layer, keras.layers.GlobalAveragePooling2D) for layer in tail.layers]
    return list(tail.layers[kinds.index(True) + 1 :])


def read_positions(conv4: NDArray[np.floating]) -> NDArray[np.floating]:
    """The part of conv4's output (n, rows, columns, 1024) that conv5 reads."""
    return conv4[:, ::2, ::2]


def _copy(layer: "keras.layers.Layer", **changed: object) -> "keras.layers.Layer":
    import keras

    config = layer.get_config() | changed
    if isinstance(layer, keras.layers.Conv2D):
        config["strides"] = (1, 1)
    kind = _still_class() if isinstance(layer, keras.layers.BatchNormalization) else layer.__class__
    return kind.from_config(config)


@cache
def _still_class() -> type["keras.layers.BatchNormalization"]:
    """A BatchNormalization that keeps its statistics while its scale and shift train.

    A layer of its own, for Keras hands `training=True` down to every layer of a model, whatever that layer was called
    with when the model was built (`operation_fn` in Keras 3.15's functional.py). Made when first needed, for keras is
    imported lazily; registered, so that a checkpoint can be read again.
    """
    import keras

    @keras.saving.register_keras_serializable("walkaround")
    class StillBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
        def call(
            self,
            inputs: "keras.KerasTensor",
            training: bool | None = None,  # noqa: ARG002  (ignored on purpose)
            mask: object = None,
        ) -> object:
            return super().call(inputs, training=False, mask=mask)

    return StillBatchNormalization


def _move_weights(network: "keras.Sequential", tail: "keras.Model") -> None:
    sources = _tail_layers(network)
    for layer in tail.layers:
        if layer.weights:
            layer.set_weights(sources[layer.name].get_weights())


def _tail_layers(network: "keras.Sequential") -> dict[str, "keras.layers.Layer"]:
    backbone, *head = network.layers
    return {layer.name: layer for layer in [*backbone.layers[FROZEN_LAYERS:], *head]}
