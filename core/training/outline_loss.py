"""What the branch is taught: damage for each cell, its kind where it is known, a photo's label by its largest cells."""

from typing import TYPE_CHECKING

from core.model.outline_branch import KINDS
from core.training.outlines import UNCERTAIN

if TYPE_CHECKING:
    import tensorflow as tf

GAIN = 1.5  # thin scratches cover little of a cell: coverage counts so much more, up to a full cell
BOX_WEIGHT = 0.3  # a box is only a bound of the damage in it
STEEPEST = 256  # cells (of 56 x 56) whose mean is a photo's evidence in training


def cell_loss(logits: "tf.Tensor", known: "tf.Tensor", mapped: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
    """Cross-entropy and Dice of damage, each a mean over the views whose damage is known cell by cell.

    `logits` (n, h, w, 1 + kinds); `known` uint8 (n, h, w, CHANNELS); `mapped` float32 (n,). Dice counts damaged views.
    """
    import tensorflow as tf

    shares = tf.cast(known, tf.float32) / 255.0
    target = tf.minimum(shares[..., 0] * GAIN, 1.0)
    weight = 1.0 - (1.0 - BOX_WEIGHT) * shares[..., UNCERTAIN]
    logit = logits[..., 0]
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(target, logit) * weight
    per_view = tf.reduce_mean(entropy, axis=[1, 2])
    crossing = tf.reduce_sum(per_view * mapped) / tf.maximum(tf.reduce_sum(mapped), 1.0)
    shown = tf.sigmoid(logit) * weight
    wanted = target * weight
    overlap = 2.0 * tf.reduce_sum(shown * wanted, axis=[1, 2]) + 1.0
    both = tf.reduce_sum(shown + wanted, axis=[1, 2]) + 1.0
    counted = mapped * tf.cast(tf.reduce_max(target, axis=[1, 2]) > 0.5, tf.float32)
    dice = tf.reduce_sum((1.0 - overlap / both) * counted) / tf.maximum(tf.reduce_sum(counted), 1.0)
    return crossing, dice


def kind_loss(logits: "tf.Tensor", known: "tf.Tensor") -> "tf.Tensor":
    """Cross-entropy of the kinds, each for itself, over damaged cells whose kind the outlines name."""
    import tensorflow as tf

    shares = tf.cast(known[..., 1 : 1 + len(KINDS)], tf.float32) / 255.0
    named = tf.cast(tf.reduce_max(shares, axis=-1) > 0.3, tf.float32)
    entropy = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(shares, logits[..., 1:]), axis=-1)
    return tf.reduce_sum(entropy * named) / tf.maximum(tf.reduce_sum(named), 1.0)


def evidence(logits: "tf.Tensor") -> "tf.Tensor":
    """The mean damage logit of each view's largest cells, (n,)."""
    import tensorflow as tf

    cells = logits.shape[1] * logits.shape[2]
    flat = tf.reshape(logits[..., 0], (-1, cells))
    return tf.reduce_mean(tf.math.top_k(flat, min(STEEPEST, cells), sorted=False).values, axis=1)
