"""The head's first fit: several small heads, each trained by itself, then put side by side into the classifier's head.

Blocks on the diagonal and zeros beside them make 256/128/1 the exact mean of its members' logits, so that what several
opinions gain over one costs nothing when serving. Every other member learns from single views, the rest from pooled
ones (docs/model.md has what each gains).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.model.network import HEAD_UNITS
from core.training.recipe import Recipe
from core.training.tail import build_bag

if TYPE_CHECKING:
    import keras

Array = NDArray[np.float32]
EPOCHS = 6
SLOWER_FROM, SLOWER = 0.6, 0.3  # after this share of the steps the rate falls to this share


def fit_members(
    features: Array, targets: Array, recipe: Recipe, advance: Callable[[int, int], object] = lambda *_: None
) -> list["keras.Sequential"]:
    """Small heads that compute logits (n, 1) from pooled features (n, channels).

    They are trained on looks (looks, views, channels) with targets (looks, 1).
    """
    members = []
    for number in range(recipe.members):
        members.append(_fit_member(number, features, targets, recipe))
        advance(number + 1, recipe.members)
    return members


def merge(members: Sequence["keras.Sequential"], layers: Sequence["keras.layers.Layer"]) -> None:
    """Set the weights of the classifier's head (`layers`: dropout, normalisation, dense) to the members' mean logit.

    The normalisation takes the members' mean statistics; what each has beside that goes into its first kernel and bias.
    """
    _, normalisation, first, second, last = layers
    parts = [_weights(member) for member in members]
    mean = np.mean([part[0][2] for part in parts], axis=0)
    variance = np.mean([part[0][3] for part in parts], axis=0)
    deviation = np.sqrt(variance + normalisation.epsilon)
    kernels, biases = [], []
    for (gamma, beta, its_mean, its_variance), (kernel, bias), *_ in parts:
        scale = gamma / np.sqrt(its_variance + normalisation.epsilon)
        kernels.append((scale * deviation)[:, None] * kernel)
        biases.append(bias + (scale * (mean - its_mean) + beta) @ kernel)
    normalisation.set_weights([np.ones_like(mean), np.zeros_like(mean), mean, variance])
    first.set_weights([np.concatenate(kernels, axis=1), np.concatenate(biases)])
    second.set_weights([_on_diagonal([part[2][0] for part in parts]), np.concatenate([part[2][1] for part in parts])])
    last.set_weights(
        [np.concatenate([part[3][0] for part in parts]) / len(parts), np.mean([part[3][1] for part in parts], axis=0)]
    )


def _fit_member(number: int, features: Array, targets: Array, recipe: Recipe) -> "keras.Sequential":
    import keras

    seed = recipe.seed * 1000 + number
    keras.utils.set_random_seed(seed)
    member = _small_head(features.shape[-1], recipe)
    if number % 2:
        model, views = member, features.shape[1]
        inputs, labels = features.reshape(-1, features.shape[-1]), [np.repeat(targets, views, axis=0)]
        weights = [1.0]
    else:
        model, views = build_bag(member, features.shape[1], recipe.pooling), 1
        inputs, labels, weights = features, [targets, targets], [1.0, recipe.whole_weight]
    batch = 2 * recipe.batch * views
    steps = EPOCHS * max(1, len(inputs) // batch)
    rate = recipe.head_learning_rate
    falling = keras.optimizers.schedules.PiecewiseConstantDecay([int(SLOWER_FROM * steps)], [rate, SLOWER * rate])
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    model.compile(
        keras.optimizers.AdamW(falling, weight_decay=recipe.weight_decay),
        [loss] * len(labels),
        loss_weights=weights,
        jit_compile=False,
    )
    for epoch in range(EPOCHS):
        order = np.random.default_rng([recipe.seed, 1, number, epoch]).permutation(len(inputs))
        for start in range(0, max(1, len(order) - batch + 1), batch):
            at = order[start : start + batch]
            model.train_on_batch(inputs[at], [label[at] for label in labels])
    return member


def _small_head(channels: int, recipe: Recipe) -> "keras.Sequential":
    """One member: its share of the head's units. Sizes that do not divide by the members raise."""
    import keras

    if any(units % recipe.members for units in HEAD_UNITS):
        raise ValueError(f"{recipe.members} members cannot share {HEAD_UNITS} units evenly; choose 1, 2, 4 or 8")
    first, second = (units // recipe.members for units in HEAD_UNITS)
    return keras.Sequential(
        [
            keras.Input((channels,)),
            keras.layers.Dropout(recipe.dropout),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(first, "relu"),
            keras.layers.Dense(second, "relu"),
            keras.layers.Dense(1),
        ]
    )


def _weights(member: "keras.Sequential") -> list[list[Array]]:
    """Of the normalisation and the three dense layers."""
    return [layer.get_weights() for layer in member.layers[1:]]  # the first is the dropout


def _on_diagonal(blocks: Sequence[Array]) -> Array:
    rows, columns = blocks[0].shape
    whole = np.zeros((rows * len(blocks), columns * len(blocks)), dtype=np.float32)
    for number, block in enumerate(blocks):
        whole[number * rows : (number + 1) * rows, number * columns : (number + 1) * columns] = block
    return whole
