"""The backbone as an OpenVINO graph, built from the folded network with no TensorFlow in the process."""

from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import ModelUnusable
from core.model.folding import Convolution, FoldedNetwork, Step
from core.model.network import CHANNELS

if TYPE_CHECKING:
    import openvino

_TO_CHANNELS_FIRST = np.array([0, 3, 1, 2])
_TO_CHANNELS_LAST = np.array([0, 2, 3, 1])


def import_openvino() -> Any:
    """The library. Raises `ModelUnusable` where it is not installed."""
    try:
        import openvino
    except ImportError as error:
        raise ModelUnusable(
            f"OpenVINO is asked for (int8 runs on nothing else) and is not installed here ({error}): "
            "pip install 'walkaround[openvino]'"
        ) from error
    return openvino


def build_graph(network: FoldedNetwork, size: int) -> "openvino.Model":
    """uint8 RGB (n, size, size, 3) to the last convolution's output, float32 (n, rows, columns, channels).

    And to the branch's map (n, cells, cells, 1 + kinds) where the network has one.
    Raises `ModelUnusable` for other layers than the classifier's, and without OpenVINO.
    """
    openvino = import_openvino()
    from openvino import opset13 as op

    views = op.parameter([-1, size, size, 3], openvino.Type.u8, name="views")
    pixels = op.gather(op.convert(views, "f32"), np.array(CHANNELS.order), np.array(3))
    pixels = op.subtract(pixels, np.array(CHANNELS.mean, np.float32))
    outputs: dict[str, Any] = {}
    for step in (*network.steps, *network.outlines):
        inputs = [outputs[name] for name in step.inputs] or [op.transpose(pixels, _TO_CHANNELS_FIRST)]
        outputs[step.name] = _add_step(op, step, inputs, network.convolutions.get(step.name))
    results = []
    for name, steps in (("features", network.steps), ("cells", network.outlines)):
        if steps:
            results.append(op.result(op.transpose(outputs[steps[-1].name], _TO_CHANNELS_LAST), name=name))
    return openvino.Model(results, [views], "backbone")


def _add_step(op: Any, step: Step, inputs: list[Any], convolution: Convolution | None) -> Any:
    """One layer of the backbone or the branch, as Keras defines it, channels first."""
    settings = step.settings
    match step.kind:
        case "InputLayer":
            return inputs[0]
        case "ZeroPadding2D":
            (top, bottom), (left, right) = settings["padding"]
            return op.pad(inputs[0], [0, 0, top, left], [0, 0, bottom, right], "constant", np.float32(0))
        case "Conv2D" if convolution is not None and settings["activation"] == "linear":
            kernel = np.ascontiguousarray(convolution.kernel.transpose(3, 2, 0, 1))
            convolved = op.convolution(
                inputs[0], kernel, settings["strides"], [0, 0], [0, 0], [1, 1], _PADDING[settings["padding"]]
            )
            return op.add(convolved, convolution.bias[None, :, None, None])
        case "Activation" if settings["activation"] == "relu":
            return op.relu(inputs[0])
        case "MaxPooling2D":
            padding = _PADDING[settings["padding"]]
            pooled = op.max_pool(
                inputs[0], settings["strides"], [1, 1], [0, 0], [0, 0], settings["pool_size"], auto_pad=padding
            )
            return pooled.output(0)
        case "Add":
            return op.add(*inputs)
        case "UpSampling2D" if settings["interpolation"] == "nearest":
            scales = np.array(settings["size"], np.float32)
            return op.interpolate(inputs[0], scales, "nearest", "scales", axes=np.array([2, 3]))
    raise ModelUnusable(
        f"the layer {step.name} ({step.kind}) is not one of the classifier's (ResNet50 + head); save the model again"
    )


_PADDING = {"same": "same_upper", "valid": "valid"}
