"""Writes the graph of a network, without its weights, for runtimes other than torch."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from hounsfield.models.inference.runtimes import IMAGE

if TYPE_CHECKING:
    from torch import nn

OPSET = 18


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """What a network takes.

    Attributes:
        shape: Of an image, the channels and three sizes. The number of images is free.
        divisors: Where they are given, the sizes are free too, as multiples of these.
        outputs: Number of arrays that the network returns.
    """

    shape: tuple[int, int, int, int]
    divisors: tuple[int, int, int] | None = None
    outputs: int = 1


def network_graph(network: nn.Module, plan: GraphSpec) -> bytes:
    """The network as ONNX whose weights are inputs with the names of its state.

    The network may be in any mode, and is not changed.
    """
    from torch.export import Dim

    free: dict[int, object] = {0: Dim("images")}
    if plan.divisors is not None:
        free |= {
            axis: divisor * Dim(f"cells_{axis}")
            for axis, divisor in enumerate(plan.divisors, start=2)
        }
    example = torch.zeros(2, *plan.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about torch's inside
        program = torch.onnx.export(
            copy.deepcopy(network).cpu().float().eval(),
            (example,),
            dynamo=True,
            optimize=False,
            input_names=[IMAGE],
            output_names=[f"answer_{number}" for number in range(plan.outputs)],
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
        del node.metadata_props[:]  # where in the source it came from: of no use to a runtime
        if node.op_type == "Conv" and len(node.input) == 3 and node.input[2] not in state:
            del node.input[2]  # a convolution without bias is exported with computed zeros
    content: bytes = model.SerializeToString()
    return content
