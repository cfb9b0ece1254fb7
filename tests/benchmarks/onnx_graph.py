"""The folded network as ONNX, for ONNX Runtime: preprocessed pixels, channels first, to the logit of damage."""

from typing import Any

import numpy as np

from core.model.folding import FoldedNetwork, Head, Step

Constants = dict[str, np.ndarray[Any, Any]]


def build_onnx(network: FoldedNetwork, size: int) -> bytes:
    """Input `pixels`, float32 BGR (n, 3, size, size); output `logits` (n, 1)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: Constants = {}
    for step in network.steps:
        if step.kind == "Conv2D":
            convolution = network.convolutions[step.name]
            constants[f"{step.name}.kernel"] = np.ascontiguousarray(convolution.kernel.transpose(3, 2, 0, 1))
            constants[f"{step.name}.bias"] = convolution.bias
        nodes.append(_node(helper, step, constants))
    nodes += _head(helper, network.steps[-1].name, network.head, constants)
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _node(helper: Any, step: Step, constants: Constants) -> Any:
    settings, inputs = step.settings, list(step.inputs) or ["pixels"]
    padding = {"same": "SAME_UPPER", "valid": "VALID"}
    match step.kind:
        case "InputLayer":
            return helper.make_node("Identity", inputs, [step.name])
        case "ZeroPadding2D":
            (top, bottom), (left, right) = settings["padding"]
            constants[f"{step.name}.pads"] = np.array([0, 0, top, left, 0, 0, bottom, right])
            return helper.make_node("Pad", [*inputs, f"{step.name}.pads"], [step.name])
        case "Conv2D":
            return helper.make_node(
                "Conv",
                [*inputs, f"{step.name}.kernel", f"{step.name}.bias"],
                [step.name],
                strides=settings["strides"],
                auto_pad=padding[settings["padding"]],
            )
        case "Activation":
            return helper.make_node("Relu", inputs, [step.name])
        case "MaxPooling2D":
            return helper.make_node(
                "MaxPool",
                inputs,
                [step.name],
                kernel_shape=settings["pool_size"],
                strides=settings["strides"],
                auto_pad=padding[settings["padding"]],
            )
        case "Add":
            return helper.make_node("Add", inputs, [step.name])
    raise ValueError(f"no ONNX for {step.kind}")


def _head(helper: Any, features: str, head: Head, constants: Constants) -> list[Any]:
    for name in head.__dataclass_fields__:
        constants[f"head.{name}"] = getattr(head, name)
    node = helper.make_node
    return [
        node("GlobalAveragePool", [features], ["pooled"]),
        node("Flatten", ["pooled"], ["means"]),
        node("Mul", ["means", "head.scale"], ["scaled"]),
        node("Add", ["scaled", "head.shift"], ["normal"]),
        node("Gemm", ["normal", "head.w1", "head.b1"], ["z1"]),
        node("Relu", ["z1"], ["a1"]),
        node("Gemm", ["a1", "head.w2", "head.b2"], ["z2"]),
        node("Relu", ["z2"], ["a2"]),
        node("Gemm", ["a2", "head.w3", "head.b3"], ["logits"]),
    ]
