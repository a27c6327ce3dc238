"""Exports a network as an ONNX graph without its weights, for inference without torch."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import nn

OPSET = 18

IMAGE = "image"
"""Name of the one input of a graph that is not a weight."""


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """The inputs and outputs of a network.

    Attributes:
        shape: Shape of one image: channels, and three sizes. The batch size is free.
        divisors: The sizes are free too, as multiples of these; None fixes them.
        outputs: Number of arrays that the network returns.
    """

    shape: tuple[int, int, int, int]
    divisors: tuple[int, int, int] | None = None
    outputs: int = 1


def network_graph(network: nn.Module, spec: GraphSpec) -> bytes:
    """Exports a network as ONNX, with its weights as inputs under the names of its state.

    Args:
        network: Network in training or evaluation mode, on any device; it is not changed.
        spec: Shape of the images that the graph accepts.

    Returns:
        The serialised ONNX model.
    """
    import torch
    from torch.export import Dim

    free: dict[int, object] = {0: Dim("images")}
    if spec.divisors is not None:
        free |= {
            axis: divisor * Dim(f"cells_{axis}")
            for axis, divisor in enumerate(spec.divisors, start=2)
        }
    example = torch.zeros(2, *spec.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from inside torch's exporter
        program = torch.onnx.export(
            copy.deepcopy(network).cpu().float().eval(),
            (example,),
            dynamo=True,
            optimize=False,
            input_names=[IMAGE],
            # The names are part of the graphs that are published.
            output_names=[f"answer_{number}" for number in range(spec.outputs)],
            dynamic_shapes=(free,),
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    return _weights_as_inputs(program.model_proto, network.state_dict())


def _weights_as_inputs(model: object, state: dict[str, torch.Tensor]) -> bytes:
    from onnx import ModelProto, helper

    assert isinstance(model, ModelProto)
    graph = model.graph
    weights = [tensor for tensor in graph.initializer if tensor.name in state]
    for tensor in weights:
        graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        )
        graph.initializer.remove(tensor)
    for node in graph.node:
        del node.metadata_props[:]  # source lines, which no runtime needs
        if node.op_type == "Conv" and len(node.input) == 3 and node.input[2] not in state:
            del node.input[2]  # a convolution without bias is exported with computed zeros
    content: bytes = model.SerializeToString()
    return content
