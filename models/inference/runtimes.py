"""What carries a network out: OpenVINO on a processor, torch where there is a GPU.

A model's folder holds its weights once, as safetensors, and `GRAPH_FILE`: the network as ONNX
whose weights are inputs, named as in the safetensors. OpenVINO takes both and needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

if TYPE_CHECKING:
    import openvino
    from torch import nn

GRAPH_FILE = "graph.onnx"

IMAGE = "image"
"""Name of the graph's one input that is no weight."""

Runtime = Literal["auto", "openvino", "torch"]

Network = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From a batch of images, float32 ``[n, channels, z, y, x]``, to what the network answers."""

_GPU_DEVICE = Path("/dev/nvidiactl")


def load_network(
    weights: bytes,
    *,
    graph: bytes | None,
    build: Callable[[], nn.Module],
    threads: int,
    runtime: Runtime = "auto",
) -> Network:
    """Makes a network that can be called.

    Args:
        weights: The safetensors.
        graph: Content of `GRAPH_FILE`; without it torch is the only way.
        build: Makes the empty network for torch.
        threads: Processor threads.
        runtime: `auto` is torch where there is a GPU or no graph, else OpenVINO.
    """
    if graph is not None and prefers_openvino(runtime):
        return openvino_network(weights, graph, threads=threads)
    return torch_network(weights, build, threads=threads)


def prefers_openvino(runtime: Runtime) -> bool:
    """Whether OpenVINO runs a network that has a graph."""
    return runtime == "openvino" or (runtime == "auto" and not _GPU_DEVICE.exists())


def openvino_network(weights: bytes, graph: bytes, *, threads: int) -> Network:
    """A network of one answer in OpenVINO."""
    answers = openvino_answers(weights, graph, threads=threads)
    return lambda image: answers(image)[0]


def openvino_answers(
    weights: bytes, graph: bytes, *, threads: int
) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """A network in OpenVINO, in float32 whatever the processor would rather use."""
    from openvino import opset15

    core = openvino_core()
    model = core.read_model(graph)
    values = load(weights)
    for parameter in model.get_parameters():
        name = parameter.output(0).get_any_name()
        if name != IMAGE:
            value = opset15.constant(values[name].astype(np.float32))
            parameter.output(0).replace(value.output(0))
            model.remove_parameter(parameter)
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    compiled = core.compile_model(model, "CPU", settings)

    def run(image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return list(compiled(image).values())

    return run


@cache
def openvino_core() -> openvino.Core:
    """The one core of the process, kept to its end.

    OpenVINO gives the thread that first compiles with a core a stack of its own for signals. Where
    cores end out of order, the thread is left with a stack that is gone (OpenVINO 2026.4), and the
    next signal, an interrupt say, ends the process.
    """
    import openvino

    return openvino.Core()


def torch_network(weights: bytes, build: Callable[[], nn.Module], *, threads: int) -> Network:
    """The network in torch, on a GPU where there is one."""
    import torch
    from safetensors.torch import load as load_tensors
    from torch.nn.utils import convert_conv3d_weight_memory_format

    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = build()
    network.load_state_dict(load_tensors(weights))  # widens 16-bit kernels
    network = convert_conv3d_weight_memory_format(network.eval().to(device), torch.channels_last_3d)

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = torch.from_numpy(image).to(device, memory_format=torch.channels_last_3d)
        with torch.inference_mode():
            answer: NDArray[np.float32] = network(batch).float().cpu().numpy()
        return answer

    return run
