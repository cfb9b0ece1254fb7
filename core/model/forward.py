"""The network as one TensorFlow function: uint8 views in; logits and exact heat maps out, in one pass.

Built straight from a verified `.keras` file with BatchNormalization folded away, so that no Keras model is ever held
beside it. The weights stay variables: frozen into the graph as constants they were no faster at batch 32 (38.8 ms of
CPU a photo against 38.6) and took 900 MB and 2 to 4 s more to start.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from core.domain import Pixels
from core.errors import ModelFailed, ModelUnusable
from core.machine import available_cores
from core.model.folding import FoldedNetwork, Head, Step
from core.model.network import CHANNELS

if TYPE_CHECKING:
    import tensorflow as tf

Floats = NDArray[np.float32]
# Logits, heat maps, constants, pooled features; and the branch's map of damage, of no cells where there is no branch.
Outputs = tuple[Floats, Floats, Floats, Floats, Floats]


def prepare_tensorflow(threads: int | None = None, *, use_gpu: bool = True) -> None:
    """Import TensorFlow and set what holds for the whole process: threads, memory of a GPU on demand, true float32.

    `threads` are one for each core that the process may use, where None. TensorFlow takes no other number of threads
    and no other devices once it has run: raises `ModelUnusable` then.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # what it reports of the processor is of no use to our users
    import tensorflow as tf

    # TF32 keeps 10 bits of the mantissa: answers would differ from a CPU's by more than the 1e-3 we promise.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        if not use_gpu:
            tf.config.set_visible_devices([], "GPU")
        for gpu in tf.config.get_visible_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        wanted = threads or available_cores()
        if wanted != tensorflow_threads():
            tf.config.threading.set_intra_op_parallelism_threads(wanted)
            tf.config.threading.set_inter_op_parallelism_threads(wanted)
    except RuntimeError as error:
        raise ModelUnusable(
            f"TensorFlow runs already and cannot be set up anew ({error}); restart the process"
        ) from error


def tensorflow_threads() -> int:
    """On how many threads TensorFlow computes one operation: as set, or by itself one on each core it may use."""
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads() or len(os.sched_getaffinity(0))


def gpu_name() -> str | None:
    """The GPU that TensorFlow will run on, by its maker's name; None where it runs on the CPU."""
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    if not gpus:
        return None
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name))


def build_forward(
    network: FoldedNetwork, size: int, precision: Literal["auto", "float32", "bfloat16"] = "auto"
) -> Callable[[Pixels], Outputs]:
    """The forward pass for uint8 RGB (n, size, size, 3).

    It returns logits (n,), heat maps (n, rows, columns), constants (n,), pooled features (n, channels), and the
    branch's logits of damage and kinds (n, cells, cells, 1 + kinds).

    `auto` is float32 everywhere: bfloat16 takes half the time on a CPU that has it, but moves probabilities by up to
    0.05 where 1e-3 is promised. The head and the heat map are float32 in any case. The pass raises `MemoryError` where
    the batch does not fit and `ModelFailed` where the device fails otherwise.
    """
    import tensorflow as tf

    forward = trace_forward(network, size, "float32" if precision == "auto" else precision)

    def run(views: Pixels) -> Outputs:
        try:
            logits, heatmaps, constants, features, cells = (part.numpy() for part in forward(tf.constant(views)))
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(error.message) from error
        except tf.errors.OpError as error:
            raise ModelFailed(
                f"TensorFlow failed: {error.message:.300}; another attempt or worker may succeed"
            ) from error
        return logits, heatmaps, constants, features, cells

    return run


