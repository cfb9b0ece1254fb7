"""The classifier: ResNet50, whose last stage is trained, with a small head; and how pixels are prepared for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.domain import Pixels

if TYPE_CHECKING:
    import keras

# What a card's `preprocessing` names: decoding (core.photos.decode) and `preprocess`, renamed whenever they give
# the network other pixels. 1 kept twice a view's pixels when decoding, 2 keeps 1.5 times.
PREPROCESSING = "imagenet-bgr-2"
HEAD_UNITS = (256, 128)
FROZEN_LAYERS = 143  # conv5_block1_1_conv, the first layer of the last stage, has index 143


@dataclass(frozen=True, slots=True)
class Channels:
    """What the network is fed: its channel i is channel order[i] of a photo (red, green, blue), less mean[i]."""

    order: tuple[int, int, int]
    mean: tuple[float, float, float]


# Read by training, TensorFlow and OpenVINO alike. keras.applications.resnet50.preprocess_input, mode "caffe".
CHANNELS = Channels(order=(2, 1, 0), mean=(103.939, 116.779, 123.68))


def build_network(input_size: int = 224, dropout: float = 0.3, base_weights: Path | None = None) -> "keras.Sequential":
    """The network for float32 input (n, input_size, input_size, 3) as `preprocess` gives; output (n, 1) in 0..1.

    The positive class is *damaged*. `base_weights` is a Keras `.weights.h5` of the backbone; without it the weights
    are random. The backbone's first 143 layers are frozen, the rest trains.
    """
    import keras

    backbone = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(input_size, input_size, 3))
    if base_weights is not None:
        backbone.load_weights(base_weights)
    for layer in backbone.layers[:FROZEN_LAYERS]:
        layer.trainable = False
    network = keras.Sequential(
        [
            backbone,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dropout(dropout),
            keras.layers.BatchNormalization(),
            *(keras.layers.Dense(units, activation="relu") for units in HEAD_UNITS),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    network.build((None, input_size, input_size, 3))
    return network


def download_base(path: Path) -> Path:
    """Keras' own ImageNet weights of the backbone, stored at `path` (`.weights.h5`) unless they are there already."""
    import keras

    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        keras.applications.ResNet50(include_top=False, weights="imagenet").save_weights(path)
    return path


def preprocess(pixels: Pixels) -> NDArray[np.float32]:
    """uint8 RGB (..., 3) to what ImageNet's ResNet50 was trained on: float32 BGR, each channel less its mean."""
    return pixels[..., list(CHANNELS.order)].astype(np.float32) - np.asarray(CHANNELS.mean, dtype=np.float32)
