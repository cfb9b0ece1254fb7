"""The branch that says where the damage is: a small decoder on three stages of the backbone's own forward pass.

It reads conv3 (56 x 56 cells for 448 pixels), conv4 and conv5 and gives, for each cell of conv3, a logit of damage and
one for each kind. It stands beside the classifier (ResNet50 and head), whose layers and counts stay as they are.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

KINDS = ("scratch", "dent", "glass", "lamp", "missing", "other")
# The backbone's layers that the branch reads, finest first, and their channels; its inputs are named like them.
STAGES = {"conv3_block4_out": 512, "conv4_block6_out": 1024, "conv5_block3_out": 2048}
WIDTHS = (64, 160)  # channels of the fine and of the coarse half
CELL = 8  # pixels a cell of the map is wide and high


def build_branch(cells: int, channels: tuple[int, int, int] = (512, 1024, 2048)) -> "keras.Model":
    """The decoder for stages of (cells, cells), (cells / 2, cells / 2) and (cells / 4, cells / 4).

    Output: logits (n, cells, cells, 1 + kinds), damage first. `channels` are those of its three inputs.
    """
    import keras
    from keras import layers

    fine, coarse = WIDTHS
    inputs = [
        keras.Input((cells // 2**step, cells // 2**step, depth), name=name)
        for step, (name, depth) in enumerate(zip(STAGES, channels, strict=True))
    ]
    conv3, conv4, conv5 = inputs

    def convolve(tensor: "keras.KerasTensor", width: int, side: int, name: str) -> "keras.KerasTensor":
        return layers.Conv2D(width, side, padding="same", kernel_initializer="he_normal", name=name)(tensor)

    def rectify(tensor: "keras.KerasTensor", name: str) -> "keras.KerasTensor":
        return layers.Activation("relu", name=name)(tensor)

    deep = layers.UpSampling2D(name="outline_conv5_up")(convolve(conv5, coarse, 1, "outline_conv5"))
    merged = layers.Add(name="outline_coarse_add")([convolve(conv4, coarse, 1, "outline_conv4"), deep])
    merged = rectify(merged, "outline_coarse_relu")
    for number in (1, 2):
        merged = rectify(convolve(merged, coarse, 3, f"outline_coarse{number}"), f"outline_coarse{number}_relu")
    deep = layers.UpSampling2D(name="outline_coarse_up")(convolve(merged, fine, 1, "outline_coarse_out"))
    merged = layers.Add(name="outline_fine_add")([convolve(conv3, fine, 1, "outline_conv3"), deep])
    merged = rectify(merged, "outline_fine_relu")
    for number in (1, 2):
        merged = rectify(convolve(merged, fine, 3, f"outline_fine{number}"), f"outline_fine{number}_relu")
    return keras.Model(inputs, convolve(merged, 1 + len(KINDS), 1, "outline_map"), name="outlines")