def trace_forward(
    network: FoldedNetwork, size: int, precision: Literal["float32", "bfloat16", "float16"], *, xla: bool = False
) -> Callable[["tf.Tensor"], tuple["tf.Tensor", "tf.Tensor", "tf.Tensor", "tf.Tensor", "tf.Tensor"]]:
    """The pass as a `tf.function` of tensors, compiled anew for each shape with `xla`."""
    import tensorflow as tf

    steps, outlines, head = (
        network.steps,
        network.outlines,
        network.head,
    )  # not the network itself: its arrays are free once they are variables
    kind = tf.as_dtype(precision)
    weights = {
        name: (_variable(convolution.kernel, kind), _variable(convolution.bias, kind))
        for name, convolution in network.convolutions.items()
    }

    def forward(views: "tf.Tensor") -> Any:
        pixels = tf.cast(tf.gather(views, CHANNELS.order, axis=-1), tf.float32) - tf.constant(CHANNELS.mean, tf.float32)
        outputs: dict[str, Any] = {}
        for step in (*steps, *outlines):
            inputs = [outputs[name] for name in step.inputs] or [tf.cast(pixels, kind)]
            outputs[step.name] = run_step(step, inputs, weights.get(step.name))
        explained = _head_and_map(head, tf.cast(outputs[steps[-1].name], tf.float32))
        none = tf.zeros((tf.shape(views)[0], 0, 0, 0))
        return (*explained, tf.cast(outputs[outlines[-1].name], tf.float32) if outlines else none)

    signature = None if xla else [tf.TensorSpec((None, size, size, 3), tf.uint8)]
    return cast(
        "Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]]",
        tf.function(forward, input_signature=signature, autograph=False, jit_compile=xla or None),
    )


def _variable(value: NDArray[np.float32], kind: "tf.DType") -> "tf.Variable":
    import tensorflow as tf

    return tf.Variable(tf.cast(value, kind), trainable=False)


def run_step(step: Step, inputs: list["tf.Tensor"], weights: tuple["tf.Variable", "tf.Variable"] | None) -> "tf.Tensor":
    """One layer of the backbone or the branch, as Keras defines it (channels last)."""
    import tensorflow as tf

    settings = step.settings
    match step.kind:
        case "InputLayer":
            return inputs[0]
        case "ZeroPadding2D":
            return tf.pad(inputs[0], [[0, 0], *settings["padding"], [0, 0]])
        case "Conv2D" if weights is not None and settings["activation"] == "linear":
            kernel, bias = weights
            return tf.nn.bias_add(
                tf.nn.conv2d(inputs[0], kernel, settings["strides"], settings["padding"].upper()), bias
            )
        case "Activation" if settings["activation"] == "relu":
            return tf.nn.relu(inputs[0])
        case "MaxPooling2D":
            return tf.nn.max_pool2d(inputs[0], settings["pool_size"], settings["strides"], settings["padding"].upper())
        case "Add":
            return tf.add_n(inputs)
        case "UpSampling2D" if settings["interpolation"] == "nearest":
            rows, columns = settings["size"]
            return tf.repeat(tf.repeat(inputs[0], rows, axis=1), columns, axis=2)
    raise ModelUnusable(
        f"the layer {step.name} ({step.kind}) is not one of the classifier's (ResNet50 + head); save the model again"
    )


def _head_and_map(head: Head, features: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor", "tf.Tensor", "tf.Tensor"]:
    """Logits, heat maps, constants by model.md's algebra, and the means; `features` is (n, rows, columns, channels)."""
    import tensorflow as tf

    means = tf.reduce_mean(features, axis=[1, 2])
    z1 = tf.matmul(head.scale * means + head.shift, head.w1) + head.b1
    z2 = tf.matmul(tf.nn.relu(z1), head.w2) + head.b2
    logits = tf.matmul(tf.nn.relu(z2), head.w3)[:, 0] + head.b3[0]
    to_z2 = tf.where(z2 > 0, head.w3[:, 0], 0.0)
    to_z1 = tf.where(z1 > 0, tf.matmul(to_z2, head.w2, transpose_b=True), 0.0)
    to_means = tf.matmul(to_z1, head.w1, transpose_b=True)
    heatmaps = tf.einsum("nhwc,nc->nhw", features, to_means * head.scale)
    constants = (
        tf.linalg.matvec(to_means, head.shift)
        + tf.linalg.matvec(to_z1, head.b1)
        + tf.linalg.matvec(to_z2, head.b2)
        + head.b3[0]
    )
    return logits, heatmaps, constants, means
